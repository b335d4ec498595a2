// What happened to a number of requests: counts, latencies and the reasons of the errors.

import Histogram

/// How a request of a probe ended.
enum ProbeOutcome: Sendable, Hashable {
    /// A good answer.
    case good
    /// An answer, but not a good one: why.
    case bad(String)
    /// No answer: why. It has no latency: a refused connection is not a fast one.
    case failed(String)
    /// No answer within the time-out, which is its latency.
    case timedOut
    /// Not started since too many were waiting; it would have waited with them.
    case notSent
}

/// Requests added up.
///
/// The histogram (HdrHistogram, two digits, microseconds) is there only where a quantile is asked for: it takes
/// 10 KiB, and a window has twenty.
struct ProbeTally: Sendable {
    private(set) var good = 0
    private(set) var errors = 0
    /// How many have a latency.
    private(set) var timed = 0
    private(set) var latencySum = 0.0
    private(set) var longest: Int64 = 0
    private(set) var reasons: [String: Int] = [:]
    private var histogram: Histogram<UInt32>?

    /// The kinds of reasons that are told apart.
    private static let reasonLimit = 16
    private static let longestTracked: UInt64 = 120_000_000

    init(withQuantiles: Bool) {
        guard withQuantiles else { return }
        histogram = Histogram(
            highestTrackableValue: Self.longestTracked,
            numberOfSignificantValueDigits: .two
        )
    }

    var count: Int { good + errors }

    mutating func add(_ outcome: ProbeOutcome, latency: Int64) {
        switch outcome {
        case .good: good += 1
        case .bad(let reason): addError(reason)
        case .failed(let reason): addError(reason)
        case .timedOut: addError("timed out")
        case .notSent: addError("not sent, too many were waiting")
        }
        if case .failed = outcome { return }
        timed += 1
        latencySum += Double(latency)
        longest = max(longest, latency)
        let micros = min(UInt64(max(latency, 0)) / 1000, Self.longestTracked)
        histogram?.record(micros)
    }

    mutating func add(_ other: ProbeTally) {
        good += other.good
        errors += other.errors
        timed += other.timed
        latencySum += other.latencySum
        longest = max(longest, other.longest)
        for (reason, count) in other.reasons { addReason(reason, count) }
        if other.timed > 0, let theirs = other.histogram { histogram?.add(theirs) }
    }

    /// A quantile of the latencies in nanoseconds; never more than the longest that was seen.
    func quantile(_ share: Double) -> Int64 {
        guard let histogram else { return longest }
        let micros = Int64(clamping: histogram.valueAtPercentile(share * 100))
        return min(micros * 1000, longest)
    }

    /// `12 of 50 failed: connection refused (10), status 503 (2)`; nil when none did.
    var trouble: String? {
        guard errors > 0 else { return nil }
        let ranked = reasons.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        let shown = ranked.prefix(3).map { "\($0.key) (\($0.value))" }.joined(separator: ", ")
        return "\(errors) of \(count) failed: \(shown)" + (ranked.count > 3 ? ", …" : "")
    }

    private mutating func addError(_ reason: String) {
        errors += 1
        addReason(reason, 1)
    }

    private mutating func addReason(_ reason: String, _ count: Int) {
        let isKnown = reasons[reason] != nil || reasons.count < Self.reasonLimit
        reasons[isKnown ? reason : "other", default: 0] += count
    }
}
