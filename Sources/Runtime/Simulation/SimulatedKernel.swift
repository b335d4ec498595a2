// The kernel in memory: the same ports as Linux, with two additions. It can fail its N-th call, with or without
// having done it, and its world can be compared before and after.

package import ChaosModel
import Synchronization

/// A kernel in memory.
package final class SimulatedKernel: Sendable {
    /// How a call fails.
    package enum Failure: Sendable, CaseIterable {
        /// Nothing was done.
        case before
        /// It was done, and the answer was lost.
        case after
    }

    private struct State {
        var world = SimulatedWorld()
        var calls: [String] = []
        var failAt: Int?
        var failure = Failure.before
        var staysDead = false
        var engines = PacketEngines(working: PacketEngine.allCases, reasons: [:])
        var shapingEngines = [ShapingEngine.nfqueue]
        var obstacles: [ShapingEngine: String] = [:]
        var capabilities: Set<String> = [
            "CAP_KILL", "CAP_NET_ADMIN", "CAP_SETUID", "CAP_SYS_ADMIN",
        ]
        var userID: UInt32 = 0
        var bootID = "boot-1"
        var watcher: (@Sendable (String, SimulatedWorld) -> Void)?
    }

    private let state = Mutex(State())

    /// The clock.
    package let time: SimulatedTime

    /// Makes a machine; its clock goes on by itself when somebody sleeps, unless told otherwise.
    package init(time: SimulatedTime = SimulatedTime(advancesBySleeping: true)) {
        self.time = time
    }

    /// The ports to it.
    package var kernel: Kernel {
        Kernel(
            processes: self,
            groups: self,
            loads: self,
            packets: self,
            shaping: self,
            requests: self,
            names: self,
            network: self,
            host: self,
            time: time,
            containers: self,
            tasks: self,
            clocks: self
        )
    }

    /// The machine now.
    package var world: SimulatedWorld { state.withLock { $0.world } }

    /// Changes the machine, as something other than a fault would.
    @discardableResult
    package func change<Value: Sendable>(_ body: @Sendable (inout SimulatedWorld) -> Value) -> Value
    {
        state.withLock { body(&$0.world) }
    }

    /// Calls back after each call that changed the machine, with the call's name and the machine after it.
    package func watch(_ watcher: @escaping @Sendable (String, SimulatedWorld) -> Void) {
        state.withLock { $0.watcher = watcher }
    }

    /// The calls so far, by name.
    package var calls: [String] { state.withLock { $0.calls } }

    /// Makes the N-th call from now fail, counted from 1; nil for none.
    package func fail(call number: Int?, _ failure: Failure = .before) {
        state.withLock { state in
            state.failAt = number.map { state.calls.count + $0 }
            state.failure = failure
        }
    }

    /// Makes the agent die at its N-th call from now, counted from 1: no later call reaches the machine.
    package func die(at number: Int, _ failure: Failure) {
        state.withLock { state in
            state.failAt = state.calls.count + number
            state.failure = failure
            state.staysDead = true
        }
    }

    /// Whether the agent has died at its call.
    package var isDead: Bool {
        state.withLock { state in state.staysDead && state.calls.count >= state.failAt ?? .max }
    }

    /// Starts a new agent on the same machine, after what the kernel does when one dies.
    package func restartAgent() {
        state.withLock { state in
            state.failAt = nil
            state.staysDead = false
            state.world.agentDied()
        }
    }

    /// Sets which packet engines work.
    package func setEngines(_ engines: PacketEngines) { state.withLock { $0.engines = engines } }

    /// Sets which shaping engines work, and what they cannot do of any rules.
    package func setShaping(_ working: [ShapingEngine], obstacles: [ShapingEngine: String] = [:]) {
        state.withLock {
            $0.shapingEngines = working
            $0.obstacles = obstacles
        }
    }

    /// Sets who the agent is.
    package func setUser(_ userID: UInt32, capabilities: Set<String>) {
        state.withLock {
            $0.userID = userID
            $0.capabilities = capabilities
        }
    }

    /// Boots again: processes and tables are gone.
    package func reboot() {
        state.withLock {
            $0.bootID += "+"
            $0.world.tables = [:]
            $0.world.shapes = [:]
            $0.world.requests = [:]
            $0.world.loads = [:]
            $0.world.processes = $0.world.processes.filter { $0.key == 1 }
            $0.world.add(pid: 42, name: "moonquake")
        }
    }

    /// A call of a port that is in a file of its own.
    func callWorld<Value: Sendable>(
        _ name: String,
        _ body: (inout SimulatedWorld) throws(KernelError) -> Value
    ) throws(KernelError) -> Value {
        try call(name) { state throws(KernelError) in try body(&state.world) }
    }

    private func call<Value: Sendable>(
        _ name: String,
        _ body: (inout State) throws(KernelError) -> Value
    ) throws(KernelError) -> Value {
        let result: Result<Value, KernelError> = state.withLock { state in
            state.calls.append(name)
            let fails = state.failAt == state.calls.count
            let error = KernelError(.failed, name, "simulated failure of call \(state.calls.count)")
            if state.staysDead, state.calls.count > state.failAt ?? .max { return .failure(error) }
            if fails, state.failure == .before { return .failure(error) }
            let before = state.world
            let result = Result { () throws(KernelError) in try body(&state) }
            if let watcher = state.watcher, state.world != before { watcher(name, state.world) }
            return fails ? .failure(error) : result
        }
        return try result.get()
    }
}

