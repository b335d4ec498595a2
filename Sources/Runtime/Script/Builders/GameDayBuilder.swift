// `gameday "title" {…}`: a definition, with a function as its body or without.

import ChaosGameDay
import ChaosModel
import LuaBridge

/// A GameDay as a script declared it, with the functions that stay in the script's state.
struct DeclaredGameDay: Sendable {
    var definition: GameDayDefinition
    /// The body; nil for one that runs its list.
    var run: LuaFunction?
}

/// What `catalog "name@3"` makes.
struct CatalogEntry: Sendable {
    let reference: ExperimentReference

    /// What scripts hold.
    static let objects = LuaObjectType<CatalogEntry>("catalog entry").description {
        "\($0.reference)"
    }

    /// Reads "name" or "name@version".
    static func build(_ call: LuaCall) throws(DefinitionError) -> LuaValue {
        let text = try call.text("the name of a definition: write catalog \"kill-one@3\"")
        do throws(ParameterProblem) {
            let asked = try CatalogReference(text)
            let reference = ExperimentReference.catalogued(
                name: asked.name,
                version: asked.version
            )
            return .object(objects.make(CatalogEntry(reference: reference)))
        } catch {
            throw DefinitionError("catalog", error.text)
        }
    }
}

extension ExperimentReference {
    /// What a script names an experiment by; nil when it names none.
    init?(_ value: LuaValue) {
        if let name = value.string, !name.isEmpty, name.utf8.count <= 4096 {
            self = .named(name)
        } else if let entry = value.object?.payload(of: CatalogEntry.objects) {
            self = entry.reference
        } else if let experiment = value.object?.payload(of: ExperimentPrimitive.objects) {
            self = .inline(title: experiment.title)
        } else {
            return nil
        }
    }
}

/// Builds GameDays.
struct GameDayBuilder {
    let context: BuilderContext
    let title: String
    let place: SourceLocation?

    func build(_ table: LuaTable) throws(DefinitionError) -> DeclaredGameDay {
        let options = try OptionTable(
            table,
            of: GameDayOptions.plain,
            live: GameDayOptions.live.map(\.name),
            at: place
        )
        let parameters = try GameDayOptions.plain.validate(options.plain, at: place)
        let run = try body(options.live[GameDayOptions.run.name])
        var definition = GameDayDefinition(
            name: title,
            experiments: try experiments(options.live[GameDayOptions.experiments.name]),
            file: context.file.path,
            digest: context.file.digest
        )
        definition.owner = parameters[ExperimentOptions.owner]
        definition.description = parameters[ExperimentOptions.description]
        definition.tags = parameters[ExperimentOptions.tags] ?? []
        definition.pauseMs = try parameters.value(GameDayOptions.pause).inMilliseconds
        definition.recoveryMs = try parameters.value(GameDayOptions.recovery).inMilliseconds
        definition.approval = try approval(parameters)
        definition.health = try health(options.live[GameDayOptions.health.name])
        definition.notifiers = try notifiers(options.live[GameDayOptions.notify.name])
        definition.schedule = try schedule(options.live[GameDayOptions.schedule.name])
        definition.hasBody = run != nil
        return DeclaredGameDay(definition: definition, run: run)
    }

    private func experiments(_ value: LuaValue?) throws(DefinitionError) -> [ExperimentReference] {
        guard let items = value?.table?.array, !items.isEmpty, value?.table?.fields.isEmpty == true
        else {
            throw error(
                "experiments must be a list: write experiments = { \"slow-database\", catalog \"kill-one@3\" }, "
                    + "got \(value?.given ?? "nothing")"
            )
        }
        var references: [ExperimentReference] = []
        for item in items {
            guard let reference = ExperimentReference(item) else {
                throw error(
                    "experiments must name files, entries of the catalogue or experiments, got \(item.given)"
                )
            }
            guard !references.contains(reference) else {
                throw error("experiments names \(reference) twice: give each experiment once")
            }
            references.append(reference)
        }
        return references
    }

    private func approval(_ parameters: Parameters) throws(DefinitionError) -> ApprovalRule? {
        guard let word = parameters[GameDayOptions.approval],
            let scope = ApprovalRule.Scope(rawValue: word)
        else {
            for name in [GameDayOptions.approvers.name, GameDayOptions.approvalTimeout.name]
            where parameters.given.contains(name) {
                throw error(
                    "\(name) needs approval: write approval = \"day\" or approval = \"each\""
                )
            }
            return nil
        }
        return ApprovalRule(
            scope: scope,
            approvers: try parameters.value(GameDayOptions.approvers),
            timeoutMs: try parameters.value(GameDayOptions.approvalTimeout).inMilliseconds
        )
    }

    private func health(_ value: LuaValue?) throws(DefinitionError) -> SteadyStateDefinition? {
        guard let value else { return nil }
        let steady: DeclaredSteadyState
        if let built = value.object?.payload(of: SteadyStateBuilder.objects) {
            steady = built
        } else if let table = value.table {
            steady = try SteadyStateBuilder.build(table, from: context.metrics, at: place)
        } else {
            throw error(
                "health must be a table: write health = steady_state { metrics = {…} }, got \(value.given)"
            )
        }
        guard !steady.definition.metrics.isEmpty else { throw error("health watches no metric") }
        guard steady.functions.isEmpty else {
            throw error(
                "health cannot use metric.lua: a GameDay's function is not there between experiments"
            )
        }
        return steady.definition
    }

    private func notifiers(_ value: LuaValue?) throws(DefinitionError) -> [Notifier] {
        guard let value else { return [] }
        var notifiers: [Notifier] = []
        for item in value.table?.array ?? [value] {
            guard let notifier = item.object?.payload(of: NotifyBuilder.objects) else {
                throw error(
                    "notify must be a list: write notify = { notify.webhook \"https://…\" }, got \(item.given)"
                )
            }
            notifiers.append(notifier)
        }
        return notifiers
    }

    private func schedule(_ value: LuaValue?) throws(DefinitionError) -> Schedule? {
        guard let value else { return nil }
        guard let table = value.table else {
            throw error(
                "schedule must be a table such as { every = \"day\", at = \"10:00\" }, got \(value.given)"
            )
        }
        let options = try OptionTable(table, of: ScheduleOptions.set, at: place)
        return try Schedule(options.plain, at: place)
    }

    private func body(_ value: LuaValue?) throws(DefinitionError) -> LuaFunction? {
        guard let value else { return nil }
        guard let function = value.function else {
            throw error(
                "run must be a function: write run = function(day) … end, got \(value.given)"
            )
        }
        return function
    }

    private func error(_ problem: String) -> DefinitionError {
        DefinitionError(GameDayOptions.subject, problem, at: place)
    }
}
