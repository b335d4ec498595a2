// What a run says in the end: status, verdict, restoration, exit code, and why. A pure function of its record.

import ChaosModel

/// The three answers of a run and the reasons for them.
struct RunOutcome {
    var status: RunStatus
    var verdict: Verdict
    var restoration: Restoration
    var exitCode: ExitCode
    var reasons: [String]

    init(_ record: RunRecord, stop: StopReason?, notRecovered: String?, mode: RunMode = .run) {
        let left = record.openLeases.map { "\($0.target): lease \($0.lease) was not put back" }
        let leaks = record.leaks + left + record.stateLeaks
        restoration = leaks.isEmpty ? .restored : .leaked
        let judgement = Judgement(record, notRecovered: notRecovered)
        (status, verdict, exitCode, reasons) = Self.answer(stop, judgement)
        if mode == .dryRun, stop == nil {
            (verdict, exitCode) = (.inconclusive, .held)
            reasons = [
                "dry run: the baseline is healthy, and every fault found its targets and what it needs; "
                    + "nothing was touched"
            ]
        }
        if mode == .shadow, stop == nil { (verdict, exitCode, reasons) = Self.shadow(record) }
        if !leaks.isEmpty {
            exitCode = .leaked
            reasons = leaks + reasons
        }
    }

    private typealias Answer = (RunStatus, Verdict, ExitCode, [String])

    private static func answer(_ stop: StopReason?, _ judgement: Judgement) -> Answer {
        guard let stop else {
            let verdict = judgement.verdict
            let code: ExitCode =
                switch verdict {
                case .held: .held
                case .deviated: .deviated
                case .inconclusive: .inconclusive
                }
            return (.completed, verdict, code, judgement.reasons)
        }
        let verdict: Verdict = judgement.violations.isEmpty ? .inconclusive : .deviated
        let reasons = [stop.text] + judgement.violations
        switch stop {
        case .definition: return (.failed, .inconclusive, .definition, reasons)
        case .unavailable: return (.failed, .inconclusive, .unavailable, reasons)
        case .baseline, .residue: return (.aborted, .inconclusive, .baseline, reasons)
        case .injection:
            return (.failed, .inconclusive, .inconclusive, ["fault not injected"] + reasons)
        case .script: return (.failed, .inconclusive, .definition, reasons)
        case .rule, .scriptAbort, .person: return (.aborted, verdict, .aborted, reasons)
        case .signal: return (.aborted, verdict, .interrupted, reasons)
        case .agentLost: return (.failed, .inconclusive, .inconclusive, reasons)
        }
    }

    /// What the samples, checks and effects say about the hypothesis.
    private struct Judgement {
        var verdict: Verdict
        var reasons: [String]
        /// What deviated, in words.
        var violations: [String]

        init(_ record: RunRecord, notRecovered: String?) {
            let metrics = record.violations.sorted { $0.value.atMs < $1.value.atMs }.map(
                \.value.text
            )
            let checks = record.checks.filter { $0.held == false }.map { check in
                let place = check.location.map { " (\($0))" } ?? ""
                return "check_metric: \(check.condition) did not hold\(place)"
            }
            violations = metrics + checks + (notRecovered.map { [$0] } ?? [])
            let doubts = Self.doubts(record)
            if !violations.isEmpty {
                verdict = .deviated
                reasons = violations + doubts
            } else if !doubts.isEmpty {
                verdict = .inconclusive
                reasons = doubts
            } else {
                verdict = .held
                reasons = ["every metric stayed healthy and every check held"]
            }
        }

        /// Why nothing can be concluded, although nothing deviated.
        private static func doubts(_ record: RunRecord) -> [String] {
            var doubts = record.failedInjections.map { "fault not injected: \($0)" }
            if record.injections.isEmpty, doubts.isEmpty { doubts.append("no fault was injected") }
            for injection in record.injections {
                let idle = injection.leases.filter {
                    record.reverts[$0.lease]?.record.effect?.hit == false
                }
                doubts += idle.map { "\(injection.spec.fault) on \($0.target): no traffic matched" }
                doubts += injection.leases.compactMap { record.earlyEnd(of: $0.lease) }
            }
            let isJudged = record.metrics.contains { $0.healthy != nil } || !record.checks.isEmpty
            if !isJudged {
                doubts.append(
                    "nothing was judged: no metric has a threshold and no check_metric ran"
                )
            }
            doubts += record.checks.filter { $0.held == nil }.map {
                "check_metric: no data for \($0.condition)"
            }
            return doubts + record.metrics.compactMap { silence(of: $0, record) }
        }

        /// Why a metric whose missing values are left out says nothing at all; nil when it does.
        private static func silence(of metric: MetricDefinition, _ record: RunRecord) -> String? {
            guard metric.healthy != nil, metric.noData == .ignore,
                let begins = record.firstInjectionMs
            else { return nil }
            let ends = record.rollbackMs ?? .infinity
            let during = (record.samples[metric.name] ?? []).filter { sample in
                (begins..<ends).contains(record.offset(of: sample.at))
            }
            let known = during.count { $0.value != nil }
            guard let last = during.last, known * 2 < during.count else { return nil }
            let note = last.note.map { " (\($0))" } ?? ""
            return
                "\(metric.name) had data in only \(known) of \(during.count) samples while faults were on\(note)"
        }
    }
}
