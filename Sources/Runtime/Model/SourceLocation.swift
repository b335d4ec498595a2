// Where in a user's file something was said. Every message about a definition ends with it.

/// A line of a script or definition file.
public struct SourceLocation: Sendable, Hashable, Codable, CustomStringConvertible {
    /// The path as the user gave it.
    public var file: String
    /// The line, counted from 1.
    public var line: Int

    /// Makes a location from its parts.
    public init(file: String, line: Int) {
        self.file = file
        self.line = line
    }

    /// `scripts/experiments/slow-db.lua:14`.
    public var description: String { "\(file):\(line)" }
}
