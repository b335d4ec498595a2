// What the formats say in the same words.

import ChaosModel

extension RunReport {
    /// How long the run was, in milliseconds.
    var lengthMs: Double {
        let ends = phases.compactMap(\.endedMs) + phases.map(\.startedMs) + timeline.map(\.offsetMs)
        return max(1, ends.max() ?? 1)
    }

    /// The comparisons of baseline, during and after in words.
    var statisticsInWords: [String] { statistics.map(\.sentence) }

    /// The units of the metrics, by name.
    var units: [String: MetricUnit] {
        Dictionary(metrics.map { ($0.name, $0.unit) }) { first, _ in first }
    }
}

extension RunReport {
    /// What of the machine is not as it was or could not be compared, and how many parts are the same.
    var stateInWords: [String] {
        let (same, other) = (
            proof.state.filter { $0.differences.isEmpty && $0.problem == nil },
            proof.state.filter { !$0.differences.isEmpty || $0.problem != nil }
        )
        guard !same.isEmpty else { return other.map(\.summary) }
        let parts = same.count == 1 ? "1 part is" : "\(same.count) parts are"
        return other.map(\.summary) + ["\(parts) the same before and after"]
    }
}

extension RunReport {
    /// Why and when the run was aborted, and how long that took; empty when it was not.
    var abortInWords: [String] {
        guard let abort else { return [] }
        let took = Duration.milliseconds(abort.tookMs).spelled
        var decided =
            "cause \(abort.cause.rawValue), decided at \(Duration.milliseconds(abort.atMs).spelled)"
        if let metric = abort.metric, let sample = abort.sample {
            decided +=
                " by the sample of \(metric) of \(Duration.milliseconds(sample.atMs).spelled)"
        }
        if let lag = worstAbortLagMs {
            decided += "; an abort could be late by \(Duration.milliseconds(lag).spelled) at worst"
        }
        return ["\(abort.reason); everything reverted \(took) later", decided]
    }

    /// How much of its traffic each fault hit that was limited to a share of it.
    var trafficInWords: [String] {
        radius.compactMap { radius in
            guard let declared = radius.declaredTraffic else { return nil }
            let limit = "declared \(MetricUnit.share.spelled(declared))"
            guard let traffic = radius.traffic else {
                return "\(radius.fault): \(limit); what was left alone is not counted here"
            }
            return
                "\(radius.fault) hit \(traffic.hit) of \(traffic.matched) \(traffic.unit.rawValue) "
                + "(\(MetricUnit.share.spelled(traffic.share))), \(limit)"
        }
    }
}

extension RunReport.FaultReport {
    /// The options as given, in one line.
    var askedInWords: String {
        asked.isEmpty
            ? "–"
            : asked.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(
                separator: ", "
            )
    }

    /// What was measured while it was on, in one line.
    var measuredInWords: String {
        guard let measured else { return "could not be measured" }
        let figures = measured.figures.map { figure in
            "\(figure.name.replacing("_", with: " ")) \(MetricUnit.number.spelled(figure.value))\(figure.unit)"
        }
        let hit = measured.hit == false ? ["hit nothing"] : []
        let parts = hit + figures
        return parts.isEmpty ? measured.seen : parts.joined(separator: ", ")
    }

    /// What holds it, and what carries it.
    var holderInWords: String {
        engine.map { "\(heldBy.rawValue), \($0)" } ?? heldBy.rawValue
    }

    /// How its revert ended, and what was seen then.
    var revertInWords: String {
        let took = revertTookMs.map { " in \(Duration.milliseconds($0).spelled)" } ?? ""
        let seen = seen.map { ": \($0)" } ?? ""
        let early = endedEarly.map { "ended early: \($0.seen); " } ?? ""
        return "\(early)\(outcome?.rawValue ?? "not reverted")\(took)\(seen)"
    }
}

extension RunReport.CheckReport {
    /// How it was judged, with the values.
    func inWords(_ units: [String: MetricUnit]) -> String {
        let verdict = held.map { $0 ? "held" : "did not hold" } ?? "no data"
        let shown = values.sorted { $0.key < $1.key }.map { name, value in
            "\(name) was \((units[name] ?? .number).spelled(value))"
        }
        return ([verdict] + shown).joined(separator: ", ")
    }
}

extension RunReport.Summary {
    /// Mean, 95th percentile and maximum.
    func inWords(_ unit: MetricUnit) -> String {
        guard let mean else { return count == 0 && noData == 0 ? "–" : "no data" }
        var parts = ["mean \(unit.spelled(mean))"]
        if let p95 { parts.append("p95 \(unit.spelled(p95))") }
        if let maximum { parts.append("max \(unit.spelled(maximum))") }
        return parts.joined(separator: ", ") + (noData > 0 ? ", \(noData) without data" : "")
    }
}

/// Milliseconds since the start as a person reads them.
func offset(_ milliseconds: Double) -> String {
    let tenths = Int((milliseconds / 100).rounded())
    let seconds = tenths / 10 % 60
    return "\(tenths / 600):\(seconds < 10 ? "0" : "")\(seconds).\(tenths % 10)"
}

extension String {
    /// The text with what could act made visible: control characters, and those that turn the direction of writing.
    var harmless: String {
        var shown = ""
        for scalar in unicodeScalars {
            let turns =
                [0x200e, 0x200f, 0x061c].contains(scalar.value)
                || (0x202a...0x202e).contains(scalar.value)
                || (0x2066...0x2069).contains(scalar.value)
            let isControl = scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value)
            switch scalar {
            case "\n": shown += "\n"
            case "\t": shown += "\t"
            case "\r": shown += "\\r"
            default:
                let mustShow = turns || isControl || [0xfffe, 0xffff].contains(scalar.value)
                shown += mustShow ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
            }
        }
        return shown
    }
}
