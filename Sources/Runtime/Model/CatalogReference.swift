// How a definition of the catalogue is named: `kill-one@3`, or `kill-one` for its newest version.

/// A name of the catalogue, and a version of it.
package struct CatalogReference: Sendable, Hashable, Codable, CustomStringConvertible {
    /// The name.
    package var name: String
    /// The version, from 1; nil for the newest.
    package var version: Int?

    /// The most characters of a name.
    package static let longestName = 100

    /// Makes a reference.
    package init(name: String, version: Int? = nil) {
        self.name = name
        self.version = version
    }

    /// Reads `NAME` or `NAME@VERSION`.
    package init(_ text: String) throws(ParameterProblem) {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        name = String(parts[0])
        guard Self.isName(name) else { throw Self.problem(of: name) }
        guard parts.count == 2 else { return }
        guard parts[1].allSatisfy({ $0.isASCII && $0.isNumber }), let number = Int(parts[1]),
            number >= 1
        else {
            throw ParameterProblem(
                "the version must be 1 or more, as in \"\(name)@3\", got \"\(text.escapedForDisplay)\""
            )
        }
        version = number
    }

    /// Whether a text may be a name: nothing in it means anything to a shell, a file system or a page.
    package static func isName(_ text: String) -> Bool {
        guard let first = text.first, (1...longestName).contains(text.utf8.count) else {
            return false
        }
        let isPlain = text.allSatisfy {
            $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0))
        }
        return isPlain && (first.isLetter || first.isNumber)
    }

    /// Why a text is no name.
    package static func problem(of text: String) -> ParameterProblem {
        ParameterProblem(
            "a name of the catalogue is 1 to \(longestName) ASCII letters, digits, \".\", \"_\" and \"-\" that begin "
                + "with a letter or digit, got \"\(text.escapedForDisplay)\""
        )
    }

    package var description: String { name + (version.map { "@\($0)" } ?? "") }
}
