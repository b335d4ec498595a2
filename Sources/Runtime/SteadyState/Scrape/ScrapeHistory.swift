// The pages of the window, and what they say together: the growth of counters and the quantiles of a histogram.
// A value without I/O or clock.

import ChaosModel

/// The series of one name as a page had them.
struct ScrapedPage: Sendable {
    let at: Instant
    let samples: [ExposedSample]
}

/// The pages of the window.
///
/// The newest page before the window is kept as well, so that the growth over the whole window is known.
struct ScrapeHistory: Sendable {
    /// How far apart pages must be to tell a rate; the growth of an instant says nothing.
    static let shortest = Duration.milliseconds(900)

    private let window: Duration
    private var series: [SeriesKey: CounterSeries] = [:]
    private var times: [Instant] = []

    init(window: Duration) { self.window = window }

    /// Adds a page, and forgets what is older than the window.
    mutating func add(_ page: ScrapedPage) {
        times.append(page.at)
        let begins = page.at.advanced(by: .zero - window)
        while times.count > 2, times[1] <= begins { times.removeFirst() }
        guard let oldest = times.first else { return }
        let isFirst = times.count == 1
        for sample in page.samples where !sample.value.isNaN {
            let key = SeriesKey(name: sample.name, labels: sample.labels)
            series[key, default: CounterSeries(isNew: !isFirst)].add(sample.value, at: page.at)
        }
        for key in Array(series.keys) {
            series[key]?.forget(before: oldest)
            if series[key]?.isEmpty == true { series[key] = nil }
        }
    }

    /// The span that the pages cover; nil when it is too short to tell.
    var span: Duration? {
        guard let first = times.first, let last = times.last else { return nil }
        let span = last.since(first)
        return span >= min(Self.shortest, window) ? span : nil
    }

    /// How much all series of a name have grown over the window, resets taken into account.
    func growth(of name: String) -> Double {
        series.filter { $0.key.name == name }.reduce(0) { $0 + $1.value.growth }
    }

    /// The growth of the buckets of a histogram by their upper bounds.
    func buckets(of name: String) -> [Double: Double] {
        var buckets: [Double: Double] = [:]
        for (key, counter) in series where key.name == name {
            guard let text = key.labels["le"], let bound = Self.bound(text) else { continue }
            buckets[bound, default: 0] += counter.growth
        }
        return buckets
    }

    private static func bound(_ text: String) -> Double? {
        text == "+Inf" ? .infinity : Double(text).flatMap { $0.isNaN ? nil : $0 }
    }
}

private struct SeriesKey: Hashable, Sendable {
    let name: String
    let labels: [String: String]
}

/// One counter over the window.
private struct CounterSeries: Sendable {
    private var points: [(at: Instant, value: Double)] = []
    /// Whether it appeared after the first page, and so began at zero.
    private var isNew: Bool

    init(isNew: Bool) { self.isNew = isNew }

    var isEmpty: Bool { points.isEmpty }

    mutating func add(_ value: Double, at instant: Instant) { points.append((instant, value)) }

    mutating func forget(before oldest: Instant) {
        guard let first = points.first, first.at < oldest else { return }
        points.removeAll { $0.at < oldest }
        isNew = false
    }

    /// How much it has grown; one that is smaller than before has begun again at zero.
    var growth: Double {
        guard let first = points.first else { return 0 }
        var last = isNew ? 0 : first.value
        var growth = 0.0
        for point in points {
            growth += point.value >= last ? point.value - last : point.value
            last = point.value
        }
        return growth
    }
}

/// A quantile from cumulative buckets, as Prometheus' `histogram_quantile` computes it.
enum BucketQuantile {
    /// The quantile; nil when nothing was observed or there is no bucket without bound.
    static func value(_ share: Double, of buckets: [Double: Double]) -> Double? {
        let sorted = buckets.sorted { $0.key < $1.key }
        guard sorted.count >= 2, sorted.last?.key == .infinity else { return nil }
        // Pages are no snapshots: a bucket may lag behind one below it.
        var cumulative: [(bound: Double, count: Double)] = []
        for bucket in sorted {
            cumulative.append((bucket.key, max(bucket.value, cumulative.last?.count ?? 0)))
        }
        guard let total = cumulative.last?.count, total > 0 else { return nil }
        let rank = share * total
        let index = cumulative.firstIndex { $0.count >= rank } ?? cumulative.count - 1
        if index == cumulative.count - 1 { return cumulative[index - 1].bound }
        let end = cumulative[index]
        if index == 0, end.bound <= 0 { return end.bound }
        let begin = index == 0 ? (bound: 0, count: 0) : cumulative[index - 1]
        guard end.count > begin.count else { return end.bound }
        return begin.bound
            + (end.bound - begin.bound) * (rank - begin.count) / (end.count - begin.count)
    }
}
