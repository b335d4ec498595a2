// The one way a fault is put back: by the agent that made it, by recovery, and by the boot-time unit.

import ChaosModel

/// What is needed to put one fault back.
struct RevertOrder: Sendable {
    var lease: LeaseID
    var fault: FaultType
    var target: Target
    var undo: ParameterValue

    /// Measures, puts back and measures again; never throws, since the record says how it ended.
    func carryOut(on kernel: Kernel) async -> RevertRecord {
        let began = kernel.time.now
        // What it did while it was on is worth knowing, but never a reason not to put it back.
        var effect = try? await fault.effect(undo, kernel)
        let (outcome, after) = await putBack(on: kernel)
        effect?.figures += after.figures
        return RevertRecord(
            lease: lease,
            fault: fault.descriptor.name,
            target: target,
            outcome: outcome,
            effect: effect,
            seen: after.seen,
            tookMs: kernel.time.now.since(began).inMilliseconds
        )
    }

    private func putBack(on kernel: Kernel) async -> (RevertOutcome, Effect) {
        do throws(FaultError) {
            try await fault.revert(undo, kernel)
            return (.reverted, try await fault.verifyReverted(undo, kernel))
        } catch .targetGone(let text) {
            return (.gone, Effect(text))
        } catch {
            return (.leaked, Effect(error.description))
        }
    }
}
