// The clock that runs on while the machine sleeps, so that a lease also ends during a suspend.

package import ChaosModel
import Glibc

/// Time on Linux.
package struct LinuxTime: TimePort {
    /// Makes the clock.
    package init() {}

    package var now: Instant { Instant(nanoseconds: Self.read(CLOCK_BOOTTIME)) }

    package var secondsSince1970: Double { Double(Self.read(CLOCK_REALTIME)) / 1e9 }

    /// Sleeps until `instant`; throws `CancellationError` when cancelled.
    ///
    /// Swift's continuous clock is CLOCK_BOOTTIME here too, so Task.sleep keeps the deadline through a suspend;
    /// the loop only makes sure that it never wakes early. Every turn sleeps up to the deadline.
    package func sleep(until instant: Instant) async throws {
        while true {
            let rest = instant.since(now)
            guard rest > .zero else { return try Task.checkCancellation() }
            try await Task.sleep(for: rest, tolerance: .zero, clock: .continuous)
        }
    }

    private static func read(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
