// Which packets a network fault means: the options that all network faults share, and the rules they become.

import ChaosModel

/// The packets that a network fault hits.
struct NetworkScope: Sendable {
    static let to = Parameter(
        "to",
        ParameterKind<[Endpoint]>.list(of: .endpoint),
        help:
            "Far ends: addresses, networks or host names (all their addresses), with a port or without."
    )
    static let from = Parameter(
        "from",
        ParameterKind<[Endpoint]>.list(of: .endpoint),
        help: "Near ends: only packets of these addresses, with a port or without."
    )
    static let port = Parameter(
        "port",
        ParameterKind<[Int]>.list(of: .port, atMost: 64),
        help: "Ports of the far ends, TCP and UDP."
    )
    static let packetProtocol = Parameter(
        "protocol",
        ParameterKind<[String]>.list(of: .choice(PacketProtocol.allCases.map(\.rawValue))),
        help: "Protocols; without it all, ICMP included."
    )
    static let direction = Parameter(
        "direction",
        ParameterKind<String>.choice(["both", "egress", "ingress"]),
        default: "both",
        help: "Packets to the far ends (egress), from them (ingress), or both."
    )
    static let interface = Parameter(
        "interface",
        ParameterKind<String>.interface,
        help: "Only packets on this interface; without it all but the loopback."
    )
    static let exclude = Parameter(
        "exclude",
        ParameterKind<[Endpoint]>.list(of: .endpoint),
        help: "Far ends to leave alone."
    )
    static let excludePorts = Parameter(
        "exclude_ports",
        ParameterKind<[Int]>.list(of: .port, atMost: 64),
        help: "Ports to leave alone, at either end, in both directions."
    )

    static let resolveEvery = Parameter(
        "resolve_every",
        ParameterKind<Duration>.duration(from: .seconds(1), to: .seconds(3600)),
        default: "5s",
        help:
            "How often host names are looked up again while the fault is on; new addresses are hit too."
    )

    static let parameters = [
        to.erased, from.erased, port.erased, packetProtocol.erased, direction.erased,
        interface.erased,
        exclude.erased, excludePorts.erased, resolveEvery.erased,
    ]

    /// The ends with their addresses.
    struct Ends: Sendable {
        var far: [NetworkAddressAndPort]
        var near: [NetworkAddressAndPort]
        /// The host names among both, with the addresses that they have now.
        var names: [NamedAddresses]
    }

    private let subject: String
    private let far: [Endpoint]
    private let near: [Endpoint]
    private let ports: [Int]
    private let protocols: [PacketProtocol]
    private let directions: [PacketDirection]
    private let interface: String?
    private let excluded: [NetworkAddressAndPort]
    private let excludedPorts: [Int]
    /// How often names are looked up again.
    let resolveEvery: Duration

    init(_ parameters: Parameters) throws(DefinitionError) {
        subject = parameters.subject
        far = parameters[Self.to] ?? []
        near = parameters[Self.from] ?? []
        ports = parameters[Self.port] ?? []
        protocols = (parameters[Self.packetProtocol] ?? []).compactMap(PacketProtocol.init)
        directions =
            switch try parameters.value(Self.direction) {
            case "egress": [.egress]
            case "ingress": [.ingress]
            default: [.egress, .ingress]
            }
        interface = parameters[Self.interface]
        resolveEvery = try parameters.value(Self.resolveEvery)
        excludedPorts = parameters[Self.excludePorts] ?? []
        excluded = try (parameters[Self.exclude] ?? []).map { endpoint throws(DefinitionError) in
            guard case .address(let address) = endpoint.host else {
                throw parameters.error(
                    "exclude takes addresses and networks, got the host name \"\(endpoint)\""
                )
            }
            return NetworkAddressAndPort(address: address, port: endpoint.port)
        }
        try checkTogether(parameters)
    }

    /// Whether only TCP is meant.
    var isTCPOnly: Bool { protocols == [.tcp] }

