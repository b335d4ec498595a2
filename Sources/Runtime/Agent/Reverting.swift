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
        let effect = try? await fault.effect(undo, kernel)
        let (outcome, seen) = await putBack(on: kernel)
        return RevertRecord(
            lease: lease,
            fault: fault.descriptor.name,
            target: target,
            outcome: outcome,
            effect: effect,
            seen: seen,
            tookMs: kernel.time.now.since(began).inMilliseconds
        )
    }

    /// The record with what could be measured once all else was put back too.
    func measured(_ record: RevertRecord, on kernel: Kernel) async -> RevertRecord {
        guard record.outcome == .reverted, let after = await fault.measureAfter(undo, kernel) else {
            return record
        }
        var record = record
        record.seen += "; \(after.seen)"
        record.effect?.figures += after.figures
        return record
    }

    private func putBack(on kernel: Kernel) async -> (RevertOutcome, String) {
        do throws(FaultError) {
            try await fault.revert(undo, kernel)
            return (.reverted, try await fault.verifyReverted(undo, kernel).seen)
        } catch .targetGone(let text) {
            return (.gone, text)
        } catch {
            return (.leaked, error.description)
        }
    }
}
