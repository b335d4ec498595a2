// What the faults have in common that delay, lose or change packets instead of dropping them all: which packets,
// what carries them, how it is verified and put back. Each fault only says what happens to a packet.

package import ChaosModel

/// Where our rules are, and by which name.
package struct ShapingUndo: Codable, Sendable {
    var namespace: NetworkNamespace
    var engine: ShapingEngine
    var rules: ShapingRules
    /// Why it is not the engine that comes first, where that one works here.
    var instead: String?
    /// What is known of the far ends; absent in journals of older versions.
    var ends: FarEnds?
    /// How much goes through the engine, while that matters.
    var load: EngineLoad?
}

/// A fault that impairs packets.
package protocol ShapingFault: Fault where Undo == ShapingUndo {
    /// Which packets, and what carries them.
    var traffic: ShapedTraffic { get }
    /// What happens to them.
    var impairment: Impairment { get }
    /// The same in words: `delays by 100ms ± 10ms`.
    var summary: String { get }
}

/// The options that all of these faults share beside their scope.
package struct ShapedTraffic: Sendable {
    static let share = Parameter(
        "traffic",
        ParameterKind<Double>.percent,
        default: "100%",
        help: "The share of what matches that is hit."
    )
    static let unit = Parameter(
        "traffic_by",
        ParameterKind<String>.choice(["connection", "packet"]),
        default: "connection",
        help: "Whether that is a share of connections, each wholly in or out, or of packets."
    )
    static let engine = Parameter(
        "engine",
        ParameterKind<String>.choice(["auto"] + ShapingEngine.allCases.map(\.rawValue)),
        default: "auto",
        help: "What carries the fault; auto takes the best that works."
    )

    static let parameters = NetworkScope.parameters + [share.erased, unit.erased, engine.erased]

    let scope: NetworkScope
    let share: Double
    let isByConnection: Bool
    let engineName: String

    init(_ parameters: Parameters) throws(DefinitionError) {
        scope = try NetworkScope(parameters)
        share = try parameters.value(Self.share)
        isByConnection = try parameters.value(Self.unit) == "connection"
        engineName = try parameters.value(Self.engine)
    }
}

extension FaultDescriptor {
    /// The descriptor of a fault that impairs packets.
    static func shaping(
        _ name: String,
        _ summary: String,
        _ parameters: [ParameterDescriptor]
    ) -> FaultDescriptor {
        FaultDescriptor(
            name: name,
            summary: summary,
            parameters: parameters + ShapedTraffic.parameters,
            targets: [.netns, .host, .process],
            holder: .kernel,
            capabilities: [
                NeededCapability(
                    "CAP_NET_ADMIN",
                    reason: "to add packet filter rules, queues and devices"
                ),
                NeededCapability("CAP_SYS_ADMIN", reason: "to enter another network namespace"),
            ],
            needs: ["sch_netem, ifb and nftables' netdev family, or nfnetlink_queue"]
        )
    }
}

extension ShapingFault {
    package func plan(
        _ target: Target,
        in context: PlanContext,
        on kernel: Kernel
    ) async throws(FaultError) -> FaultPlan<ShapingUndo> {
        let own = try kernelCall { () throws(KernelError) in try kernel.network.ownNamespace() }
        let namespace = try target.networkNamespace(own: own, on: kernel)
        let owner = try target.socketOwner(in: namespace, own: own, traffic.scope, on: kernel)
        let ends = try await traffic.scope.resolve(on: kernel)
        let protected = namespace.inode == own.inode ? context.protectedEndpoints : []
        let rules = ShapingRules(
            name: "moonquake_\(context.lease)",
            pass: traffic.scope.passes + protected.flatMap(NetworkScope.passes(for:)),
            match: try traffic.scope.matches(ends, owner: owner),
            traffic: traffic.share,
            byConnection: traffic.isByConnection,
            impairment: impairment,
            seed: context.seed
        )
        let (engine, instead) = try chooseEngine(for: rules, in: namespace, on: kernel)
        var changes = [
            "\(summary): \(share)\(traffic.scope.summary) in \(target) (\(engine.rawValue): \(rules.name))"
        ]
        changes += protected.map { "leaves \($0.address) alone: \($0.reason)" }
        changes += owner.map { [$0.change] } ?? []
        // Sockets may be others' than those of a probe.
        let known =
            owner == nil
            ? await FarEnds.find(traffic.scope, ends, in: namespace, context, on: kernel)
            : FarEnds(names: ends.names)
        changes += known.changes(every: traffic.scope.resolveEvery, follows: true)
        changes += instead.map { ["\(engine.rawValue) \($0)"] } ?? []
        changes += kernel.shaping.remarks(on: rules, with: engine)
        return FaultPlan(
            changes: changes,
            undo: ShapingUndo(
                namespace: namespace,
                engine: engine,
                rules: rules,
                instead: instead,
                ends: known
            ),
            holder: .kernel,
            engine: engine.rawValue
        )
    }

