// Queries on their way to one real resolver, over one connected socket: each has an id of ours, by which its answer
// finds back to who asked. The table has a fixed size once it has grown; queries that nobody answered are forgotten
// when their place is needed.

import CDatagrams
import ChaosModel

/// Queries that wait for their answers.
struct Upstream {
    /// The largest table: every id of the DNS.
    static let largest = 1 << 16

    /// How many places are looked at for one that is free.
    private static let tries = 64

    /// A query that waits.
    struct Waiting {
        var client = dg_end()
        var id: UInt16 = 0
        /// What tells its question; nil where it could not be read.
        var check: UInt32?
        /// The id of ours; told from an empty place by `isUsed`.
        var ours: UInt16 = 0
        var isUsed = false
    }

    private var table = [Waiting](repeating: Waiting(), count: 256)
    private var next = UInt16.random(in: 0 ... .max)
    private var used = 0
    private var generator = SeededGenerator(seed: .random(in: 0 ... .max))

    /// How many wait.
    var waiting: Int { used }

    /// Takes a query in and returns its id of ours.
    ///
    /// The upper bits are random, as far as the table leaves any.
    mutating func add(_ client: dg_end, id: UInt16, check: UInt32?) -> UInt16 {
        if used * 2 > table.count, table.count < Self.largest { grow() }
        let mask = UInt16(truncatingIfNeeded: table.count - 1)
        next &+= 1
        // At most half of the places are taken while the table can grow; after that the one that waited longest goes.
        for _ in 0..<Self.tries where table[Int(next & mask)].isUsed { next &+= 1 }
        let random = UInt16(truncatingIfNeeded: generator.next())
        let ours = next & mask | random & ~mask
        let place = Int(ours & mask)
        if !table[place].isUsed { used += 1 }
        table[place] = Waiting(client: client, id: id, check: check, ours: ours, isUsed: true)
        return ours
    }

    /// The query that an answer is for, which waits no longer; nil when there is none.
    ///
    /// `check` tells its question; nil for an answer without one.
    mutating func take(_ ours: UInt16, check: UInt32?) -> Waiting? {
        let place = Int(ours) & (table.count - 1)
        let found = table[place]
        guard found.isUsed, found.ours == ours,
            check == nil || found.check == nil || check == found.check
        else { return nil }
        table[place].isUsed = false
        used -= 1
        return found
    }

    /// Doubles the table; ids that differed in their place still do.
    private mutating func grow() {
        let old = table
        table = [Waiting](repeating: Waiting(), count: old.count * 2)
        for entry in old where entry.isUsed { table[Int(entry.ours) & (table.count - 1)] = entry }
    }
}
