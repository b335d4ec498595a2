// When a probe starts its requests: a value without I/O or clock.
//
// The schedule is open-loop. A request is due at its time whether or not earlier ones were answered, and its
// latency counts from that time, so that a stall shows in every request that fell into it and not only in the one
// that met it ("coordinated omission").

/// The times of a probe's requests, in nanoseconds of one monotonic clock.
struct ProbeSchedule: Sendable {
    /// What is due.
    struct Due: Sendable, Equatable {
        /// Requests to start, by the time that they should have started at.
        var starts: [Int64] = []
        /// Requests over the bound; they count as errors.
        var refused = 0
        /// Requests that we ourselves are too late for; they do not count, since the lateness is ours.
        var leftOut = 0
    }

    /// The time between two requests.
    let interval: Int64
    /// The time of the next request.
    private(set) var next: Int64
    private let timeout: Int64
    private let limit: Int

    /// The most requests that may wait at once, whatever rate and time-out are.
    static let waitingLimit = 512

    init(rate: Double, timeout: Int64, begin: Int64) {
        interval = max(1, Int64(1e9 / rate))
        next = begin
        self.timeout = timeout
        // Twice what can be waiting, so that a late wake-up of ours, which finds as many due as are still being
        // timed out, refuses none.
        let waiting = Double(timeout) / Double(interval)
        limit = Int(min(Double(Self.waitingLimit), 2 * waiting.rounded(.up) + 4))
    }

    /// Takes what is due at `now` off the schedule, with `waiting` requests still unanswered.
    mutating func due(at now: Int64, waiting: Int) -> Due {
        var due = Due()
        guard next <= now else { return due }
        if now - next > timeout {
            let late = (now - next - timeout) / interval + 1
            due.leftOut = Int(clamping: late)
            next += late * interval
        }
        while next <= now {
            if waiting + due.starts.count < limit {
                due.starts.append(next)
            } else {
                due.refused += 1
            }
            next += interval
        }
        return due
    }
}
