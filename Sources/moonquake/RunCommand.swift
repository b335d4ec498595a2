// `moonquake run`: one experiment, from its script to its report.

import ArgumentParser
import ChaosEngine
import ChaosFaults
import ChaosLinux
import ChaosModel
import ChaosReport
import ChaosScript
import Glibc

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Runs an experiment; whatever happens, its faults are reverted."
    )

    @OptionGroup
    var state: StateOptions
    @OptionGroup
    var script: ScriptOptions

    @Argument(
        help: "The experiment: a .lua, .yaml or .json file, or NAME@VERSION of the catalogue."
    )
    var file: String?

    @Option(
        name: .long,
        help: ArgumentHelp(
            "Run what a past run ran: its exact definition, parameters and seed; `last` for the last.",
            valueName: "run"
        )
    )
    var again: String?

    @OptionGroup
    var reports: ReportOptions

    @Flag(
        name: .customLong("dry-run"),
        help:
            "All phases but the effects: samples the metrics, resolves the targets, plans each fault."
    )
    var isDryRun = false

    @Flag(
        name: .customLong("shadow"),
        help:
            "Harm nothing: count what share of the packets the faults of network and dns would hit, for as long."
    )
    var isShadow = false

    @Flag(name: .long, help: "Print events and samples as JSON lines on standard output.")
    var json = false

    @Flag(
        name: .long,
        help:
            "Run although an earlier run has left something on this host; it is told all the same."
    )
    var force = false

    func run() async throws {
        let writers = try reports.writers
        var script = script
        let loaded: LoadedExperiment
        if let again {
            let past = try PastRun(again, state)
            script = try past.options(script)
            loaded = try await past.load(script)
        } else {
            loaded = try await script.load(file ?? "", state)
        }
        let rehearsal = await loaded.rehearse()
        let runner = await RunWiring(state: state, script: script, toleratesResidue: force).runner(
            of: loaded,
            rehearsal,
            mode: try mode,
            observer: Console.observer(json: json)
        )
        let report = await interruptible(runner)
        keep(report, of: loaded.content)
        for writer in writers { try writer.write(report) }
        if !json { Console.write(summary(of: report), to: STDOUT_FILENO) }
        Glibc.exit(report.exitCode)
    }

    private var mode: RunMode {
        get throws {
            guard !(isDryRun && isShadow) else {
                throw CommandFailure(.definition, "run: give --dry-run or --shadow, not both")
            }
            return isDryRun ? .dryRun : isShadow ? .shadow : .run
        }
    }

    func validate() throws {
        guard (file == nil) != (again == nil) else {
            throw ValidationError("give a definition, or --again RUN")
        }
    }

    /// Keeps report and definition in the history, which no run fails for.
    private func keep(_ report: RunReport, of content: DefinitionContent) {
        for problem in RunHistory(state: state).keep(report, of: content) {
            Console.error(problem)
        }
    }

    private func summary(of report: RunReport) -> String {
        TerminalSummary(colours: Console.hasColours(STDOUT_FILENO)).text(report)
    }

    /// Runs, and lets signals stop it: the first begins the rollback, the others change nothing.
    private func interruptible(_ runner: Runner) async -> RunReport {
        signal(SIGPIPE, SIG_IGN)
        let isFirst = OnceFlag()
        let signals = Signals([SIGINT, SIGTERM, SIGHUP, SIGQUIT]) { number in
            if isFirst.take() {
                Task { await runner.stop(.signal(number)) }
            } else {
                Task {
                    Console.error(
                        "reverting, \(await runner.faultsInForce) left; this cannot be skipped"
                    )
                }
            }
        }
        let report = await runner.run()
        return withExtendedLifetime(signals) { report }
    }
}
