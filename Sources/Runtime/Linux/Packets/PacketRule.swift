// Rules in the terms that nft and iptables share: one verdict, one family, one direction. Pure values; the two
// renderers turn them into text.

import ChaosModel

/// Where in the kernel's path of a packet a rule stands.
enum PacketHook: String, CaseIterable {
    /// Packets for this namespace.
    case input
    /// Packets made in it.
    case output
    /// Packets that pass through it.
    case forward

    /// Whether packets of a direction come by here.
    func sees(_ direction: PacketDirection) -> Bool {
        switch self {
        case .input: direction == .ingress
        case .output: direction == .egress
        case .forward: true
        }
    }
}

/// One rule.
struct PacketRule: Equatable {
    /// What happens to packets that match.
    enum Verdict: Equatable {
        /// Our rules end here for the packet; those of others still see it.
        case pass
        /// The packet is dropped and counted.
        case drop
    }

    /// What the packets carry.
    enum Traffic: Equatable {
        case any
        case protocols([PacketProtocol])
        /// TCP or UDP between ports; an empty list of ports means any.
        case ports([PacketProtocol], remote: [Int], local: [Int])
        /// ICMPv6 types 133 to 137, without which an IPv6 link is dead.
        case neighbourDiscovery
    }

    /// Which interface they take.
    enum Interface: Equatable {
        case any
        case notLoopback
        case named(String)
    }

    var verdict: Verdict
    var direction: PacketDirection
    var isIPv6: Bool
    var remote: [NetworkAddress] = []
    var local: [NetworkAddress] = []
    var traffic: Traffic = .any
    var interface: Interface = .any
    /// Whose sockets the packets belong to.
    var owner: SocketOwner?
}

extension NetworkAddress {
    /// Whether it is a loopback address or a network of them: 127.0.0.0/8, ::1.
    var isLoopback: Bool {
        isIPv6
            ? isSingle && bytes == [UInt8](repeating: 0, count: 15) + [1]
            : bytes[0] == 127 && prefixLength >= 8
    }

    /// Whether every address of `other` is in it.
    func contains(_ other: NetworkAddress) -> Bool {
        isIPv6 == other.isIPv6 && prefixLength <= other.prefixLength
            && NetworkAddress(bytes: other.bytes, prefixLength: prefixLength) == self
    }
}

extension [NetworkAddress] {
    /// The same addresses with none said twice: sets of the kernel refuse overlaps.
    ///
    /// A network of everything leaves nothing to compare, so the list is empty then, which means "any".
    var withoutOverlaps: [NetworkAddress] {
        var kept: [NetworkAddress] = []
        for address in sorted(by: { $0.prefixLength < $1.prefixLength })
        where !kept.contains(where: { $0.contains(address) }) {
            kept.append(address)
        }
        return kept.contains { $0.prefixLength == 0 } ? [] : kept
    }
}
