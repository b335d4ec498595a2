// What `inject` returns: the handle of a fault.

import ChaosEngine
import ChaosModel
import LuaBridge

/// The handle of a fault, as scripts hold it.
struct HeldFault: Sendable {
    let handle: FaultHandle
    let session: ScriptSession

    /// What scripts hold.
    static let objects = LuaObjectType<HeldFault>("handle")
        .description { "handle of \($0.handle.fault) (\($0.handle.number))" }
        .field("fault") { .string($0.handle.fault) }
        .field("targets") { held in
            .table(LuaTable(array: held.handle.targets.map { .string("\($0)") }))
        }
        .asyncMethod("rollback") { held, call in
            try await held.session.perform(Rollback.self, call.rolling(back: held))
        }
        .onClose { held in
            guard held.session.holds(held.handle) else { return }
            let call = LuaCall(function: Rollback.signature.name, arguments: [])
            _ = try await held.session.perform(Rollback.self, call.rolling(back: held))
        } stopping: { _ in
            // Rollback belongs to the engine, which stopped the script for it.
        }
}

extension LuaCall {
    /// The call `rollback(handle)` from the same line.
    fileprivate func rolling(back held: HeldFault) -> LuaCall {
        LuaCall(
            function: Rollback.signature.name,
            arguments: [.object(HeldFault.objects.make(held))],
            location: location
        )
    }
}
