// `moonquake check`: everything about a script that can be known without effects.

import ArgumentParser
import ChaosEngine
import ChaosModel
import ChaosReport
import ChaosScript
import Glibc

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Validates experiments without effects; --plan says what they would hit."
    )

    @OptionGroup
    var state: StateOptions
    @OptionGroup
    var script: ScriptOptions

    @Argument(
        help: ArgumentHelp(
            "The definitions: .lua, .yaml or .json files, or NAME@VERSION of the catalogue.",
            valueName: "file"
        )
    )
    var files: [String]

    @Flag(name: .long, help: "Print targets, faults, what holds each, and the longest abort lag.")
    var plan = false

    func run() async throws {
        var worst = ChaosModel.ExitCode.held
        for file in files {
            do {
                for experiment in try await script.loadAll(file, state) {
                    let code = try await check(experiment, of: file)
                    worst = worst == .held ? code : worst
                }
            } catch let failure as CommandFailure {
                Console.error(failure.message)
                worst = worst == .held ? failure.code : worst
            }
        }
        Glibc.exit(worst.rawValue)
    }

    private func check(_ loaded: LoadedExperiment, of file: String) async throws
        -> ChaosModel.ExitCode
    {
        let rehearsal = await loaded.rehearse()
        if let error = rehearsal.error {
            Console.error(error.description)
            return .definition
        }
        let definition = loaded.definition
        let watched = rehearsal.steadyState ?? definition.steadyState
        // What only the server knows is read by --plan and by a run.
        if let problem = watched.tooShort(rehearsal.length, known: \.declaresInterval) {
            Console.error(problem.description)
            return .definition
        }
        let faults = rehearsal.faults.count
        let metrics = watched.metrics.count
        Console.output(
            "\(file): \"\(definition.name.escapedForDisplay)\" is well-formed: \(faults) "
                + "\(faults == 1 ? "fault" : "faults"), \(metrics) \(metrics == 1 ? "metric" : "metrics")"
        )
        for note in rehearsal.notes { Console.output("  note: \(note)") }
        return plan ? await printPlan(loaded, rehearsal) : .held
    }

    private func printPlan(_ loaded: LoadedExperiment, _ rehearsal: Rehearsal) async
        -> ChaosModel.ExitCode
    {
        let runner = await RunWiring(state: state, script: script)
            .runner(of: loaded, rehearsal, observer: SilentObserver())
        let report = await runner.plan()
        for event in report.timeline where event.kind == .plan { Console.output("  \(event.text)") }
        guard let error = report.error else { return .held }
        Console.error(error.message)
        return ChaosModel.ExitCode(rawValue: report.exitCode) ?? .definition
    }
}

/// Tells nobody.
private struct SilentObserver: RunObserver {
    func happened(_ event: RunEvent) {}
    func sampled(_ metric: MetricDefinition, _ sample: Sample, isHealthy: Bool) {}
}
