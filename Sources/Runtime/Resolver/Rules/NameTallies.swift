// Queries counted by name: as many names as there is room for, and one number for the rest, so that somebody who asks
// for ever new names takes no memory.

import ChaosModel

/// Counters by name.
struct NameTallies {
    /// How many names are counted one by one.
    static let limit = 1024
    /// How many the report shows.
    static let shown = 20

    private struct Entry {
        var name: [UInt8]
        var matched: UInt64
        var hit: UInt64
    }

    /// By the hash of the name; two names of one hash share an entry, which 64 bits make unlikely.
    private var entries: [UInt64: Entry] = [:]
    private(set) var uncounted: UInt64 = 0

    /// Counts a query.
    mutating func count(_ name: QuestionName, isHit: Bool) {
        let hit: UInt64 = isHit ? 1 : 0
        if let index = entries.index(forKey: name.hash) {
            entries.values[index].matched += 1
            entries.values[index].hit += hit
        } else if entries.count < Self.limit {
            entries[name.hash] = Entry(name: Array(name.bytes[..<name.count]), matched: 1, hit: hit)
        } else {
            uncounted += 1
        }
    }

    /// The names with the most queries.
    var most: [NameCount.Tally] {
        let tallies = entries.values.map {
            NameCount.Tally(name: QuestionName.text($0.name), matched: $0.matched, hit: $0.hit)
        }
        let sorted = tallies.sorted { ($1.matched, $0.name) < ($0.matched, $1.name) }
        return Array(sorted.prefix(Self.shown))
    }
}
