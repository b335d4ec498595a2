// Threads of our own: for calls that block, which must not hold a thread of Swift's pool, for loops that never end, and
// for calls that change the thread itself (setns), after which no other code may ever run on it. A new thread is in the
// network namespace of the one that starts it.

package import ChaosModel
import Glibc
import Synchronization

/// Starts threads that end with their work.
package enum OwnThread {
    private final class Work: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    private final class Answer<Value: Sendable>: Sendable {
        let result = Mutex<Result<Value, KernelError>?>(nil)
    }

    /// Runs `body` on a thread of its own and does not wait.
    package static func start(_ body: @escaping @Sendable () -> Void) throws(KernelError) {
        let thread = try create(body)
        pthread_detach(thread)
    }

    /// Runs `body` on a thread of its own and waits, blocking the caller.
    package static func run<Value: Sendable>(
        _ body: @escaping @Sendable () throws(KernelError) -> Value
    ) throws(KernelError) -> Value {
        let answer = Answer<Value>()
        let thread = try create {
            let result = Result(catching: body)
            answer.result.withLock { $0 = result }
        }
        pthread_join(thread, nil)
        guard let result = answer.result.withLock({ $0 }) else {
            throw KernelError(.failed, "run a thread", "it ended without an answer")
        }
        return try result.get()
    }

    /// Runs `body` on a thread of its own and waits without holding the caller's thread.
    package static func value<Value: Sendable>(
        _ body: @escaping @Sendable () throws(KernelError) -> Value
    ) async throws(KernelError) -> Value {
        let result = await withCheckedContinuation { continuation in
            do throws(KernelError) {
                try start { continuation.resume(returning: Result(catching: body)) }
            } catch {
                continuation.resume(returning: Result<Value, KernelError>.failure(error))
            }
        }
        return try result.get()
    }

    private static func create(
        _ body: @escaping @Sendable () -> Void
    ) throws(KernelError) -> pthread_t {
        let work = Unmanaged.passRetained(Work(body))
        var thread = pthread_t()
        let code = pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body()
                return nil
            },
            work.toOpaque()
        )
        guard code == 0 else {
            work.release()
            throw KernelError(.failed, "start a thread", String(cString: strerror(code)))
        }
        return thread
    }
}
