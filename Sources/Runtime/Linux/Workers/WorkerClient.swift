// The agent's side of a worker: a process of ours that holds something for as long as it lives. Requests go out in
// order, each waits for its reply, and all fail when it is gone.

package import ChaosModel
import Glibc
import Synchronization

/// A running worker.
package final class WorkerClient<Request: Codable & Sendable, Reply: Codable & Sendable>: Sendable {
    private typealias Answer = Result<Reply, KernelError>

    private struct State {
        var end: ProgramEnd?
        var next = 1
        var waiting: [Int: CheckedContinuation<Answer, Never>] = [:]
    }

    /// What it is called in messages: `the packet worker`.
    package let name: String
    private let process: LineProcess
    private let state = Mutex(State())

    /// Starts a worker: a program with its arguments, which serves standard input with `WorkerServer`.
    ///
    /// - Parameters:
    ///   - command: The program and its arguments.
    ///   - name: What it is called in messages.
    ///   - onSay: Called with each thing that it tells unasked, in order.
    /// - Throws: What kept it from being started.
    package init(
        _ command: [String],
        name: String,
        onSay: @escaping @Sendable (String) -> Void = { _ in }
    ) throws(KernelError) {
        guard let program = command.first else {
            throw KernelError(.failed, "start \(name)", "no program is named")
        }
        self.name = name
        process = try LineProcess(program, command, errorOutput: STDERR_FILENO, isWorker: true)
        // The task must not keep the process: its input closes when the last who wants it is gone.
        let (lines, ended) = (process.lines, process.ended)
        Task { [weak self] in
            for await line in lines { self?.accept(line, onSay) }
            let end = await ended()
            self?.settle(end)
        }
    }

    /// Its process.
    package var identity: ProcessIdentity? { process.identity }

    /// Whether it has ended.
    package var isGone: Bool { end != nil }

    /// How it ended; nil while it runs.
    package var end: ProgramEnd? { state.withLock { $0.end } }

    /// Waits for its end, without keeping this object.
    package var ended: @Sendable () async -> ProgramEnd { process.ended }

    /// Asks and waits for the answer.
    package func ask(_ request: Request) async throws(KernelError) -> Reply {
        let answer = await withCheckedContinuation { continuation in
            let id = state.withLock { state -> Int? in
                guard state.end == nil else { return nil }
                defer { state.next += 1 }
                state.waiting[state.next] = continuation
                return state.next
            }
            guard let id else { return continuation.resume(returning: .failure(gone)) }
            guard let line = try? WireJSON.line(WorkerQuestion(id: id, ask: request)) else {
                return finish(id, .failure(KernelError(.failed, "ask \(name)", "not JSON")))
            }
            process.send(line)
        }
        return try answer.get()
    }

    /// Ends it at once.
    package func kill() { process.kill() }

    private func accept(_ line: String, _ onSay: (String) -> Void) {
        guard let line = try? WireJSON.value(WorkerLine<Reply>.self, from: line) else { return }
        if let text = line.say { return onSay(text) }
        guard let id = line.id else { return }
        if let reply = line.answer {
            finish(id, .success(reply))
        } else {
            let error = line.failure?.error
            finish(id, .failure(error ?? KernelError(.failed, "ask \(name)", "no answer in it")))
        }
    }

    private func finish(_ id: Int, _ answer: Answer) {
        state.withLock { $0.waiting.removeValue(forKey: id) }?.resume(returning: answer)
    }

    private func settle(_ end: ProgramEnd) {
        let waiting = state.withLock { state in
            state.end = end
            defer { state.waiting = [:] }
            return state.waiting
        }
        for continuation in waiting.values { continuation.resume(returning: .failure(gone)) }
    }

    private var gone: KernelError {
        KernelError(.gone, "ask \(name)", "it has ended, and its faults with it")
    }
}
