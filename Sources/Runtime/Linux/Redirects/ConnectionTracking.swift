// What the kernel remembers of redirected flows (ctnetlink), by the addresses that our answers go to. Where a connection of
// TCP was meant to go its socket knows too.

package import ChaosModel
import Glibc

/// The connection tracking of one namespace, as far as redirected flows need it.
package final class ConnectionTracking: Sendable {
    /// NETLINK_NETFILTER.
    private static let netfilter: Int32 = 12
    private let conversation: Rtnetlink

    /// Opens a conversation in the namespace of the calling thread.
    ///
    /// Throws `.unsupported` without ctnetlink (CONFIG_NF_CT_NETLINK).
    package init() throws(KernelError) {
        conversation = try Rtnetlink(family: Self.netfilter)
        let nobody = SocketEnd(.loopback(isIPv6: false), port: 1)
        _ = try originalDestination(ofDatagramFrom: nobody, to: nobody)
    }

    /// Where a datagram from `client` to our `listener` was meant to go; nil when it was not redirected.
    package func originalDestination(
        ofDatagramFrom client: SocketEnd,
        to listener: SocketEnd
    ) throws(KernelError) -> SocketEnd? {
        let operation = "look up where a datagram of \(client) was sent"
        for zone in [RedirectZone.of(listener.port), 0] {
            do throws(Rtnetlink.Refusal) {
                let bodies = try conversation.ask(
                    Self.message(Self.get, UInt8(IPPROTO_UDP), client, listener, zone)
                )
                guard let body = bodies.first else { continue }
                return Self.end(in: NetlinkAttributes(body.dropFirst(4)))
            } catch {
                if error.code == ENOENT { continue }
                throw error.error(operation)
            }
        }
        return nil
    }

    /// Forgets a connection of TCP from `client` to our `listener`, which is closed; nothing when it is not remembered.
    ///
    /// One that we reset is remembered for 10 s (nf_conntrack_tcp_timeout_close): one that the client makes from the same port
    /// meanwhile would be led where the old one went, whatever redirects by then.
    package func forget(connectionFrom client: SocketEnd, to listener: SocketEnd)
        throws(KernelError)
    {
        do throws(Rtnetlink.Refusal) {
            try conversation.ask(
                Self.message(Self.delete, UInt8(IPPROTO_TCP), client, listener, 0)
            )
        } catch {
            if error.code != ENOENT { throw error.error("forget a connection of \(client)") }
        }
    }

    // MARK: Messages

    /// IPCTNL_MSG_CT_GET and IPCTNL_MSG_CT_DELETE.
    private static let (get, delete): (UInt16, UInt16) = (1, 2)
    private static let subsystem: UInt16 = 1

    /// A request about one entry, by the tuple of its answers (linux/netfilter/nfnetlink_conntrack.h).
    private static func message(
        _ type: UInt16,
        _ transport: UInt8,
        _ client: SocketEnd,
        _ listener: SocketEnd,
        _ zone: UInt16
    ) -> NetlinkMessage {
        let family = UInt8(client.address.isIPv6 ? AF_INET6 : AF_INET)
        var message = NetlinkMessage(
            subsystem << 8 | type,
            type == delete ? .acknowledge : [],
            fixed: NetlinkBytes(raw: [family, 0, 0, 0])
        )
        let source: UInt16 = client.address.isIPv6 ? 3 : 1
        var tuple = NetlinkBytes()
        tuple.nest(nested | 1) { ends in
            ends.attribute(source, NetlinkBytes(raw: listener.address.bytes))
            ends.attribute(source + 1, NetlinkBytes(raw: client.address.bytes))
        }
        tuple.nest(nested | 2) { ports in
            ports.attribute(1, NetlinkBytes(transport))
            ports.attribute(2, NetlinkBytes(UInt16(listener.port).bigEndian))
            ports.attribute(3, NetlinkBytes(UInt16(client.port).bigEndian))
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
