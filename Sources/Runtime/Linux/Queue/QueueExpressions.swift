// One rule as the expressions of nf_tables. Lists become one rule for each combination, as in IptablesText: a rule
// is then a few comparisons that every kernel with nf_tables has.

import ChaosModel

/// What a rule does with packets that match.
enum QueueVerdict: Equatable {
    /// Our chain ends here for the packet.
    case pass
    /// The packet is counted and queued.
    case queue(UInt16)
}

/// Which expression of the kernel queues.
enum QueueExpression: CaseIterable {
    /// nf_tables' own.
    case native
    /// The target NFQUEUE of x_tables, through nft_compat.
    case target
}

/// One combination of what a rule matches.
struct QueueRule: Equatable {
    /// Which interface the packet must have come by or leave by, beside the rule's own.
    enum Place: Equatable {
        /// Only the rule's own interface.
        case own
        /// It came by the loopback interface, and leaves it as the rule says.
        case fromLoopback
        /// It came by the rule's interface, and is on its way out by another.
        case passingThrough
    }

    var isIPv6: Bool
    var direction: PacketDirection
    var interface: PacketRule.Interface
    var place: Place = .own
    var remote: NetworkAddress?
    var local: NetworkAddress?
    /// The number of the protocol.
    var carrier: UInt8?
    var remotePort: Int?
    var localPort: Int?
    var isNeighbourDiscovery = false
    var owner: SocketOwner?

    /// The combinations of a rule.
    static func all(of rule: PacketRule, at place: Place = .own) -> [QueueRule] {
        var rules = [
            QueueRule(
                isIPv6: rule.isIPv6,
                direction: rule.direction,
                interface: rule.interface,
                place: place,
                owner: rule.owner
            )
        ]
        func times<Element>(_ list: [Element], _ path: WritableKeyPath<QueueRule, Element?>) {
            guard !list.isEmpty else { return }
            rules = rules.flatMap { rule in
                list.map { element in
                    var copy = rule
                    copy[keyPath: path] = element
                    return copy
                }
            }
        }
        times(rule.remote, \.remote)
        times(rule.local, \.local)
        switch rule.traffic {
        case .any: break
        case .protocols(let list): times(list.map { number(of: $0, rule.isIPv6) }, \.carrier)
        case .neighbourDiscovery: rules.indices.forEach { rules[$0].isNeighbourDiscovery = true }
        case .ports(let list, let remote, let local):
            times(list.map { number(of: $0, rule.isIPv6) }, \.carrier)
            times(remote, \.remotePort)
            times(local, \.localPort)
        }
        return rules
    }

    private static func number(of name: PacketProtocol, _ isIPv6: Bool) -> UInt8 {
        switch name {
        case .tcp: 6
        case .udp: 17
        case .icmp: isIPv6 ? 58 : 1
        }
    }
}

extension NfnetlinkBytes {
    private static let register: UInt32 = 1
    private static let network: UInt32 = 1
    private static let transport: UInt32 = 2

    /// Compares what the register holds.
    enum Comparison: UInt32 {
        case equal = 0
        case unequal = 1
        case atMost = 3
        case atLeast = 5
    }

    /// The keys of packets' properties that rules read.
    enum Property: UInt32 {
        case priority = 2
        case inputIndex = 4
        case inputName = 6
        case outputName = 7
        case socketUser = 10
        case family = 15
        case carrier = 16
    }

    /// Appends what a rule compares.
    mutating func matches(_ rule: QueueRule) {
        compare(.family, .equal, [rule.isIPv6 ? 10 : 2])
        interfaces(of: rule)
        let isOut = rule.direction == .egress
        let (source, destination): (UInt32, UInt32) = rule.isIPv6 ? (8, 24) : (12, 16)
        if let remote = rule.remote { address(remote, at: isOut ? destination : source) }
        if let local = rule.local { address(local, at: isOut ? source : destination) }
        if let carrier = rule.carrier { compare(.carrier, .equal, [carrier]) }
        if let port = rule.remotePort { self.port(port, at: isOut ? 2 : 0) }
        if let port = rule.localPort { self.port(port, at: isOut ? 0 : 2) }
        owner(rule.owner)
        guard rule.isNeighbourDiscovery else { return }
        compare(.carrier, .equal, [58])
        payload(Self.transport, at: 0, length: 1)
        compare(.atLeast, [133])
        compare(.atMost, [137])
    }

    /// Appends what a rule does.
    mutating func verdict(_ verdict: QueueVerdict, by expression: QueueExpression) {
        switch verdict {
        case .pass: accept()
        case .queue(let number):
            self.expression("objref") {
                $0.put(1, UInt32(1))
                $0.put(2, QueueTable.counter)
            }
            queue(number, by: expression)
        }
    }

    /// Appends a comparison of a packet's property.
    mutating func compare(_ property: Property, _ comparison: Comparison, _ value: [UInt8]) {
        load(property)
        compare(comparison, value)
    }

