// `moonquake gameday run`: one GameDay, from its file to its report.

import ArgumentParser
import ChaosGameDay
import ChaosLinux
import ChaosModel
import ChaosReport
import ChaosScript
import Glibc

struct GameDayRunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Runs a GameDay; each experiment ends with its faults reverted, whatever happens."
    )

    @OptionGroup
    var state: StateOptions
    @OptionGroup
    var script: ScriptOptions

    @Argument(help: "The GameDay: a Lua script.")
    var file: String

    @Flag(
        name: .long,
        help: "Go on after the last experiment that ended before this GameDay was cut off."
    )
    var resume = false

    @OptionGroup
    var reports: ReportOptions

    @Flag(
        name: .long,
        help: "Print the events of the day and of its runs as JSON lines on standard output."
    )
    var json = false

    func run() async throws {
        let writers = try reports.writers
        let day = try await GameDayFile(path: file, script: script).load()
        let experiments = try GameDayExperiments(day: day, state: state, script: script, json: json)
        let plan = try await plan(day, experiments)
        try ProcessLock.gameDay(file, stateDirectory: state.path).take { holder in
            "this GameDay runs already\(holder): wait for its end, or stop it"
        }
        let store = GameDayStore(stateDirectory: state.path)
        let earlier = try resume ? store.unfinished(of: day.definition, plan: plan) : nil
        let observer = GameDayProgress(json: json)
        let runner = GameDayRunner(
            day.definition,
            plan: plan,
            body: day.body,
            id: earlier?.gameDayID ?? RunID.make(),
            resuming: earlier,
            surroundings: DaySurroundings(
                experiments: experiments,
                health: await experiments.healthCheck(of: day.definition),
                approvals: TerminalApprovals(
                    LinuxApprovals(stateDirectory: state.path),
                    observer
                ),
                notifications: Notifications(day.definition.notifiers, time: LinuxTime()),
                store: store,
                observer: observer,
                time: LinuxTime(),
                redactor: Console.redactor
            )
        )
        let result = await interruptible(runner)
        observer.end()
        for writer in writers {
            try writer.write(result, runs: RunFolder(stateDirectory: state.path))
        }
        if !json { Console.write(summary(of: result), to: STDOUT_FILENO) }
        Glibc.exit(result.exitCode)
    }

    private func plan(
        _ day: LoadedGameDay,
        _ experiments: GameDayExperiments
    ) async throws -> DayPlan {
        do throws(DefinitionError) {
            return try await DayPlan(day.definition, from: experiments)
        } catch {
            throw CommandFailure(.definition, error.description)
        }
    }

    private func summary(of report: GameDayReport) -> String {
        GameDaySummary(colours: Console.hasColours(STDOUT_FILENO)).text(report)
    }

    /// Runs, and lets signals end it: the first begins the rollback, the others change nothing.
    private func interruptible(_ runner: GameDayRunner) async -> GameDayReport {
        signal(SIGPIPE, SIG_IGN)
        let isFirst = OnceFlag()
        let signals = Signals([SIGINT, SIGTERM, SIGHUP, SIGQUIT]) { number in
            guard isFirst.take() else {
                Console.error(
                    "the GameDay is ending and what it did is being reverted; this cannot be skipped"
                )
                return
            }
            let name = String(cString: strsignal(number)).lowercased()
            Task { await runner.stop("stopped by a signal (\(name))") }
        }
        let report = await runner.run()
        return withExtendedLifetime(signals) { report }
    }
}
