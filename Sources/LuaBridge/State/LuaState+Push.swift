// Swift values onto a Lua stack.

import CLua
import CLuaShim

/// A value that cannot be passed to a script.
struct LuaPushError: Error, CustomStringConvertible {
    let description: String
}

extension LuaState {
    private static let deepestTable = 200

    /// Pushes all values and returns their number.
    func push(_ values: [LuaValue], on stack: OpaquePointer) throws(LuaPushError) -> Int32 {
        for value in values {
            try push(value, on: stack)
        }
        return Int32(values.count)
    }

    /// Pushes one value.
    func push(
        _ value: LuaValue,
        on stack: OpaquePointer,
        depth: Int = 0
    ) throws(LuaPushError) {
        guard lua_checkstack(stack, 8) != 0 else {
            throw LuaPushError(description: "too many values for the script's stack")
        }
        switch value {
        case .nil: lua_pushnil(stack)
        case .boolean(let value): lua_pushboolean(stack, value ? 1 : 0)
        case .integer(let value): lua_pushinteger(stack, value)
        case .number(let value): lua_pushnumber(stack, value)
        case .string(let value): push(value, on: stack)
        case .table(let value): try push(value, on: stack, depth: depth)
        case .function(let value): try push(value, on: stack)
        case .object(let value): push(value, on: stack)
        }
    }

    /// Pushes a string.
    func push(_ text: String, on stack: OpaquePointer) {
        var text = text
        text.withUTF8 { bytes in
            _ = bytes.withMemoryRebound(to: CChar.self) { characters in
                lua_pushlstring(stack, characters.baseAddress, characters.count)
            }
        }
    }

    private func push(
        _ table: LuaTable,
        on stack: OpaquePointer,
        depth: Int
    ) throws(LuaPushError) {
        guard depth < Self.deepestTable else {
            throw LuaPushError(description: "tables are nested deeper than \(Self.deepestTable)")
        }
        lua_createtable(stack, Int32(table.array.count), Int32(table.fields.count))
        for (index, value) in table.array.enumerated() {
            try push(value, on: stack, depth: depth + 1)
            lua_rawseti(stack, -2, lua_Integer(index + 1))
        }
        for (key, value) in table.sortedFields {
            push(key, on: stack)
            try push(value, on: stack, depth: depth + 1)
            lua_rawset(stack, -3)
        }
    }

    private func push(_ function: LuaFunction, on stack: OpaquePointer) throws(LuaPushError) {
        switch function.storage {
        case .host(let function):
            push(function, on: stack)
        case .lua(let reference, let owner):
            guard owner === references else {
                throw LuaPushError(
                    description: "the function (\(function)) belongs to another Lua state"
                )
            }
            pushKept(reference, on: stack)
        }
    }

    /// Pushes a function of Swift, with values from the top as its upvalues 2, 3, ….
    func push(_ function: LuaHostFunction, on stack: OpaquePointer, upvalues: Int32 = 0) {
        lb_push_function(stack, Unmanaged.passRetained(function).toOpaque(), upvalues)
    }
}
