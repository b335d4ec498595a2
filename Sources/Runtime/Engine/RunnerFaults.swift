// The runner's dealings with the agent: plan, injection, rollback, and what to do when the agent dies.

import ChaosModel

extension Runner {
    // MARK: Planning

    /// Asks the agent what everything in the rehearsal would do; returns why the run cannot begin, or nil.
    func makePlan() async -> StopReason? {
        if let problem = surroundings.policyProblem { return .definition(problem) }
        if let error = rehearsal.error { return .definition(error.description) }
        for note in rehearsal.notes { emit(.warning, note) }
        do throws(DefinitionError) {
            try prepareSources()
        } catch {
            return .definition(error.description)
        }
        if !record.metrics.isEmpty, let problem = await readLags() {
            return .definition(problem.description)
        }
        if let problem = shadowProblem { return .definition(problem.description) }
        if !rehearsal.faults.isEmpty {
            do throws(ControlError) {
                // The policy that the agent tells of narrows what follows.
                _ = try await withAgent { client throws(AgentFailure) in client }
            } catch {
                return Self.stopReason(for: error)
            }
        }
        for line in record.policy { emit(.plan, "policy: \(line)") }
        for spec in rehearsal.faults {
            if let absence = shadowAbsence(of: spec) {
                emit(.plan, absence)
                continue
            }
            do throws(ControlError) {
                let spec = try narrowed(spec)
                let plan = try await plan(spec, seed: record.seed(for: spec), alreadyHit: [])
                plannedUnits[spec] = plan.units.count
                tell(plan, of: spec)
            } catch {
                return Self.stopReason(for: error)
            }
        }
        record.setOutcome("planned")
        return nil
    }

    private func tell(_ plan: PlanReply, of spec: FaultSpec) {
        guard !plan.targets.isEmpty else {
            return emit(.plan, "\(spec.fault): \(Self.absence(of: spec))")
        }
        let share = "\(plan.units.count) of \(plan.candidates) matching"
        emit(.plan, "\(spec.fault): \(share)\(spec.location.map { " (\($0))" } ?? "")")
        for target in plan.targets {
            for change in target.changes {
                emit(.plan, "  \(change); held by \(target.heldBy.rawValue)")
            }
        }
    }

    func narrowed(_ spec: FaultSpec) throws(ControlError) -> FaultSpec {
        try ControlError.definition { () throws(DefinitionError) in
            shadowed(
                try gate.narrow(spec, descriptor: surroundings.faults[spec.fault]?.descriptor)
            )
        }
    }

    /// A plan that has passed the gate.
    func plan(
        _ spec: FaultSpec,
        seed: UInt64,
        alreadyHit: Set<TargetIdentity>
    ) async throws(ControlError) -> PlanReply {
        let limit = try ControlError.definition { () throws(DefinitionError) in
            _ = try gate.deadline(for: spec)
            return try gate.limit(for: spec)
        }
        let call = AgentCall.PlanCall(spec: spec, limit: limit, seed: seed)
        let plan = try await withAgent { client throws(AgentFailure) in try await client.plan(call)
        }
        try ControlError.definition { () throws(DefinitionError) in
            try gate.admit(plan, of: spec, alreadyHit: alreadyHit)
        }
        return plan
    }

    private static func stopReason(for error: ControlError) -> StopReason {
        switch error {
        case .stopped(let reason): .scriptAbort(reason)
        case .definition(let error): .definition(error.description)
        case .failed(let failure): StopReason(failure)
        }
    }

    // MARK: Injecting

    /// Makes a fault, once the baseline is known to be healthy.
    func injectNow(_ asked: FaultSpec) async throws(ControlError) -> FaultHandle {
        try await awaitBaseline()
        let spec = try narrowed(asked)
        let number = record.injections.count + 1
        if let absence = shadowAbsence(of: asked) {
            return noteNothing(asked, number: number, absence)
        }
        let hit = Set(record.openLeases.map(\.target.unit))
        let seed = record.seed(for: spec)
        let plan = try await plan(spec, seed: seed, alreadyHit: hit)
        try checkRunning()
        try checkGrowth(plan, of: spec)
        try await readBefore(plan)
        try checkRunning()
        guard !plan.targets.isEmpty else { return noteAbsent(spec, number: number) }
        handle(.injectionBegan)
        let deadline = try ControlError.definition { () throws(DefinitionError) in
            try gate.deadline(for: spec)
        }
        let call = AgentCall.InjectCall(
            spec: spec,
            targets: plan.targets.map(\.target),
            deadlineMs: deadline.inMilliseconds,
            seed: seed
        )
        beginDuring()
        let leases: [LeaseRecord]
        do throws(ControlError) {
            leases = try await withAgent { client throws(AgentFailure) in
                try await client.inject(call)
            }
        } catch {
            try noteFailedInjection(of: spec, error)
        }
        let handle = FaultHandle(number: number, fault: spec.fault, targets: leases.map(\.target))
        record.injections.append(
            RunRecord.Injection(
                handle: handle,
                spec: spec,
                leases: leases,
                atMs: offsetNow,
                candidates: plan.candidates
            )
        )
        noteRadius(of: plan, leases, spec)
        startSurveying()
        for lease in leases {
            emit(
                .injected,
                "\(spec.fault) on \(lease.target): \(lease.effect.seen) (held by \(lease.heldBy.rawValue))"
            )
        }
        self.handle(.injectionEnded)
        try checkRunning()
        return handle
    }

