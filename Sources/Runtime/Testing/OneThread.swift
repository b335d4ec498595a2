// Everything that tasks and Lua states do, on one thread and in the order in which it became ready. When nothing is ready,
// a made-up clock goes on to the next moment at which somebody wakes. So what a test does follows from its inputs alone,
// and takes as long as its steps do: no time is waited for.
//
// The whole process works so from `begin` on. The docs of the reasons: docs/decisions/0036.

import CSerial
package import ChaosModel
package import ChaosSimulation
import ChaosThreads
import Dispatch
package import LuaBridge
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// The one thread of a program that tests scripts.
package final class OneThread: Sendable {
    /// The thread.
    package static let shared = OneThread()

    private enum Job: Sendable {
        /// A job of Swift's runtime, by its address.
        case task(UInt)
        case lua(LuaJob)

        func run() {
            switch self {
            case .task(let address): serial_run_job(UnsafeMutableRawPointer(bitPattern: address))
            case .lua(let job): job.run()
            }
        }
    }

    private struct State {
        var ready: [Job] = []
        var thread: pthread_t?
        var clock: SimulatedTime?
        var onStuck: (@Sendable () -> Void)?
    }

    /// How long nothing may happen with nobody asleep: then somebody waits for what never comes.
    private static let patience = DispatchTimeInterval.seconds(10)

    private let state = Mutex(State())
    private let fromElsewhere = DispatchSemaphore(value: 0)

    private init() {}

    /// Takes over; the caller goes on on the one thread.
    ///
    /// - Parameter onStuck: Called when nothing can happen any more.
    /// - Throws: when there is no thread to be had.
    package func begin(onStuck: @escaping @Sendable () -> Void) async throws(KernelError) {
        state.withLock { $0.onStuck = onStuck }
        try OwnThread.start { self.work() }
        serial_take_jobs { job in OneThread.shared.append(.task(UInt(bitPattern: job))) }
        await Task.yield()
    }

    /// Takes a step of a Lua state.
    package func append(_ job: LuaJob) { append(.lua(job)) }

    /// The clock that goes on from now on when nothing is ready.
    package func follow(_ clock: SimulatedTime) { state.withLock { $0.clock = clock } }

    private func append(_ job: Job) {
        let isOwn = state.withLock { state in
            state.ready.append(job)
            return state.thread.map { pthread_equal($0, pthread_self()) != 0 } ?? false
        }
        if !isOwn { fromElsewhere.signal() }
    }

    private func work() {
        state.withLock { $0.thread = pthread_self() }
        while true {
            let (ready, clock) = state.withLock { state in
                defer { state.ready = [] }
                return (state.ready, state.clock)
            }
            for job in ready { job.run() }
            guard ready.isEmpty, clock?.advanceToNext() != true else { continue }
            if fromElsewhere.wait(timeout: .now() + Self.patience) == .timedOut {
                state.withLock { $0.onStuck }?()
            }
        }
    }
}
