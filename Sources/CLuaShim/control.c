// The stop flag, the allocator with its caps, and opening and closing of a state.

#include "control.h"

#include <stdatomic.h>
#include <stdlib.h>

struct lb_stop {
    atomic_bool raised;
};

lb_stop *lb_stop_create(void) {
    lb_stop *stop = malloc(sizeof *stop);
    if (stop == NULL) abort();
    atomic_init(&stop->raised, false);
    return stop;
}

void lb_stop_destroy(lb_stop *stop) { free(stop); }

void lb_stop_raise(lb_stop *stop) {
    atomic_store_explicit(&stop->raised, true, memory_order_release);
}

void lb_stop_clear(lb_stop *stop) {
    atomic_store_explicit(&stop->raised, false, memory_order_release);
}

bool lb_stop_is_raised(const lb_stop *stop) {
    return atomic_load_explicit(&stop->raised, memory_order_acquire);
}

static bool is_over(const lb_control *control, size_t old_size, size_t new_size) {
    if (control->host_depth > 0 || new_size <= old_size) return false;
    if (new_size > control->limits.allocation_bytes) return true;
    return control->used - old_size + new_size > control->limits.total_bytes;
}

void *lb_allocate(void *context, void *block, size_t old_size, size_t new_size) {
    lb_control *control = context;
    size_t held = block == NULL ? 0 : old_size;
    if (new_size == 0) {
        free(block);
        control->used -= held;
        return NULL;
    }
    if (is_over(control, held, new_size)) {
        control->refused = new_size;
        return NULL;
    }
    void *moved = realloc(block, new_size);
    if (moved == NULL) {
        // Lua would longjmp across the Swift frames that are on top.
        if (control->host_depth > 0) abort();
        return NULL;
    }
    control->used = control->used - held + new_size;
    return moved;
}

lua_State *lb_open(lb_host host, lb_limits limits, lb_stop *stop) {
    lb_control *control = calloc(1, sizeof *control);
    if (control == NULL) return NULL;
    control->host = host;
    control->limits = limits;
    control->vm_stop = stop;
    control->host_depth = 1;
    lua_State *L = lua_newstate(lb_allocate, control);
    if (L == NULL) {
        free(control);
        return NULL;
    }
    *(lb_control **)lua_getextraspace(L) = control;
    return L;
}

void lb_close(lua_State *L) {
    lb_control *control = lb_control_of(L);
    lua_close(L);
    free(control);
}

size_t lb_memory_used(lua_State *L) { return lb_control_of(L)->used; }
int lb_host_depth(lua_State *L) { return lb_control_of(L)->host_depth; }
bool lb_budget_is_spent(lua_State *L) { return lb_control_of(L)->budget_spent; }

size_t lb_memory_refused(lua_State *L) {
    size_t refused = lb_control_of(L)->refused;
    lb_control_of(L)->refused = 0;
    return refused;
}

int lb_upvalue_index(int index) { return lua_upvalueindex(index); }
int lb_registry_index(void) { return LUA_REGISTRYINDEX; }
int lb_top_globals_index(void) { return LUA_RIDX_GLOBALS; }
void lb_pop(lua_State *L, int count) { lua_pop(L, count); }
const char *lb_short_source(const lua_Debug *ar) { return ar->short_src; }

bool lb_is_yieldable(lua_State *L) { return !lb_control_of(L)->closing && lua_isyieldable(L); }

bool lb_where(lua_State *L, int level, lua_Debug *out) {
    return lua_getstack(L, level, out) && lua_getinfo(L, "Sln", out);
}

#define LB_DEEPEST_LINE 50

bool lb_script_line(lua_State *L, const char **file, int *line) {
    lua_Debug ar;
    for (int level = 0; level < LB_DEEPEST_LINE && lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "S", &ar);
        if (ar.source[0] != '@') continue;
        lua_getinfo(L, "l", &ar);
        *file = ar.source + 1;
        *line = ar.currentline;
        return true;
    }
    return false;
}
