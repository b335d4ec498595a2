// What is wrong with an argument, in one sentence that names everything.

/// An argument that a Swift function refused.
public struct LuaArgumentError: Error, Hashable, CustomStringConvertible {
    /// The message.
    public let description: String

    /// An argument of the wrong type.
    public init(function: String, position: Int, name: String, expected: String, got: LuaValue) {
        let shown = got.isNil ? "nothing" : "\(got) (\(got.typeName))"
        description =
            "\(function): argument \(position)\(name.isEmpty ? "" : " (\(name))") must be \(Self.article(expected)), "
            + "got \(shown)"
    }

    /// The wrong number of arguments.
    public init(function: String, count: Int, allowed: ClosedRange<Int>) {
        let bounds =
            allowed.count == 1
            ? "\(allowed.lowerBound)" : "\(allowed.lowerBound) to \(allowed.upperBound)"
        let noun = allowed == 1...1 ? "argument" : "arguments"
        description = "\(function) takes \(bounds) \(noun), got \(count)"
    }

    /// Any other complaint, prefixed by the function's name.
    public init(function: String, message: String) {
        description = "\(function): \(message)"
    }

    private static func article(_ type: String) -> String {
        guard let first = type.first, !type.contains(" ") else { return type }
        return "aeiou".contains(first) ? "an \(type)" : "a \(type)"
    }
}
