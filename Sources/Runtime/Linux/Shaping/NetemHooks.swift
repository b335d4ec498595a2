// From the rules of a lease to its rules on each interface and direction.
//
// Without a named interface these are all that are up, each packet once: not those that belong to a bridge, bond or
// team, whose master sees the same packets, nor those that are only another face of one (VLAN, macvlan, ipvlan).
// Interfaces that come up later are not among them.

import ChaosModel

/// The rules of one lease on one interface in one direction.
struct NetemHook: Equatable, Sendable {
    var link: String
    var index: Int32
    var direction: PacketDirection
    /// Passes and what is taken (`drop` in the terms of packet rules), in their order.
    var rules: [PacketRule]

    /// Whether both see the same packets.
    func isAtPlace(of other: NetemHook) -> Bool {
        index == other.index && direction == other.direction
    }

    /// Whether some packet may match the rules of both.
    func mayOverlap(_ other: NetemHook) -> Bool {
        isAtPlace(of: other)
            && takes.contains { rule in other.takes.contains { rule.mayOverlap($0) } }
    }

    /// Whether every packet that `other` takes is taken here too, by what the rules say of packets.
    func covers(_ other: NetemHook) -> Bool {
        isAtPlace(of: other)
            && other.takes.allSatisfy { rule in takes.contains { $0.covers(rule) } }
            && passes.allSatisfy { pass in other.passes.contains { $0.covers(pass) } }
    }

    private var takes: [PacketRule] { rules.filter { $0.verdict == .drop } }
    private var passes: [PacketRule] {
        rules.filter { $0.verdict == .pass && $0.traffic != .neighbourDiscovery }
    }

    /// The hooks that a lease needs; throws `.gone` when an interface that it names is not there.
    static func all(of rules: ShapingRules, among links: [NetworkLink]) throws(KernelError)
        -> [NetemHook]
    {
        let plan = try RulePlan(PacketRules(name: rules.name, pass: rules.pass, drop: rules.match))
        for rule in plan.rules {
            guard rule.verdict == .drop, case .named(let name) = rule.interface,
                !links.contains(where: { $0.name == name })
            else { continue }
            throw KernelError(.gone, "shape packets at \(name)", "there is no such interface")
        }
        let meant = Set(links.filter { isMeant($0, among: links) }.map(\.index))
        let hooks = links.flatMap { link in
            [PacketDirection.egress, .ingress].map { direction in
                NetemHook(
                    link: link.name,
                    index: link.index,
                    direction: direction,
                    rules: plan.rules.filter {
                        $0.direction == direction
                            && isFor($0, link, isMeant: meant.contains(link.index))
                    }
                )
            }
        }
        let needed = hooks.filter { !$0.takes.isEmpty }
        guard !needed.isEmpty else {
            throw KernelError(.failed, "shape packets", "no interface is up that they could take")
        }
        return needed
    }

    private static func isFor(_ rule: PacketRule, _ link: NetworkLink, isMeant: Bool) -> Bool {
        switch rule.interface {
        case .named(let name): name == link.name
        case .notLoopback: isMeant
        // A far end that is a loopback address is met on lo only.
        case .any: rule.verdict == .pass || link.isLoopback
        }
    }

    private static func isMeant(_ link: NetworkLink, among links: [NetworkLink]) -> Bool {
        guard link.isUp, !link.isLoopback, link.kind != "ifb", link.master == nil else {
            return false
        }
        let isFace = ["vlan", "macvlan", "ipvlan"].contains(link.kind)
        guard isFace, let lower = links.first(where: { $0.index == link.lower }) else {
            return true
        }
        return !isMeant(lower, among: links)
    }
}

extension PacketRule {
    /// Whether some packet may match both.
    func mayOverlap(_ other: PacketRule) -> Bool {
        isIPv6 == other.isIPv6
            && Self.meet(remote, other.remote) { $0.contains($1) || $1.contains($0) }
            && Self.meet(local, other.local) { $0.contains($1) || $1.contains($0) }
            && traffic.mayOverlap(other.traffic)
    }

    /// Whether every packet that `other` matches is matched here.
    func covers(_ other: PacketRule) -> Bool {
        isIPv6 == other.isIPv6 && Self.covers(remote, other.remote)
            && Self.covers(local, other.local) && traffic.covers(other.traffic)
    }

    private static func covers(_ own: [NetworkAddress], _ others: [NetworkAddress]) -> Bool {
        guard !own.isEmpty else { return true }
        return !others.isEmpty && others.allSatisfy { other in own.contains { $0.contains(other) } }
    }

    /// Whether two lists meet, of which an empty one means everything.
    fileprivate static func meet<Element>(
        _ left: [Element],
        _ right: [Element],
        by test: (Element, Element) -> Bool
    ) -> Bool {
        left.isEmpty || right.isEmpty || left.contains { one in right.contains { test(one, $0) } }
    }
}

extension PacketRule.Traffic {
    private var carriers: [PacketProtocol] {
        switch self {
        case .any: []
        case .protocols(let list), .ports(let list, _, _): list
        case .neighbourDiscovery: [.icmp]
        }
    }

    private var ports: (remote: [Int], local: [Int]) {
        if case .ports(_, let remote, let local) = self { (remote, local) } else { ([], []) }
    }

    func mayOverlap(_ other: Self) -> Bool {
        PacketRule.meet(carriers, other.carriers, by: ==)
            && PacketRule.meet(ports.remote, other.ports.remote, by: ==)
            && PacketRule.meet(ports.local, other.ports.local, by: ==)
    }

    func covers(_ other: Self) -> Bool {
        func holds<Element: Hashable>(_ own: [Element], _ others: [Element]) -> Bool {
            own.isEmpty || !others.isEmpty && Set(others).isSubset(of: own)
        }
        return holds(carriers, other.carriers) && holds(ports.remote, other.ports.remote)
            && holds(ports.local, other.ports.local)
    }
}
