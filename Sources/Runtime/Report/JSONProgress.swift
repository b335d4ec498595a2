// A run as a program watches it: one JSON line on standard output for each event and each sample.

package import ChaosModel

/// Tells of a run as JSON lines.
package final class JSONProgress: RunObserver {
    private struct SampleLine: Encodable {
        var kind = "sample"
        var metric: String
        var value: Double?
        var note: String?
        var isHealthy: Bool
    }

    private let write: @Sendable (String) -> Void

    /// Makes a teller; `write` gets whole lines without their newline.
    package init(write: @escaping @Sendable (String) -> Void) { self.write = write }

    package func happened(_ event: RunEvent) { tell(event) }

    package func sampled(_ metric: MetricDefinition, _ sample: Sample, isHealthy: Bool) {
        tell(
            SampleLine(
                metric: metric.name,
                value: sample.value,
                note: sample.note,
                isHealthy: isHealthy
            )
        )
    }

    private func tell(_ value: some Encodable) {
        // Events are plain values: that one cannot be written as JSON is impossible, and no reason to stop a run.
        guard let line = try? WireJSON.line(value) else { return }
        write(line)
    }
}
