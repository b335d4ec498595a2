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
    let clock: SimulatedTime

    init(
        run: String = "run-1",
        kernel: SimulatedKernel = SimulatedKernel(),
        journals: SimulatedJournals? = nil,
        store: (any JournalStore)? = nil,
        catalogue: FaultCatalogue = .all,
        ownClock: SimulatedTime = SimulatedTime(advancesBySleeping: false),
        clock: (any TimePort)? = nil,
        locks: any TargetLocks = NoLocks(),
        policy: @escaping @Sendable () throws(DefinitionError) -> Policy = { Policy() }
    ) {
        self.run = run
        self.clock = ownClock
        self.kernel = kernel
        let journals = journals ?? SimulatedJournals(isDead: { kernel.isDead })
        self.journals = journals
        let relay = EventRelay()
        agent = Agent(
            kernel: kernel.kernel,
            catalogue: catalogue,
            store: store ?? journals,
            version: "test",
            locks: locks,
            loadPolicy: policy,
            clock: clock ?? ownClock,
            emit: { relay.emit($0) }
        )
        relay.attach(self)
    }

    func greet(termMs: Double = 1e9, policy: Policy? = nil) async -> AgentReply {
        await agent.answer(
            .hello(
                AgentCall.Hello(
                    run: run,
                    protectedEndpoints: [],
                    protectedProcesses: [],
                    termMs: termMs,
                    policy: policy
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
    case latency, partition, partitionJournaled, pause, pauseTree, pauseTraced, kill,
        killSupervised,
        killRestarted, cpuLimit, cpuLimitV1, memoryLimit, memoryLimitV1, fdExhaust, pidExhaust,
        pidExhaustOfUser,
        clockSkew, noop
    case httpLatency, httpError, httpAbort, httpBandwidth, httpListen, grpcError, grpcLatency
    case dnsError, dnsSpoof, dnsDelay, dnsDrop, dnsResolvConf, dnsHosts
    case stress, stressInGroup, memory, memoryInGroup, fill, fillVisible, transfers,
        limitedTransfers,
        limitedTransfersV1

    func prepare(_ kernel: SimulatedKernel) {
        kernel.change { world in
            let shop = world.add(name: "shop", group: "/shop")
            world.add(name: "shop", group: "/shop")
            world.add(parent: shop.pid, name: "helper", group: "/shop")
            world.addGroup("/shop", files: Self.unified)
            world.add(name: "kept", group: "/shop", isSupervised: true)
            world.add(name: "plain", userID: 1000)
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
        if self == .cpuLimitV1 || self == .memoryLimitV1 {
            kernel.change { world in world.addGroup("/shop", .v1, files: Self.legacy) }
        }
        if self == .limitedTransfersV1 {
            kernel.change { world in world.addGroup("/grouped", .v1, files: Self.legacy) }
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
        case .httpLatency: Self.requests("http.latency", ["delay": "100ms", "jitter": "10ms"])
        case .httpError:
            Self.requests(
                "http.error",
                ["status": 500, "body": "no", "headers": .table(["Retry-After": "1"])]
            )
        case .httpAbort: Self.requests("http.abort", ["method": "GET", "path": "/api/*"])
        case .httpBandwidth: Self.requests("http.bandwidth", ["rate": "1mbit", "of": "both"])
        case .httpListen:
            Self.requests(
                "http.error",
                ["listen": 8081, "to": "10.9.0.3", "client": "10.9.0.0/24"]
            )
        case .grpcError: Self.requests("grpc.error", ["code": "INTERNAL", "traffic": "5%"])
        case .grpcLatency: Self.requests("grpc.latency", ["delay": "1s", "host": "*.test"])
        case .dnsError: Self.dns("error", ["names": ["db.test", "*.shop.test"], "traffic": "50%"])
        case .dnsSpoof: Self.dns("spoof", ["names": "db.test", "addresses": ["9.9.9.9", "::9"]])
        case .dnsDelay: Self.dns("delay", ["names": "*", "except": "ok.test", "delay": "1s"])
        case .dnsDrop:
            Self.dns("drop", ["names": "*", "types": "A", "user": "root", "dot": "reset"])
        case .dnsResolvConf:
            FaultSpec(
                fault: "dns.error",
                target: Self.shop,
                options: ["names": "*", "method": "resolv_conf"]
            )
        case .dnsHosts:
            FaultSpec(
                fault: "dns.spoof",
                target: Self.shop,
                options: ["names": "db.test", "addresses": "9.9.9.9", "method": "hosts"]
            )
        case .pause: FaultSpec(fault: "process.pause", target: Self.shop, options: [:])
        case .pauseTree:
            FaultSpec(fault: "process.pause", target: Self.shop, options: ["children": true])
        case .pauseTraced:
            FaultSpec(
                fault: "process.pause",
                target: Self.shop,
                options: ["method": "ptrace", "children": true]
            )
        case .cpuLimit, .cpuLimitV1:
            FaultSpec(fault: "cpu.limit", target: Self.shop, options: ["quota": "20%"])
        case .memoryLimit, .memoryLimitV1:
            FaultSpec(fault: "memory.limit", target: Self.shop, options: ["limit": "64MiB"])
        case .pidExhaust:
            FaultSpec(
                fault: "pid.exhaust",
                target: TargetSelector(kind: .process, options: ["name": "kept"]),
                options: [:]
            )
        case .pidExhaustOfUser:
            FaultSpec(
                fault: "pid.exhaust",
                target: TargetSelector(kind: .process, options: ["name": "plain"]),
                options: ["scope": "user"]
            )
        case .clockSkew:
            FaultSpec(fault: "clock.skew", target: Self.shop, options: ["offset": "-1h"])
        case .fdExhaust: FaultSpec(fault: "fd.exhaust", target: Self.shop, options: [:])
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
        case .fillVisible:
            FaultSpec(
                fault: "disk.fill",
                target: Self.host,
                options: ["path": "/srv", "size": "1GiB", "visible": true]
            )
        case .transfers:
            FaultSpec(
                fault: "disk.io",
                target: Self.host,
                options: ["path": "/srv", "read": "1MB/s", "write": "1MB/s"]
            )
        case .limitedTransfers, .limitedTransfersV1:
            FaultSpec(
                fault: "disk.io",
                target: Self.grouped,
                options: [
                    "path": "/srv", "write": "1MB/s", "limit_read": "2MB/s", "limit_write": "2MB/s",
                ]
            )
        }
    }

    /// The files of a v2 group.
    private static let unified = [
        "cpu.max": "max 100000\n", "cpu.stat": "usage_usec 5\nnr_periods 2\nnr_throttled 1\n",
        "memory.max": "max\n", "memory.current": "1048576\n",
        "memory.events": "max 0\noom_kill 0\n", "pids.max": "100\n", "pids.current": "3\n",
        "pids.events": "max 0\n",
    ]

    /// The files of a v1 group.
    private static let legacy = [
        "cpu.cfs_quota_us": "-1\n", "cpu.cfs_period_us": "100000\n",
        "cpu.stat": "nr_periods 2\nnr_throttled 1\nthrottled_time 9\n",
        "memory.limit_in_bytes": "9223372036854771712\n", "memory.usage_in_bytes": "1048576\n",
        "memory.failcnt": "0\n", "memory.oom_control": "oom_kill_disable 0\noom_kill 0\n",
        "blkio.throttle.read_bps_device": "254:16 5000000\n",
        "blkio.throttle.write_bps_device": "254:16 7000000\n",
    ]

    private static func requests(
        _ fault: String,
        _ options: [String: ParameterValue]
    ) -> FaultSpec {
        FaultSpec(
            fault: fault,
            target: TargetSelector(kind: .netns, options: ["name": "shop"]),
            options: options.merging(["port": 8080]) { $1 }
        )
    }

    private static func dns(_ kind: String, _ options: [String: ParameterValue]) -> FaultSpec {
        FaultSpec(
            fault: "dns.\(kind)",
            target: TargetSelector(kind: .netns, options: ["name": "shop"]),
            options: options
        )
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
