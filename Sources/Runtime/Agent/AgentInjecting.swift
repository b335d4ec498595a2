// Planning and making faults: every target anew found to be allowed, every undo on disk before its effect.

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
    // MARK: Planning

    func plan(_ call: AgentCall.PlanCall) async throws(AgentFailure) -> PlanReply {
        let (fault, _) = try instance(of: call.spec)
        let candidates = try await candidates(for: call.spec)
        // The selector said that this is no error.
        if candidates.isEmpty { return PlanReply(candidates: 0, targets: []) }
        let chosen: [Candidate]
        do throws(ParameterProblem) {
            chosen = try call.limit.choose(from: candidates, seed: call.seed)
        } catch {
            let problem = DefinitionError(
                call.spec.fault,
                "\(call.spec.target) \(error.text)",
                at: call.spec.location
            )
            throw AgentFailure(.definition, problem.description)
        }
        try await enforcePolicy(on: call.spec, chosen.flatMap(\.parts), of: candidates)
        var planned: [PlannedTarget] = []
        var known: Set<TargetIdentity> = []
        // Two containers of a pod are one network namespace.
        for target in chosen.flatMap(\.parts) where known.insert(target.identity).inserted {
            // Whether another run holds it is said before anything is hit; it is locked when that is done.
            unlock(try lock(target, for: call.spec))
            let plan = try await plan(
                fault,
                call.spec,
                target,
                lease: Self.previewLease,
                seed: call.seed
            )
            planned.append(
                PlannedTarget(
                    target: target,
                    changes: plan.changes,
                    heldBy: plan.holder,
                    engine: plan.engine
                )
            )
        }
        return PlanReply(candidates: candidates.count, targets: planned)
    }

    /// The lease of plans that nothing follows.
    private static var previewLease: LeaseID { LeaseID("planned") }

    /// What matches now.
    func candidates(for spec: FaultSpec) async throws(AgentFailure) -> [Candidate] {
        do throws(TargetError) {
            return try await resolver.candidates(
                spec.target,
                reach: catalogue[spec.fault]?.descriptor.reach ?? .processes
            )
        } catch {
            throw AgentFailure(error, fault: spec.fault, at: spec.location)
        }
    }

    private func instance(of spec: FaultSpec) throws(AgentFailure) -> (FaultInstance, Parameters) {
        do throws(DefinitionError) {
            return try catalogue.instance(spec)
        } catch {
            throw AgentFailure(.definition, error.description)
        }
    }

    private func plan(
        _ fault: FaultInstance,
        _ spec: FaultSpec,
        _ target: Target,
        lease: LeaseID,
        seed: UInt64
    ) async throws(AgentFailure) -> FaultPlan<AnyUndo> {
        let protection: String?
        do throws(TargetError) {
            protection = try resolver.protection(of: target)
        } catch {
            throw AgentFailure(error, fault: spec.fault, at: spec.location)
        }
        if let protection {
            throw AgentFailure(
                .definition,
                "\(spec.fault): \(target) is protected: it is \(protection)"
            )
        }
        let context = PlanContext(
            lease: lease,
            protectedEndpoints: greeting?.protectedEndpoints ?? [],
            seed: seed,
            stateDirectory: store.folder,
            isPreview: lease == Self.previewLease
        )
        do throws(FaultError) {
            return try await fault.plan(target, context, kernel)
        } catch {
            throw AgentFailure(error, fault: spec.fault, at: spec.location)
        }
    }

    // MARK: Injecting

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
        let granted = try await plans(asked, targets)
        guard !isLeaving, asked.generation == generation else {
            throw AgentFailure(.injection, "\(asked.spec.fault): the run is being rolled back")
        }
        var locked: [[TargetIdentity]] = []
        do throws(AgentFailure) {
            for target in targets { locked.append(try lock(target, for: asked.spec)) }
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

    /// What would be done to each target, found for all at once.
    private func plans(
        _ asked: Injection,
        _ targets: [Target]
    ) async throws(AgentFailure) -> [GrantedLease] {
        let run = greeting?.run.suffix(6) ?? ""
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

extension FaultType {
    /// How many targets are planned and hit at once.
    ///
    /// Those of namespaces are apart from each other; what loads or limits processes must see the one before.
    fileprivate var targetsAtOnce: Int { descriptor.reach == .namespace ? 32 : 1 }
}

extension AgentFailure {
    init(_ error: JournalError) {
        self.init(error.isPermission ? .unavailable : .injection, error.description)
    }

    init(_ error: TargetError, fault: String, at location: SourceLocation?) {
        switch error {
        case .noTarget(let problem): self.init(.definition, problem.description)
        case .kernel(let error): self.init(FaultError(error), fault: fault, at: location)
        }
    }

    init(_ error: FaultError, fault: String, at location: SourceLocation?) {
        let kind: Kind =
            switch error {
            case .unavailable: .unavailable
            case .kernel(let error) where error.kind == .notPermitted || error.kind == .unsupported:
                .unavailable
            case .refused: .definition
            case .targetGone, .noEffect, .kernel: .injection
            }
        // Faults that know which capability is missing say the way out themselves.
        let isBareRefusal =
            if case .kernel(let error) = error { error.kind == .notPermitted } else { false }
        let hint = isBareRefusal ? "; run as root, or with --sudo" : ""
        self.init(kind, DefinitionError(fault, error.description + hint, at: location).description)
    }
}
