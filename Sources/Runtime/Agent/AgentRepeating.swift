// Faults that are made again and again while they are on, such as a kill of whatever a supervisor brings back.
//
// Each time the selector is resolved anew, by the same rules as before the run, and no more is hit at once than the
// injection hit.

import ChaosModel

/// What one injection does again and again, and what came of it.
struct Repetition: Sendable {
    /// Everything that matched so far: what is not in it has come since.
    var known: Set<Target>
    /// How often each lease's share was done, the first time included.
    var done: [LeaseID: Int]
    /// How many came new, by lease.
    var came: [LeaseID: Int] = [:]
    /// The latest reason why it could not be done.
    var problem: String?

    /// What to add to the effect of a lease.
    func figures(of lease: LeaseID) -> [Figure] {
        [
            Figure("times", Double(done[lease] ?? 0)),
            Figure("restarts", Double(came[lease] ?? 0)),
        ]
    }
}

extension Agent {
    /// Begins to make a fault again at its interval, until its leases are put back.
    ///
    /// What matched before it was first made did not come since.
    func startRepeating(
        _ fault: FaultInstance,
        _ spec: FaultSpec,
        seed: UInt64,
        leases made: [LeaseRecord],
        after before: [Target]
    ) {
        guard let interval = fault.every, let first = made.first?.lease else { return }
        let known = Set(before + made.map(\.target))
        let ids = made.map(\.lease)
        repetitions[first] = Repetition(
            known: known,
            done: Dictionary(uniqueKeysWithValues: ids.map { ($0, 1) })
        )
        let time = clock
        let task = Task { [weak self] in
            var round: UInt64 = 0
            while (try? await time.sleep(for: interval)) != nil, !Task.isCancelled {
                round += 1
                guard await self?.again(fault, spec, seed: seed &+ round, ids) == true else {
                    return
                }
            }
        }
        for id in ids {
            leases[id]?.repetition = first
            leases[id]?.watches.append(task)
        }
    }

    /// One round; false when no lease of it is left.
    private func again(
        _ fault: FaultInstance,
        _ spec: FaultSpec,
        seed: UInt64,
        _ ids: [LeaseID]
    ) async -> Bool {
        let open = ids.filter { leases[$0] != nil && leases[$0]?.revert == nil }
        guard let first = ids.first, !open.isEmpty, !isLeaving else { return false }
        let found = await noteNew(spec, first, open)
        let limit = SelectionLimit(count: min(open.count, found.count))
        // Nothing to hit: whoever brings it back has not done so yet.
        guard let chosen = try? limit.choose(from: found, seed: seed) else { return true }
        for (id, target) in zip(open, chosen) {
            do throws(FaultError) {
                guard try await fault.again(target, kernel) else { continue }
                repetitions[first]?.done[id, default: 0] += 1
            } catch {
                repetitions[first]?.problem = error.description
            }
        }
        return true
    }

    /// Looks at what matches now, and counts what was not there before.
    @discardableResult
    private func noteNew(_ spec: FaultSpec, _ first: LeaseID, _ ids: [LeaseID]) async -> [Target] {
        let found = await seen(spec)
        let new = found.filter { repetitions[first]?.known.contains($0) == false }
        for (index, target) in new.enumerated() {
            repetitions[first]?.known.insert(target)
            let id = ids[index % ids.count]
            repetitions[first]?.came[id, default: 0] += 1
        }
        return found
    }

    /// What a lease that is about to be put back adds to its effect.
    func endRepeating(_ lease: Lease) async -> (figures: [Figure], problem: String?) {
        let id = lease.order.lease
        guard let first = leases[id]?.repetition, let spec = leases[id]?.spec else {
            return ([], nil)
        }
        await noteNew(spec, first, [id])
        guard let repetition = repetitions[first] else { return ([], nil) }
        return (repetition.figures(of: id), repetition.problem)
    }

    /// What a spec may hit now; nothing when nothing matches or the machine cannot be asked.
    func seen(_ spec: FaultSpec) async -> [Target] {
        var known: Set<TargetIdentity> = []
        let found = (try? await candidates(for: spec)) ?? []
        return found.flatMap(\.parts).filter { known.insert($0.identity).inserted }
    }
}
