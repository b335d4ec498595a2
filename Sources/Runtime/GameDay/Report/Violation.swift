// How one metric left its threshold and came back, in sentences that are made of what was measured.

import ChaosModel

/// One metric's way out of its threshold and back.
struct Violation {
    let metric: RunReport.MetricReport
    let report: RunReport
    let atMs: Double
    /// The faults that were on when it happened.
    let faults: [RunReport.FaultReport]

    init(_ metric: RunReport.MetricReport, in report: RunReport) {
        self.metric = metric
        self.report = report
        let first = metric.firstViolationMs ?? 0
        atMs = first
        faults = report.faults.filter {
            $0.injectedMs <= first && first <= ($0.revertedMs ?? .infinity)
        }
    }

    var finding: String {
        isBaseline
            ? "\(way); no fault had been made"
            : [way, cause, recovery].compactMap { $0 }.joined(separator: "; ")
    }

    /// Whether it was unhealthy before anything was done to it.
    private var isBaseline: Bool { report.exitCode == ExitCode.baseline.rawValue }

    /// "p99 went from 41ms to 325ms at worst, its limit is below 300ms (8% over)".
    private var way: String {
        let before = metric.before.mean.map { "went from \(metric.unit.spelled($0)) to " } ?? "was "
        guard let worst else { return "\(metric.name) had no data, which counts as unhealthy" }
        let limit = metric.healthy.map { ", its threshold is \($0.spelled(in: metric.unit))" } ?? ""
        return
            "\(metric.name) \(before)\(metric.unit.spelled(worst)) at worst\(limit)\(excess(worst))"
    }

    /// "2.1s after network.latency (delay = "100ms") began on netns shop".
    private var cause: String? {
        guard let fault = faults.max(by: { $0.injectedMs < $1.injectedMs }) else { return nil }
        let after = Duration.milliseconds(max(0, atMs - fault.injectedMs)).spelled
        let others = faults.count > 1 ? ", with \(faults.count - 1) more on" : ""
        return "it left it \(after) after \(Self.spelled(fault)) began on \(fault.target)\(others)"
    }

    private var recovery: String? {
        if let ms = report.recoveredAfterMs {
            return "it was back \(Duration.milliseconds(ms).spelled) after the rollback"
        }
        return report.phases.contains { $0.phase == .postValidation }
            ? "it did not come back within the time for recovery" : nil
    }

    /// What is worth changing depends on how it failed: at once or slowly, little or much, with or without a way back.
    var advice: String {
        guard !isBaseline else {
            return
                "make \(metric.name) healthy, or its threshold true, and run this again: until then the "
                + "experiment says nothing"
        }
        let what =
            faults.max(by: { $0.injectedMs < $1.injectedMs }).map(Self.spelled) ?? "the fault"
        if report.recoveredAfterMs == nil,
            report.phases.contains(where: { $0.phase == .postValidation })
        {
            return "find out what stays broken after \(what) has ended: what it was before did not "
                + "return by itself, so that an outage of this kind needs a person"
        }
        if let ms = report.recoveredAfterMs, let fault = faults.first,
            let ended = fault.revertedMs, ms > max(5000, (ended - fault.injectedMs) / 2)
        {
            return
                "shorten the way back: \(metric.name) needed \(Duration.milliseconds(ms).spelled) to recover from "
                + "\(Duration.milliseconds(ended - fault.injectedMs).spelled) of \(what) (queues, pools and backoffs keep such a debt)"
        }
        guard let worst, let share = Self.excessShare(worst, metric.healthy) else {
            return "make \(metric.name) independent of what \(what) hits, or state that it is not"
        }
        if share < 0.25 {
            return "\(metric.name) misses by \(Self.percent(share)): a little headroom is enough; "
                + "look for the strength of \(what) at which it still holds, and keep that as the limit"
        }
        return
            "\(metric.name) misses by \(Self.percent(share)): bound the wait for what \(what) hits "
            + "(time-out, fallback or a second instance), then run this again"
    }

    /// The worst value while faults were on: the one farthest on the wrong side.
    private var worst: Double? {
        let end = faults.compactMap(\.revertedMs).max() ?? .infinity
        let values = metric.samples.filter { $0.atMs >= atMs && $0.atMs <= end }.compactMap(\.value)
        switch metric.healthy {
        case .above: return values.min()
        case .between(let low, let high):
            return values.max { Self.distance($0, low, high) < Self.distance($1, low, high) }
        default: return values.max()
        }
    }

    private static func distance(_ value: Double, _ low: Double, _ high: Double) -> Double {
        max(low - value, value - high)
    }

    private func excess(_ worst: Double) -> String {
        Self.excessShare(worst, metric.healthy).map { " (\(Self.percent($0)) beyond)" } ?? ""
    }

    /// How far beyond its threshold a value is, as a share of it; nil where that means nothing.
    private static func excessShare(_ value: Double, _ threshold: Threshold?) -> Double? {
        switch threshold {
        case .below(let limit) where limit > 0: value > limit ? value / limit - 1 : 0
        case .above(let limit) where limit > 0: value < limit ? 1 - value / limit : 0
        default: nil
        }
    }

    private static func percent(_ share: Double) -> String {
        guard share < 1e6 else { return "more than a million times" }
        return share > 9.99 ? "\(Int(share + 1)) times" : "\(Int((share * 100).rounded()))%"
    }

    static func spelled(_ fault: RunReport.FaultReport) -> String {
        let options = fault.asked.filter { $0.key != "target" && $0.key != "engine" }
        guard !options.isEmpty else { return fault.name }
        let shown = options.sorted { $0.key < $1.key }.prefix(4).map { "\($0.key) = \($0.value)" }
        return "\(fault.name) (\(shown.joined(separator: ", ")))"
    }
}
