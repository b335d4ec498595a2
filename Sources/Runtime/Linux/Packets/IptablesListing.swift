// What iptables-save prints: `:CHAIN …` for each chain, `[packets:bytes] -A CHAIN …` for each rule with -c.

import ChaosModel

/// Reads the text of iptables-save.
enum IptablesListing {
    /// The sum of the drops in our chains; nil when none of the chains is there.
    static func count(of chains: IptablesChains, in listing: String) -> PacketCount? {
        let names = Set(PacketHook.allCases.map(chains.chain))
        var sum: PacketCount?
        for line in listing.split(separator: "\n") {
            let words = line.split(separator: " ")
            if line.hasPrefix(":"), let first = words.first,
                names.contains(String(first.dropFirst()))
            {
                sum = sum ?? PacketCount(packets: 0, bytes: 0)
            }
            guard words.count > 3, words[1] == "-A", names.contains(String(words[2])),
                let target = words.firstIndex(of: "-j").map({ words[($0 + 1)...].first ?? "" }),
                ["DROP", "REJECT"].contains(target), let count = counters(words[0])
            else { continue }
            sum = sum ?? PacketCount(packets: 0, bytes: 0)
            sum?.packets += count.packets
            sum?.bytes += count.bytes
        }
        return sum
    }

    /// The bases of all chains that are named like ours.
    static func bases(in listing: String) -> Set<String> {
        Set(
            listing.split(separator: "\n").compactMap { line in
                guard line.hasPrefix(":"), let name = line.dropFirst().split(separator: " ").first
                else { return nil }
                return IptablesChains.base(of: name)
            }
        )
    }

    private static func counters(_ text: Substring) -> PacketCount? {
        guard text.hasPrefix("["), text.hasSuffix("]") else { return nil }
        let parts = text.dropFirst().dropLast().split(separator: ":")
        guard parts.count == 2, let packets = UInt64(parts[0]), let bytes = UInt64(parts[1])
        else { return nil }
        return PacketCount(packets: packets, bytes: bytes)
    }
}
