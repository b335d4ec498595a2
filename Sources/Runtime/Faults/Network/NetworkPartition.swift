// `network.partition`: packets between here and there are dropped, both ways or one.
//
// The rules sit in an nft table of our own whose owner is the agent's netlink socket, so that the kernel removes
// it with the agent. Where the kernel or nft cannot do that, a plain table or a chain in iptables carries the
// rules and the journal holds them; plan and report say which. Nobody else's table, chain or rule is touched.

package import ChaosModel

/// Drops packets between the target and the far ends named.
package struct NetworkPartition: Fault {
    /// Where our rules are, and by which name.
    package struct Undo: Codable, Sendable {
        var namespace: NetworkNamespace
        var engine: PacketEngine
        var rules: PacketRules
    }

    static let engine = Parameter(
        "engine",
        ParameterKind<String>.choice(["auto", "nft", "iptables"]),
        default: "auto",
        help: "What carries the rules; auto takes the best that works."
    )

    static let action = Parameter(
        "action",
        ParameterKind<String>.choice(PacketAnswer.allCases.map(\.rawValue)),
        default: "drop",
        help:
            "What senders are told: nothing (drop), ICMP prohibited (reject), or a TCP reset (reset)."
    )

    package static let descriptor = FaultDescriptor(
        name: "network.partition",
        summary: "Drops packets between the target and the far ends named, both ways or one.",
        parameters: NetworkScope.parameters + [action.erased, engine.erased],
        targets: [.netns, .host, .process],
        holder: .kernel,
        capabilities: [
            NeededCapability("CAP_NET_ADMIN", reason: "to add packet filter rules"),
            NeededCapability("CAP_SYS_ADMIN", reason: "to enter another network namespace"),
        ],
        needs: ["nf_tables with `flags owner` (Linux 5.12) and libnftables, or iptables"]
    )

    private let scope: NetworkScope
    private let answer: PacketAnswer
    private let engineName: String

    package init(_ parameters: Parameters) throws(DefinitionError) {
        scope = try NetworkScope(parameters)
        engineName = try parameters.value(Self.engine)
        answer = PacketAnswer(rawValue: try parameters.value(Self.action)) ?? .silence
        if answer == .reset, !scope.isTCPOnly {
            throw parameters.error(
                "only TCP can be reset: write protocol = \"tcp\" beside action = \"reset\""
            )
        }
    }

    package func plan(_ target: Target, in context: PlanContext, on kernel: Kernel)
        async throws(FaultError)
        -> FaultPlan<Undo>
    {
        let own = try kernelCall { () throws(KernelError) in try kernel.network.ownNamespace() }
        let namespace = try target.networkNamespace(own: own, on: kernel)
        let isOwn = namespace.inode == own.inode
        let engine = try chooseEngine(in: namespace, on: kernel)
        let drops = try await scope.matches(on: kernel)
        let protected = isOwn ? context.protectedEndpoints : []
        let rules = PacketRules(
            name: "moonquake_\(context.lease)",
            pass: scope.passes + protected.flatMap(NetworkScope.passes(for:)),
            drop: drops,
            answer: answer
        )
        var changes = [
            "\(answer.verb) \(scope.summary) in \(target) (\(engine.rawValue): \(rules.name))"
        ]
        changes += protected.map { "leaves \($0.address) alone: \($0.reason)" }
        if engine != .nftOwner {
            changes.append(
                "held by the journal: if agent and runner die, `moonquake recover` removes the rules"
            )
        }
        return FaultPlan(
            changes: changes,
            undo: Undo(namespace: namespace, engine: engine, rules: rules),
            holder: engine == .nftOwner ? .kernel : .journal,
            engine: engine.rawValue
        )
    }

    package func inject(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {
        try kernelCall { () throws(KernelError) in
            try kernel.packets.add(undo.rules, with: undo.engine, in: undo.namespace)
        }
    }

    package func verify(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        try Self.count(undo, on: kernel, "rules in force")
    }

    package static func effect(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        try count(undo, on: kernel, "rules in force until the end")
    }

    package static func revert(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {
        try kernelCall { () throws(KernelError) in
            try kernel.packets.remove(undo.rules.name, with: undo.engine, in: undo.namespace)
        }
    }

    package static func verifyReverted(_ undo: Undo, on kernel: Kernel) async throws(FaultError)
        -> Effect
    {
        let left = try kernelCall { () throws(KernelError) in
            try kernel.packets.count(undo.rules.name, with: undo.engine, in: undo.namespace)
        }
        guard left == nil else {
            throw .noEffect("\(undo.rules.name) is still there after its removal")
        }
        return Effect("\(undo.rules.name) is gone")
    }

    private static func count(
        _ undo: Undo,
        on kernel: Kernel,
        _ seen: String
    ) throws(FaultError) -> Effect {
        let count = try kernelCall { () throws(KernelError) in
            try kernel.packets.count(undo.rules.name, with: undo.engine, in: undo.namespace)
        }
        guard let count else {
            throw .noEffect("\(undo.rules.name) is not there: somebody removed it")
        }
        let figures = [
            Figure("packets_dropped", Double(count.packets)),
            Figure("bytes_dropped", Double(count.bytes), unit: "B"),
        ]
        return Effect(seen, figures: figures, hit: count.packets > 0)
    }

    private func chooseEngine(
        in namespace: NetworkNamespace,
        on kernel: Kernel
    ) throws(FaultError) -> PacketEngine {
        let engines = try kernelCall { () throws(KernelError) in
            try kernel.packets.engines(in: namespace)
        }
        let asked: [PacketEngine] =
            switch engineName {
            case "nft": [.nftOwner, .nft]
            case "iptables": [.iptables]
            default: PacketEngine.allCases
            }
        if let best = asked.first(where: engines.working.contains) { return best }
        let reasons = asked.compactMap { engine in
            engines.reasons[engine].map { "\(engine.rawValue): \($0)" }
        }
        throw .unavailable(
            "no packet filter works in \(namespace.path): " + reasons.joined(separator: "; ")
        )
    }
}

extension PacketAnswer {
    /// What the plan says that we do.
    fileprivate var verb: String {
        switch self {
        case .silence: "drops"
        case .reject: "rejects"
        case .reset: "resets"
        }
    }
}
