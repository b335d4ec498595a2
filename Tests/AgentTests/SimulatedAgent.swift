// An agent on the simulated kernel, with the calls that tests repeat.

import ChaosAgent
import ChaosFaults
import ChaosModel
import ChaosSimulation
import Synchronization

/// An agent on a simulated machine that has one of everything a fault can hit.
final class SimulatedAgent: Sendable {
    let kernel: SimulatedKernel
    let journals: SimulatedJournals
    let agent: Agent
    let events = Mutex<[AgentEvent]>([])
    let run: String
    /// The clock of terms and deadlines: it stands until a test moves it.
    let clock = SimulatedTime(advancesBySleeping: false)

    init(
        run: String = "run-1",
        kernel: SimulatedKernel = SimulatedKernel(),
        journals: SimulatedJournals? = nil
    ) {
        self.run = run
        self.kernel = kernel
        let journals = journals ?? SimulatedJournals(isDead: { kernel.isDead })
        self.journals = journals
        let relay = EventRelay()
        agent = Agent(
            kernel: kernel.kernel,
            catalogue: .all,
            store: journals,
            version: "test",
            clock: clock,
            emit: { relay.emit($0) }
        )
        relay.attach(self)
    }

    func greet(termMs: Double = 1e9) async -> AgentReply {
        await agent.answer(
            .hello(
                AgentCall.Hello(
                    run: run,
                    protectedEndpoints: [],
                    protectedProcesses: [],
                    termMs: termMs
                )
            )
        )
    }

    /// Plans and injects, as the engine does.
    func inject(_ spec: FaultSpec, deadlineMs: Double = 1e9) async -> AgentReply {
        let reply = await agent.answer(
            .plan(AgentCall.PlanCall(spec: spec, limit: SelectionLimit(), seed: 1))
        )
        guard case .plan(let plan) = reply else { return reply }
        let call = AgentCall.InjectCall(
            spec: spec,
            targets: plan.targets.map(\.target),
            deadlineMs: deadlineMs
        )
        return await agent.answer(.inject(call))
    }

    func revertAll() async -> [RevertRecord] {
        guard case .reverted(let records) = await agent.answer(.revert([])) else { return [] }
        return records
    }

    /// Kills agent and runner at once, and lets the next start recover.
    func dieAndRecover() async throws -> [RecoveryRecord] {
        kernel.restartAgent()
        journals.agentDied()
        return try await Recovery(kernel: kernel.kernel, catalogue: .all, store: journals).run()
    }
}

/// Lets the agent's events reach a test object that does not exist yet when the agent is made.
private final class EventRelay: Sendable {
    private let target = Mutex<WeakAgent>(WeakAgent())

    private struct WeakAgent: Sendable {
        weak var agent: SimulatedAgent?
    }

    func attach(_ agent: SimulatedAgent) { target.withLock { $0.agent = agent } }

    func emit(_ event: AgentEvent) {
        target.withLock { $0.agent }?.events.withLock { $0.append(event) }
    }
}

/// One spec of each fault, over a machine that has a target for it.
enum SampleFault: String, CaseIterable, Sendable {
    case latency, partition, partitionJournaled, pause, kill, killSupervised, killRestarted, noop
    case stress, stressInGroup, memory, memoryInGroup, fill, transfers, limitedTransfers

    func prepare(_ kernel: SimulatedKernel) {
        kernel.change { world in
            world.add(name: "shop")
            world.add(name: "shop")
            world.add(name: "kept", isSupervised: true)
            world.add(name: "grouped", group: "/grouped")
            world.addGroup(
                "/grouped",
                files: [
                    "cpu.max": "50000 100000\n", "memory.current": "1048576\n",
                    "memory.max": "1073741824\n", "io.max": "254:16 rbps=5000000 wbps=max\n",
                ]
            )
            world.namespaces = ["shop": 77]
            world.hosts = ["db.test": ["10.9.0.3", "fd00::3"].compactMap(NetworkAddress.init)]
        }
        if self == .partitionJournaled {
            kernel.setEngines(PacketEngines(working: [.nft], reasons: [.nftOwner: "too old"]))
        }
    }

    var spec: FaultSpec {
        switch self {
        case .latency:
            FaultSpec(
                fault: "network.latency",
                target: TargetSelector(kind: .netns, options: ["name": "shop"]),
                options: ["to": "db.test", "delay": "100ms"]
            )
        case .partition, .partitionJournaled:
            FaultSpec(
                fault: "network.partition",
                target: TargetSelector(kind: .netns, options: ["name": "shop"]),
                options: ["to": "db.test:5432"]
            )
        case .pause: FaultSpec(fault: "process.pause", target: Self.shop, options: [:])
        case .kill: FaultSpec(fault: "process.kill", target: Self.shop, options: [:])
        case .killSupervised:
            FaultSpec(
                fault: "process.kill",
                target: TargetSelector(kind: .process, options: ["name": "kept"]),
                options: ["restart": "supervised"]
            )
        case .killRestarted:
            FaultSpec(
                fault: "process.kill",
                target: Self.shop,
                options: ["restart": ["/usr/bin/shop"]]
            )
        case .noop: FaultSpec(fault: "noop", target: Self.shop, options: [:])
        case .stress: FaultSpec(fault: "cpu.stress", target: Self.host, options: ["load": "50%"])
        case .stressInGroup:
            FaultSpec(
                fault: "cpu.stress",
                target: Self.grouped,
                options: ["load": "50%", "mode": "total"]
            )
        case .memory:
            FaultSpec(fault: "memory.pressure", target: Self.host, options: ["use": "50%"])
        case .memoryInGroup:
            FaultSpec(fault: "memory.pressure", target: Self.grouped, options: ["use": "90%"])
        case .fill:
            FaultSpec(
                fault: "disk.fill",
                target: Self.host,
                options: ["path": "/srv", "to": "90%"]
            )
        case .transfers:
            FaultSpec(
                fault: "disk.io",
                target: Self.host,
                options: ["path": "/srv", "read": "1MB/s", "write": "1MB/s"]
            )
        case .limitedTransfers:
            FaultSpec(
                fault: "disk.io",
                target: Self.grouped,
                options: ["path": "/srv", "write": "1MB/s", "limit_read": "2MB/s"]
            )
        }
    }

    private static let host = TargetSelector(kind: .host, options: [:])
    private static let grouped = TargetSelector(kind: .process, options: ["name": "grouped"])
    private static let shop = TargetSelector(kind: .process, options: ["name": "shop"])

    /// Whether what it does can be put back exactly.
    var isReversible: Bool {
        switch self {
        case .kill, .killSupervised, .killRestarted: false
        default: true
        }
    }
}