    /// What is hit, in words.
    var summary: String {
        let what =
            protocols.isEmpty
            ? "all packets" : protocols.map(\.rawValue).joined(separator: ", ") + " packets"
        let ways = directions.count == 2 ? "between" : directions == [.egress] ? "going" : "coming"
        let here = near.isEmpty ? "here" : near.map(\.description).joined(separator: ", ")
        let there = far.isEmpty ? "anywhere" : far.map(\.description).joined(separator: ", ")
        let ends =
            switch ways {
            case "between": "between \(here) and \(there)"
            case "going": "from \(here) to \(there)"
            default: "from \(there) to \(here)"
            }
        let onPorts =
            ports.isEmpty ? "" : ", port \(ports.map(String.init).joined(separator: ", "))"
        return "\(what) \(ends)\(onPorts)" + (interface.map { " on \($0)" } ?? "")
    }

    /// The packets that pass although they match.
    var passes: [PacketMatch] {
        let ends = excluded.flatMap { Self.passes(address: $0.address, port: $0.port) }
        guard !excludedPorts.isEmpty else { return ends }
        return ends
            + PacketDirection.allCases.flatMap { direction in
                [
                    PacketMatch(direction, remotePorts: excludedPorts),
                    PacketMatch(direction, localPorts: excludedPorts),
                ]
            }
    }

    /// The packets of a far end that must be left alone.
    static func passes(for endpoint: ProtectedEndpoint) -> [PacketMatch] {
        passes(address: endpoint.address, port: endpoint.port)
    }

    /// Looks host names up.
    func resolve(on kernel: Kernel) async throws(FaultError) -> Ends {
        var names: [NamedAddresses] = []
        let far = try await resolved(far, on: kernel, &names)
        let near = try await resolved(near, on: kernel, &names)
        return Ends(far: far, near: near, names: names)
    }

    /// The packets that are hit.
    func matches(_ ends: Ends, owner: SocketOwner? = nil) throws(FaultError) -> [PacketMatch] {
        let matches = all(ends.far, ends.near, owner)
        guard !matches.isEmpty else {
            throw .refused("\(subject): `to` and `from` have no address family in common")
        }
        return matches
    }

    /// The packets that are hit because names have addresses which they had not before.
    func more(
        in ends: Ends,
        than known: [NamedAddresses],
        owner: SocketOwner?
    ) throws(FaultError) -> [PacketMatch] {
        let old = Set(known.flatMap(\.addresses))
        let named = Set(ends.names.flatMap(\.addresses))
        func isNew(_ end: NetworkAddressAndPort) -> Bool {
            named.contains(end.address) && !old.contains(end.address)
        }
        let (newFar, newNear) = (ends.far.filter(isNew), ends.near.filter(isNew))
        let oldFar = ends.far.filter { !isNew($0) }
        // An empty list means everything, so that no list may become empty on the way.
        let toNew = newFar.isEmpty ? [] : all(newFar, ends.near, owner)
        let fromNew =
            newNear.isEmpty || (oldFar.isEmpty && !ends.far.isEmpty)
            ? [] : all(oldFar, newNear, owner)
        return toNew + fromNew
    }

    /// By what the way to a far end is measured; nil when the fault does not hit that.
    func probe(of end: NetworkAddressAndPort) -> RoundTripProbe? {
        let port = end.port ?? ports.first
        guard near.isEmpty, interface == nil, end.address.isSingle else { return nil }
        let isExcluded = excluded.contains {
            $0.address
                == NetworkAddress(
                    bytes: end.address.bytes,
                    prefixLength: $0.address.prefixLength
                )
        }
        guard !isExcluded, !excludedPorts.contains(where: { $0 == port }) else { return nil }
        let carrier = port == nil ? PacketProtocol.icmp : .tcp
        guard protocols.isEmpty || protocols.contains(carrier) else { return nil }
        return RoundTripProbe(address: end.address, port: port)
    }

    /// Whether only packets that come in are meant.
    var isIngressOnly: Bool { directions == [.ingress] }

    private func all(
        _ far: [NetworkAddressAndPort],
        _ near: [NetworkAddressAndPort],
        _ owner: SocketOwner?
    ) -> [PacketMatch] {
        var ways = directions
        if case .user = owner { ways = [.egress] }
        var matches: [PacketMatch] = []
        for remote in Self.groups(far) {
            for local in Self.groups(near) where Self.fit(remote, local) {
                matches += ways.map { match($0, remote: remote, local: local, owner) }
            }
        }
        return matches
    }