extension SimulatedKernel: ProcessPort {
    package func pids() throws(KernelError) -> [Int32] {
        try call("pids") { state throws(KernelError) in state.world.processes.keys.sorted() }
    }

    package func snapshot(pid: Int32) throws(KernelError) -> ProcessSnapshot? {
        try call("snapshot") { state throws(KernelError) in
            state.world.processes[pid].map { process in
                ProcessSnapshot(
                    identity: ProcessIdentity(pid: pid, startTime: process.startTime),
                    parent: process.parent,
                    shortName: String(process.name.prefix(15)),
                    arguments: process.arguments,
                    executable: process.arguments.first,
                    userID: process.userID,
                    state: process.state,
                    isKernelThread: process.isKernelThread
                )
            }
        }
    }

    package func controlGroup(of process: ProcessIdentity) throws(KernelError) -> String? {
        try call("controlGroup") { state throws(KernelError) in
            state.world.processes[process.pid]?.group
        }
    }

    package func pidNamespace(of process: ProcessIdentity) throws(KernelError) -> UInt64? {
        try call("pidNamespace") { state throws(KernelError) in
            state.world.processes[process.pid]?.pidNamespace
        }
    }

    package func listening(on port: Int) throws(KernelError) -> Set<Int32> {
        try call("listening") { state throws(KernelError) in
            Set(state.world.processes.filter { $0.value.ports.contains(port) }.keys)
        }
    }

    package func userID(named name: String) throws(KernelError) -> UInt32? {
        try call("userID") { state throws(KernelError) in name == "root" ? 0 : nil }
    }

    package func signal(_ process: ProcessIdentity, _ signal: Int32) throws(KernelError) -> Bool {
        try call("signal") { state throws(KernelError) in
            guard let found = state.world.processes[process.pid],
                found.startTime == process.startTime
            else {
                return false
            }
            switch signal {
            case 19: state.world.processes[process.pid]?.state = "T"
            case 18: if found.state == "T" { state.world.processes[process.pid]?.state = "S" }
            default:
                state.world.processes[process.pid] = nil
                guard found.isSupervised else { break }
                state.world.add(name: found.name, arguments: found.arguments, isSupervised: true)
            }
            return true
        }
    }

    package func ended(
        _ process: ProcessIdentity,
        within limit: Duration
    ) async throws(KernelError) -> Bool {
        try call("ended") { state throws(KernelError) in
            state.world.processes[process.pid]?.startTime != process.startTime
        }
    }

