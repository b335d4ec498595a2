// A range query: the points of the last window, of which one figure stands for each series.

/// What stands for the points of a series.
struct RangeReduction: Sendable, Hashable {
    /// The figure.
    enum Figure: String, Sendable, CaseIterable {
        /// The last one.
        case value
        case mean
        case min
        case max
    }

    let figure: Figure
    /// Seconds since 1970: a series whose last point is older has ended, and says nothing of now.
    let newest: Double

    /// The figure; nil for a series that has ended or has no point.
    ///
    /// Points that are NaN are left out, unless there is no other.
    func value(of points: [(at: Double, value: Double)]) -> Double? {
        guard let last = points.last, last.at >= newest else { return nil }
        let values = points.map(\.value).filter { !$0.isNaN }
        guard !values.isEmpty else { return .nan }
        switch figure {
        case .value: return last.value
        case .mean: return values.reduce(0) { $0 + $1 / Double(values.count) }
        case .min: return values.min()
        case .max: return values.max()
        }
    }
}
