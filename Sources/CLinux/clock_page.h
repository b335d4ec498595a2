// The page that a wrapped service and the agent share: how far the service's wall clock is off, and who says so.
//
// `holder` is a robust futex (Documentation/locking/robust-futexes.rst): it has the thread id of the agent's thread
// that shifts the clock. When that thread ends, however it ends, the kernel itself takes the id out and sets
// FUTEX_OWNER_DIED, so that a shift cannot outlive the agent.

#ifndef CLOCK_PAGE_H
#define CLOCK_PAGE_H

#include <stdatomic.h>
#include <stdint.h>

/// What the page begins with.
#define CLOCK_PAGE_MAGIC UINT64_C(0x316b636f6c63716d)

/// The name of the memory file, in /proc/PID/maps as `/memfd:moonquake_clock (deleted)`.
#define CLOCK_PAGE_NAME "moonquake_clock"

/// The variable that tells the number of the descriptor.
#define CLOCK_PAGE_VARIABLE "MOONQUAKE_CLOCK"

struct clock_page {
    uint64_t magic;
    /// The place in the list of its holder, with an address of the holder.
    void *list_entry;
    _Atomic uint32_t holder;
    uint32_t unused;
    /// Nanoseconds that are added to the wall clock.
    _Atomic int64_t offset;
    /// How often a shifted time was handed out.
    _Atomic uint64_t reads;
};

#endif
