// The report of a run, from which every format is made. The keys are a contract: docs/report.md.

/// Everything that is worth knowing about a run that has ended.
package struct RunReport: Sendable, Hashable, Codable {
    /// The version of these keys that this program writes and reads.
    package static let currentSchemaVersion = 1

    /// The version of these keys.
    package var schemaVersion = RunReport.currentSchemaVersion
    /// The run.
    package var runID: String
    /// What was run.
    package var definition: Definition
    /// Whether it was a run or a dry run.
    package var mode: RunMode
    /// The seed of every choice left to chance.
    package var seed: UInt64
    /// Whether it came to its end.
    package var status: RunStatus
    /// What it says about the hypothesis.
    package var verdict: Verdict
    /// Whether everything is as it was.
    package var restoration: Restoration
    /// The exit code of the program.
    package var exitCode: Int32
    /// Why the verdict is what it is, one sentence each, the most important first.
    package var reasons: [String]
    /// ISO 8601, UTC.
    package var startedAt: String
    /// ISO 8601, UTC.
    package var endedAt: String
    /// Seconds since 1970, UTC, of the start; samples and the time line count from there.
    package var startedAtSeconds: Double
    /// The phases that were entered, in order.
    package var phases: [PhaseRecord]
    /// Everything that was hit.
    package var targets: [Target]
    /// The metrics.
    package var metrics: [MetricReport]
    /// The faults, one for each lease.
    package var faults: [FaultReport]
    /// The checks of the script.
    package var checks: [CheckReport]
    /// The longest time by which an abort could have been late, in milliseconds; nil without metrics.
    package var worstAbortLagMs: Double?
    /// How long after the rollback the system was healthy again; nil if that was not seen.
    package var recoveredAfterMs: Double?
    /// How the run was aborted, if it was.
    package var abort: AbortReport?
    /// How much was really hit, one entry for each `inject` that was on when it was looked at.
    package var radius: [RadiusReport]
    /// What the policy in force said, one sentence each; empty without one.
    package var policy: [String]
    /// Comparisons of baseline, during and after.
    package var statistics: [Comparison]
    /// What happened, in order.
    package var timeline: [RunEvent]
    /// What shows that everything is back.
    package var proof: Proof
    /// What went wrong, if something did.
    package var error: ErrorReport?

    /// What was run.
    package struct Definition: Sendable, Hashable, Codable {
        package var name: String
        package var version: Int?
        package var digest: String
        package var file: String
        package var owner: String?
        package var hypothesis: String?
        package var description: String?
        package var tags: [String]
        /// The parameters that it declares, with the values of this run; nil without any.
        package var parameters: [String: ParameterValue]?

        package init(_ experiment: ExperimentDefinition) {
            name = experiment.name
            version = experiment.version
            digest = experiment.digest
            file = experiment.file
            owner = experiment.owner
            hypothesis = experiment.hypothesis
            description = experiment.description
            tags = experiment.tags
            parameters = experiment.parameters.isEmpty ? nil : experiment.parameters
        }
    }

    /// A phase that was entered.
    package struct PhaseRecord: Sendable, Hashable, Codable {
        package var phase: Phase
        package var startedMs: Double
        package var endedMs: Double?
        /// How it ended, in words.
        package var outcome: String

        package init(phase: Phase, startedMs: Double) {
            self.phase = phase
            self.startedMs = startedMs
            outcome = ""
        }
    }

    /// A metric and what it said.
    package struct MetricReport: Sendable, Hashable, Codable {
        package var name: String
        package var source: String
        package var unit: MetricUnit
        package var healthy: Threshold?
        package var tolerated: Threshold?
        package var lagMs: Double
        /// Every sample: milliseconds since the start, and the value; nil for no data.
        package var samples: [Point]
        package var before: Summary
        package var during: Summary
        package var after: Summary
        /// Milliseconds since the start of the first sample in a run of unhealthy ones that counted; nil if none.
        package var firstViolationMs: Double?

        package init(_ metric: MetricDefinition) {
            name = metric.name
            source = metric.source
            unit = metric.unit
            healthy = metric.healthy
            tolerated = metric.tolerated
            lagMs = metric.lagMs
            samples = []
            before = Summary()
            during = Summary()
            after = Summary()
        }
    }

    /// One sample.
    package struct Point: Sendable, Hashable, Codable {
        package var atMs: Double
        package var value: Double?
        package var note: String?

        package init(atMs: Double, value: Double?, note: String?) {
            self.atMs = atMs
            self.value = value
            self.note = note
        }
    }

    /// The values of a metric in a part of the run.
    package struct Summary: Sendable, Hashable, Codable {
        package var count = 0
        package var noData = 0
        package var mean: Double?
        package var minimum: Double?
        package var maximum: Double?
        package var p50: Double?
        package var p95: Double?
        package var p99: Double?

        package init() {}
    }

    /// A fault on one target.
    package struct FaultReport: Sendable, Hashable, Codable {
        package var name: String
        package var lease: LeaseID
        package var target: Target
        package var heldBy: Holder
        package var engine: String?
        /// The options as given.
        package var asked: [String: ParameterValue]
        /// What was seen when it began.
        package var verified: Effect
        /// What was measured to have happened while it was on; nil when that could not be measured.
        package var measured: Effect?
        package var injectedMs: Double
        package var revertedMs: Double?
        package var injectedAt: String
        package var revertedAt: String?
        package var outcome: RevertOutcome?
        /// What was measured after the revert.
        package var seen: String?
        package var revertTookMs: Double?
        /// When and how it ended by itself; nil if it did not.
        package var endedEarly: EarlyEnd?

        package init(
            _ lease: LeaseRecord,
            of spec: FaultSpec,
            injectedMs: Double,
            injectedAt: String
        ) {
            name = spec.fault
            self.lease = lease.lease
            target = lease.target
            heldBy = lease.heldBy
            engine = lease.engine
            asked = spec.options
            verified = lease.effect
            self.injectedMs = injectedMs
            self.injectedAt = injectedAt
        }
    }

    /// How a fault ended before it was put back.
    package struct EarlyEnd: Sendable, Hashable, Codable {
        package var atMs: Double
        package var seen: String

        package init(atMs: Double, seen: String) {
            self.atMs = atMs
            self.seen = seen
        }
    }

    /// A `check_metric` of the script.
    package struct CheckReport: Sendable, Hashable, Codable {
        package var condition: String
        package var held: Bool?
        package var values: [String: Double]
        package var atMs: Double
        /// How long it was waited for at most; nil for a check of one moment.
        package var withinMs: Double?
        /// How long it took until it held, or until that time was over.
        package var tookMs: Double?
        package var location: SourceLocation?

        package init(
            condition: String,
            held: Bool?,
            values: [String: Double],
            atMs: Double,
            location: SourceLocation?
        ) {
            self.condition = condition
            self.held = held
            self.values = values
            self.atMs = atMs
            self.location = location
        }
    }

    /// How a run was aborted.
    package struct AbortReport: Sendable, Hashable, Codable {
        /// The rule, the signal or the person.
        package var reason: String
        package var atMs: Double
        /// From the decision to the last fault reverted, in milliseconds.
        package var tookMs: Double
        /// What kind of thing stopped it.
        package var cause: AbortCause
        /// The rule as it was written, when a rule did.
        package var rule: String?
        /// The metric whose sample decided, and that sample.
        package var metric: String?
        package var sample: Point?

        package init(
            reason: String,
            atMs: Double,
            tookMs: Double,
            cause: AbortCause = .other,
            rule: String? = nil,
            metric: String? = nil,
            sample: Point? = nil
        ) {
            self.reason = reason
            self.atMs = atMs
            self.tookMs = tookMs
            self.cause = cause
            self.rule = rule
            self.metric = metric
            self.sample = sample
        }
    }

    /// How much of what matched an `inject` really hit.
    package struct RadiusReport: Sendable, Hashable, Codable {
        package var fault: String
        package var leases: [LeaseID]
        /// The largest share of the matching targets that was allowed; nil when not limited by share.
        package var declaredShare: Double?
        /// When the share that was really hit was at its largest: how many matched then, and how many were hit.
        package var candidates: Int
        package var hit: Int
        package var atMs: Double
        /// The largest share of traffic that was allowed; nil when all was.
        package var declaredTraffic: Double?
        /// How much of the traffic that matched was hit until the end; nil when not limited or not counted.
        package var traffic: TrafficShare?

        package init(
            fault: String,
            leases: [LeaseID],
            declaredShare: Double?,
            candidates: Int,
            hit: Int,
            atMs: Double
        ) {
            self.fault = fault
            self.leases = leases
            self.declaredShare = declaredShare
            self.candidates = candidates
            self.hit = hit
            self.atMs = atMs
        }
    }

    /// What shows that everything is back.
    package struct Proof: Sendable, Hashable, Codable {
        /// One line for each lease: what was measured after its revert.
        package var reverts: [String]
        /// What the run could touch, before and after.
        package var state: [StateProof]
        /// What is left; empty when restored.
        package var leaked: [String]

        package init(
            reverts: [String] = [],
            state: [StateProof] = [],
            leaked: [String] = []
        ) {
            self.reverts = reverts
            self.state = state
            self.leaked = leaked
        }

        package init(from decoder: any Decoder) throws {
            let fields = try decoder.container(keyedBy: CodingKeys.self)
            reverts = try fields.decode([String].self, forKey: .reverts)
            // Reports of runs before 26 November 2026 have none.
            state = try fields.decodeIfPresent([StateProof].self, forKey: .state) ?? []
            leaked = try fields.decode([String].self, forKey: .leaked)
        }
    }

    /// A part of the machine before the first fault and after the rollback.
    package struct StateProof: Sendable, Hashable, Codable {
        /// Which part.
        package var part: String
        /// Its lines before.
        package var before: [String]
        /// Its lines after.
        package var after: [String]
        /// What is not as it was; empty when all is.
        package var differences: [String]
        /// Why it could not be compared; nil when it could.
        package var problem: String?

        package init(_ comparison: StateComparison) {
            part = comparison.before.part.description
            before = comparison.before.lines.map(\.description)
            after = comparison.after.lines.map(\.description)
            differences = comparison.differences.map(\.description)
            problem = comparison.problem
        }

        /// All of it in one line.
        package var summary: String {
            if let problem { return "\(part): not compared: \(problem)" }
            let count = before.count == 1 ? "1 line" : "\(before.count) lines"
            return differences.isEmpty
                ? "\(part): the same before and after (\(count))"
                : "\(part): \(differences.joined(separator: "; "))"
        }
    }

    /// What went wrong.
    package struct ErrorReport: Sendable, Hashable, Codable {
        package var message: String
        package var traceback: String?

        package init(message: String, traceback: String? = nil) {
            self.message = message
            self.traceback = traceback
        }
    }

    /// Makes the report of a run that has just begun.
    package init(
        runID: String,
        definition: Definition,
        seed: UInt64,
        startedAt: String,
        startedAtSeconds: Double
    ) {
        self.runID = runID
        self.definition = definition
        self.seed = seed
        mode = .run
        status = .completed
        verdict = .inconclusive
        restoration = .restored
        exitCode = ExitCode.inconclusive.rawValue
        reasons = []
        self.startedAt = startedAt
        endedAt = startedAt
        self.startedAtSeconds = startedAtSeconds
        phases = []
        targets = []
        metrics = []
        faults = []
        checks = []
        radius = []
        policy = []
        statistics = []
        timeline = []
        proof = Proof()
    }
}
