// What a day says in the end: passed or not, the exit code, and why. A pure function of its rows.

import ChaosModel
import ChaosSteadyState

/// The answer of a day.
struct DayOutcome {
    let passed: Bool
    let exitCode: ExitCode
    let reasons: [String]

    init(_ rows: [GameDayReport.Row], halt: DayHalt?) {
        let failed = rows.filter { $0.outcome != .held && $0.outcome != .skipped }
        let skipped = rows.filter { $0.outcome == .skipped }
        passed = halt == nil && failed.isEmpty && skipped.isEmpty && !rows.isEmpty
        var reasons = halt.map { [$0.reason] } ?? []
        reasons += failed.map { "\"\($0.title)\" \($0.outcome.rawValue): \($0.reason)" }
            .filter { sentence in !reasons.contains { $0.hasSuffix(sentence) } }
        if halt == nil { reasons += skipped.map { "\"\($0.title)\" was skipped: \($0.reason)" } }
        if rows.isEmpty { reasons.append("no experiment ran") }
        self.reasons = reasons
        exitCode = passed ? .held : Self.code(rows, halt)
    }

    /// A leak outranks everything, then what halted the day, then the worst of the experiments.
    private static func code(_ rows: [GameDayReport.Row], _ halt: DayHalt?) -> ExitCode {
        if rows.contains(where: { $0.outcome == .leaked }) { return .leaked }
        if let halt { return halt.code }
        if rows.contains(where: { $0.outcome == .deviated }) { return .deviated }
        let failure = rows.first { $0.outcome == .failed }.flatMap {
            $0.exitCode.flatMap(ExitCode.init)
        }
        return failure ?? .inconclusive
    }
}

extension GameDayReport.Row {
    /// The row of an experiment that ran.
    init(_ reference: ExperimentReference, of report: RunReport, reportFile: String?) {
        let outcome = GameDayReport.Outcome(report)
        self.init(
            reference,
            title: report.definition.name,
            outcome: outcome,
            reason: outcome == .held ? "" : report.reasons.first ?? ""
        )
        runID = report.runID
        status = report.status
        verdict = report.verdict
        restoration = report.restoration
        exitCode = report.exitCode
        startedAt = report.startedAt
        endedAt = report.endedAt
        recoveredAfterMs = report.recoveredAfterMs
        self.reportFile = reportFile
    }
}

extension GameDayDefinition {
    /// The definition as reports may show it: no passwords, no paths of webhooks, which often are secrets.
    package var masked: GameDayDefinition {
        var copy = self
        copy.health?.metrics = health?.metrics.map(\.redacted) ?? []
        copy.notifiers = notifiers.map { notifier in
            switch notifier {
            case .webhook(_, let headers):
                .webhook(url: notifier.name, headers: headers.mapValues { _ in "***" })
            case .email(let email): .email(email.masked)
            case .command(let arguments): .command(Array(arguments.prefix(1)))
            }
        }
        return copy
    }
}

extension Notifier.Email {
    fileprivate var masked: Notifier.Email {
        var copy = self
        copy.password = password.map { _ in "***" }
        return copy
    }
}
