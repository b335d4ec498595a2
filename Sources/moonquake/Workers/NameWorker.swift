// The worker that answers and passes on DNS queries, for all namespaces of an agent: it owns the listeners and the tables
// that redirect to them, so that both end with it.
//
// One station for each namespace has the listeners; each lease has a rule there and a table of its own. The tables of
// several leases redirect to the same listeners, so it does not matter which the kernel takes first.

import ChaosLinux
import ChaosModel
import ChaosResolver

/// The leases of the worker; used by one task.
final class NameWorker {
    private struct Key: Hashable {
        var namespace: UInt64
        var listener: NetworkAddress?
    }

    /// The listeners of a namespace, and who uses them.
    private struct Station {
        var number: Int
        var sockets: NameSockets
        var senders: RedirectSenders
        var plans: [String: RedirectPlan] = [:]
        var leases: Set<String> = []
    }

    private static let dnsPort = 53
    private static let encryptedPort = 853
    /// How long queries that are under way may take until their table goes.
    private static let drain = (steps: 40, step: Duration.milliseconds(5))

    private let resolver: Resolver
    private let redirects = LinuxRedirects()
    private var stations: [Key: Station] = [:]

    init() throws(KernelError) { resolver = try Resolver() }

    /// Serves the agent until it is gone.
    static func serve() async throws(KernelError) {
        let server = try WorkerServer()
        try server.expectConnections()
        let worker = try NameWorker()
        try await server.serve { (call: NameCall) throws(KernelError) in
            try await worker.answer(call)
        }
    }

    private func answer(_ call: NameCall) async throws(KernelError) -> NameReply {
        switch call {
        case .begin(let fault):
            try await begin(fault)
            return NameReply()
        case .expect(let fault, let name):
            guard let station = stations[key(fault)] else { return NameReply() }
            resolver.expect(name, in: station.number)
            return NameReply()
        case .wasAsked(let fault, let name):
            guard let station = stations[key(fault)] else { return NameReply() }
            return NameReply(wasAsked: resolver.wasAsked(name, in: station.number))
        case .count(let fault): return NameReply(count: try count(fault))
        case .end(let fault):
            try await end(fault)
            return NameReply()
        }
    }

    private func key(_ fault: NameFault) -> Key {
        Key(namespace: fault.place.namespace.inode, listener: fault.listener)
    }

    private func begin(_ fault: NameFault) async throws(KernelError) {
        let key = key(fault)
        let senders = RedirectSenders(users: fault.users, groups: fault.groups)
        var station: Station
        if let known = stations[key] {
            guard known.senders == senders else {
                throw KernelError(
                    .failed,
                    "begin \(fault.name)",
                    "another DNS fault in this namespace is for other users or control groups: "
                        + "the kernel could not tell which of the two meets a query"
                )
            }
            station = known
        } else {
            let sockets = try NameSockets(fault)
            let number = try await resolver.open(sockets.station, host: sockets)
            station = Station(number: number, sockets: sockets, senders: senders)
        }
        resolver.add(fault.rule, lease: fault.name, to: station.number)
        station.leases.insert(fault.name)
        stations[key] = station
        guard fault.method == .redirect else { return }
        let plan = RedirectPlan(
            name: fault.name,
            redirects: station.sockets.redirects(of: Self.dnsPort),
            senders: senders,
            cuts: fault.encrypted.map { answer in
                [PacketProtocol.tcp, .udp].map {
                    RedirectCut($0, ports: [Self.encryptedPort], answer: answer)
                }
            } ?? []
        )
        do throws(KernelError) {
            try redirects.add(plan, in: fault.place.namespace)
        } catch {
            await leave(key, fault.name)
            throw error
        }
        stations[key]?.plans[fault.name] = plan
    }

    private func count(_ fault: NameFault) throws(KernelError) -> NameCount? {
        guard let station = stations[key(fault)],
            var count = resolver.count(lease: fault.name, in: station.number)
        else { return nil }
        guard fault.method == .redirect else { return count }
        guard let table = try redirects.count(fault.name, in: fault.place.namespace) else {
            return nil
        }
        count.cut = table.cut
        return count
    }

    private func end(_ fault: NameFault) async throws(KernelError) {
        let key = key(fault)
        guard let station = stations[key], station.leases.contains(fault.name) else { return }
        _ = resolver.remove(lease: fault.name, from: station.number)
        let plan = station.plans[fault.name]
        if station.leases.count == 1 {
            if let plan { try redirects.drain(plan, in: fault.place.namespace) }
            await waitForAnswers(station.number)
        }
        if plan != nil { try redirects.remove(fault.name, in: fault.place.namespace) }
        await leave(key, fault.name)
    }

    /// Forgets a lease, and closes its station when it was the last there.
    private func leave(_ key: Key, _ lease: String) async {
        guard var station = stations[key] else { return }
        station.leases.remove(lease)
        station.plans[lease] = nil
        let isLast = resolver.remove(lease: lease, from: station.number)
        stations[key] = isLast ? nil : station
        if isLast { await resolver.close(station.number) }
    }

    /// Gives answers that are under way the time to arrive.
    private func waitForAnswers(_ station: Int) async {
        for _ in 0..<Self.drain.steps where resolver.waiting(in: station) > 0 {
            try? await Task.sleep(for: Self.drain.step)
        }
    }
}
