// Where a redirected connection was meant to go: the socket of the accepted connection knows
// (SO_ORIGINAL_DST, linux/netfilter_ipv4.h; the same number for IPv6).

import Glibc

/// Why it cannot be told.
struct OriginalDestinationError: Error {
    var reason: String
}

enum OriginalDestination {
    private static let name: Int32 = 80

    /// The original destination of a connection; refuses one that came to a listener of ours itself.
    static func of(
        _ descriptor: Int32,
        isIPv6: Bool,
        listeners: Set<Int>
    ) throws(OriginalDestinationError) -> RawAddress {
        var address = RawAddress()
        let level = Int32(isIPv6 ? Int(IPPROTO_IPV6) : Int(IPPROTO_IP))
        let code = address.filled { getsockopt(descriptor, level, name, $0, $1) }
        guard code == 0 else {
            throw OriginalDestinationError(reason: "the connection was not redirected to the proxy")
        }
        // No port of ours is ever redirected.
        guard !listeners.contains(address.port) else {
            throw OriginalDestinationError(reason: "the connection was meant for the proxy itself")
        }
        return address
    }
}
