// Where in a user's file something was said. Every message about a definition ends with it.

/// A line of a script or definition file.
package struct SourceLocation: Sendable, Hashable, Codable, CustomStringConvertible {
    /// The path as the user gave it.
    package var file: String
    /// The line, counted from 1.
    package var line: Int

    /// Makes a location from its parts.
    package init(file: String, line: Int) {
        self.file = file
        self.line = line
    }

    /// `scripts/experiments/slow-db.lua:14`.
    package var description: String { "\(file):\(line)" }
}
