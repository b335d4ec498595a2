// What the DNS faults have in common: which queries of whom, how they come to the fault, and how it is verified and put
// back. Each fault only says what happens to a query.

package import ChaosModel

/// A fault of name resolution.
package protocol NameTrafficFault: CarriedFault where Undo == NameFault, Count == NameCount {
    /// Which queries, of whom.
    var traffic: NameTraffic { get }
    /// What happens to them.
    var action: NameAction { get }
    /// The same in words: `answers NXDOMAIN`.
    var summary: String { get }
}

/// The options that all of these faults share.
package struct NameTraffic: Sendable {
    static let names = Parameter(
        required: "names",
        ParameterKind<[NamePattern]>.list(of: .namePattern),
        help: "The names: exactly one (db.test), all below one (*.test), or all (*)."
    )
    static let except = Parameter(
        "except",
        ParameterKind<[NamePattern]>.list(of: .namePattern),
        help: "Names that are left alone although `names` has them."
    )
    static let types = Parameter(
        "types",
        ParameterKind<[RecordType]>.list(of: .recordType),
        help: "The types of records; without it, all."
    )
    static let share = Parameter(
        "traffic",
        ParameterKind<Double>.percent,
        default: "100%",
        help: "The share of the queries that match which is hit, chosen by the seed."
    )
    static let users = Parameter(
        "user",
        ParameterKind<[String]>.list(of: .string(example: "\"www-data\"")),
        help: "Only queries of these users: names or numeric ids."
    )
    static let groups = Parameter(
        "cgroup",
        ParameterKind<[String]>.list(of: .string(example: "\"/system.slice/nginx.service\"")),
        help: "Only queries of these control groups (v2), those below them included."
    )
    static let encrypted = Parameter(
        "dot",
        ParameterKind<String>.choice(["pass", "drop", "reset"]),
        default: "pass",
        help: "What happens to DNS over TLS and QUIC (port 853), which cannot be looked into."
    )
    static let method = Parameter(
        "method",
        ParameterKind<String>.choice(["auto", "redirect", "resolv_conf"]),
        default: "auto",
        help: "How queries come to the fault: redirected by nft, or by an edit of resolv.conf."
    )

    /// All of them but `types`, with the ways that a fault can be made.
    static func parameters(_ method: Parameter<String> = method) -> [ParameterDescriptor] {
        [
            names.erased, except.erased, share.erased, users.erased, groups.erased,
            encrypted.erased, method.erased,
        ]
    }

    let names: [NamePattern]
    let except: [NamePattern]
    let types: [RecordType]
    let share: Double
    let users: [String]
    let groups: [String]
    let encrypted: PacketAnswer?
    /// The way that is asked for; nil for the best.
    let method: NameMethod?

    init(
        _ parameters: Parameters,
        types fixed: [RecordType]? = nil,
        method named: Parameter<String> = method
    ) throws(DefinitionError) {
        names = try parameters.value(Self.names)
        except = parameters[Self.except] ?? []
        types = fixed ?? parameters[Self.types] ?? []
        share = try parameters.value(Self.share)
        users = parameters[Self.users] ?? []
        groups = parameters[Self.groups] ?? []
        let answer = try parameters.value(Self.encrypted)
        encrypted = answer == "pass" ? nil : PacketAnswer(rawValue: answer)
        method = NameMethod(rawValue: try parameters.value(named))
        guard method != nil, method != .redirect else { return }
        guard users.isEmpty, groups.isEmpty, encrypted == nil else {
            throw parameters.error(
                "user, cgroup and dot need method = \"redirect\": a file is read by everybody, and has no ports"
            )
        }
    }

    /// The queries in words: `queries for db.test, *.shop.test of type A`.
    var summary: String {
        let share = share < 1 ? "\(MetricUnit.share.spelled(share)) of the " : ""
        let except = except.isEmpty ? "" : " but not \(Self.list(except))"
        let types = types.isEmpty ? "" : " of type \(Self.list(types))"
        let whose =
            (users.isEmpty ? "" : " by user \(users.joined(separator: ", "))")
            + (groups.isEmpty ? "" : " in control group \(groups.joined(separator: ", "))")
        return "\(share)queries for \(Self.list(names))\(except)\(types)\(whose)"
    }

    private static func list(_ items: [some CustomStringConvertible]) -> String {
        let shown = items.prefix(8).map(\.description).joined(separator: ", ")
        return items.count > 8 ? "\(shown) and \(items.count - 8) more" : shown
    }
}

extension FaultDescriptor {
    /// The descriptor of a fault of name resolution.
    static func names(
        _ name: String,
        _ summary: String,
        _ parameters: [ParameterDescriptor]
    ) -> FaultDescriptor {
        FaultDescriptor(
            name: name,
            summary: summary,
            parameters: parameters,
            targets: [.netns, .host, .process],
            // Its first process shows a container's files, and its namespace.
            reach: .leader,
            holder: .kernel,
            capabilities: [
                NeededCapability("CAP_NET_ADMIN", reason: "to redirect queries"),
                NeededCapability("CAP_SYS_ADMIN", reason: "to enter the target's namespaces"),
                NeededCapability(
                    "CAP_SYS_PTRACE",
                    reason: "to see the files of another user's process"
                ),
            ],
            needs: [
                "nf_tables with `flags owner` (Linux 5.12), NAT and libnftables; or an edit of resolv.conf or hosts"
            ],
            // An edited file is as it was left after a reboot; a redirect is gone.
            survivesReboot: true
        )
    }
}

extension ParameterKind where Value == NamePattern {
    /// A pattern of names.
    static var namePattern: ParameterKind {
        let shape = ParameterShape(type: "name pattern", json: "string", example: "\"*.shop.test\"")
        return ParameterKind(shape: shape) { value throws(ParameterProblem) in
            guard case .string(let text) = value, let pattern = NamePattern(text) else {
                throw ParameterProblem(
                    "must be a name (\"db.test\"), a suffix (\"*.test\") or \"*\", with labels of letters, "
                        + "digits, - and _ (other letters as xn--…), got \(value)"
                )
            }
            return pattern
        }
    }
}

extension ParameterKind where Value == RecordType {
    /// A type of DNS records.
    static var recordType: ParameterKind {
        let names = RecordType.named.map(\.name)
        let plain = ParameterKind<String>.choice(names)
        return ParameterKind(shape: plain.shape) { value throws(ParameterProblem) in
            let name = try plain.parse(value)
            let number = RecordType.named.first { $0.name == name }?.number
            return RecordType(number: number ?? 0)
        }
    }
}
