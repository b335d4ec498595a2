// Several series, one value: the worst series stands for all, or with `any = true` the best.
//
// A series that the abort threshold does not tolerate is worse than any that it does. Among the rest the hypothesis
// decides: for `below` the largest is the worst, for `above` the smallest, for the others the one farthest off.
// Without any threshold there is no worst, and no data.

import ChaosModel

/// Chooses the series that is judged.
struct SeriesChoice: Sendable {
    let healthy: Threshold?
    let tolerated: Threshold?
    let any: Bool
    /// What gives the series, for messages.
    var subject = "the query"

    /// The value of an answer.
    func reading(of answer: PrometheusAnswer) -> Reading {
        reading(of: answer.series, warnings: answer.warnings)
    }

    /// The value that stands for several series.
    func reading(of series: [NamedSeries], warnings: [String]) -> Reading {
        var notes = warnings.map { "warning: \($0)" }
        let numbers = series.filter { !$0.value.isNaN }
        guard let first = series.first else {
            return noData("\(subject) matches no series", notes)
        }
        if let hidden = series.first(where: \.value.isNaN), !any || numbers.isEmpty {
            return noData("the value of \(name(hidden)) is NaN", notes)
        }
        guard series.count > 1 else { return .value(first.value, note: note(notes)) }
        guard healthy != nil || tolerated != nil else {
            return noData(
                "\(subject) gives \(series.count) series, and without a threshold none is "
                    + "the worst: aggregate them in the query",
                notes
            )
        }
        let ranked = any ? numbers.min(by: isBetter) : numbers.max(by: isBetter)
        guard let chosen = ranked else { return noData("\(subject) matches no series", notes) }
        let rank = any ? "best" : "worst"
        notes.insert("\(rank) of \(series.count) series: \(name(chosen))", at: 0)
        return .value(chosen.value, note: note(notes))
    }

    /// Whether `left` is strictly better than `right`: less beyond what is tolerated, then less beyond the hypothesis.
    private func isBetter(_ left: NamedSeries, _ right: NamedSeries) -> Bool {
        rank(left.value) < rank(right.value)
    }

    private func rank(_ value: Double) -> (Double, Double) {
        let beyond = tolerated.map { max(0, $0.excess(of: value)) } ?? 0
        return (beyond, (healthy ?? tolerated)?.excess(of: value) ?? 0)
    }

    private func noData(_ reason: String, _ notes: [String]) -> Reading {
        .noData(([reason] + notes).joined(separator: "; "))
    }

    private func note(_ notes: [String]) -> String? {
        notes.isEmpty ? nil : notes.joined(separator: "; ")
    }

    private func name(_ series: NamedSeries) -> String {
        series.labels.isEmpty ? subject : series.labels
    }
}

extension Threshold {
    /// How far a value is outside; negative inside.
    fileprivate func excess(of value: Double) -> Double {
        guard value.isFinite else { return admits(value) ? -.infinity : .infinity }
        return switch self {
        case .below(let limit): value - limit
        case .above(let limit): limit - value
        case .equals(let wanted): admits(value) ? 0 : abs(value - wanted)
        case .between(let low, let high): max(low - value, value - high)
        case .oneOf(let wanted):
            admits(value) ? 0 : wanted.map { abs(value - $0) }.min() ?? .infinity
        }
    }
}
