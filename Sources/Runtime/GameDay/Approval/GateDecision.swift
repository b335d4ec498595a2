// Waits for the answers to one gate: until enough people said yes, one said no, or its time is over.

import ChaosModel

/// The wait at one gate.
struct GateDecision: Sendable {
    private let gate: Gate
    private let approvals: any ApprovalPort
    private let time: any TimePort

    init(_ gate: Gate, approvals: any ApprovalPort, time: any TimePort) {
        self.gate = gate
        self.approvals = approvals
        self.time = time
    }

    /// Asks, waits, and says what became of it; a gate that cannot be kept counts as rejected.
    func record() async -> GateRecord {
        do throws(KernelError) {
            try approvals.open(gate)
            let state = try await wait()
            let answers = try approvals.answers(to: gate)
            try approvals.close(gate)
            return GateRecord(
                gate: gate,
                answers: answers,
                outcome: state,
                decidedAt: time.secondsSince1970
            )
        } catch {
            return GateRecord(
                gate: gate,
                answers: [],
                outcome: "failed: \(error)",
                decidedAt: time.secondsSince1970
            )
        }
    }

    private func wait() async throws(KernelError) -> String {
        let changes = try approvals.changes(of: gate)
        let (looks, more) = AsyncStream.makeStream(
            of: Void.self,
            bufferingPolicy: .bufferingNewest(1)
        )
        let time = time
        let left = Duration.seconds(max(0, gate.expiresAt - time.secondsSince1970))
        let deadline = time.now.advanced(by: left)
        let watcher = Task {
            for await _ in changes { more.yield() }
        }
        let timer = Task {
            guard (try? await time.sleep(until: deadline)) != nil else { return }
            more.yield()
        }
        defer {
            watcher.cancel()
            timer.cancel()
        }
        more.yield()
        for await _ in looks {
            // A wall clock that is set back, or slowed down, gives nobody more time, and the gate an end all the same.
            let isOver = time.now >= deadline
            let now = max(time.secondsSince1970, isOver ? gate.expiresAt : 0)
            switch gate.state(try approvals.answers(to: gate), now: now) {
            case .waiting: continue
            case .approved: return "approved"
            case .rejected: return "rejected"
            case .expired: return "expired"
            }
        }
        return "cancelled"
    }
}

extension GateRecord {
    /// What became of it, in a sentence.
    package var sentence: String {
        let people = self.people
        switch outcome {
        case "approved":
            return "\(gate.subject) was approved by "
                + people.map(\.spelled).joined(separator: ", ")
        case "rejected":
            let no = people.filter { !$0.approves }
            return "\(gate.subject) was rejected by " + no.map(\.spelled).joined(separator: ", ")
        case "expired":
            let seconds = Duration.seconds(gate.expiresAt - gate.openedAt)
            return "\(gate.subject) was not approved by \(gate.approvers) within \(seconds.spelled)"
        default: return "\(gate.subject) was not approved: \(outcome)"
        }
    }
}

extension GateRecord {
    /// The first valid answer of each person, in their order.
    private var people: [GateAnswer] {
        let valid = answers.filter { $0.planDigest == gate.planDigest }.sorted { $0.at < $1.at }
        var seen: Set<String> = []
        return valid.filter { seen.insert($0.who).inserted }
    }
}

extension GateAnswer {
    fileprivate var spelled: String {
        who + (comment.map { " (\"\($0.escapedForDisplay)\")" } ?? "")
    }
}
