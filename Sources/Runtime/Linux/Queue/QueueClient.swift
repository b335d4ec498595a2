// The agent's side of a worker: requests go out in order, each waits for its reply, and all fail when it is gone.

import ChaosModel
import Glibc
import Synchronization

/// A running worker.
final class QueueClient: Sendable {
    typealias Answer = Result<QueueReply, KernelError>

    private struct State {
        var isGone = false
        var next = 1
        var waiting: [Int: CheckedContinuation<Answer, Never>] = [:]
    }

    private let process: LineProcess
    private let state = Mutex(State())

    /// Starts a worker: a program with its arguments, which serves standard input.
    init(_ command: [String]) throws(KernelError) {
        guard let program = command.first else {
            throw KernelError(.failed, "start a worker", "no program is named")
        }
        process = try LineProcess(program, command, errorOutput: STDERR_FILENO)
        let lines = process.lines
        Task { [weak self] in
            for await line in lines { self?.accept(line) }
            self?.end()
        }
    }

    /// Whether it has ended.
    var isGone: Bool { state.withLock { $0.isGone } }

    /// Asks and waits for the answer.
    func ask(_ call: QueueRequest.Call) async throws(KernelError) -> QueueReply {
        let answer = await withCheckedContinuation { continuation in
            let id = state.withLock { state -> Int? in
                guard !state.isGone else { return nil }
                defer { state.next += 1 }
                state.waiting[state.next] = continuation
                return state.next
            }
            guard let id else { return continuation.resume(returning: .failure(Self.gone)) }
            guard let line = try? WireJSON.line(QueueRequest(id: id, call: call)) else {
                return finish(id, .failure(KernelError(.failed, "ask the worker", "not JSON")))
            }
            process.send(line)
        }
        let reply = try answer.get()
        if let failure = reply.failure { throw failure.error }
        return reply
    }

    /// Ends the worker at once.
    func kill() { process.kill() }

    private func accept(_ line: String) {
        guard let reply = try? WireJSON.value(QueueReply.self, from: line) else { return }
        finish(reply.id, .success(reply))
    }

    private func finish(_ id: Int, _ answer: Answer) {
        state.withLock { $0.waiting.removeValue(forKey: id) }?.resume(returning: answer)
    }

    private func end() {
        let waiting = state.withLock { state in
            state.isGone = true
            defer { state.waiting = [:] }
            return state.waiting
        }
        for continuation in waiting.values { continuation.resume(returning: .failure(Self.gone)) }
    }

    private static let gone = KernelError(
        .gone,
        "ask the packet worker",
        "it has ended, and its faults with it"
    )
}
