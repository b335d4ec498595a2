// Where a redirected connection was meant to go: the socket of the accepted connection knows
// (SO_ORIGINAL_DST, linux/netfilter_ipv4.h; the same number for IPv6).

import ChaosModel
import Glibc
import NIOCore

/// Why it cannot be told.
struct OriginalDestinationError: Error {
    var reason: String
}

enum OriginalDestination {
    /// Room for a sockaddr_in6, in types of ours.
    private struct Storage: Sendable {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
    }

    private static let name = NIOBSDSocket.Option(rawValue: 80)

    /// The original destination of a connection; refuses one that came to the listener itself.
    static func of(_ channel: any Channel) throws(OriginalDestinationError) -> SocketAddress {
        guard let provider = channel as? any SocketOptionProvider,
            let local = channel.localAddress, let remote = channel.remoteAddress
        else { throw OriginalDestinationError(reason: "the connection is gone") }
        let isIPv6 = remote.networkAddress?.isIPv6 ?? false
        var found: Storage?
        provider.unsafeGetSocketOption(level: isIPv6 ? .ipv6 : .ip, name: name)
            .assumeIsolated().whenSuccess { found = $0 }
        guard let found, let address = address(found, isIPv6: isIPv6) else {
            throw OriginalDestinationError(reason: "the connection was not redirected to the proxy")
        }
        guard address.port != local.port || address.networkAddress != local.networkAddress else {
            throw OriginalDestinationError(reason: "the connection was meant for the proxy itself")
        }
        return address
    }

    private static func address(_ storage: Storage, isIPv6: Bool) -> SocketAddress? {
        withUnsafeBytes(of: storage) { bytes in
            let port = Int(bytes[2]) << 8 | Int(bytes[3])
            let address = isIPv6 ? bytes[8..<24] : bytes[4..<8]
            return try? SocketAddress(
                packedIPAddress: ByteBuffer(bytes: address),
                port: port
            )
        }
    }
}

extension SocketAddress {
    /// The address without its port; IPv4 in IPv6 is IPv4.
    var networkAddress: NetworkAddress? {
        switch self {
        case .v4(let address):
            var number = address.address.sin_addr.s_addr
            return withUnsafeBytes(of: &number) { NetworkAddress(bytes: Array($0)) }
        case .v6(let address):
            var number = address.address.sin6_addr
            let bytes = withUnsafeBytes(of: &number) { Array($0) }
            let isMapped =
                bytes[..<10].allSatisfy { $0 == 0 } && bytes[10] == 255 && bytes[11] == 255
            return NetworkAddress(bytes: isMapped ? Array(bytes[12...]) : bytes)
        case .unixDomainSocket: return nil
        }
    }
}
