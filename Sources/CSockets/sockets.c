// epoll and accept4.

#define _GNU_SOURCE
#include "csockets.h"

#include <errno.h>
#include <stddef.h>
#include <sys/epoll.h>

_Static_assert(EPOLLIN == 0x001 && EPOLLOUT == 0x004 && EPOLLERR == 0x008 && EPOLLHUP == 0x010,
               "numbers of epoll");
_Static_assert(EPOLLRDHUP == 0x2000 && EPOLLEXCLUSIVE == 1u << 28 && EPOLLET == 1u << 31,
               "numbers of epoll");

int cs_set_open(void) {
    int set = epoll_create1(EPOLL_CLOEXEC);
    return set < 0 ? -errno : set;
}

int cs_watch(int set, int descriptor, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data.u64 = token};
    return epoll_ctl(set, EPOLL_CTL_ADD, descriptor, &event) == 0 ? 0 : -errno;
}

void cs_unwatch(int set, int descriptor) { epoll_ctl(set, EPOLL_CTL_DEL, descriptor, NULL); }

int cs_wait(int set, struct cs_event events[CS_ROUND], int milliseconds) {
    struct epoll_event found[CS_ROUND];
    int count = epoll_wait(set, found, CS_ROUND, milliseconds);
    for (int i = 0; i < count; i++) {
        events[i] = (struct cs_event){found[i].data.u64, found[i].events};
    }
    return count < 0 ? 0 : count;
}

int cs_accept(int listener, struct sockaddr *address, socklen_t *length) {
    int descriptor = accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    return descriptor < 0 ? -errno : descriptor;
}
