// Making faults: every target anew found to be allowed, every undo on disk before its effect.

import ChaosModel
import ChaosTargets

/// One order to make a fault, on its way through its targets.
private struct Injection {
    var fault: FaultInstance
    var type: FaultType
    var spec: FaultSpec
    var seed: UInt64
    /// The agent's generation when the order came.
    var generation: Int
    /// The number of the order.
    var call: Int
}

extension Agent {
    func inject(_ call: AgentCall.InjectCall) async throws(AgentFailure) -> [LeaseRecord] {
        guard greeting != nil, !isLeaving else {
            throw AgentFailure(
                .protocol,
                "the agent takes no faults: it was not greeted, or is leaving"
            )
        }
        let (fault, parameters) = try instance(of: call.spec)
        guard let type = catalogue[call.spec.fault] else {
            throw AgentFailure(.protocol, "unknown fault \(call.spec.fault)")
        }
        callNumber += 1
        let injection = Injection(
            fault: fault,
            type: type,
            spec: call.spec,
            seed: call.seed,
            generation: generation,
            call: callNumber
        )
        let longest = min(call.deadlineMs, policy.maxDurationMs?.value ?? .infinity)
        let deadline = min(
            parameters[FaultDescriptor.duration] ?? .seconds(longest / 1000),
            .seconds(longest / 1000)
        )
        try await admit(call)
        let before = fault.every == nil ? [] : await seen(call.spec)
        calls[injection.call] = call.spec
        var granted: [LeaseID] = []
        var made: [LeaseRecord] = []
        do throws(AgentFailure) {
            var left = call.targets[...]
            while !left.isEmpty {
                let leases = try await grant(injection, Array(left.prefix(type.targetsAtOnce)))
                left = left.dropFirst(type.targetsAtOnce)
                granted += leases
                made += try await results(of: leases, spec: call.spec, deadline: deadline)
            }
        } catch {
            throw await undoPartial(granted, after: error)
        }
        // Only now, so that no target waits for the measuring of another.
        for lease in made { startFollowing(lease.lease, fault) }
        startRepeating(fault, call.spec, seed: call.seed, leases: made, after: before)
        return made
    }

    /// Refuses targets that the selector does not match now, and what the policy does not allow: the runner's
    /// word is not enough for either.
    private func admit(_ call: AgentCall.InjectCall) async throws(AgentFailure) {
        let candidates = try await candidates(for: call.spec)
        let matching = Set(candidates.flatMap(\.parts).map(\.identity))
        for target in call.targets where !matching.contains(target.identity) {
            throw AgentFailure(
                .injection,
                "\(call.spec.fault): \(target) is not there any more, or not what \(call.spec.target) matches"
            )
        }
        try await enforcePolicy(on: call.spec, call.targets, of: candidates)
    }

    /// Writes the undos down, all in one step, and starts to make the fault.
    private func grant(
        _ asked: Injection,
        _ targets: [Target]
    ) async throws(AgentFailure) -> [LeaseID] {
        if asked.type.descriptor.isExclusive { await exclusivesPutBack() }
        let granted = try await plans(asked, targets)
        guard !isLeaving, asked.generation == generation else {
            throw AgentFailure(.injection, "\(asked.spec.fault): the run is being rolled back")
        }
        var locked: [[TargetIdentity]] = []
        do throws(AgentFailure) {
            for grant in granted {
                locked.append(try lock(grant.target, for: asked.spec))
                try requireUnchanged(grant, locked.last ?? [], asked)
            }
            do throws(JournalError) {
                try openJournal().grant(granted, fault: asked.type.descriptor)
            } catch {
                throw AgentFailure(error)
            }
        } catch {
            for identities in locked { unlock(identities) }
            throw error
        }
        CrashPoint.granted.reached()
        for (grant, locked) in zip(granted, locked) { start(asked, grant, locked) }
        return granted.map(\.lease)
    }

    /// Waits for what is being put back, so that no plan takes a value for the former one that is about to change.
    private func exclusivesPutBack() async {
        let reverts = leases.values.filter { $0.order.fault.descriptor.isExclusive }
            .compactMap(\.revert)
        for revert in reverts { _ = await revert.value }
    }

    /// Refuses to change a value that another `inject` of this run has changed and not put back yet.
    private func requireUnchanged(
        _ granted: GrantedLease,
        _ locked: [TargetIdentity],
        _ asked: Injection
    ) throws(AgentFailure) {
        let fault = asked.type.descriptor
        guard fault.isExclusive, granted.plan.holder == .journal else { return }
        let value = locked.exclusiveValue(of: fault)
        let other = leases.values.first { lease in
            lease.call != asked.call && lease.holder == .journal
                && lease.order.fault.descriptor.name == fault.name
                && lease.locked.exclusiveValue(of: fault) == value
        }
        guard let other else { return }
        let whose = fault.changesGroup == nil ? "" : "the control group of "
        let problem =
            "\(whose)\(granted.target) is changed by lease \(other.order.lease) of this run already: "
            + "roll that back first"
        let error = DefinitionError(fault.name, problem, at: asked.spec.location)
        throw AgentFailure(.definition, error.description)
    }

