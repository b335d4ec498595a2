// Lua 5.4 as pkg-config finds it. No `link` line: the library comes from pkg-config alone, so that
// a static liblua can be chosen by another .pc file.
#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>
