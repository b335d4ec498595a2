// The names of our ifbs, which must fit 15 bytes and tell which lease they belong to.
//
//   mq KEY e 2      e: egress, i: ingress; a number where leases meet on the same packets

import ChaosModel

/// Names of ifbs.
enum NetemNames {
    private static let prefix = "mq"
    private static let longestKey = 10

    /// The name of an ifb of a lease.
    static func device(of lease: String, _ direction: PacketDirection, number: Int) -> String {
        "\(prefix)\(key(of: lease))\(letter(direction))\(number == 0 ? "" : String(number))"
    }

    /// Whether an ifb has a name that a lease would have given it.
    static func isDevice(_ name: String, of lease: String) -> Bool {
        key(ofDevice: name) == key(of: lease)
    }

    /// The part of a name that stands for the lease; nil for names that are not ours.
    static func key(ofDevice name: String) -> String? {
        guard name.hasPrefix(prefix) else { return nil }
        let stem = name.dropFirst(prefix.count).reversed().drop { $0.isNumber }
        guard let letter = stem.first, "ei".contains(letter), stem.count > 1 else { return nil }
        return String(stem.dropFirst().reversed())
    }

    /// The lease's own name where that is short, or what it comes to as a number (FNV-1a).
    private static func key(of lease: String) -> String {
        let own = lease.dropFirst(RulePlan.namePrefix.count)
        guard own.utf8.count > longestKey else { return String(own) }
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in lease.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return String(String(hash, radix: 36).suffix(longestKey))
    }

    private static func letter(_ direction: PacketDirection) -> String {
        direction == .egress ? "e" : "i"
    }
}
