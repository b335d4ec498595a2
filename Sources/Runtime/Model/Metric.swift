// Metrics: what is watched, what is healthy, when to abort. The values are in base units: seconds, bytes,
// shares between 0 and 1, events a second.

/// The unit of a metric's values, which decides how its thresholds are written.
package enum MetricUnit: String, Sendable, Hashable, Codable {
    /// Seconds; thresholds such as `"300ms"`.
    case seconds
    /// A share; thresholds such as `"5%"`.
    case share
    /// Bytes; thresholds such as `"512MiB"`.
    case bytes
    /// Events a second; thresholds such as `"20/s"`.
    case perSecond = "per_second"
    /// A bare number, or any unit where the source does not tell (Prometheus): thresholds may be either.
    case number

    /// Reads a threshold: a string with the unit, or a number where the unit is a bare number.
    package func parse(_ value: ParameterValue) throws(ParameterProblem) -> Double {
        switch (value, self) {
        case (.number(let number), .number): return number
        case (.boolean(let flag), .number): return flag ? 1 : 0
        case (.number(let number), _):
            let spelling = "\"\(ParameterValue.shortest(number))\(exampleUnit)\""
            throw ParameterProblem("needs a unit: write \(spelling), got the bare number \(value)")
        case (.string(let text), _):
            guard let parsed = read(text) else {
                throw ParameterProblem("must be \(exampleText), got \(value)")
            }
            return parsed
        default:
            throw ParameterProblem("must be \(exampleText), got \(value)")
        }
    }

    /// Reads a value as it stands in a condition; a bare number is taken in the base unit only for `number`.
    package func read(_ text: String) -> Double? {
        switch self {
        case .seconds: Units.seconds(text)
        case .share: Units.share(text)
        case .bytes: Units.bytes(text)
        case .perSecond: Units.perSecond(text)
        case .number:
            Double(text) ?? Units.seconds(text) ?? Units.share(text) ?? Units.bytes(text)
                ?? Units.perSecond(text)
        }
    }

    /// A value as a person would write it.
    package func spelled(_ value: Double) -> String {
        guard value.isFinite else { return value.isNaN ? "NaN" : value > 0 ? "+Inf" : "-Inf" }
        switch self {
        case .seconds: return Duration.seconds(value).spelled
        case .share: return "\(Self.rounded(value * 100))%"
        case .perSecond: return "\(Self.rounded(value))/s"
        case .number: return Self.rounded(value)
        case .bytes:
            let units = ["B", "KiB", "MiB", "GiB", "TiB"]
            var scaled = value
            var index = 0
            while abs(scaled) >= 1024, index < units.count - 1 {
                scaled /= 1024
                index += 1
            }
            return Self.rounded(scaled) + units[index]
        }
    }

    private static func rounded(_ value: Double) -> String {
        let scale = abs(value) >= 1000 ? 1.0 : abs(value) >= 10 ? 10 : 1000
        return ParameterValue.shortest((value * scale).rounded() / scale)
    }

    private var exampleUnit: String {
        switch self {
        case .seconds: "s"
        case .share: "%"
        case .bytes: "B"
        case .perSecond: "/s"
        case .number: ""
        }
    }

    private var exampleText: String {
        switch self {
        case .seconds: "a duration such as \"300ms\""
        case .share: "a percentage such as \"5%\""
        case .bytes: "a size such as \"512MiB\""
        case .perSecond: "a rate such as \"20/s\""
        case .number: "a number, or a string with a unit such as \"300ms\" or \"5%\""
        }
    }
}

/// What a value must be.
package enum Threshold: Sendable, Hashable {
    case below(Double)
    case above(Double)
    /// Equal up to a relative 1e-9.
    case equals(Double)
    /// Between two values, both included; an infinite end leaves that side open.
    case between(Double, Double)
    case oneOf([Double])

    /// Whether a value is as it must be.
    ///
    /// NaN never is.
    package func admits(_ value: Double) -> Bool {
        switch self {
        case .below(let limit): value < limit
        case .above(let limit): value > limit
        case .equals(let wanted): Self.same(value, wanted)
        case .between(let low, let high): value >= low && value <= high
        case .oneOf(let wanted): wanted.contains { Self.same(value, $0) }
        }
    }

    /// As a person would write it: `below 300ms`.
    package func spelled(in unit: MetricUnit) -> String {
        switch self {
        case .below(let limit): "below \(unit.spelled(limit))"
        case .above(let limit): "above \(unit.spelled(limit))"
        case .equals(let wanted): "equal to \(unit.spelled(wanted))"
        case .between(-.infinity, let high): "at most \(unit.spelled(high))"
        case .between(let low, .infinity): "at least \(unit.spelled(low))"
        case .between(let low, let high): "between \(unit.spelled(low)) and \(unit.spelled(high))"
        case .oneOf(let wanted): "one of " + wanted.map(unit.spelled).joined(separator: ", ")
        }
    }

    private static func same(_ left: Double, _ right: Double) -> Bool {
        guard left.isFinite, right.isFinite else { return left == right }
        return abs(left - right) <= 1e-9 * max(abs(left), abs(right))
    }
}

