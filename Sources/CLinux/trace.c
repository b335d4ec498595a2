// ptrace, whose C functions take a variable number of arguments, and limits of other processes.

#define _GNU_SOURCE
#include "clinux.h"

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

int clinux_trace_seize(pid_t thread) {
    return ptrace(PTRACE_SEIZE, thread, NULL, NULL) == 0 ? 0 : errno;
}

int clinux_trace_interrupt(pid_t thread) {
    return ptrace(PTRACE_INTERRUPT, thread, NULL, NULL) == 0 ? 0 : errno;
}

int clinux_trace_detach(pid_t thread, int signal) {
    return ptrace(PTRACE_DETACH, thread, NULL, (void *)(long)signal) == 0 ? 0 : errno;
}

pid_t clinux_trace_wait(pid_t thread, bool block, int *status) {
    // __WNOTHREAD: only what this thread traces, never the children of the rest of the program.
    pid_t found = waitpid(thread, status, __WALL | __WNOTHREAD | (block ? 0 : WNOHANG));
    return found >= 0 ? found : -errno;
}

static void do_nothing(int signal) { (void)signal; }

int clinux_allow_kicks(void) {
    struct sigaction action = {.sa_handler = do_nothing};
    if (sigaction(SIGRTMIN + 5, &action, NULL) != 0) return errno;
    // Threads of dispatch queues, and what they start, have every signal blocked.
    sigset_t kick;
    sigemptyset(&kick);
    sigaddset(&kick, SIGRTMIN + 5);
    return pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
}

int clinux_kick(pid_t thread) {
    return syscall(SYS_tgkill, getpid(), thread, SIGRTMIN + 5) == 0 ? 0 : errno;
}

pid_t clinux_thread(void) { return (pid_t)syscall(SYS_gettid); }

int clinux_file_limit(pid_t pid, bool set, unsigned long long *soft, unsigned long long *hard) {
    struct rlimit wanted = {.rlim_cur = *soft, .rlim_max = *hard};
    struct rlimit found;
    if (prlimit(pid, RLIMIT_NOFILE, set ? &wanted : NULL, &found) != 0) return errno;
    if (!set) {
        *soft = found.rlim_cur;
        *hard = found.rlim_max;
    }
    return 0;
}
