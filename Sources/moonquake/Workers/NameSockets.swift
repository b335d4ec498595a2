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
    private let original: OriginalDestination?
    private let known: [Redirect]
    /// The ports of the listeners for whatever resolver.
    private let datagramPort: Int?
    private let streamPort: Int?

    /// Opens the listeners of a fault.
    init(_ fault: NameFault) throws(KernelError) {
        let sockets = try NamespaceSockets(fault.place.namespace)
        self.sockets = sockets
        if let address = fault.listener {
            original = nil
            known = []
            (datagramPort, streamPort) = (nil, nil)
            station = try Self.fixed(address, fault.resolvers.first, sockets)
            return
        }
        original = Self.conntrack(in: sockets)
        var datagrams: [StationSockets.Datagrams] = []
        var known: [Redirect] = []
        for resolver in fault.resolvers {
            let loopback = Self.loopback(isIPv6: resolver.address.isIPv6)
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
        if original != nil {
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
        (try? original?.ofDatagram(from: client, to: listener)) ?? nil
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

    /// A listener at a fixed address, for the resolver that was asked before.
    private static func fixed(
        _ address: NetworkAddress,
        _ resolver: SocketEnd?,
        _ sockets: NamespaceSockets
    ) throws(KernelError) -> StationSockets {
        let end = SocketEnd(address, port: 53)
        let datagrams = try sockets.bound(.udp, at: end)
        let streams = try sockets.bound(.tcp, at: end)
        return StationSockets(
            datagrams: [StationSockets.Datagrams(datagrams.descriptor, at: end, for: resolver)],
            streams: [StationSockets.Streams(streams.descriptor, isIPv6: false, for: resolver)]
        )
    }

    /// Listeners of both families on one port; of IPv4 alone where there is no IPv6.
    private static func both(
        _ transport: PacketProtocol,
        _ sockets: NamespaceSockets
    ) throws(KernelError) -> (ends: [Bound], port: Int) {
        var last: KernelError?
        for _ in 0..<tries {
            let first = SocketEnd(loopback(isIPv6: false), port: 0)
            let bound = try sockets.bound(transport, at: first)
            let four = Bound(
                descriptor: bound.descriptor,
                end: SocketEnd(first.address, port: bound.port)
            )
            do throws(KernelError) {
                let end = SocketEnd(loopback(isIPv6: true), port: bound.port)
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

    private static func loopback(isIPv6: Bool) -> NetworkAddress {
        let bytes = isIPv6 ? [UInt8](repeating: 0, count: 15) + [1] : [127, 0, 0, 1]
        guard let address = NetworkAddress(bytes: bytes) else {
            preconditionFailure("4 and 16 bytes are addresses")
        }
        return address
    }

    /// The lookup of what was asked; nil where the kernel has none (CONFIG_NF_CT_NETLINK).
    private static func conntrack(in sockets: NamespaceSockets) -> OriginalDestination? {
        let nobody = SocketEnd(loopback(isIPv6: false), port: 1)
        return try? sockets.within { () throws(KernelError) in
            let original = try OriginalDestination()
            _ = try original.ofDatagram(from: nobody, to: nobody)
            return original
        }
    }
}
