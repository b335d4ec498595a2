// The report of a GameDay as one HTML file, in the style of a run's: the answer first and large, then what to do, then
// each experiment with the way to its own report.

package import ChaosGameDay
import ChaosModel

/// A GameDay as a page.
package struct GameDayHTML: Sendable {
    private let day: GameDayReport
    /// Where the reports of its runs are, from the folder of the page.
    private let links: [String: String]

    /// Makes a view of a report, with the paths of the reports of its runs by their names.
    package init(_ day: GameDayReport, links: [String: String] = [:]) {
        self.day = day
        self.links = links
    }

    /// The page, with a newline at its end.
    package var text: String {
        HTMLText.page(
            "\(day.word): \(day.definition.name)",
            [
                header,
                HTMLText.section("Why", HTMLText.list(day.reasons), id: "why"),
                HTMLText.section("What happened when", SpanChart(day).svg, id: "glance"),
                HTMLText.section("Experiments", experiments, id: "experiments"),
                HTMLText.section("Recommendations", recommendations, id: "recommendations"),
                HTMLText.section("Gates", gates, id: "gates"),
                HTMLText.section("Observations", HTMLText.list(day.observations), id: "notes"),
                HTMLText.section("Notices", notices, id: "notices"),
                HTMLText.section("Time line", timeline, id: "timeline"),
                HTMLText.section("This day", facts, id: "day"),
            ]
        )
    }

    private var header: String {
        let tone = day.isLeaked ? "leaked" : day.passed ? "held" : "deviated"
        let alarm = day.isLeaked ? "<li class=\"alarm\">SOMETHING IS LEFT BEHIND</li>" : ""
        return """
            <header class="verdict \(tone)">
            <p class="word">\(day.word)</p>
            <h1>\(HTMLText.escape(day.definition.name))</h1>
            <ul class="answers"><li>\(day.score)</li><li>\(day.status.rawValue)</li>\(alarm)\
            <li>exit code \(day.exitCode)</li><li>\(Duration.milliseconds(day.lengthMs).spelled) long</li></ul>
            </header>

            """
    }

    private var experiments: String {
        HTMLText.table(
            ["experiment", "outcome", "when", "healthy again", "why", "its report"],
            day.experiments.map { row in
                let run = row.runID.map { run in
                    links[run].map { HTMLText.link($0, run) }
                        ?? "<code>moonquake report \(HTMLText.escape(run))</code>"
                }
                return [
                    "<b>\(HTMLText.escape(row.title))</b>",
                    "<span class=\"outcome \(row.outcome.rawValue)\">\(row.outcome.rawValue)</span>",
                    "<span class=\"time\">\(row.timeInWords(in: day))</span>",
                    HTMLText.escape(row.recoveryInWords), HTMLText.escape(row.reason), run ?? "–",
                ]
            }
        )
    }

    private var recommendations: String {
        day.recommendations.map { item in
            "<h3>\(HTMLText.escape(item.experiment)) <span class=\"soft\">\(HTMLText.escape(item.metric))</span></h3>\n"
                + "<p class=\"soft\">\(HTMLText.escape(item.finding))</p>\n"
                + "<p>\(HTMLText.escape(item.advice))</p>\n"
        }
        .joined()
    }

    private var gates: String {
        HTMLText.table(
            ["gate", "outcome", "who, when, what"],
            day.gates.map { record in
                [
                    HTMLText.escape(record.gate.subject), HTMLText.escape(record.outcome),
                    record.answersInWords.map(HTMLText.escape).joined(separator: "<br>"),
                ]
            }
        )
    }

    private var notices: String {
        HTMLText.table(
            ["who", "about", "outcome"],
            day.notifications.map { notice in
                [notice.notifier, notice.kind.rawValue, notice.outcomeInWords].map(HTMLText.escape)
            }
        )
    }

    private var timeline: String {
        HTMLText.table(
            ["at", "experiment", "what", ""],
            day.timeline.map { event in
                [
                    "<span class=\"time\">\(offset(day.offsetMs(event.at)))</span>",
                    HTMLText.escape(event.runID.map(day.title(ofRun:)) ?? ""),
                    "<span class=\"soft\">\(HTMLText.escape(event.kind))</span>",
                    HTMLText.escape(event.text),
                ]
            }
        )
    }

    private var facts: String {
        HTMLText.facts(day.facts)
    }
}
