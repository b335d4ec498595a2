// epoll and accept4 for the request proxy, which Swift's Glibc does not show.

#pragma once

#include <stdint.h>
#include <sys/socket.h>

// What is watched for, and what happened: the numbers of epoll(7).
static const uint32_t CS_READ = 0x001;
static const uint32_t CS_WRITE = 0x004;
static const uint32_t CS_ERROR = 0x008;
static const uint32_t CS_HANG_UP = 0x010;
static const uint32_t CS_READ_HANG_UP = 0x2000;
// One of several sets that watch the same listener is woken.
static const uint32_t CS_EXCLUSIVE = 1u << 28;
// Changes are told, not states.
static const uint32_t CS_EDGE = 1u << 31;

// What happened to what was watched with a token.
struct cs_event {
    uint64_t token;
    uint32_t events;
};

// The most events of one wait.
enum { CS_ROUND = 256 };

// Opens a set of watches; a negated errno when it fails.
int cs_set_open(void);

// Watches a descriptor until it is closed; 0, or a negated errno.
int cs_watch(int set, int descriptor, uint32_t events, uint64_t token);

// Watches a descriptor no more.
void cs_unwatch(int set, int descriptor);

// Waits for events, at most so many milliseconds; their number, 0 when the time is over or a signal came.
int cs_wait(int set, struct cs_event events[CS_ROUND], int milliseconds);

// Takes a connection, not blocking and closed on exec; a negated errno when there is none.
int cs_accept(int listener, struct sockaddr *address, socklen_t *length);
