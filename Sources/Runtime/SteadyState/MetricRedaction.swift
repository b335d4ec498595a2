// Secrets in the options of metrics: they are needed to ask, and belong in no record, report or message.

package import ChaosModel

extension MetricDefinition {
    /// The definition with secrets masked, for records and reports; it must not be sampled.
    package var redacted: MetricDefinition {
        var copy = self
        for (name, value) in options {
            switch (name, value) {
            case ("password", _), ("bearer_token", _): copy.options[name] = "…"
            case ("headers", .table(let headers)):
                // Any header may carry a key, so only the names are kept.
                copy.options[name] = .table(headers.mapValues { _ in "…" })
            default: break
            }
        }
        return copy
    }
}
