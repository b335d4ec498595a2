// The report as Markdown, for issues and wikis. Everything from outside is text: nothing in it can be markup.

package import ChaosModel

/// The report as Markdown.
package struct MarkdownReport: Sendable {
    private let report: RunReport

    /// Makes a view of a report.
    package init(_ report: RunReport) { self.report = report }

    /// The text, with a newline at its end.
    package var text: String {
        var lines = head
        lines += MarkdownText.list("Why", report.reasons)
        lines += MarkdownText.list("Abort", report.abortInWords)
        lines += faults
        lines += MarkdownText.list("Traffic", report.trafficInWords)
        lines += metrics
        lines += MarkdownText.list("Statistics", report.statisticsInWords)
        lines += MarkdownText.list(
            "Checks",
            report.checks.map { "\($0.condition): \($0.inWords(report.units))" }
        )
        lines += proof
        lines += error
        lines += MarkdownText.table(
            "Time line",
            ["at", "what", ""],
            report.timeline.map { [offset($0.offsetMs), $0.kind.rawValue, $0.text] }
        )
        return lines.joined(separator: "\n") + "\n"
    }

    private var head: [String] {
        let definition = report.definition
        var lines = [
            "# \(MarkdownText.escape(definition.name))", "",
            "**\(report.verdict.rawValue.uppercased())** · \(report.status.rawValue) · "
                + "\(report.restoration.rawValue) · exit code \(report.exitCode)", "",
        ]
        if let hypothesis = definition.hypothesis {
            lines += ["Hypothesis: \(MarkdownText.escape(hypothesis))", ""]
        }
        var facts = [
            ["run", report.runID], ["started", report.startedAt], ["ended", report.endedAt],
            ["seed", "\(report.seed)"], ["file", definition.file], ["digest", definition.digest],
        ]
        if let owner = definition.owner { facts.append(["owner", owner]) }
        if !definition.tags.isEmpty {
            facts.append(["tags", definition.tags.joined(separator: ", ")])
        }
        for (name, value) in (definition.parameters ?? [:]).sorted(by: { $0.key < $1.key }) {
            facts.append(["parameter \(name)", "\(value)"])
        }
        if let recovered = report.recoveredAfterMs {
            facts.append(["healthy again after", Duration.milliseconds(recovered).spelled])
        }
        return lines + MarkdownText.rows([["", ""]] + facts)
    }

    private var faults: [String] {
        MarkdownText.table(
            "Faults",
            ["fault", "target", "asked", "measured", "from", "to", "held by", "revert"],
            report.faults.map { fault in
                [
                    fault.name, "\(fault.target)", fault.askedInWords, fault.measuredInWords,
                    offset(fault.injectedMs), fault.revertedMs.map(offset) ?? "–",
                    fault.holderInWords, fault.revertInWords,
                ]
            }
        )
    }

    private var metrics: [String] {
        MarkdownText.table(
            "Metrics",
            ["metric", "healthy", "before", "during", "after"],
            report.metrics.map { metric in
                [
                    metric.name, metric.healthy?.spelled(in: metric.unit) ?? "observed",
                    metric.before.inWords(metric.unit), metric.during.inWords(metric.unit),
                    metric.after.inWords(metric.unit),
                ]
            }
        )
    }

    private var proof: [String] {
        MarkdownText.list("Restoration", report.proof.reverts)
            + MarkdownText.list("State before and after", report.proof.state.map(\.summary))
            + MarkdownText.list("Left behind", report.proof.leaked)
    }

    private var error: [String] {
        guard let error = report.error else { return [] }
        return ["", "## Error", "", MarkdownText.escape(error.message)]
            + (error.traceback.map { ["", MarkdownText.escape($0)] } ?? [])
    }
}
