// From the record of a run to its report. A pure function but for the clock that ends it.

import ChaosModel
import ChaosSteadyState

/// The samples of one metric by part of the run.
private struct Parts {
    var before: [Sample]
    var during: [Sample]
    var after: [Sample]
}

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
        report.statistics = statistics
        report.radius = record.radius.map(radius)
        report.policy = record.policy
        report.timeline = record.events
        report.proof = proof
        report.error = error
        return report
    }

    /// The radius with the traffic of the whole time, as the reverts measured it, where all of them did.
    private func radius(_ seen: RunReport.RadiusReport) -> RunReport.RadiusReport {
        guard seen.declaredTraffic != nil else { return seen }
        let shares = seen.leases.map { record.reverts[$0]?.record.effect?.traffic }
        guard let first = shares.first ?? nil else { return seen }
        var whole = seen
        whole.traffic =
            shares.dropFirst().reduce(first) { sum, next in
                sum.flatMap { sum in next.flatMap { sum + $0 } }
            } ?? seen.traffic
        return whole
    }

    private var targets: [Target] {
        var seen: Set<Target> = []
        return record.injections.flatMap(\.leases).map(\.target).filter { seen.insert($0).inserted }
    }

    private var error: RunReport.ErrorReport? {
        if let error = record.error { return error }
        switch machine.stop {
        case .definition(let text), .unavailable(let text), .residue(let text),
            .injection(let text), .agentLost(let text):
            return RunReport.ErrorReport(message: text)
        default: return nil
        }
    }

    private var worstAbortLag: Double? {
        record.metrics.map(record.watched.abortLagMs).max()
    }

    /// The samples of a metric in the parts of the run.
    private func parts(_ metric: String) -> Parts {
        let samples = record.samples[metric] ?? []
        let begins = record.firstInjectionMs ?? .infinity
        let ends = record.rollbackMs ?? .infinity
        func part(_ isPart: (Double) -> Bool) -> [Sample] {
            samples.filter { isPart(record.offset(of: $0.at)) }
        }
        return Parts(
            before: part { $0 < begins },
            during: part { $0 >= begins && $0 < ends },
            after: part { $0 >= begins && $0 >= ends }
        )
    }

    /// Every metric before and during, before and after, and beside its control; nothing without a fault.
    private var statistics: [RunReport.Comparison] {
        guard record.firstInjectionMs != nil else { return [] }
        return record.metrics.flatMap { metric in
            let own = parts(metric.name)
            var all = [
                RunReport.Comparison(
                    .beforeDuring,
                    of: metric,
                    first: own.before,
                    second: own.during
                ),
                RunReport.Comparison(
                    .beforeAfter,
                    of: metric,
                    first: own.before,
                    second: own.after
                ),
            ]
            guard let name = metric.control else { return all }
            let control = parts(name)
            all.append(
                RunReport.Comparison(
                    .controlBefore,
                    of: metric,
                    control: name,
                    first: control.before,
                    second: own.before
                )
            )
            all.append(
                RunReport.Comparison(
                    .controlDuring,
                    of: metric,
                    control: name,
                    first: control.during,
                    second: own.during
                )
            )
            return all
        }
    }

    private func metric(_ metric: MetricDefinition) -> RunReport.MetricReport {
        let samples = record.samples[metric.name] ?? []
        let parts = parts(metric.name)
        var report = RunReport.MetricReport(metric)
        report.samples = samples.map {
            RunReport.Point(atMs: record.offset(of: $0.at), value: $0.value, note: $0.note)
        }
        report.before = RunReport.Summary(MetricSummary(parts.before))
        report.during = RunReport.Summary(MetricSummary(parts.during))
        report.after = RunReport.Summary(MetricSummary(parts.after))
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
        let reverts = record.reverts.sorted { left, right in
            // Those of one moment are put back newest first; a later lease has a longer or a greater name.
            (left.value.atMs, right.key.text.count, right.key)
                < (right.value.atMs, left.key.text.count, left.key)
        }
        .map { _, entry in
            "\(entry.record.fault) on \(entry.record.target): \(entry.record.outcome.rawValue), \(entry.record.seen)"
        }
        let open = record.openLeases.map { lease in
            let why = record.reverts[lease.lease]?.record.seen ?? "never reverted"
            return "lease \(lease.lease) on \(lease.target): \(why)"
        }
        return RunReport.Proof(
            reverts: reverts,
            state: record.comparisons.map(RunReport.StateProof.init),
            leaked: record.leaks + open + record.stateLeaks
        )
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
