// Two parts of a run compared: whether they differ, by how much, and how sure that is.

package import ChaosModel

extension RunReport.Comparison {
    /// Fewer values on a side prove nothing.
    package static let fewest = 8
    /// The probability below which a difference counts.
    package static let alpha = 0.05

    /// Compares two parts.
    ///
    /// - Parameters:
    ///   - kind: What is compared with what.
    ///   - metric: The metric that is judged; the control has another name and the same unit.
    ///   - control: The name of the control, if that is the first part's metric.
    ///   - first: The samples to compare with.
    ///   - second: The samples to compare.
    package init(
        _ kind: RunReport.Comparison.Kind,
        of metric: MetricDefinition,
        control: String? = nil,
        first: some Sequence<Sample>,
        second: some Sequence<Sample>
    ) {
        self.init(kind: kind, metric: metric.name, control: control, unit: metric.unit)
        let first = Self.values(first)
        let second = Self.values(second)
        firstCount = first.count
        secondCount = second.count
        guard min(first.count, second.count) >= Self.fewest,
            let test = MannWhitney(first: first, second: second)
        else { return }
        result = test.pValue < Self.alpha ? .differs : .noDifference
        u = test.u
        pValue = test.pValue
        method = test.method.rawValue
        cliffsDelta = test.cliffsDelta
        let estimate = HodgesLehmann(first: first, second: second, method: test.method)
        shift = estimate?.shift
        shiftLow = estimate?.low
        shiftHigh = estimate?.high
    }

    private static func values(_ samples: some Sequence<Sample>) -> [Double] {
        samples.compactMap { sample in sample.value.flatMap { $0.isNaN ? nil : $0 } }
    }
}
