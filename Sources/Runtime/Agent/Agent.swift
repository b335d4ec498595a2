// The holder of one host's faults. It is the only part that touches the kernel, and it trusts nobody to end a
// fault: not the script, not the runner, not itself (that is what the journal and the kernel's owners are for).
//
// Every revert runs in a task of its own that nothing cancels and that all who want the lease reverted await,
// so that a lease is put back once however many ask. A lease that is being made when everything must go is
// waited for last, so that it cannot delay the others.

package import ChaosModel
import ChaosTargets

/// Holds leases and puts them back.
package actor Agent {
    /// A fault on one target.
    private struct Lease {
        let order: RevertOrder
        let injection: Task<InjectionResult, Never>
        var isSettled = false
        var revert: Task<RevertRecord, Never>?
        var timer: Task<Void, Never>?
    }

    private typealias InjectionResult = Result<LeaseRecord, FaultError>

    private let kernel: Kernel
    private let catalogue: FaultCatalogue
    private let store: any JournalStore
    private let version: String
    /// What terms and deadlines are measured by; a test may stop it while the faults' own waits go on.
    private let clock: any TimePort
    private let emit: @Sendable (AgentEvent) -> Void

    private var greeting: AgentCall.Hello?
    private var resolver: TargetResolver
    private var journal: Journal?
    private var leases: [LeaseID: Lease] = [:]
    private var order: [LeaseID] = []
    private var serial = 0
    /// Goes up when everything is put back, so that a fault still being planned then is not made after it.
    private var generation = 0
    private var renewedAt: Instant
    private var watchdog: Task<Void, Never>?
    private var isLeaving = false

    /// Makes an agent.
    ///
    /// - Parameters:
    ///   - kernel: The machine.
    ///   - catalogue: The faults it can make.
    ///   - store: Where it keeps its journal.
    ///   - version: The program's version.
    ///   - clock: The clock of terms and deadlines, when it is not the machine's.
    ///   - emit: Called with each event, in order.
    package init(
        kernel: Kernel,
        catalogue: FaultCatalogue,
        store: any JournalStore,
        version: String,
        clock: (any TimePort)? = nil,
        emit: @escaping @Sendable (AgentEvent) -> Void
    ) {
        self.kernel = kernel
        self.catalogue = catalogue
        self.store = store
        self.version = version
        self.clock = clock ?? kernel.time
        self.emit = emit
        resolver = TargetResolver(kernel: kernel)
        renewedAt = self.clock.now
    }

    /// Takes a call and answers it in time; calls begin in the order in which they are taken.
    ///
    /// The order matters: a rollback that came after an injection must know of it.
    package func accept(_ call: AgentCall, reply: @escaping @Sendable (AgentReply) -> Void) {
        Task.immediate { reply(await self.answer(call)) }
    }

    /// Answers one call.
    package func answer(_ call: AgentCall) async -> AgentReply {
        renewedAt = clock.now
        do throws(AgentFailure) {
            switch call {
            case .hello(let hello): return .hello(try await greet(hello))
            case .plan(let call): return .plan(try await plan(call))
            case .inject(let call): return .injected(try await inject(call))
            case .renew: return .renewed
            case .revert(let leases): return .reverted(await revert(leases))
            case .recover: return .recovered(try await recover())
            case .leave: return .reverted(await leave())
            }
        } catch {
            return .failed(error)
        }
    }

    /// Puts everything back because of `reason`, tells the runner, and takes no new faults.
    package func abort(reason: String) async {
        isLeaving = true
        emit(.aborted(reason: reason, await revert([])))
        closeJournal()
    }

    /// Puts everything back and closes the journal: the runner is done or gone.
    package func leave() async -> [RevertRecord] {
        isLeaving = true
        watchdog?.cancel()
        let records = await revert([])
        closeJournal()
        return records
    }

    /// Whether nothing is held, so that the agent may go.
    package var holdsNothing: Bool { leases.isEmpty }

    // MARK: Greeting

    private func greet(_ hello: AgentCall.Hello) async throws(AgentFailure) -> AgentHello {
        guard hello.protocolVersion == AgentCall.protocolVersion else {
            throw AgentFailure(
                .protocol,
                "the agent speaks protocol \(AgentCall.protocolVersion) and the runner \(hello.protocolVersion): "
                    + "install the same version on both sides"
            )
        }
        let leftovers = try await recover()
        greeting = hello
        resolver = TargetResolver(kernel: kernel, protectedProcesses: hello.protectedProcesses)
        startWatchdog(term: .seconds(hello.termMs / 1000))
        return AgentHello(
            version: version,
            pid: kernel.host.ancestry().first ?? 0,
            userID: kernel.host.userID(),
            bootID: (try? kernel.host.bootID()) ?? "",
            leftovers: leftovers
        )
    }

    private func recover() async throws(AgentFailure) -> [RecoveryRecord] {
        do throws(JournalError) {
            return try await Recovery(kernel: kernel, catalogue: catalogue, store: store).run()
        } catch {
            throw AgentFailure(error)
        }
    }

    // MARK: Planning

    private func plan(_ call: AgentCall.PlanCall) async throws(AgentFailure) -> PlanReply {
        let (fault, _) = try instance(of: call.spec)
        let candidates: [Target]
        do throws(TargetError) {
            candidates = try resolver.candidates(call.spec.target)
        } catch {
            throw AgentFailure(error, fault: call.spec.fault, at: call.spec.location)
        }
        let chosen: [Target]
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
        for target in chosen {
            let plan = try await plan(fault, call.spec, target, lease: LeaseID("planned"))
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
        lease: LeaseID
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
            protectedEndpoints: greeting?.protectedEndpoints ?? []
        )
        do throws(FaultError) {
            return try await fault.plan(target, context, kernel)
        } catch {
            throw AgentFailure(error, fault: spec.fault, at: spec.location)
        }
    }

    // MARK: Injecting

    private func inject(_ call: AgentCall.InjectCall) async throws(AgentFailure) -> [LeaseRecord] {
        guard greeting != nil, !isLeaving else {
            throw AgentFailure(
                .protocol,
                "the agent takes no faults: it was not greeted, or is leaving"
            )
        }
        let generation = generation
        let (fault, parameters) = try instance(of: call.spec)
        guard let type = catalogue[call.spec.fault] else {
            throw AgentFailure(.protocol, "unknown fault \(call.spec.fault)")
        }
        let deadline = min(
            parameters[FaultDescriptor.duration] ?? .seconds(call.deadlineMs / 1000),
            .seconds(call.deadlineMs / 1000)
        )
        var made: [LeaseRecord] = []
        for target in call.targets {
            do throws(AgentFailure) {
                let lease = try await grant(fault, type, call.spec, target, in: generation)
                made.append(try await result(of: lease, spec: call.spec, deadline: deadline))
            } catch {
                throw await undoPartial(made.map(\.lease), after: error)
            }
        }
        return made
    }

    /// Writes the undo down and starts to make the fault.
    private func grant(
        _ fault: FaultInstance,
        _ type: FaultType,
        _ spec: FaultSpec,
        _ target: Target,
        in generation: Int
    ) async throws(AgentFailure) -> LeaseID {
        serial += 1
        let lease = LeaseID("\(greeting?.run.suffix(6) ?? "")\(serial)")
        let plan = try await plan(fault, spec, target, lease: lease)
        guard !isLeaving, generation == self.generation else {
            throw AgentFailure(.injection, "\(spec.fault): the run is being rolled back")
        }
        do throws(JournalError) {
            try openJournal().grant(lease, fault: type.descriptor, target: target, plan: plan)
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
        let revert = RevertOrder(lease: lease, fault: type, target: target, undo: plan.undo)
        leases[lease] = Lease(order: revert, injection: injection)
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
            return record
        case .failure(let error):
            let failure = AgentFailure(error, fault: spec.fault, at: spec.location)
            throw await undoPartial([lease], after: failure)
        }
    }

    private func undoPartial(_ made: [LeaseID], after failure: AgentFailure) async -> AgentFailure {
        let records = await revert(made, onlyThese: true)
        let leaked = records.filter { $0.outcome == .leaked }
        guard let first = leaked.first else { return failure }
        return AgentFailure(
            .leaked,
            "\(failure.message); and it could not be put back: \(first.seen)"
        )
    }

    // MARK: Reverting

    /// Puts back these leases, newest first; an empty list means all.
    private func revert(_ asked: [LeaseID], onlyThese: Bool = false) async -> [RevertRecord] {
        let isAll = asked.isEmpty && !onlyThese
        if isAll { generation += 1 }
        let wanted = isAll ? Set(leases.keys) : Set(asked)
        let newestFirst = order.reversed().filter(wanted.contains)
        let settled = newestFirst.filter { leases[$0]?.isSettled == true }
        let beingMade = newestFirst.filter { leases[$0]?.isSettled != true }
        var records: [RevertRecord] = []
        for lease in settled + beingMade {
            guard let task = revertTask(of: lease) else { continue }
            records.append(await task.value)
        }
        return records
    }

    /// The task that puts a lease back, started once.
    private func revertTask(of id: LeaseID) -> Task<RevertRecord, Never>? {
        guard let lease = leases[id] else { return nil }
        if let running = lease.revert { return running }
        let task = Task { await self.carryOut(lease) }
        leases[id]?.revert = task
        return task
    }

    private func carryOut(_ lease: Lease) async -> RevertRecord {
        if !lease.isSettled { _ = await lease.injection.value }
        lease.timer?.cancel()
        let record = await lease.order.carryOut(on: kernel)
        // The fault is back whether or not that can be written down; the next recovery would find the same.
        try? journal?.reverted(record.lease, outcome: record.outcome, seen: record.seen)
        if record.outcome == .leaked {
            leases[record.lease]?.revert = nil
        } else {
            leases[record.lease] = nil
            order.removeAll { $0 == record.lease }
        }
        return record
    }

    // MARK: Clocks

    /// Reverts everything when the runner has been silent for a term.
    private func startWatchdog(term: Duration) {
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

    private func startTimer(of lease: LeaseID, after span: Duration) {
        let time = clock
        leases[lease]?.timer = Task { [weak self] in
            guard (try? await time.sleep(for: span)) != nil else { return }
            await self?.expire(lease)
        }
    }

    private func expire(_ lease: LeaseID) async {
        guard leases[lease]?.revert == nil, let task = revertTask(of: lease) else { return }
        emit(.expired(await task.value))
    }

    // MARK: Journal

    private func openJournal() throws(JournalError) -> Journal {
        if let journal { return journal }
        let run = greeting?.run ?? "unknown"
        let opened = try Journal(run: run, version: version, in: store, on: kernel)
        journal = opened
        return opened
    }

    private func closeJournal() {
        guard leases.isEmpty else { return }
        try? journal?.close()
        journal = nil
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
        self.init(kind, DefinitionError(fault, error.description, at: location).description)
    }
}
