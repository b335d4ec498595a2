// `abort("reason")` aborts the run and never returns.

import ChaosModel
import LuaBridge

/// The primitive `abort`.
enum Abort: Primitive {
    static let signature = Signature(
        name: "abort",
        help: "Aborts the run now, and puts everything back; never returns.",
        parameters: [SignaturePart("reason", "string", "Why, for the report.")]
    )

    static func call(_ call: LuaCall, _ session: ScriptSession) async throws -> [LuaValue] {
        let controls = try await session.controls(for: call)
        let reason = try call.text("a reason such as \"the queue is full\"")
        try await controls.abort(reason: reason)
        // It has returned where it should have thrown: the script ends all the same.
        session.token.abort(reason)
        return []
    }
}
