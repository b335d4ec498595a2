// The loop: sleeps until the kernel has packets or the first of those that wait is due.
//
// One lock guards everything. The loop gives it up only while it sleeps; the few visitors (a lane comes, goes, is
// counted) go before it.

#define _GNU_SOURCE
#include "lane.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 64, ROUNDS = 4, MOST_ROUNDS = 1024, RELEASES = 1024 };

uint64_t pq_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void enter(struct pq_loop *loop) {
    atomic_fetch_add(&loop->visitors, 1);
    pthread_mutex_lock(&loop->lock);
    atomic_fetch_sub(&loop->visitors, 1);
}

static void leave(struct pq_loop *loop) { pthread_mutex_unlock(&loop->lock); }

static void wake(struct pq_loop *loop) {
    uint64_t one = 1;
    // A counter that is full wakes as well.
    if (write(loop->wake, &one, sizeof one) < 0) return;
}

static int watch(struct pq_loop *loop, int descriptor, void *what) {
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = what};
    return epoll_ctl(loop->poll, EPOLL_CTL_ADD, descriptor, &event) == 0 ? 0 : errno;
}

struct pq_loop *pq_loop_open(void) {
    struct pq_loop *loop = calloc(1, sizeof *loop);
    if (loop == NULL) return NULL;
    pthread_mutex_init(&loop->lock, NULL);
    loop->poll = epoll_create1(EPOLL_CLOEXEC);
    loop->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    loop->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    bool is_open = loop->poll >= 0 && loop->timer >= 0 && loop->wake >= 0;
    if (is_open && watch(loop, loop->timer, &loop->timer) == 0
        && watch(loop, loop->wake, &loop->wake) == 0)
        return loop;
    int problem = errno;
    pq_loop_close(loop);
    errno = problem;
    return NULL;
}

