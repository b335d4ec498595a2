// The states of GameDays in the state directory, one file a day, so that one that was cut off can go on.

import ChaosGameDay
import ChaosLinux
import ChaosModel
import Glibc

/// The folder of GameDays.
struct GameDayStore: DayStore {
    let stateDirectory: String

    private var folder: String { "\(stateDirectory)/gamedays" }

    func save(_ report: GameDayReport) throws(KernelError) {
        let operation = "store the state of GameDay \(report.gameDayID)"
        guard let text = try? WireJSON.pretty(report) else {
            throw KernelError(.failed, operation, "it is not JSON")
        }
        try StateFile.write(text + "\n", to: "\(folder)/\(report.gameDayID).json", operation)
    }

    /// The newest day of a definition that did not come to its end.
    ///
    /// - Throws: why there is none to go on with.
    func unfinished(of definition: GameDayDefinition, plan: DayPlan) throws -> GameDayReport {
        let days = try StateFile.names(in: folder).filter { $0.hasSuffix(".json") }.sorted(by: >)
        for name in days {
            guard let text = StateFile.read("\(folder)/\(name)"),
                let report = try? WireJSON.value(GameDayReport.self, from: text),
                report.definition.name == Console.redactor.mask(definition.name)
            else { continue }
            guard report.status == .running else {
                throw CommandFailure(
                    .definition,
                    "GameDay \"\(definition.name)\": nothing to resume, its last day (\(report.gameDayID)) "
                        + "is \(report.status.rawValue)"
                )
            }
            guard report.planDigest == plan.digest else {
                throw CommandFailure(
                    .definition,
                    "GameDay \"\(definition.name)\": day \(report.gameDayID) cannot go on, since the GameDay or an "
                        + "experiment has changed since (\(report.planDigest) then, \(plan.digest) now)"
                )
            }
            return report
        }
        throw CommandFailure(
            .definition,
            "GameDay \"\(definition.name)\": nothing to resume, no day of it is in \(folder)"
        )
    }

    /// The report of a GameDay: by its name, or a file that is one; nil when it is none.
    func report(of name: String) throws(CommandFailure) -> GameDayReport? {
        let isFile = name.contains("/") || name.hasSuffix(".json")
        let path = isFile ? name : "\(folder)/\(name).json"
        guard let text = StateFile.read(path) else { return nil }
        // Of the files that somebody names, most are reports of runs.
        guard !isFile || text.contains("\"game_day_id\"") else { return nil }
        return try StateFile.report(path) as GameDayReport
    }
}
