// `moonquake abort`: the kill switch from another terminal. It goes to the agents, not to the runners, so that it
// works when a runner hangs, and it returns only after everything was put back.

import ArgumentParser
import ChaosAgent
import ChaosFaults
import ChaosLinux
import ChaosModel
import Glibc

struct AbortCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "abort",
        abstract: "Aborts a run, or all, and GameDays; returns once every fault is reverted."
    )

    @OptionGroup
    var state: StateOptions

    @Argument(
        help: "The run, as `moonquake run` printed it; needed when more than one is under way."
    )
    var runID: String?

    @Flag(name: .long, help: "Abort every run of this state directory.")
    var all = false

    func run() async throws {
        let live = try liveRuns()
        let days = LiveGameDays(stateDirectory: state.path)
        // A day whose experiment is aborted halts by that; another would go on with its next one.
        let waiting = runID == nil ? try days.all(besides: live) : []
        if runID == nil, live.isEmpty, waiting.isEmpty {
            Console.error("nothing to abort: no run and no GameDay is under way in \(state.path)")
        }
        for run in try chosen(from: live) { try await abort(run) }
        for day in waiting { try halt(day) }
        for run in try liveRuns() where days.isOf(run, one: waiting) { try await abort(run) }
        try refuseBlindness()
    }

    private func liveRuns() throws(CommandFailure) -> [LiveJournal] {
        do throws(JournalError) {
            return try LinuxJournals(stateDirectory: state.path).live()
        } catch {
            throw CommandFailure(error)
        }
    }

    /// Its experiment, should one have begun meanwhile, reverts as after Ctrl-C.
    private func halt(_ day: ProcessIdentity) throws {
        do throws(KernelError) {
            guard try LinuxProcesses().signal(day, SIGTERM) else { return }
        } catch {
            throw CommandFailure(
                .unavailable,
                "the GameDay of process \(day.pid) goes on: \(error)"
            )
        }
        Console.output("halted  the GameDay of process \(day.pid), between two experiments")
    }

    /// How long an agent may take to put everything back before we say that it does not.
    private static let patience = Duration.seconds(60)

    private func chosen(from live: [LiveJournal]) throws -> [LiveJournal] {
        if let runID {
            let named = live.filter { $0.run == runID }
            guard named.isEmpty else { return named }
            let known = live.map(\.run).joined(separator: ", ")
            let hint =
                known.isEmpty ? "no run holds a fault here" : "runs that hold faults: \(known)"
            throw CommandFailure(
                .definition,
                "there is no run \"\(runID.escapedForDisplay)\" to abort; \(hint)"
            )
        }
        guard live.count > 1, !all else { return live }
        let known = live.map(\.run).joined(separator: ", ")
        throw CommandFailure(
            .definition,
            "\(live.count) runs are under way (\(known)): name one, or give --all"
        )
    }

    private func abort(_ run: LiveJournal) async throws {
        let processes = LinuxProcesses()
        let ended: Bool
        do throws(KernelError) {
            _ = try processes.signal(run.agent, SIGTERM)
            ended = try await processes.ended(run.agent, within: Self.patience)
        } catch {
            let code: ChaosModel.ExitCode = error.kind == .notPermitted ? .unavailable : .leaked
            let hint =
                error.kind == .notPermitted
                ? "; it belongs to another user: run as that user or as root" : ""
            throw CommandFailure(code, "run \(run.run) is not aborted: \(error)\(hint)")
        }
        guard ended else {
            throw CommandFailure(
                .leaked,
                "run \(run.run): its agent (pid \(run.agent.pid)) has not reverted within "
                    + "\(Self.patience.spelled); end it with SIGKILL, then run `moonquake recover`"
            )
        }
        try await report(run)
    }

    /// Prints what the journal says, and recovers what the agent could not put back.
    private func report(_ run: LiveJournal) async throws {
        let entries = try run.file.lines().compactMap {
            try? WireJSON.value(JournalEntry.self, from: $0)
        }
        var granted: [LeaseID: JournalEntry] = [:]
        for entry in entries {
            guard let lease = entry.lease else { continue }
            if entry.entry == .granted { granted[lease] = entry }
            guard entry.entry == .reverted, let grant = granted.removeValue(forKey: lease) else {
                continue
            }
            let what = "\(grant.fault ?? "?") on \(grant.target.map { "\($0)" } ?? "?")"
            Console.output(
                "\(entry.outcome?.rawValue ?? "reverted")  \(what)  (run \(run.run)): \(entry.seen ?? "")"
            )
        }
        guard granted.isEmpty else {
            throw CommandFailure(
                .leaked,
                "run \(run.run): \(granted.count) not reverted; run `moonquake recover`"
            )
        }
    }

    /// An ordinary user who aborts nothing must know that root's runs were not looked at.
    private func refuseBlindness() throws {
        guard geteuid() != 0, state.path != StateOptions.system,
            access(StateOptions.system, F_OK) == 0,
            access("\(StateOptions.system)/journals/open", R_OK) != 0, errno == EACCES
        else { return }
        throw CommandFailure(
            .unavailable,
            "runs of root cannot be seen or aborted as this user (needs to read "
                + "\(StateOptions.system), and CAP_KILL): run `sudo moonquake abort`"
        )
    }
}
