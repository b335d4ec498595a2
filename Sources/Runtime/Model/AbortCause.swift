// What can stop a run before its end, in one word each, for reports.

/// The kinds of things that stop a run.
package enum AbortCause: String, Sendable, Hashable, Codable, CaseIterable {
    /// `abort_above` or `abort_below` of a metric, or `no_data = "abort"`.
    case threshold
    /// `abort_if`.
    case abortIf = "abort_if"
    /// `abort(…)` in the script.
    case script
    /// `moonquake abort`.
    case person
    /// A signal.
    case signal
    /// A fault was still on at its deadline.
    case deadline
    /// More was hit than the blast radius allows.
    case radius
    /// The policy does not allow it any more.
    case policy
    /// The agent is gone or silent.
    case agentLost = "agent_lost"
    /// An error: the definition, the script, an injection, the baseline.
    case other
}
