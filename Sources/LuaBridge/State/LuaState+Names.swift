// Globals and namespaces. Scripts never hold the tables in which names live: the global table is an
// empty one and a namespace is a userdata, both of which read from a hidden table and refuse to be
// written. So `rawset`, `pairs` and plain assignment find nothing to change.

import CLua
import CLuaShim

extension LuaState {
    private static let globals = ""

    /// Puts a value under a dotted path; makes the namespaces on its way.
    func define(_ path: String, _ pushValue: (OpaquePointer) -> Void) {
        let names = path.split(separator: ".").map(String.init)
        // Paths are written in this program, never in a script: an empty one is a mistake of ours.
        guard let last = names.last else { preconditionFailure("an empty path") }
        pushHiddenTable(of: names.dropLast().joined(separator: "."))
        defined.insert(path)
        push(last, on: main)
        pushValue(main)
        lua_rawset(main, -3)
        lb_pop(main, 1)
    }

    /// Turns the table on top into a namespace under this name; pops it.
    func defineNamespace(_ name: String) {
        refuseUnknown(in: name)
        lua_pushvalue(main, -1)
        hidden["table:\(name)"] = keep(main)
        pushProxy(of: name)
        let reference = keep(main)
        lb_pop(main, 1)
        define(name) { pushKept(reference, on: $0) }
        luaL_unref(main, lb_registry_index(), reference)
    }

    /// Makes the table of globals, which is on top, hidden, and puts the empty one in its place.
    func hideGlobals() {
        refuseUnknown(in: Self.globals)
        lua_pushvalue(main, -1)
        hidden["table:\(Self.globals)"] = keep(main)
        lua_createtable(main, 0, 0)
        pushProxyMetatable(of: Self.globals)
        lua_setmetatable(main, -2)
        lua_pushvalue(main, -1)
        lua_setfield(main, -3, "_G")
        lua_rawseti(main, lb_registry_index(), lua_Integer(lb_top_globals_index()))
        lb_pop(main, 1)
    }

    /// What was hidden is named by this module alone, and before any script runs: a name that is not there is a mistake of ours.
    func pushHidden(_ name: String, on stack: OpaquePointer) {
        guard let reference = hidden[name] else { fatalError("nothing is hidden as \(name)") }
        pushKept(reference, on: stack)
    }

    /// Pushes the table behind a namespace, which is made when it is missing.
    private func pushHiddenTable(of path: String) {
        if hidden["table:\(path)"] == nil {
            precondition(!isDefined(path), "\(path) is a value and no namespace")
            lua_createtable(main, 0, 4)
            defineNamespace(path)
        }
        pushHidden("table:\(path)", on: main)
    }

    private func isDefined(_ path: String) -> Bool {
        let names = path.split(separator: ".").map(String.init)
        let parent = names.dropLast().joined(separator: ".")
        guard let last = names.last, hidden["table:\(parent)"] != nil else { return false }
        pushHidden("table:\(parent)", on: main)
        push(last, on: main)
        defer { lb_pop(main, 2) }
        return lua_rawget(main, -2) != LUA_TNIL
    }

    /// Lets the table on top refuse unknown names.
    private func refuseUnknown(in name: String) {
        lua_createtable(main, 0, 1)
        lua_pushvalue(main, -2)
        push(unknownName(in: name), on: main, upvalues: 1)
        lua_setfield(main, -2, "__index")
        lua_setmetatable(main, -2)
    }

    /// Pushes the userdata that stands for the hidden table on top.
    private func pushProxy(of name: String) {
        _ = lua_newuserdatauv(main, 0, 0)
        lua_pushvalue(main, -2)
        pushProxyMetatable(of: name)
        lua_setmetatable(main, -3)
        lb_pop(main, 1)
    }

