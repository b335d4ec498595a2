// Faults of name resolution as values: which queries are meant, and what happens to them.
//
// Names and types are checked here, so that neither the responder nor an edited file ever sees unchecked text.

/// Names that a fault of name resolution is for: one, all below one, or all.
package enum NamePattern: Sendable, Hashable, CustomStringConvertible {
    /// Every name: `*`.
    case all
    /// The names below one, but not itself: `*.example.com`.
    case below(String)
    /// Exactly one: `db.example.com`.
    case one(String)

    /// Reads a pattern; nil for what is none.
    ///
    /// Case and a dot at the end do not matter.
    package init?(_ text: String) {
        var name = text.lowercased()
        if name.count > 1, name.hasSuffix(".") { name.removeLast() }
        if name == "*" {
            self = .all
        } else if name.hasPrefix("*.") {
            let rest = String(name.dropFirst(2))
            guard Self.isName(rest) else { return nil }
            self = .below(rest)
        } else {
            guard Self.isName(name) else { return nil }
            self = .one(name)
        }
    }

    package var description: String {
        switch self {
        case .all: "*"
        case .below(let name): "*.\(name)"
        case .one(let name): name
        }
    }

    /// Whether a text is a name of the DNS: labels of 1 to 63 letters, digits, `-` and `_`, 253 in all.
    package static func isName(_ text: String) -> Bool {
        guard !text.isEmpty, text.utf8.count <= 253 else { return false }
        return text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { label in
            (1...63).contains(label.utf8.count)
                && label.utf8.allSatisfy { byte in
                    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                        || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
                        || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
                }
        }
    }
}

extension NamePattern: Codable {
    package init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        let text = try container.decode(String.self)
        guard let pattern = NamePattern(text) else {
            throw DecodingError.dataCorruptedError(
                in: container,
                debugDescription: "not a pattern of names: \(text)"
            )
        }
        self = pattern
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }
}

/// A type of DNS records.
package struct RecordType: Sendable, Hashable, Codable, CustomStringConvertible {
    /// The number (IANA).
    package var number: UInt16

    /// Makes a type from its number.
    package init(number: UInt16) { self.number = number }

    package static let a = RecordType(number: 1)
    package static let aaaa = RecordType(number: 28)
    package static let https = RecordType(number: 65)

    /// The types that have names here.
    package static let named: [(name: String, number: UInt16)] = [
        ("A", 1), ("NS", 2), ("CNAME", 5), ("SOA", 6), ("PTR", 12), ("MX", 15), ("TXT", 16),
        ("AAAA", 28), ("SRV", 33), ("NAPTR", 35), ("DS", 43), ("DNSKEY", 48), ("TLSA", 52),
        ("SVCB", 64), ("HTTPS", 65), ("ANY", 255), ("CAA", 257),
    ]

    package var description: String {
        Self.named.first { $0.number == number }?.name ?? "TYPE\(number)"
    }
}

/// The answers of `dns.error`, by their names.
package enum NameError: String, Sendable, Hashable, Codable, CaseIterable {
    case nxdomain = "NXDOMAIN"
    case servfail = "SERVFAIL"
    case refused = "REFUSED"

    /// The RCODE (RFC 1035).
    package var code: UInt8 {
        switch self {
        case .servfail: 2
        case .nxdomain: 3
        case .refused: 5
        }
    }
}

/// What happens to a query that is hit.
package enum NameAction: Sendable, Hashable, Codable {
    /// It is answered with an error.
    case error(NameError)
    /// It is answered with these addresses; a family without any is answered with none.
    case spoof([NetworkAddress], ttlSeconds: UInt32)
    /// It goes on late by `delayMs`, give or take up to `jitterMs`.
    case delay(delayMs: Double, jitterMs: Double)
    /// It is never answered.
    case drop
}

/// Which queries a fault hits, and what happens to them.
package struct NameRule: Sendable, Hashable, Codable {
    /// The names; one match is enough.
    package var names: [NamePattern]
    /// Names that are left alone although `names` has them.
    package var except: [NamePattern]
    /// The types; empty means all.
    package var types: [RecordType]
    /// The share of the queries that match which is hit, 0 to 1.
    package var share: Double
    /// Which of them are hit.
    package var seed: UInt64
    /// What happens to them.
    package var action: NameAction

    /// Makes a rule.
    package init(
        names: [NamePattern],
        except: [NamePattern] = [],
        types: [RecordType] = [],
        share: Double = 1,
        seed: UInt64 = 0,
        action: NameAction
    ) {
        self.names = names
        self.except = except
        self.types = types
        self.share = share
        self.seed = seed
        self.action = action
    }
}

/// What a fault of name resolution has done.
package struct NameCount: Sendable, Hashable, Codable {
    /// One name with its queries.
    package struct Tally: Sendable, Hashable, Codable {
        /// The name as text.
        package var name: String
        /// Its queries that the rule was for.
        package var matched: UInt64
        /// How many of them were hit.
        package var hit: UInt64

        /// Makes a tally.
        package init(name: String, matched: UInt64, hit: UInt64) {
            self.name = name
            self.matched = matched
            self.hit = hit
        }
    }

    /// Queries that came by, whether the rule was for them or not.
    package var seen: UInt64 = 0
    /// Queries that the rule was for.
    package var matched: UInt64 = 0
    /// Queries that were hit.
    package var hit: UInt64 = 0
    /// Queries that should have been delayed and went on at once, because too many waited.
    package var bypassed: UInt64 = 0
    /// Queries and answers that could not be passed on: a failure that is not injected.
    package var failed: UInt64 = 0
    /// Packets to cut ports that were refused.
    package var cut: UInt64 = 0
    /// The names with the most queries, at most 20.
    package var names: [Tally] = []
    /// Queries that matched by names beyond those that are counted one by one.
    package var uncounted: UInt64 = 0

    /// Makes an empty count.
    package init() {}
}

/// An address and a port.
package struct SocketEnd: Sendable, Hashable, Codable, CustomStringConvertible {
    /// The address.
    package var address: NetworkAddress
    /// The port.
    package var port: Int

    /// Makes an end.
    package init(_ address: NetworkAddress, port: Int) {
        self.address = address
        self.port = port
    }

    package var description: String {
        address.isIPv6 ? "[\(address.addressText)]:\(port)" : "\(address.addressText):\(port)"
    }
}
