// `abort_if(condition)` arms a standing rule; the runtime judges it every interval, whatever the script does.

import ChaosEngine
import ChaosModel
import LuaBridge

/// The primitive `abort_if`.
enum AbortIf: Primitive {
    static let signature = Signature(
        name: "abort_if",
        help:
            "Arms a rule that aborts the run when it holds; judged every interval, whatever the script does.",
        parameters: [
            SignaturePart(
                "rule",
                "string|fun(): boolean",
                "A condition such as \"error_rate > 5%\", or a function that returns true to abort."
            ),
            SignaturePart("name?", "string", "What the report calls the rule."),
        ]
    )

    private static let expected =
        "a condition such as \"error_rate > 5%\" or a function that returns true to abort"

    static func call(_ call: LuaCall, _ session: ScriptSession) async throws -> [LuaValue] {
        let controls = try await session.controls(for: call)
        guard let function = call[1].function else {
            guard let text = try call.only(expected).string else {
                throw DefinitionError(call.function, "expects \(expected), got \(call[1].given)")
            }
            let condition = try call.condition(text)
            try await controls.abort(if: condition, at: call.place)
            return []
        }
        try await controls.abort(
            if: rule(function, of: session),
            named: try name(of: function, call)
        )
        return []
    }

    private static func name(
        of function: LuaFunction,
        _ call: LuaCall
    ) throws(DefinitionError) -> String {
        if call.arguments.count == 1 { return "the function at \(function)" }
        guard call.arguments.count == 2, let name = call[2].string, !name.isEmpty else {
            throw DefinitionError(call.function, "the name must be a text, got \(call[2].given)")
        }
        return name
    }

    /// The rule keeps the function, and with it nothing of the state, which ends with its run.
    private static func rule(
        _ function: LuaFunction,
        of session: ScriptSession
    ) -> RuleFunction {
        { [weak session] in
            guard let vm = session?.vm else { throw RuleProblem("the script has ended") }
            let results = try await Judging.call(function, in: vm)
            guard let first = results.first else {
                throw RuleProblem(
                    "the function at \(function) returned nothing: return true to abort, false to go on"
                )
            }
            return first != .nil && first != .boolean(false)
        }
    }
}

/// Why a rule could not be judged.
struct RuleProblem: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