extension Threshold: Codable {
    private enum CodingKeys: String, CodingKey { case below, above, equals, between, oneOf }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        if let limit = try fields.decodeIfPresent(Double.self, forKey: .below) {
            self = .below(limit)
        } else if let limit = try fields.decodeIfPresent(Double.self, forKey: .above) {
            self = .above(limit)
        } else if let wanted = try fields.decodeIfPresent(Double.self, forKey: .equals) {
            self = .equals(wanted)
        } else if let wanted = try fields.decodeIfPresent([Double].self, forKey: .oneOf) {
            self = .oneOf(wanted)
        } else {
            let ends = try fields.decode([Double].self, forKey: .between)
            guard ends.count == 2 else {
                throw DecodingError.dataCorruptedError(
                    forKey: .between,
                    in: fields,
                    debugDescription: "needs two values"
                )
            }
            self = .between(ends[0], ends[1])
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        switch self {
        case .below(let limit): try fields.encode(limit, forKey: .below)
        case .above(let limit): try fields.encode(limit, forKey: .above)
        case .equals(let wanted): try fields.encode(wanted, forKey: .equals)
        case .between(let low, let high): try fields.encode([low, high], forKey: .between)
        case .oneOf(let wanted): try fields.encode(wanted, forKey: .oneOf)
        }
    }
}

/// What it means when a metric has no value.
package enum NoDataRule: String, Sendable, Hashable, Codable, CaseIterable {
    /// Unhealthy: the default, since what cannot be seen cannot be vouched for.
    case unhealthy
    /// Healthy: for metrics that are silent when all is well.
    case healthy
    /// Left out of the judgement.
    case ignore
    /// As unhealthy, and while faults are on it aborts.
    case abort
}

/// What a metric said at one moment.
package struct Sample: Sendable, Hashable, Codable {
    /// When the value was asked for.
    package var at: Instant
    /// The value in base units; nil when there was no data.
    package var value: Double?
    /// Why there was no data, or a warning of the source.
    package var note: String?

    /// Makes a sample.
    package init(at: Instant, value: Double?, note: String? = nil) {
        self.at = at
        self.value = value
        self.note = note
    }
}

/// A metric as a definition asks for it.
package struct MetricDefinition: Sendable, Hashable, Codable {
    /// Its name in conditions and reports.
    package var name: String
    /// The source: `http`, `tcp`, `prometheus`, `process`, `command`, `lua`.
    package var source: String
    /// The options as given, checked.
    package var options: [String: ParameterValue]
    /// The target of `metric.process`.
    package var target: TargetSelector?
    /// The unit of its values.
    package var unit: MetricUnit
    /// What is healthy; nil when it is only observed.
    package var healthy: Threshold?
    /// What aborts the run: when a value is *not* admitted by this.
    package var tolerated: Threshold?
    /// How many samples in a row must be unhealthy before it counts.
    package var failures: Int
    /// How long it must have been unhealthy before it counts, in milliseconds; 0 for at once.
    package var forAtLeastMs: Double
    /// What it means when there is no value.
    package var noData: NoDataRule
    /// How old a value may be when we see it, at worst, in milliseconds.
    package var lagMs: Double
    /// The metric of the same steady state that it is compared with: the same measure on targets left alone.
    package var control: String?
    /// The line of the script.
    package var location: SourceLocation?

    /// Whether somebody else collects its values at an interval, so that shorter experiments show nothing in it.
    package var isScraped: Bool { source == "prometheus" }

    /// Makes a metric from its parts.
    package init(
        name: String,
        source: String,
        options: [String: ParameterValue],
        target: TargetSelector? = nil,
        unit: MetricUnit,
        healthy: Threshold? = nil,
        tolerated: Threshold? = nil,
        failures: Int = 1,
        forAtLeastMs: Double = 0,
        noData: NoDataRule = .unhealthy,
        lagMs: Double = 0,
        control: String? = nil,
        location: SourceLocation? = nil
    ) {
        self.name = name
        self.source = source
        self.options = options
        self.target = target
        self.unit = unit
        self.healthy = healthy
        self.tolerated = tolerated
        self.failures = failures
        self.forAtLeastMs = forAtLeastMs
        self.noData = noData
        self.lagMs = lagMs
        self.control = control
        self.location = location
    }
}

/// Everything about a kind of metric but its code.
package struct MetricDescriptor: Sendable {
    /// The word after `metric.`.
    package let name: String
    /// One sentence: what it measures.
    package let summary: String
    /// Its own options; the thresholds and tolerances are common to all.
    package let parameters: [ParameterDescriptor]
    /// The measures it has, with their units; the first is the default.
    package let measures: [(name: String, unit: MetricUnit)]
    /// Whether it takes a `target`.
    package let takesTarget: Bool

    /// Makes a descriptor from its parts.
    package init(
        name: String,
        summary: String,
        parameters: [ParameterDescriptor],
        measures: [(name: String, unit: MetricUnit)],
        takesTarget: Bool = false
    ) {
        self.name = name
        self.summary = summary
        self.parameters = parameters
        self.measures = measures
        self.takesTarget = takesTarget
    }
}

/// A running source of values of one metric.
package protocol MetricSource: Sendable {
    /// Begins to measure, for sources that measure all the time.
    func start() async

    /// The value now.
    ///
    /// Returns within its own time-out, also when the source hangs.
    func sample() async -> Reading

    /// Ends and frees what it has.
    func stop() async

    /// How old a value may be when we see it, asked of who knows; nil when the definition says it.
    ///
    /// It may be called before `start`, and returns within the source's own time-out.
    func readLag() async -> LagReading?
}

extension MetricSource {
    package func readLag() async -> LagReading? { nil }
}

/// How old values may be.
package enum LagReading: Sendable, Hashable {
    /// As the source of the values says.
    case read(Duration, from: String)
    /// A guess, and why it is one.
    case assumed(Duration, why: String)
}

/// What a source answers.
package enum Reading: Sendable, Hashable {
    /// A value in base units, and perhaps a warning.
    case value(Double, note: String? = nil)
    /// No value, and why.
    case noData(String)
}
