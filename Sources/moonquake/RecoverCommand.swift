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

    @OptionGroup var state: StateOptions

    func run() async throws {
        let records: [RecoveryRecord]
        do throws(JournalError) {
            let store = LinuxJournals(stateDirectory: state.path)
            records = try await Recovery(kernel: .linux, catalogue: .all, store: store).run()
        } catch {
            throw CommandFailure(error)
        }
        for record in records { Console.output(record.line) }
        if records.isEmpty { Console.error("nothing to recover in \(state.path)") }
        let leaked = records.filter { $0.revert.outcome == .leaked }
        guard leaked.isEmpty else {
            throw CommandFailure(.leaked, "\(leaked.count) of \(records.count) could not be put back; see above")
        }
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
        let hint = error.isPermission ? "; run as the user whose runs these are (root: sudo moonquake …)" : ""
        self.init(error.isPermission ? .unavailable : .leaked, error.description + hint)
    }
}
