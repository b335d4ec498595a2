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
        let filter = LinuxPacketFilter()
        for namespace in try LinuxNetwork().namespaces() {
            // A namespace that went away meanwhile has nothing left in it.
            guard let found = try? filter.residue(in: namespace) else { continue }
            let held = try heldNames()
            for residue in found where !held.contains(residue.name) {
                items.append(
                    Item(text: "\(residue.engine.rawValue) \(residue.name) in \(namespace.path)") {
                        () throws(KernelError) in
                        try filter.remove(residue.name, with: residue.engine, in: namespace)
                    }
                )
            }
        }
        return items
    }

    /// The names that live agents hold; read after the listing, since a journal is written before its effect.
    private func heldNames() throws -> Set<String> {
        var names: Set<String> = []
        for journal in try LinuxJournals(stateDirectory: stateDirectory).live() {
            for line in try journal.file.lines() {
                guard let lease = try? WireJSON.value(JournalEntry.self, from: line).lease else {
                    continue
                }
                names.formUnion(LinuxPacketFilter.names(of: "moonquake_\(lease)"))
            }
        }
        return names
    }
}
