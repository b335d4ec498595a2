// The socket that owns a table: batches of changes, and the counters read back.

#define _GNU_SOURCE
#include "packet_queue.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

int pq_rules_open(void) {
    int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (descriptor < 0) return -errno;
    struct timeval limit = {.tv_sec = 10};
    int output = 8 << 20;
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (setsockopt(descriptor, SOL_SOCKET, SO_SNDBUFFORCE, &output, sizeof output) != 0)
        setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &output, sizeof output);
    struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    if (bind(descriptor, (struct sockaddr *)&address, sizeof address) == 0) return descriptor;
    int problem = errno;
    close(descriptor);
    return -problem;
}

// What is left of an earlier exchange that failed.
static void discard(int descriptor) {
    char rest[8192];
    while (recv(descriptor, rest, sizeof rest, MSG_DONTWAIT) > 0) {}
}

// Whether a datagram of answers ends the exchange, and how.
static bool ends(char *bytes, ssize_t length, uint32_t last, int *problem) {
    for (struct nlmsghdr *header = (struct nlmsghdr *)bytes; NLMSG_OK(header, length); header = NLMSG_NEXT(header, length)) {
        if (header->nlmsg_type != NLMSG_ERROR) continue;
        struct nlmsgerr *error = NLMSG_DATA(header);
        *problem = -error->error;
        if (*problem != 0 || header->nlmsg_seq == last) return true;
    }
    return false;
}

int pq_rules_change(int descriptor, const uint8_t *messages, size_t length, uint32_t last) {
    discard(descriptor);
    if (send(descriptor, messages, length, 0) < 0) return errno;
    union {
        struct nlmsghdr header;
        char bytes[8192];
    } answer;
    int problem = 0;
    for (;;) {
        ssize_t count = recv(descriptor, &answer, sizeof answer, 0);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return errno == EAGAIN ? ETIMEDOUT : errno;
        if (ends(answer.bytes, count, last, &problem)) return problem;
    }
}

long pq_rules_ask(int descriptor, const uint8_t *request, size_t length, uint8_t *answer, size_t room) {
    discard(descriptor);
    if (send(descriptor, request, length, 0) < 0) return -errno;
    ssize_t count = recv(descriptor, answer, room, 0);
    if (count < 0) return errno == EAGAIN ? -ETIMEDOUT : -errno;
    struct nlmsghdr header;
    if ((size_t)count < sizeof header) return -EPROTO;
    memcpy(&header, answer, sizeof header);
    struct nlmsgerr error;
    if (header.nlmsg_type != NLMSG_ERROR) return count;
    if ((size_t)count < NLMSG_LENGTH(sizeof error)) return -EPROTO;
    memcpy(&error, answer + NLMSG_HDRLEN, sizeof error);
    return error.error == 0 ? -EPROTO : error.error;
}
