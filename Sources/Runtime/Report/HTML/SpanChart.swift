// What happened when, at a glance, as SVG: what one thing after the other was, in one row, and below it a bar for each
// thing that lasted beside others. Of a run: its phases and its faults; of a GameDay: its gates and its experiments.

import ChaosGameDay
import ChaosModel

/// The chart of what lasted from when until when.
struct SpanChart {
    /// Something with a start and an end, in milliseconds since the start.
    struct Span {
        var from: Double
        var to: Double
        var name: String
        /// What the reader is told who stays on it.
        var title: String
        /// A class that colours it, such as that of a verdict.
        var tone: String?
    }

    private static let left = 74.0
    private static let right = 988.0
    /// More bars than these say nothing at a glance; the table has them all.
    private static let mostBars = 24

    private let label: String
    private let description: String
    private let row: [Span]
    private let bars: [Span]
    private let lengthMs: Double
    private let x: ChartScale

    init(_ label: String, _ row: [Span], bars: [Span], lengthMs: Double, description: String) {
        self.label = label
        self.description = description
        self.row = row
        self.bars = Array(bars.prefix(Self.mostBars))
        self.lengthMs = lengthMs
        x = ChartScale(values: 0...lengthMs, places: (Self.left, Self.right))
    }

    /// The picture.
    var svg: String {
        let height = 56.0 + Double(bars.count) * 24
        var parts =
            "<text x=\"\(Self.left - 8)\" y=\"24\" text-anchor=\"end\">\(HTMLText.escape(label))</text>\n"
        var nameEnds = 0.0
        for span in row {
            let from = x.place(span.from)
            let to = max(from + 2, x.place(span.to) - 1)
            parts +=
                "<rect class=\"phase\" x=\"\(from.coordinate)\" y=\"10\" width=\"\((to - from).coordinate)\" height=\"20\" rx=\"3\">"
                + "<title>\(HTMLText.escape(span.title))</title></rect>\n"
            guard to - from > Double(span.name.count) * 7 + 8, from >= nameEnds else { continue }
            parts +=
                "<text class=\"named\" x=\"\((from + 6).coordinate)\" y=\"24\">\(HTMLText.escape(span.name))</text>\n"
            nameEnds = to
        }
        for (index, span) in bars.enumerated() { parts += bar(span, y: 38 + Double(index) * 24) }
        for tick in ChartScale(values: 0...lengthMs / 1000, places: x.places).ticks(8) {
            let name = ChartLabel(Duration.seconds(tick).spelled)
            parts += name.below(x.place(tick * 1000), y: height - 4)
        }
        return "<svg class=\"timeline\" viewBox=\"0 0 1000 \(height)\" role=\"img\" "
            + "aria-label=\"\(description)\">\n\(parts)</svg>\n"
    }

    private func bar(_ span: Span, y: Double) -> String {
        let from = x.place(span.from)
        let to = max(from + 3, x.place(span.to))
        let text = span.name
        let name = ChartLabel(text.count > 60 ? String(text.prefix(59)) + "…" : text)
        let tone = span.tone.map { " \($0)" } ?? ""
        return
            "<rect class=\"bar\(tone)\" x=\"\(from.coordinate)\" y=\"\(y)\" width=\"\((to - from).coordinate)\" height=\"16\" rx=\"3\">"
            + "<title>\(HTMLText.escape(span.title))</title></rect>\n"
            + name.beside(from...to, y: y + 12, kind: "named")
    }
}

extension SpanChart {
    /// The phases of a run and its faults.
    init(_ report: RunReport) {
        let phases = report.phases.map { phase in
            let name = phase.phase.rawValue.lowercased().replacing("_", with: " ")
            return Span(
                from: phase.startedMs,
                to: phase.endedMs ?? phase.startedMs,
                name: name,
                title: "\(name), from \(offset(phase.startedMs)): \(phase.outcome)"
            )
        }
        let faults = report.faults.map { fault in
            let until = fault.endedEarly?.atMs ?? fault.revertedMs ?? report.lengthMs
            let name = "\(fault.name) on \(fault.target)"
            return Span(
                from: fault.injectedMs,
                to: until,
                name: name,
                title: "\(name), \(offset(fault.injectedMs)) to \(offset(until))"
            )
        }
        self.init(
            "phases",
            phases,
            bars: faults,
            lengthMs: report.lengthMs,
            description: "phases and faults over the time of the run"
        )
    }

    /// The gates of a day and its experiments.
    init(_ day: GameDayReport) {
        let gates = day.gates.map { record in
            let (from, to) = (day.offsetMs(record.gate.openedAt), day.offsetMs(record.decidedAt))
            return Span(from: from, to: to, name: "gate", title: record.sentence)
        }
        let experiments = day.experiments.compactMap { row in
            row.spanMs(in: day).map { from, to in
                Span(
                    from: from,
                    to: to,
                    name: row.title,
                    title:
                        "\(row.title): \(row.outcome.rawValue), \(offset(from)) to \(offset(to))",
                    tone: row.outcome.rawValue
                )
            }
        }
        self.init(
            "gates",
            gates,
            bars: experiments,
            lengthMs: day.lengthMs,
            description: "gates and experiments over the time of the day"
        )
    }
}
