// What nft lists, as far as we need it, read from its text.
//
// Not from its JSON: nft 1.0.6 (Debian 12) prints there, as the flags of an owned table, whatever memory holds.

import ChaosModel

/// Reads the text of `list table` and `list tables`.
enum NftListing {
    /// The sum of the counters of a table's drops.
    static func count(in table: String) -> PacketCount {
        var sum = PacketCount(packets: 0, bytes: 0)
        for line in table.split(separator: "\n") {
            let words = line.split(whereSeparator: \.isWhitespace).suffix(6).map(String.init)
            guard words.count == 6, words[0] == "counter", words[1] == "packets",
                words[3] == "bytes",
                words[5] == "drop", let packets = UInt64(words[2]), let bytes = UInt64(words[4])
            else { continue }
            sum.packets += packets
            sum.bytes += bytes
        }
        return sum
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
