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
        /// What is known of the far ends; absent in journals of older versions.
        var ends: FarEnds?
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
        let owner = try target.socketOwner(in: namespace, own: own, scope, on: kernel)
        let engine = try chooseEngine(in: namespace, isBySocket: owner != nil, on: kernel)
        let ends = try await scope.resolve(on: kernel)
        let drops = try scope.matches(ends, owner: owner)
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
        changes += owner.map { [$0.change] } ?? []
        let known =
            owner == nil
            ? await FarEnds.find(scope, ends, in: namespace, context, on: kernel)
            : FarEnds(names: ends.names)
        changes += known.changes(every: scope.resolveEvery, follows: engine != .iptables)
        if engine != .nftOwner {
            changes.append(
                "held by the journal: if agent and runner die, `moonquake recover` removes the rules"
            )
        }
        return FaultPlan(
            changes: changes,
            undo: Undo(namespace: namespace, engine: engine, rules: rules, ends: known),
            holder: engine == .nftOwner ? .kernel : .journal,
            engine: engine.rawValue
        )
    }

    package func shadow(
        _ target: Target,
        in context: PlanContext,
        on kernel: Kernel
    ) async throws(FaultError) -> ShadowTraffic? {
        try await scope.shadow(target, in: context, on: kernel)
    }

    package func inject(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {
        try kernelCall { () throws(KernelError) in
            try kernel.packets.add(undo.rules, with: undo.engine, in: undo.namespace)
        }
    }

    package func verify(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        try Self.count(undo, on: kernel, "rules in force")
    }

    package func followUp(
        _ undo: Undo,
        on kernel: Kernel
    ) async throws(FaultError) -> FollowUp<Undo>? {
        // A reset of ours looks like an answer; rules of iptables stay as they were made.
        guard answer != .reset, undo.engine != .iptables else { return nil }
        let step = try await undo.ends?.step(
            scope,
            owner: undo.rules.drop.first?.owner,
            in: undo.namespace,
            within: .milliseconds(300),
            on: kernel
        ) { () async throws(FaultError) in
            try kernelCall { () throws(KernelError) in
                try kernel.packets.count(undo.rules.name, with: undo.engine, in: undo.namespace)
            }?.packets ?? 0
        }
        guard let step else { return nil }
        var next = undo
        next.ends = step.ends
        if !step.more.isEmpty, !Task.isCancelled {
            let more = PacketRules(
                name: undo.rules.name,
                pass: [],
                drop: step.more,
                answer: undo.rules.answer
            )
            try kernelCall { () throws(KernelError) in
                try kernel.packets.widen(more, with: undo.engine, in: undo.namespace)
            }
            next.rules.drop += step.more
        }
        return FollowUp(undo: next, seen: step.seen, again: step.again)
    }

    package static func touches(_ undo: Undo) -> [StatePart] {
        [.network(namespace: undo.namespace)]
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

    package static func measureAfter(_ undo: Undo, on kernel: Kernel) async -> Effect? {
        await undo.ends?.compare(in: undo.namespace, on: kernel)
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
        return Effect(
            seen + (undo.ends?.remark ?? ""),
            figures: figures + (undo.ends?.figures ?? []),
            hit: count.packets > undo.ends?.probed ?? 0
        )
    }

    private func chooseEngine(
        in namespace: NetworkNamespace,
        isBySocket: Bool,
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
        let best = asked.first { engines.working.contains($0) && !(isBySocket && $0 == .iptables) }
        if let best { return best }
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
