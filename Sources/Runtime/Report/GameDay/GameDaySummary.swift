// What a person reads at the end of a GameDay.

package import ChaosGameDay
import ChaosModel

/// The end of a GameDay in a few lines.
package struct GameDaySummary: Sendable {
    private let style: TerminalStyle

    /// Makes a summary with colours or without.
    package init(colours: Bool) { style = TerminalStyle(colours: colours) }

    /// The text, with a newline at its end.
    package func text(_ report: GameDayReport) -> String {
        var lines = ["", head(report)]
        for row in report.experiments { lines.append("  \(line(row))") }
        for reason in report.reasons { lines.append("  \(reason.escapedForDisplay(limit: 2000))") }
        for recommendation in report.recommendations {
            lines.append(
                "  \(style.paint(recommendation.experiment.escapedForDisplay, .bold)): \(recommendation.finding.escapedForDisplay(limit: 2000))"
            )
            lines.append("    → \(recommendation.advice.escapedForDisplay(limit: 2000))")
        }
        for notice in report.notifications {
            guard let failure = notice.failure else { continue }
            lines.append(
                "  \(style.paint("not told", .yellow)) \(notice.notifier.escapedForDisplay) (\(notice.kind.rawValue)): \(failure.escapedForDisplay)"
            )
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private func head(_ report: GameDayReport) -> String {
        let answer =
            report.passed ? style.paint("passed", .green) : style.paint("did not pass", .red)
        return "GameDay \"\(report.definition.name.escapedForDisplay)\" \(answer): "
            + "\(report.score) (\(report.gameDayID))"
    }

    private func line(_ row: GameDayReport.Row) -> String {
        let word =
            switch row.outcome {
            case .held: style.paint("held", .green)
            case .skipped: style.paint("skipped", .dim)
            case .inconclusive: style.paint("inconclusive", .yellow)
            case .deviated, .aborted, .failed, .leaked: style.paint(row.outcome.rawValue, .red)
            }
        let recovery =
            row.recoveredAfterMs.map { ", recovered after \(Duration.milliseconds($0).spelled)" }
            ?? ""
        let run = row.runID.map { " (run \($0)\(recovery))" } ?? ""
        return "\(word)  \"\(row.title.escapedForDisplay)\"\(run)"
    }
}
