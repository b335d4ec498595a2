// The agent's side of a shared clock page: see clock_page.h.

#define _GNU_SOURCE
#include "clinux.h"
#include "clock_page.h"

#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int clinux_new_time(long long monotonic_seconds) {
    if (unshare(CLONE_NEWTIME) != 0) return errno;
    char lines[128];
    int length = snprintf(lines, sizeof lines, "monotonic %lld 0\nboottime %lld 0\n", monotonic_seconds,
                          monotonic_seconds);
    int file = open("/proc/self/timens_offsets", O_WRONLY | O_CLOEXEC);
    if (file < 0) return errno;
    int problem = write(file, lines, (size_t)length) == length ? 0 : errno;
    close(file);
    return problem;
}

int clinux_clock_page(void) {
    int descriptor = memfd_create(CLOCK_PAGE_NAME, 0);
    if (descriptor < 0) return -errno;
    // Far from the numbers that shells and services choose for themselves.
    int moved = fcntl(descriptor, F_DUPFD, 200);
    int problem = errno;
    close(descriptor);
    if (moved < 0) return -problem;
    struct clock_page page = {.magic = CLOCK_PAGE_MAGIC};
    if (write(moved, &page, sizeof page) != sizeof page) {
        problem = errno;
        close(moved);
        return -problem;
    }
    return moved;
}

const char *clinux_clock_variable(void) { return CLOCK_PAGE_VARIABLE; }

int clinux_clock_map(int descriptor, struct clock_page **page) {
    void *found = mmap(NULL, sizeof **page, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (found == MAP_FAILED) return errno;
    *page = found;
    if ((*page)->magic == CLOCK_PAGE_MAGIC) return 0;
    munmap(found, sizeof **page);
    return EINVAL;
}

void clinux_clock_unmap(struct clock_page *page) { munmap(page, sizeof *page); }

struct clinux_clock clinux_clock_read(struct clock_page *page) {
    uint32_t holder = atomic_load(&page->holder);
    struct clinux_clock clock = {
        .held = (holder & FUTEX_TID_MASK) != 0 && (holder & FUTEX_OWNER_DIED) == 0,
        .offset = atomic_load(&page->offset),
        .reads = atomic_load(&page->reads),
    };
    return clock;
}

// One for each thread that holds a page: the kernel walks it when the thread ends.
static _Thread_local struct robust_list_head held;

int clinux_clock_take(struct clock_page *page, int64_t offset) {
    uint32_t before = atomic_load(&page->holder);
    if ((before & FUTEX_TID_MASK) != 0) return EBUSY;
    struct robust_list *entry = (struct robust_list *)&page->list_entry;
    held.futex_offset = (long)offsetof(struct clock_page, holder) - (long)offsetof(struct clock_page, list_entry);
    held.list_op_pending = NULL;
    held.list.next = entry;
    entry->next = &held.list;
    // Before the id is in: the kernel passes over an entry that is not this thread's.
    if (syscall(SYS_set_robust_list, &held, sizeof held) != 0) return errno;
    atomic_store(&page->offset, offset);
    if (!atomic_compare_exchange_strong(&page->holder, &before, (uint32_t)syscall(SYS_gettid))) {
        held.list.next = &held.list;
        return EBUSY;
    }
    return 0;
}

void clinux_clock_release(struct clock_page *page) {
    atomic_store(&page->holder, 0);
    atomic_store(&page->offset, 0);
    held.list.next = &held.list;
}
