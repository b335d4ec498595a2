// The packet path of the NFQUEUE engine: what happens to a packet, and the loop that makes it happen.
//
// In C because it runs for every packet, also in a debug build. Two halves: `pq_decide`, which is a function of
// the packet, the clock it is given and a seeded generator, and the loop, which serves the kernel's queues.
// Functions that can fail return 0 or an errno value, or a descriptor and a negated errno value.

#ifndef PACKET_QUEUE_H
#define PACKET_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum pq_distribution { PQ_UNIFORM, PQ_NORMAL, PQ_PARETO };
enum pq_loss_kind { PQ_LOSS_NONE, PQ_LOSS_RANDOM, PQ_LOSS_GILBERT_ELLIOTT, PQ_LOSS_FOUR_STATE };

/// A share of packets, 0…1, and how far a packet follows the one before.
struct pq_share {
    double share;
    double correlation;
};

/// What happens to packets. All zero: nothing.
struct pq_impairment {
    uint64_t seed;
    /// The share of packets, or of connections, that is impaired at all.
    double traffic;
    bool by_connection;
    double delay_ns;
    double jitter_ns;
    double delay_correlation;
    enum pq_distribution distribution;
    bool preserve_order;
    enum pq_loss_kind loss_kind;
    /// Random: share, correlation. Gilbert–Elliott: bad, good, loss in bad, loss in good.
    /// Four states: p13, p31, p32, p23, p14.
    double loss[5];
    struct pq_share duplicate;
    struct pq_share corrupt;
    struct pq_share reorder;
    /// Bits of IP packets (header and content) per second; 0 for any rate.
    double rate_bits;
    double burst_bytes;
    double limit_bytes;
};

/// A share's memory of the packet before.
struct pq_memory {
    bool has_last;
    double last;
};

/// An impairment at work in one direction.
struct pq_state {
    struct pq_impairment impairment;
    uint64_t random;
    int loss_state;
    struct pq_memory loss, duplicate, corrupt, reorder, delay;
    /// When the line is free again, had it no burst; nanoseconds.
    double line_free_ns;
    uint64_t last_due_ns;
};

/// What becomes of one packet.
struct pq_fate {
    /// Neither the impairment nor its statistics concern it.
    bool is_outside;
    bool is_dropped;
    bool is_duplicated;
    bool is_corrupted;
    bool is_reordered;
    /// When it goes on; not before.
    uint64_t due_ns;
};

/// Sets an impairment to its beginning; `stream` keeps the chances of the two directions apart.
void pq_begin(struct pq_state *state, const struct pq_impairment *impairment, uint64_t stream);

/// Whether the traffic share takes a packet; `connection` is its `pq_connection`.
bool pq_takes(struct pq_state *state, uint64_t connection);

/// What becomes of a packet of `length` bytes that is there at `now_ns`; a copy is not duplicated again.
struct pq_fate pq_decide(struct pq_state *state, uint64_t now_ns, uint32_t length, bool is_copy);

/// A whole number below `bound`, which is not 0.
uint32_t pq_below(struct pq_state *state, uint32_t bound);

/// A number that is the same for all packets of a connection, both ways, and only by chance for others'.
///
/// From the unordered pair of ends and the protocol; ICMP echoes by addresses and id, fragments by addresses.
uint64_t pq_connection(const uint8_t *packet, size_t captured, uint64_t seed);

/// The length that the IP header of a packet tells; 0 when it tells none.
uint32_t pq_length(const uint8_t *packet, size_t captured);

/// The length of its IP header, without extension headers.
uint32_t pq_header_length(const uint8_t *packet, size_t captured);

/// The loop: one thread that serves many queues.
struct pq_loop;

/// One queue of one network namespace: one direction of one lease.
struct pq_lane;

