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
        lines += list("Why", report.reasons)
        lines += faults
        lines += metrics
        lines += list("Statistics", report.statisticsInWords)
        lines += list(
            "Checks",
            report.checks.map { "\($0.condition): \($0.inWords(report.units))" }
        )
        lines += proof
        lines += error
        lines += table(
            "Time line",
            ["at", "what", ""],
            report.timeline.map { [offset($0.offsetMs), $0.kind.rawValue, $0.text] }
        )
        return lines.joined(separator: "\n") + "\n"
    }

    private var head: [String] {
        let definition = report.definition
        var lines = [
            "# \(Self.escape(definition.name))", "",
            "**\(report.verdict.rawValue.uppercased())** · \(report.status.rawValue) · "
                + "\(report.restoration.rawValue) · exit code \(report.exitCode)", "",
        ]
        if let hypothesis = definition.hypothesis {
            lines += ["Hypothesis: \(Self.escape(hypothesis))", ""]
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
        return lines + Self.rows([["", ""]] + facts)
    }

    private var faults: [String] {
        table(
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
        table(
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
        list("Restoration", report.proof.reverts)
            + list("Left behind", report.proof.leaked)
    }

    private var error: [String] {
        guard let error = report.error else { return [] }
        return ["", "## Error", "", Self.escape(error.message)]
            + (error.traceback.map { ["", Self.escape($0)] } ?? [])
    }

    private func list(_ title: String, _ items: [String]) -> [String] {
        items.isEmpty ? [] : ["", "## \(title)", ""] + items.map { "- \(Self.escape($0))" }
    }

    private func table(_ title: String, _ head: [String], _ body: [[String]]) -> [String] {
        body.isEmpty ? [] : ["", "## \(title)", ""] + Self.rows([head] + body)
    }

    private static func rows(_ rows: [[String]]) -> [String] {
        var lines = rows.map { row in "| \(row.map(escape).joined(separator: " | ")) |" }
        let line = (rows.first ?? []).map { _ in "---" }.joined(separator: " | ")
        lines.insert("| \(line) |", at: min(1, lines.count))
        return lines
    }

    /// The text with every character that Markdown or HTML could read as markup escaped, in one line.
    static func escape(_ text: String) -> String {
        // By scalars: a mark that combines with a quote must not hide it.
        var escaped = ""
        for scalar in text.harmless.replacing("\n", with: " ").unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\\", "`", "*", "_", "{", "}", "[", "]", "(", ")", "#", "+", "!", "|", "~", "@":
                escaped += "\\\(scalar)"
            // A bare address would become a link.
            case ":" where escaped.hasSuffix("http") || escaped.hasSuffix("https"):
                escaped += "&#58;"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        // What starts a list, a heading or a quotation does so at the start of a line only.
        if let first = escaped.first, first == "-" || first == "=" { return "\\" + escaped }
        if let dot = escaped.firstIndex(of: "."), dot != escaped.startIndex,
            escaped[..<dot].allSatisfy(\.isNumber)
        {
            return escaped[..<dot] + "\\" + escaped[dot...]
        }
        return escaped
    }
}
