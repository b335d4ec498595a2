// What a probe can tell about its requests.

import ChaosModel

/// One measure of `metric.http` and `metric.tcp`.
enum ProbeMeasure: Sendable, Hashable {
    /// The share of requests that failed, were answered wrongly, or were not answered in time.
    case errorRate
    /// Good answers a second.
    case rate
    /// The mean latency.
    case mean
    /// A quantile of the latencies, 0…1.
    case quantile(Double)
    /// The largest latency.
    case max

    /// All by name, the default first.
    static let named: [(name: String, measure: ProbeMeasure)] = [
        ("error_rate", .errorRate), ("rate", .rate), ("mean", .mean), ("p50", .quantile(0.5)),
        ("p90", .quantile(0.9)), ("p95", .quantile(0.95)), ("p99", .quantile(0.99)),
        ("p99.9", .quantile(0.999)), ("max", .max),
    ]

    /// The measure of a name.
    init?(_ name: String) {
        guard let found = Self.named.first(where: { $0.name == name }) else { return nil }
        self = found.measure
    }

    /// The unit of its values.
    var unit: MetricUnit {
        switch self {
        case .errorRate: .share
        case .rate: .perSecond
        case .mean, .quantile, .max: .seconds
        }
    }
}
