// The report as JUnit XML, for CI: the hypothesis, the restoration and each check are test cases.
//
// A deviation is a failure, what could not be said or done is an error, and an unhealthy baseline is skipped: nothing
// was tested.

package import ChaosModel

/// The report as JUnit XML.
package struct JUnitReport: Sendable {
    private enum Outcome {
        case passed
        case failed(String)
        case broken(String)
        case skipped(String)
    }

    private struct Case {
        var name: String
        var seconds: Double
        var outcome: Outcome
    }

    private let report: RunReport

    /// Makes a view of a report.
    package init(_ report: RunReport) { self.report = report }

    /// The text, with a newline at its end.
    package var text: String {
        let cases = [hypothesis, restoration] + checks
        let count = { (matches: (Outcome) -> Bool) in cases.count { matches($0.outcome) } }
        let failures = count { if case .failed = $0 { true } else { false } }
        let errors = count { if case .broken = $0 { true } else { false } }
        let skipped = count { if case .skipped = $0 { true } else { false } }
        let name = Self.escape(report.definition.name)
        let totals =
            "tests=\"\(cases.count)\" failures=\"\(failures)\" errors=\"\(errors)\" "
            + "skipped=\"\(skipped)\" time=\"\(Self.seconds(report.lengthMs / 1000))\""
        var lines = [
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
            "<testsuites name=\"moonquake\" \(totals)>",
            "  <testsuite name=\"\(name)\" timestamp=\"\(Self.escape(String(report.startedAt.prefix(19))))\" \(totals)>",
            "    <properties>",
        ]
        let properties = [
            ("run_id", report.runID), ("seed", "\(report.seed)"),
            ("status", report.status.rawValue), ("verdict", report.verdict.rawValue),
            ("restoration", report.restoration.rawValue), ("exit_code", "\(report.exitCode)"),
            ("digest", report.definition.digest),
        ]
        lines += properties.map { name, value in
            "      <property name=\"\(name)\" value=\"\(Self.escape(value))\"/>"
        }
        lines.append("    </properties>")
        lines += cases.flatMap(xml)
        lines += ["  </testsuite>", "</testsuites>"]
        return lines.joined(separator: "\n") + "\n"
    }

    private var hypothesis: Case {
        let why = report.reasons.joined(separator: "\n")
        let outcome: Outcome =
            switch report.verdict {
            case .held: .passed
            case .deviated: .failed(why)
            case .inconclusive:
                report.exitCode == ExitCode.baseline.rawValue ? .skipped(why) : .broken(why)
            }
        return Case(
            name: report.definition.hypothesis ?? "the hypothesis",
            seconds: report.lengthMs / 1000,
            outcome: outcome
        )
    }

    private var restoration: Case {
        let left = report.proof.leaked.joined(separator: "\n")
        return Case(
            name: "everything is restored",
            seconds: report.faults.compactMap(\.revertTookMs).reduce(0, +) / 1000,
            outcome: report.restoration == .restored ? .passed : .failed("left behind: \(left)")
        )
    }

    private var checks: [Case] {
        report.checks.map { check in
            let words = check.inWords(report.units)
            let outcome: Outcome =
                switch check.held {
                case true?: .passed
                case false?: .failed(words)
                case nil: .broken(words)
                }
            return Case(name: "check \(check.condition)", seconds: 0, outcome: outcome)
        }
    }

    private func xml(_ test: Case) -> [String] {
        let suite = Self.escape(report.definition.name)
        let start =
            "    <testcase classname=\"\(suite)\" name=\"\(Self.escape(test.name))\" "
            + "time=\"\(Self.seconds(test.seconds))\""
        let (element, text): (String, String)
        switch test.outcome {
        case .passed: return [start + "/>"]
        case .failed(let why): (element, text) = ("failure", why)
        case .broken(let why): (element, text) = ("error", why)
        case .skipped(let why): (element, text) = ("skipped", why)
        }
        let first = text.split(separator: "\n").first.map(String.init) ?? ""
        let message = "message=\"\(Self.escape(first))\""
        return [
            start + ">", "      <\(element) \(message)>\(Self.escape(text))</\(element)>",
            "    </testcase>",
        ]
    }

    private static func seconds(_ value: Double) -> String {
        ParameterValue.shortest((value * 1000).rounded() / 1000)
    }

    /// The text fit for an attribute or an element: XML 1.0 has no control characters, not even as references.
    static func escape(_ text: String) -> String {
        // By scalars: a mark that combines with a quote must not hide it.
        var escaped = ""
        for scalar in text.harmless.unicodeScalars {
            switch scalar {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            case "'": escaped += "&apos;"
            case "\n": escaped += "&#10;"
            case "\t": escaped += "&#9;"
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
