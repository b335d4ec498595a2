// What nft lists, as far as we need it, read from its text.
//
// Not from its JSON: nft 1.0.6 (Debian 12) prints there, as the flags of an owned table, whatever memory holds.

import ChaosModel

/// Reads the text of `list table` and `list tables`.
enum NftListing {
    /// The sum of the counters of a table's drops.
    static func count(in table: String) -> PacketCount {
        sum(in: table) { ["drop", "reject"].contains($0) }
    }

    /// The counters of a table that only counts: those of matches let packets go on, that of everything says nothing.
    static func watch(in table: String) -> WatchCount {
        WatchCount(
            matched: sum(in: table) { $0 == "accept" },
            seen: sum(in: table) { $0 == nil }
        )
    }

    /// The sum of the counters whose rule goes on with a word, or ends there.
    private static func sum(in table: String, _ isMeant: (Substring?) -> Bool) -> PacketCount {
        var sum = PacketCount(packets: 0, bytes: 0)
        for line in table.split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard let start = words.firstIndex(of: "counter"), words.count > start + 4,
                words[start + 1] == "packets", words[start + 3] == "bytes",
                isMeant(words.count > start + 5 ? words[start + 5] : nil),
                let packets = UInt64(words[start + 2]), let bytes = UInt64(words[start + 4])
            else { continue }
            sum.packets += packets
            sum.bytes += bytes
        }
        return sum
    }

    /// Whether a table has our mark: the comment among its own lines, before those of its chains and sets.
    static func isMarked(_ table: String) -> Bool {
        table.split(separator: "\n").dropFirst().prefix { !$0.contains("{") }
            .contains {
                $0.split(whereSeparator: \.isWhitespace) == ["comment", "\"\(NftText.mark)\""]
            }
    }

    /// Whether a socket owns a table: then whoever has it is alive.
    static func isOwned(_ table: String) -> Bool {
        table.split(separator: "\n").dropFirst().prefix { !$0.contains("{") }
            .contains { line in
                let words = line.split(whereSeparator: { $0.isWhitespace || $0 == "," })
                return words.first == "flags" && words.contains("owner")
            }
    }

    /// The names of all chains, as `list chains` has them.
    static func chains(in listing: String) -> [Substring] {
        listing.split(separator: "\n").compactMap { line in
            let words = line.split(whereSeparator: \.isWhitespace)
            return words.count >= 2 && words[0] == "chain" ? words[1] : nil
        }
    }

    /// The names of the tables of a family.
    static func tables(in listing: String, family: String = "inet") -> [String] {
        listing.split(separator: "\n").compactMap { line in
            let words = line.split(whereSeparator: \.isWhitespace)
            guard words.count >= 3, words[0] == "table", words[1] == family else { return nil }
            return String(words[2])
        }
    }
}
