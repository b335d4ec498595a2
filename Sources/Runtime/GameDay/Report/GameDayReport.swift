// The report of a GameDay, from which every format is made. The keys are a contract: docs/gamedays.md.

package import ChaosModel

/// Everything that is worth knowing about a day that has ended, or was cut off.
package struct GameDayReport: Sendable, Hashable, Codable {
    /// The version of these keys that this program writes and reads.
    package static let currentSchemaVersion = 1

    /// The version of these keys.
    package var schemaVersion = GameDayReport.currentSchemaVersion
    /// The day.
    package var gameDayID: String
    /// What was run.
    package var definition: GameDayDefinition
    /// The digest of everything that was to run.
    package var planDigest: String
    /// Whether it came to its end.
    package var status: Status
    /// Whether every experiment ran and held, with everything restored.
    package var passed: Bool
    /// The exit code of the program.
    package var exitCode: Int32
    /// Why it did not pass, or ended early; one sentence each.
    package var reasons: [String]
    /// ISO 8601, UTC.
    package var startedAt: String
    /// ISO 8601, UTC.
    package var endedAt: String
    /// A row for each experiment, those that were skipped included.
    package var experiments: [Row]
    /// The gates and what became of them.
    package var gates: [GateRecord]
    /// What happened, in order, over all experiments.
    package var timeline: [Event]
    /// What follows from each experiment that deviated.
    package var recommendations: [Recommendation]
    /// What was sent to whom.
    package var notifications: [NoticeRecord]

    /// Whether it came to its end.
    package enum Status: String, Sendable, Hashable, Codable {
        /// It goes on: the state of one that was cut off.
        case running
        /// Every experiment had its turn.
        case completed
        /// It was ended early; the rest was skipped.
        case halted
    }

    /// One experiment of the day.
    package struct Row: Sendable, Hashable, Codable {
        /// How the GameDay named it.
        package var reference: ExperimentReference
        /// Its title.
        package var title: String
        /// How it came out.
        package var outcome: Outcome
        /// Why, in a sentence; empty when it held.
        package var reason: String
        /// Its run; nil when it did not run.
        package var runID: String?
        /// The three answers of its run.
        package var status: RunStatus?
        package var verdict: Verdict?
        package var restoration: Restoration?
        /// The exit code of its run.
        package var exitCode: Int32?
        /// ISO 8601, UTC.
        package var startedAt: String?
        /// ISO 8601, UTC.
        package var endedAt: String?
        /// How long after the rollback the system was healthy again, in milliseconds.
        package var recoveredAfterMs: Double?
        /// Where its own report is.
        package var reportFile: String?

        /// Makes the row of an experiment that has not run.
        package init(
            _ reference: ExperimentReference,
            title: String,
            outcome: Outcome,
            reason: String
        ) {
            self.reference = reference
            self.title = title
            self.outcome = outcome
            self.reason = reason
        }
    }

    /// How an experiment of the day came out.
    package enum Outcome: String, Sendable, Hashable, Codable {
        /// The hypothesis held.
        case held
        /// It did not.
        case deviated
        /// The run could not say.
        case inconclusive
        /// It was stopped by a safety rule or a person.
        case aborted
        /// It did not work: the baseline, the definition, a missing right.
        case failed
        /// Something is left.
        case leaked
        /// It did not run.
        case skipped
    }

    /// One thing that happened in the day.
    package struct Event: Sendable, Hashable, Codable {
        /// Seconds since 1970, UTC.
        package var at: Double
        /// The run it belongs to; nil for the day itself.
        package var runID: String?
        /// What kind it is: that of a run's event, or `day`, `gate`, `health`, `observation`.
        package var kind: String
        /// What happened, in words.
        package var text: String

        /// Makes an event.
        package init(at: Double, runID: String? = nil, kind: String, text: String) {
            self.at = at
            self.runID = runID
            self.kind = kind
            self.text = text
        }
    }

    /// Makes the report of a day that has just begun.
    package init(
        gameDayID: String,
        definition: GameDayDefinition,
        planDigest: String,
        startedAt: String
    ) {
        self.gameDayID = gameDayID
        self.definition = definition
        self.planDigest = planDigest
        status = .running
        passed = false
        exitCode = ExitCode.inconclusive.rawValue
        reasons = []
        self.startedAt = startedAt
        endedAt = startedAt
        experiments = []
        gates = []
        timeline = []
        recommendations = []
        notifications = []
    }
}

extension GameDayReport {
    /// Puts what happened in a run on the time line, where it belongs by its time.
    mutating func add(_ events: [RunEvent], of runID: String) {
        timeline += events.map {
            Event(at: $0.at, runID: runID, kind: $0.kind.rawValue, text: $0.text)
        }
        // The day has events of its own from while the run went on, such as that it was stopped; the sort is stable.
        timeline.sort { $0.at < $1.at }
    }
}

extension GameDayReport.Outcome {
    /// How a run came out.
    package init(_ report: RunReport) {
        if report.restoration == .leaked {
            self = .leaked
        } else {
            switch report.exitCode {
            case ExitCode.baseline.rawValue: self = .failed
            default:
                switch report.status {
                case .aborted: self = .aborted
                case .failed: self = .failed
                case .completed:
                    switch report.verdict {
                    case .held: self = .held
                    case .deviated: self = .deviated
                    case .inconclusive: self = .inconclusive
                    }
                }
            }
        }
    }

    /// Whether nothing more may run after it.
    package var haltsTheDay: Bool { self == .aborted || self == .leaked }
}