    package func start(_ arguments: [String]) throws(KernelError) -> ProcessIdentity {
        try call("start") { state throws(KernelError) in
            let name = arguments.first?.split(separator: "/").last.map(String.init) ?? "?"
            return state.world.add(name: name, arguments: arguments)
        }
    }
}

extension SimulatedKernel: PacketFilterPort {
    package func engines(in namespace: NetworkNamespace) throws(KernelError) -> PacketEngines {
        try call("engines") { state throws(KernelError) in state.engines }
    }

    package func add(
        _ rules: PacketRules,
        with engine: PacketEngine,
        in namespace: NetworkNamespace
    ) throws(KernelError) {
        try call("add") { state throws(KernelError) in
            guard state.world.tables[namespace.inode]?[rules.name] == nil else {
                throw KernelError(.failed, "add \(rules.name)", "File exists")
            }
            state.world.tables[namespace.inode, default: [:]][rules.name] = SimulatedWorld.Table(
                rules: rules,
                engine: engine,
                count: PacketCount(packets: 3, bytes: 180)
            )
        }
    }

    package func widen(
        _ rules: PacketRules,
        with engine: PacketEngine,
        in namespace: NetworkNamespace
    ) throws(KernelError) {
        try call("widen") { state throws(KernelError) in
            guard state.world.tables[namespace.inode]?[rules.name] != nil else {
                throw KernelError(.failed, "widen \(rules.name)", "it is not in force")
            }
            state.world.tables[namespace.inode]?[rules.name]?.rules.drop += rules.drop
        }
    }

    package func remove(
        _ name: String,
        with engine: PacketEngine,
        in namespace: NetworkNamespace
    ) throws(KernelError) {
        try call("remove") { state throws(KernelError) in
            state.world.tables[namespace.inode]?[name] = nil
        }
    }

    package func count(
        _ name: String,
        with engine: PacketEngine,
        in namespace: NetworkNamespace
    ) throws(KernelError) -> PacketCount? {
        try call("count") { state throws(KernelError) in
            state.world.tables[namespace.inode]?[name]?.count
        }
    }

    /// Half of six packets match.
    package func watch(
        _ watch: PacketWatch,
        in namespace: NetworkNamespace
    ) throws(KernelError) {
        let rules = PacketRules(name: watch.name, pass: watch.pass, drop: watch.match)
        try add(rules, with: .nftOwner, in: namespace)
    }

    package func watched(
        _ name: String,
        in namespace: NetworkNamespace
    ) throws(KernelError) -> WatchCount? {
        try count(name, with: .nftOwner, in: namespace).map { count in
            WatchCount(
                matched: count,
                seen: PacketCount(packets: 2 * count.packets, bytes: 2 * count.bytes)
            )
        }
    }
}

extension SimulatedKernel: TrafficShapingPort {
    package func engines(in namespace: NetworkNamespace) throws(KernelError) -> ShapingEngines {
        try call("shapingEngines") { state throws(KernelError) in
            let missing = ShapingEngine.allCases.filter { !state.shapingEngines.contains($0) }
            return ShapingEngines(
                working: state.shapingEngines,
                reasons: Dictionary(uniqueKeysWithValues: missing.map { ($0, "not here") })
            )
        }
    }

    package func obstacle(
        to rules: ShapingRules,
        with engine: ShapingEngine,
        in namespace: NetworkNamespace
    ) throws(KernelError) -> String? {
        try call("shapingObstacle") { state throws(KernelError) in state.obstacles[engine] }
    }

    package func remarks(on rules: ShapingRules, with engine: ShapingEngine) -> [String] { [] }

    package func shape(
        _ rules: ShapingRules,
        with engine: ShapingEngine,
        in namespace: NetworkNamespace
    ) async throws(KernelError) {
        try call("shape") { state throws(KernelError) in
            state.world.shapes[namespace.inode, default: [:]][rules.name] = rules
        }
    }

