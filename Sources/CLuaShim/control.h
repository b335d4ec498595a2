// The control block of one state: what the allocator, the hook and the trampoline share. Only the
// thread that runs the state touches it; other threads touch nothing but an lb_stop.

#ifndef LB_CONTROL_H
#define LB_CONTROL_H

#include "CLuaShim.h"

// ThreadSanitizer counts the entries and exits of functions, and a longjmp leaves out the exits.
#if defined(__has_feature) && __has_feature(thread_sanitizer)
#define LB_LEFT_BY_LONGJMP_BEGIN \
    _Pragma("clang attribute push(__attribute__((disable_sanitizer_instrumentation)), apply_to = function)")
#define LB_LEFT_BY_LONGJMP_END _Pragma("clang attribute pop")
#else
#define LB_LEFT_BY_LONGJMP_BEGIN
#define LB_LEFT_BY_LONGJMP_END
#endif

typedef struct {
    lb_host host;
    lb_limits limits;
    lb_stop *vm_stop;       // stops whatever runs
    lb_stop *run_stop;      // stops the activation that is being resumed
    int64_t *budget;        // instructions left to that activation
    int64_t closing_steps;  // hook calls left to closers
    int closing_refills;
    size_t used;
    size_t refused;         // the last size that a limit refused, 0 when none
    int host_depth;         // > 0 while Swift is on top: the allocator then refuses nothing
    int deliver;            // results of the next resume, or LB_RAISE
    int body_status;
    bool closing;           // lb_close_thread is at work
    bool unwinding;         // a stop was raised as an error
    bool stop_yield;        // the last yield obeyed a stop
    bool budget_spent;
    bool captured;          // the stack of this stop was seen by Swift
} lb_control;

static inline lb_control *lb_control_of(lua_State *L) {
    return *(lb_control **)lua_getextraspace(L);
}

void *lb_allocate(void *control, void *block, size_t old_size, size_t new_size);
void lb_hook(lua_State *L, lua_Debug *ar);
// True when the script must not go on: a stop is raised and no closer has budget left.
bool lb_must_stop(lb_control *control);
// Leaves the running function for good: by yield where possible, else by raising the stop mark.
int lb_leave(lua_State *L);
// For long work in C: obeys a stop as the count hook does, and counts the work as that many calls of
// the hook. May not return.
void lb_checkpoint(lua_State *L, int hook_calls);
// Replaces find, match, gmatch and gsub in the table on top.
void lb_replace_search(lua_State *L);
int lb_finish_protected(lua_State *L, int status, lua_KContext skip);

#define LB_HOOK_COUNT 100
// Hook calls that the closers of a stopped thread have: 200,000 instructions, a few ms; and what each
// further closer gets after one of them has used that up.
#define LB_CLOSING_STEPS 2000
#define LB_CLOSING_REFILL 100
#define LB_CLOSING_REFILLS 100

#endif
