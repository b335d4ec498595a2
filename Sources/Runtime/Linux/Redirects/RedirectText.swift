// Redirects as the text of nft(8). Numbers, addresses and checked names only; no other text gets here.
//
// Five chains, as far as they are needed:
//   zone_out, zone_in  before connection tracking: redirected UDP is tracked in a zone of its listener's
//   nat_out, nat_in    before other NAT (-100): the redirects, counted by flow
//   cut                what is refused beside
//   reset_HOOK         connections that were open before

import ChaosModel

/// Renders redirects for nft.
enum RedirectText {
    /// Before raw (-300), where tracking may be switched off, and before tracking (-200).
    private static let zonePriority = -310
    /// Before the destination NAT of others (-100), such as Docker's for its resolver.
    private static let natPriority = -110

    /// The commands that make the table with everything in it.
    static func create(_ plan: RedirectPlan, hasZone: Bool) -> String {
        var text = Table(plan.name)
        if hasZone { text.addZones(plan) }
        if plan.takesOutgoing {
            text.chain("nat_out", "nat hook output priority \(natPriority)")
            text.rule("nat_out", ours)
            for match in matches(plan, senders: senders(plan)) {
                text.rule(
                    "nat_out",
                    "\(match.text)\(match.opening) counter redirect to :\(match.listener)"
                )
            }
        }
        if plan.takesIncoming {
            text.chain("nat_in", "nat hook prerouting priority \(natPriority)")
            for match in matches(plan, senders: [""]) {
                text.rule(
                    "nat_in",
                    "\(match.text)\(match.opening) counter redirect to :\(match.listener)"
                )
            }
        }
        if !plan.cuts.isEmpty { text.addCuts(plan) }
        if plan.resetsOpen { text.addResets(plan) }
        return text.lines.joined(separator: "\n") + "\n"
    }