    package func widen(
        _ name: String,
        by matches: [PacketMatch],
        with engine: ShapingEngine,
        in namespace: NetworkNamespace
    ) async throws(KernelError) {
        try call("widen") { state throws(KernelError) in
            guard state.world.shapes[namespace.inode]?[name] != nil else {
                throw KernelError(.failed, "widen \(name)", "it is not in force")
            }
            state.world.shapes[namespace.inode]?[name]?.match += matches
        }
    }

    package func unshape(
        _ name: String,
        with engine: ShapingEngine,
        in namespace: NetworkNamespace
    ) async throws(KernelError) {
        try call("unshape") { state throws(KernelError) in
            state.world.shapes[namespace.inode]?[name] = nil
        }
    }

    package func count(
        _ name: String,
        with engine: ShapingEngine,
        in namespace: NetworkNamespace
    ) async throws(KernelError) -> ShapingCount? {
        try call("shapingCount") { state throws(KernelError) in
            state.world.shapes[namespace.inode]?[name] == nil ? nil : ShapingCount(matched: 3)
        }
    }

    package func endedEarly(_ name: String, with engine: ShapingEngine) async -> String? {
        await endedEarly { $0.shapes.values.contains { $0[name] != nil } }
    }
}

extension SimulatedKernel: RequestFaultPort {
    package func survey(_ namespace: NetworkNamespace) throws(KernelError) -> RequestSurvey {
        try call("surveyRequests") { state throws(KernelError) in
            var survey = state.world.requestSurvey
            survey.redirectObstacle = state.engines.working.contains(.nftOwner) ? nil : "no nft"
            return survey
        }
    }

    package func speakTLS(
        _ ends: [SocketEnd],
        in namespace: NetworkNamespace,
        within limit: Duration
    ) async throws(KernelError) -> [SocketEnd] {
        try call("speakTLS") { state throws(KernelError) in
            ends.filter(state.world.speakersOfTLS.contains)
        }
    }

    package func endedEarly(_ fault: RequestFault) async -> String? {
        await endedEarly { $0.requests[fault.rule.name] != nil }
    }

    package func begin(_ fault: RequestFault) async throws(KernelError) {
        try call("beginRequests") { state throws(KernelError) in
            state.world.requests[fault.rule.name] = fault
        }
    }

    package func count(_ fault: RequestFault) async throws(KernelError) -> RequestCount? {
        try call("countRequests") { state throws(KernelError) in
            guard state.world.requests[fault.rule.name] != nil, state.world.endedWorkers == nil
            else { return nil }
            return state.world.requestCount
        }
    }

    package func end(_ fault: RequestFault) async throws(KernelError) {
        try call("endRequests") { state throws(KernelError) in
            state.world.requests[fault.rule.name] = nil
        }
    }
}

extension SimulatedKernel: NameFaultPort {
    package func survey(_ place: NamePlace) async throws(KernelError) -> NameSurvey {
        try call("surveyNames") { state throws(KernelError) in
            let resolver = NetworkAddress("10.9.0.53").map { [SocketEnd($0, port: 53)] } ?? []
            return NameSurvey(
                place: place,
                resolvers: resolver,
                notes: state.world.nameCaches,
                redirectObstacle: state.engines.working.contains(.nftOwner) ? nil : "no nft"
            )
        }
    }

    package func begin(_ fault: NameFault) async throws(KernelError) {
        try call("beginNames") { state throws(KernelError) in
            state.world.names[fault.name] = fault
        }
    }

    package func lookup(_ fault: NameFault) async throws(KernelError) -> String? {
        try call("lookup") { state throws(KernelError) in "simulated" }
    }

    package func count(_ fault: NameFault) async throws(KernelError) -> NameCount? {
        try call("countNames") { state throws(KernelError) in
            guard state.world.names[fault.name] != nil else { return nil }
            var count = NameCount()
            (count.seen, count.matched, count.hit) = (4, 3, 2)
            count.names = [NameCount.Tally(name: "db.test", matched: 3, hit: 2)]
            return count
        }
    }

    package func endedEarly(_ fault: NameFault) async -> String? {
        await endedEarly { $0.names[fault.name] != nil }
    }

