// The series that a PromQL query takes as they stand, so that their age can be asked for.
//
// A server goes on answering with the last value of a series for five minutes after it has stopped to get new ones. The
// API does not tell how old a value is, but `timestamp(series)` does. So the selectors of the query are found: names
// with or without braces, and braces alone. Those with a range, an offset or an @ have the age that their author chose.

/// Finds the instant selectors of a query.
enum QuerySelectors {
    /// The most whose age is asked for at a sample.
    static let most = 8

    private static let words: Set<String> = [
        "and", "or", "unless", "by", "without", "on", "ignoring", "group_left", "group_right",
        "bool", "offset", "inf", "nan", "start", "end", "atan2",
    ]
    /// Words that are followed by a list of label names.
    private static let listed: Set<String> = [
        "by", "without", "on", "ignoring", "group_left", "group_right",
    ]

    /// The instant selectors, each once, in their order; empty when a bracket or quote does not close.
    static func instant(in query: String) -> [String] {
        var scanner = Scanner(Array(query.utf8))
        var found: [String] = []
        while let token = scanner.next() {
            guard case .selector(let text) = token, !found.contains(text) else { continue }
            found.append(text)
        }
        return scanner.isBroken ? [] : Array(found.prefix(most))
    }

    private enum Token {
        case selector(String)
        case other
    }

    private struct Scanner {
        private let bytes: [UInt8]
        private var at = 0
        private(set) var isBroken = false

        init(_ bytes: [UInt8]) { self.bytes = bytes }

        mutating func next() -> Token? {
            skipBlanks()
            guard at < bytes.count, !isBroken else { return nil }
            let byte = bytes[at]
            if QuerySelectors.isNameStart(byte) { return name() }
            if byte == UInt8(ascii: "{") {
                let start = at
                skipBraces()
                return selector(from: start)
            }
            if "\"'`".utf8.contains(byte) {
                skipQuotes()
            } else if QuerySelectors.isDigit(byte) || byte == UInt8(ascii: ".") {
                // A number or a duration: its letters are no name.
                while at < bytes.count,
                    QuerySelectors.isNamePart(bytes[at]) || bytes[at] == UInt8(ascii: ".")
                {
                    at += 1
                }
            } else {
                at += 1
            }
            return .other
        }

        private mutating func name() -> Token {
            let start = at
            while at < bytes.count, QuerySelectors.isNamePart(bytes[at]) { at += 1 }
            let word = String(decoding: bytes[start..<at], as: UTF8.self).lowercased()
            let end = at
            skipBlanks()
            if QuerySelectors.words.contains(word) {
                if QuerySelectors.listed.contains(word), peek == UInt8(ascii: "(") { skipList() }
                return .other
            }
            if peek == UInt8(ascii: "{") {
                skipBraces()
                return selector(from: start)
            }
            // A function or an aggregation, whose labels may come first: `sum by (job) (up)`.
            if peek == UInt8(ascii: "(") || isFollowedByGrouping { return .other }
            at = end
            return selector(from: start)
        }

        private mutating func selector(from start: Int) -> Token {
            let text = String(decoding: bytes[start..<at], as: UTF8.self)
            skipBlanks()
            let isAged = peek == UInt8(ascii: "[") || peek == UInt8(ascii: "@") || isNext("offset")
            if peek == UInt8(ascii: "[") { skip(to: UInt8(ascii: "]")) }
            return isAged ? .other : .selector(text)
        }

        private var peek: UInt8? { at < bytes.count ? bytes[at] : nil }

        private var isFollowedByGrouping: Bool { isNext("by") || isNext("without") }

        private func isNext(_ word: String) -> Bool {
            let letters = Array(word.utf8)
            guard at + letters.count <= bytes.count,
                bytes[at..<at + letters.count].elementsEqual(letters)
            else { return false }
            let after = at + letters.count
            return after == bytes.count || !QuerySelectors.isNamePart(bytes[after])
        }

        private mutating func skipBlanks() {
            while let byte = peek {
                if byte == UInt8(ascii: "#") {
                    while let next = peek, next != UInt8(ascii: "\n") { at += 1 }
                } else if byte == 0x20 || (0x09...0x0d).contains(byte) {
                    at += 1
                } else {
                    return
                }
            }
        }

        private mutating func skip(to end: UInt8) {
            while let byte = peek {
                at += 1
                if byte == end { return }
            }
            isBroken = true
        }

        private mutating func skipList() { skip(to: UInt8(ascii: ")")) }

        private mutating func skipQuotes() {
            let quote = bytes[at]
            at += 1
            while let byte = peek {
                at += 1
                if byte == quote { return }
                if byte == UInt8(ascii: "\\"), quote != UInt8(ascii: "`"), at < bytes.count {
                    at += 1
                }
            }
            isBroken = true
        }

        private mutating func skipBraces() {
            at += 1
            while let byte = peek {
                if "\"'`".utf8.contains(byte) {
                    skipQuotes()
                } else {
                    at += 1
                    if byte == UInt8(ascii: "}") { return }
                }
            }
            isBroken = true
        }
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    private static func isNameStart(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "_"), UInt8(ascii: ":"):
            true
        default: false
        }
    }

    private static func isNamePart(_ byte: UInt8) -> Bool { isNameStart(byte) || isDigit(byte) }
}
