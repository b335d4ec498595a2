// The report as JUnit XML, for CI: the hypothesis, the restoration and each check are test cases.
//
// A deviation is a failure, what could not be said or done is an error, and an unhealthy baseline is skipped: nothing
// was tested.

package import ChaosModel

/// The report as JUnit XML.
package struct JUnitReport: Sendable {
    private let report: RunReport

    /// Makes a view of a report.
    package init(_ report: RunReport) { self.report = report }

    /// The text, with a newline at its end.
    package var text: String {
        JUnitSuite(
            name: report.definition.name,
            startedAt: report.startedAt,
            seconds: report.lengthMs / 1000,
            properties: [
                ("run_id", report.runID), ("seed", "\(report.seed)"),
                ("status", report.status.rawValue), ("verdict", report.verdict.rawValue),
                ("restoration", report.restoration.rawValue), ("exit_code", "\(report.exitCode)"),
                ("digest", report.definition.digest),
            ],
            cases: [hypothesis, restoration] + checks
        )
        .text
    }

    private var hypothesis: JUnitSuite.Case {
        let why = report.reasons.joined(separator: "\n")
        let outcome: JUnitSuite.Outcome =
            switch report.verdict {
            case .held: .passed
            case .deviated: .failed(why)
            case .inconclusive:
                report.exitCode == ExitCode.baseline.rawValue ? .skipped(why) : .broken(why)
            }
        return JUnitSuite.Case(
            name: report.definition.hypothesis ?? "the hypothesis",
            seconds: report.lengthMs / 1000,
            outcome: outcome
        )
    }

    private var restoration: JUnitSuite.Case {
        let left = report.proof.leaked.joined(separator: "\n")
        return JUnitSuite.Case(
            name: "everything is restored",
            seconds: report.faults.compactMap(\.revertTookMs).reduce(0, +) / 1000,
            outcome: report.restoration == .restored ? .passed : .failed("left behind: \(left)")
        )
    }

    private var checks: [JUnitSuite.Case] {
        report.checks.map { check in
            let words = check.inWords(report.units)
            let outcome: JUnitSuite.Outcome =
                switch check.held {
                case true?: .passed
                case false?: .failed(words)
                case nil: .broken(words)
                }
            return JUnitSuite.Case(
                name: "check \(check.condition)",
                seconds: 0,
                outcome: outcome
            )
        }
    }
}
