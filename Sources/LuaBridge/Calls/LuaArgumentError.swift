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
        let most = allowed.upperBound
        let bounds =
            switch (allowed.lowerBound, most) {
            case (0, 0): "no"
            case (most, _): "\(most)"
            case (0, _): "at most \(most)"
            default: "\(allowed.lowerBound) to \(most)"
            }
        description =
            "\(function) takes \(bounds) argument\(most == 1 ? "" : "s"), got \(count)"
    }

    /// Any other complaint, prefixed by the function's name.
    public init(function: String, message: String) {
        description = "\(function): \(message)"
    }

    private static func article(_ type: String) -> String {
        let hasOne = ["a ", "an ", "one ", "either "].contains(where: type.hasPrefix)
        guard let first = type.first, !hasOne else { return type }
        return "aeiou".contains(first) ? "an \(type)" : "a \(type)"
    }
}