/// What a lane is for.
struct pq_lane_options {
    struct pq_impairment impairment;
    bool is_egress;
    /// How many packets may wait.
    uint32_t capacity;
    /// Whether packets beyond the capacity pass unimpaired instead of being dropped.
    bool fails_open;
    /// The priority by which the rules know copies as ours.
    uint32_t copy_priority;
};

/// What a lane has done so far.
struct pq_counts {
    /// Packets from the kernel, each pass counted.
    uint64_t received;
    /// Second passes of packets that were taken off their sender's account.
    uint64_t repeated;
    /// Packets that the traffic share left out.
    uint64_t outside;
    /// Packets that passed because too many waited.
    uint64_t bypassed;
    uint64_t dropped;
    uint64_t duplicated;
    uint64_t corrupted;
    uint64_t reordered;
    uint64_t released;
    /// Nanoseconds that released packets waited, summed, and the same as asked.
    double waited_ns;
    double asked_ns;
    uint64_t waiting;
    /// Whether all that the kernel held ready is in these figures.
    bool is_complete;
    /// Verdicts that the kernel refused: it had dropped the packet meanwhile.
    uint64_t refused;
};

/// Opens a loop; NULL with errno set.
struct pq_loop *pq_loop_open(void);

/// Serves the loop's lanes on the calling thread until `pq_loop_stop`.
void pq_loop_run(struct pq_loop *loop);

/// Makes `pq_loop_run` return.
void pq_loop_stop(struct pq_loop *loop);

/// Frees a loop that does not run and has no lanes.
void pq_loop_close(struct pq_loop *loop);

/// Opens a lane in the network namespace of the calling thread, on a queue number that is free; 0 or errno.
int pq_lane_open(struct pq_loop *loop, const struct pq_lane_options *options, struct pq_lane **lane);

/// The number of a lane's queue.
uint16_t pq_lane_number(const struct pq_lane *lane);

/// What a lane has done, after it has taken what the kernel holds ready.
void pq_lane_count(struct pq_lane *lane, struct pq_counts *counts);

/// Lets everything go that waits, and from now on whatever comes.
void pq_lane_release(struct pq_lane *lane);

/// Distinct connections, by linear counting (Whang and others 1990): which of so many parts had one.
enum { PQ_CONNECTION_PARTS = 1 << 14, PQ_CONNECTION_WORDS = PQ_CONNECTION_PARTS / 64 };

/// The connections that a lane with a share of connections has seen, and those of them that it took.
struct pq_connections {
    uint64_t seen[PQ_CONNECTION_WORDS];
    uint64_t taken[PQ_CONNECTION_WORDS];
    /// How many parts of `seen` have one; no more connections are noted when nearly all have.
    uint32_t parts;
};

/// Notes a connection, by its `pq_connection`.
void pq_note_connection(struct pq_connections *connections, uint64_t connection, bool is_taken);

/// Adds the connections of a lane to those of others of its lease; nothing when it does not count them.
void pq_lane_connections(struct pq_lane *lane, struct pq_connections *sum);

/// How many connections parts stand for.
double pq_connection_count(const uint64_t parts[PQ_CONNECTION_WORDS]);

/// Takes a lane out of its loop and frees it. Returns its descriptors for `pq_close`, negative where it has none.
///
/// Closing a netlink socket takes the kernel milliseconds: not a thing to wait for.
struct pq_sockets {
    int queue;
    int copies[2];
};
struct pq_sockets pq_lane_close(struct pq_lane *lane);

/// Closes what a lane had open.
void pq_close(struct pq_sockets sockets);

/// A netfilter netlink socket in the network namespace of the calling thread; negated errno on failure.
int pq_rules_open(void);

/// Sends messages that end with one which asks for an acknowledgement numbered `last`, and waits for it; 0 or errno.
int pq_rules_change(int socket, const uint8_t *messages, size_t length, uint32_t last);

/// Sends one request and returns the length of its one answer; negated errno on failure.
long pq_rules_ask(int socket, const uint8_t *request, size_t length, uint8_t *answer, size_t room);

#endif
