// An agent in this process, on a simulated machine, behind the real messages.

import ChaosAgent
import ChaosEngine
package import ChaosModel
package import ChaosSimulation
import Synchronization

/// An agent in this process.
package final class LocalAgent: AgentChannel {
    package let lines: AsyncStream<String>
    private let agent: Agent
    private let continuation: AsyncStream<String>.Continuation
    private let isDead = Mutex(false)
    private let kernel: SimulatedKernel
    private let journals: SimulatedJournals
    private let requests: AsyncStream<String>.Continuation

    /// Starts an agent.
    package init(
        kernel: SimulatedKernel,
        journals: SimulatedJournals,
        faults: FaultCatalogue,
        loadPolicy: @escaping @Sendable () throws(DefinitionError) -> Policy = { Policy() },
        clock: any TimePort
    ) {
        self.kernel = kernel
        self.journals = journals
        let (lines, continuation) = AsyncStream.makeStream(of: String.self)
        let (requests, requestContinuation) = AsyncStream.makeStream(of: String.self)
        self.lines = lines
        self.continuation = continuation
        self.requests = requestContinuation
        let agent = Agent(
            kernel: kernel.kernel,
            catalogue: faults,
            store: journals,
            version: "test",
            loadPolicy: loadPolicy,
            clock: clock,
            emit: { event in Self.yield(.event(event), to: continuation) }
        )
        self.agent = agent
        Task {
            for await line in requests {
                guard let request = try? WireJSON.value(AgentRequest.self, from: line) else {
                    continue
                }
                await agent.accept(request.call) { reply in
                    Self.yield(.reply(id: request.id, reply), to: continuation)
                }
            }
        }
    }

    package func send(_ line: String) {
        guard !isDead.withLock({ $0 }) else { return }
        requests.yield(line)
    }

    /// Dies as by SIGKILL: what the kernel held goes, the locks of the journal too.
    package func kill() {
        isDead.withLock { $0 = true }
        requests.finish()
        kernel.restartAgent()
        journals.agentDied()
        continuation.finish()
    }

    /// Puts everything back, closes the journal, and dies without a word.
    package func leaveUnheard() async {
        isDead.withLock { $0 = true }
        _ = await agent.leave()
        continuation.finish()
    }

    /// What `moonquake abort` does.
    package func abort() { Task { await agent.abort(reason: "test") } }

    private static func yield(_ line: AgentLine, to continuation: AsyncStream<String>.Continuation)
    {
        guard let text = try? WireJSON.line(line) else { return }
        continuation.yield(text)
    }
}
