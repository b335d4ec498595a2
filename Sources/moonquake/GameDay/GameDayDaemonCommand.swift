// `moonquake gameday daemon`: runs registered GameDays when they are due, each as a program of its own, so that the end
// of the daemon ends none and the end of one does not end the daemon.

import ArgumentParser
import ChaosGameDay
import ChaosLinux
import ChaosModel
import Foundation
import Synchronization

struct GameDayDaemonCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "daemon",
        abstract: "Runs the registered GameDays when they are due, until it is stopped."
    )

    @OptionGroup
    var state: StateOptions
    @OptionGroup
    var script: ScriptOptions

    func run() async throws {
        let days = RegisteredGameDays(stateDirectory: state.path)
        let stopped = AsyncStream.makeStream(of: Void.self)
        let signals = Signals([SIGINT, SIGTERM]) { _ in stopped.continuation.finish() }
        Console.error("watching \(days.folder); GameDays that run go on when this ends")
        let work = Task { try await watch(days) }
        let end = Task {
            for await _ in stopped.stream {}
            work.cancel()
        }
        defer { end.cancel() }
        do {
            try await work.value
        } catch is CancellationError {
            Console.error("stopped")
        }
        withExtendedLifetime(signals) {}
    }

    /// A clock that is set and a registration that comes are seen this soon, without anything that tells of them.
    private static let look = 15.0

    private func watch(_ days: RegisteredGameDays) async throws {
        var running: [String: RunningGameDay] = [:]
        while true {
            var pause = Self.look
            for day in try days.all() {
                if let wait = try await step(day, days, &running) { pause = min(pause, wait) }
            }
            try await Task.sleep(for: .seconds(max(0.05, pause)))
        }
    }

    /// Does what is due for one GameDay; returns how long nothing more is.
    private func step(
        _ day: RegisteredGameDay,
        _ days: RegisteredGameDays,
        _ running: inout [String: RunningGameDay]
    ) async throws -> Double? {
        var day = day
        let schedule: Schedule
        do {
            guard
                let found = try await GameDayFile(path: day.file, script: script).load().definition
                    .schedule
            else {
                return nil
            }
            schedule = found
        } catch let failure as CommandFailure {
            Console.error(failure.message)
            return nil
        }
        let ticker = ScheduleTicker(schedule, seed: day.seed)
        let now = Date(timeIntervalSince1970: LinuxTime().secondsSince1970)
        if running[day.file]?.hasEnded == true { running[day.file] = nil }
        let step = ticker.step(&day.state, now: now, isRunning: isRunning(day, running))
        switch step {
        case .wait(let until):
            try days.save(day)
            return until.map { $0.timeIntervalSince(now) }
        case .skip(let due, let missed, let reason):
            day.note(due, "skipped: \(reason)", missed: missed)
            try days.save(day)
            Console.error(
                "\(day.name.escapedForDisplay): \(WallClock.text(due, in: schedule.zone)) skipped: \(reason)"
            )
        case .fire(let due, let missed):
            day.note(due, "started", missed: missed)
            // Stored before it is done: a restart at this very moment runs it once or not at all, never twice.
            try days.save(day)
            running[day.file] = try start(day)
            Console.error(
                "\(day.name.escapedForDisplay): \(WallClock.text(due, in: schedule.zone)) started"
            )
        }
        return 0
    }

    /// Also one that another daemon, or a person, started.
    private func isRunning(
        _ day: RegisteredGameDay,
        _ running: [String: RunningGameDay]
    ) -> Bool {
        running[day.file] != nil
            || GameDayLock(of: day.file, stateDirectory: state.path).holder != nil
    }

    private func start(_ day: RegisteredGameDay) throws(KernelError) -> RunningGameDay {
        var arguments = [OwnProgram.path, "gameday", "run", "--json", "--state-dir", state.path]
        if script.sudo { arguments.append("--sudo") }
        return RunningGameDay(
            try LineProcess(OwnProgram.path, arguments + [day.file], errorOutput: STDERR_FILENO)
        )
    }
}

/// A GameDay that the daemon started.
private final class RunningGameDay: Sendable {
    private let ended = Atomic<Bool>(false)
    private let process: LineProcess

    /// Reads what it says, so that it never waits for us; its report is what counts.
    init(_ process: LineProcess) {
        self.process = process
        let lines = process.lines
        Task { [weak self] in
            for await _ in lines {}
            self?.ended.store(true, ordering: .releasing)
        }
    }

    var hasEnded: Bool { ended.load(ordering: .acquiring) }
}
