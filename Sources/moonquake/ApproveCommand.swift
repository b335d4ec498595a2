// `moonquake approve` and `moonquake reject`: answers a gate from elsewhere.

import ArgumentParser
import ChaosLinux
import ChaosModel

/// What both have in common.
struct GateOptions: ParsableArguments {
    @OptionGroup
    var state: StateOptions

    @Argument(help: "The gate, as the GameDay printed it; may be left out when only one waits.")
    var gate: String?

    @Option(name: .long, help: "A comment for the audit trail.")
    var comment: String?

    /// Answers the gate as the person who runs this.
    func answer(approves: Bool) throws {
        let approvals = LinuxApprovals(stateDirectory: state.path)
        do throws(KernelError) {
            let gate = try chosen(from: try approvals.waiting())
            try approvals.answer(
                gate,
                approves: approves,
                comment: try checkedComment,
                at: LinuxTime().secondsSince1970
            )
            Console.output(
                "\(approves ? "approved" : "rejected") \(gate.subject) of GameDay \"\(gate.gameDay.escapedForDisplay)\" "
                    + "(plan \(gate.planDigest))"
            )
        } catch {
            let code: ChaosModel.ExitCode = error.kind == .notPermitted ? .unavailable : .definition
            throw CommandFailure(code, "\(error)")
        }
    }

    private func chosen(from waiting: [Gate]) throws(KernelError) -> Gate {
        let now = LinuxTime().secondsSince1970
        let open = waiting.filter { $0.expiresAt > now }
        let known =
            open.isEmpty
            ? "no gate waits here" : "waiting: " + open.map(\.id).joined(separator: ", ")
        guard let name = gate else {
            guard open.count == 1 else {
                throw KernelError(.failed, "answer a gate", "\(known); name the gate")
            }
            return open[0]
        }
        guard let found = open.first(where: { $0.id == name }) else {
            throw KernelError(
                .failed,
                "answer gate \"\(name.escapedForDisplay)\"",
                "there is no such gate; \(known)"
            )
        }
        return found
    }

    private var checkedComment: String? {
        get throws(KernelError) {
            guard let comment, comment.utf8.count > 2000 else { return comment }
            throw KernelError(.failed, "answer a gate", "the comment is longer than 2000 bytes")
        }
    }
}

struct ApproveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "approve",
        abstract:
            "Approves what a GameDay asks for; as the user who runs this, or who runs it through sudo."
    )

    @OptionGroup
    var gate: GateOptions

    func run() throws { try gate.answer(approves: true) }
}

struct RejectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reject",
        abstract: "Rejects what a GameDay asks for: it is halted, and the rest is skipped."
    )

    @OptionGroup
    var gate: GateOptions

    func run() throws { try gate.answer(approves: false) }
}
