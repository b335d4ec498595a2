// What a fault may hit: what a selector turned out to mean.
//
// A target is an identity, never a name: a process is its pid and start time, a network namespace its inode,
// so that what took a pid over later is never touched.
//
// Faults know three kinds of targets: the host, namespaces and processes. Containers and units are groups of
// these: a selector of a group resolves to the namespace or the processes of each, which carry the group that
// they are of. So no fault has a case for each kind of group.

/// The kinds of targets.
package enum TargetKind: String, Sendable, Hashable, Codable, CaseIterable {
    case host, netns, process, container, systemd

    /// Whether it is a group of processes, which a fault reaches through its parts.
    package var isGroup: Bool { self == .container || self == .systemd }
}

/// Which part of a group a fault hits.
package enum GroupReach: String, Sendable, Hashable, Codable {
    /// Its network namespace, once.
    case namespace
    /// Each of its processes.
    case processes
    /// The process that leads it, which stands for its control group and its namespaces.
    case leader
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

/// The group that a target is a part of: a container or a unit.
package struct TargetGroup: Sendable, Hashable, Codable {
    /// What kind of group it is.
    package var kind: TargetKind
    /// The name that a user knows it by: `web-1`, `nginx.service`.
    package var name: String
    /// What tells it from a later one of its name: a container's id, the path of a unit's control group.
    package var id: String
    /// The process that leads it: a container's first process, a unit's oldest.
    package var leader: ProcessIdentity

    /// Makes a group from its parts.
    package init(kind: TargetKind, name: String, id: String, leader: ProcessIdentity) {
        self.kind = kind
        self.name = name
        self.id = id
        self.leader = leader
    }
}

/// Something that a fault hits.
package enum Target: Sendable, Hashable {
    /// This host as a whole; for network faults, the namespace that the agent runs in.
    case host
    /// A network namespace, with the name the user knows.
    case netns(name: String, NetworkNamespace, of: TargetGroup? = nil)
    /// A process, with its name.
    case process(name: String, ProcessIdentity, of: TargetGroup? = nil)

    /// What kind it is.
    package var kind: TargetKind {
        switch self {
        case .host: .host
        case .netns: .netns
        case .process: .process
        }
    }

    /// The group that it is a part of, when it was selected through one.
    package var group: TargetGroup? {
        switch self {
        case .host: nil
        case .netns(_, _, let group), .process(_, _, let group): group
        }
    }

    /// The process: its own, or the one that leads the group whose namespace this is.
    package var process: ProcessIdentity? {
        switch self {
        case .host: nil
        case .netns(_, _, let group): group?.leader
        case .process(_, let identity, _): identity
        }
    }

    /// The name a user knows it by.
    package var name: String {
        switch self {
        case .host: "host"
        case .netns(let name, _, _), .process(let name, _, _): name
        }
    }

    /// What it is, whatever it was selected by: the same for one process found by pid and through its container.
    package var identity: TargetIdentity {
        switch self {
        case .host: .host
        case .netns(_, let namespace, _): .namespace(inode: namespace.inode)
        case .process(_, let process, _): .process(process)
        }
    }

    /// What counts as one target against a limit: a group as a whole, else the target itself.
    package var unit: TargetIdentity {
        group.map { .group($0.kind, id: $0.id) } ?? identity
    }
}

/// What a target is, without the names that it goes by.
package enum TargetIdentity: Sendable, Hashable, CustomStringConvertible {
    case host
    case namespace(inode: UInt64)
    case process(ProcessIdentity)
    case group(TargetKind, id: String)
    case controlGroup(path: String)

    /// A short text that is the same whenever the identity is: the name of its lock.
    package var description: String {
        switch self {
        case .host: "host"
        case .namespace(let inode): "netns \(inode)"
        case .process(let process): "process \(process.pid) \(process.startTime)"
        case .group(let kind, let id): "\(kind.rawValue) \(id)"
        case .controlGroup(let path): "control group \(path)"
        }
    }
}

extension Target: CustomStringConvertible {
    package var description: String {
        let group = group.map { " of \($0.kind.rawValue) \($0.name.escapedForDisplay)" } ?? ""
        return switch self {
        case .host: "host"
        case .netns(let name, _, nil): "netns \(name)"
        case .netns: "netns\(group)"
        case .process(let name, let identity, _):
            "process \(identity.pid) (\(name.escapedForDisplay))\(group)"
        }
    }
}

extension Target: Codable {
    private enum CodingKeys: String, CodingKey {
        case kind, name, pid, startTime, path, inode, group
    }

    package init(from decoder: any Decoder) throws {
        let fields = try decoder.container(keyedBy: CodingKeys.self)
        let group = try fields.decodeIfPresent(TargetGroup.self, forKey: .group)
        let kind = try fields.decode(TargetKind.self, forKey: .kind)
        switch kind {
        case .host:
            self = .host
        case .netns:
            let namespace = NetworkNamespace(
                path: try fields.decode(String.self, forKey: .path),
                inode: try fields.decode(UInt64.self, forKey: .inode)
            )
            let name = try fields.decode(String.self, forKey: .name)
            self = .netns(name: name, namespace, of: group)
        case .process:
            let identity = ProcessIdentity(
                pid: try fields.decode(Int32.self, forKey: .pid),
                startTime: try fields.decode(UInt64.self, forKey: .startTime)
            )
            let name = try fields.decode(String.self, forKey: .name)
            self = .process(name: name, identity, of: group)
        case .container, .systemd:
            throw DecodingError.dataCorruptedError(
                forKey: .kind,
                in: fields,
                debugDescription: "a \(kind.rawValue) is hit through its parts"
            )
        }
    }

    package func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(kind, forKey: .kind)
        switch self {
        case .host: break
        case .netns(let name, let namespace, _):
            try fields.encode(name, forKey: .name)
            try fields.encode(namespace.path, forKey: .path)
            try fields.encode(namespace.inode, forKey: .inode)
        case .process(let name, let identity, _):
            try fields.encode(name, forKey: .name)
            try fields.encode(identity.pid, forKey: .pid)
            try fields.encode(identity.startTime, forKey: .startTime)
        }
        try fields.encodeIfPresent(group, forKey: .group)
    }
}
