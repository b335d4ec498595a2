// The one way from Lua into Swift, and the userdata that own what Swift gave to Lua.

#include "control.h"

LB_LEFT_BY_LONGJMP_BEGIN

static const char release_key = 0;

// Waits are continued here: the values were delivered by Swift before the resume.
static int continue_wait(lua_State *L, int status, lua_KContext context) {
    (void)status;
    (void)context;
    int deliver = lb_control_of(L)->deliver;
    if (deliver == LB_RAISE) return lua_error(L);
    return deliver;
}

static int call_host(lua_State *L, void *box) {
    lb_control *control = lb_control_of(L);
    control->host_depth++;
    int result = control->host.call(control->host.context, L, box);
    control->host_depth--;
    if (result == LB_WAIT) return lua_yieldk(L, 0, 0, continue_wait);
    if (result == LB_RAISE) return lua_error(L);
    // A function may itself have asked for the stop: it then never returns to the script.
    return result == LB_LEAVE || lb_must_stop(control) ? lb_leave(L) : result;
}

static int trampoline(lua_State *L) {
    return call_host(L, *(void **)lua_touserdata(L, lua_upvalueindex(1)));
}

static int release(lua_State *L) {
    void **block = lua_touserdata(L, 1);
    if (block == NULL || *block == NULL) return 0;
    void *box = *block;
    *block = NULL;
    lb_control *control = lb_control_of(L);
    control->host_depth++;
    control->host.release(box);
    control->host_depth--;
    return 0;
}

void lb_push_release(lua_State *L) { lua_pushcfunction(L, release); }

void lb_push_object(lua_State *L, void *box) {
    void **block = lua_newuserdatauv(L, sizeof box, 0);
    *block = box;
}

void *lb_object_box(lua_State *L, int index) {
    void **block = lua_touserdata(L, index);
    return block == NULL ? NULL : *block;
}

static void set_release_metatable(lua_State *L) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &release_key) == LUA_TNIL) {
        lua_pop(L, 1);
        lua_createtable(L, 0, 1);
        lua_pushcfunction(L, release);
        lua_setfield(L, -2, "__gc");
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &release_key);
    }
    lua_setmetatable(L, -2);
}

void lb_push_function(lua_State *L, void *box, int upvalues) {
    lb_push_object(L, box);
    set_release_metatable(L);
    lua_insert(L, -(upvalues + 1));
    lua_pushcclosure(L, trampoline, upvalues + 1);
}

// Objects with fields: a method by name, else Swift. Upvalues: Swift's function, methods.
static int object_index(lua_State *L) {
    lua_pushvalue(L, 2);
    if (lua_rawget(L, lua_upvalueindex(2)) != LUA_TNIL) return 1;
    lua_pop(L, 1);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, 2, 1);
    return 1;
}

void lb_push_object_index(lua_State *L) { lua_pushcclosure(L, object_index, 2); }

LB_LEFT_BY_LONGJMP_END
