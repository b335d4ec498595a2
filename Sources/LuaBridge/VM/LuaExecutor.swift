// The thread that runs one Lua state, as the serial executor of its actor.
//
// A script that cannot be stopped holds this thread and nothing else: never one of the few threads
// of the cooperative pool. The thread ends after the executor has gone. A program that must run
// everything in one order takes the jobs itself instead.

import Dispatch
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

/// A step of a state that is ready to run.
///
/// The steps of one state must run in their order, one at a time, each once.
public struct LuaJob: Sendable {
    let job: UnownedJob
    /// A job keeps its executor: the actor may go away while its last job runs.
    let executor: LuaExecutor

    /// Runs it on this thread.
    public func run() {
        job.runSynchronously(on: executor.asUnownedSerialExecutor())
    }
}

final class LuaExecutor: SerialExecutor {
    private let jobs: LuaJobQueue?
    private let take: @Sendable (LuaJob) -> Void

    /// Makes a thread, or gives the jobs to `take`.
    init(_ take: (@Sendable (LuaJob) -> Void)?) {
        if let take {
            jobs = nil
            self.take = take
        } else {
            let jobs = LuaJobQueue()
            jobs.startThread()
            self.jobs = jobs
            self.take = { jobs.append($0) }
        }
    }

    deinit {
        jobs?.close()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        take(LuaJob(job: UnownedJob(job), executor: self))
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }
}

/// The queue that the thread and its executor share, so that the thread does not retain the latter.
final class LuaJobQueue: Sendable {
    private struct State {
        var entries: [LuaJob] = []
        var isClosed = false
    }

    private static let stackBytes = 8 << 20

    private let state = Mutex(State())
    private let signal = DispatchSemaphore(value: 0)

    func append(_ entry: LuaJob) {
        state.withLock { $0.entries.append(entry) }
        signal.signal()
    }

    func close() {
        state.withLock { $0.isClosed = true }
        signal.signal()
    }

    func startThread() {
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setstacksize(&attributes, Self.stackBytes)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        defer { pthread_attr_destroy(&attributes) }
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self).toOpaque()
        let status = pthread_create(
            &thread,
            &attributes,
            { context in
                guard let context else { return nil }
                Unmanaged<LuaJobQueue>.fromOpaque(context).takeRetainedValue().work()
                return nil
            },
            context
        )
        // Without it no script can run, and nobody would ever be told: what waits for the script would wait for ever.
        precondition(status == 0, "no thread for a Lua state: error \(status)")
    }

    private func work() {
        while takeAndRun() {}
    }

    private func takeAndRun() -> Bool {
        let entries = state.withLock { state -> [LuaJob]? in
            defer { state.entries = [] }
            return state.entries.isEmpty && state.isClosed ? nil : state.entries
        }
        guard let entries else { return false }
        if entries.isEmpty {
            signal.wait()
        }
        for entry in entries {
            entry.run()
        }
        return true
    }
}
