// The port of the machine to faults of name resolution: where lookups go, what is in their way, and the responder.

/// How queries come to the fault.
package enum NameMethod: String, Sendable, Hashable, Codable, CaseIterable {
    /// Queries on port 53 are redirected to the responder by an owner table.
    case redirect
    /// The resolver's configuration names the responder.
    case resolvConf = "resolv_conf"
    /// The file of fixed names gives the addresses.
    case hosts

    /// The file that it edits.
    package var file: String? {
        switch self {
        case .redirect: nil
        case .resolvConf: "/etc/resolv.conf"
        case .hosts: "/etc/hosts"
        }
    }
}

/// Where lookups are meant: a network namespace, and whose files say how names are resolved there.
package struct NamePlace: Sendable, Hashable, Codable {
    /// The network namespace.
    package var namespace: NetworkNamespace
    /// The process whose root has the files; nil for the agent's own.
    package var process: ProcessIdentity?
    /// The mount namespace of that process, by inode: another process of it will do when the first has ended.
    package var mounts: UInt64?
    /// A folder before that: `/etc/netns/NAME` for a named namespace, whose programs see its files as their own.
    package var overlay: String?

    /// Makes a place.
    package init(
        namespace: NetworkNamespace,
        process: ProcessIdentity? = nil,
        overlay: String? = nil
    ) {
        self.namespace = namespace
        self.process = process
        self.overlay = overlay
    }
}

/// What was found about lookups in a place.
package struct NameSurvey: Sendable, Hashable, Codable {
    /// The place, with all that can be known of it.
    package var place: NamePlace
    /// The resolvers that the place names.
    package var resolvers: [SocketEnd]
    /// What is in the way of a fault or special, one sentence each.
    package var notes: [String]
    /// Why queries cannot be redirected; nil when they can.
    package var redirectObstacle: String?

    /// Makes a survey.
    package init(
        place: NamePlace,
        resolvers: [SocketEnd],
        notes: [String] = [],
        redirectObstacle: String? = nil
    ) {
        self.place = place
        self.resolvers = resolvers
        self.notes = notes
        self.redirectObstacle = redirectObstacle
    }
}

/// A fault of name resolution in one place: what the journal keeps.
package struct NameFault: Sendable, Hashable, Codable {
    /// The name of its table and the mark of its lines: `moonquake_` and the lease.
    package var name: String
    /// Where.
    package var place: NamePlace
    /// How.
    package var method: NameMethod
    /// Which queries, and what happens to them.
    package var rule: NameRule
    /// The resolvers that are known to be asked.
    package var resolvers: [SocketEnd]
    /// Users whose queries are meant; empty for all.
    package var users: [UInt32]
    /// Control groups whose queries are meant; empty for all.
    package var groups: [String]
    /// What happens to DNS over TLS and QUIC (port 853); nil for nothing.
    package var encrypted: PacketAnswer?
    /// Where the responder listens when files name it: the first address of a place.
    package var listener: NetworkAddress?
    /// All addresses that files name, each for the resolver of the same place in the list; a resolver library asks no
    /// more than three (MAXNS, resolv.h).
    package var listeners: [NetworkAddress] {
        guard let listener, listener.bytes.count == 4 else { return [] }
        return resolvers.prefix(3).indices.compactMap { index in
            var bytes = listener.bytes
            bytes[1] += UInt8(index)
            return NetworkAddress(bytes: bytes)
        }
    }

    /// Makes a fault.
    package init(
        name: String,
        place: NamePlace,
        method: NameMethod,
        rule: NameRule,
        resolvers: [SocketEnd] = [],
        users: [UInt32] = [],
        groups: [String] = [],
        encrypted: PacketAnswer? = nil,
        listener: NetworkAddress? = nil
    ) {
        self.name = name
        self.place = place
        self.method = method
        self.rule = rule
        self.resolvers = resolvers
        self.users = users
        self.groups = groups
        self.encrypted = encrypted
        self.listener = listener
    }
}

/// Faults of name resolution.
package protocol NameFaultPort: Sendable {
    /// Looks at how names are resolved in a place.
    func survey(_ place: NamePlace) async throws(KernelError) -> NameSurvey

    /// Begins a fault.
    func begin(_ fault: NameFault) async throws(KernelError)

    /// Looks a name up from inside and says in words whether the fault would be met; nil where that cannot be tried.
    func lookup(_ fault: NameFault) async throws(KernelError) -> String?

    /// What a fault has done so far; nil when it is not in force.
    func count(_ fault: NameFault) async throws(KernelError) -> NameCount?

    /// Waits until a fault has ended because its responder did, and says how; nil once it was ended by `end`, or when it
    /// has no responder.
    func endedEarly(_ fault: NameFault) async -> String?

    /// Ends a fault and removes all of it. Ending what is not there is no error.
    func end(_ fault: NameFault) async throws(KernelError)
}