    package func shadow(
        _ target: Target,
        in context: PlanContext,
        on kernel: Kernel
    ) async throws(FaultError) -> ShadowTraffic? {
        var shadow = try await traffic.scope.shadow(target, in: context, on: kernel)
        if traffic.share < 1 {
            shadow.notes.append("of what is counted, the fault would hit \(part)")
        }
        return shadow
    }

    package func inject(_ undo: ShapingUndo, on kernel: Kernel) async throws(FaultError) {
        do throws(KernelError) {
            try await kernel.shaping.shape(undo.rules, with: undo.engine, in: undo.namespace)
        } catch {
            throw FaultError(error)
        }
    }

    package func verify(_ undo: ShapingUndo, on kernel: Kernel) async throws(FaultError) -> Effect {
        let instead = undo.instead.map { " (\(undo.engine.rawValue) \($0))" } ?? ""
        return try await Self.count(undo, on: kernel, "rules in force\(instead)")
    }

    package func followUp(
        _ undo: ShapingUndo,
        on kernel: Kernel
    ) async throws(FaultError) -> FollowUp<ShapingUndo>? {
        let delay = undo.rules.impairment.delay
        let longest = Duration.milliseconds(2 * ((delay?.delayMs ?? 0) + (delay?.jitterMs ?? 0)))
        let step = try await undo.ends?.step(
            traffic.scope,
            owner: undo.rules.match.first?.owner,
            in: undo.namespace,
            within: .seconds(1) + longest,
            on: kernel
        ) { () async throws(FaultError) in
            try await Self.state(undo, on: kernel)?.matched ?? 0
        }
        var next = undo
        guard let step else {
            // netem keeps up with the kernel; a worker may not.
            guard undo.engine == .nfqueue else { return nil }
            let seen = try await Self.watch(&next, on: kernel)
            return FollowUp(undo: next, seen: seen, again: EngineLoad.interval)
        }
        next.ends = step.ends
        if !step.more.isEmpty, !Task.isCancelled {
            do throws(KernelError) {
                try await kernel.shaping.widen(
                    undo.rules.name,
                    by: step.more,
                    with: undo.engine,
                    in: undo.namespace
                )
            } catch {
                throw FaultError(error)
            }
            next.rules.match += step.more
        }
        guard undo.engine == .nfqueue else {
            return FollowUp(undo: next, seen: step.seen, again: step.again)
        }
        let load = try await Self.watch(&next, on: kernel)
        let seen = [step.seen, load].compactMap { $0 }
        return FollowUp(
            undo: next,
            seen: seen.isEmpty ? nil : seen.joined(separator: "; "),
            again: step.again ?? EngineLoad.interval
        )
    }

    /// Tells once when more packets come than the worker was measured to bear.
    private static func watch(
        _ undo: inout ShapingUndo,
        on kernel: Kernel
    ) async throws(FaultError) -> String? {
        guard var load = undo.load else {
            undo.load = EngineLoad(at: kernel.time.now, matched: 0)
            return nil
        }
        guard let count = try await state(undo, on: kernel) else { return nil }
        let warning = load.note(count, at: kernel.time.now)
        undo.load = load
        return warning
    }

    package static func touches(_ undo: ShapingUndo) -> [StatePart] {
        [.network(namespace: undo.namespace)]
    }

