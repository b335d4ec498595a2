// The report of a GameDay as Markdown, for issues and wikis.

package import ChaosGameDay
import ChaosModel

/// A GameDay as Markdown.
package struct GameDayMarkdown: Sendable {
    private let day: GameDayReport
    /// Where the reports of its runs are, from the folder of the document.
    private let links: [String: String]

    /// Makes a view of a report, with the paths of the reports of its runs by their names.
    package init(_ day: GameDayReport, links: [String: String] = [:]) {
        self.day = day
        self.links = links
    }

    /// The text, with a newline at its end.
    package var text: String {
        var lines = [
            "# \(MarkdownText.escape(day.definition.name))", "",
            "**\(day.word)** · \(day.score) · exit code \(day.exitCode)", "",
        ]
        lines += MarkdownText.rows([["", ""]] + day.facts.map { [$0.0, $0.1] })
        lines += MarkdownText.list("Why", day.reasons)
        lines += experiments
        lines += MarkdownText.list(
            "Recommendations",
            day.recommendations.map {
                "\($0.experiment), \($0.metric): \($0.finding). \($0.advice)"
            }
        )
        lines += MarkdownText.table(
            "Gates",
            ["gate", "outcome", "answers"],
            day.gates.map {
                [$0.gate.subject, $0.outcome, $0.answersInWords.joined(separator: "; ")]
            }
        )
        lines += MarkdownText.list("Observations", day.observations)
        lines += MarkdownText.table(
            "Notices",
            ["who", "about", "outcome"],
            day.notifications.map { [$0.notifier, $0.kind.rawValue, $0.outcomeInWords] }
        )
        lines += MarkdownText.table(
            "Time line",
            ["at", "experiment", "what", ""],
            day.timeline.map { event in
                [
                    offset(day.offsetMs(event.at)), event.runID.map(day.title(ofRun:)) ?? "",
                    event.kind, event.text,
                ]
            }
        )
        return lines.joined(separator: "\n") + "\n"
    }

    private var experiments: [String] {
        let head = ["experiment", "outcome", "when", "healthy again", "why", "run"]
        let rows = day.experiments.map { row in
            let run = row.runID.map { run in
                links[run].map { MarkdownText.link($0, run) } ?? MarkdownText.escape(run)
            }
            return [
                row.title, row.outcome.rawValue, row.timeInWords(in: day), row.recoveryInWords,
                row.reason,
            ].map(MarkdownText.escape) + [run ?? "–"]
        }
        return ["", "## Experiments", ""] + MarkdownText.marked([head] + rows)
    }
}
