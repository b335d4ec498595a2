// Where the experiments of a GameDay come from on this machine, and how they run: as `moonquake run` runs them.

import ChaosCatalog
import ChaosEngine
import ChaosGameDay
import ChaosLinux
import ChaosModel
import ChaosReport
import ChaosScript
import ChaosSteadyState
import Glibc

/// The experiments of one GameDay.
struct GameDayExperiments: ExperimentsOfFiles {
    let day: LoadedGameDay
    let state: StateOptions
    let script: ScriptOptions
    let loader: ScriptLoader
    let json: Bool

    init(day: LoadedGameDay, state: StateOptions, script: ScriptOptions, json: Bool) throws {
        self.day = day
        self.state = state
        self.script = script
        loader = try script.loader
        self.json = json
    }

    func prepare(
        _ reference: ExperimentReference,
        whenAborted: @escaping @Sendable (String) -> Void
    ) async throws(DefinitionError) -> any ExperimentRun {
        let loaded = try await files.load(reference)
        let rehearsal = await loaded.rehearse()
        if let error = rehearsal.error { throw error }
        let runner = await RunWiring(state: state, script: script)
            .runner(
                of: loaded,
                rehearsal,
                observer: AbortWatch(beside: Console.observer(json: json), whenAborted)
            )
        return GameDayExperimentRun(
            title: loaded.definition.name,
            content: loaded.content,
            runner: runner,
            state: state
        )
    }

    func reportFile(of report: RunReport) -> String? {
        RunFolder(stateDirectory: state.path).path(of: report)
    }

    /// The health check of a day; nil when it has none.
    func healthCheck(of definition: GameDayDefinition) async -> (any HealthCheck)? {
        guard let health = definition.health else { return nil }
        let surroundings = await RunWiring(state: state, script: script)
            .surroundings(
                of: health,
                body: ListedMetricsOnly(),
                observer: Console.observer(json: json)
            )
        return HealthWatch(health, makeSource: surroundings.makeSource, time: LinuxTime())
    }

    // MARK: Finding

    var files: DayFiles {
        DayFiles(of: day.definition.file, loader: loader) {
            [state, loader] reference throws(DefinitionError) in
            try await Self.load(reference, state, loader)
        }
    }

    /// A definition of the catalogue, as it is there now.
    private static func load(
        _ reference: CatalogReference,
        _ state: StateOptions,
        _ loader: ScriptLoader
    ) async throws(DefinitionError) -> [LoadedExperiment] {
        let found: (version: CatalogVersion, content: DefinitionContent)
        do throws(CommandFailure) {
            found = try state.using { (catalog) throws(CatalogError) in
                try catalog.find(reference)
            }
        } catch {
            throw DefinitionError("gameday", error.message)
        }
        do throws(ScriptError) {
            return try await loader.load(
                stored: found.content,
                called: found.version.reference.description,
                version: found.version.version
            )
        } catch {
            throw DefinitionError("gameday", error.description)
        }
    }
}

/// One experiment of a day.
private struct GameDayExperimentRun: ExperimentRun {
    let title: String
    let content: DefinitionContent
    let runner: Runner
    let state: StateOptions

    func run() async -> RunReport {
        let report = await runner.run()
        for problem in RunHistory(state: state).keep(report, of: content) {
            Console.error(problem)
        }
        return report
    }

    func stop(_ reason: String) async { await runner.stop(.person(reason)) }
}

/// The body of a health check: it has no functions.
private struct ListedMetricsOnly: RunBody {
    func run(_ controls: any RunControls) async throws(BodyError) {}
    func stop(reason: String) {}
    func evaluate(metric name: String) async -> Reading {
        .noData("there is no function for \(name)")
    }
}
