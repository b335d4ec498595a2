// What is left of the standard library, and what takes the place of the rest.
//
// Left out: io, os but for time, date and clock, debug, package, coroutine, dofile, loadfile,
// collectgarbage, warn, string.dump, binary chunks, __gc. Operators write the scripts: this keeps
// them from accidents, it is no boundary against hostile code.

import CLua
import CLuaShim

extension LuaState {
    private static let removedGlobals = ["dofile", "loadfile", "collectgarbage", "warn"]
    private static let keptOS = ["time", "date", "clock"]

    func openLibraries() {
        lua_createtable(main, 0, 0)
        lua_createtable(main, 0, 1)
        push("v", on: main)
        lua_setfield(main, -2, "__mode")
        lua_setmetatable(main, -2)
        hidden["objects"] = keep(main)
        luaL_requiref(main, "_G", luaopen_base, 0)
        trimBase()
        hideGlobals()
        openTables()
        openMath()
        openOS()
        runPrelude()
    }

    private func trimBase() {
        lb_guard_base(main)
        for name in Self.removedGlobals {
            lua_pushnil(main)
            lua_setfield(main, -2, name)
        }
        hide(field: "next")
        hide(field: "setmetatable")
        hide(field: "tostring")
        hide(field: "select")
    }

    /// Keeps a field of the table on top for the bridge's own use.
    private func hide(field: String, as name: String? = nil) {
        lua_getfield(main, -1, field)
        hidden[name ?? field] = keep(main)
    }

    private func openTables() {
        luaL_requiref(main, "string", luaopen_string, 0)
        lb_guard_string(main)
        lockStringMetatable()
        defineNamespace("string")
        luaL_requiref(main, "table", luaopen_table, 0)
        lb_guard_table(main)
        hide(field: "concat")
        defineNamespace("table")
        luaL_requiref(main, "utf8", luaopen_utf8, 0)
        defineNamespace("utf8")
    }

    /// `("x"):upper()` reads the real table; `getmetatable("")` must not hand it out.
    private func lockStringMetatable() {
        push("", on: main)
        if lua_getmetatable(main, -1) != 0 {
            push("locked", on: main)
            lua_setfield(main, -2, "__metatable")
            lb_pop(main, 1)
        }
        lb_pop(main, 1)
    }

    private func openMath() {
        luaL_requiref(main, "math", luaopen_math, 0)
        hide(field: "randomseed")
        push(
            LuaHostFunction(
                name: "math.randomseed",
                .raw { _ in
                    throw LuaNameError(
                        "math.randomseed: the seed is set by the run, not by scripts"
                    )
                }
            ),
            on: main
        )
        lua_setfield(main, -2, "randomseed")
        defineNamespace("math")
        seedRandom(0)
    }

    private func openOS() {
        luaL_requiref(main, "os", luaopen_os, 0)
        hide(field: "time", as: "os.time")
        hide(field: "date", as: "os.date")
        lua_createtable(main, 0, 3)
        for name in Self.keptOS {
            lua_getfield(main, -2, name)
            lua_setfield(main, -2, name)
        }
        defineNamespace("os")
        lb_pop(main, 1)
    }

    /// Seeds `math.random`; equal seeds give equal numbers.
    func seedRandom(_ seed: UInt64) {
        pushHidden("randomseed", on: main)
        lua_pushinteger(main, Int64(bitPattern: seed))
        if lua_pcallk(main, 1, 0, 0, 0, nil) != LUA_OK {
            lb_pop(main, 1)
        }
    }
}
