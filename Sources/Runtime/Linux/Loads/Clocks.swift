// The clocks that loads are steered by, in seconds.

import Glibc

/// Clocks of the kernel.
enum LoadClock {
    /// Time that never jumps.
    static var now: Double { read(CLOCK_MONOTONIC) }

    /// Processor time of the calling thread.
    static var thread: Double { read(CLOCK_THREAD_CPUTIME_ID) }

    /// Processor time of this process.
    static var process: Double { read(CLOCK_PROCESS_CPUTIME_ID) }

    /// Sleeps on the calling thread until a moment of `now`.
    static func sleep(until moment: Double) {
        guard moment > now else { return }
        var time = timespec(
            tv_sec: Int(moment),
            tv_nsec: Int((moment - moment.rounded(.down)) * 1e9)
        )
        while clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil) == EINTR {}
    }

    private static func read(_ clock: clockid_t) -> Double {
        var time = timespec()
        clock_gettime(clock, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
    }
}