    package func end(_ fault: NameFault) async throws(KernelError) {
        try call("endNames") { state throws(KernelError) in state.world.names[fault.name] = nil }
    }
}

extension SimulatedKernel {
    /// How a fault that a worker carries ended with it; nil when it was ended otherwise.
    ///
    /// Polled, with a bound: the simulated world tells nobody when it changes.
    private func endedEarly(_ isThere: (SimulatedWorld) -> Bool) async -> String? {
        for _ in 0..<10_000 {
            let world = world
            guard isThere(world), !Task.isCancelled else { return nil }
            if let end = world.endedWorkers { return end }
            guard (try? await Task.sleep(for: .milliseconds(1))) != nil else { return nil }
        }
        return nil
    }
}

extension SimulatedKernel: NetworkPort {
    package func ownNamespace() throws(KernelError) -> NetworkNamespace {
        try call("ownNamespace") { state throws(KernelError) in
            NetworkNamespace(path: "/proc/self/ns/net", inode: 1)
        }
    }

    package func namespace(named name: String) throws(KernelError) -> NetworkNamespace? {
        try call("namespace") { state throws(KernelError) in
            state.world.namespaces[name].map {
                NetworkNamespace(path: "/run/netns/\(name)", inode: $0)
            }
        }
    }

    package func namespace(of process: ProcessIdentity) throws(KernelError) -> NetworkNamespace {
        try call("namespace") { state throws(KernelError) in
            guard let found = state.world.processes[process.pid],
                found.startTime == process.startTime
            else { throw KernelError(.gone, "namespace of \(process.pid)", "it has ended") }
            return NetworkNamespace(
                path: "/proc/\(process.pid)/ns/net",
                inode: found.networkNamespace
            )
        }
    }

    package func namedNamespaces() throws(KernelError) -> [String: NetworkNamespace] {
        try call("namedNamespaces") { state throws(KernelError) in
            Dictionary(
                uniqueKeysWithValues: state.world.namespaces.map { name, inode in
                    (name, NetworkNamespace(path: "/run/netns/\(name)", inode: inode))
                }
            )
        }
    }

    package func ownAddresses() -> [NetworkAddress] { state.withLock { $0.world.ownAddresses } }

    package func addresses(of hostName: String) async throws(KernelError) -> [NetworkAddress] {
        try call("addresses") { state throws(KernelError) in
            guard let addresses = state.world.hosts[hostName] else {
                throw KernelError(.failed, "resolve \(hostName)", "Name or service not known")
            }
            return addresses
        }
    }

    package func socketOwner(of process: ProcessIdentity) throws(KernelError) -> SocketOwner {
        try call("socketOwner") { state throws(KernelError) in
            guard let found = state.world.processes[process.pid], found.group != "/" else {
                throw KernelError(.unsupported, "tell its packets apart", "it is in the root group")
            }
            return .controlGroup(path: String(found.group.dropFirst()), id: 7, level: 1)
        }
    }

    package func roundTrip(
        _ probe: RoundTripProbe,
        in namespace: NetworkNamespace,
        within limit: Duration,
        isFirst: Bool
    ) async -> RoundTrip? {
        // Not a call that can fail: what it does not measure is left out.
        state.withLock { $0.world.roundTrip }
    }
}

extension SimulatedKernel: ContainerPort {
    package func containers(socket: String?) async throws(KernelError) -> [ContainerSnapshot] {
        try call("containers") { state throws(KernelError) in Array(state.world.containers.keys) }
    }

    package func firstProcess(of container: ContainerSnapshot) async throws(KernelError) -> Int32? {
        try call("firstProcess") { state throws(KernelError) in state.world.containers[container] }
    }
}

extension SimulatedKernel: HostPort {
    package func bootID() throws(KernelError) -> String { state.withLock { $0.bootID } }

    package func hasCapability(_ name: String) -> Bool {
        state.withLock { $0.capabilities.contains(name) }
    }

    package func userID() -> UInt32 { state.withLock { $0.userID } }

    package func ancestry() -> [Int32] { [42, 1] }
}
