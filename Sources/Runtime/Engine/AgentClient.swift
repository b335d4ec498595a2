// The runner's end of the agent's messages: requests that are awaited, events that are told, and the renewals
// that keep the leases alive.

package import ChaosModel

/// A way to an agent, which is a child process here: its lines, and the means to end it.
package protocol AgentChannel: Sendable {
    /// What the agent says; ends when the agent is gone.
    var lines: AsyncStream<String> { get }

    /// Sends a line; does nothing once the agent is gone.
    func send(_ line: String)

    /// Ends an agent that does not answer any more: the kernel then drops what it held.
    func kill()
}

/// Starts an agent.
package typealias AgentLauncher = @Sendable () async throws(AgentFailure) -> any AgentChannel

/// Talks to one agent.
package actor AgentClient {
    private let channel: any AgentChannel
    private let time: any TimePort
    private let onEvent: @Sendable (AgentEvent) -> Void
    private let onLost: @Sendable (String) -> Void

    private var nextID = 0
    private var waiting: [Int: CheckedContinuation<AgentReply, Never>] = [:]
    private var lost: String?
    private var isLeaving = false
    private var renewals: Task<Void, Never>?
    private var heardAt: Instant

    /// The term of a lease without a renewal.
    package static let term = Duration.seconds(3)
    /// How often leases are renewed.
    package static let renewalInterval = Duration.seconds(1)

    /// Makes a client of an agent that has just been started.
    package init(
        channel: any AgentChannel,
        time: any TimePort,
        onEvent: @escaping @Sendable (AgentEvent) -> Void,
        onLost: @escaping @Sendable (String) -> Void
    ) {
        self.channel = channel
        self.time = time
        self.onEvent = onEvent
        self.onLost = onLost
        heardAt = time.now
    }

    /// Greets the agent and begins to renew.
    package func greet(_ hello: AgentCall.Hello) async throws(AgentFailure) -> AgentHello {
        Task { await self.listen() }
        guard case .hello(let answer) = try await request(.hello(hello)) else {
            throw Self.unexpected
        }
        renewals = Task { await self.renew() }
        return answer
    }

    /// Asks for a plan.
    package func plan(_ call: AgentCall.PlanCall) async throws(AgentFailure) -> PlanReply {
        guard case .plan(let plan) = try await request(.plan(call)) else { throw Self.unexpected }
        return plan
    }

    /// Has a fault made.
    package func inject(_ call: AgentCall.InjectCall) async throws(AgentFailure) -> [LeaseRecord] {
        guard case .injected(let leases) = try await request(.inject(call)) else {
            throw Self.unexpected
        }
        return leases
    }

    /// Asks how much is really hit.
    package func survey() async throws(AgentFailure) -> [RadiusRecord] {
        guard case .surveyed(let found) = try await request(.survey) else { throw Self.unexpected }
        return found
    }

    /// Asks how parts of the machine are now.
    package func state(of parts: [StatePart]) async throws(AgentFailure) -> [PartState] {
        guard case .state(let states) = try await request(.state(parts)) else {
            throw Self.unexpected
        }
        return states
    }

    /// Has leases put back; an empty list means all.
    package func revert(_ leases: [LeaseID]) async throws(AgentFailure) -> [RevertRecord] {
        guard case .reverted(let records) = try await request(.revert(leases)) else {
            throw Self.unexpected
        }
        return records
    }

    /// Has everything put back and lets the agent go.
    package func leave() async throws(AgentFailure) -> [RevertRecord] {
        isLeaving = true
        renewals?.cancel()
        guard case .reverted(let records) = try await request(.leave) else { throw Self.unexpected }
        return records
    }

    private static let unexpected = AgentFailure(
        .protocol,
        "the agent gave an answer to another question"
    )

    private func request(_ call: AgentCall) async throws(AgentFailure) -> AgentReply {
        if let lost { throw AgentFailure(.protocol, lost) }
        nextID += 1
        let id = nextID
        let line: String
        do {
            line = try WireJSON.line(AgentRequest(id: id, call: call))
        } catch {
            throw AgentFailure(.protocol, "a message cannot be written: \(error)")
        }
        let reply = await withCheckedContinuation { continuation in
            waiting[id] = continuation
            channel.send(line)
        }
        if case .failed(let failure) = reply { throw failure }
        return reply
    }

    private func listen() async {
        for await line in channel.lines {
            heardAt = time.now
            guard let message = try? WireJSON.value(AgentLine.self, from: line) else {
                lose("the agent said something that is no message: \(line.escapedForDisplay)")
                channel.kill()
                return
            }
            switch message {
            case .reply(let id, let reply):
                waiting.removeValue(forKey: id)?.resume(returning: reply)
            case .event(let event): onEvent(event)
            }
        }
        lose("the agent is gone")
    }

    private func lose(_ why: String) {
        guard lost == nil else { return }
        lost = why
        renewals?.cancel()
        for continuation in waiting.values {
            continuation.resume(returning: .failed(AgentFailure(.protocol, why)))
        }
        waiting = [:]
        if !isLeaving { onLost(why) }
    }

    /// Renews until the agent is let go; an agent that has said nothing for a term is ended.
    ///
    /// A loop that was itself asleep for much longer than asked tells of a stopped runner, not of a silent agent:
    /// then the silence counts from now.
    private func renew() async {
        var wokenAt = time.now
        while !Task.isCancelled, lost == nil {
            if time.now.since(wokenAt) > Self.renewalInterval * 2 { heardAt = time.now }
            wokenAt = time.now
            let silence = time.now.since(heardAt)
            if silence > Self.term {
                channel.kill()
                lose("the agent has not answered for \(silence.spelled)")
                return
            }
            Task { _ = try? await self.request(.renew) }
            guard (try? await time.sleep(for: Self.renewalInterval)) != nil else { return }
        }
    }
}
