// The report of a GameDay as JUnit XML, for CI: each experiment is a test case, and so is the day itself, which fails
// when it was halted by a gate or by a system that did not recover.

package import ChaosGameDay
import ChaosModel

/// A GameDay as JUnit XML.
package struct GameDayJUnit: Sendable {
    private let day: GameDayReport

    /// Makes a view of a report.
    package init(_ day: GameDayReport) { self.day = day }

    /// The text, with a newline at its end.
    package var text: String {
        let runs = day.experiments.compactMap(\.runID).joined(separator: " ")
        return JUnitSuite(
            name: day.definition.name,
            startedAt: day.startedAt,
            seconds: day.lengthMs / 1000,
            properties: [
                ("game_day_id", day.gameDayID), ("status", day.status.rawValue),
                ("exit_code", "\(day.exitCode)"), ("plan_digest", day.planDigest),
                ("run_ids", runs),
            ],
            cases: [whole] + day.experiments.map(experiment)
        )
        .text
    }

    private var whole: JUnitSuite.Case {
        let why = day.reasons.joined(separator: "\n")
        return JUnitSuite.Case(
            name: "the GameDay passed",
            seconds: day.lengthMs / 1000,
            outcome: day.passed ? .passed : .failed(why)
        )
    }

    private func experiment(_ row: GameDayReport.Row) -> JUnitSuite.Case {
        let advice = day.recommendations.filter { $0.experiment == row.title }
            .map { "\($0.finding); \($0.advice)" }
        let why = ([row.reason] + advice).joined(separator: "\n")
        let outcome: JUnitSuite.Outcome =
            switch row.outcome {
            case .held: .passed
            case .deviated, .aborted, .leaked: .failed("\(row.outcome.rawValue): \(why)")
            case .inconclusive, .failed: .broken("\(row.outcome.rawValue): \(why)")
            case .skipped: .skipped(why)
            }
        let span = row.spanMs(in: day) ?? (0, 0)
        return JUnitSuite.Case(
            name: row.title,
            seconds: (span.1 - span.0) / 1000,
            outcome: outcome
        )
    }
}