    /// A fault whose selector matches nothing, and says that this is no error.
    private func noteAbsent(_ spec: FaultSpec, number: Int) -> FaultHandle {
        noteNothing(
            spec,
            number: number,
            "\(spec.fault): \(Self.absence(of: spec)), so nothing is hit"
        )
    }

    private func noteNothing(_ spec: FaultSpec, number: Int, _ why: String) -> FaultHandle {
        let handle = FaultHandle(number: number, fault: spec.fault, targets: [])
        record.injections.append(
            RunRecord.Injection(
                handle: handle,
                spec: spec,
                leases: [],
                atMs: offsetNow,
                candidates: 0
            )
        )
        emit(.warning, why)
        return handle
    }

    private static func absence(of spec: FaultSpec) -> String {
        "nothing matches \(spec.target), and if_absent is \"\(TargetOptions.absentIsFine)\""
    }

    private func noteFailedInjection(of spec: FaultSpec, _ error: ControlError) throws(ControlError)
        -> Never
    {
        if machine.stop == nil, case .failed(let failure) = error {
            record.failedInjections.append(failure.message)
            emit(.warning, "\(spec.fault) was not injected: \(failure.message)")
            if failure.kind == .leaked { record.leaks.append(failure.message) }
        }
        handle(.injectionEnded)
        throw error
    }

    // MARK: Rolling back

    /// Puts everything back, with a new agent if need be; nothing cancels it.
    func rollBackAll() async {
        record.rollbackMs = offsetNow
        if client != nil {
            do throws(AgentFailure) {
                guard let client else { return }
                note(try await client.revert([]))
            } catch {
                await recoverWithNewAgent()
            }
        }
        noteAbortTime()
        let left = record.openLeases.count
        record.setOutcome(machine.stop?.text ?? (left == 0 ? "all reverted" : "\(left) left"))
    }

    /// Puts back the leases of one handle, or all.
    func revert(_ handle: FaultHandle?) async throws(ControlError) {
        let leases =
            handle.map { handle in
                record.injections.first { $0.handle == handle }?.leases.map(\.lease) ?? []
            } ?? []
        if handle != nil, leases.isEmpty { return }
        note(try await withAgent { client throws(AgentFailure) in try await client.revert(leases) })
    }

    /// Takes note of reverts and tells of each once.
    func note(_ reverts: [RevertRecord]) {
        for revert in reverts where record.note(revert, at: surroundings.time.now) {
            let took = Duration.milliseconds(revert.tookMs).spelled
            let kind: RunEvent.Kind = revert.outcome == .leaked ? .leaked : .reverted
            emit(
                kind,
                "\(revert.fault) on \(revert.target): \(revert.seen) (\(revert.outcome.rawValue), \(took))"
            )
        }
    }

    private func noteAbortTime() {
        if let report = abortReport() { record.abort = report }
    }

    // MARK: The agent

    /// Does something with the agent, which is started when first needed.
    func withAgent<Value: Sendable>(
        _ body: (AgentClient) async throws(AgentFailure) -> Value
    ) async throws(ControlError) -> Value {
        do throws(AgentFailure) {
            return try await body(try await agent())
        } catch {
            if let stop = machine.stop { throw .stopped(reason: stop.text) }
            throw .failed(error)
        }
    }

    private func agent() async throws(AgentFailure) -> AgentClient {
        let client = try await greeted()
        if let residue { throw residue }
        return client
    }

