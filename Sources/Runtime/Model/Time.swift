// Moments, and the port to the clocks of this machine.

/// A moment on the clock that runs on while the machine sleeps (CLOCK_BOOTTIME).
package struct Instant: Sendable, Hashable, Comparable, Codable {
    /// Nanoseconds since boot.
    package var nanoseconds: Int64

    /// Makes an instant from nanoseconds since boot.
    package init(nanoseconds: Int64) { self.nanoseconds = nanoseconds }

    package static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// The instant `span` later.
    package func advanced(by span: Duration) -> Instant {
        Instant(nanoseconds: nanoseconds + Int64(span.inSeconds * 1e9))
    }

    /// The span from `earlier` to this instant.
    package func since(_ earlier: Instant) -> Duration {
        .nanoseconds(nanoseconds - earlier.nanoseconds)
    }

    package init(from decoder: any Decoder) throws {
        nanoseconds = try decoder.singleValueContainer().decode(Int64.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(nanoseconds)
    }
}

/// Time.
package protocol TimePort: Sendable {
    /// Now.
    var now: Instant { get }

    /// Seconds since 1970, UTC, for records; never for measuring.
    var secondsSince1970: Double { get }

    /// Sleeps until `instant`; throws `CancellationError` when cancelled.
    func sleep(until instant: Instant) async throws
}

extension TimePort {
    /// Sleeps for a span of time.
    package func sleep(for span: Duration) async throws {
        try await sleep(until: now.advanced(by: span))
    }
}
