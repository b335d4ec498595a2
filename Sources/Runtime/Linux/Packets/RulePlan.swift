// From the rules of a lease to the rules of each hook.
//
// - The loopback interface is left alone, unless a far end is a loopback address or the interface is named lo:
//   a host that cannot talk to itself is another fault than the one asked for.
// - IPv6 neighbour discovery passes (ICMPv6 types 133–137), unless ICMP was asked for: without it the link itself
//   dies, takes everything else with it, and needs seconds to come back after the revert. So drops that name
//   protocols come first, then the pass for neighbour discovery, then drops of everything.
// - What a drop in the output hook hits never leaves the sender's socket: a local program sees EPERM from send
//   for UDP and ICMP; TCP only retransmits.
// - The rules see packets before NAT on output, after destination NAT on input and forward.

import ChaosModel

/// The rules of a lease, by hook, in their order.
struct RulePlan {
    /// The beginning of all names of ours.
    static let namePrefix = "moonquake_"

    /// The name of the lease's table or chain.
    let name: String
    /// What the senders of dropped packets are told.
    let answer: PacketAnswer
    /// All rules in their order.
    let rules: [PacketRule]

    /// Checks the rules and expands them.
    init(_ rules: PacketRules) throws(KernelError) {
        name = try Self.checkedName(rules.name)
        answer = rules.answer
        var passes: [PacketRule] = []
        for match in rules.pass { passes += try Self.expand(match, .pass) }
        var drops: [PacketRule] = []
        for match in rules.drop { drops += try Self.expand(match, .drop) }
        let whole = drops.filter { $0.traffic == .any }
        let partial = drops.filter { $0.traffic != .any }
        let discovery = [PacketDirection.ingress, .egress].filter { direction in
            whole.contains { $0.isIPv6 && $0.direction == direction }
        }
        let discoveryPasses = discovery.map {
            PacketRule(verdict: .pass, direction: $0, isIPv6: true, traffic: .neighbourDiscovery)
        }
        self.rules = passes + partial + discoveryPasses + whole
    }

    /// The rules of a hook; empty where nothing is dropped.
    func rules(at hook: PacketHook) -> [PacketRule] {
        // Packets that pass through belong to no socket here.
        let seen = rules.filter {
            hook.sees($0.direction) && (hook != .forward || $0.owner == nil)
        }
        return seen.contains { $0.verdict == .drop } ? seen : []
    }

    /// The name, when it is one of ours: the only names that are ever made or removed.
    static func checkedName(_ name: String) throws(KernelError) -> String {
        let isPlain = name.utf8.allSatisfy { byte in
            let character = Character(UnicodeScalar(byte))
            return character.isASCII && (character.isLetter || character.isNumber)
                || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
        }
        guard name.hasPrefix(namePrefix), name.utf8.count > namePrefix.utf8.count,
            name.utf8.count <= 128, isPlain
        else {
            throw KernelError(
                .failed,
                "use packet rules named \"\(name.escapedForDisplay)\"",
                "names are \(namePrefix) and up to 118 letters, digits, _ or -"
            )
        }
        return name
    }

    private static func expand(
        _ match: PacketMatch,
        _ verdict: PacketRule.Verdict
    ) throws(KernelError) -> [PacketRule] {
        let traffic = try traffic(of: match)
        if case .user = match.owner, match.direction == .ingress {
            throw invalid("only packets that go out belong to a user")
        }
        if case .controlGroup(let path, _, _) = match.owner {
            guard !path.isEmpty, path.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f && $0 != 0x22 })
            else {
                throw invalid(
                    "the control group \"\(path.escapedForDisplay)\" cannot be named in rules"
                )
            }
        }
        let interface = try match.interface.map { name throws(KernelError) in
            PacketRule.Interface.named(try InterfaceName.checked(name))
        }
        return try families(of: match).flatMap { isIPv6 in
            Self.ends(of: match, verdict, interface).map { remote, interface in
                PacketRule(
                    verdict: verdict,
                    direction: match.direction,
                    isIPv6: isIPv6,
                    remote: remote,
                    local: match.local.withoutOverlaps,
                    traffic: traffic,
                    interface: interface,
                    owner: match.owner
                )
            }
        }
    }

    /// The far ends with the interfaces that are meant for them.
    private static func ends(
        of match: PacketMatch,
        _ verdict: PacketRule.Verdict,
        _ interface: PacketRule.Interface?
    ) -> [([NetworkAddress], PacketRule.Interface)] {
        if let interface { return [(match.remote.withoutOverlaps, interface)] }
        guard verdict == .drop else { return [(match.remote.withoutOverlaps, .any)] }
        let loopback = match.remote.filter(\.isLoopback)
        let others = match.remote.filter { !$0.isLoopback }
        let away = others.isEmpty && !loopback.isEmpty ? [] : [(others.withoutOverlaps, Self.away)]
        return (loopback.isEmpty ? [] : [(loopback.withoutOverlaps, .any)]) + away
    }

    private static let away = PacketRule.Interface.notLoopback

    private static func families(of match: PacketMatch) throws(KernelError) -> [Bool] {
        let named = Set((match.remote + match.local).map(\.isIPv6))
        let asked = match.isIPv6.map { [$0] } ?? (named.isEmpty ? [false, true] : Array(named))
        guard asked.count == 1 || named.isEmpty, named.isSubset(of: asked) else {
            throw invalid("the addresses of one match are of one family")
        }
        return asked
    }

    private static func traffic(of match: PacketMatch) throws(KernelError) -> PacketRule.Traffic {
        let ports = match.remotePorts + match.localPorts
        guard !ports.isEmpty else {
            return match.protocols.isEmpty ? .any : .protocols(unique(match.protocols))
        }
        guard ports.allSatisfy((1...65535).contains) else {
            throw invalid("ports are between 1 and 65535, got \(ports)")
        }
        // ICMP has no ports, so a match with ports is never about it.
        let asked = match.protocols.isEmpty ? [.tcp, .udp] : unique(match.protocols)
        let carriers = asked.filter { $0 != .icmp }
        guard !carriers.isEmpty else { throw invalid("ports need the protocol tcp or udp") }
        return .ports(carriers, remote: unique(match.remotePorts), local: unique(match.localPorts))
    }

    private static func unique<Element: Hashable>(_ list: [Element]) -> [Element] {
        var seen: Set<Element> = []
        return list.filter { seen.insert($0).inserted }
    }

    private static func invalid(_ reason: String) -> KernelError {
        KernelError(.failed, "make packet rules", reason)
    }
}

/// Names of network interfaces.
enum InterfaceName {
    /// The longest: IFNAMSIZ with its NUL is 16.
    private static let longest = 15

    /// The name, when a kernel could have given it and no tool reads more into it.
    ///
    /// nft takes a trailing `*` and iptables a trailing `+` for "whatever follows", and both unescape quotes.
    static func checked(_ name: String) throws(KernelError) -> String {
        let refused = Set("/:;\"'\\*+!".unicodeScalars)
        let isPlain = name.unicodeScalars.allSatisfy {
            (33...126).contains($0.value) && !refused.contains($0)
        }
        guard (1...longest).contains(name.utf8.count), isPlain, name != ".", name != "..",
            !name.hasPrefix("-")
        else {
            throw KernelError(
                .failed,
                "match the interface \"\(name.escapedForDisplay)\"",
                "a name is 1 to 15 visible ASCII characters, none of / : ; \" ' \\ * + ! and no - in front"
            )
        }
        return name
    }
}
