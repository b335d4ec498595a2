// The judgement of all metrics of a run together; a value without I/O or clock.

package import ChaosModel

/// Judges the samples of all metrics.
package struct SteadyStateJudge: Sendable {
    /// A transition of one metric.
    package struct Change: Sendable, Hashable {
        /// The metric's name.
        package let metric: String
        /// What changed.
        package let transition: MetricTransition
    }

    /// The judges, in the order of the definitions.
    package private(set) var judges: [MetricJudge]

    /// Begins to judge metrics.
    package init(_ definitions: [MetricDefinition]) {
        judges = definitions.map(MetricJudge.init)
    }

    /// Judges a sample of a metric; one of an unknown metric changes nothing.
    package mutating func judge(_ sample: Sample, of metric: String) -> [Change] {
        guard let index = judges.firstIndex(where: { $0.definition.name == metric }) else {
            return []
        }
        return judges[index].judge(sample).map { Change(metric: metric, transition: $0) }
    }

    /// Forgets what is under way but not what has been: for a new phase of the run.
    package mutating func beginPhase() {
        for index in judges.indices { judges[index].beginPhase() }
    }

    /// Whether every metric that can be judged is healthy; one that is left out for want of data is not asked.
    package var isSteady: Bool {
        judges.allSatisfy { judge in
            judge.health.holds || judge.health == .unknown && judge.definition.noData == .ignore
        }
    }

    /// The metrics that are not healthy, by name.
    package var unsteady: [String: MetricHealth] {
        let pairs = judges.filter { !$0.health.holds }.map { ($0.definition.name, $0.health) }
        return Dictionary(pairs) { first, _ in first }
    }

    /// The metrics that must abort the run.
    package var breached: [String] {
        judges.filter(\.isBreached).map(\.definition.name)
    }

    /// When the hypothesis was first violated, by which metric.
    package var firstViolation: (metric: String, at: Instant)? {
        let all = judges.compactMap { judge in
            judge.firstViolation.map { (metric: judge.definition.name, at: $0) }
        }
        return all.min { $0.at < $1.at }
    }
}
