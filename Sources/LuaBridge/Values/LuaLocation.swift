// Where in a script.

/// A line of a script, as the user named the file.
public struct LuaLocation: Sendable, Hashable, CustomStringConvertible {
    /// The path as it was given when the script was loaded.
    public let file: String
    /// The line, from 1.
    public let line: Int

    /// Names a line of a script.
    public init(file: String, line: Int) {
        self.file = file
        self.line = line
    }

    /// `file:line`.
    public var description: String {
        "\(file):\(line)"
    }
}
