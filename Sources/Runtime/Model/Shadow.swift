// What a shadow run counts: the packets that a fault would hit, and all that pass where it would look.

/// The prefix of a fault's name when it is only shadowed: `shadow:network.loss`.
package let shadowPrefix = "shadow:"

/// The fault that a name is about: what is said of it, as by a policy, holds for its shadow.
package func shadowedFault(_ name: String) -> String {
    name.hasPrefix(shadowPrefix) ? String(name.dropFirst(shadowPrefix.count)) : name
}

/// The packets that a fault would hit on a target.
package struct ShadowTraffic: Sendable, Hashable {
    /// Where.
    package var namespace: NetworkNamespace
    /// Packets that the fault would leave alone although a match would take them.
    package var pass: [PacketMatch]
    /// Packets that it would take.
    package var match: [PacketMatch]
    /// Whether only packets of this namespace's own sockets count, not those that it forwards.
    package var isOwnOnly: Bool
    /// Which these are, in words.
    package var summary: String
    /// What cannot be told by counting packets, one sentence each.
    package var notes: [String]

    /// Makes a traffic.
    package init(
        namespace: NetworkNamespace,
        pass: [PacketMatch],
        match: [PacketMatch],
        isOwnOnly: Bool = false,
        summary: String,
        notes: [String]
    ) {
        self.namespace = namespace
        self.pass = pass
        self.match = match
        self.isOwnOnly = isOwnOnly
        self.summary = summary
        self.notes = notes
    }
}

/// Rules that only count.
package struct PacketWatch: Sendable, Hashable, Codable {
    /// The name of our table, unique to the lease.
    package var name: String
    /// Packets that are not counted as matching although a match would take them.
    package var pass: [PacketMatch]
    /// Packets that are counted as matching.
    package var match: [PacketMatch]
    /// Whether packets that only pass through the namespace are left out.
    package var isOwnOnly: Bool

    /// Makes rules.
    package init(name: String, pass: [PacketMatch], match: [PacketMatch], isOwnOnly: Bool) {
        self.name = name
        self.pass = pass
        self.match = match
        self.isOwnOnly = isOwnOnly
    }
}

/// What rules that only count have seen.
package struct WatchCount: Sendable, Hashable {
    /// What matched.
    package var matched: PacketCount
    /// All packets that came by where it was looked, those included.
    package var seen: PacketCount

    /// Makes a count.
    package init(matched: PacketCount, seen: PacketCount) {
        self.matched = matched
        self.seen = seen
    }

    /// The share of packets that matched, 0…1; nil when none came by.
    package var share: Double? {
        seen.packets == 0 ? nil : Double(matched.packets) / Double(seen.packets)
    }
}
