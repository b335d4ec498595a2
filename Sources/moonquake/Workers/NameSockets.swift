// The listeners of a station, opened in its namespace, and the way from there to the real resolvers.

import ChaosLinux
import ChaosModel
import ChaosResolver
import Glibc

/// The sockets of one station.
final class NameSockets: ResolverHost {
    private static let tries = 16

    /// The open sockets, for the responder.
    let station: StationSockets

    private let sockets: NamespaceSockets
    private let tracking: ConnectionTracking?
    private let known: [Redirect]
    /// The ports of the listeners for whatever resolver.
    private let datagramPort: Int?
    private let streamPort: Int?

    /// Opens the listeners of a fault.
    init(_ fault: NameFault) throws(KernelError) {
        let sockets = try NamespaceSockets(fault.place.namespace)
        self.sockets = sockets
        if fault.listener != nil {
            tracking = nil
            known = []
            (datagramPort, streamPort) = (nil, nil)
            station = try Self.fixed(Array(zip(fault.listeners, fault.resolvers)), sockets)
            return
        }
        // Where the kernel has none, what goes to other resolvers cannot be passed on.
        tracking = try? sockets.within { () throws(KernelError) in try ConnectionTracking() }
        var datagrams: [StationSockets.Datagrams] = []
        var known: [Redirect] = []
        for resolver in fault.resolvers {
            let loopback = NetworkAddress.loopback(isIPv6: resolver.address.isIPv6)
            guard
                let bound = try sockets.boundWhereThere(
                    .udp,
                    at: SocketEnd(loopback, port: 0)
                )
            else {
                continue
            }
            datagrams.append(
                StationSockets.Datagrams(
                    bound.descriptor,
                    at: SocketEnd(loopback, port: bound.port),
                    for: resolver
                )
            )
            known.append(
                Redirect(
                    .udp,
                    ports: [resolver.port],
                    destinations: [resolver.address],
                    to: bound.port
                )
            )
        }
        self.known = known
        if tracking != nil {
            let any = try Self.both(.udp, sockets)
            datagrams += any.ends.map { StationSockets.Datagrams($0.descriptor, at: $0.end) }
            datagramPort = any.port
        } else {
            datagramPort = nil
        }
        let streams = try Self.both(.tcp, sockets)
        streamPort = streams.port
        station = StationSockets(
            datagrams: datagrams,
            streams: streams.ends.map {
                StationSockets.Streams($0.descriptor, isIPv6: $0.end.address.isIPv6)
            }
        )
    }

    /// The redirects that bring queries for a port here.
    func redirects(of port: Int) -> [Redirect] {
        let others = datagramPort.map { [Redirect(.udp, ports: [port], to: $0)] } ?? []
        let streams = streamPort.map { [Redirect(.tcp, ports: [port], to: $0)] } ?? []
        return known + others + streams
    }

    func destination(ofDatagramFrom client: SocketEnd, to listener: SocketEnd) -> SocketEnd? {
        // What cannot be found is counted by the responder as a query that could not be passed on.
        (try? tracking?.originalDestination(ofDatagramFrom: client, to: listener)) ?? nil
    }

    func connectDatagrams(to resolver: SocketEnd) throws(KernelError) -> Int32 {
        try sockets.connected(.udp, to: resolver)
    }

    func connectStream(to resolver: SocketEnd) throws(KernelError) -> Int32 {
        try sockets.connected(.tcp, to: resolver)
    }

    private struct Bound {
        var descriptor: Int32
        var end: SocketEnd
    }

    /// Listeners at fixed addresses, each for the resolver that was asked before.
    private static func fixed(
        _ listeners: [(NetworkAddress, SocketEnd)],
        _ sockets: NamespaceSockets
    ) throws(KernelError) -> StationSockets {
        var station = StationSockets(datagrams: [], streams: [])
        for (address, resolver) in listeners {
            let end = SocketEnd(address, port: 53)
            let datagrams = try sockets.bound(.udp, at: end)
            station.datagrams.append(.init(datagrams.descriptor, at: end, for: resolver))
            let streams = try sockets.bound(.tcp, at: end)
            station.streams.append(.init(streams.descriptor, isIPv6: false, for: resolver))
        }
        return station
    }

    /// Listeners of both families on one port; of IPv4 alone where there is no IPv6.
    private static func both(
        _ transport: PacketProtocol,
        _ sockets: NamespaceSockets
    ) throws(KernelError) -> (ends: [Bound], port: Int) {
        var last: KernelError?
        for _ in 0..<tries {
            let first = SocketEnd(.loopback(isIPv6: false), port: 0)
            let bound = try sockets.bound(transport, at: first)
            let four = Bound(
                descriptor: bound.descriptor,
                end: SocketEnd(first.address, port: bound.port)
            )
            do throws(KernelError) {
                let end = SocketEnd(.loopback(isIPv6: true), port: bound.port)
                guard let six = try sockets.boundWhereThere(transport, at: end) else {
                    return ([four], bound.port)
                }
                return ([four, Bound(descriptor: six.descriptor, end: end)], bound.port)
            } catch {
                // The port is another's in the other family.
                close(four.descriptor)
                last = error
            }
        }
        throw last ?? KernelError(.failed, "listen on a port", "none was found")
    }
}
