// `params {…}`, `env "NAME"`, `secret "NAME"`: what a script gets from outside. Their values are plain values of Lua.

import ChaosModel
import LuaBridge

/// The builders of values from outside.
enum InputBuilders {
    static let signatures = [
        Signature(
            name: "params",
            help: "Declares what `--param` may set, and returns the values by name.",
            parameters: [SignaturePart("declarations", "table<string, moonquake.param>", "")],
            result: SignaturePart("table<string, string|number|boolean>", type: "values")
        ),
        Signature(
            name: "env",
            help: "The value of a variable of the environment; an error when it is not set.",
            parameters: [
                SignaturePart("name", "string", ""),
                SignaturePart("default?", "string", "The value when it is not set."),
            ],
            result: SignaturePart("string", type: "value")
        ),
        Signature(
            name: "secret",
            help:
                "The value of a variable of the environment that is masked in everything that is written.",
            parameters: [SignaturePart("name", "string", "")],
            result: SignaturePart("string", type: "value")
        ),
    ]

    static func params(
        _ call: LuaCall,
        _ inputs: DefinitionInputs
    ) throws(DefinitionError) -> LuaValue {
        let spelling = "params { delay = { type = \"duration\", default = \"100ms\" } }"
        let table = try call.options(such: spelling)
        guard table.array.isEmpty else {
            throw DefinitionError("params", "each parameter has a name: write \(spelling)")
        }
        var values = LuaTable()
        for (name, declaration) in table.sortedFields {
            guard let options = declaration.table else {
                throw DefinitionError(
                    "params",
                    "\(name.escapedForDisplay) must be a table: write \(spelling), got \(declaration.given)"
                )
            }
            let plain = try OptionTable(
                options,
                of: ParameterDeclaration.parameterSet,
                at: call.place
            )
            let value = try ParameterDeclaration.value(
                of: name,
                plain.plain,
                inputs,
                at: call.place
            )
            inputs.declared.add(name, value)
            values.fields[name] = LuaValue(plain: value)
        }
        return .table(values)
    }

    static func environment(
        _ call: LuaCall,
        _ inputs: DefinitionInputs
    ) throws(DefinitionError) -> LuaValue {
        guard let name = call[1].string, call.arguments.count <= 2,
            call[2].isNil || call[2].string != nil
        else {
            throw DefinitionError(
                "env",
                "expects the name of a variable: write env \"NAME\", or env(\"NAME\", \"default\"), "
                    + "got \(call[1].given)"
            )
        }
        return .string(try inputs.environment(name, default: call[2].string))
    }

    static func secret(
        _ call: LuaCall,
        _ inputs: DefinitionInputs
    ) throws(DefinitionError) -> LuaValue {
        guard let name = call[1].string, call.arguments.count == 1 else {
            throw DefinitionError(
                "secret",
                "expects the name of a variable: write secret \"NAME\", got \(call[1].given)"
            )
        }
        return .string(try inputs.secret(name))
    }
}

extension SignaturePart {
    /// A result, whose name is only for the reader.
    fileprivate init(_ luaType: String, type name: String) {
        self.init(name, luaType, "")
    }
}

extension LuaValue {
    /// A plain value in Lua.
    init(plain value: ParameterValue) {
        switch value {
        case .boolean(let flag): self = .boolean(flag)
        case .number(let number):
            self = Int64(exactly: number).map { .integer($0) } ?? .number(number)
        case .string(let text): self = .string(text)
        case .list(let items): self = .table(LuaTable(array: items.map { LuaValue(plain: $0) }))
        case .table(let fields):
            self = .table(LuaTable(fields: fields.mapValues { LuaValue(plain: $0) }))
        }
    }
}