    /// The commands that leave of a table what traffic needs that has come already.
    ///
    /// A chain of NAT must stay, and a rule that needs connection tracking: without either the kernel translates nothing more.
    static func drain(_ plan: RedirectPlan, hasZone: Bool) -> String {
        let zones = hasZone && plan.redirects.contains { $0.transport == .udp }
        let translating =
            (plan.takesOutgoing ? ["nat_out"] : []) + (plan.takesIncoming ? ["nat_in"] : [])
        var chains = translating
        if zones, plan.takesIncoming { chains.append("zone_in") }
        if !plan.cuts.isEmpty { chains.append("cut") }
        if plan.resetsOpen { chains += resetHooks(plan).map { "reset_\($0)" } }
        if zones { chains.append("zone_out") }
        var lines = chains.map { "flush chain inet \(plan.name) \($0)" }
        // A namespace tracks connections only while a rule asks it to, and `redirect` was what did.
        lines += translating.map { "add rule inet \(plan.name) \($0) ct state new accept" }
        if zones {
            lines += answers(of: plan).map { "add rule inet \(plan.name) zone_out \($0)" }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    /// What our listeners of UDP answer belongs to the zone of what they were asked.
    private static func answers(of plan: RedirectPlan) -> [String] {
        let listeners = plan.redirects.filter { $0.transport == .udp }.map(\.listener)
        return listeners.withoutRepeats.map { "udp sport \($0) \(zone(of: $0))" }
    }

    private static func zone(of listener: Int) -> String {
        "ct zone set \(RedirectZone.of(listener))"
    }

    private static let ours = "meta mark \(RedirectMark.value) return"

    private struct Match {
        var text: String
        var listener: Int
        /// For TCP, the first packet of a connection only: where nothing was tracked before, the kernel takes a packet of
        /// a connection that is open for a new one, and to redirect it would break the connection.
        var opening: String
    }

    private struct Table {
        let name: String
        var lines: [String]

        init(_ name: String) {
            self.name = name
            lines = ["create table inet \(name) { flags owner; comment \"\(NftText.mark)\"; }"]
        }

        mutating func chain(_ chain: String, _ type: String) {
            lines.append("add chain inet \(name) \(chain) { type \(type); policy accept; }")
        }

        mutating func rule(_ chain: String, _ rule: String) {
            lines.append("add rule inet \(name) \(chain) \(rule)")
        }

        mutating func addZones(_ plan: RedirectPlan) {
            let udp = plan.redirects.filter { $0.transport == .udp }
            guard !udp.isEmpty else { return }
            var inZone = plan
            inZone.redirects = udp
            chain("zone_out", "filter hook output priority \(zonePriority)")
            rule("zone_out", ours)
            for answers in answers(of: plan) { rule("zone_out", answers) }
            if plan.takesOutgoing {
                for match in matches(inZone, senders: senders(plan)) {
                    rule("zone_out", "\(match.text) \(zone(of: match.listener))")
                }
            }
            guard plan.takesIncoming else { return }
            chain("zone_in", "filter hook prerouting priority \(zonePriority)")
            for match in matches(inZone, senders: [""]) {
                rule("zone_in", "\(match.text) \(zone(of: match.listener))")
            }
        }

        /// After the redirects (priority 0), what still goes to a redirected port was open before, or is ours.
        mutating func addResets(_ plan: RedirectPlan) {
            for hook in resetHooks(plan) {
                chain("reset_\(hook)", "filter hook \(hook) priority 0")
                rule("reset_\(hook)", ours)
                for match in matches(plan, senders: hook == "output" ? senders(plan) : [""]) {
                    rule("reset_\(hook)", "\(match.text) counter reject with tcp reset")
                }
            }
        }

        mutating func addCuts(_ plan: RedirectPlan) {
            chain("cut", "filter hook output priority \(zonePriority)")
            rule("cut", ours)
            for cut in plan.cuts {
                for sender in senders(plan) {
                    let match = "\(sender)meta l4proto \(cut.transport.rawValue) th dport "
                    rule("cut", "\(match)\(set(cut.ports)) counter \(verdict(cut))")
                }
            }
        }
    }

    /// Where connections that were open before pass.
    private static func resetHooks(_ plan: RedirectPlan) -> [String] {
        (plan.takesOutgoing ? ["output"] : []) + (plan.takesIncoming ? ["input", "forward"] : [])
    }

    /// Each redirect for each sender; a redirect for any destination is one rule for both families.
    private static func matches(_ plan: RedirectPlan, senders: [String]) -> [Match] {
        plan.redirects.flatMap { redirect in
            senders.map { sender in
                let family = redirect.destinations.first?.isIPv6 == true ? "ip6" : "ip"
                let far =
                    redirect.destinations.isEmpty
                    ? "" : "\(family) daddr \(set(redirect.destinations)) "
                let port = "\(redirect.transport.rawValue) dport \(set(redirect.ports))"
                return Match(
                    text: "\(sender)\(far)\(port)",
                    listener: redirect.listener,
                    opening: redirect.transport == .tcp ? " tcp flags & (syn | ack) == syn" : ""
                )
            }
        }
    }

    /// What narrows the rules, one text for each alternative.
    private static func senders(_ plan: RedirectPlan) -> [String] {
        let users = plan.senders.users.isEmpty ? [] : ["meta skuid \(set(plan.senders.users)) "]
        let groups = plan.senders.groups.map { group in
            let path = group.drop { $0 == "/" }
            let level = path.split(separator: "/").count
            return "socket cgroupv2 level \(level) \"\(path)\" "
        }
        return plan.senders.isAnybody ? [""] : users + groups
    }

    private static func verdict(_ cut: RedirectCut) -> String {
        switch cut.answer {
        case .silence: "drop"
        case .reset where cut.transport == .tcp: "reject with tcp reset"
        case .reject, .reset: "reject with icmpx type admin-prohibited"
        }
    }

    private static func set(_ elements: [some CustomStringConvertible]) -> String {
        let texts = elements.map(\.description)
        return texts.count == 1 ? texts[0] : "{ \(texts.joined(separator: ", ")) }"
    }
}

extension [Int] {
    /// The same numbers, each once.
    fileprivate var withoutRepeats: [Int] { Set(self).sorted() }
}
