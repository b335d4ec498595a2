// Looks at the registered GameDays and starts what is due, each as a program of its own, so that the end of this one ends
// none and the end of one does not end this. One process at a time does that for a state directory.

import ChaosGameDay
import ChaosLinux
import ChaosModel
import Foundation

/// The one that starts registered GameDays.
actor ScheduleWatch {
    private let state: StateOptions
    private let script: ScriptOptions
    private let days: RegisteredGameDays
    private var running: [String: RunningGameDay] = [:]

    /// Takes over the registered GameDays of a state directory until this process ends.
    ///
    /// - Throws: who has them.
    init(state: StateOptions, script: ScriptOptions) throws {
        self.state = state
        self.script = script
        days = RegisteredGameDays(stateDirectory: state.path)
        try ProcessLock.schedules(stateDirectory: state.path).take {
            [folder = days.folder] holder in
            "another `moonquake gameday daemon`\(holder) starts what is due in \(folder): one is enough"
        }
    }

    /// Where the registered GameDays are.
    nonisolated var folder: String { days.folder }

    /// Does what is due for each of them.
    ///
    /// - Returns: for how many seconds nothing more is; nil when nothing ever is. And what kept one from being looked at.
    func look() async throws -> (pause: Double?, problems: [CommandFailure]) {
        var (pause, problems): (Double?, [CommandFailure]) = (nil, [])
        for entry in try days.entries() {
            do throws(CommandFailure) {
                guard let wait = try await settle(try entry.get()) else { continue }
                pause = min(pause ?? wait, wait)
            } catch {
                problems.append(error)
            }
        }
        return (pause, problems)
    }

    /// Waits until what was started has begun, so that whoever looks next finds it running.
    ///
    /// - Returns: what did not begin.
    func awaitBeginnings() async -> [CommandFailure] {
        var problems: [CommandFailure] = []
        for (file, day) in running where await !day.hasBegun(within: .seconds(60)) {
            let text = "\(file.escapedForDisplay) was due, was started and did not begin"
            problems.append(CommandFailure(.definition, text))
        }
        return problems
    }

    /// No more than these at one look: what is due up to now is settled by the first.
    private static let mostSteps = 10

    /// Does what is due for one GameDay; returns how long nothing more is.
    private func settle(_ day: RegisteredGameDay) async throws(CommandFailure) -> Double? {
        guard let schedule = try await schedule(of: day) else { return nil }
        let ticker = ScheduleTicker(schedule, seed: day.seed)
        var day = day
        for _ in 0..<Self.mostSteps {
            let now = Date(timeIntervalSince1970: LinuxTime().secondsSince1970)
            if running[day.file]?.hasEnded == true { running[day.file] = nil }
            let step = ticker.step(&day.state, now: now, isRunning: isRunning(day))
            if case .wait(let until) = step {
                try save(day)
                return until.map { $0.timeIntervalSince(now) }
            }
            try take(step, of: &day, in: schedule.zone)
        }
        return 0
    }

    private func take(
        _ step: ScheduleStep,
        of day: inout RegisteredGameDay,
        in zone: String
    ) throws(CommandFailure) {
        func tell(_ due: Date, _ outcome: String) {
            let name = day.name.escapedForDisplay
            Console.error("\(name): \(WallClock.text(due, in: zone)) \(outcome)")
        }
        switch step {
        case .wait: break
        case .skip(let due, let missed, let reason):
            day.note(due, "skipped: \(reason)", missed: missed)
            try save(day)
            tell(due, "skipped: \(reason)")
        case .fire(let due, let missed):
            day.note(due, "started", missed: missed)
            // Stored before it is done: a restart at this very moment runs it once or not at all, never twice.
            try save(day)
            running[day.file] = try start(day)
            tell(due, "started")
        }
    }

    /// The schedule as the file has it now; nil when it has none any more.
    private func schedule(of day: RegisteredGameDay) async throws(CommandFailure) -> Schedule? {
        do {
            let script = try day.options(beside: script)
            return try await GameDayFile(path: day.file, script: script).load().definition.schedule
        } catch let failure as CommandFailure {
            throw failure
        } catch {
            throw CommandFailure(.definition, "\(day.file.escapedForDisplay): \(error)")
        }
    }

    private func save(_ day: RegisteredGameDay) throws(CommandFailure) {
        do throws(KernelError) {
            try days.save(day)
        } catch {
            throw CommandFailure(.unavailable, "\(error)")
        }
    }

    /// Also one that another daemon, or a person, started.
    private func isRunning(_ day: RegisteredGameDay) -> Bool {
        running[day.file] != nil
            || ProcessLock.gameDay(day.file, stateDirectory: state.path).holder != nil
    }

    private func start(_ day: RegisteredGameDay) throws(CommandFailure) -> RunningGameDay {
        let program = [OwnProgram.path, "gameday", "run", "--json", "--state-dir", state.path]
        let words = (day.options ?? []) + script.words
        do throws(KernelError) {
            return RunningGameDay(
                try LineProcess(
                    OwnProgram.path,
                    program + words + [day.file],
                    errorOutput: STDERR_FILENO
                )
            )
        } catch {
            throw CommandFailure(.unavailable, "\(error)")
        }
    }
}
