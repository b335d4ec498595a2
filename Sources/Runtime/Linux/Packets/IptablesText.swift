// Rules as the text of iptables-restore(8), one file per family. Basic matches only (addresses, interfaces,
// ports, ICMP types), which every kernel with iptables has; so lists become one rule per combination.

import ChaosModel

/// Names of our chains in iptables, at most 28 characters.
struct IptablesChains: Equatable {
    private static let prefix = "MQ-"
    private static let longestBase = 26

    /// The chains without the letter of their hook.
    let base: String

    /// The chains of rules of this name; the base of chains, as `residue` tells it, stands for itself.
    init(of name: String) throws(KernelError) {
        if name.hasPrefix(Self.prefix) {
            _ = try RulePlan.checkedName(
                RulePlan.namePrefix + name.dropFirst(3).filter { $0 != "." }
            )
            guard name.utf8.count <= Self.longestBase else {
                throw KernelError(.failed, "use iptables chains \(name)", "the name is too long")
            }
            base = name
            return
        }
        let own = try RulePlan.checkedName(name).dropFirst(RulePlan.namePrefix.count)
        let plain = Self.prefix + own
        // A dot, which no name of rules has, keeps shortened names apart from whole ones.
        base =
            plain.utf8.count <= Self.longestBase
            ? plain : "\(Self.prefix)\(own.prefix(6)).\(Self.digest(of: name))"
    }

    /// The chain of a hook.
    func chain(_ hook: PacketHook) -> String { "\(base)\(Self.ending(of: hook))" }

    /// The base of a chain of ours; nil for others.
    static func base(of chain: Substring) -> String? {
        guard chain.hasPrefix(prefix),
            let ending = PacketHook.allCases.map(ending).first(where: chain.hasSuffix)
        else { return nil }
        return String(chain.dropLast(ending.count))
    }

    private static func ending(of hook: PacketHook) -> String {
        switch hook {
        case .input: ".i"
        case .output: ".o"
        case .forward: ".f"
        }
    }

    /// FNV-1a, 64 bits, 16 digits.
    private static func digest(of name: String) -> String {
        let value = name.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { hash, byte in
            (hash ^ UInt64(byte)) &* 0x100_0000_01b3
        }
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// Renders rules for iptables-restore.
enum IptablesText {
    /// More would be a slow list that every packet walks.
    private static let mostRules = 4096

    /// The file that adds the chains of a plan and jumps to them; nil when the family has no rules.
    ///
    /// `-N` fails when a chain is there, and with it the whole file.
    static func add(
        _ plan: RulePlan,
        _ chains: IptablesChains,
        isIPv6: Bool
    ) throws(KernelError) -> String? {
        var lines: [String] = []
        for hook in PacketHook.allCases {
            let rules = plan.rules(at: hook).filter { $0.isIPv6 == isIPv6 }
            guard rules.contains(where: { $0.verdict == .drop }) else { continue }
            let chain = chains.chain(hook)
            lines.append("-N \(chain)")
            lines += rules.flatMap { combinations($0, plan.answer) }.map { "-A \(chain) \($0)" }
            lines.append("-I \(hook.rawValue.uppercased()) 1 -j \(chain)")
        }
        guard lines.count <= mostRules else {
            throw KernelError(
                .unsupported,
                "add iptables chains \(chains.base)",
                "\(lines.count) rules, at most \(mostRules): use nft, which has sets"
            )
        }
        return lines.isEmpty ? nil : file(lines)
    }

    /// The file that removes what a listing shows of the chains; nil when it shows nothing.
    static func remove(_ chains: IptablesChains, shownIn listing: String) -> String? {
        let names = Set(PacketHook.allCases.map(chains.chain))
        let lines = listing.split(separator: "\n")
        let jumps = lines.compactMap { line -> String? in
            let words = line.split(separator: " ")
            guard words.count == 4, words[0] == "-A", words[2] == "-j",
                names.contains(String(words[3]))
            else { return nil }
            return "-D \(words[1]) -j \(words[3])"
        }
        let present = lines.compactMap { line -> String? in
            guard line.hasPrefix(":"), let name = line.dropFirst().split(separator: " ").first
            else { return nil }
            return names.contains(String(name)) ? String(name) : nil
        }
        let removals = present.map { "-F \($0)" } + present.map { "-X \($0)" }
        return present.isEmpty ? nil : file(jumps + removals)
    }

    private static func file(_ lines: [String]) -> String {
        (["*filter"] + lines + ["COMMIT", ""]).joined(separator: "\n")
    }

    /// The rule once for each combination of its lists.
    private static func combinations(_ rule: PacketRule, _ answer: PacketAnswer) -> [String] {
        let isEgress = rule.direction == .egress
        let far = rule.remote.map { "\(isEgress ? "-d" : "-s") \($0)" }
        let near = rule.local.map { "\(isEgress ? "-s" : "-d") \($0)" }
        let start = [interface(rule), far, near].reduce([""]) { texts, options in
            options.isEmpty ? texts : texts.flatMap { text in options.map { "\(text)\($0) " } }
        }
        let verdict = rule.verdict == .drop ? ending(answer, isIPv6: rule.isIPv6) : "RETURN"
        return start.flatMap { text in traffic(rule).map { "\(text)\($0)-j \(verdict)" } }
    }

    private static func ending(_ answer: PacketAnswer, isIPv6: Bool) -> String {
        switch answer {
        case .silence: "DROP"
        case .reject:
            "REJECT --reject-with \(isIPv6 ? "icmp6-adm-prohibited" : "icmp-admin-prohibited")"
        case .reset: "REJECT --reject-with tcp-reset"
        }
    }

    private static func interface(_ rule: PacketRule) -> [String] {
        let option = rule.direction == .egress ? "-o" : "-i"
        return switch rule.interface {
        case .any: []
        case .notLoopback: ["! \(option) lo"]
        case .named(let name): ["\(option) \(name)"]
        }
    }

    private static func traffic(_ rule: PacketRule) -> [String] {
        switch rule.traffic {
        case .any: return [""]
        case .protocols(let list):
            return list.map { "-p \(name($0, isIPv6: rule.isIPv6)) " }
        case .neighbourDiscovery:
            return (133...137).map { "-p ipv6-icmp --icmpv6-type \($0) " }
        case .ports(let list, let remote, let local):
            let isEgress = rule.direction == .egress
            let far = remote.map { "\(isEgress ? "--dport" : "--sport") \($0) " }
            let near = local.map { "\(isEgress ? "--sport" : "--dport") \($0) " }
            let start = list.map { "-p \($0.rawValue) " }
            return [far, near].reduce(start) { texts, options in
                options.isEmpty ? texts : texts.flatMap { text in options.map { text + $0 } }
            }
        }
    }

    private static func name(_ kind: PacketProtocol, isIPv6: Bool) -> String {
        kind == .icmp && isIPv6 ? "ipv6-icmp" : kind.rawValue
    }
}
