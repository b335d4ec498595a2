// The worker that carries all faults of one kind: started when the first begins, started again when it has died, and
// watched, so that whoever holds a fault learns at once that it ended with its worker.

package import ChaosModel
import Synchronization

/// The one worker of a kind of faults.
package final class FaultCarrier<Request: Codable & Sendable, Reply: Codable & Sendable>: Sendable {
    private typealias Client = WorkerClient<Request, Reply>

    private struct Worker {
        var client: Client
        /// Which start it was: a fault is the worker's that it began in.
        var number: Int
    }

    private struct Held {
        var worker: Int
        /// How it ended with its worker; nil while it is on.
        var end: String?
        var waiting: [CheckedContinuation<String?, Never>] = []
    }

    private struct State {
        var worker: Worker?
        var starts = 0
        var held: [String: Held] = [:]
    }

    private let command: [String]
    private let name: String
    private let state = Mutex(State())

    /// Makes a carrier whose worker is started later; `name` is what it is called in messages.
    package init(_ command: [String], name: String) {
        self.command = command
        self.name = name
    }

    /// Begins a fault, in a new worker where the last one has died.
    package func begin(_ fault: String, _ request: Request) async throws(KernelError) {
        let worker = try started()
        do throws(KernelError) {
            try await begin(fault, request, in: worker)
        } catch  where worker.client.isGone {
            // It died before this, or of it; either way nothing of it is left.
            try await begin(fault, request, in: started())
        }
    }

    /// Asks the running worker; nil when there is none, or it died meanwhile.
    package func ask(_ request: Request) async throws(KernelError) -> Reply? {
        guard let client = running else { return nil }
        do throws(KernelError) {
            return try await client.ask(request)
        } catch  where client.isGone {
            return nil
        }
    }

    /// Ends a fault; one that is not there is no error.
    package func end(_ fault: String, _ request: Request) async throws(KernelError) {
        _ = try await ask(request)
        letGo(fault)
    }

    /// Waits until a fault has ended with its worker and says how; nil once it was ended by `end`, or never began.
    package func endedEarly(_ fault: String) async -> String? {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                guard let held = state.held[fault], held.end == nil else { return true }
                state.held[fault]?.waiting.append(continuation)
                return false
            }
            if isOver { continuation.resume(returning: end(of: fault)) }
        }
    }

    /// Ends the worker as a crash would.
    func kill() { running?.kill() }

    private func end(of fault: String) -> String? { state.withLock { $0.held[fault]?.end } }

    private var running: WorkerClient<Request, Reply>? {
        state.withLock { state in
            if state.worker?.client.isGone == true { state.worker = nil }
            return state.worker?.client
        }
    }

    private func begin(
        _ fault: String,
        _ request: Request,
        in worker: Worker
    ) async throws(KernelError) {
        // Before it is asked: its end may come before its answer is read here.
        state.withLock { $0.held[fault] = Held(worker: worker.number) }
        do throws(KernelError) {
            _ = try await worker.client.ask(request)
        } catch {
            letGo(fault)
            throw error
        }
    }

    private func letGo(_ fault: String) {
        let held = state.withLock { $0.held.removeValue(forKey: fault) }
        for continuation in held?.waiting ?? [] { continuation.resume(returning: nil) }
    }

    private func started() throws(KernelError) -> Worker {
        try state.withLock { state throws(KernelError) in
            if let worker = state.worker, !worker.client.isGone { return worker }
            state.starts += 1
            let worker = Worker(client: try Client(command, name: name), number: state.starts)
            state.worker = worker
            let (ended, number) = (worker.client.ended, worker.number)
            let pid = worker.client.identity?.pid ?? 0
            Task { [weak self] in
                let end = await ended()
                let text = "its worker \(pid) was \(end.seen) at \(Timestamp.iso8601(end.at))"
                self?.settle(number, text)
            }
            return worker
        }
    }

    /// Notes the end of a worker for all the faults that were in it.
    private func settle(_ worker: Int, _ end: String) {
        let waiting = state.withLock { state in
            var waiting: [CheckedContinuation<String?, Never>] = []
            for (fault, held) in state.held where held.worker == worker {
                waiting += held.waiting
                state.held[fault] = Held(worker: worker, end: end)
            }
            return waiting
        }
        for continuation in waiting { continuation.resume(returning: end) }
    }
}