    /// What would be done to each target, found for all at once.
    private func plans(
        _ asked: Injection,
        _ targets: [Target]
    ) async throws(AgentFailure) -> [GrantedLease] {
        let run = LeaseID.stem(of: greeting?.run ?? "")
        let numbered = targets.map { target in
            serial += 1
            return (lease: LeaseID("\(run)\(serial)"), target: target)
        }
        typealias Outcome = Result<GrantedLease, AgentFailure>
        let outcomes = await withTaskGroup(of: (Int, Outcome).self) { group in
            for (index, (lease, target)) in numbered.enumerated() {
                group.addTask {
                    do throws(AgentFailure) {
                        let plan = try await self.plan(
                            asked.fault,
                            asked.spec,
                            target,
                            lease: lease,
                            seed: asked.seed
                        )
                        return (
                            index, .success(GrantedLease(lease: lease, target: target, plan: plan))
                        )
                    } catch {
                        return (index, .failure(error))
                    }
                }
            }
            var outcomes: [(Int, Outcome)] = []
            for await outcome in group { outcomes.append(outcome) }
            return outcomes
        }
        // Of several failures the first target's is told, whichever came first.
        var granted: [GrantedLease] = []
        for (_, outcome) in outcomes.sorted(by: { $0.0 < $1.0 }) {
            granted.append(try outcome.get())
        }
        return granted
    }

    private func start(_ asked: Injection, _ granted: GrantedLease, _ locked: [TargetIdentity]) {
        let (kernel, fault, plan) = (kernel, asked.fault, granted.plan)
        let injection = Task { () -> InjectionResult in
            do throws(FaultError) {
                CrashPoint.injecting.reached()
                try await fault.inject(plan.undo, kernel)
                CrashPoint.injected.reached()
                let effect = try await fault.verify(plan.undo, kernel)
                CrashPoint.verified.reached()
                return .success(
                    LeaseRecord(
                        lease: granted.lease,
                        target: granted.target,
                        heldBy: plan.holder,
                        engine: plan.engine,
                        effect: effect
                    )
                )
            } catch {
                return .failure(error)
            }
        }
        let revert = RevertOrder(
            lease: granted.lease,
            fault: asked.type,
            target: granted.target,
            undo: plan.undo
        )
        leases[granted.lease] = Lease(
            order: revert,
            injection: injection,
            call: asked.call,
            locked: locked,
            holder: plan.holder,
            spec: asked.spec
        )
        order.append(granted.lease)
    }

    /// Waits until the faults are made, and starts the clocks of their leases.
    private func results(
        of granted: [LeaseID],
        spec: FaultSpec,
        deadline: Duration
    ) async throws(AgentFailure) -> [LeaseRecord] {
        var made: [LeaseRecord] = []
        var failure: AgentFailure?
        for lease in granted {
            let result = await leases[lease]?.injection.value
            leases[lease]?.isSettled = true
            switch result {
            case .success(let record) where leases[lease]?.revert == nil && leases[lease] != nil:
                made.append(record)
            case .failure(let error):
                failure = failure ?? AgentFailure(error, fault: spec.fault, at: spec.location)
            case .success, nil:
                failure =
                    failure
                    ?? AgentFailure(
                        .injection,
                        "\(spec.fault): reverted while it was being made"
                    )
            }
        }
        if let failure { throw failure }
        do throws(JournalError) {
            try openJournal().injected(made)
        } catch {
            throw AgentFailure(error)
        }
        CrashPoint.written.reached()
        for lease in granted {
            startTimer(of: lease, after: deadline)
            startWatches(of: lease, for: deadline)
        }
        return made
    }

    func undoPartial(_ made: [LeaseID], after failure: AgentFailure) async -> AgentFailure {
        let records = await revert(made, onlyThese: true)
        let leaked = records.filter { $0.outcome == .leaked }
        guard let first = leaked.first else { return failure }
        return AgentFailure(
            .leaked,
            "\(failure.message); and it could not be put back: \(first.seen)"
        )
    }
}

extension [TargetIdentity] {
    /// Whose value an exclusive fault changes: the group's, or else the target's own.
    fileprivate func exclusiveValue(of fault: FaultDescriptor) -> TargetIdentity? {
        first { identity in
            switch identity {
            case .controlGroup: fault.changesGroup != nil
            case .process: fault.changesGroup == nil
            default: false
            }
        }
    }
}

extension FaultType {
    /// How many targets are planned and hit at once.
    ///
    /// Those of namespaces are apart from each other; what loads or limits processes must see the one before.
    fileprivate var targetsAtOnce: Int { descriptor.reach == .namespace ? 32 : 1 }
}
