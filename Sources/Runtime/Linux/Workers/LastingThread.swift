// The thread that starts workers. PR_SET_PDEATHSIG fires when the thread that forked ends, not the process, so that
// workers must be started by a thread that lives as long as the agent; none of Swift's pool promises that.

import ChaosModel
import ChaosThreads
import Dispatch
import Synchronization

/// A thread that never ends and does one thing after the other.
final class LastingThread: Sendable {
    private static let shared = Mutex<LastingThread?>(nil)

    private let jobs = Mutex<[@Sendable () -> Void]>([])
    private let isDue = DispatchSemaphore(value: 0)

    private init() throws(KernelError) {
        try OwnThread.start { [self] in
            while true {
                isDue.wait()
                let job = jobs.withLock { $0.isEmpty ? nil : $0.removeFirst() }
                job?()
            }
        }
    }

    /// Runs `body` on the one thread of this process and waits, blocking the caller.
    static func run<Value: Sendable>(
        _ body: @escaping @Sendable () throws(KernelError) -> Value
    ) throws(KernelError) -> Value {
        let thread = try shared.withLock { shared throws(KernelError) in
            if let shared { return shared }
            let made = try LastingThread()
            shared = made
            return made
        }
        return try thread.run(body)
    }

    private func run<Value: Sendable>(
        _ body: @escaping @Sendable () throws(KernelError) -> Value
    ) throws(KernelError) -> Value {
        let answer = Shared<Result<Value, KernelError>?>(nil)
        let isDone = DispatchSemaphore(value: 0)
        jobs.withLock { jobs in
            jobs.append {
                answer.value = Result(catching: body)
                isDone.signal()
            }
        }
        isDue.signal()
        isDone.wait()
        guard let result = answer.value else {
            throw KernelError(.failed, "run on the lasting thread", "it gave no answer")
        }
        return try result.get()
    }
}
