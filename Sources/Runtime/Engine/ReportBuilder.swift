// From the record of a run to its report. A pure function but for the clock that ends it.

import ChaosModel
import ChaosSteadyState

/// Makes the report of a run.
struct ReportBuilder {
    private let record: RunRecord
    private let machine: RunMachine
    private let mode: RunMode
    private let endedAtSeconds: Double

    init(_ record: RunRecord, machine: RunMachine, mode: RunMode, time: any TimePort) {
        self.record = record
        self.machine = machine
        self.mode = mode
        endedAtSeconds = time.secondsSince1970
    }

    func report() -> RunReport {
        let outcome = RunOutcome(
            record,
            stop: machine.stop,
            notRecovered: machine.notRecovered,
            mode: mode
        )
        var report = RunReport(
            runID: record.runID,
            definition: RunReport.Definition(record.experiment),
            seed: record.seed,
            startedAt: Timestamp.iso8601(record.startedAtSeconds),
            startedAtSeconds: record.startedAtSeconds
        )
        report.mode = mode
        report.endedAt = Timestamp.iso8601(endedAtSeconds)
        report.status = outcome.status
        report.verdict = outcome.verdict
        report.restoration = outcome.restoration
        report.exitCode = outcome.exitCode.rawValue
        report.reasons = outcome.reasons
        report.phases = record.phases
        report.targets = targets
        report.metrics = record.metrics.map(metric)
        report.faults = faults
        report.checks = record.checks
        report.worstAbortLagMs = worstAbortLag
        report.recoveredAfterMs = record.recoveredAfterMs
        report.abort = record.abort
        report.timeline = record.events
        report.proof = proof
        report.error = error
        return report
    }

    private var targets: [Target] {
        var seen: Set<Target> = []
        return record.injections.flatMap(\.leases).map(\.target).filter { seen.insert($0).inserted }
    }

    private var error: RunReport.ErrorReport? {
        if let error = record.error { return error }
        switch machine.stop {
        case .definition(let text), .unavailable(let text), .injection(let text),
            .agentLost(let text):
            return RunReport.ErrorReport(message: text)
        default: return nil
        }
    }

    /// The interval plus the source's own lag, of the slowest metric that can abort.
    private var worstAbortLag: Double? {
        record.metrics.map { record.experiment.steadyState.everyMs + $0.lagMs }.max()
    }

    private func metric(_ metric: MetricDefinition) -> RunReport.MetricReport {
        let samples = record.samples[metric.name] ?? []
        let begins = record.firstInjectionMs ?? .infinity
        let ends = record.rollbackMs ?? .infinity
        func summary(_ isPart: (Double) -> Bool) -> RunReport.Summary {
            RunReport.Summary(MetricSummary(samples.filter { isPart(record.offset(of: $0.at)) }))
        }
        var report = RunReport.MetricReport(metric)
        report.samples = samples.map {
            RunReport.Point(atMs: record.offset(of: $0.at), value: $0.value, note: $0.note)
        }
        report.before = summary { $0 < begins }
        report.during = summary { $0 >= begins && $0 < ends }
        report.after = summary { $0 >= begins && $0 >= ends }
        report.firstViolationMs = record.violations[metric.name]?.atMs
        return report
    }

    private var faults: [RunReport.FaultReport] {
        record.injections.flatMap { injection in
            injection.leases.map { lease in fault(lease, of: injection) }
        }
    }

    private func fault(_ lease: LeaseRecord, of injection: RunRecord.Injection)
        -> RunReport.FaultReport
    {
        var report = RunReport.FaultReport(
            lease,
            of: injection.spec,
            injectedMs: injection.atMs,
            injectedAt: Timestamp.iso8601(record.startedAtSeconds + injection.atMs / 1000)
        )
        report.endedEarly = record.earlyEnds[lease.lease]
        guard let (revert, atMs) = record.reverts[lease.lease] else { return report }
        report.outcome = revert.outcome
        report.measured = revert.effect
        report.seen = revert.seen
        report.revertTookMs = revert.tookMs
        guard revert.outcome.isOver else { return report }
        report.revertedMs = atMs
        report.revertedAt = Timestamp.iso8601(record.startedAtSeconds + atMs / 1000)
        return report
    }

    private var proof: RunReport.Proof {
        let reverts = record.reverts.values.sorted { $0.atMs < $1.atMs }.map { entry in
            "\(entry.record.fault) on \(entry.record.target): \(entry.record.outcome.rawValue), \(entry.record.seen)"
        }
        let open = record.openLeases.map { lease in
            let why = record.reverts[lease.lease]?.record.seen ?? "never reverted"
            return "lease \(lease.lease) on \(lease.target): \(why)"
        }
        return RunReport.Proof(reverts: reverts, leaked: record.leaks + open)
    }
}

extension RunReport.Summary {
    init(_ summary: MetricSummary) {
        self.init()
        count = summary.count
        noData = summary.noDataCount
        mean = summary.mean
        minimum = summary.min
        maximum = summary.max
        p50 = summary.p50
        p95 = summary.p95
        p99 = summary.p99
    }
}
