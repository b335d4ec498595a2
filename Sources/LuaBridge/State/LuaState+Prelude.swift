// The few functions that must be Lua, because they call script functions that may wait.

import CLua
import CLuaShim

extension LuaState {
    private static let prelude = """
        local find, emit, now, time, date, tostring, concat, select, setmetatable = ...
        local loaded, loading = {}, {}
        local unmark = { __close = function(mark) loading[mark.name] = nil end }

        local function require(name)
            if name ~= nil and loaded[name] ~= nil then return loaded[name] end
            local chunk, path = find(name, name ~= nil and loading[name] or nil)
            loading[name] = path
            local mark <close> = setmetatable({ name = name }, unmark)
            local value = chunk(name, path)
            if value == nil then value = true end
            loaded[name] = value
            return value
        end

        local function print(...)
            local parts = { ... }
            for index = 1, select("#", ...) do parts[index] = tostring(parts[index]) end
            emit(concat(parts, "\\t"))
        end

        local function os_time(fields)
            if fields == nil then return now() end
            return time(fields)
        end

        local function os_date(format, at)
            return date(format or "%c", at or now())
        end

        return require, print, os_time, os_date
        """

    func runPrelude() {
        let status = lb_load(main, Self.prelude, Self.prelude.utf8.count, "=bridge")
        precondition(status == LUA_OK, "the prelude does not compile")
        push(finding(), on: main)
        push(emitting(), on: main)
        push(telling(), on: main)
        for name in ["os.time", "os.date", "tostring", "concat", "select", "setmetatable"] {
            pushHidden(name, on: main)
        }
        let outcome = lua_pcallk(main, 9, 4, 0, 0, nil)
        precondition(outcome == LUA_OK, "the prelude does not run")
        for path in ["os.date", "os.time", "print", "require"] {
            let reference = keep(main)
            define(path) { pushKept(reference, on: $0) }
            luaL_unref(main, lb_registry_index(), reference)
        }
    }

    private func emitting() -> LuaHostFunction {
        LuaHostFunction(
            name: "print",
            .raw { frame in
                let text = LuaReader(state: frame.state, stack: frame.stack).string(1)
                frame.state.onPrint(text, frame.state.location(frame.stack))
                return 0
            }
        )
    }

    private func telling() -> LuaHostFunction {
        LuaHostFunction(
            name: "os.time",
            .raw { frame in
                if let clock = frame.state.clock {
                    lua_pushinteger(frame.stack, Int64(clock().rounded(.down)))
                } else {
                    frame.state.pushHidden("os.time", on: frame.stack)
                    _ = lua_pcallk(frame.stack, 0, 1, 0, 0, nil)
                }
                return 1
            }
        )
    }

    /// Takes a name, and its path while it is being loaded; gives the chunk and its path.
    private func finding() -> LuaHostFunction {
        LuaHostFunction(
            name: "require",
            .raw { frame in
                var reader = LuaReader(state: frame.state, stack: frame.stack)
                let name = try reader.moduleName()
                if lua_type(frame.stack, 2) == LUA_TSTRING {
                    throw LuaNameError(
                        "require: \(reader.string(2)) is still being loaded: modules that require "
                            + "each other in a circle cannot be"
                    )
                }
                let module = try frame.state.modules.find(name)
                try frame.state.compile(module.text, name: module.path, on: frame.stack)
                frame.state.push(module.path, on: frame.stack)
                return 2
            }
        )
    }
}

extension LuaReader {
    fileprivate mutating func moduleName() throws -> String {
        let value = try read(1)
        guard let name = value.string else {
            throw LuaArgumentError(
                function: "require",
                position: 1,
                name: "name",
                expected: "string",
                got: value
            )
        }
        return name
    }
}
