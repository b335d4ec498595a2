// string.find, match, gmatch and gsub on the matcher of pattern.c.

#define _GNU_SOURCE  // memmem
#include "pattern.h"

#include <ctype.h>
#include <string.h>

LB_LEFT_BY_LONGJMP_BEGIN

// A position as scripts give it (from 1, negative from the end) as an offset.
static size_t offset_of(lua_Integer position, size_t length) {
    if (position > 0) return (size_t)position - 1;
    if (position == 0 || position < -(lua_Integer)length) return 0;
    return length - (size_t)-position;
}

static bool is_plain(const char *pattern, size_t length) {
    for (size_t index = 0; index < length; index++) {
        if (pattern[index] != '\0' && strchr("^$*+?.([%-", pattern[index]) != NULL) return false;
    }
    return true;
}

static int push_plain(lua_State *L, const char *subject, size_t subject_length,
                      const char *pattern, size_t pattern_length, size_t from) {
    const char *found = memmem(subject + from, subject_length - from, pattern, pattern_length);
    if (found == NULL) return luaL_pushfail(L), 1;
    lua_pushinteger(L, found - subject + 1);
    lua_pushinteger(L, found - subject + (ptrdiff_t)pattern_length);
    return 2;
}

static int search(lua_State *L, bool is_find) {
    size_t subject_length, pattern_length;
    const char *subject = luaL_checklstring(L, 1, &subject_length);
    const char *pattern = luaL_checklstring(L, 2, &pattern_length);
    size_t from = offset_of(luaL_optinteger(L, 3, 1), subject_length);
    if (from > subject_length) return luaL_pushfail(L), 1;
    if (is_find && (lua_toboolean(L, 4) || is_plain(pattern, pattern_length)))
        return push_plain(L, subject, subject_length, pattern, pattern_length, from);
    lb_match match;
    lb_match_begin(&match, L, subject, subject_length, pattern, pattern_length);
    bool is_anchored = pattern_length > 0 && *pattern == '^';
    if (is_anchored) pattern++;
    for (const char *at = subject + from; at <= match.subject_end; at++) {
        const char *end = lb_match_at(&match, at, pattern);
        if (end != NULL) {
            if (!is_find) return lb_push_captures(&match, at, end);
            lua_pushinteger(L, at - subject + 1);
            lua_pushinteger(L, end - subject);
            return 2 + lb_push_captures(&match, NULL, NULL);
        }
        if (is_anchored) break;
    }
    luaL_pushfail(L);
    return 1;
}

static int find(lua_State *L) { return search(L, true); }
static int match(lua_State *L) { return search(L, false); }

// Upvalues: subject, pattern, offset of the next try, offset of the last match's end (or -1).
static int next_match(lua_State *L) {
    size_t subject_length, pattern_length;
    const char *subject = lua_tolstring(L, lua_upvalueindex(1), &subject_length);
    const char *pattern = lua_tolstring(L, lua_upvalueindex(2), &pattern_length);
    lua_Integer last = lua_tointeger(L, lua_upvalueindex(4));
    lb_match match;
    lb_match_begin(&match, L, subject, subject_length, pattern, pattern_length);
    const char *at = subject + lua_tointeger(L, lua_upvalueindex(3));
    for (; at <= match.subject_end; at++) {
        const char *end = lb_match_at(&match, at, pattern);
        if (end == NULL || end - subject == last) continue;
        lua_pushinteger(L, end - subject);
        lua_copy(L, -1, lua_upvalueindex(3));
        lua_replace(L, lua_upvalueindex(4));
        return lb_push_captures(&match, at, end);
    }
    return 0;
}

static int gmatch(lua_State *L) {
    size_t length;
    luaL_checklstring(L, 1, &length);
    luaL_checkstring(L, 2);
    size_t from = offset_of(luaL_optinteger(L, 3, 1), length);
    lua_settop(L, 2);
    lua_pushinteger(L, (lua_Integer)(from > length ? length + 1 : from));
    lua_pushinteger(L, -1);
    lua_pushcclosure(L, next_match, 4);
    return 1;
}

// Adds the replacement string (argument 3), in which %0 … %9 stand for captures.
static void add_string(lb_match *match, luaL_Buffer *buffer, const char *start, const char *end) {
    lua_State *L = match->L;
    size_t length;
    const char *text = lua_tolstring(L, 3, &length);
    for (const char *stop = text + length; text < stop; text++) {
        if (*text != '%') {
            luaL_addchar(buffer, *text);
            continue;
        }
        text++;
        if (text < stop && *text == '%') {
            luaL_addchar(buffer, '%');
        } else if (text < stop && *text == '0') {
            luaL_addlstring(buffer, start, (size_t)(end - start));
        } else if (text < stop && isdigit((unsigned char)*text)) {
            lb_push_capture(match, *text - '1', start, end);
            luaL_tolstring(L, -1, NULL);
            lua_remove(L, -2);
            luaL_addvalue(buffer);
        } else {
            luaL_error(L, "invalid use of '%%' in replacement string");
        }
    }
}

// Adds what the table or function gives for a match; false and nil keep the match.
static void add_value(lb_match *match, luaL_Buffer *buffer, const char *start, const char *end) {
    lua_State *L = match->L;
    int type = lua_type(L, 3);
    if (type == LUA_TFUNCTION) {
        lua_pushvalue(L, 3);
        lua_call(L, lb_push_captures(match, start, end), 1);
    } else if (type == LUA_TTABLE) {
        lb_push_capture(match, 0, start, end);
        lua_gettable(L, 3);
    } else {
        add_string(match, buffer, start, end);
        return;
    }
    if (!lua_toboolean(L, -1)) {
        lua_pop(L, 1);
        luaL_addlstring(buffer, start, (size_t)(end - start));
    } else if (lua_isstring(L, -1)) {
        luaL_addvalue(buffer);
    } else {
        luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
    }
}

static int gsub(lua_State *L) {
    size_t subject_length, pattern_length;
    const char *subject = luaL_checklstring(L, 1, &subject_length);
    const char *pattern = luaL_checklstring(L, 2, &pattern_length);
    int type = lua_type(L, 3);
    luaL_argexpected(L,
                     type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TTABLE ||
                         type == LUA_TFUNCTION,
                     3, "string/function/table");
    lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)subject_length + 1);
    lb_match match;
    lb_match_begin(&match, L, subject, subject_length, pattern, pattern_length);
    bool is_anchored = pattern_length > 0 && *pattern == '^';
    if (is_anchored) pattern++;
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    const char *at = subject, *last = NULL;
    lua_Integer count = 0;
    while (count < most) {
        const char *end = lb_match_at(&match, at, pattern);
        if (end != NULL && end != last) {
            count++;
            add_value(&match, &buffer, at, end);
            at = last = end;
        } else if (at < match.subject_end) {
            luaL_addchar(&buffer, *at++);
        } else {
            break;
        }
        if (is_anchored) break;
    }
    luaL_addlstring(&buffer, at, (size_t)(match.subject_end - at));
    luaL_pushresult(&buffer);
    lua_pushinteger(L, count);
    return 2;
}

void lb_replace_search(lua_State *L) {
    static const luaL_Reg functions[] = {
        {"find", find}, {"match", match}, {"gmatch", gmatch}, {"gsub", gsub}, {NULL, NULL},
    };
    luaL_setfuncs(L, functions, 0);
}

LB_LEFT_BY_LONGJMP_END
