-- For luacheck (Debian's lua-check): the names that Moonquake gives to scripts, and what its sandbox leaves of Lua's.
std = {
  read_globals = {
    -- Verbs and builders.
    "experiment", "steady_state", "inject", "rollback", "check_metric", "abort_if", "abort", "wait", "observe", "log",
    "fault", "metric", "target", "params", "env", "secret", "gameday", "catalog", "notify",
    -- Lua.
    "assert", "error", "getmetatable", "ipairs", "next", "pairs", "pcall", "print", "rawequal", "rawget", "rawlen",
    "rawset", "require", "select", "setmetatable", "tonumber", "tostring", "type", "xpcall", "_VERSION",
    "math", "os", "string", "table", "utf8",
  },
}
max_line_length = 120
-- `local fault <close> = inject(…)` is used by going out of scope.
unused_args = true
files["stdlib/_meta"] = { ignore = { ".*" } }
files["**/*_test.lua"] = { read_globals = { "test" } }
