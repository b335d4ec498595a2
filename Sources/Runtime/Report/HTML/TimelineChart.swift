// The run at a glance as SVG: its phases in one row, and below them a bar for each fault.

import ChaosModel

/// The chart of phases and faults.
struct TimelineChart {
    private static let left = 74.0
    private static let right = 988.0
    /// More bars than these say nothing at a glance; the table has them all.
    private static let mostFaults = 24

    private let report: RunReport
    private let x: ChartScale

    init(_ report: RunReport) {
        self.report = report
        x = ChartScale(values: 0...report.lengthMs, places: (Self.left, Self.right))
    }

    /// The picture.
    var svg: String {
        let faults = report.faults.prefix(Self.mostFaults)
        let height = 56.0 + Double(faults.count) * 24
        var parts = "<text x=\"\(Self.left - 8)\" y=\"24\" text-anchor=\"end\">phases</text>\n"
        var nameEnds = 0.0
        for phase in report.phases {
            let from = x.place(phase.startedMs)
            let to = max(from + 2, x.place(phase.endedMs ?? phase.startedMs) - 1)
            let name = phase.phase.rawValue.lowercased().replacing("_", with: " ")
            let title = HTMLText.escape(
                "\(name), from \(offset(phase.startedMs)): \(phase.outcome)"
            )
            parts +=
                "<rect class=\"phase\" x=\"\(from.coordinate)\" y=\"10\" width=\"\((to - from).coordinate)\" height=\"20\" rx=\"3\">"
                + "<title>\(title)</title></rect>\n"
            guard to - from > Double(name.count) * 7 + 8, from >= nameEnds else { continue }
            parts +=
                "<text class=\"named\" x=\"\((from + 6).coordinate)\" y=\"24\">\(name)</text>\n"
            nameEnds = to
        }
        for (row, fault) in faults.enumerated() {
            parts += bar(fault, y: 38 + Double(row) * 24)
        }
        for tick in ChartScale(values: 0...report.lengthMs / 1000, places: x.places).ticks(8) {
            let place = x.place(tick * 1000).coordinate
            parts +=
                "<text x=\"\(place)\" y=\"\(height - 4)\" text-anchor=\"middle\">\(Duration.seconds(tick).spelled)</text>\n"
        }
        return "<svg class=\"timeline\" viewBox=\"0 0 1000 \(height)\" role=\"img\" "
            + "aria-label=\"phases and faults over the time of the run\">\n\(parts)</svg>\n"
    }

    private func bar(_ fault: RunReport.FaultReport, y: Double) -> String {
        let from = x.place(fault.injectedMs)
        let until = fault.endedEarly?.atMs ?? fault.revertedMs ?? report.lengthMs
        let to = max(from + 3, x.place(until))
        let text = "\(fault.name) on \(fault.target)"
        let name = HTMLText.escape(text.count > 60 ? String(text.prefix(59)) + "…" : text)
        let title = HTMLText.escape("\(text), \(offset(fault.injectedMs)) to \(offset(until))")
        // Beside the bar where there is room, else before it.
        let isLate = to > 620
        let place = isLate ? from - 6 : to + 6
        return
            "<rect class=\"bar\" x=\"\(from.coordinate)\" y=\"\(y)\" width=\"\((to - from).coordinate)\" height=\"16\" rx=\"3\">"
            + "<title>\(title)</title></rect>\n"
            + "<text class=\"named\" x=\"\(place.coordinate)\" y=\"\(y + 12)\" text-anchor=\"\(isLate ? "end" : "start")\">\(name)</text>\n"
    }
}
