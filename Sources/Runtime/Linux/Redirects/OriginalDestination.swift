// Where redirected traffic was sent to before it came to us. For TCP the socket knows; for UDP the kernel's
// connection tracking is asked, by the address that our answer would go to.

package import ChaosModel
import Glibc

/// Asks for the original destinations of redirected flows in one namespace.
package final class OriginalDestination: Sendable {
    private static let original: Int32 = 80
    /// NETLINK_NETFILTER.
    private static let netfilter: Int32 = 12
    private let conntrack: Rtnetlink

    /// Opens a conversation in the namespace of the calling thread.
    package init() throws(KernelError) { conntrack = try Rtnetlink(family: Self.netfilter) }

    /// Where a redirected connection of TCP was meant to go; nil when it was not redirected.
    package static func ofConnection(_ descriptor: Int32, isIPv6: Bool) -> SocketEnd? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        // IPv6 mapped addresses are IPv4 to the kernel's tables.
        let level = Int32(isIPv6 ? IPPROTO_IPV6 : Int(IPPROTO_IP))
        guard getsockopt(descriptor, level, original, &storage, &length) == 0 else { return nil }
        return withUnsafeBytes(of: storage) { bytes in
            let port = Int(bytes[2]) << 8 | Int(bytes[3])
            let address = isIPv6 ? Array(bytes[8..<24]) : Array(bytes[4..<8])
            return NetworkAddress(bytes: address).map { SocketEnd($0, port: port) }
        }
    }

    /// Where a datagram from `client` to our `listener` was meant to go; nil when it was not redirected.
    ///
    /// Throws `.unsupported` without ctnetlink (CONFIG_NF_CT_NETLINK).
    package func ofDatagram(
        from client: SocketEnd,
        to listener: SocketEnd
    ) throws(KernelError) -> SocketEnd? {
        let operation = "look up where a datagram of \(client) was sent"
        for zone in [RedirectMark.zone, 0] {
            do throws(Rtnetlink.Refusal) {
                let bodies = try conntrack.ask(Self.request(client, listener, zone))
                guard let body = bodies.first else { continue }
                return Self.end(in: NetlinkAttributes(body.dropFirst(4)))
            } catch {
                if error.code == ENOENT { continue }
                throw error.error(operation)
            }
        }
        return nil
    }

    /// A request for one entry by the tuple of its answers (linux/netfilter/nfnetlink_conntrack.h).
    private static func request(
        _ client: SocketEnd,
        _ listener: SocketEnd,
        _ zone: UInt16
    ) -> NetlinkMessage {
        let family = UInt8(client.address.isIPv6 ? AF_INET6 : AF_INET)
        var message = NetlinkMessage(1 << 8 | 1, [], fixed: NetlinkBytes(raw: [family, 0, 0, 0]))
        let source: UInt16 = client.address.isIPv6 ? 3 : 1
        var tuple = NetlinkBytes()
        tuple.nest(nested | 1) { ends in
            ends.attribute(source, NetlinkBytes(raw: listener.address.bytes))
            ends.attribute(source + 1, NetlinkBytes(raw: client.address.bytes))
        }
        tuple.nest(nested | 2) { transport in
            transport.attribute(1, NetlinkBytes(UInt8(IPPROTO_UDP)))
            transport.attribute(2, NetlinkBytes(UInt16(listener.port).bigEndian))
            transport.attribute(3, NetlinkBytes(UInt16(client.port).bigEndian))
        }
        message.add(nested | 2, tuple)
        message.add(18, NetlinkBytes(zone.bigEndian))
        return message
    }

    private static let nested: UInt16 = 0x8000

    /// The destination of the original direction.
    private static func end(in attributes: NetlinkAttributes) -> SocketEnd? {
        guard let tuple = attributes.nested(1), let ends = tuple.nested(1),
            let bytes = ends.bytes(2) ?? ends.bytes(4), let address = NetworkAddress(bytes: bytes),
            let port: UInt16 = tuple.nested(2)?.number(3)
        else { return nil }
        return SocketEnd(address, port: Int(UInt16(bigEndian: port)))
    }
}

extension NetlinkBytes {
    /// Bytes as they are.
    init(raw: [UInt8]) { bytes = raw }
}
