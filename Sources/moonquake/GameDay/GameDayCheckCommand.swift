// `moonquake gameday check`: everything about a GameDay that can be known without effects.

import ArgumentParser
import ChaosGameDay
import ChaosLinux
import ChaosModel
import ChaosScript
import Foundation

struct GameDayCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract:
            "Validates a GameDay and its experiments without effects, and says when it would run."
    )

    @OptionGroup
    var state: StateOptions
    @OptionGroup
    var script: ScriptOptions

    @Argument(help: "The GameDays: Lua scripts.")
    var files: [String]

    func run() async throws {
        for file in files {
            let day = try await GameDayFile(path: file, script: script).load()
            let experiments = try GameDayExperiments(
                day: day,
                state: state,
                script: script,
                json: false
            )
            do throws(DefinitionError) {
                let plan = try await DayPlan(day.definition, from: experiments)
                for entry in plan.entries {
                    _ = try await experiments.prepare(entry.reference) { _ in }
                }
                Console.output(
                    "\(file): GameDay \"\(day.definition.name.escapedForDisplay)\" is well-formed: "
                        + "\(plan.entries.count) experiments, plan \(plan.digest)"
                )
                for entry in plan.entries {
                    Console.output("  \"\(entry.title.escapedForDisplay)\" (\(entry.reference))")
                }
            } catch {
                throw CommandFailure(.definition, error.description)
            }
            if let schedule = day.definition.schedule { printTimes(of: schedule) }
        }
    }

    private func printTimes(of schedule: Schedule) {
        let now = Date(timeIntervalSince1970: LinuxTime().secondsSince1970)
        Console.output("  runs \(schedule); if it were registered now, next at:")
        let horizon = now.addingTimeInterval(9 * 366 * 86_400)
        for date in schedule.occurrences(after: now, through: horizon, registered: now, limit: 3) {
            Console.output("    \(WallClock.text(date, in: schedule.zone))")
        }
    }
}

/// Moments as a wall clock shows them.
enum WallClock {
    /// `Tue 2026-12-01 10:00:00 Europe/Oslo`.
    static func text(_ date: Date, in zone: String) -> String {
        let format = Date.VerbatimFormatStyle(
            format:
                "\(weekday: .abbreviated) \(year: .defaultDigits)-\(month: .twoDigits)-\(day: .twoDigits) \(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased)):\(minute: .twoDigits):\(second: .twoDigits)",
            locale: Locale(identifier: "en_US_POSIX"),
            timeZone: TimeZone(identifier: zone) ?? .gmt,
            calendar: Calendar(identifier: .gregorian)
        )
        return "\(date.formatted(format)) \(zone)"
    }
}
