// The figures of a series of samples, for the report.

package import ChaosModel

/// Count, mean and quantiles of a series.
///
/// Quantiles are by nearest rank: each is a value that was seen, so that an infinite one stays what it is.
package struct MetricSummary: Sendable, Hashable, Codable {
    /// How many samples had a value.
    package let count: Int
    /// How many had none.
    package let noDataCount: Int
    /// The mean; nil like the rest when no sample had a value, and NaN when +Inf and -Inf meet.
    package let mean: Double?
    /// The smallest value.
    package let min: Double?
    /// The largest value.
    package let max: Double?
    /// The median.
    package let p50: Double?
    /// The value that 95 % do not exceed.
    package let p95: Double?
    /// The value that 99 % do not exceed.
    package let p99: Double?

    /// Adds a series up; NaN is no data.
    package init(_ samples: some Sequence<Sample>) {
        var values: [Double] = []
        var missing = 0
        for sample in samples {
            if let value = sample.value, !value.isNaN {
                values.append(value)
            } else {
                missing += 1
            }
        }
        values.sort()
        count = values.count
        noDataCount = missing
        mean = Self.mean(values)
        min = values.first
        max = values.last
        p50 = Self.quantile(0.5, of: values)
        p95 = Self.quantile(0.95, of: values)
        p99 = Self.quantile(0.99, of: values)
    }

    /// A running mean, which does not overflow where a sum would.
    private static func mean(_ values: [Double]) -> Double? {
        guard let first = values.first, let last = values.last else { return nil }
        guard first.isFinite, last.isFinite else {
            return first.isFinite ? last : last.isFinite ? first : first == last ? first : .nan
        }
        var mean = 0.0
        for (index, value) in values.enumerated() {
            mean += value / Double(index + 1) - mean / Double(index + 1)
        }
        return mean
    }

    private static func quantile(_ share: Double, of sorted: [Double]) -> Double? {
        guard !sorted.isEmpty else { return nil }
        let rank = Int((share * Double(sorted.count)).rounded(.up))
        return sorted[Swift.min(Swift.max(rank, 1), sorted.count) - 1]
    }
}
