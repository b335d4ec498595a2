// The report as one HTML file: no script, no request, light or dark as the reader's system is. The answer stands first and
// large, then why, then the pictures, then everything else.

package import ChaosModel

/// The report as a page.
package struct HTMLReport: Sendable {
    private let report: RunReport

    /// Makes a view of a report.
    package init(_ report: RunReport) { self.report = report }

    /// The page, with a newline at its end.
    package var text: String {
        let sections = [
            header,
            HTMLText.section("Left behind", HTMLText.list(report.proof.leaked), id: "leaked"),
            HTMLText.section("Why", HTMLText.list(report.reasons), id: "why"),
            HTMLText.section("Error", error, id: "error"),
            HTMLText.section("What happened when", SpanChart(report).svg, id: "glance"),
            HTMLText.section("Metrics", metrics, id: "metrics"),
            HTMLText.section("Faults: asked and measured", faults, id: "faults"),
            HTMLText.section("Traffic", HTMLText.list(report.trafficInWords), id: "traffic"),
            HTMLText.section("Checks", checks, id: "checks"),
            HTMLText.section(
                "Statistics",
                HTMLText.list(report.statisticsInWords),
                id: "statistics"
            ),
            HTMLText.section("Restoration", restoration, id: "restoration"),
            HTMLText.section("Time line", timeline, id: "timeline"),
            HTMLText.section("This run", facts, id: "run"),
        ]
        return HTMLText.page(
            "\(report.verdict.rawValue.uppercased()): \(report.definition.name)",
            sections
        )
    }

    private var header: String {
        let isLeaked = report.restoration == .leaked
        let restoration =
            isLeaked
            ? "<li class=\"alarm\">SOMETHING IS LEFT BEHIND</li>"
            : "<li>everything is restored</li>"
        let hypothesis = report.definition.hypothesis.map {
            "<p><span class=\"soft\">Hypothesis:</span> \(HTMLText.escape($0))</p>\n"
        }
        let recovered = report.recoveredAfterMs.map {
            "<li>healthy again \(Duration.milliseconds($0).spelled) after the rollback</li>"
        }
        let abort = report.abort.map { _ in
            "<p><span class=\"soft\">Stopped:</span> "
                + report.abortInWords.map(HTMLText.escape).joined(separator: "; ") + "</p>\n"
        }
        return """
            <header class="verdict \(isLeaked ? "leaked" : report.verdict.rawValue)">
            <p class="word">\(report.verdict.rawValue.uppercased())</p>
            <h1>\(HTMLText.escape(report.definition.name))</h1>
            \(hypothesis ?? "")\(abort ?? "")<ul class="answers"><li>\(report.status.rawValue)</li>\(restoration)\
            <li>exit code \(report.exitCode)</li><li>\(Duration.milliseconds(report.lengthMs).spelled) long</li>\(recovered ?? "")</ul>
            </header>

            """
    }

    private var metrics: String {
        guard !report.metrics.isEmpty else { return "" }
        let legend =
            "<p class=\"legend\"><span><i class=\"k-base\"></i>baseline</span>"
            + "<span><i class=\"k-fault\"></i>faults on</span><span><i class=\"k-limit\"></i>healthy limit</span>"
            + "<span><i class=\"k-abort\"></i>abort limit</span></p>\n"
        return legend + report.metrics.map(metric).joined()
    }

    private func metric(_ metric: RunReport.MetricReport) -> String {
        let wanted =
            metric.healthy.map { "healthy \($0.spelled(in: metric.unit))" } ?? "only observed"
        let tolerated = metric.tolerated.map { ", tolerated \($0.spelled(in: metric.unit))" } ?? ""
        let parts = [
            ("before", metric.before), ("during", metric.during), ("after", metric.after),
        ].map { name, summary in
            "<b>\(name)</b> \(HTMLText.escape(summary.inWords(metric.unit)))"
        }
        return
            "<h3>\(HTMLText.escape(metric.name)) <span class=\"soft\">\(HTMLText.escape(wanted + tolerated))</span></h3>\n"
            + MetricChart(metric, of: report).svg
            + "<p class=\"soft\">\(parts.joined(separator: " · "))</p>\n"
    }

    private var faults: String {
        HTMLText.table(
            ["fault", "target", "asked", "measured", "on", "held by"],
            report.faults.map { fault in
                let until = fault.revertedMs.map(offset) ?? "still on"
                return [
                    "<b>\(HTMLText.escape(fault.name))</b>", HTMLText.escape("\(fault.target)"),
                    HTMLText.escape(fault.askedInWords), HTMLText.escape(fault.measuredInWords),
                    "<span class=\"time\">\(offset(fault.injectedMs)) – \(until)</span>",
                    HTMLText.escape(fault.holderInWords),
                ]
            }
        )
    }

    private var checks: String {
        HTMLText.table(
            ["at", "condition", "result", "where"],
            report.checks.map { check in
                [
                    "<span class=\"time\">\(offset(check.atMs))</span>",
                    "<code>\(HTMLText.escape(check.condition))</code>",
                    HTMLText.escape(check.inWords(report.units)),
                    HTMLText.escape(check.location.map { "\($0)" } ?? ""),
                ]
            }
        )
    }

    private var restoration: String {
        let rows = report.faults.map { fault in
            [
                HTMLText.escape(fault.name), HTMLText.escape("\(fault.target)"),
                HTMLText.escape(fault.revertInWords),
            ]
        }
        let words =
            report.restoration == .restored
            ? "<p>Everything that was changed was measured to be as it was.</p>\n"
            : "<p><b>Not everything is as it was: see “Left behind”.</b></p>\n"
        guard !rows.isEmpty else {
            let proof = HTMLText.list(report.proof.reverts)
            return proof.isEmpty ? "<p>Nothing was touched.</p>\n" : words + proof
        }
        return words + HTMLText.table(["fault", "target", "measured after the revert"], rows)
            + HTMLText.list(report.proof.state.map(\.summary))
    }

    private var error: String {
        guard let error = report.error else { return "" }
        let traceback = error.traceback.map { "<pre>\(HTMLText.escape($0))</pre>\n" } ?? ""
        return "<p>\(HTMLText.escape(error.message))</p>\n\(traceback)"
    }

    private var timeline: String {
        HTMLText.table(
            ["at", "what", ""],
            report.timeline.map { event in
                [
                    "<span class=\"time\">\(offset(event.offsetMs))</span>",
                    "<span class=\"soft\">\(event.kind.rawValue)</span>",
                    HTMLText.escape(event.text),
                ]
            }
        )
    }

    private var facts: String {
        let definition = report.definition
        var facts = [
            ("run", report.runID), ("started", report.startedAt), ("ended", report.endedAt),
            ("seed", "\(report.seed)"), ("file", definition.file), ("digest", definition.digest),
        ]
        if let version = definition.version { facts.append(("version", "\(version)")) }
        if let owner = definition.owner { facts.append(("owner", owner)) }
        if !definition.tags.isEmpty {
            facts.append(("tags", definition.tags.joined(separator: ", ")))
        }
        if let description = definition.description { facts.append(("what for", description)) }
        for (name, value) in (definition.parameters ?? [:]).sorted(by: { $0.key < $1.key }) {
            facts.append(("parameter \(name)", "\(value)"))
        }
        if let lag = report.worstAbortLagMs {
            facts.append(("abort lag", "at most \(Duration.milliseconds(lag).spelled)"))
        }
        return HTMLText.facts(facts)
    }
}
