// What faults of requests decide before they are made: the port, whether it speaks TLS, and what to say.

import ChaosAgent
import ChaosFaults
import ChaosModel
import ChaosSimulation
import Testing

struct RequestFaultTests {
    private func spec(_ options: [String: ParameterValue]) -> FaultSpec {
        FaultSpec(
            fault: "http.error",
            target: TargetSelector(kind: .netns, options: ["name": "shop"]),
            options: options
        )
    }

    /// An agent on a machine with the namespace `shop`.
    private func agent(
        _ prepare: @Sendable (inout SimulatedWorld) -> Void = { _ in }
    ) async -> SimulatedAgent {
        let agent = SimulatedAgent()
        SampleFault.httpError.prepare(agent.kernel)
        agent.kernel.change(prepare)
        _ = await agent.greet()
        return agent
    }

    private static func end(_ address: String, _ port: Int) -> SocketEnd {
        // The tests give constants.
        guard let address = NetworkAddress(address) else { preconditionFailure("not an address") }
        return SocketEnd(address, port: port)
    }

    private func changes(_ spec: FaultSpec, by agent: SimulatedAgent) async -> [String] {
        let call = AgentCall.PlanCall(spec: spec, limit: SelectionLimit(), seed: 1)
        guard case .plan(let reply) = await agent.agent.answer(.plan(call)) else { return [] }
        return reply.targets.first?.changes ?? []
    }

    private func failure(_ spec: FaultSpec, by agent: SimulatedAgent) async throws -> AgentFailure {
        guard case .failed(let failure) = await agent.inject(spec) else {
            throw AgentFailure(.protocol, "it did not fail")
        }
        return failure
    }

    @Test(
        arguments: [
            // Who listens, and with an address of zeros by way of the loopback.
            (["0.0.0.0"], [], ["port": 8443], "127.0.0.1"), (["::"], [], ["port": 8443], "::1"),
            (["10.9.0.2"], [], ["port": 8443], "10.9.0.2"),
            // Who is talked to already.
            ([], ["10.9.0.7"], ["port": 8443, "direction": "egress"], "10.9.0.7"),
            // Who is named.
            ([], [], ["port": 8443, "to": "10.9.0.3"], "10.9.0.3"),
            ([], [], ["port": 8443, "to": "fd00::3", "listen": 8080], "fd00::3"),
        ] as [([String], [String], [String: ParameterValue], String)]
    )
    func `who speaks TLS is refused before anything is done`(
        listeners: [String],
        peers: [String],
        options: [String: ParameterValue],
        speaker: String
    ) async throws {
        let agent = await agent { world in
            world.requestSurvey.listeners = listeners.map { Self.end($0, 8443) }
            world.requestSurvey.peers = peers.map { Self.end($0, 8443) }
            world.speakersOfTLS = [Self.end(speaker, 8443)]
        }
        let refused = try await failure(spec(options), by: agent)
        #expect(refused.kind == .definition)
        #expect(refused.message.contains("\(Self.end(speaker, 8443)) speaks TLS"))
        #expect(refused.message.contains("use network faults"))
        #expect(!agent.kernel.calls.contains("beginRequests"))
        #expect(agent.kernel.world.requests.isEmpty)
    }

    @Test
    func `where only some speak TLS the plan notes them, and a preview asks nobody`() async throws {
        let agent = await agent { world in
            world.speakersOfTLS = [Self.end("10.9.0.3", 8443)]
        }
        let both = spec(["port": 8443, "to": ["10.9.0.3", "10.9.0.4"]])
        #expect(await !changes(both, by: agent).isEmpty)
        #expect(!agent.kernel.calls.contains("speakTLS"))
        guard case .injected(let leases) = await agent.inject(both) else {
            throw AgentFailure(.protocol, "not injected")
        }
        #expect(leases.count == 1)
        #expect(agent.kernel.calls.contains("speakTLS"))
        #expect(await agent.revertAll().allSatisfy { $0.outcome == .reverted })
    }

    @Test
    func `a port is found where one is listened on, and asked for otherwise`() async throws {
        let agent = await agent { world in
            world.requestSurvey.listeners = [
                Self.end("127.0.0.11", 41_234), Self.end("0.0.0.0", 8080), Self.end("::", 8080),
            ]
        }
        #expect(await changes(spec([:]), by: agent).first?.contains("to port 8080 in") == true)
        agent.kernel.change { $0.requestSurvey.listeners.append(Self.end("10.9.0.2", 9090)) }
        let two = try await failure(spec([:]), by: agent)
        #expect(two.message.contains("ports 8080, 9090 are listened on: write which"))
        agent.kernel.change { $0.requestSurvey.listeners = [] }
        let none = try await failure(spec([:]), by: agent)
        #expect(none.message.contains("nobody listens in"))
        for options in [["direction": "egress"], ["listen": 80, "to": "10.9.0.3"]]
            as [[String: ParameterValue]]
        {
            let unknown = try await failure(spec(options), by: agent)
            #expect(unknown.message.contains("port is missing: write port = 8080"))
        }
    }

    @Test
    func `a port of ours that the kernel may give away is noted`() async {
        let agent = await agent()
        func notes(_ port: Int) async -> [String] {
            await changes(
                spec(["port": 8080, "to": "10.9.0.3", "listen": .number(Double(port))]),
                by: agent
            )
            .filter { $0.hasPrefix("note: the kernel gives port \(port)") }
        }
        #expect(await notes(40_000).count == 1)
        #expect(await notes(18_080).isEmpty)
    }

    @Test
    func `a proxy that dies ends the fault early, which is told at once`() async throws {
        let agent = await agent()
        guard case .injected(let leases) = await agent.inject(spec(["port": 8080])) else {
            throw AgentFailure(.protocol, "not injected")
        }
        let end = "its worker 7 was killed by signal 9 (SIGKILL)"
        agent.kernel.change { $0.endedWorkers = end }
        var told: [AgentEvent] = []
        for _ in 0..<5000 where told.isEmpty {
            told = agent.events.withLock { events in
                events.filter { if case .endedEarly = $0 { true } else { false } }
            }
            try await Task.sleep(for: .milliseconds(1))
        }
        guard case .endedEarly(let lease, let seen)? = told.first else {
            throw AgentFailure(.protocol, "it was not told")
        }
        #expect((lease, seen) == (leases[0].lease, end))
        #expect(await agent.revertAll().allSatisfy { $0.outcome == .reverted })
    }
}
