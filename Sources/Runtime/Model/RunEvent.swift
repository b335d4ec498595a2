// What happens in a run, as it happens: the terminal, `--json`, the record of the run and the time line of the
// report are all made from these.

/// One thing that happened in a run.
package struct RunEvent: Sendable, Hashable, Codable {
    /// The kinds of things that happen.
    package enum Kind: String, Sendable, Hashable, Codable {
        /// The run began.
        case started
        /// A phase began; `phase` says which.
        case phase
        /// A line of the plan.
        case plan
        /// Something that an earlier run had left was put back.
        case recovered
        /// A fault is in force.
        case injected
        /// A fault was put back.
        case reverted
        /// A fault could not be put back.
        case leaked
        /// A metric became unhealthy, or healthy again.
        case health
        /// A condition of `check_metric` was judged.
        case check
        /// An abort rule was armed.
        case rule
        /// The run is being stopped, and why.
        case stop
        /// A note of a human.
        case observation
        /// A line of the script's own.
        case log
        /// Something that the reader should know.
        case warning
        /// The run ended.
        case ended
    }

    /// Seconds since 1970, UTC.
    package var at: Double
    /// Milliseconds since the run began.
    package var offsetMs: Double
    /// What kind it is.
    package var kind: Kind
    /// The phase in which it happened, or which began.
    package var phase: Phase
    /// What happened, in words.
    package var text: String

    /// Makes an event.
    package init(at: Double, offsetMs: Double, kind: Kind, phase: Phase, text: String) {
        self.at = at
        self.offsetMs = offsetMs
        self.kind = kind
        self.phase = phase
        self.text = text
    }
}

/// Who is told of a run as it happens.
package protocol RunObserver: Sendable {
    /// Something happened.
    func happened(_ event: RunEvent)

    /// A metric was sampled; comes often.
    func sampled(_ metric: MetricDefinition, _ sample: Sample, isHealthy: Bool)

    /// The run is being aborted, by a rule, its script, a person or a signal: its rollback and more are still to come.
    func aborting(_ reason: String)
}

extension RunObserver {
    package func aborting(_ reason: String) {}
}
