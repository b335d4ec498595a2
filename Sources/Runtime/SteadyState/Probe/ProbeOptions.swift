// What the active probes have in common: how often, how patiently, from where, and what they measure.

import ChaosModel

/// The options of `metric.http` and `metric.tcp`.
enum ProbeOptions {
    static let timeout = Parameter(
        "timeout",
        ParameterKind<Duration>.duration(from: .milliseconds(1), to: .seconds(60)),
        default: "1s",
        help: "How long an answer may take; later is an error, and counts with this latency."
    )
    static let rate = Parameter(
        "rate",
        ParameterKind<Double>.boundedRate(atMost: 1000),
        default: "5/s",
        help: "How many requests to start, on schedule, whether or not earlier ones were answered."
    )
    static let netns = Parameter(
        "netns",
        ParameterKind<String>.namespaceName,
        help: "The network namespace to connect from; host names are still resolved on the host."
    )

    static let common = [
        timeout.erased, rate.erased, netns.erased, CommonOptions.window.erased,
    ]

    static let measures = ProbeMeasure.named.map { (name: $0.name, unit: $0.measure.unit) }

    /// A request that hangs is only known when its time-out is over, and the next starts an interval later.
    static func lag(_ parameters: Parameters) throws(DefinitionError) -> Duration {
        try parameters.value(timeout) + .seconds(1 / (try parameters.value(rate)))
    }
}

extension ParameterKind where Value == Double {
    /// Events a second, at least one an hour, at most a bound: a probe must not become the load.
    static func boundedRate(atMost limit: Double) -> ParameterKind {
        let allowed = "between 1/h and \(ParameterValue.shortest(limit))/s"
        var shape = rate.shape
        shape.allowed = allowed
        return ParameterKind(shape: shape) { value throws(ParameterProblem) in
            let parsed = try rate.parse(value)
            guard parsed >= 1.0 / 3600 * 0.999_999, parsed <= limit else {
                throw ParameterProblem("must be \(allowed), got \(value)")
            }
            return parsed
        }
    }
}