    private func greeted() async throws(AgentFailure) -> AgentClient {
        if let client { return client }
        let made = AgentClient(
            channel: try await surroundings.launchAgent(),
            time: surroundings.time,
            onEvent: { event in Task { await self.agentSaid(event) } },
            onLost: { why in Task { await self.agentLost(why) } }
        )
        client = made
        let sources = await surroundings.endpointsOfMetrics?(record.metrics) ?? []
        let hello = try await made.greet(
            AgentCall.Hello(
                run: record.runID,
                protectedEndpoints: surroundings.protectedEndpoints + sources,
                protectedProcesses: surroundings.protectedProcesses,
                termMs: AgentClient.term.inMilliseconds,
                policy: surroundings.policy.isOpen ? nil : surroundings.policy
            )
        )
        if let policy = hello.policy, !policy.isOpen {
            gate = BlastRadiusGate(record.experiment.blastRadius, policy: policy)
            record.policy = policy.sentences
        }
        note(hello.settled)
        take(hello.leftovers)
        judge(residue: hello.residue ?? [])
        return made
    }

    /// What an earlier run has left would hurt the system beside this run's faults, and nobody would know.
    ///
    /// Asked before the first fault only: an agent that is started to recover has other things to do.
    private func judge(residue found: [String]) {
        guard !found.isEmpty, record.injections.isEmpty else { return }
        for line in found { emit(.warning, "left on this host, and held by nobody: \(line)") }
        guard !surroundings.toleratesResidue else { return }
        let what = found.count == 1 ? "1 thing" : "\(found.count) things"
        residue = AgentFailure(
            .residue,
            "an earlier run has left \(what) on this host, which nobody holds: \(found.joined(separator: "; ")); "
                + "run `moonquake recover`, or go on all the same with --force"
        )
    }

    /// Takes note of what earlier agents had left, this run's own among them.
    private func take(_ leftovers: [RecoveryRecord]) {
        note(leftovers.filter { $0.run == record.runID }.map(\.revert))
        for other in leftovers where other.run != record.runID {
            let text =
                "run \(other.run) had left \(other.revert.fault) on \(other.revert.target): \(other.revert.seen)"
            emit(other.revert.outcome == .leaked ? .leaked : .recovered, text)
        }
    }

    private func agentSaid(_ event: AgentEvent) {
        switch event {
        case .expired(let revert):
            note([revert])
            stopAtDeadline(revert)
        case .violated(let reason, let reverts):
            note(reverts)
            stop(.rule(reason), by: AbortTrigger(cause: .policy))
        case .aborted(let reason, let reverts):
            note(reverts)
            handle(.stopped(.person(reason)))
        case .orphaned(let reverts):
            note(reverts)
            handle(
                .stopped(
                    .agentLost("the agent had not heard from this runner and put everything back")
                )
            )
        case .targetGone(let lease, let seen):
            emit(.warning, "lease \(lease): \(seen)")
        case .noted(let lease, let seen):
            emit(.warning, "lease \(lease): \(seen)")
        case .endedEarly(let lease, let seen):
            let text = record.noteEnd(of: lease, seen, at: surroundings.time.now)
            emit(.warning, text)
        }
    }

    /// A fault without a `duration` of its own that is on until its deadline was forgotten, or the run is stuck.
    private func stopAtDeadline(_ revert: RevertRecord) {
        let injection = record.injections.first { injection in
            injection.leases.contains { $0.lease == revert.lease }
        }
        guard machine.isGuarded, let spec = injection?.spec,
            spec.options[FaultDescriptor.duration.name] == nil,
            let longest = try? gate.deadline(for: spec)
        else { return }
        let text =
            "\(spec.fault) on \(revert.target) was on until its deadline (\(longest.spelled))"
        stop(.rule(text), by: AbortTrigger(cause: .deadline, rule: gate.deadlineRule))
    }

    private func agentLost(_ why: String) {
        handle(.stopped(.agentLost(why)))
    }

    /// Starts another agent, whose greeting applies the journal of the one that died.
    private func recoverWithNewAgent() async {
        client = nil
        do throws(AgentFailure) {
            _ = try await greeted()
        } catch {
            emit(
                .leaked,
                "no agent could be started to put back what is left: \(error); run `moonquake recover`"
            )
        }
    }

    /// Lets the agent go; what it still held, it puts back first.
    func letAgentGo() async {
        guard let client else { return }
        do throws(AgentFailure) {
            note(try await client.leave())
        } catch {
            // A lost agent was reported when it was lost; what it left is in `openLeases`.
        }
        self.client = nil
    }
}

extension ControlError {
    static func definition<Value>(
        _ body: () throws(DefinitionError) -> Value
    ) throws(ControlError) -> Value {
        do throws(DefinitionError) {
            return try body()
        } catch {
            throw .definition(error)
        }
    }
}
