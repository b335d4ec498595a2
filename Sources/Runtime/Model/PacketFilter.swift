// Packet rules as values: what to drop, in which namespace, and which engine carries it.
//
// Only these typed values reach the renderers of nft and iptables, never text of a user.

/// What carries packet rules.
package enum PacketEngine: String, Sendable, Hashable, Codable, CaseIterable {
    /// An nft table with `flags owner`: the kernel removes it when its owner's socket closes.
    case nftOwner = "nft-owner"
    /// A plain nft table, removed by us by its name.
    case nft
    /// A chain of ours in iptables and ip6tables, removed by that chain.
    case iptables
}

/// Which way packets go, seen from the namespace of the rules.
package enum PacketDirection: String, Sendable, Hashable, Codable, CaseIterable {
    /// Packets that leave it.
    case egress
    /// Packets that come in.
    case ingress
}

/// Protocols that rules tell apart.
package enum PacketProtocol: String, Sendable, Hashable, Codable, CaseIterable {
    case tcp, udp, icmp
}

/// Whose sockets packets belong to, where a namespace is not one process's own.
package enum SocketOwner: Sendable, Hashable, Codable {
    /// Sockets made in a control group (v2) or below it: its path below /sys/fs/cgroup, its id, how deep it is.
    case controlGroup(path: String, id: UInt64, level: Int)
    /// Sockets of a user; the kernel tells only for packets that go out.
    case user(UInt32)
}

/// A set of packets.
///
/// Empty lists mean "any"; the two address lists are of one family.
package struct PacketMatch: Sendable, Hashable, Codable {
    /// Which way the packets go.
    package var direction: PacketDirection
    /// Whether the packets are IPv6; nil for both families (only without addresses).
    package var isIPv6: Bool?
    /// The far end's addresses: destinations on egress, sources on ingress.
    package var remote: [NetworkAddress]
    /// The near end's addresses.
    package var local: [NetworkAddress]
    /// Protocols.
    package var protocols: [PacketProtocol]
    /// Ports of the far end, TCP and UDP.
    package var remotePorts: [Int]
    /// Ports of the near end.
    package var localPorts: [Int]
    /// The interface.
    package var interface: String?
    /// Whose sockets they belong to.
    package var owner: SocketOwner?

    private enum CodingKeys: String, CodingKey {
        case direction, remote, local, protocols, remotePorts, localPorts, interface, owner
        case isIPv6 = "isIpv6"
    }

    /// Makes a match; what is left out means any.
    package init(
        _ direction: PacketDirection,
        isIPv6: Bool? = nil,
        remote: [NetworkAddress] = [],
        local: [NetworkAddress] = [],
        protocols: [PacketProtocol] = [],
        remotePorts: [Int] = [],
        localPorts: [Int] = [],
        interface: String? = nil,
        owner: SocketOwner? = nil
    ) {
        self.direction = direction
        self.isIPv6 = isIPv6
        self.remote = remote
        self.local = local
        self.protocols = protocols
        self.remotePorts = remotePorts
        self.localPorts = localPorts
        self.interface = interface
        self.owner = owner
    }
}

/// What the sender of a dropped packet is told.
package enum PacketAnswer: String, Sendable, Hashable, Codable, CaseIterable {
    /// Nothing: it waits until it gives up.
    case silence = "drop"
    /// ICMP "administratively prohibited": it knows at once.
    case reject
    /// A TCP reset: its connection breaks, also one that was open before.
    case reset
}

/// The rules of one lease: what passes first, then what is dropped.
package struct PacketRules: Sendable, Hashable, Codable {
    /// The name of our table or chain, unique to the lease.
    package var name: String
    /// Packets that pass although a drop would match.
    package var pass: [PacketMatch]
    /// Packets that are dropped and counted.
    package var drop: [PacketMatch]
    /// What their senders are told.
    package var answer: PacketAnswer

    /// Makes the rules of a table or chain.
    package init(
        name: String,
        pass: [PacketMatch],
        drop: [PacketMatch],
        answer: PacketAnswer = .silence
    ) {
        self.name = name
        self.pass = pass
        self.drop = drop
        self.answer = answer
    }
}

/// What the rules of a lease have dropped.
package struct PacketCount: Sendable, Hashable, Codable {
    /// Packets.
    package var packets: UInt64
    /// Bytes.
    package var bytes: UInt64

    /// Makes a count.
    package init(packets: UInt64, bytes: UInt64) {
        self.packets = packets
        self.bytes = bytes
    }
}

/// Packet filters of network namespaces.
package protocol PacketFilterPort: Sendable {
    /// The engines that work in a namespace, best first, with the reason of each that does not.
    func engines(in namespace: NetworkNamespace) throws(KernelError) -> PacketEngines

    /// Adds rules in one transaction.
    func add(_ rules: PacketRules, with engine: PacketEngine, in namespace: NetworkNamespace)
        throws(KernelError)

    /// Adds drops to rules that are in force; fails when they are not.
    func widen(_ rules: PacketRules, with engine: PacketEngine, in namespace: NetworkNamespace)
        throws(KernelError)

    /// Removes the rules of a name.
    ///
    /// Removing what is not there is no error.
    func remove(_ name: String, with engine: PacketEngine, in namespace: NetworkNamespace)
        throws(KernelError)

    /// What the rules of a name have dropped; nil when they are not there.
    func count(_ name: String, with engine: PacketEngine, in namespace: NetworkNamespace)
        throws(KernelError) -> PacketCount?

    /// Adds rules that only count, in an owner table; `remove` takes them away.
    func watch(_ watch: PacketWatch, in namespace: NetworkNamespace) throws(KernelError)

    /// What rules that only count have seen; nil when they are not there.
    func watched(_ name: String, in namespace: NetworkNamespace) throws(KernelError) -> WatchCount?
}

/// Which engines work somewhere.
package struct PacketEngines: Sendable, Hashable {
    /// The engines that work, best first.
    package var working: [PacketEngine]
    /// Why the others do not.
    package var reasons: [PacketEngine: String]

    /// Makes an answer from its parts.
    package init(working: [PacketEngine], reasons: [PacketEngine: String]) {
        self.working = working
        self.reasons = reasons
    }
}
