// The worker's side: it answers the lines of its input and ends with it. Two things end a worker whose agent dies,
// each alone enough: its input closes, and the kernel kills it (PR_SET_PDEATHSIG).

import CLinux
package import ChaosModel
import Glibc

/// Serves the agent that started this process.
package struct WorkerServer: Sendable {
    private let output = LineWriter(STDOUT_FILENO)

    /// Makes the server of this process, which from now on ends with its parent and ignores signals that a terminal
    /// or a shutdown sends: the agent decides.
    package init() throws(KernelError) {
        let code = clinux_die_with_parent()
        guard code == 0 else { throw .system(code, "end with the agent") }
        for ignored in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] { signal(ignored, SIG_IGN) }
    }

    /// Lets this process have as many connections as it may: most hosts set a soft limit of 1024 descriptors.
    package func expectConnections() throws(KernelError) {
        let code = clinux_lift_file_limit()
        guard code == 0 else { throw .system(code, "open many connections") }
    }

    /// Tells the agent something unasked.
    package func say(_ text: String) { send(WorkerLine<NoAnswer>(say: text)) }

    /// Answers requests in their order until the input closes.
    ///
    /// - Parameters:
    ///   - endsAtOnce: Whether the process ends with its input, whatever it is doing, because nothing needs to be let
    ///     go by itself.
    ///   - answer: Answers one request.
    /// - Throws: `failed` for a line that is no request.
    package func serve<Request: Codable & Sendable, Reply: Codable & Sendable>(
        endsAtOnce: Bool = false,
        _ answer: (Request) async throws(KernelError) -> Reply
    ) async throws(KernelError) {
        let lines = try LineReader.lines(of: STDIN_FILENO) { if endsAtOnce { _exit(0) } }
        for await line in lines {
            guard let question = try? WireJSON.value(WorkerQuestion<Request>.self, from: line)
            else {
                throw KernelError(.failed, "read a request", "not one: \(line.escapedForDisplay)")
            }
            var reply = WorkerLine<Reply>(id: question.id)
            do throws(KernelError) {
                reply.answer = try await answer(question.ask)
            } catch {
                reply.failure = WorkerLine<Reply>.Failure(error)
            }
            send(reply)
        }
    }

    /// Every message is a plain value; one that cannot be written would be told by its missing answer.
    private func send(_ line: some Encodable) {
        guard let text = try? WireJSON.line(line) else { return }
        output.send(text)
    }
}
