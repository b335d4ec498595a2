// The machine of a test: a simulated kernel with the processes, namespaces and names that the test lists, or else with
// what the targets of the experiment name.

import ChaosEngine
import ChaosModel
import ChaosSimulation
import LuaBridge
import Synchronization

/// One made-up machine, its agents and its journals.
final class MadeUpMachine: Sendable {
    let kernel: SimulatedKernel
    let journals: SimulatedJournals
    let faults: WatchedFaults
    private let catalogue: FaultCatalogue
    private let agents = Mutex<[LocalAgent]>([])
    private let isGiven: Bool
    private let provided = Mutex<Set<TargetSelector>>([])

    init(
        _ given: LuaTable?,
        faults catalogue: FaultCatalogue,
        failing failures: [String: String],
        clock: SimulatedTime
    ) throws(TestMistake) {
        let kernel = SimulatedKernel(time: clock)
        self.kernel = kernel
        journals = SimulatedJournals(isDead: { kernel.isDead })
        faults = WatchedFaults(failing: failures)
        self.catalogue = faults.catalogue(of: catalogue)
        isGiven = given != nil
        guard let given else { return }
        let parts = try MachineOptions(given)
        kernel.change { world in parts.add(to: &world) }
    }

    /// Starts an agent on it.
    func launchAgent() -> LocalAgent {
        let agent = LocalAgent(
            kernel: kernel,
            journals: journals,
            faults: catalogue,
            clock: kernel.time
        )
        agents.withLock { $0.append(agent) }
        return agent
    }

    /// Kills the agent that runs, as by SIGKILL.
    func killAgent() {
        agents.withLock { $0.last }?.kill()
        faults.forgetAll()
    }

    /// Makes what the targets of faults and metrics name, unless the test listed what there is.
    func provide(for specs: [FaultSpec], _ metrics: [MetricDefinition]) {
        guard !isGiven else { return }
        var matching: [TargetSelector: Int] = [:]
        for target in specs.map(\.target) + metrics.compactMap(\.target) {
            let what = target.withoutNumbers
            matching[what] = max(matching[what] ?? 0, target.enough)
        }
        let new = matching.sorted { "\($0.key)" < "\($1.key)" }.filter { target, _ in
            provided.withLock { $0.insert(target).inserted }
        }
        kernel.change { world in
            for (target, count) in new { world.add(count, matching: target) }
            for spec in specs {
                world.addHosts(of: spec)
                world.addDisk(of: spec)
                world.addService(of: spec)
            }
        }
    }

    /// How many processes run, by name; those that are stopped do not.
    var running: LuaTable {
        var counts: [String: Int64] = [:]
        for process in kernel.world.processes.values where !"Tt".contains(process.state) {
            counts[process.name, default: 0] += 1
        }
        return LuaTable(fields: counts.mapValues { .integer($0) })
    }

    /// The lines of every journal, by run.
    var journal: [String: [String]] { journals.closed.merging(journals.open) { $0 + $1 } }
}

/// The parts of a machine as a test lists them.
struct MachineOptions: Sendable {
    private struct Group: Sendable {
        var name: String
        var count: Int
        var options: LuaTable
    }

    private var processes: [Group] = []
    private var units: [Group] = []
    private var containers: [Group] = []
    private var namespaces: [String] = []
    private var disks: [String] = []
    private var hosts: [(name: String, addresses: [NetworkAddress])] = []

    init(_ table: LuaTable) throws(TestMistake) {
        try TestOptions.check(
            table,
            of: "machine",
            known: ["processes", "units", "containers", "netns", "hosts", "disks"]
        )
        processes = try Self.groups(
            table["processes"],
            of: "machine.processes",
            known: ["count", "supervised", "port", "command", "cgroup", "user"]
        )
        units = try Self.groups(
            table["units"],
            of: "machine.units",
            known: ["count", "supervised"]
        )
        containers = try Self.groups(
            table["containers"],
            of: "machine.containers",
            known: ["count", "image", "labels"]
        )
        namespaces = try Self.texts(table["netns"], "machine.netns must be a list of names")
        disks = try Self.texts(table["disks"], "machine.disks must be a list of paths")
        for (name, value) in table["hosts"].table?.sortedFields ?? [] {
            let texts = value.table?.array.compactMap(\.string) ?? [value.string].compactMap { $0 }
            let addresses = texts.compactMap { NetworkAddress($0) }
            guard !addresses.isEmpty, addresses.count == texts.count else {
                throw TestMistake("machine.hosts.\(name) must be an address or a list of them")
            }
            hosts.append((name, addresses))
        }
    }

    private static func texts(
        _ value: LuaValue,
        _ problem: String
    ) throws(TestMistake) -> [String] {
        var texts: [String] = []
        for item in value.table?.array ?? [] {
            guard let text = item.string else { throw TestMistake("\(problem), got \(item)") }
            texts.append(text)
        }
        return texts
    }

    /// `{ nginx = 3 }`, `{ nginx = { count = 3, port = 80 } }`, or `{ "nginx" }`.
    private static func groups(
        _ value: LuaValue,
        of name: String,
        known: [String]
    ) throws(TestMistake) -> [Group] {
        guard let table = value.table else {
            guard value.isNil else { throw TestMistake("\(name) must be a table, got \(value)") }
            return []
        }
        var groups = table.array.compactMap(\.string).map {
            Group(name: $0, count: 1, options: LuaTable())
        }
        for (key, value) in table.sortedFields {
            if let count = value.integer, (0...10_000).contains(count) {
                groups.append(Group(name: key, count: Int(count), options: LuaTable()))
            } else if let options = value.table {
                try TestOptions.check(options, of: "\(name).\(key)", known: known)
                let count = options["count"].integer ?? 1
                groups.append(Group(name: key, count: Int(count), options: options))
            } else {
                throw TestMistake("\(name).\(key) must be a number or a table, got \(value)")
            }
        }
        return groups
    }

    func add(to world: inout SimulatedWorld) {
        for group in processes {
            world.addProcesses(
                group.name,
                count: group.count,
                isSupervised: group.options["supervised"].boolean ?? false,
                port: group.options["port"].integer.map { Int($0) },
                command: group.options["command"].string,
                group: group.options["cgroup"].string,
                userID: UInt32(clamping: group.options["user"].integer ?? 0)
            )
        }
        for unit in units {
            world.addUnit(
                unit.name,
                count: unit.count,
                isSupervised: unit.options["supervised"].boolean ?? false
            )
        }
        for container in containers {
            let labels = container.options["labels"].table?.fields.compactMapValues(\.string)
            world.addContainers(
                container.name,
                count: container.count,
                image: container.options["image"].string,
                labels: labels ?? [:]
            )
        }
        for name in namespaces { world.addNamespace(name) }
        world.disks.formUnion(disks)
        for host in hosts { world.hosts[host.name] = host.addresses }
    }
}
