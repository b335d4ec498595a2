// The runner of one experiment: it performs what the state machine says, and nothing else.
//
// Whatever happens comes in as an event of the machine: the body's end, a breaching sample, a signal, the
// agent's death. A stop starts the rollback at once and never waits for the script.

package import ChaosModel
import ChaosSteadyState

/// What a run needs of the world.
package struct RunSurroundings: Sendable {
    /// Starts agents.
    package var launchAgent: AgentLauncher
    /// Makes the source of a metric.
    package var makeSource: @Sendable (MetricDefinition) throws(DefinitionError) -> any MetricSource
    /// The faults, for what the gate must know of them.
    package var faults: FaultCatalogue
    /// Time.
    package var time: any TimePort
    /// Far ends that network faults leave alone.
    package var protectedEndpoints: [ProtectedEndpoint]
    /// The same for metrics that are declared only as the run goes on, as at a prompt.
    package var endpointsOfMetrics: (@Sendable ([MetricDefinition]) async -> [ProtectedEndpoint])?
    /// Processes that must never be hit.
    package var protectedProcesses: [Int32]
    /// Who is told.
    package var observer: any RunObserver
    /// What the user's policy and flags allow; the host's is the agent's.
    package var policy: Policy
    /// Why the user's policy or a flag cannot be followed; nothing is run then.
    package var policyProblem: String?
    /// What masks secrets in events and in the report.
    package var redactor: Redactor
    /// Whether a run goes on although something of ours is left on the host.
    package var toleratesResidue: Bool

    /// Makes surroundings from their parts.
    package init(
        launchAgent: @escaping AgentLauncher,
        makeSource:
            @escaping @Sendable (MetricDefinition) throws(DefinitionError) -> any MetricSource,
        faults: FaultCatalogue,
        time: any TimePort,
        protectedEndpoints: [ProtectedEndpoint] = [],
        protectedProcesses: [Int32] = [],
        observer: any RunObserver,
        policy: Policy = Policy(),
        policyProblem: String? = nil,
        redactor: Redactor = Redactor(),
        toleratesResidue: Bool = false
    ) {
        self.launchAgent = launchAgent
        self.makeSource = makeSource
        self.faults = faults
        self.time = time
        self.protectedEndpoints = protectedEndpoints
        self.protectedProcesses = protectedProcesses
        self.observer = observer
        self.policy = policy
        self.policyProblem = policyProblem
        self.redactor = redactor
        self.toleratesResidue = toleratesResidue
    }
}