// The timer for the packet that is due first; nothing to do while that stays the same.
static void arm(struct pq_loop *loop) {
    uint64_t due = loop->count == 0 ? 0 : loop->heap[0].due_ns;
    if (due == loop->armed_ns) return;
    loop->armed_ns = due;
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(due / 1000000000u), .tv_nsec = (long)(due % 1000000000u)}};
    timerfd_settime(loop->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void let_go(struct pq_loop *loop, struct waiting waiting) {
    struct pq_lane *lane = waiting.lane;
    struct block *block = waiting.block;
    lane->counts.waiting--;
    if (waiting.is_copy) {
        if (block != NULL && pq_copy_send(lane, block, waiting.interface)) lane->counts.duplicated++;
    } else {
        uint64_t now = pq_now();
        lane->counts.released++;
        lane->counts.asked_ns += (double)(waiting.due_ns - waiting.arrived_ns);
        lane->counts.waited_ns += (double)(now - waiting.arrived_ns);
        pq_verdict(lane, waiting.id, NF_ACCEPT, block ? block->bytes : NULL, block ? block->length : 0, 0);
    }
    pq_block_free(loop, block);
}

static void release_due(struct pq_loop *loop) {
    uint64_t now = pq_now();
    for (int count = 0; count < RELEASES && loop->count > 0 && loop->heap[0].due_ns <= now; count++)
        let_go(loop, pq_heap_pop(loop));
    pq_flush(loop);
    // Past due times are left in: the timer fires at once.
    arm(loop);
}

static void bury(struct pq_loop *loop) {
    while (loop->closed != NULL) {
        struct pq_lane *lane = loop->closed;
        loop->closed = lane->next_closed;
        free(lane->connections);
        free(lane);
    }
}

static void drain(int descriptor) {
    uint64_t value;
    while (read(descriptor, &value, sizeof value) == sizeof value) {}
}

static void serve(struct pq_loop *loop, struct epoll_event *events, int count) {
    for (int at = 0; at < count; at++) {
        void *what = events[at].data.ptr;
        if (what == &loop->timer) {
            drain(loop->timer);
            loop->armed_ns = 0;
        } else if (what == &loop->wake) {
            drain(loop->wake);
        } else {
            struct pq_lane *lane = what;
            if (!lane->is_closed) pq_receive(lane, ROUNDS);
        }
    }
    release_due(loop);
}

void pq_loop_run(struct pq_loop *loop) {
    struct epoll_event events[EVENTS];
    // Before ordinary work, or a busy machine adds its own delay; where that is not allowed, it does.
    setpriority(PRIO_PROCESS, (id_t)gettid(), -20);
    while (!atomic_load(&loop->stops)) {
        int count = epoll_wait(loop->poll, events, EVENTS, -1);
        while (atomic_load(&loop->visitors) > 0) sched_yield();
        pthread_mutex_lock(&loop->lock);
        if (count > 0) serve(loop, events, count);
        bury(loop);
        pthread_mutex_unlock(&loop->lock);
    }
}

void pq_loop_stop(struct pq_loop *loop) {
    atomic_store(&loop->stops, true);
    wake(loop);
}

void pq_loop_close(struct pq_loop *loop) {
    bury(loop);
    while (loop->free_blocks != NULL) {
        struct block *block = loop->free_blocks;
        loop->free_blocks = block->next;
        free(block);
    }
    int descriptors[] = {loop->poll, loop->timer, loop->wake};
    for (size_t at = 0; at < 3; at++)
        if (descriptors[at] >= 0) close(descriptors[at]);
    pthread_mutex_destroy(&loop->lock);
    free(loop->heap);
    free(loop);
}

int pq_lane_open(struct pq_loop *loop, const struct pq_lane_options *options, struct pq_lane **result) {
    struct pq_lane *lane = calloc(1, sizeof *lane);
    if (lane == NULL) return ENOMEM;
    const struct pq_impairment *impairment = &options->impairment;
    bool holds = impairment->delay_ns > 0 || impairment->jitter_ns > 0 || impairment->rate_bits > 0;
    *lane = (struct pq_lane){.loop = loop, .options = *options, .queue = -1, .copies = {-1, -1}};
    lane->takes_over = options->is_egress && holds;
    lane->is_whole = lane->takes_over || impairment->corrupt.share > 0 || impairment->duplicate.share > 0;
    pq_begin(&lane->state, impairment, options->is_egress ? 1 : 2);
    bool draws_connections = impairment->by_connection && impairment->traffic < 1;
    if (draws_connections) lane->connections = calloc(1, sizeof *lane->connections);
    int problem = draws_connections && lane->connections == NULL ? ENOMEM : pq_copies_open(lane);
    if (problem == 0) problem = pq_lane_bind(lane);
    if (problem == 0) problem = watch(loop, lane->queue, lane);
    if (problem != 0) {
        pq_close((struct pq_sockets){lane->queue, {lane->copies[0], lane->copies[1]}});
        free(lane->connections);
        free(lane);
        return problem;
    }
    *result = lane;
    return 0;
}

uint16_t pq_lane_number(const struct pq_lane *lane) { return lane->number; }

void pq_lane_count(struct pq_lane *lane, struct pq_counts *counts) {
    enter(lane->loop);
    bool is_complete = pq_receive(lane, MOST_ROUNDS);
    release_due(lane->loop);
    *counts = lane->counts;
    counts->is_complete = is_complete;
    leave(lane->loop);
}

void pq_lane_connections(struct pq_lane *lane, struct pq_connections *sum) {
    enter(lane->loop);
    for (int at = 0; lane->connections != NULL && at < PQ_CONNECTION_WORDS; at++) {
        sum->seen[at] |= lane->connections->seen[at];
        sum->taken[at] |= lane->connections->taken[at];
    }
    leave(lane->loop);
}

void pq_lane_release(struct pq_lane *lane) {
    enter(lane->loop);
    lane->is_released = true;
    pq_heap_take(lane->loop, lane, let_go);
    pq_receive(lane, MOST_ROUNDS);
    release_due(lane->loop);
    leave(lane->loop);
}

struct pq_sockets pq_lane_close(struct pq_lane *lane) {
    struct pq_loop *loop = lane->loop;
    struct pq_sockets sockets = {lane->queue, {lane->copies[0], lane->copies[1]}};
    enter(loop);
    pq_heap_take(loop, lane, let_go);
    pq_receive(lane, MOST_ROUNDS);
    pq_flush(loop);
    loop->output_lane = NULL;
    epoll_ctl(loop->poll, EPOLL_CTL_DEL, lane->queue, NULL);
    lane->is_closed = true;
    lane->next_closed = loop->closed;
    loop->closed = lane;
    leave(loop);
    wake(loop);
    return sockets;
}

void pq_close(struct pq_sockets sockets) {
    if (sockets.queue >= 0) close(sockets.queue);
    for (int at = 0; at < 2; at++)
        if (sockets.copies[at] >= 0) close(sockets.copies[at]);
}
