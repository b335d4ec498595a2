// Packets from the kernel, and what is decided about each.
//
// A packet of a local sender counts against that sender's socket until it has left. Held here, it would keep TCP
// from sending more than two segments ahead (tcp_small_queue_check) and block a UDP sender, which is no delay but
// a throttle. netem orphans its packets; we make the kernel do it: a first verdict lengthens the packet beyond the
// room it has, so that the kernel copies it to a buffer which is nobody's, and repeats the hook. The second pass is
// known by its length, waits, and is cut back to size by the verdict that lets it go.

#define _GNU_SOURCE
#include "lane.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>

/// What is known of a packet.
struct packet {
    uint32_t id;
    const uint8_t *bytes;
    uint32_t captured;
    /// Its length in the kernel, and by its header.
    uint32_t held;
    uint32_t length;
    int interface;
    bool is_local;
};

static uint32_t number(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return ntohl(value);
}

static struct packet read_packet(const uint8_t *at, size_t length) {
    struct packet packet = {.is_local = true};
    uint32_t whole = 0;
    while (length >= NLA_HDRLEN) {
        struct nlattr attribute;
        memcpy(&attribute, at, sizeof attribute);
        if (attribute.nla_len < NLA_HDRLEN || attribute.nla_len > length) break;
        const uint8_t *value = at + NLA_HDRLEN;
        uint32_t size = attribute.nla_len - NLA_HDRLEN;
        switch (attribute.nla_type & NLA_TYPE_MASK) {
        case NFQA_PACKET_HDR: packet.id = number(value); break;
        case NFQA_IFINDEX_INDEV: packet.is_local = false; break;
        case NFQA_IFINDEX_OUTDEV: packet.interface = (int)number(value); break;
        case NFQA_CAP_LEN: whole = number(value); break;
        case NFQA_PAYLOAD:
            packet.bytes = value;
            packet.captured = size;
            break;
        }
        size_t step = NLA_ALIGN(attribute.nla_len);
        if (step >= length) break;
        at += step;
        length -= step;
    }
    packet.held = whole > packet.captured ? whole : packet.captured;
    packet.length = pq_length(packet.bytes, packet.captured);
    if (packet.length == 0 || packet.length > packet.held) packet.length = packet.held;
    return packet;
}

static bool is_whole(const struct packet *packet) {
    return packet->captured == packet->held && packet->captured > 0;
}

static void let_pass(struct pq_lane *lane, const struct packet *packet) {
    bool is_padded = packet->held > packet->length && lane->takes_over && is_whole(packet);
    pq_verdict(lane, packet->id, NF_ACCEPT, is_padded ? packet->bytes : NULL, is_padded ? packet->length : 0, 0);
}

static void lose(struct pq_lane *lane, const struct packet *packet) {
    lane->counts.dropped++;
    pq_verdict(lane, packet->id, NF_DROP, NULL, 0, 0);
}

// Longer than any room that the buffer of such a packet can have: buffers are powers of two, at most.
static uint32_t padding(const struct packet *packet) { return packet->length + 1024; }

static bool can_take_over(const struct pq_lane *lane, const struct packet *packet) {
    return lane->takes_over && packet->is_local && is_whole(packet)
        && packet->length + padding(packet) < WHOLE_PACKET;
}

// Flips one bit. In the header of a packet that came in, where the kernel has checked the sum already, the flip is
// what it would have been on the wire: a packet that is dropped.
static bool corrupt(struct pq_lane *lane, struct block *block) {
    uint32_t at = pq_below(&lane->state, block->length);
    block->bytes[at] ^= (uint8_t)(1u << pq_below(&lane->state, 8));
    lane->counts.corrupted++;
    return lane->options.is_egress || at >= pq_header_length(block->bytes, block->length);
}

static void hold(struct pq_lane *lane, struct waiting waiting) {
    if (pq_heap_push(lane->loop, waiting)) {
        lane->counts.waiting++;
        return;
    }
    pq_block_free(lane->loop, waiting.block);
    lane->counts.dropped++;
    if (!waiting.is_copy) pq_verdict(lane, waiting.id, NF_DROP, NULL, 0, 0);
}

static void add_copy(struct pq_lane *lane, const struct packet *packet, uint64_t now) {
    if (!is_whole(packet) || lane->counts.waiting >= 2ull * lane->options.capacity) return;
    struct pq_fate fate = pq_decide(&lane->state, now, packet->length, true);
    if (fate.is_dropped) return;
    struct block *block = pq_block(lane->loop, packet->bytes, packet->length);
    if (block == NULL) return;
    if (fate.is_corrupted && !corrupt(lane, block)) {
        pq_block_free(lane->loop, block);
        return;
    }
    hold(lane, (struct waiting){
        .due_ns = fate.due_ns,
        .arrived_ns = now,
        .lane = lane,
        .block = block,
        .interface = packet->interface,
        .is_copy = true,
    });
}

