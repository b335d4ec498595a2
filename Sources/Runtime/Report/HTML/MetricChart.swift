// One metric over the time of the run as SVG: the baseline and each fault as shaded spans, the thresholds as lines with
// the forbidden side washed, the values as a line that is broken where there was no data.

import ChaosModel

/// The chart of a metric.
struct MetricChart {
    private static let size = (width: 1000.0, height: 230.0)
    private static let left = 74.0
    private static let top = 22.0
    private static let bottom = 200.0
    private static let right = 988.0
    /// Dots are for runs of a few minutes; thousands would only blacken the line.
    private static let mostDots = 240

    private let metric: RunReport.MetricReport
    private let report: RunReport
    private let x: ChartScale
    private let y: ChartScale

    init(_ metric: RunReport.MetricReport, of report: RunReport) {
        self.metric = metric
        self.report = report
        x = ChartScale(values: 0...report.lengthMs, places: (Self.left, Self.right))
        y = ChartScale(values: Self.range(of: metric), places: (Self.bottom, Self.top))
    }

    /// The picture.
    var svg: String {
        let name = HTMLText.escape("\(metric.name) over the time of the run")
        let parts = [
            spans, axes, thresholds, data, violation,
            "<line class=\"axis\" x1=\"\(Self.left)\" x2=\"\(Self.right)\" y1=\"\(Self.bottom)\" y2=\"\(Self.bottom)\"/>",
        ]
        return
            "<svg class=\"chart\" viewBox=\"0 0 \(Self.size.width) \(Self.size.height)\" role=\"img\" "
            + "aria-label=\"\(name)\">\n\(parts.joined())</svg>\n"
    }

    /// The values and the healthy limit; an abort limit far beyond them would flatten the line, so it may stay outside.
    private static func range(of metric: RunReport.MetricReport) -> ClosedRange<Double> {
        let values = metric.samples.compactMap(\.value).filter(\.isFinite)
        let limits = (metric.healthy?.limits ?? []).filter(\.isFinite)
        var low = min(0, (values + limits).min() ?? 0)
        var high = max((values + limits).max() ?? 1, low + .leastNormalMagnitude)
        for limit in (metric.tolerated?.limits ?? []).filter(\.isFinite) {
            if limit >= 0, limit <= high * 4 { high = max(high, limit) }
            if limit < 0, limit >= low * 4 { low = min(low, limit) }
        }
        if high - low < 1e-12 { high = low + 1 }
        return low...(high + (high - low) * 0.06)
    }

    private var spans: String {
        var parts = ""
        for phase in report.phases where phase.phase == .baseline {
            parts += rectangle("baseline", from: phase.startedMs, to: phase.endedMs)
        }
        for fault in report.faults {
            let until = fault.endedEarly?.atMs ?? fault.revertedMs
            parts += rectangle("window", from: fault.injectedMs, to: until)
            for edge in [fault.injectedMs, until].compactMap({ $0 }) {
                let place = x.place(edge).coordinate
                parts +=
                    "<line class=\"edge\" x1=\"\(place)\" x2=\"\(place)\" y1=\"\(Self.top)\" y2=\"\(Self.bottom)\"/>\n"
            }
        }
        if let first = report.faults.map(\.injectedMs).min() {
            let place = min(x.place(first), 880).coordinate
            parts += "<text class=\"window-name\" x=\"\(place)\" y=\"15\">faults on</text>\n"
        }
        if let phase = report.phases.first(where: { $0.phase == .baseline }) {
            let place = x.place(phase.startedMs)
            let first = report.faults.map(\.injectedMs).min().map(x.place) ?? Self.right
            if first - place > 60 {
                parts += "<text x=\"\(place.coordinate)\" y=\"15\">baseline</text>\n"
            }
        }
        return parts
    }

    private func rectangle(_ kind: String, from start: Double, to end: Double?) -> String {
        let from = x.place(start)
        let to = max(from + 1, x.place(end ?? report.lengthMs))
        return
            "<rect class=\"\(kind)\" x=\"\(from.coordinate)\" y=\"\(Self.top)\" width=\"\((to - from).coordinate)\" "
            + "height=\"\(Self.bottom - Self.top)\"/>\n"
    }

    private var axes: String {
        var parts = ""
        for tick in y.ticks(4) {
            let place = y.place(tick).coordinate
            let name = ChartLabel(metric.unit.spelled(tick))
            parts +=
                "<line class=\"grid\" x1=\"\(Self.left)\" x2=\"\(Self.right)\" y1=\"\(place)\" y2=\"\(place)\"/>\n"
            parts += name.before(Self.left - 8, y: y.place(tick) + 4)
        }
        let seconds = ChartScale(values: 0...report.lengthMs / 1000, places: x.places)
        for tick in seconds.ticks(8) {
            let name = ChartLabel(Duration.seconds(tick).spelled)
            parts += name.below(seconds.place(tick), y: Self.bottom + 18)
        }
        return parts
    }

