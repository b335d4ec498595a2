// What network faults decide before and while they are on: which engine, whose sockets, which addresses.

import ChaosAgent
import ChaosFaults
import ChaosModel
import ChaosSimulation
import Testing

struct NetworkFaultTests {
    private static let shop = TargetSelector(kind: .netns, options: ["name": "shop"])

    private func spec(
        _ kind: String = "latency",
        _ options: [String: ParameterValue] = ["delay": "100ms"],
        target: TargetSelector = shop
    ) -> FaultSpec {
        FaultSpec(fault: "network.\(kind)", target: target, options: options)
    }

    /// An agent on a machine with the namespace `shop` and the name `db.test`.
    private func agent() async -> SimulatedAgent {
        let agent = SimulatedAgent()
        SampleFault.latency.prepare(agent.kernel)
        _ = await agent.greet()
        return agent
    }

    private func plan(_ spec: FaultSpec, by agent: SimulatedAgent) async throws -> PlannedTarget {
        let call = AgentCall.PlanCall(spec: spec, limit: SelectionLimit(), seed: 1)
        guard case .plan(let reply) = await agent.agent.answer(.plan(call)) else {
            throw AgentFailure(.protocol, "no plan")
        }
        return try #require(reply.targets.first)
    }

    private func failure(_ spec: FaultSpec, by agent: SimulatedAgent) async throws -> AgentFailure {
        let call = AgentCall.PlanCall(spec: spec, limit: SelectionLimit(), seed: 1)
        guard case .failed(let failure) = await agent.agent.answer(.plan(call)) else {
            throw AgentFailure(.protocol, "it did not fail")
        }
        return failure
    }

    // MARK: Engines

    @Test
    func `netem is taken where it works, and nothing more is said`() async throws {
        let agent = await agent()
        agent.kernel.setShaping([.netem, .nfqueue])
        let plan = try await plan(spec(), by: agent)
        #expect(plan.engine == "netem")
        #expect(!plan.changes.contains { $0.contains("instead") })
    }

