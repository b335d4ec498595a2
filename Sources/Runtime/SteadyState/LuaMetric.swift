// `metric.lua`: a function of the script.

import ChaosModel

/// The kind `lua`.
enum LuaMetric: MetricKind {
    static let descriptor = MetricDescriptor(
        name: "lua",
        summary: "The number that a Lua function returns; nil is no data.",
        parameters: [],
        measures: [(name: "value", unit: .number)]
    )

    static func source(_ request: SourceRequest) throws(DefinitionError) -> any MetricSource {
        LuaSource(
            metric: request.definition.name,
            evaluate: request.context.evaluateLua
        )
    }
}

/// Asks the script's function at each sample.
private struct LuaSource: MetricSource {
    let metric: String
    let evaluate: @Sendable (String) async -> Reading

    func start() async {}

    func sample() async -> Reading { .checked(await evaluate(metric)) }

    func stop() async {}
}

extension Reading {
    /// NaN is no value, whoever says it.
    static func checked(_ reading: Reading) -> Reading {
        guard case .value(let value, let note) = reading, value.isNaN else { return reading }
        return .noData(note.map { "the value is NaN (\($0))" } ?? "the value is NaN")
    }
}
