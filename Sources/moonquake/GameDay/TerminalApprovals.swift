// Gates on the terminal: whoever sits there is asked, and others may answer from elsewhere meanwhile.

import ChaosLinux
import ChaosModel
import Glibc

/// Gates that are also asked on the terminal, where there is one.
struct TerminalApprovals: ApprovalPort {
    private let files: LinuxApprovals
    private let progress: GameDayProgress

    init(_ files: LinuxApprovals, _ progress: GameDayProgress) {
        self.files = files
        self.progress = progress
    }

    func open(_ gate: Gate) throws(KernelError) {
        try files.open(gate)
        guard isatty(STDIN_FILENO) == 1, isatty(STDERR_FILENO) == 1 else { return }
        try ask(gate)
    }

    private func ask(_ gate: Gate) throws(KernelError) {
        try Terminal.nextLine { line in take(line, as: gate) }
        progress.ask(
            "approve \(gate.subject.escapedForDisplay)? (plan \(gate.planDigest.prefix(19))…)",
            "yes or no, and a comment if you like: "
        )
    }

    /// What is neither yes nor no is no answer: the question is put again.
    private func take(_ line: String?, as gate: Gate) {
        progress.endQuestion(isLineEnded: line != nil)
        guard let line else {
            progress.say("no answer here; it can still come from: moonquake approve \(gate.id)")
            return
        }
        let words = line.split(separator: " ", maxSplits: 1).map(String.init)
        let answers = ["y": true, "yes": true, "n": false, "no": false]
        do throws(KernelError) {
            guard let approves = answers[words.first?.lowercased() ?? ""] else {
                return try ask(gate)
            }
            try files.answer(
                gate,
                approves: approves,
                comment: words.count > 1 ? words[1] : nil,
                at: LinuxTime().secondsSince1970
            )
        } catch {
            progress.say("\(error)")
        }
    }

    func answers(to gate: Gate) throws(KernelError) -> [GateAnswer] { try files.answers(to: gate) }

    func changes(of gate: Gate) throws(KernelError) -> AsyncStream<Void> {
        try files.changes(of: gate)
    }

    func close(_ gate: Gate) throws(KernelError) {
        Terminal.forget()
        progress.endQuestion(isLineEnded: false)
        try files.close(gate)
    }
}
