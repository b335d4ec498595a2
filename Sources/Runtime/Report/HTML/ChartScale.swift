// From values to places in a chart, and the round numbers of its axes.

import ChaosModel

/// A linear scale.
struct ChartScale {
    let values: ClosedRange<Double>
    let places: (start: Double, end: Double)

    /// The place of a value, kept inside of the chart.
    func place(_ value: Double) -> Double {
        let width = values.upperBound - values.lowerBound
        let share = width > 0 ? (value - values.lowerBound) / width : 0.5
        return places.start + min(1, max(0, share)) * (places.end - places.start)
    }

    /// Round values inside of the range, about as many as asked for.
    func ticks(_ count: Int) -> [Double] {
        let width = values.upperBound - values.lowerBound
        guard width > 0, width.isFinite else { return [values.lowerBound] }
        let rough = width / Double(max(1, count))
        var power = 1.0
        while power * 10 <= rough { power *= 10 }
        while power > rough { power /= 10 }
        let step = [1.0, 2, 5, 10].map { $0 * power }.first { $0 >= rough } ?? rough
        var ticks: [Double] = []
        var tick = (values.lowerBound / step).rounded(.up) * step
        while tick <= values.upperBound + step * 1e-9, ticks.count < 50 {
            ticks.append(tick)
            tick += step
        }
        return ticks
    }
}

extension Double {
    /// The number with one decimal, for coordinates.
    var coordinate: String { ParameterValue.shortest((self * 10).rounded() / 10) }
}
