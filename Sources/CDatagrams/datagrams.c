// recvmmsg, sendmmsg and epoll.

#define _GNU_SOURCE
#include "datagrams.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

struct dg_batch {
    struct mmsghdr headers[DG_BATCH];
    struct iovec parts[DG_BATCH];
    struct sockaddr_in6 ends[DG_BATCH];
    uint8_t *room;
};

struct dg_batch *dg_batch_make(void) {
    struct dg_batch *batch = calloc(1, sizeof *batch);
    if (batch == NULL) return NULL;
    void *room = mmap(NULL, (size_t)DG_BATCH * DG_ROOM, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) {
        free(batch);
        return NULL;
    }
    batch->room = room;
    return batch;
}

void dg_batch_free(struct dg_batch *batch) {
    munmap(batch->room, (size_t)DG_BATCH * DG_ROOM);
    free(batch);
}

int dg_receive(struct dg_batch *batch, int socket, struct dg_message messages[DG_BATCH]) {
    for (int i = 0; i < DG_BATCH; i++) {
        batch->parts[i] = (struct iovec){batch->room + (size_t)i * DG_ROOM, DG_ROOM};
        batch->headers[i].msg_hdr = (struct msghdr){.msg_name = &batch->ends[i],
                                                    .msg_namelen = sizeof batch->ends[i],
                                                    .msg_iov = &batch->parts[i],
                                                    .msg_iovlen = 1};
    }
    int count = recvmmsg(socket, batch->headers, DG_BATCH, MSG_DONTWAIT, NULL);
    if (count < 0) return -errno;
    for (int i = 0; i < count; i++) {
        socklen_t length = batch->headers[i].msg_hdr.msg_namelen;
        if (length > sizeof messages[i].end.bytes) length = sizeof messages[i].end.bytes;
        messages[i].bytes = batch->parts[i].iov_base;
        messages[i].length = batch->headers[i].msg_len;
        messages[i].end.length = (uint8_t)length;
        memcpy(messages[i].end.bytes, &batch->ends[i], length);
    }
    return count;
}

unsigned dg_send(struct dg_batch *batch, int socket, const struct dg_message *messages, unsigned count) {
    if (count > DG_BATCH) count = DG_BATCH;
    for (unsigned i = 0; i < count; i++) {
        batch->parts[i] = (struct iovec){messages[i].bytes, messages[i].length};
        batch->headers[i].msg_hdr = (struct msghdr){.msg_iov = &batch->parts[i], .msg_iovlen = 1};
        if (messages[i].end.length > 0) {
            batch->headers[i].msg_hdr.msg_name = (void *)messages[i].end.bytes;
            batch->headers[i].msg_hdr.msg_namelen = messages[i].end.length;
        }
    }
    unsigned sent = 0, failed = 0, again = 0;
    while (sent < count) {
        int done = sendmmsg(socket, batch->headers + sent, count - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (done > 0) {
            sent += (unsigned)done;
            again = 0;
            continue;
        }
        if (done < 0 && errno == EINTR) continue;
        // An ICMP error of an earlier datagram is told by the next call: that one is worth a second try.
        if (done < 0 && (errno == ECONNREFUSED || errno == EHOSTUNREACH) && again++ == 0) continue;
        // The rest of the batch goes on without the one that was refused.
        again = 0;
        sent++;
        failed++;
    }
    return failed;
}

int dg_set_open(void) {
    int set = epoll_create1(EPOLL_CLOEXEC);
    return set >= 0 ? set : -errno;
}

int dg_set_add(int set, int socket, uint64_t token) {
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = token};
    return epoll_ctl(set, EPOLL_CTL_ADD, socket, &event) == 0 ? 0 : errno;
}

void dg_set_remove(int set, int socket) { epoll_ctl(set, EPOLL_CTL_DEL, socket, NULL); }

int dg_set_wait(int set, uint64_t tokens[DG_BATCH], int milliseconds) {
    struct epoll_event events[DG_BATCH];
    int count = epoll_wait(set, events, DG_BATCH, milliseconds);
    for (int i = 0; i < count; i++) tokens[i] = events[i].data.u64;
    return count > 0 ? count : 0;
}
