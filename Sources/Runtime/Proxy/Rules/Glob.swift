// Patterns in which `*` stands for any text, also none.

/// A pattern, compared byte by byte.
struct Glob: Sendable {
    private let parts: [[UInt8]]
    private let ignoresCase: Bool

    init(_ pattern: String, ignoresCase: Bool = false) {
        self.ignoresCase = ignoresCase
        let text = ignoresCase ? pattern.lowercased() : pattern
        parts = text.utf8.split(separator: 42, omittingEmptySubsequences: false).map(Array.init)
    }

    /// Whether a text is meant; takes time in proportion to text times pattern at most.
    func matches(_ text: some StringProtocol) -> Bool {
        let bytes = Array(ignoresCase ? text.lowercased().utf8 : String(text).utf8)
        guard let first = parts.first, let last = parts.last, parts.count > 1 else {
            return parts.first.map { $0 == bytes } ?? false
        }
        guard bytes.count >= first.count + last.count, bytes.starts(with: first),
            bytes.suffix(last.count).elementsEqual(last)
        else { return false }
        var at = first.count
        let end = bytes.count - last.count
        for part in parts.dropFirst().dropLast() {
            guard let found = Self.find(part, in: bytes, from: at, to: end) else { return false }
            at = found + part.count
        }
        return true
    }

    private static func find(_ part: [UInt8], in bytes: [UInt8], from: Int, to end: Int) -> Int? {
        guard from + part.count <= end else { return nil }
        return (from...end - part.count).first { bytes[$0..<$0 + part.count].elementsEqual(part) }
    }
}
