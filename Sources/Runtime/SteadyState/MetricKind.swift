// A kind of metric: its description, the checks that concern several options, and its source.

import ChaosModel

/// One kind of metric; each lives in a file of its own.
protocol MetricKind: Sendable {
    /// Name, options, measures.
    static var descriptor: MetricDescriptor { get }

    /// Checks options that were checked one by one, together.
    static func check(_ parameters: Parameters) throws(DefinitionError)

    /// How old a value may be when we see it, at worst.
    static func lag(_ parameters: Parameters) throws(DefinitionError) -> Duration

    /// Makes a source that is not started yet.
    static func source(_ request: SourceRequest) throws(DefinitionError) -> any MetricSource
}

extension MetricKind {
    static func check(_ parameters: Parameters) throws(DefinitionError) {}

    static func lag(_ parameters: Parameters) throws(DefinitionError) -> Duration { .zero }
}

/// What a source is made from.
struct SourceRequest: Sendable {
    /// The metric.
    let definition: MetricDefinition
    /// Its options, checked.
    let parameters: Parameters
    /// The measure that they choose.
    let measure: String
    /// The surroundings.
    let context: SourceContext
}
