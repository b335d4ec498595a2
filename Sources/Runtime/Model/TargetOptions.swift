// The options of target selectors, described once.

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

    /// Names of containers.
    package static let containerName = Parameter(
        "name",
        ParameterKind<[String]>.list(of: .string(example: "\"web-1\"")),
        help: "Names of containers; `*` and `?` stand for any text and any character."
    )
    /// Labels of containers.
    package static let label = Parameter(
        "label",
        ParameterKind<[String]>.list(of: .string(example: "\"app=web\"")),
        help: "Labels that it must have, all of them: `name=value`, or `name` for any value."
    )
    /// The image of containers.
    package static let image = Parameter(
        "image",
        ParameterKind<String>.string(example: "\"nginx\""),
        help: "The image, with or without registry and tag; `*` and `?` as in names."
    )
    /// Ids of containers.
    package static let containerID = Parameter(
        "id",
        ParameterKind<[String]>.list(of: .string(example: "\"3f2a9c1b5d7e\"")),
        help: "Ids of containers, or their first 6 characters and more."
    )
    /// Where the engine listens.
    package static let socket = Parameter(
        "socket",
        ParameterKind<String>.string(example: "\"/run/podman/podman.sock\""),
        help:
            "The engine's socket; without it $DOCKER_HOST, or Docker's and Podman's usual ones, all that are there."
    )

    /// Units of systemd.
    package static let unit = Parameter(
        required: "unit",
        ParameterKind<[String]>.list(of: .string(example: "\"nginx.service\"")),
        help:
            "Names of services, scopes or slices; `.service` may be left out; `*` and `?` as in file names; "
            + "`worker@` stands for all instances of a template."
    )

    /// What it means that nothing matches.
    package static let ifAbsent = Parameter(
        "if_absent",
        ParameterKind<String>.choice(["fail", absentIsFine]),
        default: "fail",
        help: "What to do when nothing matches: \"fail\", or \"ok\" to go on without this fault."
    )
    /// The value of `if_absent` that makes nothing of it.
    package static let absentIsFine = "ok"

    /// The options of which a selector of a kind needs at least one.
    static func criteria(of kind: TargetKind) -> [String] {
        switch kind {
        case .process: ["pid", "name", "command", "exe", "user", "port", "cgroup"]
        case .container: ["name", "label", "image", "id"]
        // These are required options.
        case .host, .netns, .systemd: []
        }
    }

    static let common = [
        count.erased, percent.erased, atLeast.erased, except.erased, ifAbsent.erased,
    ]
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
        case .container:
            ParameterSet(
                of: "target.container",
                [
                    TargetOptions.containerName.erased, TargetOptions.label.erased,
                    TargetOptions.image.erased, TargetOptions.containerID.erased,
                    TargetOptions.socket.erased,
                ] + TargetOptions.common
            )
        case .systemd:
            ParameterSet(
                of: "target.systemd",
                [TargetOptions.unit.erased] + TargetOptions.common
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
        case .container: "Containers of Docker or Podman by name, label, image or id."
        case .systemd: "Units of systemd by name, through their control groups."
        }
    }
}
