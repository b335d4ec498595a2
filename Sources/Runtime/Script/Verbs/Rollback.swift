// `rollback(handle)` puts one fault back; `rollback()` puts all back.

import ChaosModel
import LuaBridge

/// The primitive `rollback`.
enum Rollback: Primitive {
    static let signature = Signature(
        name: "rollback",
        help: "Puts a fault back, or all of them when none is named.",
        parameters: [SignaturePart("handle?", "moonquake.Handle", "What `inject` returned.")]
    )

    static func call(_ call: LuaCall, _ session: ScriptSession) async throws -> [LuaValue] {
        let controls = try await session.controls(for: call)
        if call.arguments.isEmpty {
            try await controls.rollback(nil)
            session.release(nil)
            return []
        }
        let value = try call.only("the handle that inject returned")
        guard let held = value.object?.payload(of: HeldFault.objects) else {
            // A nil that was passed by mistake must not end every fault.
            let got = value.isNil ? "nil" : value.given
            throw DefinitionError(
                call.function,
                "expects the handle that inject returned, got \(got); rollback() puts everything back"
            )
        }
        try await controls.rollback(held.handle)
        session.release(held.handle)
        return []
    }
}
