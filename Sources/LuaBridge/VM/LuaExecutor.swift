// The thread that runs one Lua state, as the serial executor of its actor.
//
// A script that cannot be stopped holds this thread and nothing else: never one of the few threads
// of the cooperative pool. The thread ends after the executor has gone.

import Dispatch
import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

final class LuaExecutor: SerialExecutor {
    private let jobs = LuaJobQueue()

    init() {
        jobs.startThread()
    }

    deinit {
        jobs.close()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        jobs.append(LuaJobQueue.Entry(job: UnownedJob(job), executor: self))
    }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }
}

/// The queue that the thread and its executor share, so that the thread does not retain the latter.
final class LuaJobQueue: Sendable {
    /// A job keeps its executor: the actor may go away while its last job runs.
    struct Entry: Sendable {
        let job: UnownedJob
        let executor: LuaExecutor
    }

    private struct State {
        var entries: [Entry] = []
        var isClosed = false
    }

    private static let stackBytes = 8 << 20

    private let state = Mutex(State())
    private let signal = DispatchSemaphore(value: 0)

    func append(_ entry: Entry) {
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
        precondition(status == 0, "no thread for a Lua state: error \(status)")
    }

    private func work() {
        while takeAndRun() {}
    }

    private func takeAndRun() -> Bool {
        let entries = state.withLock { state -> [Entry]? in
            defer { state.entries = [] }
            return state.entries.isEmpty && state.isClosed ? nil : state.entries
        }
        guard let entries else { return false }
        if entries.isEmpty {
            signal.wait()
        }
        for entry in entries {
            entry.job.runSynchronously(on: entry.executor.asUnownedSerialExecutor())
        }
        return true
    }
}
