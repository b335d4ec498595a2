// Waiting for one of some descriptors, blocking the calling thread.

import Glibc

/// poll(2).
enum Poll {
    /// The first descriptor that can be read; nil when there is none within `limit`.
    static func firstReadable(_ descriptors: [Int32], within limit: Duration) -> Int32? {
        let clock = ContinuousClock()
        let end = clock.now.advanced(by: limit)
        while true {
            var set = descriptors.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            let rest = max(.zero, clock.now.duration(to: end))
            let milliseconds = Int32(min((rest / .milliseconds(1)).rounded(.up), 3_600_000))
            let count = poll(&set, nfds_t(set.count), milliseconds)
            if count > 0 { return set.first { $0.revents != 0 }?.fd }
            if count < 0, errno != EINTR { return nil }
            if clock.now >= end { return nil }
        }
    }
}
