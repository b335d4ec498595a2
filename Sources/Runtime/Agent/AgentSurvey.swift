// How much is really hit: the selectors of the faults in force, resolved again, and what the kernel or a proxy counted of
// their traffic. Targets that were left alone may have ended since, and then the same faults hit a larger share.

import ChaosModel
import ChaosTargets

extension Agent {
    /// One record for each `inject` in force whose selector can be resolved now.
    func survey() async -> [RadiusRecord] {
        var records: [RadiusRecord] = []
        for (call, spec) in calls.sorted(by: { $0.key < $1.key }) {
            let own = leases.filter { $0.value.call == call && $0.value.revert == nil }
            guard !own.isEmpty,
                // Nothing that matches is nothing that could be hit too much.
                let candidates = try? await candidates(for: spec)
            else { continue }
            let matching = Set(candidates.flatMap(\.parts).map(\.unit))
            let hit = Set(leases.values.map(\.order.target.unit)).intersection(matching)
            records.append(
                RadiusRecord(
                    leases: own.keys.sorted(),
                    candidates: matching.count,
                    hit: hit.count,
                    traffic: await traffic(of: own.values.map(\.order), spec)
                )
            )
        }
        return records
    }

    /// How much of its traffic a fault has hit on all of its targets together; nil when it means all of it.
    private func traffic(of orders: [RevertOrder], _ spec: FaultSpec) async -> TrafficShare? {
        guard spec.declaredTraffic != nil else { return nil }
        var sum: TrafficShare?
        for order in orders {
            // One that is put back meanwhile has nothing to count any more.
            guard let share = try? await order.fault.effect(order.undo, kernel).traffic else {
                continue
            }
            sum = sum.map { $0 + share } ?? share
        }
        return sum
    }

    // MARK: Locks

    /// What a fault on a target locks: the target, its group, and the namespace or the control group that it changes.
    private func identities(
        of target: Target,
        for spec: FaultSpec
    ) throws(KernelError) -> [TargetIdentity] {
        var found = Set([target.identity, target.unit])
        let descriptor = catalogue[spec.fault]?.descriptor
        if let controller = descriptor?.changesGroup, case .process(_, let process, _) = target {
            do throws(KernelError) {
                let group = try kernel.groups.group(of: process, for: controller)
                found.insert(.controlGroup(path: "\(controller.rawValue)\(group.path)"))
            } catch  where error.kind == .unsupported || error.kind == .gone {
                // The plan says so, better than a lock can.
            }
        }
        if descriptor?.reach == .namespace {
            switch target {
            case .host: found.insert(.namespace(inode: try kernel.network.ownNamespace().inode))
            case .process(_, let process, _):
                found.insert(.namespace(inode: try kernel.network.namespace(of: process).inode))
            case .netns: break
            }
        }
        return found.sorted { $0.description < $1.description }
    }

    /// Locks a target for this run, or says which run holds it.
    func lock(_ target: Target, for spec: FaultSpec) throws(AgentFailure) -> [TargetIdentity] {
        var taken: [TargetIdentity] = []
        var holder: String?
        do throws(KernelError) {
            for identity in try identities(of: target, for: spec) where holder == nil {
                holder = try locks.take(identity, for: greeting?.run ?? "?")
                if holder == nil { taken.append(identity) }
            }
        } catch {
            unlock(taken)
            throw AgentFailure(FaultError(error), fault: spec.fault, at: spec.location)
        }
        guard let holder else { return taken }
        unlock(taken)
        let problem = "\(target) is held by \(holder): two runs never hit one target at once"
        let error = DefinitionError(spec.fault, problem, at: spec.location)
        throw AgentFailure(.definition, error.description)
    }

    func unlock(_ identities: [TargetIdentity]) {
        for identity in identities { locks.release(identity) }
    }
}
