// The policy, enforced where the machine is touched: the runner may be an ordinary user's, or somebody's own.
//
// It is looked at before each plan and each injection, and again with each renewal, so that what an operator
// forbids while a run is under way ends then.

import ChaosModel
import ChaosTargets

extension Agent {
    /// The host's policy; what cannot be read forbids everything.
    func systemPolicy() throws(AgentFailure) -> Policy {
        do throws(DefinitionError) {
            return try loadPolicy()
        } catch {
            throw AgentFailure(.definition, error.description)
        }
    }

    /// Refuses a fault on these targets when the policy does.
    ///
    /// - Parameters:
    ///   - spec: The fault.
    ///   - targets: What it is going to hit.
    ///   - candidates: What matches its selector.
    /// - Throws: `AgentFailure` with the limit and where it was set.
    func enforcePolicy(
        on spec: FaultSpec,
        _ targets: [Target],
        of candidates: [Candidate]
    ) async throws(AgentFailure) {
        guard !policy.isOpen else { return }
        let held = leases.values.map(\.order.target)
        let reason: String?
        if let found = policy.refusal(ofFault: spec.fault) ?? optionRefusal(spec) {
            reason = found
        } else if let found = countRefusal(targets, of: candidates, held: held) {
            reason = found
        } else {
            reason = try await targetRefusal(targets, of: spec)
        }
        guard let reason else { return }
        throw AgentFailure(
            .definition,
            DefinitionError(spec.fault, reason, at: spec.location).description
        )
    }

    /// What the fault's own options ask for beyond the policy.
    private func optionRefusal(_ spec: FaultSpec) -> String? {
        if let most = policy.maxDurationMs, case .string(let asked)? = spec.options["duration"],
            let duration = Units.duration(asked), duration.inMilliseconds > most.value
        {
            let allowed = Duration.milliseconds(most.value).spelled
            return
                "duration is \(asked), over the policy's max_duration (\(allowed), \(most.source))"
        }
        guard let most = policy.maxTraffic, most.value < 1, spec.hasTraffic else {
            return nil
        }
        let allowed = "\(MetricUnit.share.spelled(most.value)), \(most.source)"
        guard case .string(let asked)? = spec.options["traffic"], let share = Units.share(asked)
        else { return "hits all traffic that matches, over the policy's max_traffic (\(allowed))" }
        guard share > most.value else { return nil }
        return "traffic is \(asked), over the policy's max_traffic (\(allowed))"
    }

    /// What would be too much at once.
    private func countRefusal(
        _ targets: [Target],
        of candidates: [Candidate],
        held: [Target]
    ) -> String? {
        let faults = Set(leases.values.map(\.call)).count + 1
        if let most = policy.maxFaults, Double(faults) > most.value {
            return "would be fault \(faults) at once, over the policy's max_faults "
                + "(\(ParameterValue.shortest(most.value)), \(most.source))"
        }
        let hit = Set((targets + held).map(\.unit))
        if let most = policy.maxTargets, Double(hit.count) > most.value {
            return "would hit \(hit.count) targets at once, over the policy's max_targets "
                + "(\(ParameterValue.shortest(most.value)), \(most.source))"
        }
        let matching = Set(candidates.flatMap(\.parts).map(\.unit))
        let share = hit.intersection(matching).count
        guard let most = policy.maxTargetShare, targets.first?.kind != .host else { return nil }
        let allowed = Int(most.value * Double(matching.count) + 1e-9)
        guard share > allowed else { return nil }
        return "would hit \(share) of \(matching.count) matching targets, over the policy's "
            + "max_target_share (\(MetricUnit.share.spelled(most.value)), which is \(allowed); \(most.source))"
    }

    private func targetRefusal(
        _ targets: [Target],
        of spec: FaultSpec
    ) async throws(AgentFailure) -> String? {
        guard !policy.forbiddenTargets.isEmpty else { return nil }
        do throws(TargetError) {
            let forbidden = try await ForbiddenTargets(policy.forbiddenTargets, on: kernel)
            let reach = catalogue[spec.fault]?.descriptor.reach ?? .processes
            for target in targets {
                if let reason = try forbidden.reason(for: target, reach) { return reason }
            }
            return nil
        } catch {
            throw AgentFailure(error, fault: spec.fault, at: spec.location)
        }
    }

    // MARK: While faults are on

    /// Reads the host's policy again; puts everything back when it does not allow what is held.
    func reviewPolicy() async {
        guard !isLeaving, !isReviewing, greeting != nil, !leases.isEmpty else { return }
        isReviewing = true
        defer { isReviewing = false }
        guard let reason = await violation(), !isLeaving else { return }
        isLeaving = true
        emit(.violated(reason: reason, await revert([])))
        closeJournal()
    }

    /// Why what is held may not be any more; nil when it may.
    private func violation() async -> String? {
        let before = policy
        do throws(AgentFailure) {
            policy = try systemPolicy().and(greeting?.policy ?? Policy())
        } catch {
            return error.message
        }
        guard policy != before else { return nil }
        let held = leases.values
        for (call, spec) in calls {
            let own = held.filter { $0.call == call }.map(\.order.target)
            if own.isEmpty { continue }
            if let reason = policy.refusal(ofFault: spec.fault) ?? optionRefusal(spec) {
                return "\(spec.fault): \(reason)"
            }
            // Who cannot be told apart any more is not left hit.
            do throws(AgentFailure) {
                if let reason = try await targetRefusal(own, of: spec) {
                    return "\(spec.fault): \(reason)"
                }
            } catch {
                return error.message
            }
        }
        let units = Set(held.map(\.order.target.unit)).count
        if let most = policy.maxTargets, Double(units) > most.value {
            return "\(units) targets are hit, over the policy's max_targets (\(most.source))"
        }
        let faults = Set(held.map(\.call)).count
        if let most = policy.maxFaults, Double(faults) > most.value {
            return "\(faults) faults are on, over the policy's max_faults (\(most.source))"
        }
        return nil
    }
}
