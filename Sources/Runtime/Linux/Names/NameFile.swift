// Edits of resolv.conf and hosts, as text: lines of ours are added with our mark, lines in their way are put behind a
// mark. Taking the edit back removes the former and uncovers the latter, and leaves whatever others did meanwhile.

import ChaosModel

/// The lines of a file, each with its end, so that nothing else of it changes.
struct NameFile: Equatable {
    /// The longest file that is edited.
    static let limit = 4 << 20

    private(set) var lines: [Line]

    /// A line with its end, where it has one.
    struct Line: Equatable {
        var bytes: [UInt8]

        /// The text without the end and what is after a `#`.
        var words: [Substring] {
            let text = String(decoding: bytes, as: UTF8.self)
            let content = text.prefix { $0 != "#" && $0 != "\n" && $0 != "\r\n" }
            return content.split(whereSeparator: \.isWhitespace)
        }
    }

    /// Reads a file.
    init(_ bytes: [UInt8]) {
        lines = []
        var rest = bytes[...]
        while !rest.isEmpty {
            let end = rest.firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? rest.endIndex
            lines.append(Line(bytes: Array(rest[..<end])))
            rest = rest[end...]
        }
    }

    var bytes: [UInt8] { lines.flatMap(\.bytes) }

    /// Whether an edit with this mark is in it.
    func has(_ mark: String) -> Bool {
        lines.contains { Self.isAdded($0, mark) }
    }

    /// The file without any edit of ours.
    var plain: NameFile {
        var file = self
        // The last edit stands first.
        for mark in lines.compactMap(Self.mark(ofHeading:)) { file.restore(mark) }
        return file
    }

    /// Makes resolvers of ours the only ones.
    mutating func redirect(to resolvers: [NetworkAddress], mark: String) {
        cover(mark) { $0.first == "nameserver" }
        // A comment cannot stand after an address: each has the mark on a line before it.
        for resolver in resolvers.reversed() {
            add(["nameserver \(resolver.addressText)"], mark: mark, isCommentAllowed: false)
        }
    }

    /// Gives names these addresses and no others.
    mutating func give(_ names: [String], _ addresses: [NetworkAddress], mark: String) {
        let hit = Set(names.map { $0.lowercased() })
        var kept: [String] = []
        cover(mark) { words in
            let others = words.dropFirst().filter { !hit.contains($0.lowercased()) }
            guard others.count < words.count - 1 else { return false }
            if let address = words.first, !others.isEmpty {
                kept.append("\(address) \(others.joined(separator: " "))")
            }
            return true
        }
        let given = addresses.map { "\($0.addressText) \(names.joined(separator: " "))" }
        add(given + kept, mark: mark, isCommentAllowed: true)
    }

    /// Takes an edit back; what is not there is no error.
    mutating func restore(_ mark: String) {
        let prefix = Self.cover(mark)
        var follows = false
        lines = lines.compactMap { line in
            defer { follows = Self.isHeading(line, mark) }
            if follows, line.words.first == "nameserver" { return nil }
            if Self.isAdded(line, mark) { return nil }
            guard line.bytes.starts(with: prefix) else { return line }
            return Line(bytes: Array(line.bytes.dropFirst(prefix.count)))
        }
    }

    private mutating func cover(_ mark: String, where isInTheWay: ([Substring]) -> Bool) {
        lines = lines.map { line in
            let words = line.words
            guard !words.isEmpty, isInTheWay(words) else { return line }
            return Line(bytes: Self.cover(mark) + line.bytes)
        }
    }

    private mutating func add(_ texts: [String], mark: String, isCommentAllowed: Bool) {
        let heading = "\(Self.heading)\(Self.end(mark))\n"
        let added = texts.map { isCommentAllowed ? "\($0) \(Self.end(mark))\n" : "\($0)\n" }
        lines = ([heading] + added).map { Line(bytes: Array($0.utf8)) } + lines
    }

    private static let heading = "# until this fault ends or `moonquake recover` is run "

    private static func end(_ mark: String) -> String { "#\(mark)" }

    private static func cover(_ mark: String) -> [UInt8] { Array("#\(mark): ".utf8) }

    private static func isAdded(_ line: Line, _ mark: String) -> Bool {
        let bytes = line.bytes.last == UInt8(ascii: "\n") ? line.bytes.dropLast() : line.bytes[...]
        return bytes.reversed().starts(with: end(mark).utf8.reversed())
    }

    private static func isHeading(_ line: Line, _ mark: String) -> Bool {
        Self.mark(ofHeading: line) == mark
    }

    /// The mark of an edit whose heading this line is; nil for any other line.
    private static func mark(ofHeading line: Line) -> String? {
        guard line.bytes.starts(with: "\(heading)#moonquake_".utf8) else { return nil }
        let rest = line.bytes.dropFirst(heading.utf8.count + 1).prefix { $0 != UInt8(ascii: "\n") }
        return String(decoding: rest, as: UTF8.self)
    }
}
