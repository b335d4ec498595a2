// The worker that relays HTTP and gRPC, for all namespaces of an agent: it owns the proxies and the tables that redirect
// to them, so that both end with it, however it ends.
//
// One station for each port of a namespace has the proxy; each lease has a rule there and a table of its own. So faults
// on one port compose, and each ends by itself.

import ChaosLinux
import ChaosModel
import ChaosProxy
import Glibc
import NIOCore

/// The leases of the worker; used by one task.
final class RequestWorker {
    private struct Key: Hashable {
        var namespace: UInt64
        var port: Int
        var listens: Bool
    }

    /// The proxy of a port, and who uses it.
    private struct Station {
        var way: RequestWay
        var proxy: RequestProxy
        var port: Int
        var plans: [String: RedirectPlan] = [:]
        var leases: Set<String> = []
    }

    /// How long connections may take to come to an end when the last fault of a port ends.
    private static let patience = Duration.seconds(5)

    private let redirects = LinuxRedirects()
    private var stations: [Key: Station] = [:]

    /// Serves the agent until it is gone.
    static func serve() async throws(KernelError) {
        let server = try WorkerServer()
        try server.expectConnections()
        let worker = RequestWorker()
        try await server.serve { (call: RequestCall) throws(KernelError) in
            switch call {
            case .begin(let fault):
                try worker.begin(fault)
                return RequestReply()
            case .count(let fault):
                return RequestReply(count: try worker.count(fault))
            case .end(let fault):
                try await worker.end(fault)
                return RequestReply()
            }
        }
    }

    private func key(_ fault: RequestFault) -> Key {
        switch fault.way {
        case .redirect(let redirect):
            Key(namespace: fault.namespace.inode, port: redirect.port, listens: false)
        case .listen(let port, _, _):
            Key(namespace: fault.namespace.inode, port: port, listens: true)
        }
    }

    private func begin(_ fault: RequestFault) throws(KernelError) {
        let key = key(fault)
        let name = fault.rule.name
        let station = try station(for: fault)
        station.proxy.add(fault.rule)
        stations[key, default: station].leases.insert(name)
        guard case .redirect(let redirect) = fault.way else { return }
        let plan = Self.plan(name, redirect, to: station.port)
        do throws(KernelError) {
            try redirects.add(plan, in: fault.namespace)
        } catch {
            leave(key, name)
            throw error
        }
        stations[key]?.plans[name] = plan
    }

    private func count(_ fault: RequestFault) throws(KernelError) -> RequestCount? {
        guard let station = stations[key(fault)], station.leases.contains(fault.rule.name),
            let count = station.proxy.count(fault.rule.name)
        else { return nil }
        guard case .redirect = fault.way else { return count }
        let table = try redirects.count(fault.rule.name, in: fault.namespace)
        return table == nil ? nil : count
    }

    private func end(_ fault: RequestFault) async throws(KernelError) {
        let key = key(fault)
        let name = fault.rule.name
        guard let station = stations[key], station.leases.contains(name) else { return }
        station.proxy.remove(name)
        if let plan = station.plans[name], station.leases.count == 1 {
            // New connections go direct from here on; the translation of open ones must outlive them.
            try redirects.drain(plan, in: fault.namespace)
        }
        if station.leases.count == 1 {
            _ = await station.proxy.drain(within: Self.patience)
        }
        if station.plans[name] != nil { try redirects.remove(name, in: fault.namespace) }
        leave(key, name)
    }

    /// Forgets a lease, and lets its proxy go when it was the last there.
    private func leave(_ key: Key, _ name: String) {
        guard var station = stations[key] else { return }
        station.proxy.remove(name)
        station.leases.remove(name)
        station.plans[name] = nil
        stations[key] = station.leases.isEmpty ? nil : station
    }

    // MARK: Stations

    /// The station of a fault's port, made when there is none.
    private func station(for fault: RequestFault) throws(KernelError) -> Station {
        if let known = stations[key(fault)] {
            guard known.way == fault.way else {
                throw KernelError(
                    .failed,
                    "begin \(fault.rule.name)",
                    "another fault is on this port already, with another `to`, `direction`, `open_connections` or "
                        + "`upstream`: these must be the same"
                )
            }
            return known
        }
        return try open(fault)
    }

