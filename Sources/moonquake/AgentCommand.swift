// `moonquake agent`: the holder of faults, started by the other commands. It speaks JSON lines on standard input
// and output, and reverts everything when its input closes.

import ArgumentParser
import ChaosAgent
import ChaosFaults
import ChaosLinux
import ChaosModel
import Dispatch
import Glibc

struct AgentCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "agent",
        abstract: "Holds the faults of this host; started by the other commands.",
        shouldDisplay: false
    )

    @OptionGroup
    var state: StateOptions

    func run() async throws {
        for ignored in [SIGHUP, SIGINT, SIGQUIT] { signal(ignored, SIG_IGN) }
        let output = LineWriter(STDOUT_FILENO)
        let locks = LinuxTargetLocks()
        let agent = Agent(
            kernel: .linux,
            catalogue: .all,
            store: LinuxJournals(stateDirectory: state.path),
            version: programVersion,
            locks: locks,
            loadPolicy: { () throws(DefinitionError) in try PolicyFiles.readSystem() },
            findResidue: { await Preflight(locks: locks).left() },
            emit: { event in
                Self.send(.event(event), to: output)
                if event.endsAgent { Self.leave(output) }
            }
        )
        let terminations = Signals([SIGTERM]) { _ in
            Task { await agent.abort(reason: "asked to by `moonquake abort`") }
        }
        for await line in try LineReader.lines(of: STDIN_FILENO) {
            guard let request = try? WireJSON.value(AgentRequest.self, from: line) else {
                let failure = AgentFailure(.protocol, "not a request: \(line.escapedForDisplay)")
                Self.send(.reply(id: 0, .failed(failure)), to: output)
                continue
            }
            await agent.accept(request.call) { reply in
                Self.send(.reply(id: request.id, reply), to: output)
                if request.call == .leave { Self.leave(output) }
            }
        }
        _ = await agent.leave()
        withExtendedLifetime(terminations) { Self.leave(output) }
    }

    private static func send(_ line: AgentLine, to output: LineWriter) {
        // Every message is a plain value; one that cannot be written would be told by its missing answer.
        guard let text = try? WireJSON.line(line) else { return }
        output.send(text)
    }

    /// Ends the process once what was said is written, or a second later if nobody reads it.
    private static func leave(_ output: LineWriter) {
        output.flush(atMost: 1)
        Glibc.exit(0)
    }
}

extension AgentEvent {
    /// Whether the agent has put everything back and leaves.
    fileprivate var endsAgent: Bool {
        switch self {
        case .aborted, .orphaned, .violated: true
        case .expired, .targetGone, .endedEarly, .noted: false
        }
    }
}