    @Test
    func `what netem cannot do goes to nfqueue, and plan and report say why`() async throws {
        let agent = await agent()
        agent.kernel.setShaping([.netem, .nfqueue], obstacles: [.netem: "it is raining"])
        let plan = try await plan(spec(), by: agent)
        #expect(plan.engine == "nfqueue")
        #expect(plan.changes.contains("nfqueue instead of netem: it is raining"))
        guard case .injected(let leases) = await agent.inject(spec()) else {
            throw AgentFailure(.protocol, "not injected")
        }
        #expect(leases[0].engine == "nfqueue")
        #expect(
            leases[0].effect.seen == "rules in force (nfqueue instead of netem: it is raining)"
        )
        #expect(await agent.revertAll().allSatisfy { $0.outcome == .reverted })
    }

    @Test
    func `an engine that is asked for is refused with its reason, never replaced`() async throws {
        let agent = await agent()
        agent.kernel.setShaping([.netem, .nfqueue], obstacles: [.netem: "it is raining"])
        let forced = spec("latency", ["delay": "100ms", "engine": "netem"])
        let refused = try await failure(forced, by: agent)
        #expect(refused.kind == .unavailable)
        #expect(refused.message.hasSuffix("nothing here can do this: netem: it is raining"))
        agent.kernel.setShaping([.nfqueue])
        #expect(try await failure(forced, by: agent).message.hasSuffix("netem: not here"))
        #expect(agent.kernel.world.shapes.isEmpty)
    }

    // MARK: Sockets

    @Test
    func `a process in our namespace is hit by its control group, or refused in words`()
        async throws
    {
        let agent = await agent()
        agent.kernel.change { world in world.add(name: "api", group: "/shop.slice/api") }
        let api = TargetSelector(kind: .process, options: ["name": "api"])
        let plan = try await plan(spec(target: api), by: agent)
        let change =
            "hits the sockets of every process in the control group /shop.slice/api, and no others"
        #expect(plan.changes.contains(change), "\(plan.changes)")
        _ = await agent.inject(spec(target: api))
        let rules = try #require(agent.kernel.world.shapes[1]?.values.first)
        #expect(
            rules.match.allSatisfy {
                $0.owner == .controlGroup(path: "shop.slice/api", id: 7, level: 1)
            }
        )
        agent.kernel.change { world in world.add(name: "lone") }
        let lone = TargetSelector(kind: .process, options: ["name": "lone"])
        for fault in [spec(target: lone), spec("partition", [:], target: lone)] {
            let refused = try await failure(fault, by: agent)
            #expect(refused.kind == .definition)
            #expect(refused.message.contains("shares the host's network namespace"))
            #expect(refused.message.contains("it is in the root group"))
        }
    }

    // MARK: Names

    private static func address(_ text: String) throws -> NetworkAddress {
        try #require(NetworkAddress(text))
    }

    @Test(arguments: ["latency", "partition"])
    func `a name that gets addresses is followed, in both families, and the set is reported`(
        _ kind: String
    ) async throws {
        let agent = await agent()
        agent.kernel.setShaping([.nfqueue])
        let options: [String: ParameterValue] =
            kind == "latency"
            ? ["to": "db.test", "delay": "100ms"] : ["to": "db.test:5432"]
        agent.kernel.change { world in
            world.hosts["db.test"] = ["10.9.0.3"].compactMap { NetworkAddress($0) }
        }
        guard case .injected = await agent.inject(spec(kind, options)) else {
            throw AgentFailure(.protocol, "not injected")
        }
        // Three A and two AAAA that rotate: each lookup tells others.
        let rotation = [["10.9.0.4", "fd00::4"], ["10.9.0.5", "fd00::5"], ["10.9.0.3"]]
        for addresses in rotation {
            agent.kernel.change { world in
                world.hosts["db.test"] = addresses.compactMap { NetworkAddress($0) }
            }
            let expected = hit(agent.kernel, kind)
                .union(addresses.compactMap { NetworkAddress($0) })
            #expect(await comes(agent) { hit(agent.kernel, kind) == expected })
        }
        func told() -> [String] {
            agent.events.withLock { $0 }.compactMap { event -> String? in
                if case .noted(_, let seen) = event { seen } else { nil }
            }
        }
        #expect(await comes(agent) { told().count == 2 })
        let sixes = try ["fd00::4", "fd00::5"].map { try Self.address($0).description }
        #expect(
            told() == [
                "db.test is also 10.9.0.4, \(sixes[0])", "db.test is also 10.9.0.5, \(sixes[1])",
            ]
        )
        let records = await agent.revertAll()
        let seen = try #require(records.first?.effect?.seen)
        let all = "10.9.0.3, 10.9.0.4, \(sixes[0]), 10.9.0.5, \(sixes[1])"
        #expect(seen.hasSuffix("; db.test is \(all)"))
        #expect(agent.kernel.world.shapes[77]?.isEmpty ?? true)
        #expect(agent.kernel.world.tables[77]?.isEmpty ?? true)
    }

    @Test
    func `a name server that fails is told once, and the addresses stay hit`() async throws {
        let agent = await agent()
        _ = await agent.inject(spec("latency", ["to": "db.test", "delay": "100ms"]))
        let known = hit(agent.kernel, "latency")
        agent.kernel.change { world in world.hosts = [:] }
        for _ in 0..<3 {
            let calls = agent.kernel.calls.count { $0 == "addresses" }
            #expect(await comes(agent) { agent.kernel.calls.count { $0 == "addresses" } > calls })
        }
        #expect(await comes(agent) { agent.events.withLock { $0.count } == 1 })
        #expect(hit(agent.kernel, "latency") == known)
    }

    /// The far addresses that rules hit.
    private func hit(_ kernel: SimulatedKernel, _ kind: String) -> Set<NetworkAddress> {
        let world = kernel.world
        let matches =
            kind == "latency"
            ? world.shapes[77]?.values.flatMap(\.match)
            : world.tables[77]?.values.flatMap(\.rules.drop)
        return Set((matches ?? []).flatMap(\.remote))
    }

    /// Lets the agent's clock run until something has come; the agent works beside the test.
    private func comes(_ agent: SimulatedAgent, _ condition: () -> Bool) async -> Bool {
        for _ in 0..<5000 {
            if condition() { return true }
            agent.clock.advance(by: .seconds(1))
            try? await Task.sleep(for: .milliseconds(1))
        }
        return false
    }

    // MARK: The way there and back

    @Test
    func `the way is measured before and after, and told in the record`() async throws {
        let agent = await agent()
        agent.kernel.change { world in
            world.roundTrip = RoundTrip(sent: 3, answered: 3, meanMs: 2)
        }
        _ = await agent.inject(spec("latency", ["to": "10.9.0.3", "delay": "100ms"]))
        agent.kernel.change { world in
            world.roundTrip = RoundTrip(sent: 3, answered: 3, meanMs: 3)
        }
        let record = try #require(await agent.revertAll().first)
        let figures = record.effect?.figures ?? []
        #expect(figures.contains(Figure("rtt_before", 2, unit: "ms")))
        #expect(figures.contains(Figure("rtt_after", 3, unit: "ms")))
        #expect(figures.contains(Figure("loss_after", 0, unit: "share")))
        #expect(
            record.seen.contains("the way to 10.9.0.3 is back: 3ms, 0% lost, before 2ms, 0% lost")
        )
    }

    @Test
    func `a way that is not back is told, and a preview sends nothing`() async throws {
        let agent = await agent()
        agent.kernel.change { world in
            world.roundTrip = RoundTrip(sent: 3, answered: 3, meanMs: 2)
        }
        let fault = spec("latency", ["to": "10.9.0.3", "delay": "100ms"])
        _ = await agent.inject(fault)
        agent.kernel.change { world in
            world.roundTrip = RoundTrip(sent: 3, answered: 1, meanMs: 90)
        }
        let record = try #require(await agent.revertAll().first)
        #expect(record.outcome == .reverted)
        #expect(record.seen.contains("but the way to 10.9.0.3 is not as before: 90ms, 66.7% lost"))
    }

    // MARK: Bounds

    @Test
    func `a delay of 30 s is accepted and one over the cap is refused with the cap`() async throws {
        let agent = await agent()
        _ = try await plan(spec("latency", ["delay": "30s"]), by: agent)
        let refused = try await failure(spec("latency", ["delay": "70s"]), by: agent)
        #expect(refused.kind == .definition)
        #expect(refused.message.contains("1m"), "\(refused)")
    }

    @Test
    func `reorder without a delay states the one it takes`() async throws {
        let agent = await agent()
        let plan = try await plan(spec("reorder", ["percent": "50%"]), by: agent)
        #expect(plan.changes[0].contains("the others 10ms late"), "\(plan.changes)")
    }

    @Test
    func `a hundred faults that come and go leave what was asked for last`() async throws {
        let agent = await agent()
        for round in 0..<100 {
            guard case .injected(let leases) = await agent.inject(spec("loss", ["percent": "100%"]))
            else { throw AgentFailure(.protocol, "not injected in round \(round)") }
            _ = await agent.agent.answer(.revert(leases.map(\.lease)))
        }
        #expect(agent.kernel.world.shapes[77]?.isEmpty ?? true)
        _ = await agent.inject(spec("loss", ["percent": "10%"]))
        let left = agent.kernel.world.shapes[77] ?? [:]
        #expect(
            left.values.map(\.impairment) == [Impairment(loss: .random(share: 0.1, correlation: 0))]
        )
    }

    @Test(arguments: [
        ("interface", "d0\nqdisc del dev d1 root"), ("interface", "../x"), ("interface", "a b"),
        ("interface", "a;b"), ("to", "a;rm -rf /"), ("to", "db.test\nx"), ("to", "../x"),
        ("to", "a b"), ("rate", "1mbit\nqdisc"), ("rate", "1mbit;x"), ("rate", "../1mbit"),
    ])
    func `names and rates with newlines, blanks, semicolons and paths are refused`(
        _ option: String,
        _ value: String
    ) async throws {
        let agent = await agent()
        var options: [String: ParameterValue] = ["rate": "1mbit"]
        options[option] = .string(value)
        let refused = try await failure(spec("bandwidth", options), by: agent)
        #expect(refused.kind == .definition)
        #expect(!refused.message.contains("\n"), "told on one line")
    }
}
