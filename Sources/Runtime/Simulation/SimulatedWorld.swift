// The machine as the simulation keeps it: a value, so that two moments can be compared.

package import ChaosModel

/// Everything that faults can change on the simulated machine.
package struct SimulatedWorld: Sendable, Equatable {
    /// A process.
    package struct Process: Sendable, Equatable {
        package var startTime: UInt64
        package var parent: Int32
        package var name: String
        package var arguments: [String]
        package var userID: UInt32
        package var state: Character
        package var isKernelThread: Bool
        package var group: String
        package var ports: Set<Int>
        /// Whether somebody starts it again when it ends.
        package var isSupervised: Bool
        /// The soft limit of open files.
        package var fileLimit: UInt64 = 1024
        /// The open files.
        package var openFiles = Array(0..<20)
        /// The inode of its pid namespace; the agent's is 1.
        package var pidNamespace: UInt64
        /// The inode of its network namespace; the agent's is 1.
        package var networkNamespace: UInt64
    }

    /// A table or chain of packet rules.
    package struct Table: Sendable, Equatable {
        package var rules: PacketRules
        package var engine: PacketEngine
        package var count: PacketCount
    }

    /// A control group; one that is not here is the root of the simulated hierarchy.
    package struct Group: Sendable, Equatable {
        package var version: ControlGroup.Version
        package var inode: UInt64
        package var files: [String: String]
    }

    /// A limit of memory that a control group may have without ever meeting it, in bytes.
    package static let roomyMemory = 1 << 30

    /// The processes by pid.
    package var processes: [Int32: Process] = [:]
    /// The numbers of tasks that only take places, by name.
    package var heldTasks: [String: Int] = [:]
    /// The shifts of clocks in nanoseconds, by inode.
    package var clocks: [UInt64: Int64] = [:]
    /// The control groups by path.
    package var groups: [String: Group] = [:]
    /// The rules by namespace inode and name.
    package var tables: [UInt64: [String: Table]] = [:]
    /// Where a file system of its own is mounted.
    package var disks: Set<String> = ["/srv"]
    /// The impairments by namespace inode and name.
    package var shapes: [UInt64: [String: ShapingRules]] = [:]
    /// The faults of requests in force, by name.
    package var requests: [String: RequestFault] = [:]
    /// Who listens and talks, and who speaks TLS.
    package var requestSurvey = RequestSurvey()
    package var speakersOfTLS: [SocketEnd] = []
    /// How the workers that carry faults of requests and names have ended; nil while they run.
    package var endedWorkers: String?
    /// What each of them has counted.
    package var requestCount = RequestCount(seen: 4, matched: 3, hit: 2)
    /// The faults of name resolution in force, by name.
    package var names: [String: NameFault] = [:]
    /// What a survey of name resolution finds in the way.
    package var nameCaches: [String] = []
    /// The loads by name, and how those ended whose worker was killed.
    package var loads: [String: Load] = [:]
    package var endedLoads: [String: String] = [:]
    /// The named namespaces; the agent's own has inode 1.
    package var namespaces: [String: UInt64] = [:]
    /// The addresses of host names.
    package var hosts: [String: [NetworkAddress]] = [:]

    /// What the way to any far end measures; nil when nothing can be measured.
    package var roundTrip: RoundTrip?
    /// The running containers, with the pid of the first process of each.
    package var containers: [ContainerSnapshot: Int32] = [:]
    /// The addresses of the agent's own namespace.
    package var ownAddresses: [NetworkAddress] = []

    private var nextInode: UInt64 = 500
    private var nextPid: Int32 = 100
    private var nextStartTime: UInt64 = 1000

    /// A machine with pid 1 and the agent, which is pid 42.
    package init() {
        add(pid: 1, name: "init")
        add(pid: 42, name: "moonquake")
    }

    /// Starts a process and returns its identity.
    @discardableResult
    package mutating func add(
        pid: Int32? = nil,
        parent: Int32 = 1,
        name: String,
        arguments: [String]? = nil,
        userID: UInt32 = 0,
        isKernelThread: Bool = false,
        group: String = "/",
        ports: Set<Int> = [],
        isSupervised: Bool = false,
        pidNamespace: UInt64 = 1,
        networkNamespace: UInt64 = 1
    ) -> ProcessIdentity {
        if pid == nil { nextPid += 1 }
        nextStartTime += 10
        let pid = pid ?? nextPid
        processes[pid] = Process(
            startTime: nextStartTime,
            parent: parent,
            name: name,
            arguments: arguments ?? ["/usr/bin/\(name)"],
            userID: userID,
            state: "S",
            isKernelThread: isKernelThread,
            group: group,
            ports: ports,
            isSupervised: isSupervised,
            pidNamespace: pidNamespace,
            networkNamespace: networkNamespace
        )
        return ProcessIdentity(pid: pid, startTime: nextStartTime)
    }

    /// Starts a container with one process and returns that one's identity.
    @discardableResult
    package mutating func addContainer(
        _ name: String,
        id: String,
        image: String = "docker.io/library/shop:1",
        labels: [String: String] = [:],
        namespace: UInt64
    ) -> ProcessIdentity {
        let first = add(name: name, pidNamespace: namespace, networkNamespace: namespace)
        let snapshot = ContainerSnapshot(
            id: id,
            name: name,
            image: image,
            labels: labels,
            socket: "/run/simulated.sock"
        )
        containers[snapshot] = first.pid
        return first
    }

    /// Makes a control group with its files.
    package mutating func addGroup(
        _ path: String,
        _ version: ControlGroup.Version = .v2,
        files: [String: String] = [:]
    ) {
        nextInode += 1
        groups[path] = Group(version: version, inode: nextInode, files: files)
    }

    /// What the kernel does when the agent dies: tables with an owner go, and what only they fed.
    package mutating func agentDied() {
        for (namespace, tables) in tables {
            self.tables[namespace] = tables.filter { $0.value.engine != .nftOwner }
        }
        shapes = [:]
        heldTasks = [:]
        clocks = [:]
        // What was stopped by a tracer goes on.
        for (pid, process) in processes where process.state == "t" { processes[pid]?.state = "S" }
        requests = [:]
        names = names.filter { $0.value.method != .redirect }
        loads = [:]
        endedLoads = [:]
    }

    /// How this world differs from `other`, one line for each thing; empty when they are the same.
    package func differences(from other: SimulatedWorld) -> [String] {
        var lines: [String] = []
        for pid in Set(processes.keys).union(other.processes.keys).sorted()
        where processes[pid] != other.processes[pid] {
            let states = [other.processes[pid], processes[pid]].map {
                $0.map { "\($0.name) \($0.state) \($0.fileLimit)" } ?? "none"
            }
            lines.append("process \(pid): \(states[0]) -> \(states[1])")
        }
        if heldTasks != other.heldTasks {
            lines.append("tasks: \(other.heldTasks) -> \(heldTasks)")
        }
        if clocks != other.clocks { lines.append("clocks: \(other.clocks) -> \(clocks)") }
        for name in Set(loads.keys).symmetricDifference(other.loads.keys).sorted() {
            lines.append("load \(name): \(loads[name] == nil ? "ended" : "begun")")
        }
        for path in Set(groups.keys).union(other.groups.keys).sorted()
        where groups[path] != other.groups[path] {
            let files = [other.groups[path], groups[path]].map {
                $0.map { "\($0.files)" } ?? "none"
            }
            lines.append("group \(path): \(files[0]) -> \(files[1])")
        }
        for namespace in Set(tables.keys).union(other.tables.keys).sorted() {
            let names = [other.tables[namespace], tables[namespace]].map {
                ($0 ?? [:]).keys.sorted()
            }
            if names[0] != names[1] {
                lines.append("tables in \(namespace): \(names[0]) -> \(names[1])")
            }
        }
        for namespace in Set(shapes.keys).union(other.shapes.keys).sorted() {
            let names = [other.shapes[namespace], shapes[namespace]].map {
                ($0 ?? [:]).keys.sorted()
            }
            if names[0] != names[1] {
                lines.append("shapes in \(namespace): \(names[0]) -> \(names[1])")
            }
        }
        if requests.keys.sorted() != other.requests.keys.sorted() {
            lines.append(
                "request faults: \(other.requests.keys.sorted()) -> \(requests.keys.sorted())"
            )
        }
        if names.keys.sorted() != other.names.keys.sorted() {
            lines.append("name faults: \(other.names.keys.sorted()) -> \(names.keys.sorted())")
        }
        return lines
    }
}