    /// Appends the comparison of a packet's priority with copies' of ours.
    mutating func comparePriority(_ value: UInt32, mask: UInt32 = .max) {
        load(.priority)
        if mask != .max { and(mask.inHostOrder) }
        compare(.equal, value.inHostOrder)
    }

    /// Appends the setting of a packet's priority to that of most.
    mutating func clearPriority() {
        expression("immediate") {
            $0.put(1, Self.register)
            $0.nest(2) { $0.put(1, UInt32(0).inHostOrder) }
        }
        expression("meta") {
            $0.put(2, Property.priority.rawValue)
            $0.put(3, Self.register)
        }
    }

    /// Appends the verdict that lets a packet go on.
    mutating func accept() {
        expression("immediate") {
            $0.put(1, UInt32(0))
            $0.nest(2) { $0.nest(2) { $0.put(1, UInt32(1)) } }
        }
    }

    private mutating func queue(_ number: UInt16, by expression: QueueExpression) {
        switch expression {
        case .native:
            self.expression("queue") {
                $0.put(1, number.inNetworkOrder)
                $0.put(2, UInt16(1).inNetworkOrder)
                $0.put(3, UInt16(1).inNetworkOrder)
            }
        case .target:
            // struct xt_NFQ_info_v3: number, how many, flags (bypass); padded to eight bytes.
            let info = number.inHostOrder + UInt16(1).inHostOrder + UInt16(1).inHostOrder + [0, 0]
            self.expression("target") {
                $0.put(1, "NFQUEUE")
                $0.put(2, UInt32(3))
                $0.put(3, info)
            }
        }
    }

    private mutating func owner(_ owner: SocketOwner?) {
        switch owner {
        case nil: break
        case .user(let number): compare(.socketUser, .equal, number.inHostOrder)
        case .controlGroup(_, let id, let level):
            expression("socket") {
                // NFT_SOCKET_CGROUPV2.
                $0.put(1, UInt32(3))
                $0.put(2, Self.register)
                $0.put(3, UInt32(level))
            }
            compare(
                .equal,
                UInt32(truncatingIfNeeded: id).inHostOrder
                    + UInt32(truncatingIfNeeded: id >> 32).inHostOrder
            )
        }
    }

    private mutating func interfaces(of rule: QueueRule) {
        let isOut = rule.direction == .egress
        switch rule.place {
        case .own: interface(rule.interface, isOut ? .outputName : .inputName)
        case .fromLoopback: interface(.named("lo"), .inputName)
        case .passingThrough:
            compare(.inputIndex, .unequal, UInt32(0).inHostOrder)
            interface(rule.interface, .inputName)
        }
    }

    private mutating func interface(_ interface: PacketRule.Interface, _ property: Property) {
        let name: String
        switch interface {
        case .any: return
        case .notLoopback: name = "lo"
        case .named(let given): name = given
        }
        let text = Array(name.utf8)
        let value = text + [UInt8](repeating: 0, count: max(0, 16 - text.count))
        compare(property, interface == .notLoopback ? .unequal : .equal, value)
    }

    private mutating func address(_ address: NetworkAddress, at offset: UInt32) {
        let length = address.bytes.count
        payload(Self.network, at: offset, length: UInt32(length))
        if !address.isSingle {
            let mask = (0..<length).map { index -> UInt8 in
                let kept = max(0, min(8, address.prefixLength - index * 8))
                return kept == 0 ? 0 : 0xff << (8 - UInt8(kept))
            }
            and(mask)
        }
        compare(.equal, address.bytes)
    }

    private mutating func port(_ port: Int, at offset: UInt32) {
        payload(Self.transport, at: offset, length: 2)
        compare(.equal, UInt16(truncatingIfNeeded: port).inNetworkOrder)
    }

    private mutating func load(_ property: Property) {
        expression("meta") {
            $0.put(1, Self.register)
            $0.put(2, property.rawValue)
        }
    }

    private mutating func payload(_ base: UInt32, at offset: UInt32, length: UInt32) {
        expression("payload") {
            $0.put(1, Self.register)
            $0.put(2, base)
            $0.put(3, offset)
            $0.put(4, length)
        }
    }

    private mutating func and(_ mask: [UInt8]) {
        expression("bitwise") {
            $0.put(1, Self.register)
            $0.put(2, Self.register)
            $0.put(3, UInt32(mask.count))
            $0.nest(4) { $0.put(1, mask) }
            $0.nest(5) { $0.put(1, [UInt8](repeating: 0, count: mask.count)) }
        }
    }

    private mutating func compare(_ comparison: Comparison, _ value: [UInt8]) {
        expression("cmp") {
            $0.put(1, Self.register)
            $0.put(2, comparison.rawValue)
            $0.nest(3) { $0.put(1, value) }
        }
    }
}
