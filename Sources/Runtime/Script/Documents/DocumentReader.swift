// A document as an experiment, through the same builders as a script: each mapping becomes the table that the builder
// of its name takes. Where Lua calls `fault.network.loss {…}`, a document has the key `network.loss`.

import ChaosModel
import ChaosSteadyState
import LuaBridge

/// Builds the experiment of one document.
struct DocumentReader {
    let context: BuilderContext

    private var file: String { context.file.path }

    /// The experiment that a document says.
    func experiment(_ root: DocumentNode) throws(DefinitionError) -> DeclaredExperiment {
        let subject = ExperimentOptions.subject
        guard let fields = root.fields else {
            throw error(
                subject,
                "a definition is a mapping with a name, got \(root.given)",
                root.line
            )
        }
        let line = fields.first?.line ?? root.line
        let parameters = try declared(fields)
        guard let name = fields.first(where: { $0.name == "name" }) else {
            throw error(subject, "name is missing: write name: \"what is expected\"", line)
        }
        guard case .scalar(.string(let title)) = try value(name.value, parameters).content else {
            throw error(subject, "name must be a text, got \(name.value.given)", name.line)
        }
        do throws(DefinitionError) {
            try ExperimentOptions.check(title: title, of: ExperimentOptions.subject)
        } catch {
            throw error.located(at: place(name.line))
        }
        try refuseBody(fields, line)
        var table = LuaTable()
        for field in fields where field.name != "name" && field.name != "params" {
            table.fields[field.name] = try option(field, parameters)
        }
        let builder = ExperimentBuilder(context: context, title: title, place: place(line))
        return try locating(fields, line) { () throws(DefinitionError) in
            try builder.build(table)
        }
    }

    private func refuseBody(
        _ fields: [DocumentNode.Field],
        _ line: Int
    ) throws(DefinitionError) {
        let subject = ExperimentOptions.subject
        if let run = fields.first(where: { $0.name == ExperimentOptions.run.name }) {
            throw error(subject, "run is a function, which only a Lua script can have", run.line)
        }
        guard !fields.contains(where: { $0.name == ExperimentOptions.faults.name }) else { return }
        let hint = NearestName.of("faults", among: fields.map(\.name))
        let near = hint.map { "; did you mean it by \"\($0)\"?" } ?? ""
        throw error(subject, "faults is missing: write faults: [ noop: {…} ]\(near)", line)
    }

    /// One option of the experiment, as Lua would have it.
    private func option(
        _ field: DocumentNode.Field,
        _ parameters: [String: ParameterValue]
    ) throws(DefinitionError) -> LuaValue {
        switch field.name {
        case ExperimentOptions.steadyState.name:
            return try steadyState(field, parameters)
        case ExperimentOptions.blastRadius.name:
            return try plain(field.value, BlastRadiusOptions.parameterSet, parameters)
        case ExperimentOptions.faults.name:
            return try faults(field, parameters)
        default:
            return try lua(value(field.value, parameters), named: field.name, at: field.line)
        }
    }

    // MARK: Blocks

    private func declared(
        _ fields: [DocumentNode.Field]
    ) throws(DefinitionError) -> [String: ParameterValue] {
        guard let block = fields.first(where: { $0.name == "params" }) else { return [:] }
        guard let declarations = block.value.fields else {
            throw error(
                "params",
                "must be a mapping of names, got \(block.value.given)",
                block.line
            )
        }
        var values: [String: ParameterValue] = [:]
        for declaration in declarations {
            let line = declaration.line
            let name = declaration.name
            guard let options = declaration.value.fields,
                case .table(let table) = try plain(
                    declaration.value,
                    ParameterDeclaration.parameterSet,
                    [:]
                )
            else {
                throw error(
                    "params",
                    "\(name.escapedForDisplay) must be a mapping such as { type: duration, "
                        + "default: 100ms }, got \(declaration.value.given)",
                    line
                )
            }
            values[name] = try locating(options, line) { () throws(DefinitionError) in
                let given = try OptionTable(
                    table,
                    of: ParameterDeclaration.parameterSet,
                    at: place(line)
                )
                return try ParameterDeclaration.value(
                    of: name,
                    given.plain,
                    context.inputs,
                    at: place(line)
                )
            }
        }
        for (name, value) in values { context.inputs.declared.add(name, value) }
        return values
    }

    private func steadyState(
        _ block: DocumentNode.Field,
        _ parameters: [String: ParameterValue]
    ) throws(DefinitionError) -> LuaValue {
        let name = SteadyStateBuilder.name
        guard let fields = block.value.fields else {
            throw error(name, "must be a mapping, got \(block.value.given)", block.line)
        }
        var table = LuaTable()
        for field in fields where field.name != SteadyStateBuilder.metrics.name {
            table.fields[field.name] = try lua(
                value(field.value, parameters),
                named: field.name,
                at: field.line
            )
        }
        if let metrics = fields.first(where: { $0.name == SteadyStateBuilder.metrics.name }) {
            table.fields[metrics.name] = try self.metrics(metrics, parameters)
        }
        return try locating(fields, block.line) { () throws(DefinitionError) in
            let place = place(block.line)
            let steady = try SteadyStateBuilder.build(table, from: context.metrics, at: place)
            return .object(SteadyStateBuilder.objects.make(steady))
        }
    }

