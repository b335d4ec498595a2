// A lookup as a program of the target would do it: in its network and mount namespaces, as its user.

#define _GNU_SOURCE
#include "clinux.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/openat2.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

int clinux_open_within(int root, const char *path, int flags) {
    struct open_how how = {.flags = (unsigned long long)flags | O_CLOEXEC,
                           .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS};
    long descriptor = syscall(SYS_openat2, root, path, &how, sizeof how);
    return descriptor >= 0 ? (int)descriptor : -errno;
}

bool clinux_serves(int socket_file) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char digits[16];
    int count = 0;
    for (int rest = socket_file; rest > 0 || count == 0; rest /= 10) digits[count++] = (char)('0' + rest % 10);
    strcpy(address.sun_path, "/proc/self/fd/");
    size_t length = strlen(address.sun_path);
    while (count > 0) address.sun_path[length++] = digits[--count];
    bool serves = false;
    for (int kind = 0; kind < 2 && !serves; kind++) {
        int types[] = {SOCK_STREAM, SOCK_SEQPACKET};
        int number = socket(AF_UNIX, types[kind] | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (number < 0) return false;
        serves = connect(number, (struct sockaddr *)&address, sizeof address) == 0 || errno == EAGAIN;
        close(number);
    }
    return serves;
}

// As `ip netns exec` does: the files of a folder stand for those of the same name in /etc, in a mount namespace of ours.
static int lay_over(const char *folder) {
    static const char *const names[] = {"resolv.conf", "hosts", "nsswitch.conf"};
    if (unshare(CLONE_FS) != 0 || unshare(CLONE_NEWNS) != 0) return errno;
    if (mount("", "/", "none", MS_SLAVE | MS_REC, NULL) != 0) return errno;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char from[512], to[64];
        if (snprintf(from, sizeof from, "%s/%s", folder, names[i]) >= (int)sizeof from) return ENAMETOOLONG;
        snprintf(to, sizeof to, "/etc/%s", names[i]);
        if (access(from, F_OK) == 0 && mount(from, to, "none", MS_BIND, NULL) != 0) return errno;
    }
    return 0;
}

int clinux_become_target(int network, const char *overlay, int mounts, int root, unsigned user) {
    if (network >= 0 && setns(network, CLONE_NEWNET) != 0) return errno;
    if (overlay != NULL && access(overlay, F_OK) == 0) {
        int problem = lay_over(overlay);
        if (problem != 0) return problem;
    }
    if (mounts >= 0) {
        // The folder of the process is shared by its threads, and a thread that shares it cannot move.
        if (unshare(CLONE_FS) != 0 || setns(mounts, CLONE_NEWNS) != 0) return errno;
        if (root >= 0 && (fchdir(root) != 0 || chroot(".") != 0 || chdir("/") != 0)) return errno;
    }
    if (user != (unsigned)-1) {
        // The library's functions would change every thread.
        if (syscall(SYS_setgroups, 0, NULL) != 0) return errno;
        if (syscall(SYS_setresuid, user, user, user) != 0) return errno;
    }
    return 0;
}

int clinux_lookup(const char *name, char *text, size_t room) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    text[0] = 0;
    int problem = getaddrinfo(name, NULL, &hints, &found);
    if (problem != 0) return problem;
    for (struct addrinfo *entry = found; entry != NULL; entry = entry->ai_next) {
        const void *address = entry->ai_family == AF_INET6
                                  ? (void *)&((struct sockaddr_in6 *)entry->ai_addr)->sin6_addr
                                  : (void *)&((struct sockaddr_in *)entry->ai_addr)->sin_addr;
        size_t used = strlen(text);
        if (room - used < INET6_ADDRSTRLEN + 2) break;
        if (used > 0) text[used++] = ' ';
        if (inet_ntop(entry->ai_family, address, text + used, (socklen_t)(room - used)) == NULL) text[used] = 0;
    }
    freeaddrinfo(found);
    return 0;
}

const char *clinux_lookup_problem(int problem) { return gai_strerror(problem); }
