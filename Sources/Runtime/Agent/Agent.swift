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
    struct Lease {
        var order: RevertOrder
        let injection: Task<InjectionResult, Never>
        /// The `inject` that it is of, counted by the agent.
        let call: Int
        /// What it has locked.
        let locked: [TargetIdentity]
        /// What holds it here.
        let holder: Holder
        var isSettled = false
        /// Measures and puts back; what reads back that it is back may take longer.
        var putBack: Task<HalfRevert, Never>?
        var revert: Task<RevertRecord, Never>?
        var timer: Task<Void, Never>?
        /// Wait for the end of the process that is hit, and of what carries the fault.
        var watches: [Task<Void, Never>] = []
        /// Looks after the fault while it is on.
        var following: Task<Void, Never>?
        /// The first lease of the injection, when that is made again and again.
        var repetition: LeaseID?
        /// The order it comes from.
        var spec: FaultSpec?
    }

    typealias InjectionResult = Result<LeaseRecord, FaultError>

    let kernel: Kernel
    let catalogue: FaultCatalogue
    let store: any JournalStore
    let version: String
    /// What terms and deadlines are measured by; a test may stop it while the faults' own waits go on.
    let clock: any TimePort
    let emit: @Sendable (AgentEvent) -> Void
    let locks: any TargetLocks
    /// The host's policy as it is now.
    let loadPolicy: @Sendable () throws(DefinitionError) -> Policy
    /// Looks for what of ours nobody alive holds.
    let findResidue: @Sendable () async -> [String]

    var greeting: AgentCall.Hello?
    /// The policy in force.
    var policy = Policy()
    /// The faults that were asked for, by their number.
    var calls: [Int: FaultSpec] = [:]
    var resolver: TargetResolver
    var journal: Journal?
    var leases: [LeaseID: Lease] = [:]
    var order: [LeaseID] = []
    /// By the first lease of the injection.
    var repetitions: [LeaseID: Repetition] = [:]
    var serial = 0
    var callNumber = 0
    /// Goes up when everything is put back, so that a fault still being planned then is not made after it.
    var generation = 0
    var renewedAt: Instant
    var watchdog: Task<Void, Never>?
    var isLeaving = false
    var isReviewing = false

    /// Makes an agent.
    ///
    /// - Parameters:
    ///   - kernel: The machine.
    ///   - catalogue: The faults it can make.
    ///   - store: Where it keeps its journal.
    ///   - version: The program's version.
    ///   - locks: The locks that keep two runs from one target.
    ///   - loadPolicy: Reads the host's policy.
    ///   - findResidue: Looks for what of ours nobody alive holds, before the first fault.
    ///   - clock: The clock of terms and deadlines, when it is not the machine's.
    ///   - emit: Called with each event, in order.
    package init(
        kernel: Kernel,
        catalogue: FaultCatalogue,
        store: any JournalStore,
        version: String,
        locks: any TargetLocks = NoLocks(),
        loadPolicy: @escaping @Sendable () throws(DefinitionError) -> Policy = { Policy() },
        findResidue: @escaping @Sendable () async -> [String] = { [] },
        clock: (any TimePort)? = nil,
        emit: @escaping @Sendable (AgentEvent) -> Void
    ) {
        self.kernel = kernel
        self.catalogue = catalogue
        self.store = store
        self.version = version
        self.clock = clock ?? kernel.time
        self.emit = emit
        self.locks = locks
        self.loadPolicy = loadPolicy
        self.findResidue = findResidue
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
            case .renew:
                Task { await self.reviewPolicy() }
                return .renewed
            case .survey: return .surveyed(await survey())
            case .state(let parts): return .state(await states(of: parts))
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
        let residue = await findResidue()
        policy = try systemPolicy().and(hello.policy ?? Policy())
        greeting = hello
        resolver = TargetResolver(
            kernel: kernel,
            protectedProcesses: hello.protectedProcesses,
            protectedEndpoints: hello.protectedEndpoints
        )
        startWatchdog(term: .seconds(hello.termMs / 1000))
        return AgentHello(
            version: version,
            pid: kernel.host.ancestry().first ?? 0,
            userID: kernel.host.userID(),
            bootID: (try? kernel.host.bootID()) ?? "",
            leftovers: leftovers,
            settled: try settled(of: hello.run),
            policy: policy.isOpen ? nil : policy,
            residue: residue.isEmpty ? nil : residue
        )
    }

    /// What an agent of this run that has ended had put back itself: its runner may not have heard of it.
    private func settled(of run: String) throws(AgentFailure) -> [RevertRecord] {
        do throws(JournalError) {
            var records: [RevertRecord] = []
            for lines in try store.closedLines(of: run) {
                records += JournalState(lines: lines).reverted
            }
            return records
        } catch {
            throw AgentFailure(error)
        }
    }

    private func recover() async throws(AgentFailure) -> [RecoveryRecord] {
        do throws(JournalError) {
            return try await Recovery(kernel: kernel, catalogue: catalogue, store: store).run()
        } catch {
            throw AgentFailure(error)
        }
    }

    // MARK: Journal

    func openJournal() throws(JournalError) -> Journal {
        if let journal { return journal }
        let run = greeting?.run ?? "unknown"
        let opened = try Journal(run: run, version: version, in: store, on: kernel)
        journal = opened
        return opened
    }

    func closeJournal() {
        guard leases.isEmpty else { return }
        try? journal?.close()
        journal = nil
    }
}
