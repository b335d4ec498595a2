// The options that every metric has: what is healthy, when to abort, and how many blips are forgiven.
//
// Thresholds stay as written until the measure is known, since only the measure has a unit.

package import ChaosModel

/// The options of every metric.
package enum CommonOptions {
    /// Healthy below this.
    package static let below = Parameter(
        "below",
        .threshold,
        help: "Healthy while the value is below this."
    )
    /// Healthy above this.
    package static let above = Parameter(
        "above",
        .threshold,
        help: "Healthy while the value is above this."
    )
    /// Healthy at this.
    package static let equals = Parameter(
        "equals",
        .threshold,
        help: "Healthy while the value is this, up to a relative 1e-9."
    )
    /// Healthy from the first to the second.
    package static let between = Parameter(
        "between",
        .thresholds(2...2),
        help: "Healthy from the first value to the second, both included."
    )
    /// Healthy at one of these.
    package static let oneOf = Parameter(
        "one_of",
        .thresholds(1...64),
        help: "Healthy while the value is one of these, each up to a relative 1e-9."
    )
    /// The run is aborted above this.
    package static let abortAbove = Parameter(
        "abort_above",
        .threshold,
        help: "Abort the run when the value is above this while faults are on."
    )
    /// The run is aborted below this.
    package static let abortBelow = Parameter(
        "abort_below",
        .threshold,
        help: "Abort the run when the value is below this while faults are on."
    )
    /// Samples in a row.
    package static let failures = Parameter(
        "failures",
        ParameterKind<Int>.integer(1...1000, example: "3"),
        default: 1,
        help:
            "Count a violation only after this many samples in a row; also for the abort thresholds."
    )
    /// A span of time.
    package static let forAtLeast = Parameter(
        "for_at_least",
        ParameterKind<Duration>.duration(to: .seconds(86_400)),
        default: "0s",
        help: "Count a violation only when it has lasted this long; also for the abort thresholds."
    )
    /// What no value means.
    package static let noData = Parameter(
        "no_data",
        ParameterKind<String>.choice(NoDataRule.allCases.map(\.rawValue)),
        default: .string(NoDataRule.unhealthy.rawValue),
        help: "What it means when there is no value."
    )
    /// The metric to compare with.
    package static let control = Parameter(
        "control",
        ParameterKind<String>.string(example: "\"error_rate_of_the_others\""),
        help:
            "The name of another metric, the same measure on targets left alone: the report compares them."
    )
    /// The sliding window of the sources that measure all the time.
    package static let window = Parameter(
        "window",
        ParameterKind<Duration>.duration(from: .seconds(1), to: .seconds(600)),
        default: "10s",
        help: "The span that a value is computed over; it slides."
    )

    /// Those of every source; `window` belongs to the probes only.
    static let all = [
        below.erased, above.erased, equals.erased, between.erased, oneOf.erased,
        abortAbove.erased, abortBelow.erased, failures.erased, forAtLeast.erased, noData.erased,
        control.erased,
    ]
}

extension ParameterKind where Value == ParameterValue {
    /// A value in the unit of the measure, read when the measure is known.
    static var threshold: ParameterKind {
        let shape = ParameterShape(
            type: "threshold",
            json: "string or number",
            example: "\"300ms\"",
            allowed: "a value in the unit of the measure"
        )
        return ParameterKind(shape: shape) { value throws(ParameterProblem) in
            switch value {
            case .string, .number, .boolean: return value
            case .list, .table: throw ParameterProblem("must be one value, got \(value)")
            }
        }
    }
}

extension ParameterKind where Value == [ParameterValue] {
    /// Values in the unit of the measure.
    static func thresholds(_ count: ClosedRange<Int>) -> ParameterKind {
        let isPair = count.lowerBound == count.upperBound
        let shape = ParameterShape(
            type: "list of threshold",
            json: "array",
            example: "{ \"100ms\", \"300ms\" }",
            allowed: "values in the unit of the measure"
        )
        return ParameterKind(shape: shape) { value throws(ParameterProblem) in
            guard case .list(let items) = value, count.contains(items.count) else {
                let wanted =
                    isPair
                    ? "a list of \(count.lowerBound) values"
                    : "a list of \(count.lowerBound) to \(count.upperBound) values"
                throw ParameterProblem("must be \(wanted), got \(value)")
            }
            return items
        }
    }
}

extension MetricDescriptor {
    /// The name in messages: `metric.http`.
    package var subject: String { "metric.\(name)" }

    /// Its own options and the common ones.
    package var parameterSet: ParameterSet {
        let choice = measures.count > 1 ? [measureParameter.erased] : []
        return ParameterSet(of: subject, parameters + choice + CommonOptions.all)
    }

    /// The choice among its measures; the first is the default.
    var measureParameter: Parameter<String> {
        Parameter(
            "measure",
            ParameterKind<String>.choice(measures.map(\.name)),
            default: measures.first.map { .string($0.name) },
            help: "What is measured."
        )
    }

    /// The measure that the options choose.
    func measure(in parameters: Parameters) -> (name: String, unit: MetricUnit) {
        let wanted = parameters[measureParameter]
        let chosen = measures.first { $0.name == wanted } ?? measures.first
        return chosen ?? (name: "value", unit: .number)
    }
}
