// A kernel that has nothing but time, for sources that need no more.

import ChaosModel
import ChaosSteadyState
import Glibc

/// The clock of this machine.
struct RealTime: TimePort {
    var now: Instant {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    var secondsSince1970: Double { Double(time(nil)) }

    func sleep(until instant: Instant) async throws {
        try await Task.sleep(for: instant.since(now))
    }
}

/// Ports that refuse everything.
struct NothingPort: ProcessPort, ControlGroupPort, LoadPort, PacketFilterPort,
    TrafficShapingPort,
    NetworkPort, RequestFaultPort, NameFaultPort,
    HostPort
{
    private let refusal = KernelError(.unsupported, "anything", "this kernel is a stub")

    func pids() throws(KernelError) -> [Int32] { throw refusal }
    func snapshot(pid: Int32) throws(KernelError) -> ProcessSnapshot? { throw refusal }
    func controlGroup(of process: ProcessIdentity) throws(KernelError) -> String? { throw refusal }
    func listening(on port: Int) throws(KernelError) -> Set<Int32> { throw refusal }
    func userID(named name: String) throws(KernelError) -> UInt32? { throw refusal }
    func signal(_ process: ProcessIdentity, _ signal: Int32) throws(KernelError) -> Bool {
        throw refusal
    }
    func ended(
        _ process: ProcessIdentity,
        within limit: Duration
    ) async throws(KernelError) -> Bool { throw refusal }
    func start(_ arguments: [String]) throws(KernelError) -> ProcessIdentity { throw refusal }
    func hold(_ process: ProcessIdentity) async throws(KernelError) -> Bool { throw refusal }
    func letGo(_ process: ProcessIdentity) async throws(KernelError) { throw refusal }
    func tracer(of process: ProcessIdentity) throws(KernelError) -> Int32? { throw refusal }
    func fileLimit(of process: ProcessIdentity) throws(KernelError) -> FileLimit? { throw refusal }
    func setFileLimit(
        _ soft: UInt64,
        of process: ProcessIdentity
    ) throws(KernelError) -> Bool { throw refusal }
    func group(
        of process: ProcessIdentity,
        for controller: ControlGroupController
    ) throws(KernelError) -> ControlGroup { throw refusal }
    func group(
        at path: String,
        for controller: ControlGroupController
    ) throws(KernelError) -> ControlGroup? { throw refusal }
    func read(_ file: String, of group: ControlGroup) throws(KernelError) -> String? {
        throw refusal
    }
    func write(
        _ text: String,
        to file: String,
        of group: ControlGroup
    ) throws(KernelError) { throw refusal }
    func obstacle(to file: String, of group: ControlGroup) throws(KernelError) -> String? {
        throw refusal
    }
    func make(
        _ name: String,
        below parent: ControlGroup
    ) throws(KernelError) -> ControlGroup { throw refusal }
    func remove(_ group: ControlGroup) async throws(KernelError) { throw refusal }
    func move(_ pid: Int32, into group: ControlGroup) throws(KernelError) { throw refusal }
    func members(of group: ControlGroup) throws(KernelError) -> [Int32] { throw refusal }
    func groups(below group: ControlGroup) throws(KernelError) -> [ControlGroup] { throw refusal }
    func engines(in namespace: NetworkNamespace) throws(KernelError) -> PacketEngines {
        throw refusal
    }
    func add(
        _ rules: PacketRules,
        with engine: PacketEngine,
        in namespace: NetworkNamespace
    ) throws(KernelError) { throw refusal }
    func widen(
        _ rules: PacketRules,
        with engine: PacketEngine,
        in namespace: NetworkNamespace
    ) throws(KernelError) { throw refusal }
    func remove(
        _ name: String,
        with engine: PacketEngine,
        in namespace: NetworkNamespace
    ) throws(KernelError) { throw refusal }
    func count(
        _ name: String,
        with engine: PacketEngine,
        in namespace: NetworkNamespace
    ) throws(KernelError) -> PacketCount? { throw refusal }
    func watch(_ watch: PacketWatch, in namespace: NetworkNamespace) throws(KernelError) {
        throw refusal
    }
    func watched(
        _ name: String,
        in namespace: NetworkNamespace
    ) throws(KernelError) -> WatchCount? { throw refusal }
    func engines(in namespace: NetworkNamespace) throws(KernelError) -> ShapingEngines {
        throw refusal
    }
    func obstacle(
        to rules: ShapingRules,
        with engine: ShapingEngine,
        in namespace: NetworkNamespace
    ) -> String? { nil }
    func remarks(on rules: ShapingRules, with engine: ShapingEngine) -> [String] { [] }
    func shape(
        _ rules: ShapingRules,
        with engine: ShapingEngine,
        in namespace: NetworkNamespace
    ) async throws(KernelError) { throw refusal }
    func widen(
        _ name: String,
        by matches: [PacketMatch],
        with engine: ShapingEngine,
        in namespace: NetworkNamespace
    ) async throws(KernelError) { throw refusal }
    func unshape(
        _ name: String,
        with engine: ShapingEngine,
        in namespace: NetworkNamespace
    ) async throws(KernelError) { throw refusal }
    func count(
        _ name: String,
        with engine: ShapingEngine,
        in namespace: NetworkNamespace
    ) async throws(KernelError) -> ShapingCount? { throw refusal }
    func endedEarly(_ name: String, with engine: ShapingEngine) async -> String? { nil }
    func survey(_ namespace: NetworkNamespace) throws(KernelError) -> RequestSurvey {
        throw refusal
    }
    func speakTLS(
        _ ends: [SocketEnd],
        in namespace: NetworkNamespace,
        within limit: Duration
    ) async throws(KernelError) -> [SocketEnd] { throw refusal }
    func endedEarly(_ fault: RequestFault) async -> String? { nil }
    func endedEarly(_ fault: NameFault) async -> String? { nil }
    func begin(_ fault: RequestFault) async throws(KernelError) { throw refusal }
    func count(_ fault: RequestFault) async throws(KernelError) -> RequestCount? { throw refusal }
    func end(_ fault: RequestFault) async throws(KernelError) { throw refusal }
    func survey(_ place: NamePlace) async throws(KernelError) -> NameSurvey { throw refusal }
    func begin(_ fault: NameFault) async throws(KernelError) { throw refusal }
    func lookup(_ fault: NameFault) async throws(KernelError) -> String? { throw refusal }
    func count(_ fault: NameFault) async throws(KernelError) -> NameCount? { throw refusal }
    func end(_ fault: NameFault) async throws(KernelError) { throw refusal }
    func ownNamespace() throws(KernelError) -> NetworkNamespace { throw refusal }
    func namespace(named name: String) throws(KernelError) -> NetworkNamespace? { throw refusal }
    func namespace(of process: ProcessIdentity) throws(KernelError) -> NetworkNamespace {
        throw refusal
    }
    func addresses(of hostName: String) async throws(KernelError) -> [NetworkAddress] {
        throw refusal
    }
    func processors(of process: ProcessIdentity?) throws(KernelError) -> [Int] { throw refusal }
    func memory() throws(KernelError) -> HostMemory { throw refusal }
    func space(at path: String) throws(KernelError) -> FileSystemSpace { throw refusal }
    func begin(
        _ load: Load,
        as name: String,
        in groups: [ControlGroup]
    ) async throws(KernelError) { throw refusal }
    func state(of name: String) async throws(KernelError) -> LoadState? { throw refusal }
    func endedEarly(_ name: String) async -> String? { nil }
    func end(_ name: String, _ load: Load) async throws(KernelError) { throw refusal }
    func socketOwner(of process: ProcessIdentity) throws(KernelError) -> SocketOwner {
        throw refusal
    }
    func roundTrip(
        _ probe: RoundTripProbe,
        in namespace: NetworkNamespace,
        within limit: Duration,
        isFirst: Bool
    ) async -> RoundTrip? { nil }
    func bootID() throws(KernelError) -> String { throw refusal }
    func hasCapability(_ name: String) -> Bool { false }
    func userID() -> UInt32 { 0 }
    func ancestry() -> [Int32] { [] }
}

/// Why a stub does nothing.
struct StubRefusal: Error, CustomStringConvertible {
    let description: String
}

extension SourceContext {
    /// Surroundings of which a test gives only what it needs.
    static func stub(
        time: any TimePort = RealTime(),
        enterNamespace: @escaping @Sendable (String) throws -> Void = { name in
            throw StubRefusal(description: "no namespace \(name)")
        },
        evaluateLua: @escaping @Sendable (String) async -> Reading = { .noData("no \($0)") },
        resolve: @escaping @Sendable (TargetSelector) async throws -> [ProcessIdentity] = { _ in []
        }
    ) -> SourceContext {
        let nothing = NothingPort()
        return SourceContext(
            kernel: Kernel(
                processes: nothing,
                groups: nothing,
                loads: nothing,
                packets: nothing,
                shaping: nothing,
                requests: nothing,
                names: nothing,
                network: nothing,
                host: nothing,
                time: time
            ),
            enterNamespace: enterNamespace,
            evaluateLua: evaluateLua,
            resolve: resolve
        )
    }
}
