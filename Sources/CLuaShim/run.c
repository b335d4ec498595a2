// Running: the count hook, resume, the body of a thread, and the closing of a stopped thread.
//
// A stop is obeyed by yielding from the hook: no pcall sees a yield, and the stack stays for a
// traceback. Where a yield is impossible (inside sort and gsub callbacks, inside closers) the hook
// raises, and the guarded pcall hands the error on.

#include "control.h"

#include <stdlib.h>

LB_LEFT_BY_LONGJMP_BEGIN

static bool is_stopped(const lb_control *control) {
    if (lb_stop_is_raised(control->vm_stop)) return true;
    return control->run_stop != NULL && lb_stop_is_raised(control->run_stop);
}

bool lb_is_stopping(lua_State *L) {
    lb_control *control = lb_control_of(L);
    return control->closing || is_stopped(control);
}

static void count_budget(lb_control *control, int hook_calls) {
    if (control->budget == NULL || *control->budget < 0 || control->run_stop == NULL) return;
    *control->budget -= (int64_t)LB_HOOK_COUNT * hook_calls;
    if (*control->budget > 0) return;
    *control->budget = 0;
    control->budget_spent = true;
    lb_stop_raise(control->run_stop);
}

bool lb_must_stop(lb_control *control) {
    if (!is_stopped(control)) return false;
    return !(control->closing || control->unwinding) || control->closing_steps <= 0;
}

static const char stop_mark = 0;

bool lb_is_stop_mark(lua_State *L, int index) {
    return lua_touserdata(L, index) == (void *)&stop_mark;
}

// Remembers the stack as it is when a stop is first obeyed. It must be now: a yield from the hook
// moves the current line.
static void capture_once(lua_State *L, lb_control *control) {
    if (control->captured) return;
    control->captured = true;
    control->host_depth++;
    control->host.capture(control->host.context, L);
    control->host_depth--;
}

// Goes on as an error: closers are at work, or something on the stack cannot be yielded across.
static int raise_stop(lua_State *L, lb_control *control) {
    if (control->closing || control->unwinding) {
        // The closer that used up the budget ends here; the next ones get a little.
        if (control->closing_refills-- > 0) control->closing_steps = LB_CLOSING_REFILL;
    } else {
        control->unwinding = true;
        control->closing_steps = LB_CLOSING_STEPS;
        control->closing_refills = LB_CLOSING_REFILLS;
    }
    lua_pushlightuserdata(L, (void *)&stop_mark);
    return lua_error(L);
}

int lb_leave(lua_State *L) {
    lb_control *control = lb_control_of(L);
    if (!control->closing) capture_once(L, control);
    if (control->closing || !lua_isyieldable(L)) return raise_stop(L, control);
    control->stop_yield = true;
    return lua_yield(L, 0);
}

void lb_hook(lua_State *L, lua_Debug *ar) {
    (void)ar;
    lb_checkpoint(L, 1);
}

void lb_checkpoint(lua_State *L, int hook_calls) {
    lb_control *control = lb_control_of(L);
    count_budget(control, hook_calls);
    if (!is_stopped(control)) return;
    if (control->closing || control->unwinding) {
        control->closing_steps -= hook_calls;
        if (control->closing_steps > 0) return;
    }
    lb_leave(L);
}

bool lb_must_leave(lua_State *L) { return lb_must_stop(lb_control_of(L)); }

static int capture(lua_State *L) {
    lb_control *control = lb_control_of(L);
    control->captured = control->captured && is_stopped(control);
    capture_once(L, control);
    return 1;
}

static int finish_body(lua_State *L, int status, lua_KContext skip) {
    lb_control_of(L)->body_status = status == LUA_YIELD ? LUA_OK : status;
    return lua_gettop(L) - (int)skip;
}

// The body runs protected inside its own coroutine: an error that a hook raises would else leave
// the hooks off on the dead thread (Lua 5.4.4).
static int body(lua_State *L) {
    lua_pushcfunction(L, capture);
    lua_insert(L, 1);
    int status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 1, finish_body);
    return finish_body(L, status, 1);
}

lua_State *lb_new_thread(lua_State *L) {
    lua_State *thread = lua_newthread(L);
    lua_sethook(thread, lb_hook, LUA_MASKCOUNT, LB_HOOK_COUNT);
    return thread;
}

bool lb_prepare(lua_State *thread, int argument_count) {
    if (!lua_checkstack(thread, 4)) return false;
    lua_pushcfunction(thread, body);
    lua_insert(thread, -(argument_count + 2));
    return true;
}

void lb_deliver(lua_State *thread, int count, bool failed) {
    lb_control_of(thread)->deliver = failed ? LB_RAISE : count;
}

// A longjmp that crossed a Swift frame leaves the depth wrong. Nothing can be trusted then.
static int enter(lb_control *control) {
    int depth = control->host_depth;
    control->host_depth = 0;
    return depth;
}

static void leave(lb_control *control, int depth) {
    if (control->host_depth != 0) abort();
    control->host_depth = depth;
}

static lb_step step_after(lb_control *control, int status, int count) {
    lb_step step = {LB_FINISHED, LUA_OK, count};
    if (status == LUA_YIELD) {
        step.outcome = control->stop_yield ? LB_STOPPED : LB_WAITING;
    } else if (status != LUA_OK || control->body_status != LUA_OK) {
        step.status = status != LUA_OK ? status : control->body_status;
        step.outcome = control->unwinding ? LB_STOPPED : LB_FAILED;
    }
    return step;
}

lb_step lb_resume(lua_State *thread, int value_count, lb_stop *stop, int64_t *budget) {
    lb_control *control = lb_control_of(thread);
    control->run_stop = stop;
    control->budget = budget;
    control->stop_yield = control->unwinding = control->budget_spent = false;
    control->captured = false;
    control->body_status = LUA_OK;
    control->refused = 0;
    int count = 0;
    int depth = enter(control);
    int status = lua_resume(thread, NULL, value_count, &count);
    leave(control, depth);
    lb_step step = step_after(control, status, count);
    control->run_stop = NULL;
    control->budget = NULL;
    control->unwinding = false;
    return step;
}

bool lb_close_thread(lua_State *thread) {
    lb_control *control = lb_control_of(thread);
    control->closing = true;
    control->closing_steps = LB_CLOSING_STEPS;
    control->closing_refills = LB_CLOSING_REFILLS;
    // Closers are bounded even when the stop flag was cleared meanwhile.
    lb_stop *always = lb_stop_create();
    lb_stop_raise(always);
    control->run_stop = always;
    int depth = enter(control);
#if LUA_VERSION_RELEASE_NUM >= 50406
    int status = lua_closethread(thread, NULL);
#else
    int status = lua_resetthread(thread);
#endif
    leave(control, depth);
    control->run_stop = NULL;
    control->closing = false;
    lb_stop_destroy(always);
    return status == LUA_OK;
}

int lb_load(lua_State *L, const char *text, size_t length, const char *name) {
    lb_control *control = lb_control_of(L);
    int depth = enter(control);
    int status = luaL_loadbufferx(L, text, length, name, "t");
    leave(control, depth);
    return status;
}

LB_LEFT_BY_LONGJMP_END
