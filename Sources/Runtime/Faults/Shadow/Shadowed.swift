// What stands for a fault in a shadow run: counters in an owner table, and nothing else. It is a fault like any other to
// the agent, with a lease, a deadline and an entry in the journal, so that it ends as surely as one.

package import ChaosModel

/// Counts what another fault would hit.
package struct Shadowed<Original: Fault> {
    private let original: Original
}

extension Shadowed: Fault {
    /// Where the counters are, and by which name.
    package struct Undo: Codable, Sendable {
        var namespace: NetworkNamespace
        var watch: PacketWatch
    }

    package static var descriptor: FaultDescriptor {
        let original = Original.descriptor
        return FaultDescriptor(
            name: shadowPrefix + original.name,
            summary: "Counts what \(original.name) would hit.",
            parameters: original.parameters,
            targets: original.targets,
            reach: original.reach,
            holder: .kernel,
            capabilities: original.capabilities,
            needs: ["nf_tables with `flags owner` (Linux 5.12) and libnftables"]
        )
    }

    package init(_ parameters: Parameters) throws(DefinitionError) {
        original = try Original(parameters)
    }

    package func plan(
        _ target: Target,
        in context: PlanContext,
        on kernel: Kernel
    ) async throws(FaultError) -> FaultPlan<Undo> {
        guard let traffic = try await original.shadow(target, in: context, on: kernel) else {
            throw .refused("\(Original.descriptor.name) hits no packets that could be counted")
        }
        let engines = try kernelCall { () throws(KernelError) in
            try kernel.packets.engines(in: traffic.namespace)
        }
        guard engines.working.contains(.nftOwner) else {
            let reason = engines.reasons[.nftOwner] ?? "it does not work here"
            throw .unavailable("a shadow run counts in an owner table of nft: \(reason)")
        }
        let watch = PacketWatch(
            name: "moonquake_\(context.lease)",
            pass: traffic.pass,
            match: traffic.match,
            isOwnOnly: traffic.isOwnOnly
        )
        let change =
            "counts \(traffic.summary) in \(target), and harms none (nft-owner: \(watch.name))"
        return FaultPlan(
            changes: [change] + traffic.notes.map { "note: \($0)" },
            undo: Undo(namespace: traffic.namespace, watch: watch),
            holder: .kernel,
            engine: PacketEngine.nftOwner.rawValue
        )
    }

    package func inject(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {
        try kernelCall { () throws(KernelError) in
            try kernel.packets.watch(undo.watch, in: undo.namespace)
        }
    }

    package func verify(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        _ = try Self.count(undo, on: kernel)
        return Effect("counting, nothing is changed")
    }

    package static func touches(_ undo: Undo) -> [StatePart] {
        [.network(namespace: undo.namespace)]
    }

    package static func effect(_ undo: Undo, on kernel: Kernel) async throws(FaultError) -> Effect {
        let count = try count(undo, on: kernel)
        let figures = [
            Figure("packets_matched", Double(count.matched.packets)),
            Figure("packets_seen", Double(count.seen.packets)),
            Figure("bytes_matched", Double(count.matched.bytes), unit: "B"),
            Figure("bytes_seen", Double(count.seen.bytes), unit: "B"),
        ]
        let share = count.share.map { " (\(MetricUnit.share.spelled($0)))" } ?? ""
        return Effect(
            "would have hit \(count.matched.packets) of \(count.seen.packets) packets\(share)",
            figures: figures,
            hit: count.matched.packets > 0
        )
    }

    package static func revert(_ undo: Undo, on kernel: Kernel) async throws(FaultError) {
        try kernelCall { () throws(KernelError) in
            try kernel.packets.remove(undo.watch.name, with: .nftOwner, in: undo.namespace)
        }
    }

    package static func verifyReverted(
        _ undo: Undo,
        on kernel: Kernel
    ) async throws(FaultError) -> Effect {
        let left = try kernelCall { () throws(KernelError) in
            try kernel.packets.watched(undo.watch.name, in: undo.namespace)
        }
        guard left == nil else {
            throw .noEffect("\(undo.watch.name) is still there after its removal")
        }
        return Effect("\(undo.watch.name) is gone")
    }

    private static func count(_ undo: Undo, on kernel: Kernel) throws(FaultError) -> WatchCount {
        let count = try kernelCall { () throws(KernelError) in
            try kernel.packets.watched(undo.watch.name, in: undo.namespace)
        }
        guard let count else {
            throw .noEffect("\(undo.watch.name) is not there: somebody removed it")
        }
        return count
    }
}