static void decide(struct pq_lane *lane, const struct packet *packet, uint64_t now) {
    struct pq_fate fate = pq_decide(&lane->state, now, packet->length, false);
    if (fate.is_duplicated) add_copy(lane, packet, now);
    if (fate.is_dropped) return lose(lane, packet);
    lane->counts.reordered += fate.is_reordered;
    struct block *block = NULL;
    bool is_padded = packet->held > packet->length;
    if (is_whole(packet) && (fate.is_corrupted || is_padded)) {
        block = pq_block(lane->loop, packet->bytes, packet->length);
        if (block == NULL || (fate.is_corrupted && !corrupt(lane, block))) {
            pq_block_free(lane->loop, block);
            return lose(lane, packet);
        }
    }
    bool goes_now = fate.due_ns <= now && (lane->counts.waiting == 0 || fate.is_reordered);
    if (!goes_now) {
        hold(lane, (struct waiting){
            .due_ns = fate.due_ns, .arrived_ns = now, .lane = lane, .block = block, .id = packet->id});
        return;
    }
    lane->counts.released++;
    pq_verdict(lane, packet->id, NF_ACCEPT, block ? block->bytes : NULL, block ? block->length : 0, 0);
    pq_block_free(lane->loop, block);
}

// Judged by us before the kernel's own limit is reached, which knows nothing of second passes.
static void overflow(struct pq_lane *lane, const struct packet *packet) {
    if (!lane->options.fails_open) return lose(lane, packet);
    lane->counts.bypassed++;
    let_pass(lane, packet);
}

static void take(struct pq_lane *lane, const struct packet *packet, uint64_t now) {
    lane->counts.received++;
    if (packet->bytes == NULL || lane->is_released) return let_pass(lane, packet);
    bool is_second_pass = lane->takes_over && packet->held > packet->length && is_whole(packet);
    if (is_second_pass) {
        lane->counts.repeated++;
        return decide(lane, packet, now);
    }
    uint64_t connection = 0;
    if (lane->connections != NULL)
        connection = pq_connection(packet->bytes, packet->captured, lane->options.impairment.seed);
    bool is_taken = pq_takes(&lane->state, connection);
    if (lane->connections != NULL) pq_note_connection(lane->connections, connection, is_taken);
    if (!is_taken) {
        lane->counts.outside++;
        return let_pass(lane, packet);
    }
    if (lane->counts.waiting >= lane->options.capacity) return overflow(lane, packet);
    if (can_take_over(lane, packet)) {
        pq_verdict(lane, packet->id, NF_REPEAT, packet->bytes, packet->length, padding(packet));
        return;
    }
    decide(lane, packet, now);
}

static void read_message(struct pq_lane *lane, const uint8_t *bytes, size_t length, uint64_t now) {
    struct nlmsghdr header;
    size_t head = sizeof header + sizeof(struct nfgenmsg);
    if (length < head) return;
    memcpy(&header, bytes, sizeof header);
    if (header.nlmsg_type == NLMSG_ERROR) {
        lane->counts.refused++;
        return;
    }
    if (header.nlmsg_type != ((NFNL_SUBSYS_QUEUE << 8) | NFQNL_MSG_PACKET)) return;
    if (header.nlmsg_len < head || header.nlmsg_len > length) return;
    struct packet packet = read_packet(bytes + head, header.nlmsg_len - head);
    take(lane, &packet, now);
}

bool pq_receive(struct pq_lane *lane, int most) {
    struct pq_loop *loop = lane->loop;
    struct iovec contents[BATCH];
    struct mmsghdr messages[BATCH];
    for (int round = 0; round < most; round++) {
        memset(messages, 0, sizeof messages);
        for (int at = 0; at < BATCH; at++) {
            contents[at] = (struct iovec){loop->input[at], MESSAGE_SIZE};
            messages[at].msg_hdr.msg_iov = &contents[at];
            messages[at].msg_hdr.msg_iovlen = 1;
        }
        int count = recvmmsg(lane->queue, messages, BATCH, MSG_DONTWAIT, NULL);
        // An overflow of the buffer is told once; the kernel counts what it let pass meanwhile.
        if (count < 0 && (errno == ENOBUFS || errno == EINTR)) continue;
        if (count <= 0) return true;
        uint64_t now = pq_now();
        for (int at = 0; at < count; at++) read_message(lane, loop->input[at], messages[at].msg_len, now);
        if (count < BATCH) return true;
    }
    return false;
}