    private var thresholds: String {
        limits(metric.healthy, "limit", wash: "unhealthy", "healthy")
            + limits(metric.tolerated, "abort", wash: "intolerable", "abort beyond")
    }

    /// The lines of a threshold, and a wash over each side that it does not admit.
    private func limits(
        _ threshold: Threshold?,
        _ kind: String,
        wash: String,
        _ word: String
    ) -> String {
        guard let threshold else { return "" }
        var parts = ""
        for limit in threshold.limits where y.values.contains(limit) {
            let place = y.place(limit)
            let name =
                kind == "limit"
                ? "\(word) \(threshold.spelled(in: metric.unit))"
                : "\(word) \(metric.unit.spelled(limit))"
            // Under the line where there is no room above it.
            let text = place < Self.top + 16 ? place + 14 : place - 5
            parts +=
                "<line class=\"\(kind)\" x1=\"\(Self.left)\" x2=\"\(Self.right)\" y1=\"\(place.coordinate)\" y2=\"\(place.coordinate)\"/>\n"
            parts +=
                "<text class=\"\(kind)-name\" x=\"\(Self.right - 4)\" y=\"\(text.coordinate)\" text-anchor=\"end\">\(HTMLText.escape(name))</text>\n"
        }
        if let high = threshold.highest, high < y.values.upperBound {
            parts = band(wash, from: y.values.upperBound, to: high) + parts
        }
        if let low = threshold.lowest, low > y.values.lowerBound {
            parts = band(wash, from: low, to: y.values.lowerBound) + parts
        }
        return parts
    }

    private func band(_ kind: String, from high: Double, to low: Double) -> String {
        let (top, bottom) = (y.place(high), y.place(low))
        return
            "<rect class=\"\(kind)\" x=\"\(Self.left)\" y=\"\(top.coordinate)\" width=\"\((Self.right - Self.left).coordinate)\" "
            + "height=\"\((bottom - top).coordinate)\"/>\n"
    }

    private var data: String {
        var parts = ""
        var line: [String] = []
        func flush() {
            if line.count > 1 {
                parts += "<polyline class=\"data\" points=\"\(line.joined(separator: " "))\"/>\n"
            } else if let point = line.first {
                let place = point.split(separator: ",")
                parts += "<circle class=\"dot\" cx=\"\(place[0])\" cy=\"\(place[1])\" r=\"3\"/>\n"
            }
            line = []
        }
        for sample in metric.samples {
            guard let value = sample.value, !value.isNaN else {
                flush()
                let title = HTMLText.escape(sample.note ?? "no data")
                parts +=
                    "<rect class=\"gap\" x=\"\((x.place(sample.atMs) - 2).coordinate)\" y=\"\(Self.bottom - 8)\" "
                    + "width=\"4\" height=\"8\"><title>no data at \(offset(sample.atMs)): \(title)</title></rect>\n"
                continue
            }
            line.append("\(x.place(sample.atMs).coordinate),\(y.place(value).coordinate)")
        }
        flush()
        guard metric.samples.count <= Self.mostDots else { return parts }
        for sample in metric.samples {
            guard let value = sample.value, !value.isNaN else { continue }
            let title = HTMLText.escape("\(metric.unit.spelled(value)) at \(offset(sample.atMs))")
            parts +=
                "<circle class=\"dot\" cx=\"\(x.place(sample.atMs).coordinate)\" "
                + "cy=\"\(y.place(value).coordinate)\" r=\"2.5\"><title>\(title)</title></circle>\n"
        }
        return parts
    }

    private var violation: String {
        guard let first = metric.firstViolationMs else { return "" }
        let place = x.place(first)
        let anchor = place > 800 ? ("end", -5.0) : ("start", 5.0)
        return
            "<line class=\"violation\" x1=\"\(place.coordinate)\" x2=\"\(place.coordinate)\" y1=\"\(Self.top)\" y2=\"\(Self.bottom)\"/>\n"
            + "<text class=\"abort-name\" x=\"\((place + anchor.1).coordinate)\" y=\"\(Self.bottom - 14)\" "
            + "text-anchor=\"\(anchor.0)\">first violation \(offset(first))</text>\n"
    }
}

extension Threshold {
    /// The values at which it begins or ends to admit; the open ends left out.
    var limits: [Double] {
        switch self {
        case .below(let limit), .above(let limit), .equals(let limit): [limit]
        case .between(let low, let high): [low, high].filter(\.isFinite)
        case .oneOf(let values): values
        }
    }

    /// Above this nothing is admitted.
    var highest: Double? {
        switch self {
        case .below(let limit), .equals(let limit): limit
        case .above: nil
        case .between(_, let high): high.isFinite ? high : nil
        case .oneOf(let values): values.max()
        }
    }

    /// Below this nothing is admitted.
    var lowest: Double? {
        switch self {
        case .above(let limit), .equals(let limit): limit
        case .below: nil
        case .between(let low, _): low.isFinite ? low : nil
        case .oneOf(let values): values.min()
        }
    }
}
