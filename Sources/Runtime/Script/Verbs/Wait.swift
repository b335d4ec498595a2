// `wait "30s"` lets time pass; the watch goes on meanwhile.

import ChaosModel
import LuaBridge

/// The primitive `wait`.
enum Wait: Primitive {
    static let signature = Signature(
        name: "wait",
        help: "Lets time pass; metrics and rules are judged meanwhile.",
        parameters: [SignaturePart("time", "string", "A time with its unit, such as \"30s\".")]
    )

    private static let span = ParameterKind<Duration>.duration(to: .seconds(86_400))

    static func call(_ call: LuaCall, _ session: ScriptSession) async throws -> [LuaValue] {
        let controls = try await session.controls(for: call)
        let value = try call.only("a time such as \"30s\"")
        try await controls.wait(try time(value, of: call.function))
        return []
    }

    private static func time(
        _ value: LuaValue,
        of verb: String
    ) throws(DefinitionError) -> Duration {
        guard value.string != nil || value.number != nil else {
            throw DefinitionError(verb, "expects a time such as \"30s\", got \(value.given)")
        }
        do throws(ParameterProblem) {
            return try span.parse(try ParameterValue(value, named: "the time"))
        } catch {
            throw DefinitionError(verb, "the time \(error.text)")
        }
    }
}
