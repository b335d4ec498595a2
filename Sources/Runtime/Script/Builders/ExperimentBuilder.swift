// `experiment "title" {…}`: a definition, with a function as its body or with faults and a duration.

import ChaosModel
import LuaBridge

/// An experiment as a script declared it, with the functions that stay in the script's state.
struct DeclaredExperiment: Sendable {
    var definition: ExperimentDefinition
    /// The body; nil for a declarative one.
    var run: LuaFunction?
    /// The functions of its `metric.lua` metrics, by name.
    var functions: [String: LuaFunction]
}

/// Builds experiments.
struct ExperimentBuilder {
    let context: BuilderContext
    let title: String
    let place: SourceLocation?

    func build(_ table: LuaTable) throws(DefinitionError) -> DeclaredExperiment {
        let names = ExperimentOptions.live.map(\.name)
        let options = try OptionTable(
            table,
            of: ExperimentOptions.plain,
            live: names,
            at: place
        )
        let parameters = try ExperimentOptions.plain.validate(options.plain, at: place)
        let steady = try steadyState(options.live[ExperimentOptions.steadyState.name])
        let run = try body(options.live[ExperimentOptions.run.name])
        let faults = try faults(options.live[ExperimentOptions.faults.name])
        let duration = parameters[ExperimentOptions.duration]
        try checkTogether(run: run, faults: faults, duration: duration)
        let definition = ExperimentDefinition(
            name: title,
            owner: parameters[ExperimentOptions.owner],
            description: parameters[ExperimentOptions.description],
            hypothesis: parameters[ExperimentOptions.hypothesis],
            tags: parameters[ExperimentOptions.tags] ?? [],
            steadyState: steady.definition,
            blastRadius: try blastRadius(options.live[ExperimentOptions.blastRadius.name]),
            faults: faults ?? [],
            durationMs: duration?.inMilliseconds,
            hasBody: run != nil,
            file: context.file.path,
            digest: context.file.digest,
            parameters: context.inputs.declared.values
        )
        return DeclaredExperiment(
            definition: definition,
            run: run,
            functions: steady.functions
        )
    }

    private func steadyState(_ value: LuaValue?) throws(DefinitionError) -> DeclaredSteadyState {
        guard let value else { return DeclaredSteadyState() }
        if let built = value.object?.payload(of: SteadyStateBuilder.objects) { return built }
        guard let table = value.table else {
            throw error("steady_state must be a table, got \(value.given)")
        }
        return try SteadyStateBuilder.build(table, from: context.metrics, at: place)
    }

    private func blastRadius(_ value: LuaValue?) throws(DefinitionError) -> BlastRadius {
        guard let value else { return BlastRadius() }
        guard let table = value.table else {
            throw error(
                "blast_radius must be a table such as { targets = \"50%\" }, got \(value.given)"
            )
        }
        return try BlastRadiusOptions.read(table, at: place)
    }

    private func body(_ value: LuaValue?) throws(DefinitionError) -> LuaFunction? {
        guard let value else { return nil }
        guard let function = value.function else {
            throw error(
                "run must be a function: write run = function() … end, got \(value.given)"
            )
        }
        return function
    }

    /// A list of faults; a single one stands for a list of one.
    private func faults(_ value: LuaValue?) throws(DefinitionError) -> [FaultSpec]? {
        guard let value else { return nil }
        let items = value.table?.array ?? [value]
        let isList = value.table.map { !$0.array.isEmpty && $0.fields.isEmpty } ?? true
        var specs: [FaultSpec] = []
        for item in items {
            guard let spec = item.object?.payload(of: FaultBuilder.objects) else { break }
            specs.append(spec)
        }
        guard isList, specs.count == items.count else {
            let stray = items.dropFirst(specs.count).first ?? value
            throw error(
                "faults must be a list of faults: write faults = { fault.noop {…} }, got \(stray.given)"
            )
        }
        return specs
    }

    private func checkTogether(
        run: LuaFunction?,
        faults: [FaultSpec]?,
        duration: Duration?
    ) throws(DefinitionError) {
        switch (run, faults, duration) {
        case (.some, .some, _):
            throw error("run and faults exclude each other: give one of them")
        case (nil, nil, nil):
            throw error(
                "run is missing: write run = function() … end, or faults = { … } and duration = \"30s\""
            )
        case (nil, .some, nil):
            throw error(
                "duration is missing: write duration = \"30s\", as long as the faults stay on"
            )
        case (_, nil, .some):
            throw error("duration goes with faults: a body decides by itself how long it takes")
        default: break
        }
    }

    private func error(_ problem: String) -> DefinitionError {
        DefinitionError(ExperimentOptions.subject, problem, at: place)
    }
}
