// System calls that glibc's Swift overlay does not show.

#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

int clinux_enter_network(int descriptor) {
    return setns(descriptor, CLONE_NEWNET) == 0 ? 0 : errno;
}

int clinux_pipe(int ends[2]) {
    return pipe2(ends, O_CLOEXEC) == 0 ? 0 : errno;
}

int clinux_enter_new_network(void) {
    return unshare(CLONE_NEWNET) == 0 ? 0 : errno;
}

bool clinux_is_network_namespace(int descriptor) {
    return ioctl(descriptor, NS_GET_NSTYPE) == CLONE_NEWNET;
}

bool clinux_is_loopback_up(int socket) {
    struct ifreq request = {.ifr_name = "lo"};
    return ioctl(socket, SIOCGIFFLAGS, &request) == 0 && (request.ifr_flags & IFF_UP) != 0;
}

int clinux_pidfd_open(pid_t pid) {
    long descriptor = syscall(SYS_pidfd_open, pid, 0);
    return descriptor >= 0 ? (int)descriptor : -errno;
}

int clinux_pidfd_send_signal(int descriptor, int signal) {
    return syscall(SYS_pidfd_send_signal, descriptor, signal, NULL, 0) == 0 ? 0 : errno;
}

int clinux_memory_file(void) {
    int first = memfd_create("moonquake", MFD_CLOEXEC);
    if (first < 0) return -errno;
    if (first > 2) return first;
    // The three standard numbers are taken by dup2 in the child: stay clear of them.
    int moved = fcntl(first, F_DUPFD_CLOEXEC, 3);
    int problem = errno;
    close(first);
    return moved >= 0 ? moved : -problem;
}

int clinux_wake_counter(void) {
    int descriptor = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    return descriptor >= 0 ? descriptor : -errno;
}

int clinux_die_with_parent(void) {
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 ? 0 : errno;
}

int clinux_lift_file_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return errno;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? 0 : errno;
}

int clinux_use_processor(int number) {
    // As long as any mask that the kernel has: CPU_SET alone ends at 1024.
    enum { processors = 8192 };
    cpu_set_t *set = CPU_ALLOC(processors);
    if (set == NULL) return ENOMEM;
    size_t size = CPU_ALLOC_SIZE(processors);
    CPU_ZERO_S(size, set);
    if (number >= 0 && number < processors) CPU_SET_S((size_t)number, size, set);
    int problem = sched_setaffinity(0, size, set) == 0 ? 0 : errno;
    CPU_FREE(set);
    return problem;
}

void clinux_fill_random(void *memory, size_t size, unsigned long seed) {
    // xorshift64: fast, and never the same page twice within its period.
    unsigned long state = seed * 2685821657736338717UL + 88172645463325252UL;
    unsigned long *words = memory;
    for (size_t index = 0; index < size / sizeof *words; index++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        words[index] = state;
    }
}

int clinux_unnamed_file(int folder) {
    int descriptor = openat(folder, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    return descriptor >= 0 ? descriptor : -errno;
}

int clinux_allocate(int descriptor, off_t offset, off_t length) {
    // Not posix_fallocate: where the file system cannot, that one writes a byte into each block by itself.
    return fallocate(descriptor, 0, offset, length) == 0 ? 0 : errno;
}

int clinux_commit(int descriptor) { return syncfs(descriptor) == 0 ? 0 : errno; }

long clinux_file_system_kind(int descriptor) {
    struct statfs status;
    return fstatfs(descriptor, &status) == 0 ? (long)(unsigned int)status.f_type : -errno;
}

int clinux_pass_by_cache(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0) return errno;
    return fcntl(descriptor, F_SETFL, flags | O_DIRECT) == 0 ? 0 : errno;
}

static int use_descriptor(posix_spawn_file_actions_t *actions, int descriptor, int number) {
    if (descriptor < 0) {
        int mode = number == 0 ? O_RDONLY : O_WRONLY;
        return posix_spawn_file_actions_addopen(actions, number, "/dev/null", mode, 0);
    }
    return posix_spawn_file_actions_adddup2(actions, descriptor, number);
}

static int set_attributes(posix_spawnattr_t *attributes, bool new_session) {
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    int problem = posix_spawnattr_setsigdefault(attributes, &all);
    if (problem == 0) problem = posix_spawnattr_setsigmask(attributes, &none);
    short flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
    if (new_session) flags |= POSIX_SPAWN_SETSID;
    if (problem == 0) problem = posix_spawnattr_setflags(attributes, flags);
    return problem;
}

int clinux_spawn(pid_t *pid, const char *path, char *const arguments[], char *const environment[],
                 int input, int output, int error, bool new_session) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int problem = posix_spawn_file_actions_init(&actions);
    if (problem != 0) return problem;
    problem = posix_spawnattr_init(&attributes);
    if (problem == 0) {
        problem = set_attributes(&attributes, new_session);
        if (problem == 0) problem = use_descriptor(&actions, input, 0);
        if (problem == 0) problem = use_descriptor(&actions, output, 1);
        if (problem == 0) problem = use_descriptor(&actions, error, 2);
        if (problem == 0) problem = posix_spawn_file_actions_addclosefrom_np(&actions, 3);
        if (problem == 0)
            problem = posix_spawn(pid, path, &actions, &attributes, arguments, environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return problem;
}