/// Runs one experiment once.
package actor Runner {
    let surroundings: RunSurroundings
    let body: any RunBody
    let rehearsal: Rehearsal
    let isPlain: Bool
    let mode: RunMode
    var gate: BlastRadiusGate

    var machine: RunMachine
    var record: RunRecord
    var client: AgentClient?
    var judge: SteadyStateJudge
    var sources: [String: any MetricSource] = [:]
    var samplers: [Task<Void, Never>] = []
    var isSampling = false
    var unhealthy: Set<String> = []
    var judgesFrom = Instant(nanoseconds: 0)
    var rules: [ArmedRule] = []
    var baselineWaiters: [CheckedContinuation<Void, Never>] = []
    var sampleWaiters: [CheckedContinuation<Void, Never>] = []
    var stoppedAt: Instant?
    /// What decided that the run is stopped, when a rule did.
    var trigger: AbortTrigger?
    /// How many targets the plan of each fault had.
    var plannedUnits: [FaultSpec: Int] = [:]
    var isSurveying = false
    /// Why no fault may be made: what earlier runs have left.
    var residue: AgentFailure?

    private var finished: CheckedContinuation<Void, Never>?
    private var isFinished = false

    /// Makes a run.
    ///
    /// - Parameters:
    ///   - experiment: What to run.
    ///   - isPlain: Whether it is a plain script, whose body begins before the baseline is checked.
    ///   - body: What to run between baseline and rollback.
    ///   - rehearsal: What the body is known to do.
    ///   - runID: The name of the run.
    ///   - seed: The seed of every choice.
    ///   - mode: Whether faults are made, or everything but that is done.
    ///   - surroundings: What it needs of the world.
    package init(
        experiment: ExperimentDefinition,
        isPlain: Bool,
        body: any RunBody,
        rehearsal: Rehearsal,
        runID: String,
        seed: UInt64,
        mode: RunMode = .run,
        surroundings: RunSurroundings
    ) {
        self.surroundings = surroundings
        self.body = body
        self.rehearsal = rehearsal
        self.isPlain = isPlain
        self.mode = mode
        gate = BlastRadiusGate(experiment.blastRadius)
        machine = RunMachine(baselineFirst: !isPlain || mode == .dryRun)
        record = RunRecord(
            experiment: experiment,
            runID: runID,
            seed: seed,
            startedAt: surroundings.time.now,
            startedAtSeconds: surroundings.time.secondsSince1970
        )
        // The body of a plain script declares what it watches; a dry run knows it from the rehearsal.
        if mode == .dryRun, let steadyState = rehearsal.steadyState { record.adopt(steadyState) }
        judge = SteadyStateJudge(record.metrics)
    }

    /// Runs to the end; always returns a report.
    package func run() async -> RunReport {
        emit(
            .started,
            "\(mode.words) \(record.runID) of \"\(record.experiment.name)\" (seed \(record.seed))"
        )
        record.enter(.initialize, at: offsetNow)
        handle(.began)
        await withCheckedContinuation { continuation in
            if isFinished { continuation.resume() } else { finished = continuation }
        }
        return ReportBuilder(record, machine: machine, mode: mode, time: surroundings.time).report()
            .masked(by: surroundings.redactor)
    }

    /// Makes the plan and says what it would do, without effects.
    package func plan() async -> RunReport {
        emit(.started, "plan of \"\(record.experiment.name)\" (seed \(record.seed))")
        record.enter(.initialize, at: offsetNow)
        if let reason = await makePlan() { handle(.stopped(reason)) }
        for source in sources.values { await source.stop() }
        await letAgentGo()
        return ReportBuilder(record, machine: machine, mode: mode, time: surroundings.time).report()
            .masked(by: surroundings.redactor)
    }

    /// Stops the run for a reason from outside; returns at once.
    package func stop(_ reason: StopReason) {
        handle(.stopped(reason))
    }

    /// How many leases are not put back yet.
    package var faultsInForce: Int { record.openLeases.count }

    // MARK: Events and actions

    var offsetNow: Double { record.offset(of: surroundings.time.now) }

    /// Takes an event and starts what follows from it.
    func handle(_ event: RunMachine.Event) {
        let phaseBefore = machine.phase
        let stopBefore = machine.stop
        let actions = machine.handle(event)
        if stopBefore == nil, let stop = machine.stop { noteStop(stop) }
        if machine.phase != phaseBefore {
            record.enter(machine.phase, at: offsetNow)
            emit(.phase, machine.phase.rawValue)
        }
        for action in actions { start(action) }
    }

    private func start(_ action: RunMachine.Action) {
        switch action {
        case .stopBody(let reason): body.stop(reason: reason)
        case .makePlan:
            Task {
                let reason = await makePlan()
                handle(reason.map { .stopped($0) } ?? .planned)
            }
        case .checkBaseline:
            Task {
                let unhealthy = await checkBaseline()
                handle(unhealthy.map { .stopped(.baseline($0)) } ?? .baselineHealthy)
                releaseBaselineWaiters()
            }
        case .startBody: Task { await runBody() }
        case .rollBack:
            Task {
                await rollBackAll()
                await readAfter()
                handle(.rolledBack)
            }
        case .awaitRecovery:
            Task {
                let why = await awaitRecovery()
                handle(why.map { .notRecovered($0) } ?? .recovered)
            }
        case .makeReport: Task { await finish() }
        }
    }

    private func runBody() async {
        guard mode != .dryRun else {
            record.setOutcome("left out: this is a dry run")
            return handle(.bodyEnded)
        }
        do throws(BodyError) {
            try await body.run(self)
            handle(.bodyEnded)
        } catch {
            if let reason = Self.stopReason(for: error) { handle(.stopped(reason)) }
        }
    }

    /// Why a failed body stops the run; nil when it was the run that stopped the body.
    private static func stopReason(for error: BodyError) -> StopReason? {
        switch error {
        case .stopped, .control(.stopped, _): nil
        case .raised(let message, let traceback): .script(message: message, traceback: traceback)
        case .control(.definition(let error), _): .definition(error.description)
        case .control(.failed(let failure), _): StopReason(failure)
        }
    }

    private func noteStop(_ reason: StopReason) {
        stoppedAt = surroundings.time.now
        emit(.stop, reason.text)
        if reason.isAbort {
            surroundings.observer.aborting(surroundings.redactor.mask(reason.text))
        }
        record.setOutcome(reason.text)
        if case .script(let message, let traceback) = reason {
            record.error = RunReport.ErrorReport(message: message, traceback: traceback)
        }
        releaseBaselineWaiters()
        releaseSampleWaiters()
    }

    private func finish() async {
        for sampler in samplers { sampler.cancel() }
        for source in sources.values { await source.stop() }
        await letAgentGo()
        record.endPhase(at: offsetNow, outcome: "")
        emit(.ended, "the report is made")
        isFinished = true
        finished?.resume()
        finished = nil
    }

    func releaseBaselineWaiters() {
        for waiter in baselineWaiters { waiter.resume() }
        baselineWaiters = []
    }

    // MARK: Telling

    /// Puts something on the time line and tells the observer.
    func emit(_ kind: RunEvent.Kind, _ text: String) {
        let event = RunEvent(
            at: surroundings.time.secondsSince1970,
            offsetMs: offsetNow,
            kind: kind,
            phase: machine.phase,
            text: surroundings.redactor.mask(text)
        )
        record.events.append(event)
        surroundings.observer.happened(event)
    }
}

extension StopReason {
    /// The reason to stop that follows from a failure of the agent.
    init(_ failure: AgentFailure) {
        switch failure.kind {
        case .definition: self = .definition(failure.message)
        case .unavailable: self = .unavailable(failure.message)
        case .injection, .leaked: self = .injection(failure.message)
        case .residue: self = .residue(failure.message)
        case .protocol: self = .agentLost(failure.message)
        }
    }
}
