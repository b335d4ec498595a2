// What follows from an experiment that deviated. Every sentence is made of what was measured: which metric, how far, how
// soon, under which fault, and how it came back.

package import ChaosModel

/// What follows from one metric of one experiment.
package struct Recommendation: Sendable, Hashable, Codable {
    /// The experiment's title.
    package var experiment: String
    /// The metric that left its threshold.
    package var metric: String
    /// What was measured.
    package var finding: String
    /// What to do about it.
    package var advice: String

    /// Makes advice from its parts.
    package init(experiment: String, metric: String, finding: String, advice: String) {
        self.experiment = experiment
        self.metric = metric
        self.finding = finding
        self.advice = advice
    }
}

extension Recommendation {
    /// What follows from a run, the metric that failed first coming first; nothing when nothing deviated.
    package static func all(from report: RunReport) -> [Recommendation] {
        let failed = report.metrics.filter { $0.firstViolationMs != nil }
            .sorted { ($0.firstViolationMs ?? 0) < ($1.firstViolationMs ?? 0) }
        let names = Set(failed.map(\.name))
        let checks = report.checks.filter {
            $0.held == false && names.isDisjoint(with: $0.values.keys)
        }
        let found =
            failed.map { Recommendation($0, in: report) }
            + checks.map { Recommendation($0, in: report) }
        return found.isEmpty ? late(in: report) : found
    }

    /// What follows from metrics that were healthy while faults were on, and are not after the rollback.
    private static func late(in report: RunReport) -> [Recommendation] {
        guard report.verdict == .deviated, report.recoveredAfterMs == nil else { return [] }
        let faults = report.faults.map(Violation.spelled).joined(separator: ", ")
        return report.metrics.compactMap { metric in
            guard let healthy = metric.healthy, let last = metric.samples.last,
                last.value.map(healthy.admits) != true
            else { return nil }
            let value = last.value.map(metric.unit.spelled) ?? "without data"
            return Recommendation(
                experiment: report.definition.name,
                metric: metric.name,
                finding:
                    "\(metric.name) was \(value) at the end of the time for recovery, its threshold is "
                    + healthy.spelled(in: metric.unit),
                advice: "find out what \(faults) left behind: it showed only after the rollback"
            )
        }
    }

    /// A check that did not hold, of metrics that have no threshold or stayed within it.
    private init(_ check: RunReport.CheckReport, in report: RunReport) {
        let units = Dictionary(report.metrics.map { ($0.name, $0.unit) }) { first, _ in first }
        let values = check.values.sorted { $0.key < $1.key }.map { name, value in
            "\(name) was \((units[name] ?? .number).spelled(value))"
        }
        let on = report.faults.filter {
            $0.injectedMs <= check.atMs && check.atMs <= ($0.revertedMs ?? .infinity)
        }
        let fault = on.max { $0.injectedMs < $1.injectedMs }
        let cause = fault.map {
            "\(Duration.milliseconds(max(0, check.atMs - $0.injectedMs)).spelled) after "
                + "\(Violation.spelled($0)) began on \($0.target)"
        }
        let measured = values.isEmpty ? "no value" : values.joined(separator: ", ")
        self.init(
            experiment: report.definition.name,
            metric: check.condition,
            finding: ([measured] + [cause ?? "while no fault was on"]).joined(separator: ", "),
            advice: fault.map {
                "bound what \(Violation.spelled($0)) does to it, or allow what was measured: \(measured)"
            }
                ?? "look at what else was going on: no fault was on when \(check.condition) did not hold"
        )
    }

    private init(_ metric: RunReport.MetricReport, in report: RunReport) {
        let violation = Violation(metric, in: report)
        self.init(
            experiment: report.definition.name,
            metric: metric.name,
            finding: violation.finding,
            advice: violation.advice
        )
    }
}
