// `moonquake gameday schedule`, `unschedule` and `next`: what the daemon has to do.

import ArgumentParser
import ChaosGameDay
import ChaosLinux
import ChaosModel
import ChaosScript
import Foundation

struct GameDayScheduleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schedule",
        abstract:
            "Registers a GameDay for `moonquake gameday daemon`; nothing runs before its next time."
    )

    @OptionGroup
    var state: StateOptions
    @OptionGroup
    var script: ScriptOptions

    @Argument(help: "The GameDay: a Lua script with a schedule.")
    var file: String

    func run() async throws {
        let path = RegisteredGameDays.wholePath(file)
        let day = try await GameDayFile(path: path, script: script).load()
        guard let schedule = day.definition.schedule else {
            throw CommandFailure(
                .definition,
                "\(file): the GameDay has no schedule: write schedule = { every = \"week\", … }"
            )
        }
        let days = RegisteredGameDays(stateDirectory: state.path)
        let now = Date(timeIntervalSince1970: LinuxTime().secondsSince1970)
        let known = try days.all().first { $0.file == path }
        if let known {
            Console.output(
                "\"\(known.name.escapedForDisplay)\" is registered already; its schedule is read from the file each time"
            )
        }
        var registered =
            known
            ?? RegisteredGameDay(
                file: path,
                name: day.definition.name,
                seed: UInt64.random(in: 1 ... .max),
                state: ScheduleState(registered: now),
                history: []
            )
        if known == nil || registered.options ?? [] != script.words {
            registered.options = script.words
            do throws(KernelError) {
                try days.save(registered)
            } catch {
                throw CommandFailure(.unavailable, "\(error)")
            }
        }
        let next = schedule.next(after: now, registered: now).map {
            WallClock.text($0, in: schedule.zone)
        }
        Console.output(
            "\"\(day.definition.name.escapedForDisplay)\" runs \(schedule); next: \(next ?? "never")"
        )
    }
}

struct GameDayUnscheduleCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unschedule",
        abstract: "Takes a GameDay off the schedule."
    )

    @OptionGroup
    var state: StateOptions

    @Argument(help: "The GameDay's file.")
    var file: String

    func run() throws {
        let path = RegisteredGameDays.wholePath(file)
        guard RegisteredGameDays(stateDirectory: state.path).remove(path) else {
            throw CommandFailure(
                .definition,
                "\(path) is not registered; see `moonquake gameday next`"
            )
        }
        Console.output("\(path) is off the schedule")
    }
}

struct GameDayNextCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "next",
        abstract:
            "Lists the registered GameDays: when each runs next, and what became of its last time."
    )

    @OptionGroup
    var state: StateOptions
    @OptionGroup
    var script: ScriptOptions

    func run() async throws {
        let entries = try RegisteredGameDays(stateDirectory: state.path).entries()
        if entries.isEmpty {
            Console.output("no GameDay is registered; see `moonquake gameday schedule`")
        }
        let now = Date(timeIntervalSince1970: LinuxTime().secondsSince1970)
        for entry in entries {
            guard case .success(let day) = entry else {
                if case .failure(let problem) = entry { Console.output(problem.message) }
                continue
            }
            Console.output("\"\(day.name.escapedForDisplay)\" (\(day.file.escapedForDisplay))")
            do {
                let script = try day.options(beside: script)
                let definition = try await GameDayFile(path: day.file, script: script).load()
                    .definition
                guard let schedule = definition.schedule else {
                    Console.output("  never: the file has no schedule any more")
                    continue
                }
                let after = max(now, day.state.settled)
                let next =
                    day.state.pending?.start
                    ?? schedule.next(after: after, registered: day.state.registered)
                Console.output(
                    "  next: \(next.map { WallClock.text($0, in: schedule.zone) } ?? "never")"
                )
                if let last = day.history.last {
                    let missed = last.missed > 0 ? ", \(last.missed) missed before it" : ""
                    Console.output(
                        "  last: \(WallClock.text(last.due, in: schedule.zone)): \(last.outcome)\(missed)"
                    )
                }
            } catch let failure as CommandFailure {
                Console.output("  never: \(failure.message)")
            }
        }
    }
}
