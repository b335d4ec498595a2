// A library that is preloaded and never called by name: it has nothing to declare.

#ifndef CLOCK_SHIM_H
#define CLOCK_SHIM_H
#endif