    private func open(_ fault: RequestFault) throws(KernelError) -> Station {
        let sockets = try NamespaceSockets(fault.namespace)
        switch fault.way {
        case .listen(let port, let upstream, let upstreamPort):
            let upstream = try Self.address(upstream, upstreamPort)
            let listeners = try Self.listeners(on: ["0.0.0.0", "::"], port, sockets)
            return try station(fault.way, .fixed(upstream), listeners, port, sockets)
        case .redirect(let redirect):
            let (listeners, port) = try Self.listeners(redirect, sockets)
            let memory = try? sockets.within { () throws(KernelError) in
                TrackedConnections(tracking: try ConnectionTracking())
            }
            return try station(fault.way, .original(memory), listeners, port, sockets)
        }
    }

    private func station(
        _ way: RequestWay,
        _ upstream: ProxyUpstream,
        _ listeners: [Int32],
        _ port: Int,
        _ sockets: NamespaceSockets
    ) throws(KernelError) -> Station {
        do throws(KernelError) {
            // A thread is in the namespace of the thread that starts it.
            let proxy = try sockets.within { () throws(KernelError) in
                try RequestProxy(
                    threads: max(1, System.coreCount),
                    upstream: upstream,
                    mark: RedirectMark.value
                )
            }
            proxy.listen(on: listeners, port: port)
            return Station(way: way, proxy: proxy, port: port)
        } catch {
            for descriptor in listeners { close(descriptor) }
            throw error
        }
    }

    /// Listens where redirected connections arrive, on the first port that is free in both families.
    private static func listeners(
        _ redirect: RequestRedirect,
        _ sockets: NamespaceSockets
    ) throws(KernelError) -> ([Int32], port: Int) {
        // What comes in is redirected to an address of the interface, what is made here to the loopback.
        let addresses = redirect.takesIncoming ? ["0.0.0.0", "::"] : ["127.0.0.1", "::1"]
        let ports = try sockets.within { () throws(KernelError) in try ListenerPorts.candidates() }
        var last = KernelError(.failed, "listen on a port", "none was found")
        for port in ports {
            do throws(KernelError) {
                return (try listeners(on: addresses, port, sockets), port)
            } catch {
                last = error
            }
        }
        throw last
    }

    /// Listens on a port of both families; of IPv4 alone where there is no IPv6.
    private static func listeners(
        on addresses: [String],
        _ port: Int,
        _ sockets: NamespaceSockets
    ) throws(KernelError) -> [Int32] {
        var open: [Int32] = []
        for address in addresses.compactMap(NetworkAddress.init) {
            do throws(KernelError) {
                let bound = try sockets.boundWhereThere(.tcp, at: SocketEnd(address, port: port))
                if let bound { open.append(bound.descriptor) }
            } catch {
                for descriptor in open { close(descriptor) }
                throw error
            }
        }
        return open
    }

    private static func plan(_ name: String, _ redirect: RequestRedirect, to port: Int)
        -> RedirectPlan
    {
        let families = Dictionary(grouping: redirect.destinations, by: \.isIPv6)
        let redirects =
            families.isEmpty
            ? [Redirect(.tcp, ports: [redirect.port], to: port)]
            : families.sorted { !$0.key && $1.key }.map {
                Redirect(.tcp, ports: [redirect.port], destinations: $0.value, to: port)
            }
        return RedirectPlan(
            name: name,
            redirects: redirects,
            takesIncoming: redirect.takesIncoming,
            takesOutgoing: redirect.takesOutgoing,
            resetsOpen: redirect.resetsOpen
        )
    }

    private static func address(
        _ address: NetworkAddress,
        _ port: Int
    ) throws(KernelError) -> SocketAddress {
        do {
            return try SocketAddress(packedIPAddress: ByteBuffer(bytes: address.bytes), port: port)
        } catch {
            throw KernelError(.failed, "pass on to \(address):\(port)", "\(error)")
        }
    }
}

/// What the kernel tracks of a namespace's connections, for its proxy.
private struct TrackedConnections: RedirectMemory {
    let tracking: ConnectionTracking

    func forget(connectionFrom client: SocketEnd, to listener: SocketEnd) {
        // Without, it is remembered for ten seconds.
        try? tracking.forget(connectionFrom: client, to: listener)
    }
}

/// Ports for listeners that the kernel does not give to outgoing connections by chance.
enum ListenerPorts {
    /// Some ports to try, outside of ip_local_port_range, in the network namespace of the calling thread.
    static func candidates() throws(KernelError) -> [Int] {
        let range = try EphemeralPorts.range()
        let allowed = (10_000...65_000).filter { !range.contains($0) }
        guard !allowed.isEmpty else {
            throw KernelError(
                .failed,
                "find a port to listen on",
                "ip_local_port_range leaves none between 10000 and 65000"
            )
        }
        return (0..<64).compactMap { _ in allowed.randomElement() }
    }
}
