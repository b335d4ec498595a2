// The little that is read of a packet: its length and which connection it is of.

#include "packet_queue.h"

#include <string.h>

enum { ICMP = 1, TCP = 6, UDP = 17, ICMPV6 = 58, SCTP = 132, FRAGMENT = 44 };
enum { MOST_EXTENSIONS = 8 };

/// One end of a connection, and a place in the packet.
struct ends {
    uint8_t near[18];
    uint8_t far[18];
};

static uint16_t number(const uint8_t *bytes) { return (uint16_t)(bytes[0] << 8 | bytes[1]); }

uint32_t pq_length(const uint8_t *packet, size_t captured) {
    if (captured >= 20 && packet[0] >> 4 == 4) return number(packet + 2);
    if (captured < 40 || packet[0] >> 4 != 6) return 0;
    uint32_t content = number(packet + 4);
    return content == 0 ? 0 : content + 40;
}

uint32_t pq_header_length(const uint8_t *packet, size_t captured) {
    if (captured == 0) return 0;
    return packet[0] >> 4 == 4 ? (packet[0] & 15u) * 4 : 40;
}

// Where the content after IPv6's extension headers begins, and of which protocol it is; a fragment has none.
static size_t skip_extensions(const uint8_t *packet, size_t captured, uint8_t *protocol) {
    size_t at = 40;
    for (int count = 0; count < MOST_EXTENSIONS; count++) {
        bool is_extension = *protocol == 0 || *protocol == 43 || *protocol == 60 || *protocol == 135;
        if (*protocol == FRAGMENT) return captured;
        if (!is_extension || at + 8 > captured) return at;
        *protocol = packet[at];
        at += (packet[at + 1] + 1u) * 8;
    }
    return captured;
}

static void put_ports(struct ends *ends, const uint8_t *content, size_t length, uint8_t protocol) {
    if (protocol == TCP || protocol == UDP || protocol == SCTP) {
        if (length < 4) return;
        memcpy(ends->near + 16, content, 2);
        memcpy(ends->far + 16, content + 2, 2);
        return;
    }
    // Echoes and their replies: the id stands for both ports.
    bool is_echo = length >= 6
        && ((protocol == ICMP && (content[0] == 8 || content[0] == 0))
            || (protocol == ICMPV6 && (content[0] == 128 || content[0] == 129)));
    if (!is_echo) return;
    memcpy(ends->near + 16, content + 4, 2);
    memcpy(ends->far + 16, content + 4, 2);
}

static uint64_t mixed(uint64_t value, uint64_t part) {
    value = (value ^ part) * 0x9fb21c651e98df25u;
    return value ^ (value >> 32);
}

static uint64_t hash(const uint8_t end[18], uint64_t seed) {
    uint64_t words[2];
    memcpy(words, end, 16);
    return mixed(mixed(mixed(seed, words[0]), words[1]), number(end + 16));
}

uint64_t pq_connection(const uint8_t *packet, size_t captured, uint64_t seed) {
    struct ends ends = {{0}, {0}};
    uint8_t protocol = 0;
    size_t content = captured;
    if (captured >= 20 && packet[0] >> 4 == 4) {
        memcpy(ends.near, packet + 12, 4);
        memcpy(ends.far, packet + 16, 4);
        protocol = packet[9];
        bool is_fragment = (number(packet + 6) & 0x3fff) != 0;
        content = is_fragment ? captured : (packet[0] & 15u) * 4;
    } else if (captured >= 40 && packet[0] >> 4 == 6) {
        memcpy(ends.near, packet + 8, 16);
        memcpy(ends.far, packet + 24, 16);
        protocol = packet[6];
        content = skip_extensions(packet, captured, &protocol);
    }
    if (content < captured) put_ports(&ends, packet + content, captured - content, protocol);
    // The ends in an order of their own, so that both directions agree.
    bool swaps = memcmp(ends.near, ends.far, sizeof ends.near) > 0;
    uint64_t value = mixed(seed, protocol);
    value = hash(swaps ? ends.far : ends.near, value);
    value = hash(swaps ? ends.near : ends.far, value);
    value ^= value >> 29;
    value *= 0xbf58476d1ce4e5b9u;
    value ^= value >> 32;
    value *= 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}
