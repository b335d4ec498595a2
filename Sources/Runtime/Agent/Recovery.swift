// What dead agents left, put back from their journals alone.
//
// A journal is taken by its lock: one that a live agent holds is never touched. A lease of an earlier boot is
// only put back if its effect survives a reboot; the others ended with the boot.

package import ChaosModel

/// Applies the journals of agents that are gone.
package struct Recovery: Sendable {
    private let kernel: Kernel
    private let catalogue: FaultCatalogue
    private let store: any JournalStore

    /// Makes a recovery over a machine, the known faults and a journal store.
    package init(kernel: Kernel, catalogue: FaultCatalogue, store: any JournalStore) {
        self.kernel = kernel
        self.catalogue = catalogue
        self.store = store
    }

    /// Puts everything back, newest first within each run.
    ///
    /// A second call finds nothing to do. What could not be put back stays in its journal and is named in the
    /// records with the outcome `leaked`.
    ///
    /// - Throws: when a journal cannot be read or written, once all else is put back.
    package func run() async throws(JournalError) -> [RecoveryRecord] {
        var records: [RecoveryRecord] = []
        var problem: JournalError?
        for file in try store.orphans() {
            do throws(JournalError) {
                records += try await recover(file)
            } catch {
                problem = problem ?? error
            }
        }
        if let problem { throw problem }
        return records
    }

    private func recover(_ file: any JournalFile) async throws(JournalError) -> [RecoveryRecord] {
        let state = JournalState(lines: try file.lines())
        let journal = Journal(continuing: file, on: kernel)
        let isOtherBoot = state.bootID.map { $0 != (try? kernel.host.bootID()) } ?? false
        var records: [RecoveryRecord] = []
        for entry in state.open.reversed() {
            guard let record = await revert(entry, isOtherBoot: isOtherBoot) else { continue }
            try journal.reverted(record.lease, outcome: record.outcome, seen: record.seen)
            records.append(RecoveryRecord(run: state.run, revert: record))
        }
        // It stays open: what the line said may be what is left.
        if let problem = state.problem { throw problem }
        if records.allSatisfy({ $0.revert.outcome != .leaked }) { try journal.close() }
        return records
    }

    private func revert(_ entry: JournalEntry, isOtherBoot: Bool) async -> RevertRecord? {
        guard let lease = entry.lease, let name = entry.fault, let target = entry.target else {
            return nil
        }
        var record = RevertRecord(
            lease: lease,
            fault: name,
            target: target,
            outcome: .gone,
            effect: nil,
            seen: "",
            tookMs: 0
        )
        if isOtherBoot, entry.survivesReboot != true {
            record.seen = "ended with an earlier boot of this host"
            return record
        }
        guard let fault = catalogue[name], let undo = entry.undo else {
            record.outcome = .leaked
            record.seen = "this version does not know how to put back \(name)"
            return record
        }
        return await RevertOrder(lease: lease, fault: fault, target: target, undo: undo).carryOut(
            on: kernel
        )
    }
}
