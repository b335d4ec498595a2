// The one way a fault is put back: by the agent that made it, by recovery, and by the boot-time unit.

import ChaosModel

/// What is needed to put one fault back.
struct RevertOrder: Sendable {
    var lease: LeaseID
    var fault: FaultType
    var target: Target
    var undo: AnyUndo

    /// Measures, puts back and measures again; never throws, since the record says how it ended.
    func carryOut(on kernel: Kernel) async -> RevertRecord {
        await readBack(await putBack(on: kernel), on: kernel)
    }

    /// The first half: measures and puts back.
    func putBack(on kernel: Kernel) async -> HalfRevert {
        let began = kernel.time.now
        // What it did while it was on is worth knowing, but never a reason not to put it back.
        let effect = try? await fault.effect(undo, kernel)
        do throws(FaultError) {
            try await fault.revert(undo, kernel)
            return HalfRevert(began: began, effect: effect)
        } catch {
            return HalfRevert(began: began, effect: effect, failure: error)
        }
    }

    /// The second half: reads back that it is back.
    func readBack(_ half: HalfRevert, on kernel: Kernel) async -> RevertRecord {
        let (outcome, seen) = await answer(half, on: kernel)
        return RevertRecord(
            lease: lease,
            fault: fault.descriptor.name,
            target: target,
            outcome: outcome,
            effect: half.effect,
            seen: seen,
            tookMs: kernel.time.now.since(half.began).inMilliseconds
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

    private func answer(_ half: HalfRevert, on kernel: Kernel) async -> (RevertOutcome, String) {
        do throws(FaultError) {
            if let failure = half.failure { throw failure }
            return (.reverted, try await fault.verifyReverted(undo, kernel).seen)
        } catch .targetGone(let text) {
            return (.gone, text)
        } catch {
            return (.leaked, error.description)
        }
    }
}

/// A fault that was put back, as far as is known before it is read back.
struct HalfRevert: Sendable {
    var began: Instant
    var effect: Effect?
    var failure: FaultError?
}
