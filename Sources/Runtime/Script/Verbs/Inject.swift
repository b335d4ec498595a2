// `inject(fault)` makes a fault and returns its handle, which puts it back at the end of its scope when it is a
// `<close>` variable.

import ChaosEngine
import ChaosModel
import LuaBridge

/// The primitive `inject`.
enum Inject: Primitive {
    static let signature = Signature(
        name: "inject",
        help: "Makes a fault; the baseline is checked before the first one.",
        parameters: [SignaturePart("fault", "moonquake.Fault", "What to make.")],
        result: SignaturePart(
            "handle",
            "moonquake.Handle",
            "For `rollback`, or a `<close>` variable."
        )
    )

    static func call(_ call: LuaCall, _ session: ScriptSession) async throws -> [LuaValue] {
        let controls = try await session.controls(for: call)
        guard call.arguments.count <= 1 else {
            throw DefinitionError(
                call.function,
                "takes one fault, got \(call.arguments.count) arguments: call it once for each"
            )
        }
        guard var spec = call[1].object?.payload(of: FaultBuilder.objects) else {
            throw DefinitionError(
                call.function,
                "expects a fault such as fault.noop {…}, got \(call[1].given)"
            )
        }
        spec.location = spec.location ?? call.place
        let handle = try await controls.inject(spec)
        session.hold(handle)
        return [.object(HeldFault.objects.make(HeldFault(handle: handle, session: session)))]
    }
}
