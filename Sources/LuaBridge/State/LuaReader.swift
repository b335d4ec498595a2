// Lua values to Swift: tables are copied, with a bound on depth and number, and cycles are errors.

import CLua
import CLuaShim

/// A value that has no counterpart in Swift, and where in the tables it lies.
struct LuaReadError: Error {
    let path: String
    let message: String
}

struct LuaReader {
    private static let mostValues = 1_000_000

    let state: LuaState
    let stack: OpaquePointer
    private var path: [String] = []
    private var open: [(table: UnsafeRawPointer?, path: String)] = []
    private var count = 0

    init(state: LuaState, stack: OpaquePointer) {
        self.state = state
        self.stack = stack
    }

    /// The value at an index of the stack.
    mutating func read(_ index: Int32) throws(LuaReadError) -> LuaValue {
        switch lua_type(stack, index) {
        case LUA_TNONE, LUA_TNIL: return .nil
        case LUA_TBOOLEAN: return .boolean(lua_toboolean(stack, index) != 0)
        case LUA_TNUMBER: return number(index)
        case LUA_TSTRING: return .string(string(index))
        case LUA_TTABLE: return .table(try table(lua_absindex(stack, index)))
        case LUA_TFUNCTION: return .function(function(index))
        case LUA_TUSERDATA:
            if let object = state.object(at: index, of: stack) { return .object(object) }
            throw error("a namespace is no value: pass one of its functions")
        default:
            throw error("a \(String(cString: lua_typename(stack, lua_type(stack, index))))")
        }
    }

    /// The string at an index, repaired where it is not UTF-8.
    func string(_ index: Int32) -> String {
        var length = 0
        guard let bytes = lua_tolstring(stack, index, &length) else { return "" }
        return bytes.withMemoryRebound(to: UInt8.self, capacity: length) { start in
            String(decoding: UnsafeBufferPointer(start: start, count: length), as: UTF8.self)
        }
    }

    private func number(_ index: Int32) -> LuaValue {
        lua_isinteger(stack, index) != 0
            ? .integer(lua_tointegerx(stack, index, nil))
            : .number(lua_tonumberx(stack, index, nil))
    }

    private func function(_ index: Int32) -> LuaFunction {
        lua_pushvalue(stack, index)
        let location = LuaStackFrame.definition(ofTopOf: stack)
        lua_pushvalue(stack, index)
        let reference = state.keep(stack)
        return LuaFunction(reference: reference, owner: state.references, location: location)
    }

    private mutating func table(_ index: Int32) throws(LuaReadError) -> LuaTable {
        let pointer = lua_topointer(stack, index)
        if let outer = open.first(where: { $0.table == pointer }) {
            throw error(
                "refers back to \(outer.path.isEmpty ? "itself" : outer.path); cycles are not allowed"
            )
        }
        guard open.count < state.limits.tableDepth else {
            throw error("tables are nested deeper than \(state.limits.tableDepth)")
        }
        guard lua_checkstack(stack, 4) != 0 else { throw error("the stack is full") }
        open.append((pointer, joinedPath))
        defer { open.removeLast() }
        var result = LuaTable()
        try readArray(index, into: &result)
        try readFields(index, into: &result)
        return result
    }

    private mutating func readArray(
        _ index: Int32,
        into result: inout LuaTable
    ) throws(LuaReadError) {
        let length = Int(lua_rawlen(stack, index))
        for position in 0..<length {
            lua_rawgeti(stack, index, lua_Integer(position + 1))
            defer { lb_pop(stack, 1) }
            result.array.append(try element("[\(position + 1)]"))
        }
    }

    private mutating func readFields(
        _ index: Int32,
        into result: inout LuaTable
    ) throws(LuaReadError) {
        lua_pushnil(stack)
        while lua_next(stack, index) != 0 {
            if lua_isinteger(stack, -2) != 0 {
                let key = lua_tointegerx(stack, -2, nil)
                guard (1...max(1, lua_Integer(result.array.count))).contains(key),
                    !result.array.isEmpty
                else { throw popping(2, error("key \(key) is not part of a list from 1")) }
                lb_pop(stack, 1)
                continue
            }
            guard lua_type(stack, -2) == LUA_TSTRING else {
                let name = String(cString: lua_typename(stack, lua_type(stack, -2)))
                throw popping(2, error("a \(name) is a key; keys are strings, or 1, 2, 3, …"))
            }
            let key = string(-2)
            do {
                result.fields[key] = try element(key)
            } catch {
                throw popping(2, error)
            }
            lb_pop(stack, 1)
        }
    }

    /// The value on top, which lies under this key.
    private mutating func element(_ key: String) throws(LuaReadError) -> LuaValue {
        count += 1
        guard count <= Self.mostValues else {
            throw error("more than \(Self.mostValues) values")
        }
        path.append(key)
        defer { path.removeLast() }
        return try read(-1)
    }

    private var joinedPath: String {
        path.reduce(into: "") { text, key in
            text += text.isEmpty || key.hasPrefix("[") ? key : ".\(key)"
        }
    }

    private func error(_ message: String) -> LuaReadError {
        LuaReadError(path: joinedPath, message: message)
    }

    private func popping(_ count: Int32, _ error: LuaReadError) -> LuaReadError {
        lb_pop(stack, count)
        return error
    }
}
