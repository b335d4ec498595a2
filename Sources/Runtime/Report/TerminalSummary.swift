// The end of a run as a person reads it: the three answers first, then why, then what was hit and measured.

package import ChaosModel

/// The report as text for a terminal.
package struct TerminalSummary: Sendable {
    private let style: TerminalStyle

    /// Makes summaries with colours or without.
    package init(colours: Bool) { style = TerminalStyle(colours: colours) }

    /// The text, with a newline at its end.
    package func text(_ report: RunReport) -> String {
        var lines = head(report)
        lines += section("why", report.reasons)
        lines += section("faults", report.faults.map(fault))
        lines += section("metrics", report.metrics.map(metric))
        lines += section("statistics", statistics(report.statistics))
        lines += section("checks", report.checks.map { check($0, units: units(report)) })
        lines += section("traffic", report.trafficInWords)
        if !report.faults.isEmpty { lines += section("abort", report.abortInWords) }
        lines += section(
            "observations",
            report.timeline.filter { $0.kind == .observation }.map(observation)
        )
        if let error = report.error {
            lines += section("error", errorLines(error, reasons: report.reasons))
        }
        lines += section("state", report.stateInWords)
        lines += section("left behind", report.proof.leaked)
        return lines.joined(separator: "\n") + "\n"
    }

    private func head(_ report: RunReport) -> [String] {
        let verdict = style.paint(
            report.verdict.rawValue.uppercased(),
            verdictColour(report.verdict)
        )
        let restoration = style.paint(
            report.restoration.rawValue,
            report.restoration == .restored ? .green : .red
        )
        var lines = [
            "",
            "\(style.paint(report.definition.name.escapedForDisplay, .bold))  (run \(report.runID), seed \(report.seed))",
            "  verdict \(verdict) · status \(report.status.rawValue) · \(restoration) · exit \(report.exitCode)",
        ]
        if let hypothesis = report.definition.hypothesis {
            lines.append("  hypothesis: \(hypothesis.escapedForDisplay)")
        }
        if let recovered = report.recoveredAfterMs {
            lines.append(
                "  healthy again \(Duration.milliseconds(recovered).spelled) after the rollback"
            )
        }
        return lines
    }

    private func verdictColour(_ verdict: Verdict) -> TerminalStyle.Colour {
        switch verdict {
        case .held: .green
        case .deviated: .red
        case .inconclusive: .yellow
        }
    }

    private func section(_ title: String, _ lines: [String]) -> [String] {
        guard !lines.isEmpty else { return [] }
        return ["  \(style.paint(title, .bold))"] + lines.map { "    \($0)" }
    }

    private func fault(_ fault: RunReport.FaultReport) -> String {
        let from = Duration.milliseconds(fault.injectedMs).spelled
        let until = fault.revertedMs.map { Duration.milliseconds($0).spelled } ?? "now"
        let holder = fault.engine.map { "\(fault.heldBy.rawValue), \($0)" } ?? fault.heldBy.rawValue
        let figures = (fault.measured?.figures ?? []).map { figure in
            let value = MetricUnit.number.spelled(figure.value)
            return "\(figure.name.replacing("_", with: " ")) \(value)\(figure.unit)"
        }
        let measured = figures.isEmpty ? "" : "; \(figures.joined(separator: ", "))"
        let outcome = fault.outcome?.rawValue ?? "open"
        let seen = fault.seen.map { ": \($0)" } ?? ""
        return
            "\(fault.name) on \(fault.target)  \(from) – \(until)  [\(holder)]\(measured); \(outcome)\(seen)"
    }

    private func metric(_ metric: RunReport.MetricReport) -> String {
        func part(_ name: String, _ summary: RunReport.Summary) -> String {
            guard let mean = summary.mean else { return "\(name) no data" }
            let worst = summary.maximum.map { ", max \(metric.unit.spelled($0))" } ?? ""
            return "\(name) \(metric.unit.spelled(mean))\(worst)"
        }
        let parts = [
            part("before", metric.before), part("during", metric.during),
            part("after", metric.after),
        ]
        let wanted = metric.healthy.map { "  (healthy: \($0.spelled(in: metric.unit)))" } ?? ""
        return "\(metric.name): \(parts.joined(separator: " · "))\(wanted)"
    }

    /// What could be compared, a line each, and the rest in one.
    private func statistics(_ comparisons: [RunReport.Comparison]) -> [String] {
        let told = comparisons.filter { $0.result != .tooFewSamples }
        let rest = comparisons.filter { $0.result == .tooFewSamples }
        let named = rest.prefix(4).map { comparison in
            let (first, second) = comparison.kind.parts(control: comparison.control)
            let counts = "\(comparison.firstCount) and \(comparison.secondCount)"
            return "\(comparison.metric) \(first) → \(second) (\(counts))"
        }
        let more = rest.count > named.count ? " and \(rest.count - named.count) more" : ""
        return told.map(\.sentence)
            + (rest.isEmpty
                ? []
                : ["too few samples, 8 a side are needed: \(named.joined(separator: ", "))\(more)"])
    }

    private func check(_ check: RunReport.CheckReport, units: [String: MetricUnit]) -> String {
        let verdict = check.held.map {
            $0 ? style.paint("held", .green) : style.paint("did not hold", .red)
        }
        let values = check.values.sorted { $0.key < $1.key }.map { name, value in
            "\(name) was \((units[name] ?? .number).spelled(value))"
        }
        let place = check.location.map { " (\($0))" } ?? ""
        return "\(check.condition): \(verdict ?? "no data")"
            + (values.isEmpty ? "" : ", \(values.joined(separator: ", "))") + place
    }

    private func observation(_ event: RunEvent) -> String {
        "\(Duration.milliseconds(event.offsetMs).spelled)  \(event.text.escapedForDisplay)"
    }

    private func errorLines(_ error: RunReport.ErrorReport, reasons: [String]) -> [String] {
        let traceback = error.traceback?.split(separator: "\n").map(String.init) ?? []
        return reasons.contains(error.message) ? traceback : [error.message] + traceback
    }

    private func units(_ report: RunReport) -> [String: MetricUnit] {
        Dictionary(report.metrics.map { ($0.name, $0.unit) }) { first, _ in first }
    }
}
