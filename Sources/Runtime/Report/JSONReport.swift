// The report as JSON: the source of every other format. Its keys are described in docs/report.md.

package import ChaosModel

/// The report as JSON.
package enum JSONReport {
    /// The text of the file, with a newline at its end.
    package static func text(_ report: RunReport) throws -> String {
        try WireJSON.pretty(report) + "\n"
    }
}
