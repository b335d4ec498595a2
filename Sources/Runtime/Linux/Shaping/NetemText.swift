// The table of a lease as the text of nft(8), family netdev: for each interface and direction a chain at its hook,
// which forwards what matches to an ifb. Addresses, numbers and checked names only.

import ChaosModel

/// Renders the tables of leases.
enum NetemText {
    /// The parts that a share of traffic is counted in.
    private static let parts = 10_000

    /// The commands that make the table of a lease beside older ones.
    static func create(_ lease: NetemLease, beside older: [NetemLease]) -> String {
        let table = "netdev \(lease.name)"
        var chains = ["create table \(table) { flags owner; comment \"moonquake\"; }"]
        var rules: [String] = []
        let devices = lease.devices.sorted { $0.value.name < $1.value.name }
        for (_, device) in devices {
            chains.append("add chain \(table) \(leaf(device))")
            // By its number: the library caches names, across namespaces.
            rules.append("add rule \(table) \(leaf(device)) counter fwd to \(device.index)")
        }
        for hook in lease.hooks {
            let tree = Tree(lease: lease, hook: hook, rivals: lease.rivals(at: hook, among: older))
            for node in tree.nodes {
                let type =
                    node.decisions == nil
                    ? " { type filter hook \(hook.direction.rawValue) device \"\(hook.link)\" priority \(lease.priority); policy accept; }"
                    : ""
                chains.append("add chain \(table) \(node.name)\(type)")
                rules += node.rules.map { "add rule \(table) \(node.name) \($0)" }
            }
        }
        return (chains + rules).joined(separator: "\n") + "\n"
    }

    /// The commands that add the rules of a hook to the chain that a lease has there.
    static func widen(
        _ lease: NetemLease,
        by hook: NetemHook,
        beside older: [NetemLease]
    ) -> String {
        guard let place = lease.hooks.first(where: { $0.isAtPlace(of: hook) }) else { return "" }
        let tree = Tree(lease: lease, hook: place, rivals: lease.rivals(at: place, among: older))
        return tree.more(hook).map { "add rule netdev \(lease.name) \($0)\n" }.joined()
    }

    /// The packets that each ifb was given, by its name, from the text of a table.
    static func counts(in listing: String) -> [String: UInt64] {
        var counts: [String: UInt64] = [:]
        var chain = ""
        for line in listing.split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace).map(String.init)
            if words.first == "chain", words.count > 1 { chain = words[1] }
            guard chain.hasPrefix(leafPrefix), words.starts(with: ["counter", "packets"]),
                words.count > 2, let packets = UInt64(words[2])
            else { continue }
            counts[String(chain.dropFirst(leafPrefix.count)), default: 0] += packets
        }
        return counts
    }

    /// Whether the text of a table has a chain where a lease needs one.
    static func meets(_ listing: String, _ hooks: [NetemHook]) -> Bool {
        hooks.contains {
            listing.contains("hook \($0.direction.rawValue) device \"\($0.link)\"")
        }
    }

    private static let leafPrefix = "to_"
    fileprivate static func leaf(_ device: NetemDevice) -> String { leafPrefix + device.name }

    /// The matches of one rule with the share of traffic: one for each kind of key that connections have.
    static func matches(_ rule: PacketRule, _ rules: ShapingRules) -> [String] {
        let match = NftText.match(rule, inNetdev: true).joined(separator: " ")
        guard rules.traffic < 1 else { return [match] }
        let share = Int((rules.traffic * Double(parts)).rounded())
        guard rules.byConnection else {
            return ["\(match) numgen random mod \(parts) < \(share)"]
        }
        // 32 bits, and not 0, which means any to nft.
        let seed = max(UInt32(truncatingIfNeeded: rules.seed ^ (rules.seed >> 32)), 1)
        func hash(withPorts: Bool) -> String {
            // From the near end to the far one in both directions, so that both come to the same.
            let isOut = rule.direction == .egress
            let family = rule.isIPv6 ? "ip6" : "ip"
            let ends = isOut ? ["saddr", "daddr"] : ["daddr", "saddr"]
            let ports = isOut ? ["sport", "dport"] : ["dport", "sport"]
            let key = ends.map { "\(family) \($0)" } + (withPorts ? ports.map { "th \($0)" } : [])
            return "jhash \(key.joined(separator: " . ")) mod \(parts) seed \(seed) < \(share)"
        }
        switch rule.traffic {
        case .ports: return ["\(match) \(hash(withPorts: true))"]
        case .neighbourDiscovery: return [match]
        case .any, .protocols:
            return [
                "\(match) meta l4proto { tcp, udp } \(hash(withPorts: true))",
                "\(match) meta l4proto != { tcp, udp } \(hash(withPorts: false))",
            ]
        }
    }
}

/// How one chain asks, after its own lease, each older one about a packet.
private struct Tree {
    struct Node {
        var name: String
        /// What the older leases said so far; nil at the hook itself.
        var decisions: String?
        var rules: [String]
    }

    let lease: NetemLease
    let hook: NetemHook
    let rivals: [(lease: NetemLease, hook: NetemHook)]

    var nodes: [Node] {
        let own = Node(
            name: base,
            decisions: nil,
            rules: rules(of: hook, lease.rules, pass: "accept", take: "goto \(target(""))")
        )
        return [own] + asking("")
    }

    /// The rules of a hook at the end of its own chain.
    func more(_ hook: NetemHook) -> [String] {
        rules(of: hook, lease.rules, pass: "accept", take: "goto \(target(""))").map {
            "\(base) \($0)"
        }
    }

    private var base: String { "\(hook.direction == .egress ? "e" : "i")\(hook.index)" }

    private func asking(_ decisions: String) -> [Node] {
        guard decisions.utf8.count < rivals.count else { return [] }
        let rival = rivals[decisions.utf8.count]
        let (without, with) = (decisions + "0", decisions + "1")
        let pass = "goto \(target(without))"
        let node = Node(
            name: target(decisions),
            decisions: decisions,
            rules: rules(
                of: rival.hook,
                rival.lease.rules,
                pass: pass,
                take: "goto \(target(with))"
            ) + [pass]
        )
        return [node] + asking(without) + asking(with)
    }

    /// The chain that goes on after some decisions: the next question, or the ifb.
    private func target(_ decisions: String) -> String {
        guard decisions.utf8.count == rivals.count else { return "\(base)_\(decisions)" }
        let hit = zip(rivals, decisions.utf8).filter { $0.1 == UInt8(ascii: "1") }
        let route = NetemRoute(
            direction: hook.direction,
            leases: hit.map { $0.0.lease.name } + [lease.name]
        )
        // SAFETY: `routes(beside:)` makes a device for every set of rivals.
        guard let device = lease.devices[route] else {
            preconditionFailure("no device for \(route)")
        }
        return NetemText.leaf(device)
    }

    private func rules(
        of hook: NetemHook,
        _ rules: ShapingRules,
        pass: String,
        take: String
    ) -> [String] {
        hook.rules.flatMap { rule in
            rule.verdict == .pass
                ? ["\(NftText.match(rule, inNetdev: true).joined(separator: " ")) \(pass)"]
                : NetemText.matches(rule, rules).map { "\($0) \(take)" }
        }
    }
}
