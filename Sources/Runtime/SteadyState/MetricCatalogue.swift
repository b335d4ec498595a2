// The metrics that a program knows, and the way from a table of options to a definition and on to a source.

package import ChaosModel

/// The metrics that a program knows, by name.
package struct MetricCatalogue: Sendable {
    /// All descriptions, in the order of the docs.
    package var descriptors: [MetricDescriptor] { kinds.map { $0.descriptor } }

    private let kinds: [any MetricKind.Type] = [
        HTTPMetric.self, TCPMetric.self, PrometheusMetric.self, ScrapeMetric.self,
        ProcessMetric.self, CommandMetric.self, LuaMetric.self,
    ]

    /// Makes the catalogue.
    package init() {}

    /// A description by its name; nil when there is none.
    package subscript(_ name: String) -> MetricDescriptor? {
        kinds.first { $0.descriptor.name == name }?.descriptor
    }

    /// Checks everything that a script says about a metric.
    package func definition(
        name: String,
        source: String,
        options: [String: ParameterValue],
        target: TargetSelector? = nil,
        location: SourceLocation? = nil
    ) throws(DefinitionError) -> MetricDefinition {
        let kind = try kind(source, at: location)
        let descriptor = kind.descriptor
        try Self.check(name: name, of: descriptor, at: location)
        try Self.check(target: target, of: descriptor, at: location)
        let parameters = try Self.validate(options, of: descriptor, at: location)
        try kind.check(parameters)
        let measure = descriptor.measure(in: parameters)
        let thresholds = try ThresholdOptions(parameters, measure: measure)
        let noData = try parameters.value(CommonOptions.noData)
        return MetricDefinition(
            name: name,
            source: source,
            options: options,
            target: target,
            unit: measure.unit,
            healthy: thresholds.healthy,
            tolerated: thresholds.tolerated,
            failures: try parameters.value(CommonOptions.failures),
            forAtLeastMs: try parameters.value(CommonOptions.forAtLeast).inMilliseconds,
            noData: NoDataRule(rawValue: noData) ?? .unhealthy,
            lagMs: try kind.lag(parameters).inMilliseconds,
            control: parameters[CommonOptions.control],
            location: location
        )
    }

    /// Checks what the metrics of one steady state say of each other.
    package static func check(together metrics: [MetricDefinition]) throws(DefinitionError) {
        for metric in metrics {
            guard let name = metric.control else { continue }
            let subject = "metric.\(metric.source)"
            guard let control = metrics.first(where: { $0.name == name }), name != metric.name
            else {
                let others = metrics.map(\.name).filter { $0 != metric.name }
                let hint = NearestName.hint(for: name, among: others)
                throw DefinitionError(
                    subject,
                    "control of \(metric.name) must name another metric of the steady state, got "
                        + "\"\(name.escapedForDisplay)\"\(hint)",
                    at: metric.location
                )
            }
            guard control.unit == metric.unit else {
                throw DefinitionError(
                    subject,
                    "control of \(metric.name) must have its unit (\(metric.unit.rawValue)), got "
                        + "\(name) (\(control.unit.rawValue))",
                    at: metric.location
                )
            }
        }
    }

    /// Makes the source of a metric; it measures nothing before `start`.
    package func source(
        for definition: MetricDefinition,
        in context: SourceContext
    ) throws(DefinitionError) -> any MetricSource {
        let kind = try kind(definition.source, at: definition.location)
        let parameters = try kind.descriptor.parameterSet.validate(
            definition.options,
            at: definition.location
        )
        try kind.check(parameters)
        return try kind.source(
            SourceRequest(
                definition: definition,
                parameters: parameters,
                measure: kind.descriptor.measure(in: parameters).name,
                context: context
            )
        )
    }

    private func kind(
        _ name: String,
        at location: SourceLocation?
    ) throws(DefinitionError) -> any MetricKind.Type {
        if let kind = kinds.first(where: { $0.descriptor.name == name }) { return kind }
        let hint = NearestName.hint(for: name, among: descriptors.map(\.name))
        let shown = name.escapedForDisplay
        throw DefinitionError("metric", "unknown metric source \"\(shown)\"\(hint)", at: location)
    }

    /// `window` is refused with the reason where the source does not measure all the time.
    private static func validate(
        _ options: [String: ParameterValue],
        of descriptor: MetricDescriptor,
        at location: SourceLocation?
    ) throws(DefinitionError) -> Parameters {
        let window = CommonOptions.window.name
        if options[window] != nil, !descriptor.parameters.contains(where: { $0.name == window }) {
            throw DefinitionError(
                descriptor.subject,
                "window is for metrics that compute over a span; "
                    + "a \(descriptor.name) metric is read at each sample",
                at: location
            )
        }
        return try descriptor.parameterSet.validate(options, at: location)
    }

    /// A name must be readable in a condition such as `p99 > 2s and error_rate > 5%`.
    private static func check(
        name: String,
        of descriptor: MetricDescriptor,
        at location: SourceLocation?
    ) throws(DefinitionError) {
        let startsWell = name.first.map { $0.isLetter || $0 == "_" } ?? false
        let isPlain = name.allSatisfy { $0.isLetter || $0.isNumber || "_.-".contains($0) }
        let isKeyword = ["and", "or", "not"].contains(name)
        guard startsWell, isPlain, !isKeyword, name.utf8.count <= 64 else {
            throw DefinitionError(
                descriptor.subject,
                "the name of a metric must be a letter followed by letters, digits, \"_\", \".\" or "
                    + "\"-\", at most 64 bytes and not and, or, not; got \"\(name.escapedForDisplay)\"",
                at: location
            )
        }
    }

    private static func check(
        target: TargetSelector?,
        of descriptor: MetricDescriptor,
        at location: SourceLocation?
    ) throws(DefinitionError) {
        let subject = descriptor.subject
        let spelling = "target = target.process { name = \"nginx\" }"
        switch (target, descriptor.takesTarget) {
        case (nil, false): return
        case (nil, true):
            throw DefinitionError(subject, "target is missing: write \(spelling)", at: location)
        case (.some(let target), false):
            throw DefinitionError(subject, "takes no target, got \(target)", at: location)
        case (.some(let target), true):
            guard target.kind == .process else {
                let problem = "target must be a target.process, got \(target)"
                throw DefinitionError(subject, problem, at: location)
            }
            do throws(DefinitionError) {
                _ = try target.validated()
            } catch {
                throw error.located(at: location)
            }
        }
    }
}