    package static func effect(_ undo: ShapingUndo, on kernel: Kernel) async throws(FaultError)
        -> Effect
    {
        try await count(undo, on: kernel, "rules in force until the end")
    }

    package static func endedEarly(_ undo: ShapingUndo, on kernel: Kernel) async -> String? {
        await kernel.shaping.endedEarly(undo.rules.name, with: undo.engine)
    }

    package static func revert(_ undo: ShapingUndo, on kernel: Kernel) async throws(FaultError) {
        do throws(KernelError) {
            try await kernel.shaping.unshape(undo.rules.name, with: undo.engine, in: undo.namespace)
        } catch {
            throw FaultError(error)
        }
    }

    package static func verifyReverted(
        _ undo: ShapingUndo,
        on kernel: Kernel
    ) async throws(FaultError) -> Effect {
        guard try await state(undo, on: kernel) == nil else {
            throw .noEffect("\(undo.rules.name) is still there after its removal")
        }
        return Effect("\(undo.rules.name) is gone")
    }

    package static func measureAfter(_ undo: ShapingUndo, on kernel: Kernel) async -> Effect? {
        await undo.ends?.compare(in: undo.namespace, on: kernel)
    }

    private var share: String { traffic.share < 1 ? "\(part) among " : "" }

    private var part: String {
        let unit = traffic.isByConnection ? "connections" : "packets"
        return "\(MetricUnit.share.spelled(traffic.share)) of the \(unit)"
    }

    private func chooseEngine(
        for rules: ShapingRules,
        in namespace: NetworkNamespace,
        on kernel: Kernel
    ) throws(FaultError) -> (ShapingEngine, instead: String?) {
        let engines = try kernelCall { () throws(KernelError) in
            try kernel.shaping.engines(in: namespace)
        }
        var reasons: [String] = []
        var instead: String?
        for engine in ShapingEngine.allCases
        where [engine.rawValue, "auto"].contains(traffic.engineName) {
            if !engines.working.contains(engine) {
                reasons.append(
                    "\(engine.rawValue): \(engines.reasons[engine] ?? "does not work here")"
                )
                continue
            }
            let obstacle = try kernelCall { () throws(KernelError) in
                try kernel.shaping.obstacle(to: rules, with: engine, in: namespace)
            }
            guard let obstacle else { return (engine, instead) }
            reasons.append("\(engine.rawValue): \(obstacle)")
            instead = instead ?? "instead of \(engine.rawValue): \(obstacle)"
        }
        throw .unavailable("nothing here can do this: " + reasons.joined(separator: "; "))
    }

    private static func state(
        _ undo: ShapingUndo,
        on kernel: Kernel
    ) async throws(FaultError) -> ShapingCount? {
        do throws(KernelError) {
            return try await kernel.shaping.count(
                undo.rules.name,
                with: undo.engine,
                in: undo.namespace
            )
        } catch {
            throw FaultError(error)
        }
    }

    private static func count(
        _ undo: ShapingUndo,
        on kernel: Kernel,
        _ seen: String
    ) async throws(FaultError) -> Effect {
        guard let count = try await state(undo, on: kernel) else {
            throw .noEffect(
                "\(undo.rules.name) is not there: somebody removed it, or its worker ended"
            )
        }
        let text = seen + (undo.ends?.remark ?? "")
        return Effect(
            count.bypassed > 0
                ? "\(text), but \(count.bypassed) packets came too fast to be hit" : text,
            figures: count.figures + (undo.ends?.figures ?? []),
            hit: count.matched > undo.ends?.probed ?? 0,
            traffic: count.traffic
        )
    }
}

extension ShapingCount {
    /// What the report shows; what did not happen is left out.
    fileprivate var figures: [Figure] {
        let counts: [(String, UInt64)] = [
            ("packets_dropped", dropped), ("packets_duplicated", duplicated),
            ("packets_corrupted", corrupted),
            ("packets_reordered", reordered), ("packets_bypassed", bypassed),
        ]
        let happened = counts.filter { $0.1 > 0 }.map { Figure($0.0, Double($0.1)) }
        let delay = meanDelayMs.map { [Figure("mean_delay", $0, unit: "ms")] } ?? []
        return [Figure("packets_matched", Double(matched))] + happened + delay
    }
}
