// Putting leases back: asked for, at their deadline, or because renewals stopped.

import ChaosModel

extension Agent {
    // MARK: Reverting

    /// Puts back these leases, newest first; an empty list means all.
    ///
    /// None waits until another is read back: that may take the time in which a supervisor starts a process.
    func revert(_ asked: [LeaseID], onlyThese: Bool = false) async -> [RevertRecord] {
        let isAll = asked.isEmpty && !onlyThese
        if isAll { generation += 1 }
        let wanted = isAll ? Set(leases.keys) : Set(asked)
        let newestFirst = order.reversed().filter(wanted.contains)
        let settled = newestFirst.filter { leases[$0]?.isSettled == true }
        let beingMade = newestFirst.filter { leases[$0]?.isSettled != true }
        let orders = leases.mapValues(\.order)
        var tasks: [Task<RevertRecord, Never>] = []
        for lease in settled + beingMade {
            guard let task = revertTask(of: lease) else { continue }
            tasks.append(task)
            _ = await leases[lease]?.putBack?.value
        }
        var records: [RevertRecord] = []
        for task in tasks { records.append(await task.value) }
        return await measured(records, orders)
    }

    /// The records with what is measured after; only now, so that no fault waits for the measuring of another.
    private func measured(
        _ records: [RevertRecord],
        _ orders: [LeaseID: RevertOrder]
    ) async -> [RevertRecord] {
        let kernel = kernel
        return await withTaskGroup(of: (Int, RevertRecord).self) { group in
            var measured = records
            for (index, record) in records.enumerated() {
                if index >= Self.measuredAtOnce, let done = await group.next() {
                    measured[done.0] = done.1
                }
                guard let order = orders[record.lease] else { continue }
                group.addTask { (index, await order.measured(record, on: kernel)) }
            }
            for await (index, record) in group { measured[index] = record }
            return measured
        }
    }

    private static let measuredAtOnce = 64

    /// The task that puts a lease back, started once.
    private func revertTask(of id: LeaseID) -> Task<RevertRecord, Never>? {
        guard let lease = leases[id] else { return nil }
        if let running = lease.revert { return running }
        let putBack = Task { await self.putBack(lease) }
        let task = Task { await self.readBack(lease, await putBack.value) }
        leases[id]?.putBack = putBack
        leases[id]?.revert = task
        return task
    }

    private func putBack(_ lease: Lease) async -> HalfRevert {
        if !lease.isSettled { _ = await lease.injection.value }
        lease.timer?.cancel()
        let current = leases[lease.order.lease] ?? lease
        for watch in current.watches { watch.cancel() }
        // Not waited for: it may be asking a name server that does not answer.
        current.following?.cancel()
        let repeated = await endRepeating(current)
        CrashPoint.reverting.reached()
        var half = await current.order.putBack(on: kernel)
        CrashPoint.putBack.reached()
        half.effect?.figures += repeated.figures
        if let problem = repeated.problem { half.effect?.seen += "; once it failed: \(problem)" }
        return half
    }

    private func readBack(_ lease: Lease, _ half: HalfRevert) async -> RevertRecord {
        let current = leases[lease.order.lease] ?? lease
        let record = await current.order.readBack(half, on: kernel)
        CrashPoint.readBack.reached()
        // The fault is back whether or not that can be written down; the next recovery would find the same.
        try? journal?.reverted(record.lease, outcome: record.outcome, seen: record.seen)
        CrashPoint.reverted.reached()
        if record.outcome == .leaked {
            leases[record.lease]?.revert = nil
            leases[record.lease]?.putBack = nil
        } else {
            unlock(lease.locked)
            leases[record.lease] = nil
            order.removeAll { $0 == record.lease }
        }
        return record
    }

    // MARK: Clocks

    /// Reverts everything when the runner has been silent for a term.
    func startWatchdog(term: Duration) {
        watchdog?.cancel()
        let time = clock
        watchdog = Task { [weak self] in
            while let due = await self?.renewedAt.advanced(by: term) {
                if time.now >= due { break }
                guard (try? await time.sleep(until: due)) != nil else { return }
            }
            await self?.renewalsStopped()
        }
    }

    private func renewalsStopped() async {
        isLeaving = true
        emit(.orphaned(await revert([])))
        closeJournal()
    }

    /// Tells when the process of a lease, or what carries its fault, ends while the fault is on; a process that is
    /// meant to end is not watched.
    func startWatches(of lease: LeaseID, for span: Duration) {
        guard let order = leases[lease]?.order else { return }
        let kernel = kernel
        let carrier = Task { [weak self] in
            guard let seen = await order.fault.endedEarly(order.undo, kernel) else { return }
            await self?.tell(.endedEarly(lease, seen), of: lease)
        }
        leases[lease]?.watches = [carrier]
        guard case .process(_, let process, _) = order.target,
            order.fault.descriptor.holder != .nothing
        else { return }
        let target = Task { [weak self] in
            guard (try? await kernel.processes.ended(process, within: span)) == true,
                !Task.isCancelled
            else { return }
            let seen = "\(order.target) ended while the fault was on"
            await self?.tell(.targetGone(lease, seen), of: lease)
        }
        leases[lease]?.watches.append(target)
    }

    /// Looks after a fault while it is on, as often as it asks for.
    func startFollowing(_ lease: LeaseID, _ fault: FaultInstance) {
        guard let order = leases[lease]?.order else { return }
        let (kernel, time) = (kernel, clock)
        leases[lease]?.following = Task { [weak self] in
            var undo = order.undo
            while !Task.isCancelled {
                do throws(FaultError) {
                    guard let next = try await fault.followUp(undo, kernel) else { return }
                    undo = next.undo
                    guard await self?.followed(lease, next) == true, let again = next.again else {
                        return
                    }
                    if again > .zero, (try? await time.sleep(for: again)) == nil { return }
                } catch {
                    let seen = "\(order.fault.descriptor.name) is no longer looked after: \(error)"
                    await self?.tell(.noted(lease, seen), of: lease)
                    return
                }
            }
        }
    }

    /// Keeps what a follow-up found; false when the lease is over or about to be.
    private func followed(_ lease: LeaseID, _ next: FollowUp<AnyUndo>) -> Bool {
        guard leases[lease] != nil, leases[lease]?.revert == nil else { return false }
        leases[lease]?.order.undo = next.undo
        if let seen = next.seen { emit(.noted(lease, seen)) }
        return true
    }

    private func tell(_ event: AgentEvent, of lease: LeaseID) {
        guard leases[lease] != nil, leases[lease]?.revert == nil else { return }
        emit(event)
    }

    func startTimer(of lease: LeaseID, after span: Duration) {
        let time = clock
        leases[lease]?.timer = Task { [weak self] in
            guard (try? await time.sleep(for: span)) != nil else { return }
            await self?.expire(lease)
        }
    }

    private func expire(_ lease: LeaseID) async {
        guard let order = leases[lease]?.order, leases[lease]?.revert == nil,
            let task = revertTask(of: lease)
        else { return }
        emit(.expired(await order.measured(await task.value, on: kernel)))
    }
}
