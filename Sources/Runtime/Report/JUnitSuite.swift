// A suite of test cases as JUnit XML, for CI.

import ChaosModel

/// A suite of test cases.
struct JUnitSuite {
    /// What came of a case.
    enum Outcome {
        case passed
        case failed(String)
        case broken(String)
        case skipped(String)
    }

    /// One test case.
    struct Case {
        var name: String
        var seconds: Double
        var outcome: Outcome
    }

    var name: String
    /// ISO 8601.
    var startedAt: String
    var seconds: Double
    var properties: [(name: String, value: String)]
    var cases: [Case]

    /// The text, with a newline at its end.
    var text: String {
        let count = { (matches: (Outcome) -> Bool) in cases.count { matches($0.outcome) } }
        let failures = count { if case .failed = $0 { true } else { false } }
        let errors = count { if case .broken = $0 { true } else { false } }
        let skipped = count { if case .skipped = $0 { true } else { false } }
        let totals =
            "tests=\"\(cases.count)\" failures=\"\(failures)\" errors=\"\(errors)\" "
            + "skipped=\"\(skipped)\" time=\"\(Self.rounded(seconds))\""
        var lines = [
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
            "<testsuites name=\"moonquake\" \(totals)>",
            "  <testsuite name=\"\(Self.escape(name))\" "
                + "timestamp=\"\(Self.escape(String(startedAt.prefix(19))))\" \(totals)>",
            "    <properties>",
        ]
        lines += properties.map { name, value in
            "      <property name=\"\(Self.escape(name))\" value=\"\(Self.escape(value))\"/>"
        }
        lines.append("    </properties>")
        lines += cases.flatMap(xml)
        lines += ["  </testsuite>", "</testsuites>"]
        return lines.joined(separator: "\n") + "\n"
    }

    private func xml(_ test: Case) -> [String] {
        let start =
            "    <testcase classname=\"\(Self.escape(name))\" name=\"\(Self.escape(test.name))\" "
            + "time=\"\(Self.rounded(test.seconds))\""
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

    private static func rounded(_ seconds: Double) -> String {
        ParameterValue.shortest((seconds * 1000).rounded() / 1000)
    }

    /// The text fit for an attribute or an element; a line break and a tab would be spaces in an attribute.
    private static func escape(_ text: String) -> String {
        text.escapedForMarkup(["'": "&apos;", "\n": "&#10;", "\t": "&#9;"])
    }
}
