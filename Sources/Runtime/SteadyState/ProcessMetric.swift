// `metric.process`: what processes use, read from /proc.

import ChaosModel

/// The kind `process`.
enum ProcessMetric: MetricKind {
    static let descriptor = MetricDescriptor(
        name: "process",
        summary: "What the matching processes use together, read from /proc.",
        parameters: [],
        measures: [
            ("cpu", .share), ("rss", .bytes), ("alive", .number), ("open_files", .number),
        ],
        takesTarget: true
    )
}