    private func match(
        _ direction: PacketDirection,
        remote: EndGroup,
        local: EndGroup,
        _ owner: SocketOwner?
    ) -> PacketMatch {
        PacketMatch(
            direction,
            isIPv6: remote.isIPv6 ?? local.isIPv6,
            remote: remote.addresses,
            local: local.addresses,
            protocols: protocols,
            remotePorts: remote.port.map { [$0] } ?? ports,
            localPorts: local.port.map { [$0] } ?? [],
            interface: interface,
            owner: owner
        )
    }

    private func resolved(
        _ endpoints: [Endpoint],
        on kernel: Kernel,
        _ names: inout [NamedAddresses]
    ) async throws(FaultError) -> [NetworkAddressAndPort] {
        var ends: [NetworkAddressAndPort] = []
        for endpoint in endpoints {
            switch endpoint.host {
            case .address(let address):
                ends.append(NetworkAddressAndPort(address: address, port: endpoint.port))
            case .name(let name):
                let addresses: [NetworkAddress]
                do throws(KernelError) {
                    addresses = try await kernel.network.addresses(of: name)
                } catch {
                    throw .refused("\(subject): \(error)")
                }
                ends += addresses.map { NetworkAddressAndPort(address: $0, port: endpoint.port) }
                if !names.contains(where: { $0.name == name }) {
                    names.append(NamedAddresses(name: name, addresses: addresses))
                }
            }
        }
        return ends
    }

    private func checkTogether(_ parameters: Parameters) throws(DefinitionError) {
        if protocols == [.icmp], !ports.isEmpty || (far + near).contains(where: { $0.port != nil })
        {
            throw parameters.error(
                "ICMP has no ports: leave out port, or add \"tcp\" or \"udp\" to protocol"
            )
        }
        if !ports.isEmpty, let both = far.first(where: { $0.port != nil }) {
            throw parameters.error("port is given twice: in `port` and in `to` (\(both))")
        }
    }

    private static func passes(address: NetworkAddress, port: Int?) -> [PacketMatch] {
        PacketDirection.allCases.map { direction in
            PacketMatch(
                direction,
                isIPv6: address.isIPv6,
                remote: [address],
                remotePorts: port.map { [$0] } ?? []
            )
        }
    }

    /// Ends of one family and port, which one rule can name together.
    private struct EndGroup {
        var isIPv6: Bool?
        var port: Int?
        var addresses: [NetworkAddress]
    }

    /// The ends grouped by family and port; one group of everything when none is named.
    private static func groups(_ ends: [NetworkAddressAndPort]) -> [EndGroup] {
        guard !ends.isEmpty else { return [EndGroup(isIPv6: nil, port: nil, addresses: [])] }
        let grouped = Dictionary(grouping: Set(ends)) { [$0.address.isIPv6 ? 6 : 4, $0.port ?? 0] }
        return grouped.sorted { $0.key.lexicographicallyPrecedes($1.key) }.map { key, members in
            EndGroup(
                isIPv6: key[0] == 6,
                port: key[1] == 0 ? nil : key[1],
                addresses: members.map(\.address).sorted { $0.description < $1.description }
            )
        }
    }

    private static func fit(_ remote: EndGroup, _ local: EndGroup) -> Bool {
        remote.isIPv6 == nil || local.isIPv6 == nil || remote.isIPv6 == local.isIPv6
    }
}

/// An end of a connection once names are resolved.
struct NetworkAddressAndPort: Sendable, Hashable {
    var address: NetworkAddress
    var port: Int?
}

extension ParameterKind where Value == String {
    /// The name of a network interface, as the kernel allows it (dev_valid_name in net/core/dev.c).
    static var interface: ParameterKind {
        let allowed =
            "1 to 15 bytes without blanks, quotes, slashes, colons, semicolons, stars or control characters"
        let shape = ParameterShape(
            type: "interface",
            json: "string",
            example: "\"eth0\"",
            allowed: allowed
        )
        return ParameterKind(shape: shape) { value throws(ParameterProblem) in
            guard case .string(let name) = value, (1...15).contains(name.utf8.count),
                name != ".", name != "..",
                name.utf8.allSatisfy({
                    $0 > 0x20 && $0 != 0x7f && $0 != 0x2f && $0 != 0x3a && $0 != 0x22 && $0 != 0x2a
                        && $0 != 0x5c && $0 != 0x3b
                })
            else {
                throw ParameterProblem("must be an interface name (\(allowed)), got \(value)")
            }
            return name
        }
    }
}
