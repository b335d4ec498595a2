// `metric.http {…}` and its like: metrics without a name, which they get where they are put.

import ChaosModel
import ChaosSteadyState
import LuaBridge

/// A metric before it has a name.
struct MetricDraft: Sendable {
    /// The source that asks a function of the script.
    static let functionSource = "lua"

    var source: String
    var options: [String: ParameterValue]
    var target: TargetSelector?
    /// The function of `metric.lua`, in the state that made it.
    var function: LuaFunction?
    var location: SourceLocation?

    /// The name that it has where none is given: its measure, or its source.
    var placeholderName: String {
        guard case .string(let measure) = options["measure"] else { return source }
        return measure
    }

    /// The options without what may be a secret, for `tostring`, which ends up in logs.
    var shownOptions: [String: ParameterValue] {
        let secrets = ["password", "bearer_token", "headers", "body"]
        return options.filter { !secrets.contains($0.key) }
    }

    /// The metric under a name.
    func named(
        _ name: String,
        in catalogue: MetricCatalogue
    ) throws(DefinitionError) -> MetricDefinition {
        try catalogue.definition(
            name: name,
            source: source,
            options: options,
            target: target,
            location: location
        )
    }
}

/// Builds metrics.
enum MetricBuilder {
    /// What scripts hold.
    static let objects = LuaObjectType<MetricDraft>("metric").description { draft in
        draft.function == nil
            ? Spelling.call("metric.\(draft.source)", target: draft.target, draft.shownOptions)
            : "metric.lua(function at \(draft.function?.location?.description ?? "?"))"
    }

    static func build(
        _ descriptor: MetricDescriptor,
        from catalogue: MetricCatalogue,
        _ call: LuaCall
    ) throws(DefinitionError) -> LuaValue {
        let isFunction = descriptor.name == MetricDraft.functionSource
        let (table, function) =
            isFunction
            ? try functionAndOptions(call, descriptor)
            : (try call.options(such: descriptor.spelling), nil)
        return try build(descriptor, from: catalogue, table, function, at: call.place)
    }

    static func build(
        _ descriptor: MetricDescriptor,
        from catalogue: MetricCatalogue,
        _ table: LuaTable,
        _ function: LuaFunction? = nil,
        at place: SourceLocation?
    ) throws(DefinitionError) -> LuaValue {
        // `window` belongs to some sources only; the catalogue says to which, and why.
        let window = CommonOptions.window.name
        let options = try OptionTable(
            table,
            of: descriptor.parameterSet(with: table.fields[window] == nil ? [] : [window]),
            live: ["target"].filter { _ in descriptor.takesTarget },
            at: place
        )
        let target =
            try descriptor.takesTarget
            ? TargetBuilder.target(options.live["target"], of: descriptor.subject, such: .process)
            : nil
        let draft = MetricDraft(
            source: descriptor.name,
            options: options.plain,
            target: target,
            function: function,
            location: place
        )
        _ = try draft.named(draft.placeholderName, in: catalogue)
        return .object(objects.make(draft))
    }

    /// `metric.lua(function)`, or `metric.lua { function, below = 3 }`.
    private static func functionAndOptions(
        _ call: LuaCall,
        _ descriptor: MetricDescriptor
    ) throws(DefinitionError) -> (LuaTable, LuaFunction?) {
        if call.arguments.count == 1, let function = call[1].function {
            return (LuaTable(), function)
        }
        guard call.arguments.count == 1, var table = call[1].table, table.array.count == 1,
            let function = table[1].function
        else {
            throw DefinitionError(
                call.function,
                "expects a function: write \(descriptor.spelling), or metric.lua { function() … end, "
                    + "below = 3 }, got \((call[1].table?[1] ?? call[1]).given)"
            )
        }
        table.array = []
        return (table, function)
    }
}

extension MetricDescriptor {
    /// Its options and the common ones of these names.
    fileprivate func parameterSet(with names: [String]) -> ParameterSet {
        let own = parameterSet
        let more = [CommonOptions.window.erased].filter { option in
            names.contains(option.name) && !own.parameters.contains { $0.name == option.name }
        }
        return ParameterSet(of: own.subject, own.parameters + more)
    }
}
