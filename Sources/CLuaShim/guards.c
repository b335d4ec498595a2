// The standard functions that would let a script escape a stop or hang the thread.
//
// pcall and xpcall hand a stop on; setmetatable refuses __gc; rawset refuses what is locked; load
// takes text only; functions of `table` refuse ranges that one call could loop over for ever.

#include "control.h"

#include <string.h>

LB_LEFT_BY_LONGJMP_BEGIN

#define LB_LONGEST_RANGE 10000000

// A stop is never caught. A closer may catch errors of its own while it has budget; which pcall is
// a closer's is certain while the thread is closed, and likely where nothing can yield.
static bool must_hand_on(lua_State *L) {
    lb_control *control = lb_control_of(L);
    if (!lb_is_stopping(L)) return false;
    if (lb_is_stop_mark(L, -1) || lb_must_stop(control)) return true;
    return !control->closing && lua_isyieldable(L);
}

int lb_finish_protected(lua_State *L, int status, lua_KContext skip) {
    if (status == LUA_OK || status == LUA_YIELD) return lua_gettop(L) - (int)skip;
    if (must_hand_on(L)) return lb_leave(L);
    lua_pushboolean(L, 0);
    lua_pushvalue(L, -2);
    return 2;
}

// While a thread is being closed nothing unrolls continuations, so pcall must not count on one.
static lua_KFunction continuation(lua_State *L) {
    return lb_control_of(L)->closing ? NULL : lb_finish_protected;
}

static int guarded_pcall(lua_State *L) {
    luaL_checkany(L, 1);
    lua_pushboolean(L, 1);
    lua_insert(L, 1);
    lua_KFunction next = continuation(L);
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, next);
    return lb_finish_protected(L, status, 0);
}

// A handler that loops would be called again for each stop raised in it, so it is left out then.
static int guarded_handler(lua_State *L) {
    if (lb_is_stopping(L)) return 1;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, 1);
    return 1;
}

static int guarded_xpcall(lua_State *L) {
    int count = lua_gettop(L);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, guarded_handler, 1);
    lua_replace(L, 2);
    lua_pushboolean(L, 1);
    lua_pushvalue(L, 1);
    lua_rotate(L, 3, 2);
    int status = lua_pcallk(L, count - 2, LUA_MULTRET, 2, 2, continuation(L));
    return lb_finish_protected(L, status, 2);
}

static int guarded_setmetatable(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    int type = lua_type(L, 2);
    luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "cannot change a protected metatable");
    lua_settop(L, 2);
    if (type == LUA_TTABLE) {
        lua_pushliteral(L, "__gc");
        if (lua_rawget(L, 2) != LUA_TNIL)
            return luaL_error(L, "__gc is not available to scripts: use a <close> variable");
        lua_settop(L, 2);
    }
    lua_setmetatable(L, 1);
    return 1;
}

static int guarded_rawset(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_checkany(L, 2);
    luaL_checkany(L, 3);
    if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL)
        return luaL_error(L, "rawset: the table is read-only");
    lua_settop(L, 3);
    lua_rawset(L, 1);
    return 1;
}

// load(chunk, name, mode, env): upvalue 1 is the stock function. Only text; and the default name is
// not the text itself.
static int guarded_load(lua_State *L) {
    bool has_environment = !lua_isnone(L, 4);
    lua_settop(L, 4);
    const char *name = luaL_optstring(L, 2, "=(load)");
    if (name[0] == '@') name = "=(load)";  // only files are script lines
    lua_pushstring(L, name);
    lua_replace(L, 2);
    lua_pushliteral(L, "t");
    lua_replace(L, 3);
    if (!has_environment) lua_settop(L, 3);
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

void lb_guard_base(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"pcall", guarded_pcall},
        {"xpcall", guarded_xpcall},
        {"setmetatable", guarded_setmetatable},
        {"rawset", guarded_rawset},
        {NULL, NULL},
    };
    luaL_setfuncs(L, functions, 0);
    lua_getfield(L, -1, "load");
    lua_pushcclosure(L, guarded_load, 1);
    lua_setfield(L, -2, "load");
}

// string.rep: the total is checked before stock code starts a loop (an empty string has no size,
// but a count). The guards call the stock C function in their own frame, so that its messages name
// the script's line. Upvalue 1 is the stock function.
static int guarded_rep(lua_State *L) {
    size_t length = 0, separator = 0;
    luaL_checklstring(L, 1, &length);
    lua_Integer count = luaL_checkinteger(L, 2);
    luaL_optlstring(L, 3, "", &separator);
    size_t piece = length + separator;
    size_t most = lb_control_of(L)->limits.allocation_bytes;
    if (count > 0 && piece == 0) {
        lua_pushliteral(L, "");
        return 1;
    }
    if (count > 0 && (size_t)count > most / piece)
        return luaL_error(L, "string.rep: the result would be larger than %I bytes",
                          (LUAI_UACINT)most);
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

void lb_guard_string(lua_State *L) {
    lua_getfield(L, -1, "rep");
    lua_pushcclosure(L, guarded_rep, 1);
    lua_setfield(L, -2, "rep");
    lb_replace_search(L);
    lua_pushnil(L);
    lua_setfield(L, -2, "dump");
}

typedef struct {
    const char *name;
    int first, last;  // the arguments that bound a loop
} range_rule;

static const range_rule range_rules[] = {
    {"concat", 3, 4}, {"move", 2, 4}, {"insert", 2, 2},
    {"remove", 2, 2}, {"unpack", 2, 3}, {"sort", 2, 1},
};

static void check_range(lua_State *L, const range_rule *rule, lua_Integer size) {
    if (size > LB_LONGEST_RANGE || size < -LB_LONGEST_RANGE)
        luaL_error(L, "table.%s: the range is larger than %d", rule->name, LB_LONGEST_RANGE);
}

// The length of the table and the arguments that bound a loop must be in a range that C walks in
// well under a second. Upvalues: the stock function and the index of its rule.
static int guarded_range(lua_State *L) {
    const range_rule *rule = &range_rules[lua_tointeger(L, lua_upvalueindex(2))];
    int count = lua_gettop(L);
    // insert(table, value): the second argument is no position.
    int last = rule->last == 2 && count == 2 && strcmp(rule->name, "insert") == 0 ? 1 : rule->last;
    if (lua_istable(L, 1)) check_range(L, rule, luaL_len(L, 1));
    for (int index = rule->first; index <= last; index++) {
        if (lua_isinteger(L, index)) check_range(L, rule, lua_tointeger(L, index));
    }
    return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

void lb_guard_table(lua_State *L) {
    for (size_t index = 0; index < sizeof range_rules / sizeof range_rules[0]; index++) {
        lua_getfield(L, -1, range_rules[index].name);
        lua_pushinteger(L, (lua_Integer)index);
        lua_pushcclosure(L, guarded_range, 2);
        lua_setfield(L, -2, range_rules[index].name);
    }
}

LB_LEFT_BY_LONGJMP_END
