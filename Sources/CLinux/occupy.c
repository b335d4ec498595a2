// Tasks that only take places. The child that holds them runs nothing but this file: no runtime that would itself
// need a thread when there is none left, no descriptor of the agent, no lock.

#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

enum { stack_size = 4096, look_every_ms = 20 };

static int sleep_for_ever(void *nothing) {
    (void)nothing;
    // Every signal is blocked, so that this returns only by SIGKILL, which ends all tasks of the process.
    for (;;) syscall(SYS_pause);
    return 0;
}

// The stacks of all tasks that there may be; MAP_FAILED without memory.
static char *make_stacks(int count) {
    return mmap(NULL, (size_t)count * stack_size, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

// Starts threads beside those that are there until there are `count`, or the kernel refuses; returns how many there are.
static int start_tasks(char *stacks, int there, int count) {
    const int flags =
        CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
    while (there < count) {
        char *top = stacks + (size_t)there * stack_size;
        if (clone(sleep_for_ever, top, flags, NULL) < 0) break;
        there++;
    }
    return there;
}

// How many tasks leave no place free. A try that is refused would be counted as one of the target's: the file is read first.
static int enough(int there, int limit, int current) {
    char text[24];
    ssize_t length = current < 0 ? -1 : pread(current, text, sizeof text - 1, 0);
    if (length <= 0) return limit;
    text[length] = 0;
    int wanted = there + limit - atoi(text);
    return wanted < limit ? wanted : limit;
}

static int enter_group(const char *procs) {
    if (procs == NULL) return 0;
    int file = open(procs, O_WRONLY | O_CLOEXEC);
    if (file < 0) return errno;
    int problem = write(file, "0", 1) == 1 ? 0 : errno;
    close(file);
    return problem;
}

static int become(uid_t user, gid_t group) {
    if (user == (uid_t)-1) return 0;
    // The calls of this thread alone: glibc's would look for threads that a fork has not brought along.
    if (syscall(SYS_setgroups, 0, NULL) != 0) return errno;
    if (syscall(SYS_setresgid, group, group, group) != 0) return errno;
    if (syscall(SYS_setresuid, user, user, user) != 0) return errno;
    return 0;
}

// What the child says when it is ready.
struct answer {
    int problem;
    int count;
};

static void run_child(int input, int output, int current, pid_t parent,
                      const struct clinux_tasks *tasks) {
    sigset_t all;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    setsid();
    if (input != 3) { dup2(input, 3); }
    if (output != 4) { dup2(output, 4); }
    if (current >= 0 && current != 5) { dup2(current, 5); }
    syscall(SYS_close_range, current >= 0 ? 6 : 5, ~0U, 0);
    close(0);
    close(1);
    close(2);
    struct answer answer = {0, 0};
    answer.problem = enter_group(tasks->procs);
    if (answer.problem == 0) answer.problem = become(tasks->user, tasks->group);
    // After the change of user, which takes it away.
    if (answer.problem == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) answer.problem = errno;
    if (getppid() != parent) _exit(0);
    prctl(PR_SET_NAME, "moonquake_tasks");
    int most = tasks->limit > tasks->count ? tasks->limit : tasks->count;
    char *stacks = make_stacks(most);
    if (answer.problem == 0 && stacks == MAP_FAILED) answer.problem = ENOMEM;
    if (answer.problem == 0) answer.count = start_tasks(stacks, 1, tasks->count);
    if (write(4, &answer, sizeof answer) != sizeof answer) _exit(1);
    // The agent's end closes when it ends, however it ends.
    struct pollfd lifeline = {.fd = 3, .events = POLLIN};
    int there = answer.count;
    while (poll(&lifeline, 1, there < tasks->limit ? look_every_ms : -1) <= 0) {
        there = start_tasks(stacks, there, enough(there, tasks->limit, current >= 0 ? 5 : -1));
    }
    _exit(0);
}

// Reads the answer; 0 or errno.
static int read_answer(int descriptor, struct answer *answer) {
    ssize_t got;
    do got = read(descriptor, answer, sizeof *answer);
    while (got < 0 && errno == EINTR);
    if (got < 0) return errno;
    return got == sizeof *answer ? answer->problem : EIO;
}

int clinux_occupy(const struct clinux_tasks *tasks, pid_t *pid, int *lifeline, int *count) {
    int input[2], output[2];
    if (pipe2(input, O_CLOEXEC) != 0) return errno;
    if (pipe2(output, O_CLOEXEC) != 0) {
        int problem = errno;
        close(input[0]);
        close(input[1]);
        return problem;
    }
    // Numbers that the child moves its ends to must not be in its way: move them up first.
    int reading = fcntl(input[0], F_DUPFD_CLOEXEC, 10), writing = fcntl(output[1], F_DUPFD_CLOEXEC, 10);
    close(input[0]);
    close(output[1]);
    int file = tasks->current == NULL ? -1 : open(tasks->current, O_RDONLY | O_CLOEXEC);
    int current = file < 0 ? -1 : fcntl(file, F_DUPFD_CLOEXEC, 10);
    if (file >= 0) close(file);
    pid_t parent = getpid();
    pid_t child = fork();
    if (child == 0) {
        close(input[1]);
        close(output[0]);
        run_child(reading, writing, current, parent, tasks);
    }
    int problem = child < 0 ? errno : 0;
    close(reading);
    close(writing);
    if (current >= 0) close(current);
    struct answer answer = {0, 0};
    if (problem == 0) problem = read_answer(output[0], &answer);
    close(output[0]);
    if (problem != 0) {
        close(input[1]);
        if (child > 0) {
            kill(child, SIGKILL);
            while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
        }
        return problem;
    }
    *pid = child;
    *lifeline = input[1];
    *count = answer.count;
    return 0;
}
