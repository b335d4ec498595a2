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
        var planned: [PlannedTarget] = []
        var known: Set<TargetIdentity> = []
        // Two containers of a pod are one network namespace.
        for target in chosen.flatMap(\.parts) where known.insert(target.identity).inserted {
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
    ) async throws(AgentFailure) -> FaultPlan<ParameterValue> {
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
        let injection = Injection(
            fault: fault,
            type: type,
            spec: call.spec,
            seed: call.seed,
            generation: generation
        )
        let deadline = min(
            parameters[FaultDescriptor.duration] ?? .seconds(call.deadlineMs / 1000),
            .seconds(call.deadlineMs / 1000)
        )
        var made: [LeaseRecord] = []
        for target in call.targets {
            do throws(AgentFailure) {
                let lease = try await grant(injection, target)
                made.append(try await result(of: lease, spec: call.spec, deadline: deadline))
            } catch {
                throw await undoPartial(made.map(\.lease), after: error)
            }
        }
        await startRepeating(fault, call.spec, seed: call.seed, leases: made)
        // Only now, so that no target waits for the measuring of another.
        for lease in made { startFollowing(lease.lease, fault) }
        return made
    }

    /// Writes the undo down and starts to make the fault.
    private func grant(_ asked: Injection, _ target: Target) async throws(AgentFailure) -> LeaseID {
        let (fault, spec) = (asked.fault, asked.spec)
        serial += 1
        let lease = LeaseID("\(greeting?.run.suffix(6) ?? "")\(serial)")
        let plan = try await plan(fault, spec, target, lease: lease, seed: asked.seed)
        guard !isLeaving, asked.generation == generation else {
            throw AgentFailure(.injection, "\(spec.fault): the run is being rolled back")
        }
        do throws(JournalError) {
            try openJournal().grant(lease, fault: asked.type.descriptor, target: target, plan: plan)
        } catch {
            throw AgentFailure(error)
        }
        let kernel = kernel
        let injection = Task { () -> InjectionResult in
            do throws(FaultError) {
                try await fault.inject(plan.undo, kernel)
                let effect = try await fault.verify(plan.undo, kernel)
                return .success(
                    LeaseRecord(
                        lease: lease,
                        target: target,
                        heldBy: plan.holder,
                        engine: plan.engine,
                        effect: effect
                    )
                )
            } catch {
                return .failure(error)
            }
        }
        let revert = RevertOrder(lease: lease, fault: asked.type, target: target, undo: plan.undo)
        leases[lease] = Lease(order: revert, injection: injection, spec: spec)
        order.append(lease)
        return lease
    }

    /// Waits until a fault is made, and starts the clock of its lease.
    private func result(
        of lease: LeaseID,
        spec: FaultSpec,
        deadline: Duration
    ) async throws(AgentFailure) -> LeaseRecord {
        guard let injection = leases[lease]?.injection else {
            throw AgentFailure(.injection, "\(spec.fault): reverted while it was being made")
        }
        let result = await injection.value
        leases[lease]?.isSettled = true
        switch result {
        case .success(let record):
            guard leases[lease] != nil, leases[lease]?.revert == nil else {
                throw AgentFailure(.injection, "\(spec.fault): reverted while it was being made")
            }
            do throws(JournalError) {
                try openJournal().injected(lease, seen: record.effect.seen)
            } catch {
                throw await undoPartial([lease], after: AgentFailure(error))
            }
            startTimer(of: lease, after: deadline)
            startWatches(of: lease, for: deadline)
            return record
        case .failure(let error):
            let failure = AgentFailure(error, fault: spec.fault, at: spec.location)
            throw await undoPartial([lease], after: failure)
        }
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
