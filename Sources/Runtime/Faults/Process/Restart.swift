// What rollback means for a process that was ended.

import ChaosModel

/// How an ended process comes back.
enum Restart: Sendable, Hashable, Codable {
    /// Not at all, or by nobody we know.
    case nothing
    /// By its supervisor; rollback checks that it did.
    case supervised
    /// By this command, run without a shell.
    case command([String])

    /// The option `restart`.
    static let kind = ParameterKind<Restart>(
        shape: ParameterShape(
            type: "restart",
            json: "string",
            example: "\"supervised\"",
            allowed:
                "\"none\", \"supervised\", or a list of arguments such as { \"/usr/sbin/nginx\" }"
        )
    ) { value throws(ParameterProblem) in
        switch value {
        case .string("none"): return .nothing
        case .string("supervised"): return .supervised
        case .list(let items):
            var arguments: [String] = []
            for item in items {
                guard case .string(let text) = item, !text.utf8.contains(0) else { break }
                arguments.append(text)
            }
            guard arguments.count == items.count, arguments.first?.hasPrefix("/") == true else {
                fallthrough
            }
            return .command(arguments)
        default:
            throw ParameterProblem(
                "must be \"none\", \"supervised\", or a list of arguments whose first is an absolute path, "
                    + "got \(value)"
            )
        }
    }

    /// What the plan says about it.
    var promise: String {
        switch self {
        case .nothing: "nothing brings it back (restart = \"none\")"
        case .supervised: "rollback checks that its supervisor brought it back"
        case .command(let arguments): "rollback runs \(arguments.joined(separator: " "))"
        }
    }
}
