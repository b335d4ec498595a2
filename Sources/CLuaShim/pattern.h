// Lua's patterns, matched in steps that are counted, so that a stop reaches a match that would
// backtrack for hours. The stock matcher cannot be interrupted.

#ifndef LB_PATTERN_H
#define LB_PATTERN_H

#include "control.h"

#define LB_MOST_CAPTURES 32

typedef struct {
    const char *start;
    ptrdiff_t length;  // or one of the marks below
} lb_capture;

enum {
    LB_CAPTURE_OPEN = -1,
    LB_CAPTURE_POSITION = -2,
};

typedef struct {
    lua_State *L;
    const char *subject;
    const char *subject_end;
    const char *pattern_end;
    int depth;
    int steps;
    int captures;
    lb_capture capture[LB_MOST_CAPTURES];
} lb_match;

void lb_match_begin(lb_match *match, lua_State *L, const char *subject, size_t subject_length,
                    const char *pattern, size_t pattern_length);
// The end of the match that begins exactly at `at`, or NULL.
const char *lb_match_at(lb_match *match, const char *at, const char *pattern);
// Pushes a capture; capture 0 of a pattern without captures is the whole match.
void lb_push_capture(lb_match *match, int index, const char *start, const char *end);
// Pushes all captures, or the whole match when there are none, and returns their number.
int lb_push_captures(lb_match *match, const char *start, const char *end);

#endif
