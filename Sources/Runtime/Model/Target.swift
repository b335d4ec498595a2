// What a fault may hit: how a person names it (selector) and what it turned out to be (target).
//
// A target is an identity, never a name: a process is its pid and start time, a network namespace its inode,
// so that what took a pid over later is never touched.

/// The kinds of targets.
package enum TargetKind: String, Sendable, Hashable, Codable, CaseIterable {
    case host, netns, process
}

/// One process, told apart from a later one with the same pid by its start time.
package struct ProcessIdentity: Sendable, Hashable, Codable {
    /// The process id in the namespace that the agent runs in.
    package var pid: Int32
    /// Field 22 of /proc/PID/stat: clock ticks since boot.
    package var startTime: UInt64

    /// Makes an identity from its parts.
    package init(pid: Int32, startTime: UInt64) {
        self.pid = pid
        self.startTime = startTime
    }
}

/// One network namespace, told apart from a later one of the same name by its inode.
package struct NetworkNamespace: Sendable, Hashable, Codable {
    /// The file that opens it: `/run/netns/NAME` or `/proc/PID/ns/net`.
    package var path: String
    /// The inode of the namespace in nsfs.
    package var inode: UInt64

    /// Makes a namespace from its parts.
    package init(path: String, inode: UInt64) {
        self.path = path
        self.inode = inode
    }
}

/// Something that a fault hits.
package enum Target: Sendable, Hashable {
    /// This host as a whole; for network faults, the namespace that the agent runs in.
    case host
    /// A network namespace, with the name the user knows.
    case netns(name: String, NetworkNamespace)
    /// A process, with its name.
    case process(name: String, ProcessIdentity)

    /// What kind it is.
    package var kind: TargetKind {
        switch self {
        case .host: .host
        case .netns: .netns
        case .process: .process
        }
    }
}

extension Target: CustomStringConvertible {
    package var description: String {
        switch self {
        case .host: "host"
        case .netns(let name, _): "netns \(name)"
        case .process(let name, let identity): "process \(identity.pid) (\(name.escapedForDisplay))"
        }
    }
}

extension Target: Codable {
    private enum CodingKeys: String, CodingKey {
        case kind, name, pid, startTime, path, inode
    }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        switch try fields.decode(TargetKind.self, forKey: .kind) {
        case .host:
            self = .host
        case .netns:
            let namespace = NetworkNamespace(
                path: try fields.decode(String.self, forKey: .path),
                inode: try fields.decode(UInt64.self, forKey: .inode)
            )
            self = .netns(name: try fields.decode(String.self, forKey: .name), namespace)
        case .process:
            let identity = ProcessIdentity(
                pid: try fields.decode(Int32.self, forKey: .pid),
                startTime: try fields.decode(UInt64.self, forKey: .startTime)
            )
            self = .process(name: try fields.decode(String.self, forKey: .name), identity)
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(kind, forKey: .kind)
        switch self {
        case .host: break
        case .netns(let name, let namespace):
            try fields.encode(name, forKey: .name)
            try fields.encode(namespace.path, forKey: .path)
            try fields.encode(namespace.inode, forKey: .inode)
        case .process(let name, let identity):
            try fields.encode(name, forKey: .name)
            try fields.encode(identity.pid, forKey: .pid)
            try fields.encode(identity.startTime, forKey: .startTime)
        }
    }
}

/// How a person names targets: a kind, what they must match, and how many of the matches are meant.
package struct TargetSelector: Sendable, Hashable, Codable {
    /// The kind: `process` in `target.process {…}`.
    package var kind: TargetKind
    /// The options as given, those of the kind and the common ones.
    package var options: [String: ParameterValue]
    /// The line of the script.
    package var location: SourceLocation?

    /// Makes a selector; call `validated()` before use.
    package init(
        kind: TargetKind,
        options: [String: ParameterValue],
        location: SourceLocation? = nil
    ) {
        self.kind = kind
        self.options = options
        self.location = location
    }

    /// The options, checked.
    package func validated() throws(DefinitionError) -> Parameters {
        let parameters = try kind.parameterSet.validate(options, at: location)
        if kind == .process,
            !TargetOptions.processCriteria.contains(where: parameters.given.contains)
        {
            let names = TargetOptions.processCriteria.joined(separator: ", ")
            throw parameters.error("selects every process: give at least one of \(names)")
        }
        if parameters[TargetOptions.count] != nil, parameters[TargetOptions.percent] != nil {
            throw parameters.error("count and percent exclude each other: give one of them")
        }
        return parameters
    }
}

