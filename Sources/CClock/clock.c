// Preloaded into a service by `moonquake wrap`: the functions of the C library that read the wall clock, and those
// that take a time on it, with the offset of a page that the agent may write. While nobody shifts the clock each
// costs one load more.
//
// Not seen by this: programs without the C library (static ones, Go), direct system calls, monotonic clocks.

#define _GNU_SOURCE
#include "../CLinux/clock_page.h"

#include <dlfcn.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

static struct clock_page *page;

// No machine has been up for 31 years, and no shift goes back to 2001: a later time is on the wall clock.
enum { earliest_wall = 1000000000 };

__attribute__((constructor)) static void find_page(void) {
    const char *text = getenv(CLOCK_PAGE_VARIABLE);
    if (text == NULL) return;
    char *end;
    long number = strtol(text, &end, 10);
    if (*end != 0 || number < 0) return;
    struct stat status;
    if (fstat((int)number, &status) != 0 || status.st_size < (off_t)sizeof *page) return;
    void *found = mmap(NULL, sizeof *page, PROT_READ | PROT_WRITE, MAP_SHARED, (int)number, 0);
    if (found == MAP_FAILED) return;
    if (((struct clock_page *)found)->magic == CLOCK_PAGE_MAGIC) page = found;
    else munmap(found, sizeof *page);
}

// How far the clock is off now; 0 when nobody lives who says so.
static int64_t offset(void) {
    if (page == NULL) return 0;
    uint32_t holder = atomic_load_explicit(&page->holder, memory_order_acquire);
    if ((holder & FUTEX_TID_MASK) == 0 || (holder & FUTEX_OWNER_DIED) != 0) return 0;
    return atomic_load_explicit(&page->offset, memory_order_relaxed);
}

static struct timespec shifted(struct timespec time, int64_t by) {
    time.tv_sec += by / 1000000000;
    time.tv_nsec += by % 1000000000;
    if (time.tv_nsec >= 1000000000) { time.tv_nsec -= 1000000000; time.tv_sec++; }
    if (time.tv_nsec < 0) { time.tv_nsec += 1000000000; time.tv_sec--; }
    return time;
}

// A time that the program computed from its shifted clock, as the kernel's clock has it.
static const struct timespec *true_time(const struct timespec *given, struct timespec *room) {
    int64_t by = offset();
    if (by == 0 || given == NULL || given->tv_sec < earliest_wall) return given;
    *room = shifted(*given, -by);
    return room;
}

static void *next(void **cache, const char *name, const char *version) {
    void *found = __atomic_load_n(cache, __ATOMIC_RELAXED);
    if (found == NULL) {
        if (version != NULL) found = dlvsym(RTLD_NEXT, name, version);
        if (found == NULL) found = dlsym(RTLD_NEXT, name);
        __atomic_store_n(cache, found, __ATOMIC_RELAXED);
    }
    return found;
}

#define NEXT(name, version) \
    static void *cache; \
    __typeof__(&name) real = (__typeof__(&name))next(&cache, #name, version)

int clock_gettime(clockid_t clock, struct timespec *time) {
    NEXT(clock_gettime, NULL);
    int result = real(clock, time);
    int64_t by = 0;
    switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_TAI: by = offset();
    }
    if (result == 0 && by != 0) {
        *time = shifted(*time, by);
        atomic_fetch_add_explicit(&page->reads, 1, memory_order_relaxed);
    }
    return result;
}

static struct timespec now(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return time;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    NEXT(gettimeofday, NULL);
    int result = real(time, zone);
    if (result == 0 && offset() != 0) {
        struct timespec shown = now();
        time->tv_sec = shown.tv_sec;
        time->tv_usec = shown.tv_nsec / 1000;
    }
    return result;
}

time_t time(time_t *result) {
    time_t seconds = now().tv_sec;
    if (result != NULL) *result = seconds;
    return seconds;
}

int timespec_get(struct timespec *time, int base) {
    if (base != TIME_UTC) {
        NEXT(timespec_get, NULL);
        return real(time, base);
    }
    *time = now();
    return base;
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *wanted, struct timespec *rest) {
    NEXT(clock_nanosleep, NULL);
    struct timespec room;
    if (clock == CLOCK_REALTIME && (flags & TIMER_ABSTIME) != 0) wanted = true_time(wanted, &room);
    return real(clock, flags, wanted, rest);
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until) {
    NEXT(pthread_cond_timedwait, "GLIBC_2.3.2");
    struct timespec room;
    // On its clock, which may be the monotonic one: that is told by how great the time is.
    return real(condition, mutex, true_time(until, &room));
}

int pthread_cond_clockwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           clockid_t clock, const struct timespec *restrict until) {
    NEXT(pthread_cond_clockwait, NULL);
    struct timespec room;
    return real(condition, mutex, clock, clock == CLOCK_REALTIME ? true_time(until, &room) : until);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict until) {
    NEXT(pthread_mutex_timedlock, NULL);
    struct timespec room;
    return real(mutex, true_time(until, &room));
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until) {
    NEXT(sem_timedwait, NULL);
    struct timespec room;
    return real(semaphore, true_time(until, &room));
}

int timerfd_settime(int timer, int flags, const struct itimerspec *wanted, struct itimerspec *former) {
    NEXT(timerfd_settime, NULL);
    struct itimerspec moved;
    if (wanted != NULL && (flags & TFD_TIMER_ABSTIME) != 0 && wanted->it_value.tv_sec >= earliest_wall) {
        struct timespec room;
        moved = *wanted;
        moved.it_value = *true_time(&wanted->it_value, &room);
        wanted = &moved;
    }
    return real(timer, flags, wanted, former);
}
