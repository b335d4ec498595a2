// The packet filter port: which engine works where, and each call to its engine.

package import ChaosModel
import Glibc
import Synchronization

/// Packet filters on Linux.
///
/// Owned tables live as long as this object and the process: keep one for the agent's life.
package final class LinuxPacketFilter: PacketFilterPort {
    private let nft = NftEngine()
    private let iptables = IptablesEngine()
    private let known = Mutex<PacketEngines?>(nil)

    /// Makes the port.
    package init() {}

    /// The engines that work in a namespace.
    ///
    /// What the kernel and the tools can do is the same in each, so it is tried once, in a namespace made for it
    /// and never in one that somebody uses. Only without the right to make one is it tried in `namespace` itself,
    /// with rules that match a documentation address only.
    package func engines(in namespace: NetworkNamespace) throws(KernelError) -> PacketEngines {
        _ = try NamespaceFile.open(namespace)
        if let known = known.withLock({ $0 }) { return known }
        let sample = try Self.sample()
        let found: PacketEngines
        do throws(KernelError) {
            found = try LinuxNamespaces.withinNew { () throws(KernelError) in
                self.probe(sample)
            }
        } catch {
            found = try LinuxNamespaces.within(namespace) { () throws(KernelError) in
                self.probe(sample)
            }
        }
        known.withLock { $0 = found }
        return found
    }

    package func add(
        _ rules: PacketRules,
        with engine: PacketEngine,
        in namespace: NetworkNamespace
    ) throws(KernelError) {
        let plan = try RulePlan(rules)
        switch engine {
        case .nftOwner: try nft.add(plan, isOwned: true, in: namespace)
        case .nft: try nft.add(plan, isOwned: false, in: namespace)
        case .iptables: try iptables.add(plan, in: namespace)
        }
    }

    package func widen(
        _ rules: PacketRules,
        with engine: PacketEngine,
        in namespace: NetworkNamespace
    ) throws(KernelError) {
        switch engine {
        case .nftOwner, .nft: try nft.widen(try RulePlan(rules), in: namespace)
        case .iptables:
            throw KernelError(
                .unsupported,
                "widen \(rules.name)",
                "rules of iptables stay as they were made"
            )
        }
    }

    package func remove(
        _ name: String,
        with engine: PacketEngine,
        in namespace: NetworkNamespace
    ) throws(KernelError) {
        switch engine {
        case .nftOwner, .nft: try nft.remove(RulePlan.checkedName(name), in: namespace)
        case .iptables: try iptables.remove(name, in: namespace)
        }
    }

    package func count(
        _ name: String,
        with engine: PacketEngine,
        in namespace: NetworkNamespace
    ) throws(KernelError) -> PacketCount? {
        switch engine {
        case .nftOwner, .nft: try nft.count(RulePlan.checkedName(name), in: namespace)
        case .iptables: try iptables.count(name, in: namespace)
        }
    }

    package func watch(
        _ watch: PacketWatch,
        in namespace: NetworkNamespace
    ) throws(KernelError) {
        let plan = try RulePlan(PacketRules(name: watch.name, pass: watch.pass, drop: watch.match))
        try nft.transact(
            NftText.watch(plan, isOwnOnly: watch.isOwnOnly),
            adding: [plan.name],
            "add nft table \(plan.name) in \(namespace.path)",
            in: namespace
        )
    }

    package func watched(
        _ name: String,
        in namespace: NetworkNamespace
    ) throws(KernelError) -> WatchCount? {
        try nft.listing(of: RulePlan.checkedName(name), in: namespace).map(NftListing.watch(in:))
    }

    /// Whatever is marked as ours in a namespace, whoever of us made it; `remove` takes each as it is told here.
    ///
    /// Engines that do not work there are left out: they cannot have made anything.
    package func residue(in namespace: NetworkNamespace) throws(KernelError) -> [PacketResidue] {
        let working = try engines(in: namespace).working
        let usesNft = working.contains(.nft) || working.contains(.nftOwner)
        let tables = usesNft ? try nft.residue(in: namespace) : []
        let chains = working.contains(.iptables) ? try iptables.residue(in: namespace) : []
        return tables.map { PacketResidue(engine: .nft, name: $0) }
            + chains.map { PacketResidue(engine: .iptables, name: $0) }
    }

    /// The same without what a live process owns, and without trying any engine out, which takes a while: chains of
    /// iptables are seen where iptables is nft's.
    package func unowned(in namespace: NetworkNamespace) throws(KernelError) -> [PacketResidue] {
        guard NftContext.obstacle() == nil else { return [] }
        let chains = Set(try nft.chains(in: namespace).compactMap(IptablesChains.base(of:)))
        return try nft.unowned(in: namespace).map { PacketResidue(engine: .nft, name: $0) }
            + chains.sorted().map { PacketResidue(engine: .iptables, name: $0) }
    }

    /// The names under which `residue` tells rules of this name, whatever engine carries them.
    package static func names(of rules: String) -> Set<String> {
        guard let chains = try? IptablesChains(of: rules) else { return [rules] }
        return [rules, chains.base]
    }

    private func probe(_ sample: RulePlan) -> PacketEngines {
        var engines = PacketEngines(working: [], reasons: [:])
        for engine in PacketEngine.allCases {
            if let reason = obstacle(to: engine, sample) {
                engines.reasons[engine] = reason
            } else {
                engines.working.append(engine)
            }
        }
        return engines
    }

    private func obstacle(
        to engine: PacketEngine,
        _ sample: RulePlan
    ) -> String? {
        guard engine != .iptables else { return iptables.obstacle(for: sample)?.reason }
        do throws(KernelError) {
            try NftEngine.tryOut(sample, isOwned: engine == .nftOwner)
            return nil
        } catch {
            let isOwnerMissing = error.kind == .unsupported && engine == .nftOwner
            return isOwnerMissing && NftContext.obstacle() == nil
                ? "no `flags owner`: needs Linux 5.12 and nftables 0.9.9 (\(error.reason))"
                : error.reason
        }
    }

    /// Rules like those of a partition, for an address that is nobody's (RFC 5737, RFC 3849).
    private static func sample() throws(KernelError) -> RulePlan {
        let addresses = ["192.0.2.1", "2001:db8::1"].compactMap { NetworkAddress($0) }
        let drops = addresses.map {
            PacketMatch(.egress, remote: [$0], protocols: [.tcp, .udp], remotePorts: [9])
        }
        let number = String(UInt32.random(in: .min ... .max), radix: 16)
        return try RulePlan(PacketRules(name: "moonquake_probe_\(number)", pass: [], drop: drops))
    }
}

/// Something named like ours in a packet filter.
package struct PacketResidue: Sendable, Hashable, CustomStringConvertible {
    /// What carries it; nft for owned tables too, which `list` does not tell apart.
    package let engine: PacketEngine
    /// The name of the table, or of the chains without the letter of their hook.
    package let name: String

    package var description: String { "\(engine.rawValue) \(name)" }
}
