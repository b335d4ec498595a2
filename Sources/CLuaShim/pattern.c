// The matcher: backtracking, with a bound on recursion and a checkpoint every few thousand steps.

#include "pattern.h"

#include <ctype.h>
#include <string.h>

LB_LEFT_BY_LONGJMP_BEGIN

#define LB_DEEPEST_MATCH 200
#define LB_CHECKPOINT_STEPS 1000

static const char *match_here(lb_match *match, const char *at, const char *pattern);

static void count_step(lb_match *match) {
    if (++match->steps < LB_CHECKPOINT_STEPS) return;
    match->steps = 0;
    lb_checkpoint(match->L, LB_CHECKPOINT_STEPS / LB_HOOK_COUNT);
}

void lb_match_begin(lb_match *match, lua_State *L, const char *subject, size_t subject_length,
                    const char *pattern, size_t pattern_length) {
    match->L = L;
    match->subject = subject;
    match->subject_end = subject + subject_length;
    match->pattern_end = pattern + pattern_length;
    match->depth = match->steps = match->captures = 0;
}

const char *lb_match_at(lb_match *match, const char *at, const char *pattern) {
    match->captures = match->depth = 0;
    return match_here(match, at, pattern);
}

// The end of one item: a character, %x, or a set.
static const char *item_end(lb_match *match, const char *pattern) {
    const char *next = pattern + 1;
    if (*pattern == '%') {
        if (next == match->pattern_end) luaL_error(match->L, "malformed pattern (ends with '%%')");
        return next + 1;
    }
    if (*pattern != '[') return next;
    if (next < match->pattern_end && *next == '^') next++;
    do {  // a ] that comes first is a member
        if (next == match->pattern_end)
            luaL_error(match->L, "malformed pattern (missing ']')");
        if (*next++ == '%' && next < match->pattern_end) next++;
    } while (next == match->pattern_end || *next != ']');
    return next + 1;
}

static bool is_in_class(int character, int class) {
    bool member;
    switch (tolower(class)) {
        case 'a': member = isalpha(character); break;
        case 'c': member = iscntrl(character); break;
        case 'd': member = isdigit(character); break;
        case 'g': member = isgraph(character); break;
        case 'l': member = islower(character); break;
        case 'p': member = ispunct(character); break;
        case 's': member = isspace(character); break;
        case 'u': member = isupper(character); break;
        case 'w': member = isalnum(character); break;
        case 'x': member = isxdigit(character); break;
        default: return class == character;
    }
    return isupper(class) ? !member : member;
}

// `end` is behind the closing bracket.
static bool is_in_set(int character, const char *set, const char *end) {
    bool member = true;
    const char *next = set + 1;
    if (*next == '^') {
        member = false;
        next++;
    }
    for (const char *last = end - 1; next < last; next++) {
        if (*next == '%') {
            next++;
            if (is_in_class(character, (unsigned char)*next)) return member;
        } else if (next + 2 < last && next[1] == '-') {
            if ((unsigned char)*next <= character && character <= (unsigned char)next[2])
                return member;
            next += 2;
        } else if ((unsigned char)*next == character) {
            return member;
        }
    }
    return !member;
}

static bool is_item(lb_match *match, const char *at, const char *item, const char *end) {
    count_step(match);
    if (at >= match->subject_end) return false;
    int character = (unsigned char)*at;
    switch (*item) {
        case '.': return true;
        case '%': return is_in_class(character, (unsigned char)item[1]);
        case '[': return is_in_set(character, item, end);
        default: return (unsigned char)*item == character;
    }
}

static const char *match_most(lb_match *match, const char *at, const char *item, const char *end) {
    ptrdiff_t count = 0;
    while (is_item(match, at + count, item, end)) count++;
    for (; count >= 0; count--) {
        const char *rest = match_here(match, at + count, end + 1);
        if (rest != NULL) return rest;
    }
    return NULL;
}

static const char *match_least(lb_match *match, const char *at, const char *item, const char *end) {
    for (;; at++) {
        const char *rest = match_here(match, at, end + 1);
        if (rest != NULL) return rest;
        if (!is_item(match, at, item, end)) return NULL;
    }
}

static const char *open_capture(lb_match *match, const char *at, const char *pattern) {
    if (match->captures >= LB_MOST_CAPTURES) luaL_error(match->L, "too many captures");
    bool is_position = pattern + 1 < match->pattern_end && pattern[1] == ')';
    lb_capture *capture = &match->capture[match->captures++];
    capture->start = at;
    capture->length = is_position ? LB_CAPTURE_POSITION : LB_CAPTURE_OPEN;
    const char *rest = match_here(match, at, pattern + (is_position ? 2 : 1));
    if (rest == NULL) match->captures--;
    return rest;
}

static const char *close_capture(lb_match *match, const char *at, const char *pattern) {
    int index = match->captures - 1;
    while (index >= 0 && match->capture[index].length != LB_CAPTURE_OPEN) index--;
    if (index < 0) luaL_error(match->L, "invalid pattern capture");
    match->capture[index].length = at - match->capture[index].start;
    const char *rest = match_here(match, at, pattern + 1);
    if (rest == NULL) match->capture[index].length = LB_CAPTURE_OPEN;
    return rest;
}

