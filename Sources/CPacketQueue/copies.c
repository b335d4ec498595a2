// Copies of packets: the kernel's queue gives each packet one verdict, so the second of two is sent by us.
//
// Going out: through a raw socket with the packet's own header, by the same interface. Coming in: on the loopback
// interface, which hands it to the receiver like any packet. Both carry a priority by which the lease's rules
// know them; the rules take it off again and let them pass.

#define _GNU_SOURCE
#include "lane.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#ifndef IPV6_HDRINCL
#define IPV6_HDRINCL 36
#endif

enum { LOOPBACK = 1 };

static int open_copies(int family, int type, int protocol, const struct pq_lane *lane) {
    int descriptor = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
    if (descriptor < 0) return -errno;
    int priority = (int)lane->options.copy_priority;
    int yes = 1;
    bool is_ready = setsockopt(descriptor, SOL_SOCKET, SO_PRIORITY, &priority, sizeof priority) == 0;
    if (family == AF_INET6)
        is_ready = is_ready && setsockopt(descriptor, IPPROTO_IPV6, IPV6_HDRINCL, &yes, sizeof yes) == 0;
    return is_ready ? descriptor : -errno;
}

int pq_copies_open(struct pq_lane *lane) {
    if (lane->options.impairment.duplicate.share <= 0) return 0;
    if (!lane->options.is_egress) {
        lane->copies[0] = open_copies(AF_PACKET, SOCK_DGRAM, 0, lane);
        return lane->copies[0] < 0 ? -lane->copies[0] : 0;
    }
    lane->copies[0] = open_copies(AF_INET, SOCK_RAW, IPPROTO_RAW, lane);
    if (lane->copies[0] < 0) return -lane->copies[0];
    // A host without IPv6 has no such packets either.
    lane->copies[1] = open_copies(AF_INET6, SOCK_RAW, IPPROTO_RAW, lane);
    return 0;
}

static bool receive_again(const struct pq_lane *lane, const struct block *block) {
    bool is_ipv6 = block->bytes[0] >> 4 == 6;
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET,
        .sll_protocol = htons(is_ipv6 ? ETH_P_IPV6 : ETH_P_IP),
        .sll_ifindex = LOOPBACK,
        .sll_halen = ETH_ALEN,
    };
    return sendto(lane->copies[0], block->bytes, block->length, 0, (struct sockaddr *)&address, sizeof address) >= 0;
}

static bool send_again(int descriptor, const struct block *block, int interface, bool is_ipv6) {
    struct sockaddr_in to4 = {.sin_family = AF_INET};
    struct sockaddr_in6 to6 = {.sin6_family = AF_INET6, .sin6_scope_id = (uint32_t)interface};
    memcpy(&to4.sin_addr, block->bytes + 16, 4);
    if (is_ipv6) memcpy(&to6.sin6_addr, block->bytes + 24, 16);
    struct in_pktinfo by4 = {.ipi_ifindex = interface};
    struct in6_pktinfo by6 = {.ipi6_ifindex = (unsigned)interface};
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof by6)];
    } control = {0};
    size_t length = is_ipv6 ? sizeof by6 : sizeof by4;
    control.header = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(length),
        .cmsg_level = is_ipv6 ? IPPROTO_IPV6 : IPPROTO_IP,
        .cmsg_type = is_ipv6 ? IPV6_PKTINFO : IP_PKTINFO,
    };
    memcpy(CMSG_DATA(&control.header), is_ipv6 ? (void *)&by6 : (void *)&by4, length);
    struct iovec content = {(void *)block->bytes, block->length};
    struct msghdr message = {
        .msg_name = is_ipv6 ? (void *)&to6 : (void *)&to4,
        .msg_namelen = is_ipv6 ? sizeof to6 : sizeof to4,
        .msg_iov = &content,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = CMSG_SPACE(length),
    };
    return sendmsg(descriptor, &message, 0) >= 0;
}

bool pq_copy_send(struct pq_lane *lane, const struct block *block, int interface) {
    if (!lane->options.is_egress) return receive_again(lane, block);
    bool is_ipv6 = block->bytes[0] >> 4 == 6;
    int descriptor = lane->copies[is_ipv6];
    return descriptor >= 0 && send_again(descriptor, block, interface, is_ipv6);
}
