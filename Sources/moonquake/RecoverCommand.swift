// `moonquake recover`: puts back what a crash left, from the journals alone. A second call finds nothing to do.

import ArgumentParser
import ChaosAgent
import ChaosFaults
import ChaosLinux
import ChaosModel

struct RecoverCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover",
        abstract: "Puts back what a crash left behind; a second call does nothing."
    )

    @OptionGroup
    var state: StateOptions

    func run() async throws {
        let records: [RecoveryRecord]
        do throws(JournalError) {
            let store = LinuxJournals(stateDirectory: state.path)
            records = try await Recovery(kernel: .linux, catalogue: .all, store: store).run()
        } catch {
            // What is marked needs no journal.
            _ = try? removeResidue()
            throw CommandFailure(error)
        }
        for record in records { Console.output(record.line) }
        let removed = try removeResidue()
        if records.isEmpty, removed == 0 { Console.error("nothing to recover in \(state.path)") }
        let leaked = records.filter { $0.revert.outcome == .leaked }
        guard leaked.isEmpty else {
            throw CommandFailure(
                .leaked,
                "\(leaked.count) of \(records.count) could not be put back; see above"
            )
        }
    }
}

extension RecoverCommand {
    /// Removes what is marked as ours although no journal speaks of it; returns how many.
    private func removeResidue() throws -> Int {
        // Without the right to look into packet filters there is nothing of ours in them either.
        guard LinuxHost().hasCapability("CAP_NET_ADMIN") else { return 0 }
        let items = try Residue(stateDirectory: state.path).find()
        for item in items {
            do throws(KernelError) {
                try item.remove()
                Console.output("removed  \(item.text): no journal speaks of it")
            } catch {
                // The table of a live agent with another state directory: it is held, not left.
                guard error.kind == .notPermitted else {
                    throw CommandFailure(.leaked, "\(item.text) could not be removed: \(error)")
                }
            }
        }
        return items.count
    }
}

extension RecoveryRecord {
    /// What was done, in one line.
    var line: String {
        "\(revert.outcome.rawValue)  \(revert.fault) on \(revert.target)  (run \(run)): \(revert.seen)"
    }
}

extension CommandFailure {
    /// A journal that cannot be read is a matter of rights or of the machine.
    init(_ error: JournalError) {
        let hint =
            error.isPermission
            ? "; run as the user whose runs these are (root: sudo moonquake …)" : ""
        self.init(error.isPermission ? .unavailable : .leaked, error.description + hint)
    }
}
