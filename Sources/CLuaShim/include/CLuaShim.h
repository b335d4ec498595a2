// The C side of the bridge.
//
// Everything that may longjmp lives here, so that no longjmp ever crosses a Swift frame: Swift
// functions are called from one trampoline and answer with a count or with "raise"; C raises after
// the Swift frames are gone. The allocator, the count hook and the functions that guard the
// standard library are here for the same reason.

#ifndef CLUASHIM_H
#define CLUASHIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>

// A flag that any thread may raise and that the count hook reads. Counted by hand: Swift owns it.
typedef struct lb_stop lb_stop;

lb_stop *lb_stop_create(void);
void lb_stop_destroy(lb_stop *stop);
void lb_stop_raise(lb_stop *stop);
void lb_stop_clear(lb_stop *stop);
bool lb_stop_is_raised(const lb_stop *stop);

// What Swift answers to the trampoline, beside a number of results.
enum {
    LB_RAISE = -1,  // the error value is on top
    LB_WAIT = -2,   // yield; the results come with lb_deliver
    LB_LEAVE = -3,  // a stop is to be obeyed here
};

// The callbacks into Swift. None of them lets an error escape.
typedef struct {
    void *context;
    int (*call)(void *context, lua_State *L, void *function);
    void (*capture)(void *context, lua_State *L);
    void (*release)(void *box);
} lb_host;

typedef struct {
    size_t total_bytes;
    size_t allocation_bytes;
} lb_limits;

// How a resume ended.
typedef enum {
    LB_FINISHED,  // `count` results are on top
    LB_FAILED,    // the error value is on top; `status` says which kind
    LB_WAITING,   // an asynchronous function was called
    LB_STOPPED,   // a stop was obeyed; the thread must be closed, never resumed
} lb_outcome;

typedef struct {
    lb_outcome outcome;
    int status;
    int count;
} lb_step;

// Opens a state whose current thread of control is Swift. NULL when there is no memory.
lua_State *lb_open(lb_host host, lb_limits limits, lb_stop *stop);
void lb_close(lua_State *L);

// A new thread, on top of L's stack, with the count hook set.
lua_State *lb_new_thread(lua_State *L);
// Prepares a thread on whose stack lie a function and its arguments.
bool lb_prepare(lua_State *thread, int argument_count);
// Runs a prepared or waiting thread with the values on top. `budget` counts instructions; < 0: none.
lb_step lb_resume(lua_State *thread, int value_count, lb_stop *stop, int64_t *budget);
// Says what the values of the next resume are: results, or (failed) one error value.
void lb_deliver(lua_State *thread, int count, bool failed);
// Runs the thread's pending closers, bounded by an instruction budget. False: one of them failed
// and its error value is on top.
bool lb_close_thread(lua_State *thread);

// Compiles text. The function or the message is on top.
int lb_load(lua_State *L, const char *text, size_t length, const char *name);

// True while a stop is obeyed: nothing may wait then.
bool lb_is_stopping(lua_State *L);
// True for the error value that a stop goes on as where it cannot yield.
bool lb_is_stop_mark(lua_State *L, int index);
bool lb_budget_is_spent(lua_State *L);
size_t lb_memory_used(lua_State *L);
size_t lb_memory_refused(lua_State *L);
int lb_host_depth(lua_State *L);

// Pushes a Lua function that calls back with `box`, which it owns. `upvalues` more values are taken
// from the top; they are upvalues 2, 3, … of the function.
void lb_push_function(lua_State *L, void *box, int upvalues);
// Pushes an object's userdata, which owns `box`; its metatable is to be set by the caller.
void lb_push_object(lua_State *L, void *box);
void *lb_object_box(lua_State *L, int index);
// Pushes the __index of objects with fields: (methods table on top, function below) -> function.
void lb_push_object_index(lua_State *L);
// Pushes the function that releases a box, to be the __gc of an object's metatable.
void lb_push_release(lua_State *L);

// Replaces what the sandbox guards: in the table of base functions on top of the stack.
void lb_guard_base(lua_State *L);
void lb_guard_string(lua_State *L);
void lb_guard_table(lua_State *L);

// Macros that Swift does not see.
int lb_upvalue_index(int index);
int lb_registry_index(void);
void lb_pop(lua_State *L, int count);
bool lb_is_yieldable(lua_State *L);
bool lb_where(lua_State *L, int level, lua_Debug *out);
// The innermost line of a script file ("@…" chunks), from level 0.
bool lb_script_line(lua_State *L, const char **file, int *line);
// True when the running function must not go on.
bool lb_must_leave(lua_State *L);
const char *lb_short_source(const lua_Debug *ar);
int lb_top_globals_index(void);

#endif
