// Classes of bytes in HTTP (RFC 9110, section 5.6.2), as bit masks: a look-up costs two instructions.

enum ByteClass {
    static let carriageReturn: UInt8 = 13
    static let lineFeed: UInt8 = 10
    static let space: UInt8 = 32
    static let tab: UInt8 = 9
    static let colon: UInt8 = 58

    private static let tokenLow = mask("!#$%&'*+-.0123456789", from: 0)
    private static let tokenHigh = mask(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~",
        from: 64
    )

    private static func mask(_ text: StaticString, from base: UInt8) -> UInt64 {
        text.withUTF8Buffer { $0.reduce(0) { $0 | 1 << UInt64($1 - base) } }
    }

    /// The masks by value, so that loops do not pass through the globals' initializers.
    struct Tokens {
        let low = ByteClass.tokenLow
        let high = ByteClass.tokenHigh

        @inline(__always)
        func contains(_ byte: UInt8) -> Bool {
            byte < 128 && (byte < 64 ? low : high) >> UInt64(byte & 63) & 1 == 1
        }
    }

    /// Whether a byte may stand in a header's value: visible, blank, tab, or above ASCII.
    @inline(__always)
    static func isText(_ byte: UInt8) -> Bool { byte >= 32 && byte != 127 || byte == 9 }
}

/// What is wrong with a message of HTTP/1.
struct MalformedMessage: Error, Hashable {
    /// The status to answer a request with.
    var status = 400
    /// In words.
    var reason: String

    init(_ reason: String, status: Int = 400) {
        self.reason = reason
        self.status = status
    }
}
