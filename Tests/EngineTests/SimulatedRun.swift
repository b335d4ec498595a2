// A run whose agent lives in this process, on the simulated kernel, behind the real messages.

import ChaosEngine
import ChaosFaults
import ChaosLinux
import ChaosModel
import ChaosScript
import ChaosSimulation
import ChaosTesting
import Synchronization

/// The world of a test run.
final class SimulatedRun: Sendable {
    let kernel: SimulatedKernel
    /// The clock of the run and its agent.
    private let time: any TimePort
    let journals: SimulatedJournals
    let channels = Mutex<[LocalAgent]>([])
    let readings = Mutex<[String: Reading]>([:])
    let events = Mutex<[RunEvent]>([])
    /// The host's policy.
    let policy = Mutex<[String: ParameterValue]>([:])

    /// Makes a world in the machine's own time, or in a made-up one.
    init(in clock: SimulatedTime? = nil) {
        let kernel = clock.map { SimulatedKernel(time: $0) } ?? SimulatedKernel()
        self.kernel = kernel
        time = clock ?? LinuxTime()
        journals = SimulatedJournals(isDead: { kernel.isDead })
        kernel.change { world in
            world.add(name: "shop")
            world.add(name: "shop")
            world.namespaces = ["shop": 77]
        }
    }

    static let pause = FaultSpec(
        fault: "process.pause",
        target: TargetSelector(kind: .process, options: ["name": "shop"]),
        options: [:]
    )

    /// A body that pauses the shop and waits until it is stopped.
    static let holdForever: @Sendable (any RunControls) async throws(BodyError) -> Void = {
        controls throws(BodyError) in
        _ = try await primitive { () throws(ControlError) in
            try await controls.inject(SimulatedRun.pause)
        }
        try await primitive { () throws(ControlError) in try await controls.wait(.seconds(600)) }
    }

    /// Sets what a metric says from now on.
    func say(_ reading: Reading, for metric: String) { readings.withLock { $0[metric] = reading } }

    /// Sets the host's policy from now on.
    func setPolicy(_ options: [String: ParameterValue]) { policy.withLock { $0 = options } }

    func runner(
        _ experiment: ExperimentDefinition = ExperimentDefinition(
            name: "test",
            hasBody: true,
            file: "test.lua"
        ),
        isPlain: Bool = false,
        rehearsal: Rehearsal = Rehearsal(),
        seed: UInt64 = 1,
        mode: RunMode = .run,
        body: @escaping @Sendable (any RunControls) async throws(BodyError) -> Void
    ) -> Runner {
        runner(
            experiment,
            isPlain: isPlain,
            rehearsal: rehearsal,
            seed: seed,
            mode: mode,
            body: ClosureBody(body)
        )
    }

    private func runner(
        _ experiment: ExperimentDefinition,
        isPlain: Bool,
        rehearsal: Rehearsal,
        seed: UInt64,
        mode: RunMode = .run,
        body: any RunBody
    ) -> Runner {
        Runner(
            experiment: experiment,
            isPlain: isPlain,
            body: body,
            rehearsal: rehearsal,
            runID: "run-1",
            seed: seed,
            mode: mode,
            surroundings: RunSurroundings(
                launchAgent: { () throws(AgentFailure) in self.launch() },
                makeSource: { metric throws(DefinitionError) in SaidSource(metric.name, self) },
                faults: .all,
                time: time,
                observer: Listener(self)
            )
        )
    }

    /// A run of what a script defines.
    func runner(of loaded: LoadedExperiment, _ rehearsal: Rehearsal, seed: UInt64) -> Runner {
        let body = loaded.body
        return runner(
            loaded.definition,
            isPlain: loaded.isPlain,
            rehearsal: rehearsal,
            seed: seed,
            body: body
        )
    }

    /// Kills the first agent, as by SIGKILL.
    func killAgentOnce() {
        guard let first = channels.withLock({ $0.first }), channels.withLock({ $0.count }) == 1
        else { return }
        first.kill()
    }

    private func launch() -> LocalAgent {
        let agent = LocalAgent(
            kernel: kernel,
            journals: journals,
            faults: .all,
            loadPolicy: { () throws(DefinitionError) in
                try Policy(self.policy.withLock { $0 }, from: "/etc/moonquake/policy.json")
            },
            clock: time
        )
        channels.withLock { $0.append(agent) }
        return agent
    }

    /// A metric that says what the test lets it say, with thresholds.
    static func metric(
        _ name: String,
        healthy: Threshold? = nil,
        tolerated: Threshold? = nil,
        noData: NoDataRule = .unhealthy
    ) -> MetricDefinition {
        MetricDefinition(
            name: name,
            source: "test",
            options: [:],
            unit: .number,
            healthy: healthy,
            tolerated: tolerated,
            noData: noData
        )
    }

    static func experiment(
        _ metrics: [MetricDefinition] = [],
        blastRadius: BlastRadius = BlastRadius(),
        recoveryMs: Double = 2000
    ) -> ExperimentDefinition {
        ExperimentDefinition(
            name: "test",
            steadyState: SteadyStateDefinition(
                metrics: metrics,
                everyMs: 5,
                warmupMs: 20,
                recoveryMs: recoveryMs
            ),
            blastRadius: blastRadius,
            hasBody: true,
            file: "test.lua"
        )
    }
}

/// A body that is a closure.
private final class ClosureBody: RunBody {
    private let body: @Sendable (any RunControls) async throws(BodyError) -> Void
    private let task = Mutex<Task<BodyError?, Never>?>(nil)

    init(_ body: @escaping @Sendable (any RunControls) async throws(BodyError) -> Void) {
        self.body = body
    }

    func run(_ controls: any RunControls) async throws(BodyError) {
        let body = body
        let running = Task { () -> BodyError? in
            do throws(BodyError) {
                try await body(controls)
                return nil
            } catch {
                return error
            }
        }
        task.withLock { $0 = running }
        if let error = await running.value { throw error }
    }

    func stop(reason: String) { task.withLock { $0 }?.cancel() }

    func evaluate(metric name: String) async -> Reading { .noData("no Lua here") }
}

/// A metric that says what the test lets it say.
private struct SaidSource: MetricSource {
    private let name: String
    private let run: SimulatedRun

    init(_ name: String, _ run: SimulatedRun) {
        self.name = name
        self.run = run
    }

    func start() async {}
    func sample() async -> Reading { run.readings.withLock { $0[name] } ?? .noData("nothing said") }
    func stop() async {}
}

private struct Listener: RunObserver {
    private let run: SimulatedRun

    init(_ run: SimulatedRun) { self.run = run }

    func happened(_ event: RunEvent) { run.events.withLock { $0.append(event) } }
    func sampled(_ metric: MetricDefinition, _ sample: Sample, isHealthy: Bool) {}
}

/// Runs a primitive as a script does: its error ends the body unless it is caught.
func primitive<Value>(
    _ call: () async throws(ControlError) -> Value
) async throws(BodyError) -> Value {
    do throws(ControlError) {
        return try await call()
    } catch {
        throw .control(error, traceback: "")
    }
}
