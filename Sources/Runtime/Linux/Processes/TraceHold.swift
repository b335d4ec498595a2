// Stopping a process as its tracer: PTRACE_SEIZE and PTRACE_INTERRUPT of every thread. A ptrace stop ends when the
// tracer does, so that nobody needs to put it back: the kernel lets the process go on when we die, however we die.
//
// Tracing belongs to one thread of ours, which does nothing else from the first call to the last.

import CLinux
import ChaosModel
import ChaosThreads
import Dispatch
import Glibc
import Synchronization

/// The processes that this one holds.
final class TraceHolds: Sendable {
    private let holds = Mutex<[ProcessIdentity: TraceHold]>([:])

    /// Stops all threads of a process; false when it has ended.
    func hold(_ process: ProcessIdentity) throws(KernelError) -> Bool {
        if holds.withLock({ $0[process] != nil }) { return true }
        guard let hold = try TraceHold(process) else { return false }
        holds.withLock { $0[process] = hold }
        return true
    }

    /// Lets a process go on; one that is not held is no error.
    func letGo(_ process: ProcessIdentity) throws(KernelError) {
        try holds.withLock { $0.removeValue(forKey: process) }?.letGo()
    }
}

/// One held process.
private final class TraceHold: Sendable {
    /// How long the kernel may take to stop all threads, or to let them go.
    private static let limit = Duration.seconds(2)

    private let process: ProcessIdentity
    private let thread = Mutex<pid_t>(0)
    private let isReleased = Mutex(false)
    private let isStopped: DispatchSemaphore
    private let isDone: DispatchSemaphore

    /// Stops it; nil when it has ended.
    init?(_ process: ProcessIdentity) throws(KernelError) {
        self.process = process
        isStopped = DispatchSemaphore(value: 0)
        isDone = DispatchSemaphore(value: 0)
        let answer = Shared<Result<Bool, KernelError>?>(nil)
        try OwnThread.start { [self] in
            thread.withLock { $0 = clinux_thread() }
            // It fails for no signal that there is; without it a let-go would be told as not answered.
            clinux_allow_kicks()
            var threads = TracedThreads(process)
            let result = Result { () throws(KernelError) in try threads.stop(within: Self.limit) }
            answer.value = result
            isStopped.signal()
            if case .success(true) = result { hold(&threads) }
            threads.detach()
            isDone.signal()
        }
        isStopped.wait()
        guard let result = answer.value else {
            throw KernelError(.failed, "hold process \(process.pid)", "the tracer gave no answer")
        }
        guard try result.get() else { return nil }
    }

    /// Waits, with no turn of a clock, until we let go or all threads have ended.
    private func hold(_ threads: inout TracedThreads) {
        while !isReleased.withLock({ $0 }) {
            var status: Int32 = 0
            let found = clinux_trace_wait(-1, true, &status)
            if found == -ECHILD { return }
            if found > 0 { threads.note(found, status) }
        }
    }

    func letGo() throws(KernelError) {
        isReleased.withLock { $0 = true }
        let clock = ContinuousClock()
        let end = clock.now.advanced(by: Self.limit)
        while clock.now < end {
            // The kick may come a moment before the thread waits, so it is given again.
            clinux_kick(thread.withLock { $0 })
            if isDone.wait(timeout: .now() + .milliseconds(5)) == .success { return }
        }
        throw KernelError(.failed, "let process \(process.pid) go", "its tracer does not answer")
    }
}
