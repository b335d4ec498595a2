// From the table of a call to options: values as a person wrote them, and beside them those that no plain value can
// carry (targets, metrics, faults, functions).

import ChaosModel
import LuaBridge

/// The options of one table.
struct OptionTable {
    /// The plain values, to be checked by a `ParameterSet`.
    private(set) var plain: [String: ParameterValue] = [:]
    /// The others, as Lua gave them.
    private(set) var live: [String: LuaValue] = [:]

    /// Splits a table.
    ///
    /// - Parameters:
    ///   - table: The table of the call.
    ///   - set: The plain options; a name that is in neither list is refused with the nearest known one.
    ///   - names: The options that are no plain values.
    ///   - place: The line of the script.
    /// - Throws: an error about a name that is unknown or a value that is not plain.
    init(
        _ table: LuaTable,
        of set: ParameterSet,
        live names: [String] = [],
        at place: SourceLocation?
    ) throws(DefinitionError) {
        let known = set.parameters.map(\.name) + names
        for (name, value) in table.sortedFields {
            guard known.contains(name) else {
                let hint = NearestName.hint(for: name, among: known)
                let problem = "unknown option \"\(name.escapedForDisplay)\"\(hint)"
                throw DefinitionError(set.subject, problem, at: place)
            }
            guard !names.contains(name) else {
                live[name] = value
                continue
            }
            let json = set.parameters.first { $0.name == name }?.shape.json
            do throws(ParameterProblem) {
                plain[name] = try ParameterValue(value, named: name, isObject: json == "object")
            } catch {
                throw DefinitionError(set.subject, error.text, at: place)
            }
        }
        if let stray = table.array.first {
            let problem = "every option has a name, got \(stray.given) without one"
            throw DefinitionError(set.subject, problem, at: place)
        }
    }
}

extension ParameterValue {
    /// Reads a value of Lua.
    ///
    /// - Parameters:
    ///   - value: The value.
    ///   - name: The option that it belongs to, for messages.
    ///   - isObject: Whether an empty table stands for no fields; for no entries otherwise.
    /// - Throws: the whole sentence about what no plain value can be.
    init(_ value: LuaValue, named name: String, isObject: Bool = false) throws(ParameterProblem) {
        switch value {
        case .boolean(let flag): self = .boolean(flag)
        case .integer(let number): self = .number(Double(number))
        case .number(let number): self = .number(number)
        case .string(let text): self = .string(text)
        case .table(let table): self = try Self.read(table, named: name, isObject: isObject)
        case .nil, .function, .object:
            throw ParameterProblem("\(name) must be a plain value, got \(value.given)")
        }
    }

    private static func read(
        _ table: LuaTable,
        named name: String,
        isObject: Bool
    ) throws(ParameterProblem) -> ParameterValue {
        guard table.array.isEmpty || table.fields.isEmpty else {
            throw ParameterProblem("\(name) mixes a list and named fields: use one of them")
        }
        if table.fields.isEmpty, !(table.isEmpty && isObject) {
            var items: [ParameterValue] = []
            for (index, item) in table.array.enumerated() {
                items.append(try ParameterValue(item, named: "\(name)[\(index + 1)]"))
            }
            return .list(items)
        }
        var fields: [String: ParameterValue] = [:]
        for (key, field) in table.sortedFields {
            fields[key] = try ParameterValue(field, named: "\(name).\(key.escapedForDisplay)")
        }
        return .table(fields)
    }
}

extension LuaCall {
    /// The one table that a builder takes.
    func options(such spelling: String) throws(DefinitionError) -> LuaTable {
        guard arguments.count == 1, let table = self[1].table else {
            let got = arguments.count > 1 ? "\(arguments.count) arguments" : self[1].given
            throw DefinitionError(function, "expects a table: write \(spelling), got \(got)")
        }
        return table
    }
}
