// `steady_state {…}`: what is watched, how often, for how long. The same table stands in `experiment {…}`.

import ChaosModel
import ChaosSteadyState
import LuaBridge

/// A steady state, and beside it the functions of its `metric.lua` metrics, by name.
struct DeclaredSteadyState: Sendable {
    var definition = SteadyStateDefinition()
    var functions: [String: LuaFunction] = [:]
}

/// Builds steady states.
enum SteadyStateBuilder {
    static let every = Parameter(
        "every",
        ParameterKind<Duration>.duration(from: .milliseconds(100), to: .seconds(3600)),
        default: "1s",
        help: "How often every metric is sampled and judged."
    )
    static let warmup = Parameter(
        "warmup",
        ParameterKind<Duration>.duration(to: .seconds(86_400)),
        default: "0s",
        help: "How long the baseline is watched before the first fault."
    )
    static let recovery = Parameter(
        "recovery",
        ParameterKind<Duration>.duration(to: .seconds(86_400)),
        default: "30s",
        help: "How long recovery may take after the rollback."
    )
    /// Metrics by name; no plain value can carry them.
    static let metrics = Parameter(
        "metrics",
        .live("table<string, moonquake.Metric>", example: "{ p99 = metric.http {…} }"),
        help: "The metrics, each under the name that conditions and the report use."
    )

    static let name = "steady_state"
    static let parameterSet = ParameterSet(
        of: name,
        [every.erased, warmup.erased, recovery.erased]
    )

    /// What scripts hold.
    static let objects = LuaObjectType<DeclaredSteadyState>(name).description { steady in
        "steady_state of " + steady.definition.metrics.map(\.name).joined(separator: ", ")
    }

    static func build(
        _ table: LuaTable,
        from catalogue: MetricCatalogue,
        at place: SourceLocation?
    ) throws(DefinitionError) -> DeclaredSteadyState {
        let options = try OptionTable(table, of: parameterSet, live: [metrics.name], at: place)
        let times = try parameterSet.validate(options.plain, at: place)
        var steady = DeclaredSteadyState()
        steady.definition.everyMs = try times.value(every).inMilliseconds
        steady.definition.warmupMs = try times.value(warmup).inMilliseconds
        steady.definition.recoveryMs = try times.value(recovery).inMilliseconds
        for (name, value) in try named(options.live[metrics.name], at: place) {
            guard let draft = value.object?.payload(of: MetricBuilder.objects) else {
                let problem =
                    "metrics.\(name.escapedForDisplay) must be a metric such as metric.http {…}, "
                    + "got \(value.given)"
                throw DefinitionError(Self.name, problem, at: place)
            }
            steady.definition.metrics.append(try draft.named(name, in: catalogue))
            steady.functions[name] = draft.function
        }
        try MetricCatalogue.check(together: steady.definition.metrics)
        return steady
    }

    /// The metrics in the order of their names.
    private static func named(
        _ value: LuaValue?,
        at place: SourceLocation?
    ) throws(DefinitionError) -> [(key: String, value: LuaValue)] {
        guard let value else { return [] }
        guard let table = value.table, table.array.isEmpty else {
            let got = value.table == nil ? value.given : "a list"
            let problem =
                "metrics must name each metric: write metrics = \(metrics.kind.shape.example), got \(got)"
            throw DefinitionError(name, problem, at: place)
        }
        return table.sortedFields
    }
}
