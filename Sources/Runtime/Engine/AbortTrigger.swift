// What decided that a run is stopped: kept for the report beside the reason in words.

import ChaosModel

/// The rule that stopped a run, and the sample that it judged.
struct AbortTrigger: Sendable {
    var cause: AbortCause
    var rule: String?
    var metric: String?
    var sample: Sample?
}

extension Runner {
    /// Stops the run because of a rule; the first one counts.
    func stop(_ reason: StopReason, by trigger: AbortTrigger) {
        if machine.stop == nil { self.trigger = trigger }
        handle(.stopped(reason))
    }

    /// How the run was stopped; nil when it was not.
    func abortReport() -> RunReport.AbortReport? {
        guard let stoppedAt, let stop = machine.stop else { return nil }
        return RunReport.AbortReport(
            reason: stop.text,
            atMs: record.offset(of: stoppedAt),
            tookMs: surroundings.time.now.since(stoppedAt).inMilliseconds,
            cause: trigger?.cause ?? stop.cause,
            rule: trigger?.rule,
            metric: trigger?.metric,
            sample: trigger?.sample.map { sample in
                RunReport.Point(
                    atMs: record.offset(of: sample.at),
                    value: sample.value,
                    note: sample.note
                )
            }
        )
    }
}

extension StopReason {
    /// The kind of thing that it is, where no rule says more.
    fileprivate var cause: AbortCause {
        switch self {
        case .rule: .threshold
        case .scriptAbort: .script
        case .person: .person
        case .signal: .signal
        case .agentLost: .agentLost
        case .definition, .unavailable, .baseline, .residue, .injection, .script: .other
        }
    }
}
