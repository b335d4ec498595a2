// An approval gate: what is asked, the answers, and what they come to. Values only; where answers are kept is a port.

/// A question to people, before anything is done.
package struct Gate: Sendable, Hashable, Codable {
    /// The name to answer it by: `20261125-100000-1f0c9a-gate1`.
    package var id: String
    /// The GameDay that asks.
    package var gameDay: String
    /// What is asked for: the whole day, or an experiment.
    package var subject: String
    /// The digest of everything that an approval would let run; an answer counts only for this one.
    package var planDigest: String
    /// How many different people must approve.
    package var approvers: Int
    /// Seconds since 1970, UTC.
    package var openedAt: Double
    /// Seconds since 1970, UTC; from then on it counts as rejected.
    package var expiresAt: Double

    /// Makes a gate from its parts.
    package init(
        id: String,
        gameDay: String,
        subject: String,
        planDigest: String,
        approvers: Int,
        openedAt: Double,
        expiresAt: Double
    ) {
        self.id = id
        self.gameDay = gameDay
        self.subject = subject
        self.planDigest = planDigest
        self.approvers = approvers
        self.openedAt = openedAt
        self.expiresAt = expiresAt
    }
}

/// What one person said.
package struct GateAnswer: Sendable, Hashable, Codable {
    /// The person's login name.
    package var who: String
    /// Whether it is a yes.
    package var approves: Bool
    /// What they added.
    package var comment: String?
    /// Seconds since 1970, UTC.
    package var at: Double
    /// The digest that was shown to them.
    package var planDigest: String

    /// Makes an answer.
    package init(who: String, approves: Bool, comment: String?, at: Double, planDigest: String) {
        self.who = who
        self.approves = approves
        self.comment = comment
        self.at = at
        self.planDigest = planDigest
    }
}

/// What a gate has come to.
package enum GateState: Sendable, Hashable {
    /// So many more people must approve.
    case waiting(missing: Int)
    /// Enough have.
    case approved(by: [String])
    /// Somebody said no.
    case rejected(by: String, comment: String?)
    /// Nobody, or too few, answered in time.
    case expired
}

extension Gate {
    /// What the answers come to: one no is a no, the same person counts once, and an answer to another plan not at all.
    package func state(_ answers: [GateAnswer], now: Double) -> GateState {
        let valid = answers.filter { $0.planDigest == planDigest && $0.at < expiresAt }
            .sorted { ($0.at, $0.who) < ($1.at, $1.who) }
        if let no = valid.first(where: { !$0.approves }) {
            return .rejected(by: no.who, comment: no.comment)
        }
        var people: [String] = []
        for answer in valid where !people.contains(answer.who) { people.append(answer.who) }
        if people.count >= approvers { return .approved(by: Array(people.prefix(approvers))) }
        return now >= expiresAt ? .expired : .waiting(missing: approvers - people.count)
    }
}

/// Where gates and answers are kept, so that people can answer from elsewhere.
package protocol ApprovalPort: Sendable {
    /// Makes a gate known.
    func open(_ gate: Gate) throws(KernelError)

    /// The answers so far.
    func answers(to gate: Gate) throws(KernelError) -> [GateAnswer]

    /// Something to wait for: an element when the answers may have changed.
    func changes(of gate: Gate) throws(KernelError) -> AsyncStream<Void>

    /// Takes a gate away: nobody can answer it any more.
    func close(_ gate: Gate) throws(KernelError)
}

/// What became of a gate, for the audit trail.
package struct GateRecord: Sendable, Hashable, Codable {
    /// The gate.
    package var gate: Gate
    /// Every answer, also those that did not count.
    package var answers: [GateAnswer]
    /// `approved`, `rejected`, `expired` or `cancelled`.
    package var outcome: String
    /// Seconds since 1970, UTC.
    package var decidedAt: Double

    /// Makes a record from its parts.
    package init(gate: Gate, answers: [GateAnswer], outcome: String, decidedAt: Double) {
        self.gate = gate
        self.answers = answers
        self.outcome = outcome
        self.decidedAt = decidedAt
    }
}
