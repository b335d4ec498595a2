// `moonquake repl`: the primitives, live. What a person types is the body of a run like any other: the same runner, agent,
// leases, limits and journal; and the same end, whatever the end is.

import ArgumentParser
import ChaosEngine
import ChaosFaults
import ChaosLinux
import ChaosModel
import ChaosScript
import ChaosSteadyState
import Glibc
import Synchronization

struct ReplCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "repl",
        abstract: "The primitives at a prompt; leaving it, however, puts every fault back."
    )

    @OptionGroup
    var state: StateOptions
    @OptionGroup
    var script: ScriptOptions

    @Argument(
        help:
            "An experiment whose metrics and limits are in force from the start: a file, or NAME@VERSION."
    )
    var file: String?

    func run() async throws {
        guard script.experiment == nil || file != nil else {
            throw CommandFailure(.definition, "repl: --experiment is of a file: name it")
        }
        let given = try await given()
        let session = PromptSession(
            try await prompt(),
            faults: .all,
            names: PromptNames(faults: .all, metrics: MetricCatalogue())
        )
        let editor = try LineEditor(history: Self.history) { [weak session] text in
            session?.complete(text) ?? ("", [])
        }
        session.attach(editor)
        if Console.isTerminal(STDIN_FILENO) {
            session.say(["Moonquake \(programVersion): help tells what there is; Ctrl-D leaves."])
            if let problem = editor.problem { session.say(["plain lines: \(problem)"]) }
        }
        if let given { session.say([given.inWords]) }
        Glibc.exit(await runs(session, given, PromptProgress(editor)).rawValue)
    }

    /// An experiment that the prompt begins with.
    private struct Given {
        var loaded: LoadedExperiment
        var steadyState: SteadyStateDefinition

        /// `watching errors and p95 of "the shop survives"`.
        var inWords: String {
            let names = steadyState.metrics.map(\.name).joined(separator: ", ")
            return "watching \(names.isEmpty ? "nothing" : names), with the limits of "
                + "\"\(loaded.definition.name.escapedForDisplay)\""
        }
    }

    /// The experiment of the file, without its faults and its body.
    private func given() async throws -> Given? {
        guard let file else { return nil }
        let loaded = try await script.load(file, state)
        let rehearsal = await loaded.rehearse()
        if let error = rehearsal.error {
            throw CommandFailure(.definition, error.description)
        }
        return Given(
            loaded: loaded,
            steadyState: rehearsal.steadyState ?? loaded.definition.steadyState
        )
    }

    private func prompt() async throws -> Prompt {
        let loader = try script.loader
        do throws(ScriptError) {
            return try await loader.prompt()
        } catch {
            throw CommandFailure(.definition, error.description)
        }
    }

    /// The run that goes on.
    private final class Current: Sendable {
        let runner = Mutex<Runner?>(nil)
    }

    /// One run after another, until the person leaves or a signal comes.
    private func runs(
        _ session: PromptSession,
        _ given: Given?,
        _ observer: PromptProgress
    ) async -> ChaosModel.ExitCode {
        let current = Current()
        let isEnded = OnceFlag()
        signal(SIGPIPE, SIG_IGN)
        // A suspended runner is a silent one: its faults would be put back behind the person's back.
        signal(SIGTSTP, SIG_IGN)
        let signals = Signals([SIGINT, SIGTERM, SIGHUP, SIGQUIT]) { number in
            if number == SIGINT, session.interrupt() { return }
            session.leave()
            guard isEnded.take(), let runner = current.runner.withLock({ $0 }) else { return }
            Task { await runner.stop(.signal(number)) }
        }
        var worst = ChaosModel.ExitCode.held
        repeat {
            let body = PromptBody(session, file: given?.loaded.body)
            let runner = await runner(body, given, observer)
            current.runner.withLock { $0 = runner }
            let report = await runner.run()
            tell(report, session)
            if report.restoration == .leaked { worst = .leaked }
            if report.exitCode == ChaosModel.ExitCode.interrupted.rawValue, worst == .held {
                worst = .interrupted
            }
            guard body.hasBegun else {
                return ChaosModel.ExitCode(rawValue: report.exitCode) ?? .inconclusive
            }
        } while !session.isLeaving
        return withExtendedLifetime(signals) { worst }
    }

    private func runner(
        _ body: PromptBody,
        _ given: Given?,
        _ observer: PromptProgress
    ) async -> Runner {
        let steadyState = given?.steadyState ?? SteadyStateDefinition()
        var surroundings = await RunWiring(state: state, script: script).surroundings(
            of: steadyState,
            body: body,
            observer: observer
        )
        surroundings.endpointsOfMetrics = { await RunWiring.metricSources($0) }
        return Runner(
            experiment: ExperimentDefinition(
                name: Prompt.name,
                steadyState: steadyState,
                blastRadius: given?.loaded.definition.blastRadius ?? BlastRadius(),
                hasBody: true,
                file: Prompt.name,
                digest: ""
            ),
            isPlain: true,
            body: body,
            rehearsal: Rehearsal(),
            runID: RunID.make(),
            seed: script.chosenSeed,
            surroundings: surroundings
        )
    }

    /// Says what became of a run, and keeps it when it made a fault.
    private func tell(_ ended: RunReport, _ session: PromptSession) {
        var report = ended
        if report.status != .completed, !session.isLeaving {
            let reason = report.reasons.first ?? report.status.rawValue
            session.complain([
                "the run was ended: \(reason.escapedForDisplay(limit: 2000))",
                report.restoration == .restored
                    ? "everything is put back; the next line begins another"
                    : "NOT everything is put back: run `moonquake recover`",
            ])
        }
        guard !report.faults.isEmpty else { return }
        let text = session.transcript
        let content = DefinitionContent(fileName: "\(Prompt.name).lua", bytes: Array(text.utf8))
        report.definition.digest = content.digest
        session.complain(RunHistory(state: state).keep(report, of: content))
        session.say(["\(report.runID): see `moonquake report \(report.runID)`"])
    }

    /// The file of earlier lines, in a folder of its owner alone; nil without a home.
    private static var history: String? {
        let home = StateOptions.environment("HOME").map { "\($0)/.local/state" }
        guard let state = StateOptions.environment("XDG_STATE_HOME") ?? home else { return nil }
        let folder = "\(state)/moonquake"
        guard (try? LinuxJournals.makeFolder(folder)) != nil else { return nil }
        return "\(folder)/history"
    }
}
