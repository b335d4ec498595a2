// Two runs side by side, as text: what is the same about them, what ended differently, and how each metric moved.

package import ChaosModel

/// A comparison of two runs.
package struct ReportComparison: Sendable {
    private let first: RunReport
    private let second: RunReport

    /// Compares a run with an earlier one.
    package init(_ first: RunReport, _ second: RunReport) {
        self.first = first
        self.second = second
    }

    /// The text, with a newline at its end.
    package var text: String {
        let rows = [["", first.runID, second.runID]] + head + metrics + faults
        return (notes + Self.aligned(rows)).joined(separator: "\n") + "\n"
    }

    /// What makes the two hard to compare.
    private var notes: [String] {
        var notes: [String] = []
        if first.definition.name != second.definition.name {
            notes.append("note: these are runs of two experiments")
        } else if first.definition.digest != second.definition.digest {
            notes.append("note: the definition was changed between these runs")
        }
        if first.definition.parameters != second.definition.parameters {
            notes.append("note: the parameters differ")
        }
        return notes
    }

    private var head: [[String]] {
        let rows = [
            ["experiment", first.definition.name, second.definition.name],
            ["started", first.startedAt, second.startedAt],
            ["verdict", first.verdict.rawValue, second.verdict.rawValue],
            ["status", first.status.rawValue, second.status.rawValue],
            ["restoration", first.restoration.rawValue, second.restoration.rawValue],
            ["exit code", "\(first.exitCode)", "\(second.exitCode)"],
            [
                "healthy again after", Self.span(first.recoveredAfterMs),
                Self.span(second.recoveredAfterMs),
            ],
        ]
        return rows.map { row in row[1] == row[2] ? row : row + ["differs"] }
    }

    private var metrics: [[String]] {
        let names = Set(first.metrics.map(\.name)).union(second.metrics.map(\.name)).sorted()
        return names.flatMap { name in
            let (one, other) = (Self.metric(name, first), Self.metric(name, second))
            return [
                ("before", \RunReport.MetricReport.before), ("during", \.during),
                ("after", \.after),
            ]
            .map { part, path in
                let unit = other?.unit ?? one?.unit ?? .number
                let (was, now) = (one?[keyPath: path].mean, other?[keyPath: path].mean)
                return [
                    "\(name) \(part), mean", was.map(unit.spelled) ?? "–",
                    now.map(unit.spelled) ?? "–", Self.change(was, now),
                ]
            }
        }
    }

    private var faults: [[String]] {
        let count = max(first.faults.count, second.faults.count)
        return (0..<count).map { index in
            ["fault \(index + 1)", Self.fault(index, first), Self.fault(index, second)]
        }
    }

    private static func metric(_ name: String, _ report: RunReport) -> RunReport.MetricReport? {
        report.metrics.first { $0.name == name }
    }

    private static func fault(_ index: Int, _ report: RunReport) -> String {
        guard report.faults.indices.contains(index) else { return "–" }
        let fault = report.faults[index]
        return "\(fault.name) on \(fault.target)"
    }

    private static func span(_ milliseconds: Double?) -> String {
        milliseconds.map { Duration.milliseconds($0).spelled } ?? "–"
    }

    private static func change(_ was: Double?, _ now: Double?) -> String {
        guard let was, let now, was.isFinite, now.isFinite, was != now else { return "" }
        guard was != 0 else { return now > 0 ? "up from 0" : "down from 0" }
        let percent = (now - was) / abs(was) * 100
        let shown = ParameterValue.shortest((percent * 10).rounded() / 10)
        return percent > 0 ? "+\(shown)%" : "\(shown)%"
    }

    private static func aligned(_ rows: [[String]]) -> [String] {
        let rows = rows.map { $0.map { $0.escapedForDisplay(limit: 60) } }
        let widths = (0..<4).map { column in
            rows.map { $0.indices.contains(column) ? $0[column].count : 0 }.max() ?? 0
        }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell in
                column == row.count - 1
                    ? cell : cell + String(repeating: " ", count: widths[column] - cell.count + 2)
            }
            var line = cells.joined()
            while line.last == " " { line.removeLast() }
            return line
        }
    }
}
