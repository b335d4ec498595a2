// The threads of a process that one thread of ours traces.

import CLinux
import ChaosModel
import Glibc

/// Threads that are stopped, and what each was about to get.
struct TracedThreads {
    private let process: ProcessIdentity
    /// The stopped threads; a signal that one was about to get when it stopped, or 0.
    private var signals: [pid_t: Int32] = [:]

    init(_ process: ProcessIdentity) { self.process = process }

    /// Stops every thread, those that begin meanwhile included; false when the process has ended.
    mutating func stop(within limit: Duration) throws(KernelError) -> Bool {
        let clock = ContinuousClock()
        let end = clock.now.advanced(by: limit)
        // A thread that is not stopped may start another, so the list is read until nothing in it is new.
        while true {
            guard try LinuxProcesses().isThere(process) else { return false }
            let names = try ProcFile.names(in: "/proc/\(process.pid)/task") ?? []
            let new = names.compactMap { pid_t($0) }.filter { signals[$0] == nil }
            if new.isEmpty { return !signals.isEmpty }
            for thread in new { try stop(thread, by: end) }
        }
    }

    private mutating func stop(
        _ thread: pid_t,
        by end: ContinuousClock.Instant
    ) throws(KernelError) {
        let operation = "trace process \(process.pid)"
        var code = clinux_trace_seize(thread)
        if code == 0 { code = clinux_trace_interrupt(thread) }
        if code == ESRCH { return }
        guard code == 0 else {
            throw .system(code, operation, needs: "CAP_SYS_PTRACE, and no other tracer")
        }
        var pause: UInt32 = 50
        while true {
            var status: Int32 = 0
            let found = clinux_trace_wait(thread, false, &status)
            if found == thread {
                note(thread, status)
                return
            }
            if found < 0, found != -EINTR { return }
            guard ContinuousClock.now < end else {
                throw KernelError(
                    .failed,
                    operation,
                    "thread \(thread) does not stop: it is in uninterruptible sleep"
                )
            }
            // Waiting without a limit would hang with a thread in uninterruptible sleep.
            usleep(pause)
            pause = min(pause * 2, 5000)
        }
    }

    /// Takes down what a wait told of a thread.
    mutating func note(_ thread: pid_t, _ status: Int32) {
        let isStopped = status & 0xff == 0x7f
        guard isStopped else {
            signals[thread] = nil
            return
        }
        // An event in the third byte is a stop of the tracer's; none means a signal on its way.
        let event = status >> 16
        signals[thread] = event == 0 ? (status >> 8) & 0xff : 0
    }

    /// Lets all go on.
    mutating func detach() {
        for (thread, signal) in signals { clinux_trace_detach(thread, signal) }
        signals = [:]
    }
}
