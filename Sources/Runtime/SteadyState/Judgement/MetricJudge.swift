// What the samples of one metric mean: a value without I/O or clock, sample in, judgement out.
//
// One blip decides nothing: a violation counts when it has come `failures` times in a row and has lasted
// `for_at_least`. One good sample ends it. The hypothesis and the abort threshold are counted apart, each with the
// same patience.

package import ChaosModel

/// How a metric stands.
package enum MetricHealth: String, Sendable, Hashable, Codable {
    /// Nothing was seen yet that could be judged.
    case unknown
    /// As it must be, or a violation that does not count yet.
    case healthy
    /// Not as it must be.
    case unhealthy
    /// Without a value for long enough to count, where no value is unhealthy.
    case noData = "no_data"

    /// Whether the hypothesis holds with it.
    package var holds: Bool { self == .healthy }
}

/// What one sample changed; most change nothing.
package enum MetricTransition: Sendable, Hashable {
    /// The health became another.
    case health(MetricHealth, since: Instant, reason: String)
    /// The run must be aborted; said once until the metric is tolerable again.
    case breach(since: Instant, reason: String)
    /// Tolerable again after a breach.
    case tolerable
}

/// Judges the samples of one metric, in their order.
package struct MetricJudge: Sendable {
    /// The metric.
    package let definition: MetricDefinition
    /// How it stands after the last sample.
    package private(set) var health = MetricHealth.unknown
    /// Whether the abort threshold is breached after the last sample.
    package private(set) var isBreached = false
    /// When the first violation began that counted.
    package private(set) var firstViolation: Instant?
    /// When the first breach began that counted.
    package private(set) var firstBreach: Instant?
    /// How many samples violated the hypothesis, those included that did not count.
    package private(set) var violations = 0

    private var unhealthy = Streak()
    private var intolerable = Streak()

    /// Begins to judge a metric.
    package init(_ definition: MetricDefinition) {
        self.definition = definition
    }

    /// Judges a sample, and says what it changed.
    package mutating func judge(_ sample: Sample) -> [MetricTransition] {
        let opinion = opinion(of: sample)
        guard opinion != .leftOut else { return [] }
        return [judgeHealth(opinion, sample), judgeBreach(opinion, sample)].compactMap(\.self)
    }

    /// Forgets what is under way but not what has been: for a new phase of the run.
    package mutating func beginPhase() {
        unhealthy = Streak()
        intolerable = Streak()
        health = .unknown
        isBreached = false
    }

    private mutating func judgeHealth(_ opinion: Opinion, _ sample: Sample) -> MetricTransition? {
        guard opinion.isViolation else {
            unhealthy = Streak()
            guard health != .healthy else { return nil }
            health = .healthy
            return .health(.healthy, since: sample.at, reason: shown(sample))
        }
        violations += 1
        unhealthy.add(sample.at)
        guard counts(unhealthy, at: sample.at) else { return nil }
        let since = unhealthy.since ?? sample.at
        firstViolation = firstViolation ?? since
        let now: MetricHealth = sample.value?.isNaN == false ? .unhealthy : .noData
        // A bad value and no value by turns are one violation, told once.
        let isNew = health == .healthy || health == .unknown
        health = now
        guard isNew else { return nil }
        return .health(now, since: since, reason: violationReason(sample))
    }

    private mutating func judgeBreach(_ opinion: Opinion, _ sample: Sample) -> MetricTransition? {
        guard opinion.isBreach else {
            intolerable = Streak()
            guard isBreached else { return nil }
            isBreached = false
            return .tolerable
        }
        intolerable.add(sample.at)
        guard counts(intolerable, at: sample.at), !isBreached else { return nil }
        let since = intolerable.since ?? sample.at
        isBreached = true
        firstBreach = firstBreach ?? since
        return .breach(since: since, reason: breachReason(sample))
    }

    private func counts(_ streak: Streak, at now: Instant) -> Bool {
        guard let since = streak.since else { return false }
        return streak.count >= definition.failures
            && now.since(since).inMilliseconds >= definition.forAtLeastMs
    }
}

/// Violations in a row.
private struct Streak: Sendable {
    var count = 0
    var since: Instant?

    mutating func add(_ at: Instant) {
        count += 1
        since = since ?? at
    }
}

/// What a sample means by itself.
private struct Opinion: Sendable, Hashable {
    var isViolation = false
    var isBreach = false
    var isLeftOut = false

    static let leftOut = Opinion(isLeftOut: true)
}

extension MetricJudge {
    private func opinion(of sample: Sample) -> Opinion {
        guard let value = sample.value, !value.isNaN else {
            switch definition.noData {
            case .unhealthy: return Opinion(isViolation: true)
            case .healthy: return Opinion()
            case .ignore: return .leftOut
            case .abort: return Opinion(isViolation: true, isBreach: true)
            }
        }
        return Opinion(
            isViolation: definition.healthy.map { !$0.admits(value) } ?? false,
            isBreach: definition.tolerated.map { !$0.admits(value) } ?? false
        )
    }

    /// `p99 is 1.2s, must be below 300ms, 3 samples in a row`.
    private func violationReason(_ sample: Sample) -> String {
        guard sample.value?.isNaN == false else { return shown(sample) }
        let wanted = definition.healthy.map { ", must be \($0.spelled(in: definition.unit))" } ?? ""
        return shown(sample) + wanted + repeated(unhealthy.count)
    }

    private func breachReason(_ sample: Sample) -> String {
        guard sample.value?.isNaN == false else {
            return shown(sample) + ", and no_data is \"abort\"" + repeated(intolerable.count)
        }
        let limit = definition.tolerated?.spelled(in: definition.unit) ?? "tolerable"
        return shown(sample) + ", tolerated is \(limit)" + repeated(intolerable.count)
    }

    private func repeated(_ count: Int) -> String {
        count > 1 ? ", \(count) samples in a row" : ""
    }

    private func shown(_ sample: Sample) -> String {
        let note = sample.note.map { " (\($0))" } ?? ""
        guard let value = sample.value, !value.isNaN else {
            return "\(definition.name) has no data\(note)"
        }
        return "\(definition.name) is \(definition.unit.spelled(value))\(note)"
    }
}
