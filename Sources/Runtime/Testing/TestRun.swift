// One run of an experiment on a made-up machine: the real loader, rehearsal, runner, body, agent and faults; only the
// kernel, the clock and what metrics say are made up.

import ChaosEngine
package import ChaosModel
import ChaosScript
import ChaosSimulation
import ChaosSteadyState
import ChaosTargets
import LuaBridge

/// Runs experiments for one call of a test.
struct TestRun: Sendable {
    let trial: Trial
    let options: TestOptions
    let machine: MadeUpMachine
    let metrics: MadeUpMetrics

    init(_ options: TestOptions, in trial: Trial) throws(TestMistake) {
        let machine = try MadeUpMachine(
            options.machine,
            faults: trial.parts.faults,
            failing: options.failures,
            clock: trial.clock
        )
        let (clock, began) = (trial.clock, trial.clock.now)
        self.trial = trial
        self.options = options
        self.machine = machine
        metrics = MadeUpMetrics(options.metrics, in: trial.vm) {
            .table(
                LuaTable(fields: [
                    "time": .number(clock.now.since(began).inSeconds),
                    "faults": .table(machine.faults.table),
                    "running": .table(machine.running),
                ])
            )
        }
    }

    /// The loader of this call.
    var loader: ScriptLoader {
        trial.parts.loader(
            DefinitionInputs(
                arguments: options.parameters,
                variable: { [environment = options.environment] in environment[$0] }
            ),
            seed,
            trial.clock
        )
    }

    /// The seed of this call.
    var seed: UInt64 { options.seed ?? trial.parts.seed }

    /// Makes a run of an experiment.
    func runner(
        of loaded: LoadedExperiment,
        observer: any RunObserver = NobodyWatches()
    ) async -> Runner {
        let rehearsal = await loaded.rehearse()
        let steadyState = rehearsal.steadyState ?? loaded.definition.steadyState
        machine.provide(for: rehearsal.faults, steadyState.metrics)
        for metric in steadyState.metrics { metrics.expect(metric) }
        let body = loaded.body
        return Runner(
            experiment: loaded.definition,
            isPlain: loaded.isPlain,
            body: body,
            rehearsal: rehearsal,
            runID: trial.nextRunID(),
            seed: seed,
            surroundings: RunSurroundings(
                launchAgent: { [machine] () throws(AgentFailure) in machine.launchAgent() },
                makeSource: { [metrics, machine] metric throws(DefinitionError) in
                    try metrics.source(of: metric) { other throws(DefinitionError) in
                        try Self.source(of: other, on: machine, body)
                    }
                },
                faults: trial.parts.faults,
                time: trial.clock,
                observer: observer
            )
        )
    }

    /// Runs `file`, and tells of what came out.
    func run(_ file: String) async throws -> RunReport {
        let all: [LoadedExperiment]
        do throws(ScriptError) {
            all = try await loader.load(file: trial.path(of: file))
        } catch {
            throw TestMistake(error.description)
        }
        let loaded = try chosen(from: all, of: file)
        let runner = await runner(of: loaded)
        if let problem = metrics.problem(of: file) { throw problem }
        let moments = options.moments.map { moment in
            Task { [trial, machine] in
                try await trial.clock.sleep(for: moment.after)
                let table = LuaValue.table(machine.controls { await runner.stop(.signal(2)) })
                try await trial.vm.call(moment.action, [table])
            }
        }
        let report = await runner.run()
        for moment in moments {
            moment.cancel()
            // A moment after the end never came.
            if case .failure(let error as LuaError) = await moment.result { throw error }
        }
        keep(report)
        if let problem = metrics.problem(of: file) { throw problem }
        return report
    }

    /// Keeps a report with the lines of its agent's journal.
    func keep(_ report: RunReport) {
        trial.keep(TestRecord(report: report, journal: machine.journal[report.runID] ?? []))
    }

    private func chosen(
        from all: [LoadedExperiment],
        of file: String
    ) throws(TestMistake) -> LoadedExperiment {
        guard let title = options.experiment else {
            guard all.count == 1 else {
                throw TestMistake(
                    "\(file) defines \(all.count) experiments: choose one with experiment = \"title\""
                )
            }
            return all[0]
        }
        guard let found = all.first(where: { $0.definition.name == title }) else {
            let hint = NearestName.hint(for: title, among: all.map(\.definition.name))
            throw TestMistake(
                "\(file) defines no experiment \"\(title.escapedForDisplay)\"\(hint)"
            )
        }
        return found
    }

    /// What is not made up: functions of the script, and what the made-up machine knows.
    private static func source(
        of metric: MetricDefinition,
        on machine: MadeUpMachine,
        _ body: any RunBody
    ) throws(DefinitionError) -> any MetricSource {
        let resolver = TargetResolver(kernel: machine.kernel.kernel)
        if metric.countsProcesses, let target = metric.target {
            return ProcessCount(target: target, resolver: resolver)
        }
        let context = SourceContext(
            kernel: machine.kernel.kernel,
            enterNamespace: { _ in },
            evaluateLua: { name in await body.evaluate(metric: name) },
            resolve: { selector in try await resolver.seen(selector).compactMap(\.process) }
        )
        return try MetricCatalogue().source(for: metric, in: context)
    }
}

/// How many processes of the made-up machine match.
private struct ProcessCount: MetricSource {
    let target: TargetSelector
    let resolver: TargetResolver

    func start() async {}

    func sample() async -> Reading {
        do throws(TargetError) {
            return .value(Double(try await resolver.seen(target).count))
        } catch {
            return .noData("\(error)")
        }
    }

    func stop() async {}
}

/// What is kept of a run.
package struct TestRecord: Sendable {
    /// The report.
    package var report: RunReport
    /// The lines of the agent's journal.
    package var journal: [String]
}

/// A test is told by its result.
struct NobodyWatches: RunObserver {
    func happened(_ event: RunEvent) {}
    func sampled(_ metric: MetricDefinition, _ sample: Sample, isHealthy: Bool) {}
}

extension MadeUpMachine {
    /// What a function of `at` may do.
    func controls(interrupt: @escaping @Sendable () async -> Void) -> LuaTable {
        func named(
            _ name: String,
            _ body: @escaping @Sendable (String) -> Void
        ) -> LuaValue {
            .function(
                LuaFunction(name: "machine.\(name)") { call in
                    body(try call.string(1, "name"))
                    return []
                }
            )
        }
        return LuaTable(fields: [
            "starts": named("starts") { name in
                self.kernel.change { $0.addProcesses(name, count: 1) }
            },
            "ends": named("ends") { name in
                self.kernel.change { world in
                    world.processes = world.processes.filter { $0.value.name != name }
                }
            },
            "agent_dies": .function(
                LuaFunction(name: "machine.agent_dies") { _ in
                    self.killAgent()
                    return []
                }
            ),
            "interrupt": .function(
                LuaFunction(asyncName: "machine.interrupt") { _ in
                    await interrupt()
                    return []
                }
            ),
        ])
    }
}
