// What the loop and its lanes share.

#ifndef LANE_H
#define LANE_H

#include "packet_queue.h"

#include <pthread.h>
#include <stdatomic.h>

/// Bytes of a packet that waits, or of a copy.
struct block {
    struct block *next;
    bool is_pooled;
    uint32_t length;
    uint8_t bytes[];
};

/// A packet that waits for its time.
struct waiting {
    uint64_t due_ns;
    /// Keeps packets of one due time in their order.
    uint64_t order;
    uint64_t arrived_ns;
    struct pq_lane *lane;
    /// What it carries from now on; NULL when the kernel has it as it should be.
    struct block *block;
    uint32_t id;
    /// The interface that a copy leaves by.
    int interface;
    bool is_copy;
};

struct pq_lane {
    struct pq_loop *loop;
    struct pq_lane_options options;
    struct pq_state state;
    struct pq_counts counts;
    int queue;
    int copies[2];
    uint16_t number;
    /// Whether whole packets come from the kernel, not only their headers.
    bool is_whole;
    /// Whether packets of local senders are taken off their account while they wait.
    bool takes_over;
    bool is_released;
    bool is_closed;
    /// NULL unless a share of connections is taken.
    struct pq_connections *connections;
    struct pq_lane *next_closed;
};

/// The most of a packet that fits an attribute; the bytes of pooled blocks, of messages, of verdicts.
enum { WHOLE_PACKET = 0xffff - 4, BLOCK_SIZE = 2048, BATCH = 32, MESSAGE_SIZE = 68 * 1024 };
enum { OUTPUT_SIZE = 128 * 1024, FLUSH_AT = 32 * 1024 };

struct pq_loop {
    pthread_mutex_t lock;
    /// How many threads wait for the lock beside the loop, which lets them go first.
    atomic_int visitors;
    atomic_bool stops;
    int poll;
    int timer;
    int wake;
    uint64_t armed_ns;
    struct waiting *heap;
    size_t count;
    size_t room;
    uint64_t order;
    struct block *free_blocks;
    struct pq_lane *closed;
    /// Verdicts that are not sent yet, all of one lane.
    struct pq_lane *output_lane;
    size_t output_length;
    uint8_t output[OUTPUT_SIZE];
    uint8_t input[BATCH][MESSAGE_SIZE];
};

uint64_t pq_now(void);

/// Opens the sockets of a lane and binds its queue; 0 or errno.
int pq_lane_bind(struct pq_lane *lane);

/// Opens the sockets that copies leave by.
int pq_copies_open(struct pq_lane *lane);

/// Sends a copy on its way; false when the kernel took none.
bool pq_copy_send(struct pq_lane *lane, const struct block *block, int interface);

/// Takes at most `most` batches of packets from the kernel; false when there were more.
bool pq_receive(struct pq_lane *lane, int most);

/// A verdict; `bytes` replace the packet unless they are NULL, followed by `padding` zero bytes.
void pq_verdict(struct pq_lane *lane, uint32_t id, uint32_t verdict, const uint8_t *bytes,
                uint32_t length, uint32_t padding);

/// Sends the verdicts that are not sent yet.
void pq_flush(struct pq_loop *loop);

struct block *pq_block(struct pq_loop *loop, const uint8_t *bytes, uint32_t length);
void pq_block_free(struct pq_loop *loop, struct block *block);

/// Adds a packet; false when there is no memory.
bool pq_heap_push(struct pq_loop *loop, struct waiting waiting);

/// Takes the packet that is due first. The heap is not empty.
struct waiting pq_heap_pop(struct pq_loop *loop);

/// Takes all packets of a lane, in their order, and gives each to `each`.
void pq_heap_take(struct pq_loop *loop, struct pq_lane *lane,
                  void (*each)(struct pq_loop *, struct waiting));

#endif
