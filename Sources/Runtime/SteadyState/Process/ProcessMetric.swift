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

    static func source(_ request: SourceRequest) throws(DefinitionError) -> any MetricSource {
        guard let measure = ProcessSource.Measure(rawValue: request.measure) else {
            throw request.parameters.error("unknown measure \"\(request.measure)\"")
        }
        guard let target = request.definition.target else {
            throw request.parameters.error("target is missing")
        }
        return ProcessSource(measure, of: target, in: request.context)
    }
}
