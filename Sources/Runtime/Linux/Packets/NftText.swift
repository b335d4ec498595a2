// Rules as the text of nft(8). Addresses, numbers and checked names only; no other text gets here.

import ChaosModel

/// Renders rules for nft.
enum NftText {
    /// The comment of our tables.
    static let mark = "moonquake"

    /// Before raw (-300) and connection tracking on output: dropped packets leave no trace there.
    private static let priority = -310

    /// The commands that make the table with everything in it, and fail when there is one of that name.
    ///
    /// One command each: `create table` with chains in its block makes no chains in nft 1.0.6, without a word.
    static func create(_ plan: RulePlan, isOwned: Bool, hasComment: Bool = true) -> String {
        let marks =
            (isOwned ? ["flags owner;"] : []) + (hasComment ? ["comment \"\(mark)\";"] : [])
        var lines = ["create table inet \(plan.name) { \(marks.joined(separator: " ")) }"]
        for hook in PacketHook.allCases {
            let rules = plan.rules(at: hook)
            guard !rules.isEmpty else { continue }
            let type = "type filter hook \(hook.rawValue) priority \(priority); policy accept;"
            lines.append("add chain inet \(plan.name) \(hook.rawValue) { \(type) }")
            lines += rules.map {
                "add rule inet \(plan.name) \(hook.rawValue) \(rule($0, plan.answer))"
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// The commands that make an owner table which counts what a plan would drop, beside everything that comes by
    /// where it looks, and lets all of it go on.
    static func watch(_ plan: RulePlan, isOwnOnly: Bool) -> String {
        var lines = ["create table inet \(plan.name) { flags owner; comment \"\(mark)\"; }"]
        for hook in PacketHook.allCases where !(isOwnOnly && hook == .forward) {
            let rules = plan.rules(at: hook)
            guard !rules.isEmpty else { continue }
            let chain = "inet \(plan.name) \(hook.rawValue)"
            let type = "type filter hook \(hook.rawValue) priority \(priority); policy accept;"
            lines.append("add chain \(chain) { \(type) }")
            lines.append("add rule \(chain) \(seen(at: hook, by: rules))counter")
            for rule in rules {
                let match = (interface(rule) + match(rule, inNetdev: false)).joined(separator: " ")
                let verdict = rule.verdict == .drop ? "counter accept" : "accept"
                lines.append("add rule \(chain) \(match) \(verdict)")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// What counts as traffic: without that of the loopback interface, unless a rule is about it.
    private static func seen(at hook: PacketHook, by rules: [PacketRule]) -> String {
        let takesLoopback = rules.contains {
            $0.verdict == .drop && ($0.interface == .any || $0.interface == .named("lo"))
        }
        guard !takesLoopback else { return "" }
        return switch hook {
        case .input: "iifname != \"lo\" "
        case .output: "oifname != \"lo\" "
        case .forward: ""
        }
    }

    /// The commands that add the drops of a plan to a table that is there.
    static func widen(_ plan: RulePlan) -> String {
        PacketHook.allCases.flatMap { hook in
            plan.rules(at: hook).map {
                "add rule inet \(plan.name) \(hook.rawValue) \(rule($0, plan.answer))\n"
            }
        }.joined()
    }

    /// One rule without its chain.
    static func rule(_ rule: PacketRule, _ answer: PacketAnswer) -> String {
        let verdict = rule.verdict == .drop ? "counter \(ending(answer))" : "accept"
        return (interface(rule) + match(rule, inNetdev: false) + [verdict]).joined(separator: " ")
    }

    private static func ending(_ answer: PacketAnswer) -> String {
        switch answer {
        case .silence: "drop"
        case .reject: "reject with icmpx type admin-prohibited"
        case .reset: "reject with tcp reset"
        }
    }

    private static func interface(_ rule: PacketRule) -> [String] {
        let key = rule.direction == .egress ? "oifname" : "iifname"
        return switch rule.interface {
        case .any: []
        case .notLoopback: ["\(key) != \"lo\""]
        case .named(let name): ["\(key) \"\(name)\""]
        }
    }

    /// What a packet must be, but for its interface, in a table of family netdev or inet.
    static func match(_ rule: PacketRule, inNetdev: Bool) -> [String] {
        ends(rule, inNetdev: inNetdev) + traffic(rule) + owner(rule)
    }

    private static func owner(_ rule: PacketRule) -> [String] {
        switch rule.owner {
        case nil: []
        // Checked by the plan: no blanks, no quotes.
        case .controlGroup(let path, _, let level): ["socket cgroupv2 level \(level) \"\(path)\""]
        case .user(let number): ["meta skuid \(number)"]
        }
    }

    private static func ends(_ rule: PacketRule, inNetdev: Bool) -> [String] {
        guard !rule.remote.isEmpty || !rule.local.isEmpty else {
            return inNetdev
                ? ["meta protocol \(rule.isIPv6 ? "ip6" : "ip")"]
                : ["meta nfproto \(rule.isIPv6 ? "ipv6" : "ipv4")"]
        }
        let family = rule.isIPv6 ? "ip6" : "ip"
        let (far, near) = rule.direction == .egress ? ("daddr", "saddr") : ("saddr", "daddr")
        let remote = rule.remote.isEmpty ? [] : ["\(family) \(far) \(set(rule.remote))"]
        let local = rule.local.isEmpty ? [] : ["\(family) \(near) \(set(rule.local))"]
        return remote + local
    }

    private static func traffic(_ rule: PacketRule) -> [String] {
        switch rule.traffic {
        case .any: return []
        case .protocols(let list): return [carrier(list, isIPv6: rule.isIPv6)]
        case .neighbourDiscovery: return ["icmpv6 type 133-137"]
        case .ports(let list, let remote, let local):
            let (far, near) = rule.direction == .egress ? ("dport", "sport") : ("sport", "dport")
            return [carrier(list, isIPv6: rule.isIPv6)]
                + (remote.isEmpty ? [] : ["th \(far) \(set(remote))"])
                + (local.isEmpty ? [] : ["th \(near) \(set(local))"])
        }
    }

    private static func carrier(_ list: [PacketProtocol], isIPv6: Bool) -> String {
        let names = list.map { $0 == .icmp ? (isIPv6 ? "ipv6-icmp" : "icmp") : $0.rawValue }
        return "meta l4proto \(set(names))"
    }

    private static func set(_ elements: [some CustomStringConvertible]) -> String {
        let texts = elements.map(\.description)
        return texts.count == 1 ? texts[0] : "{ \(texts.joined(separator: ", ")) }"
    }
}
