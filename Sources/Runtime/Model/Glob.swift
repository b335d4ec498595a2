// Patterns with `*` and `?`, as users know them from file names.

/// A pattern in which `*` stands for any text and `?` for any one character.
package struct Glob: Sendable, Hashable, Codable, CustomStringConvertible {
    /// The pattern as written.
    package let pattern: String

    /// Makes a pattern; one without `*` and `?` matches itself only.
    package init(_ pattern: String) { self.pattern = pattern }

    package init(from decoder: any Decoder) throws {
        pattern = try decoder.singleValueContainer().decode(String.self)
    }

    package func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(pattern)
    }

    package var description: String { pattern }

    /// Whether a whole text matches.
    ///
    /// Never takes more steps than the product of the two lengths: only the last `*` is ever tried again.
    package func matches(_ text: String) -> Bool {
        let wanted = Array(pattern)
        let given = Array(text)
        var (at, from) = (0, 0)
        var retry: (pattern: Int, text: Int)?
        while from < given.count {
            if at < wanted.count, wanted[at] == "*" {
                retry = (at, from)
                at += 1
            } else if at < wanted.count, wanted[at] == "?" || wanted[at] == given[from] {
                at += 1
                from += 1
            } else if let last = retry {
                retry = (last.pattern, last.text + 1)
                (at, from) = (last.pattern + 1, last.text + 1)
            } else {
                return false
            }
        }
        return wanted[at...].allSatisfy { $0 == "*" }
    }
}
