// The record of a run: every event, sample, lease and check, as they come. The report is built from it.

import ChaosModel

/// What has happened in a run so far.
struct RunRecord {
    /// One `inject` of the body.
    struct Injection {
        var handle: FaultHandle
        var spec: FaultSpec
        var leases: [LeaseRecord]
        var atMs: Double
        var candidates: Int
    }

    private(set) var experiment: ExperimentDefinition
    let runID: String
    let seed: UInt64
    let startedAt: Instant
    let startedAtSeconds: Double

    var events: [RunEvent] = []
    var phases: [RunReport.PhaseRecord] = []
    var injections: [Injection] = []
    var reverts: [LeaseID: (record: RevertRecord, atMs: Double)] = [:]
    /// What ended before it was put back, with how that was seen.
    private(set) var earlyEnds: [LeaseID: RunReport.EarlyEnd] = [:]
    var samples: [String: [Sample]] = [:]
    var metrics: [MetricDefinition] = []
    var checks: [RunReport.CheckReport] = []
    /// Injections that failed and that the body may have caught.
    var failedInjections: [String] = []
    /// What the faults can touch, in the order in which it was found.
    var parts: [StatePart] = []
    /// How it was before they were made.
    var before: [StatePart: PartState] = [:]
    /// Each of them beside how it was after the rollback.
    var comparisons: [StateComparison] = []
    /// What could not be put back, in words.
    var leaks: [String] = []
    /// The first violation of each metric while faults were on, in milliseconds, with its words.
    var violations: [String: (atMs: Double, text: String)] = [:]
    var firstInjectionMs: Double?
    var rollbackMs: Double?
    /// How long after the rollback the system was healthy again; nil if that was not seen.
    var recoveredAfterMs: Double?
    var abort: RunReport.AbortReport?
    var radius: [RunReport.RadiusReport] = []
    /// What the policy in force says.
    var policy: [String] = []
    var error: RunReport.ErrorReport?

    init(
        experiment: ExperimentDefinition,
        runID: String,
        seed: UInt64,
        startedAt: Instant,
        startedAtSeconds: Double
    ) {
        self.experiment = experiment
        self.runID = runID
        self.seed = seed
        self.startedAt = startedAt
        self.startedAtSeconds = startedAtSeconds
        metrics = experiment.steadyState.metrics
    }

    /// Takes over what a plain script declares to watch.
    mutating func adopt(_ steadyState: SteadyStateDefinition) {
        experiment.steadyState = steadyState
        metrics = steadyState.metrics
    }

    /// The seed of the next injection of a fault: the same for its plan and its first injection, another for each
    /// further one of the same line.
    func seed(for spec: FaultSpec) -> UInt64 {
        let text = "\(spec.fault) \(spec.target) \(spec.location?.description ?? "")"
        // FNV-1a: the same on every machine and in every process, as `Hasher` is not.
        let line = text.utf8.reduce(0xcbf2_9ce4_8422_2325 as UInt64) {
            ($0 ^ UInt64($1)) &* 0x100_0000_01b3
        }
        let earlier = injections.filter { $0.spec == spec }.count
        return seed &+ line &+ UInt64(earlier)
    }

    /// Milliseconds since the start.
    func offset(of instant: Instant) -> Double { instant.since(startedAt).inMilliseconds }

    /// The leases that are not put back yet, oldest first.
    var openLeases: [LeaseRecord] {
        injections.flatMap(\.leases).filter { reverts[$0.lease]?.record.outcome.isOver != true }
    }

    /// Notes how a lease was put back; the first final record wins.
    mutating func note(_ revert: RevertRecord, at instant: Instant) -> Bool {
        if reverts[revert.lease]?.record.outcome.isOver == true { return false }
        reverts[revert.lease] = (revert, offset(of: instant))
        return true
    }

    /// Notes that a fault ended by itself; returns it in words.
    mutating func noteEnd(of lease: LeaseID, _ seen: String, at instant: Instant) -> String {
        let end = RunReport.EarlyEnd(atMs: offset(of: instant), seen: seen)
        earlyEnds[lease] = earlyEnds[lease] ?? end
        return earlyEnd(of: lease) ?? seen
    }

    /// How a fault ended by itself, in words; nil if it did not.
    func earlyEnd(of lease: LeaseID) -> String? {
        guard let end = earlyEnds[lease] else { return nil }
        let injection = injections.first { $0.leases.contains { $0.lease == lease } }
        let record = injection?.leases.first { $0.lease == lease }
        let subject =
            record.map { "\(injection?.spec.fault ?? "") on \($0.target)" } ?? "lease \(lease)"
        let after = injection.map { " after \(Duration.milliseconds(end.atMs - $0.atMs).spelled)" }
        return "\(subject): the fault ended early\(after ?? ""): \(end.seen)"
    }

    /// Ends the last phase and begins the next.
    mutating func enter(_ phase: Phase, at offsetMs: Double) {
        endPhase(at: offsetMs, outcome: "")
        phases.append(RunReport.PhaseRecord(phase: phase, startedMs: offsetMs))
    }

    mutating func endPhase(at offsetMs: Double, outcome: String) {
        guard !phases.isEmpty, phases[phases.count - 1].endedMs == nil else { return }
        phases[phases.count - 1].endedMs = offsetMs
        if phases[phases.count - 1].outcome.isEmpty { phases[phases.count - 1].outcome = outcome }
    }

    /// Says how the current phase ended, before the next begins.
    mutating func setOutcome(_ outcome: String) {
        guard !phases.isEmpty else { return }
        phases[phases.count - 1].outcome = outcome
    }
}

extension RevertOutcome {
    /// Whether nothing is left to do.
    var isOver: Bool { self != .leaked }
}