// %1 … %9: the same text again.
static const char *match_again(lb_match *match, const char *at, char digit) {
    int index = digit - '1';
    if (index < 0 || index >= match->captures || match->capture[index].length == LB_CAPTURE_OPEN)
        luaL_error(match->L, "invalid capture index %%%d", index + 1);
    ptrdiff_t length = match->capture[index].length;
    if (length < 0 || match->subject_end - at < length) return NULL;
    return memcmp(match->capture[index].start, at, (size_t)length) == 0 ? at + length : NULL;
}

// %bxy
static const char *match_balance(lb_match *match, const char *at, const char *pair) {
    if (pair + 1 >= match->pattern_end)
        luaL_error(match->L, "malformed pattern (missing arguments to '%%b')");
    if (at >= match->subject_end || *at != *pair) return NULL;
    int open = 1;
    for (at++; at < match->subject_end; at++) {
        count_step(match);
        if (*at == pair[1]) {
            if (--open == 0) return at + 1;
        } else if (*at == pair[0]) {
            open++;
        }
    }
    return NULL;
}

// %f[set]: the place between a character outside of the set and one inside.
static bool is_frontier(lb_match *match, const char *at, const char *set, const char *end) {
    int before = at == match->subject ? 0 : (unsigned char)at[-1];
    int after = at == match->subject_end ? 0 : (unsigned char)*at;
    return !is_in_set(before, set, end) && is_in_set(after, set, end);
}

// An item of %b, %f or %1: moves both places on. False: the pattern has no such item here.
static bool match_special(lb_match *match, const char **at, const char **pattern) {
    const char *item = *pattern;
    if (*item != '%' || item + 1 >= match->pattern_end) return false;
    if (item[1] == 'b') {
        *at = match_balance(match, *at, item + 2);
        *pattern = item + 4;
        return true;
    }
    if (item[1] == 'f') {
        if (item + 2 >= match->pattern_end || item[2] != '[')
            luaL_error(match->L, "missing '[' after '%%f' in pattern");
        *pattern = item_end(match, item + 2);
        if (!is_frontier(match, *at, item + 2, *pattern)) *at = NULL;
        return true;
    }
    if (!isdigit((unsigned char)item[1])) return false;
    *at = match_again(match, *at, item[1]);
    *pattern = item + 2;
    return true;
}

static const char *match_items(lb_match *match, const char *at, const char *pattern) {
    while (at != NULL && pattern != match->pattern_end) {
        if (*pattern == '(') return open_capture(match, at, pattern);
        if (*pattern == ')') return close_capture(match, at, pattern);
        if (*pattern == '$' && pattern + 1 == match->pattern_end)
            return at == match->subject_end ? at : NULL;
        if (match_special(match, &at, &pattern)) continue;
        const char *end = item_end(match, pattern);
        char repeat = end < match->pattern_end ? *end : '\0';
        if (repeat == '*') return match_most(match, at, pattern, end);
        if (repeat == '-') return match_least(match, at, pattern, end);
        bool is_here = is_item(match, at, pattern, end);
        if (repeat == '+') return is_here ? match_most(match, at + 1, pattern, end) : NULL;
        if (repeat == '?') {
            const char *rest = is_here ? match_here(match, at + 1, end + 1) : NULL;
            if (rest != NULL) return rest;
            pattern = end + 1;
        } else {
            at = is_here ? at + 1 : NULL;
            pattern = end;
        }
    }
    return at;
}

static const char *match_here(lb_match *match, const char *at, const char *pattern) {
    count_step(match);
    if (++match->depth > LB_DEEPEST_MATCH) luaL_error(match->L, "pattern too complex");
    const char *end = match_items(match, at, pattern);
    match->depth--;
    return end;
}

void lb_push_capture(lb_match *match, int index, const char *start, const char *end) {
    if (index >= match->captures) {
        if (index != 0) luaL_error(match->L, "invalid capture index %%%d", index + 1);
        lua_pushlstring(match->L, start, (size_t)(end - start));
        return;
    }
    const lb_capture *capture = &match->capture[index];
    if (capture->length == LB_CAPTURE_OPEN) luaL_error(match->L, "unfinished capture");
    if (capture->length == LB_CAPTURE_POSITION) {
        lua_pushinteger(match->L, capture->start - match->subject + 1);
    } else {
        lua_pushlstring(match->L, capture->start, (size_t)capture->length);
    }
}

int lb_push_captures(lb_match *match, const char *start, const char *end) {
    int count = match->captures == 0 && start != NULL ? 1 : match->captures;
    luaL_checkstack(match->L, count, "too many captures");
    for (int index = 0; index < count; index++) lb_push_capture(match, index, start, end);
    return count;
}

LB_LEFT_BY_LONGJMP_END
