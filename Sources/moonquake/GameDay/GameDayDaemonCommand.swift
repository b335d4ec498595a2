// `moonquake gameday daemon`: runs registered GameDays when they are due, for as long as it lives, or those that are due
// now, for a timer that starts it again and again.

import ArgumentParser
import ChaosModel
import Glibc

struct GameDayDaemonCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "daemon",
        abstract: "Runs the registered GameDays when they are due, until it is stopped."
    )

    @OptionGroup
    var state: StateOptions
    @OptionGroup
    var script: ScriptOptions

    @Flag(
        name: .long,
        help: "Start what is due now and end, for a timer; what was started goes on."
    )
    var once = false

    func run() async throws {
        let watch = try ScheduleWatch(state: state, script: script)
        if once { return try await look(watch) }
        let stopped = AsyncStream.makeStream(of: Void.self)
        let signals = Signals([SIGINT, SIGTERM]) { _ in stopped.continuation.finish() }
        Console.error("watching \(watch.folder); GameDays that run go on when this ends")
        let work = Task { try await keepLooking(watch) }
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

    /// Looks once; each GameDay is looked at, whatever is wrong with another.
    private func look(_ watch: ScheduleWatch) async throws {
        let problems = try await watch.look().problems + watch.awaitBeginnings()
        for problem in problems.dropFirst() { Console.error(problem.message) }
        if let first = problems.first { throw first }
    }

    /// A clock that is set and a registration that comes are seen this soon, without anything that tells of them.
    private static let patience = 15.0

    private func keepLooking(_ watch: ScheduleWatch) async throws {
        while true {
            let (pause, problems) = try await watch.look()
            for problem in problems { Console.error(problem.message) }
            let wait = min(Self.patience, max(0.05, pause ?? Self.patience))
            try await Task.sleep(for: .seconds(wait))
        }
    }
}