extension TargetSelector: CustomStringConvertible {
    package var description: String {
        let fields = ParameterValue.table(options)
        return options.isEmpty ? "target.\(kind.rawValue) {}" : "target.\(kind.rawValue) \(fields)"
    }
}

/// The options of target selectors.
package enum TargetOptions {
    /// How many of the matches.
    package static let count = Parameter(
        "count",
        ParameterKind<Int>.integer(1...1_000_000),
        help: "Hit this many of the matches, chosen by the seed."
    )
    /// What share of the matches.
    package static let percent = Parameter(
        "percent",
        ParameterKind<Double>.percent,
        help: "Hit this share of the matches, rounded down, chosen by the seed."
    )
    /// The least number to hit.
    package static let atLeast = Parameter(
        "at_least",
        ParameterKind<Int>.integer(1...1_000_000),
        help: "Hit at least this many even if a share rounds below it."
    )
    /// Names left out.
    package static let except = Parameter(
        "except",
        ParameterKind<[String]>.list(of: .string(example: "\"name\"")),
        help: "Leave out targets of these names."
    )

    /// The name of a network namespace.
    package static let netnsName = Parameter(
        required: "name",
        ParameterKind<[String]>.list(of: .namespaceName),
        help: "Names as in `ip netns list`."
    )

    /// Process ids.
    package static let pid = Parameter(
        "pid",
        ParameterKind<[Int]>.list(of: .integer(1...4_194_304, example: "4711")),
        help: "Process ids."
    )
    /// The full name of the program.
    package static let name = Parameter(
        "name",
        ParameterKind<String>.string(example: "\"nginx\""),
        help:
            "The program's name: the file name of the executable or of argv[0], whole, or the kernel's short name."
    )
    /// A part of the command line.
    package static let command = Parameter(
        "command",
        ParameterKind<String>.string(example: "\"nginx: worker\""),
        help: "A part of the command line."
    )
    /// The path of the executable.
    package static let exe = Parameter(
        "exe",
        ParameterKind<String>.string(example: "\"/usr/sbin/nginx\""),
        help: "The path of the executable."
    )
    /// The owner.
    package static let user = Parameter(
        "user",
        ParameterKind<String>.string(example: "\"www-data\""),
        help: "The owner: a user name or a numeric id."
    )
    /// A listening port.
    package static let port = Parameter(
        "port",
        ParameterKind<Int>.port,
        help: "A TCP or UDP port it listens on, IPv4 or IPv6, in the agent's network namespace."
    )
    /// A control group.
    package static let cgroup = Parameter(
        "cgroup",
        ParameterKind<String>.string(example: "\"/system.slice/nginx.service\""),
        help: "A control group, those below it included."
    )

    /// The options of which a process selector needs at least one.
    static let processCriteria = ["pid", "name", "command", "exe", "user", "port", "cgroup"]

    static let common = [count.erased, percent.erased, atLeast.erased, except.erased]
}

extension TargetKind {
    /// The options of `target.KIND`.
    package var parameterSet: ParameterSet {
        switch self {
        case .host: ParameterSet(of: "target.host", [])
        case .netns:
            ParameterSet(
                of: "target.netns",
                [TargetOptions.netnsName.erased] + TargetOptions.common
            )
        case .process:
            ParameterSet(
                of: "target.process",
                [
                    TargetOptions.pid.erased, TargetOptions.name.erased,
                    TargetOptions.command.erased,
                    TargetOptions.exe.erased, TargetOptions.user.erased, TargetOptions.port.erased,
                    TargetOptions.cgroup.erased,
                ] + TargetOptions.common
            )
        }
    }

    /// One sentence for the help.
    package var summary: String {
        switch self {
        case .host: "This host as a whole."
        case .netns: "Network namespaces by name."
        case .process:
            "Processes by id, name, command line, executable, owner, listening port or control group."
        }
    }
}