    private func metrics(
        _ block: DocumentNode.Field,
        _ parameters: [String: ParameterValue]
    ) throws(DefinitionError) -> LuaValue {
        guard let named = block.value.fields else {
            throw error(
                SteadyStateBuilder.name,
                "metrics must name each metric: write metrics: { p99: { http: {…} } }, "
                    + "got \(block.value.given)",
                block.line
            )
        }
        var table = LuaTable()
        for metric in named {
            let choice = try one(of: metric.value, "metric", "http: {…}", at: metric.line)
            guard choice.name != MetricDraft.functionSource else {
                let problem = "calls a function, which only a Lua script can have"
                throw error("metric.lua", problem, choice.line)
            }
            guard let descriptor = context.metrics[choice.name] else {
                let names = context.metrics.descriptors.map(\.name)
                let hint = NearestName.hint(for: choice.name, among: names)
                let shown = choice.name.escapedForDisplay
                throw error("metric", "unknown metric source \"\(shown)\"\(hint)", choice.line)
            }
            var window: [ParameterDescriptor] = []
            if !descriptor.parameterSet.parameters.contains(where: { $0.name == "window" }) {
                window = [CommonOptions.window.erased]
            }
            let set = ParameterSet(
                of: descriptor.subject,
                descriptor.parameterSet.parameters + window
            )
            let options = try builderTable(choice, set, parameters)
            table.fields[metric.name] = try locating(choice.value.fields ?? [], choice.line) {
                () throws(DefinitionError) in
                try MetricBuilder.build(
                    descriptor,
                    from: context.metrics,
                    options,
                    at: place(choice.line)
                )
            }
        }
        return .table(table)
    }

    private func faults(
        _ block: DocumentNode.Field,
        _ parameters: [String: ParameterValue]
    ) throws(DefinitionError) -> LuaValue {
        guard case .list(let items) = block.value.content, !items.isEmpty else {
            throw error(
                ExperimentOptions.subject,
                "faults must be a list of faults: write faults: [ noop: {…} ], got \(block.value.given)",
                block.line
            )
        }
        var faults: [LuaValue] = []
        for item in items {
            let choice = try one(of: item, "fault", "network.loss: {…}", at: item.line)
            guard let descriptor = context.faults[choice.name]?.descriptor else {
                let names = context.faults.types.map(\.descriptor.name)
                let hint = NearestName.hint(for: choice.name, among: names)
                let shown = choice.name.escapedForDisplay
                throw error("fault", "unknown fault \"\(shown)\"\(hint)", choice.line)
            }
            let options = try builderTable(choice, descriptor.parameterSet, parameters)
            let fault = try locating(choice.value.fields ?? [], choice.line) {
                () throws(DefinitionError) in
                try FaultBuilder.build(descriptor, from: context, options, at: place(choice.line))
            }
            faults.append(fault)
        }
        return .table(LuaTable(array: faults))
    }

    /// The options of a builder, its target among them.
    private func builderTable(
        _ choice: DocumentNode.Field,
        _ set: ParameterSet,
        _ parameters: [String: ParameterValue]
    ) throws(DefinitionError) -> LuaTable {
        let fields = choice.value.fields ?? []
        guard choice.value.fields != nil else {
            let problem = "expects a mapping of options, got \(choice.value.given)"
            throw error(set.subject, problem, choice.line)
        }
        let others = DocumentNode(
            content: .mapping(fields.filter { $0.name != "target" }),
            line: choice.line
        )
        guard case .table(var table) = try plain(others, set, parameters) else { return LuaTable() }
        if let target = fields.first(where: { $0.name == "target" }) {
            table.fields["target"] = try self.target(target, parameters)
        }
        return table
    }

    private func target(
        _ field: DocumentNode.Field,
        _ parameters: [String: ParameterValue]
    ) throws(DefinitionError) -> LuaValue {
        let choice = try one(of: field.value, "target", "process: {…}", at: field.line)
        guard let kind = TargetKind(rawValue: choice.name) else {
            let names = TargetKind.allCases.map(\.rawValue)
            let hint = NearestName.hint(for: choice.name, among: names)
            let shown = choice.name.escapedForDisplay
            throw error("target", "unknown target \"\(shown)\"\(hint)", choice.line)
        }
        guard let fields = choice.value.fields,
            case .table(let table) = try plain(choice.value, kind.parameterSet, parameters)
        else {
            let problem = "expects a mapping of options, got \(choice.value.given)"
            throw error("target.\(kind.rawValue)", problem, choice.line)
        }
        return try locating(fields, choice.line) { () throws(DefinitionError) in
            try TargetBuilder.build(kind, table, at: place(choice.line))
        }
    }

    // MARK: Values

