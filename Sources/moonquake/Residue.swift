// What of ours is on this machine without a live agent that holds it: found by its mark, with no journal at all.

import ChaosLinux
import ChaosModel

/// Looks for what is marked as ours.
struct Residue {
    /// Something of ours, and how to remove it.
    struct Item: Sendable {
        var text: String
        var remove: @Sendable () throws(KernelError) -> Void
    }

    var stateDirectory: String

    /// Everything of ours that no live agent holds.
    func find() throws -> [Item] {
        var items: [Item] = []
        for namespace in try LinuxNetwork().namespaces() {
            items += try rules(in: namespace) + devices(in: namespace)
        }
        return try items + groups()
    }

    private func rules(in namespace: NetworkNamespace) throws -> [Item] {
        let filter = LinuxPacketFilter()
        // A namespace that went away meanwhile has nothing left in it.
        guard let found = try? filter.residue(in: namespace) else { return [] }
        let held = Set(try heldRules().flatMap(LinuxPacketFilter.names))
        return found.filter { !held.contains($0.name) }.map { residue in
            Item(text: "\(residue.engine.rawValue) \(residue.name) in \(namespace.path)") {
                () throws(KernelError) in
                try filter.remove(residue.name, with: residue.engine, in: namespace)
            }
        }
    }

    /// The idle ifbs of leases whose tables went with their agent.
    private func devices(in namespace: NetworkNamespace) throws -> [Item] {
        guard let found = try? NetemDevices.residue(in: namespace) else { return [] }
        let held = try heldRules()
        let left = found.filter { name in !held.contains { NetemDevices.isDevice(name, of: $0) } }
        return left.map { name in
            Item(text: "ifb \(name) in \(namespace.path)") { () throws(KernelError) in
                try NetemDevices.remove(name, in: namespace)
            }
        }
    }

    /// The empty control groups of leases whose worker went with their agent.
    private func groups() throws -> [Item] {
        let found = try EmptyGroups.find()
        let held = Set(try heldRules())
        return found.filter { !held.contains(EmptyGroups.name(of: $0)) }.map { group in
            Item(text: "\(group) in \(group.folder)") { () throws(KernelError) in
                try EmptyGroups.remove(group)
            }
        }
    }

    /// The rules that live agents hold; read after the listing, since a journal is written before its effect.
    private func heldRules() throws -> [String] {
        try LinuxJournals(stateDirectory: stateDirectory).live().flatMap { journal in
            try journal.file.lines().compactMap { line in
                (try? WireJSON.value(JournalEntry.self, from: line))?.lease.map {
                    "moonquake_\($0)"
                }
            }
        }
    }
}