    /// Pushes a metatable that reads from the hidden table below the top.
    private func pushProxyMetatable(of name: String) {
        let table: Int32 = lua_type(main, -1) == LUA_TTABLE && name != Self.globals ? -1 : -2
        lua_pushvalue(main, table)
        lua_createtable(main, 0, 5)
        lua_pushvalue(main, -2)
        lua_setfield(main, -2, "__index")
        lua_pushvalue(main, -2)
        push(copyForPairs(), on: main, upvalues: 1)
        lua_setfield(main, -2, "__pairs")
        push(name == Self.globals ? refusingGlobal() : refusing(name), on: main)
        lua_setfield(main, -2, "__newindex")
        push("locked", on: main)
        lua_setfield(main, -2, "__metatable")
        push(name.isEmpty ? "_G" : name, on: main)
        lua_setfield(main, -2, "__name")
        lua_rotate(main, -2, 1)
        lb_pop(main, 1)
    }
}

// The functions behind the metatables. Upvalue 2 is the hidden table.
extension LuaState {
    private func unknownName(in namespace: String) -> LuaHostFunction {
        LuaHostFunction(
            name: namespace,
            .raw { frame in
                let key = frame.text(2)
                let prefix = namespace.isEmpty ? "" : "\(namespace)."
                let what =
                    namespace.isEmpty
                    ? "the global \(key) is unknown" : "\(prefix)\(key) is unknown"
                throw LuaNameError(
                    what + LuaNames.hint(key, among: frame.keys(ofUpvalue: 2), prefix: prefix)
                )
            }
        )
    }

    private func refusing(_ namespace: String) -> LuaHostFunction {
        LuaHostFunction(
            name: namespace,
            .raw { frame in
                throw LuaNameError(
                    "cannot assign \(namespace).\(frame.text(2)): \(namespace) is read-only"
                )
            }
        )
    }

    private func refusingGlobal() -> LuaHostFunction {
        LuaHostFunction(
            name: "_G",
            .raw { frame in
                let key = frame.text(2)
                let known = frame.keys(ofHidden: "table:")
                if known.contains(key) {
                    throw LuaNameError("cannot assign \(key): it is built in and read-only")
                }
                let hint = LuaNames.hint(key, among: known)
                throw LuaNameError(
                    frame.isCalledFromMainChunk
                        ? "cannot assign the global \(key): use local \(key)\(hint)"
                        : "cannot assign the global \(key) inside a function: declare it with "
                            + "local\(hint)"
                )
            }
        )
    }

    /// `pairs` goes over a copy, so that the hidden table stays hidden.
    private func copyForPairs() -> LuaHostFunction {
        LuaHostFunction(
            name: "pairs",
            .raw { frame in
                let stack = frame.stack
                frame.state.pushHidden("next", on: stack)
                lua_createtable(stack, 0, 0)
                lua_pushnil(stack)
                while lua_next(stack, lb_upvalue_index(2)) != 0 {
                    lua_pushvalue(stack, -2)
                    lua_rotate(stack, -2, 1)
                    lua_rawset(stack, -4)
                }
                lua_pushnil(stack)
                return 3
            }
        )
    }
}

extension LuaFrame {
    /// The argument as a message names it.
    func text(_ index: Int32) -> String {
        var reader = LuaReader(state: state, stack: stack)
        guard let value = try? reader.read(index) else { return "?" }
        return value.string ?? value.description
    }

    /// The string keys of a table.
    func keys(ofUpvalue index: Int32) -> [String] {
        lua_pushvalue(stack, lb_upvalue_index(index))
        return keysOfTop()
    }

    func keys(ofHidden name: String) -> [String] {
        state.pushHidden(name, on: stack)
        return keysOfTop()
    }

    /// Whether the script line that called is outside of every function.
    var isCalledFromMainChunk: Bool {
        var info = lua_Debug()
        guard lb_where(stack, 1, &info), let what = info.what else { return false }
        return String(cString: what) == "main"
    }

    private func keysOfTop() -> [String] {
        let reader = LuaReader(state: state, stack: stack)
        var keys: [String] = []
        lua_pushnil(stack)
        while lua_next(stack, -2) != 0 {
            lb_pop(stack, 1)
            if lua_type(stack, -1) == LUA_TSTRING {
                keys.append(reader.string(-1))
            }
        }
        lb_pop(stack, 1)
        return keys
    }
}
