// Gates on the terminal: whoever sits there is asked, and others may answer from elsewhere meanwhile.

import ChaosLinux
import ChaosModel
import Glibc

/// Gates that are also asked on the terminal, where there is one.
struct TerminalApprovals: ApprovalPort {
    private let files: LinuxApprovals

    init(_ files: LinuxApprovals) { self.files = files }

    func open(_ gate: Gate) throws(KernelError) {
        try files.open(gate)
        guard isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 else { return }
        Console.write(
            "approve \(gate.subject)? (plan \(gate.planDigest.prefix(19))…) yes or no, and a comment if you like: ",
            to: STDERR_FILENO
        )
        let files = files
        Terminal.nextLine { line in
            let words = line.split(separator: " ", maxSplits: 1).map(String.init)
            let approves = ["y", "yes"].contains(words.first?.lowercased() ?? "")
            do throws(KernelError) {
                try files.answer(
                    gate,
                    approves: approves,
                    comment: words.count > 1 ? words[1] : nil,
                    at: LinuxTime().secondsSince1970
                )
            } catch {
                Console.error("\(error)")
            }
        }
    }

    func answers(to gate: Gate) throws(KernelError) -> [GateAnswer] { try files.answers(to: gate) }

    func changes(of gate: Gate) throws(KernelError) -> AsyncStream<Void> {
        try files.changes(of: gate)
    }

    func close(_ gate: Gate) throws(KernelError) { try files.close(gate) }
}
