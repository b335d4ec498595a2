// One GameDay on a made-up machine: the real playbook runner over runs of the real engine. Gates are answered by the
// test, and notices go nowhere but into its result.

import ChaosEngine
import ChaosGameDay
import ChaosModel
import ChaosScript
import ChaosSteadyState
import LuaBridge
import Synchronization

/// Runs the GameDay of one call of a test.
struct TestDay {
    private let run: TestRun

    init(_ run: TestRun) { self.run = run }

    /// Runs `file`, and tells of what came out.
    func run(_ file: String) async throws -> LuaValue {
        let (trial, path) = (run.trial, run.trial.path(of: file))
        let day: LoadedGameDay
        do throws(ScriptError) {
            guard let found = try await run.loader.loadGameDay(file: path) else {
                throw ScriptError.definition(
                    DefinitionError(file, "defines no GameDay: use t.run"),
                    traceback: ""
                )
            }
            day = found
        } catch {
            throw TestMistake(error.description)
        }
        let source = TestExperiments(run, of: path)
        let earlier = trial.records.count
        let notices = KeptNotices()
        let runner = GameDayRunner(
            day.definition,
            plan: try await plan(day.definition, from: source),
            body: day.body,
            id: trial.nextRunID(),
            surroundings: DaySurroundings(
                experiments: source,
                health: day.definition.health.map(health),
                approvals: MadeUpApprovals(run.options.approve, in: trial),
                notifications: Notifications([("test", notices)], time: trial.clock),
                store: NothingKept(),
                observer: NobodyWatchesTheDay(),
                time: trial.clock
            )
        )
        let report = await runner.run()
        if let problem = run.metrics.problem(of: file) { throw problem }
        return try table(report, notices, runs: trial.records.dropFirst(earlier))
    }

    private func plan(
        _ definition: GameDayDefinition,
        from source: TestExperiments
    ) async throws(TestMistake) -> DayPlan {
        do throws(DefinitionError) {
            return try await DayPlan(definition, from: source)
        } catch {
            throw TestMistake(error.description)
        }
    }

    private func health(_ steadyState: SteadyStateDefinition) -> HealthWatch {
        let metrics = run.metrics
        return HealthWatch(
            steadyState,
            makeSource: { metric throws(DefinitionError) in
                try metrics.source(of: metric) { other throws(DefinitionError) in
                    throw DefinitionError("metric.lua", "the test says nothing of \(other.name)")
                }
            },
            time: run.trial.clock
        )
    }

    private func table(
        _ report: GameDayReport,
        _ notices: KeptNotices,
        runs: ArraySlice<TestRecord>
    ) throws -> LuaValue {
        let journal = run.machine.journal.sorted { $0.key < $1.key }.flatMap(\.value)
        var value = try ReportTable.of(report, journal).table ?? LuaTable()
        value["runs"] = .table(
            LuaTable(array: try runs.map { try ReportTable.of($0.report, $0.journal) })
        )
        value["notices"] = .table(
            LuaTable(
                array: notices.all.map {
                    .table(
                        LuaTable(fields: [
                            "kind": .string($0.kind.rawValue), "text": .string($0.text),
                        ])
                    )
                }
            )
        )
        return .table(value)
    }
}

/// The experiments of a day, run on the test's machine.
private struct TestExperiments: ExperimentsOfFiles {
    private let run: TestRun
    let files: DayFiles

    init(_ run: TestRun, of path: String) {
        self.run = run
        let loader = run.loader
        let (trial, catalogue) = (run.trial, run.options.catalogue)
        files = DayFiles(of: path, loader: loader) { reference throws(DefinitionError) in
            guard let file = catalogue[reference.name] else {
                throw DefinitionError(
                    "catalog",
                    "the test has no \(reference.name): add catalog = { [\"\(reference.name)\"] = \"file.lua\" }"
                )
            }
            do throws(ScriptError) {
                return try await loader.load(file: trial.path(of: file))
            } catch {
                throw DefinitionError("catalog", error.description)
            }
        }
    }

    func prepare(
        _ reference: ExperimentReference,
        whenAborted: @escaping @Sendable (String) -> Void
    ) async throws(DefinitionError) -> any ExperimentRun {
        let loaded = try await files.load(reference)
        return TestExperiment(
            title: loaded.definition.name,
            runner: await run.runner(
                of: loaded,
                observer: AbortWatch(beside: NobodyWatches(), whenAborted)
            ),
            run: run
        )
    }

    func reportFile(of report: RunReport) -> String? { nil }
}

/// One experiment of a day.
private struct TestExperiment: ExperimentRun {
    let title: String
    let runner: Runner
    let run: TestRun

    func run() async -> RunReport {
        let report = await runner.run()
        run.keep(report)
        return report
    }

    func stop(_ reason: String) async { await runner.stop(.person(reason)) }
}

/// Gates that a test answers: with a boolean, or a function of what is asked for.
private final class MadeUpApprovals: ApprovalPort {
    private let answer: LuaValue
    private let trial: Trial
    private let given = Mutex<[String: [GateAnswer]]>([:])
    private let waiting = Mutex<[String: AsyncStream<Void>.Continuation]>([:])

    init(_ answer: LuaValue, in trial: Trial) {
        self.answer = answer
        self.trial = trial
    }

    func open(_ gate: Gate) throws(KernelError) {
        Task {
            guard let approves = await decide(gate) else { return }
            given.withLock { given in
                given[gate.id] = (1...max(1, gate.approvers)).map { number in
                    GateAnswer(
                        who: "tester-\(number)",
                        approves: approves,
                        comment: nil,
                        at: trial.clock.secondsSince1970,
                        planDigest: gate.planDigest
                    )
                }
            }
            waiting.withLock { $0[gate.id] }?.yield()
        }
    }

    func answers(to gate: Gate) throws(KernelError) -> [GateAnswer] {
        given.withLock { $0[gate.id] ?? [] }
    }

    func changes(of gate: Gate) throws(KernelError) -> AsyncStream<Void> {
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
        waiting.withLock { $0[gate.id] = continuation }
        return stream
    }

    func close(_ gate: Gate) throws(KernelError) {
        waiting.withLock { $0.removeValue(forKey: gate.id) }?.finish()
    }

    /// Yes, no, or nobody.
    private func decide(_ gate: Gate) async -> Bool? {
        guard case .function(let function) = answer else { return answer.boolean }
        let values = try? await trial.vm.call(function, [.string(gate.subject)])
        return values?.first?.boolean
    }
}

/// Keeps what people would be told.
private final class KeptNotices: NoticeSender {
    private let notices = Mutex<[Notice]>([])

    var all: [Notice] { notices.withLock { $0 } }

    func send(_ notice: Notice) async throws { notices.withLock { $0.append(notice) } }
}

/// A test's day is never resumed.
private struct NothingKept: DayStore {
    func save(_ report: GameDayReport) throws(KernelError) {}
}

/// A test is told by its result.
private struct NobodyWatchesTheDay: DayObserver {
    func happened(_ event: GameDayReport.Event) {}
    func now(_ place: DayPlace, until: Double?) {}
}
