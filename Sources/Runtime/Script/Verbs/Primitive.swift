// The contract of a primitive that may wait; each lives in a file of its own, with the description from which the
// types of stdlib/_meta are made.

import ChaosModel
import LuaBridge

/// A parameter or result of a primitive, in LuaCATS words.
struct SignaturePart: Sendable {
    let name: String
    let type: String
    let help: String

    init(_ name: String, _ type: String, _ help: String) {
        self.name = name
        self.type = type
        self.help = help
    }
}

/// How a primitive is called.
struct Signature: Sendable {
    let name: String
    let help: String
    var parameters: [SignaturePart] = []
    var result: SignaturePart?
}

/// A primitive that may wait.
protocol Primitive: Sendable {
    /// Name, parameters, result.
    static var signature: Signature { get }

    /// Does it; a `DefinitionError` gets the line of the call.
    static func call(_ call: LuaCall, _ session: ScriptSession) async throws -> [LuaValue]
}

/// Every primitive that may wait.
enum Primitives {
    static let all: [any Primitive.Type] = [
        SteadyState.self, Inject.self, Rollback.self, CheckMetric.self, AbortIf.self, Abort.self,
        Wait.self, Observe.self,
    ]
}

extension LuaCall {
    /// The one argument of a verb.
    func only(_ expected: String) throws(DefinitionError) -> LuaValue {
        guard arguments.count <= 1 else {
            throw DefinitionError(
                function,
                "expects \(expected), got \(arguments.count) arguments"
            )
        }
        return self[1]
    }

    /// The one text of a verb.
    func text(_ expected: String) throws(DefinitionError) -> String {
        let value = try only(expected)
        guard let text = value.string, !text.isEmpty else {
            throw DefinitionError(function, "expects \(expected), got \(value.given)")
        }
        return text
    }

    /// A condition in a text.
    func condition(_ text: String) throws(DefinitionError) -> Condition {
        do throws(ParameterProblem) {
            return try Condition(parsing: text)
        } catch {
            throw DefinitionError(function, error.text)
        }
    }
}
