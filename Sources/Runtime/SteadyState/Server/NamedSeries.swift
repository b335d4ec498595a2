// A series with its value, from whoever tells it.

import ChaosModel

/// One series; a scalar is a series without labels.
struct NamedSeries: Sendable, Hashable {
    /// The labels as PromQL writes them: `{instance="a", job="b"}`.
    let labels: String
    /// The value; NaN as it came.
    let value: Double

    /// A name and labels as PromQL writes them.
    static func labels(_ name: String, _ labels: [String: String]) -> String {
        let inner = labels.sorted { $0.key < $1.key }
            .map { "\($0.key)=\"\($0.value.escapedForDisplay)\"" }
        return inner.isEmpty ? name : "\(name){\(inner.joined(separator: ", "))}"
    }
}
