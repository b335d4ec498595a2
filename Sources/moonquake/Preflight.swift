// Before a run: what of ours is on this host although nobody alive holds it. It would hurt the system beside the faults of
// the run, and nobody would know.

import ChaosLinux
import ChaosModel

/// Looks for what earlier runs have left.
struct Preflight: Sendable {
    /// The locks of the agent, which tell whether a run holds something in a namespace.
    var locks: any TargetLocks

    /// More namespaces than this are not looked into: each takes about a millisecond of every run.
    static let mostNamespaces = 200

    /// One line for each thing; journals have been applied before.
    ///
    /// Looked at twice: an agent of another state directory may just be making or removing something.
    func left() async -> [String] {
        let first = look()
        guard !first.isEmpty else { return [] }
        try? await LinuxTime().sleep(for: .milliseconds(250))
        let second = Set(look())
        return first.filter(second.contains)
    }

    private func look() -> [String] {
        guard LinuxHost().hasCapability("CAP_NET_ADMIN"),
            let namespaces = try? LinuxNetwork().namespaces()
        else { return [] }
        return namespaces.prefix(Self.mostNamespaces).flatMap(look)
    }

    /// A namespace that went away meanwhile has nothing left in it.
    private func look(in namespace: NetworkNamespace) -> [String] {
        let rules = (try? Self.filter.unowned(in: namespace)) ?? []
        let devices = (try? NetemDevices.residue(in: namespace)) ?? []
        guard !(rules.isEmpty && devices.isEmpty), !isHeld(namespace) else { return [] }
        return rules.map { "\($0.engine.rawValue) \($0.name) in \(namespace.path)" }
            + devices.map { "ifb \($0) in \(namespace.path)" }
    }

    /// Whether a live run holds a fault in it.
    private func isHeld(_ namespace: NetworkNamespace) -> Bool {
        let identity = TargetIdentity.namespace(inode: namespace.inode)
        guard (try? locks.take(identity, for: "?")) == nil else { return true }
        locks.release(identity)
        return false
    }

    private static let filter = LinuxPacketFilter()
}