    /// The one field of a mapping that names a builder.
    private func one(
        of node: DocumentNode,
        _ subject: String,
        _ spelling: String,
        at line: Int
    ) throws(DefinitionError) -> DocumentNode.Field {
        guard let fields = node.fields, fields.count == 1 else {
            let names = node.fields?.map { $0.name.escapedForDisplay }.joined(separator: ", ")
            let got = names.map { $0.isEmpty ? "nothing" : "the keys \($0)" } ?? node.given
            let problem = "expects one key, the name of a \(subject): write \(spelling), got \(got)"
            throw error(subject, problem, line)
        }
        return fields[0]
    }

    /// A mapping as a table; names that a table of strings may have are not read as references.
    private func plain(
        _ node: DocumentNode,
        _ set: ParameterSet,
        _ parameters: [String: ParameterValue]
    ) throws(DefinitionError) -> LuaValue {
        guard let fields = node.fields else {
            throw error(set.subject, "must be a mapping, got \(node.given)", node.line)
        }
        var table = LuaTable()
        for field in fields {
            let json = set.parameters.first { $0.name == field.name }?.shape.json
            var value = field.value
            if json == "object", let inner = value.fields {
                var read: [DocumentNode.Field] = []
                for var entry in inner {
                    entry.value = try self.value(entry.value, parameters)
                    read.append(entry)
                }
                value.content = .mapping(read)
            } else {
                value = try self.value(value, parameters)
            }
            table.fields[field.name] = try lua(value, named: field.name, at: field.line)
        }
        return .table(table)
    }

    /// A value, with `{ param: NAME }`, `{ env: NAME }` and `{ secret: NAME }` replaced by what they stand for.
    private func value(
        _ node: DocumentNode,
        _ parameters: [String: ParameterValue]
    ) throws(DefinitionError) -> DocumentNode {
        var copy = node
        switch node.content {
        case .nothing, .scalar: return node
        case .list(let items):
            var read: [DocumentNode] = []
            for item in items { read.append(try value(item, parameters)) }
            copy.content = .list(read)
        case .mapping(let fields):
            guard let reference = Reference(fields) else { return node }
            do throws(DefinitionError) {
                copy.content = .scalar(try reference.value(context.inputs, parameters))
            } catch {
                throw error.located(at: place(node.line))
            }
        }
        return copy
    }

    /// A node without references as Lua would have it.
    private func lua(
        _ node: DocumentNode,
        named name: String,
        at line: Int
    ) throws(DefinitionError) -> LuaValue {
        switch node.content {
        case .nothing:
            throw error(
                name.escapedForDisplay,
                "has no value: give one, or leave the key out",
                line
            )
        case .scalar(let value): return value
        case .list(let items):
            var list: [LuaValue] = []
            for item in items { list.append(try lua(item, named: name, at: item.line)) }
            return .table(LuaTable(array: list))
        case .mapping(let fields):
            var table = LuaTable()
            for field in fields {
                table.fields[field.name] = try lua(field.value, named: field.name, at: field.line)
            }
            return .table(table)
        }
    }

    // MARK: Places

    private func place(_ line: Int) -> SourceLocation { SourceLocation(file: file, line: line) }

    private func error(_ subject: String, _ problem: String, _ line: Int) -> DefinitionError {
        DefinitionError(subject, problem, at: place(line))
    }

    /// Runs a builder; an error about one option gets the line of that option.
    private func locating<Value>(
        _ fields: [DocumentNode.Field],
        _ line: Int,
        _ build: () throws(DefinitionError) -> Value
    ) throws(DefinitionError) -> Value {
        do throws(DefinitionError) {
            return try build()
        } catch {
            guard error.location == nil || error.location == place(line) else { throw error }
            let named = fields.first { field in
                error.problem.hasPrefix("\(field.name) ")
                    || error.problem.hasPrefix("unknown option \"\(field.name.escapedForDisplay)\"")
            }
            var located = error
            located.location = place(named?.line ?? line)
            throw located
        }
    }
}

/// `{ param: NAME }`, `{ env: NAME }` (with `default`), `{ secret: NAME }`.
private struct Reference {
    private enum Kind: String { case param, env, secret }

    private let kind: Kind
    private let name: String
    private let fallback: String?

    init?(_ fields: [DocumentNode.Field]) {
        let named = fields.filter { $0.name != "default" }
        guard named.count == 1, let kind = Kind(rawValue: named[0].name),
            case .scalar(.string(let name)) = named[0].value.content
        else { return nil }
        let others = fields.filter { $0.name == "default" }
        switch others.first?.value.content {
        case nil: fallback = nil
        case .scalar(.string(let text)) where kind == .env: fallback = text
        default: return nil
        }
        self.kind = kind
        self.name = name
    }

    func value(
        _ inputs: DefinitionInputs,
        _ parameters: [String: ParameterValue]
    ) throws(DefinitionError) -> LuaValue {
        switch kind {
        case .env: return .string(try inputs.environment(name, default: fallback))
        case .secret: return .string(try inputs.secret(name))
        case .param:
            if let value = parameters[name] { return LuaValue(plain: value) }
            let hint =
                parameters.isEmpty
                ? "; declare it in params"
                : NearestName.hint(for: name, among: Array(parameters.keys))
            throw DefinitionError("param", "unknown parameter \"\(name.escapedForDisplay)\"\(hint)")
        }
    }
}
