// The kernel's side of a lane: its netlink socket, its queue, its verdicts (linux/netfilter/nfnetlink_queue.h), by
// raw messages, so that no library is needed.

#define _GNU_SOURCE
#include "lane.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { FIRST_NUMBER = 19000, NUMBERS = 20000, HEADERS = 160, WHOLE = 0xffff - NLA_HDRLEN };

// Packets between the loop's count of those that wait and the kernel's.
enum { SPARE = 5000 };

struct message {
    struct nlmsghdr header;
    struct nfgenmsg family;
};

static struct message message(uint16_t type, uint16_t flags, uint16_t number) {
    return (struct message){
        .header = {.nlmsg_len = sizeof(struct message),
                   .nlmsg_type = (NFNL_SUBSYS_QUEUE << 8) | type,
                   .nlmsg_flags = NLM_F_REQUEST | flags},
        .family = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0, .res_id = htons(number)},
    };
}

static uint8_t *put(uint8_t *at, uint16_t type, const void *value, size_t length) {
    struct nlattr attribute = {.nla_type = type, .nla_len = (uint16_t)(NLA_HDRLEN + length)};
    memcpy(at, &attribute, sizeof attribute);
    memcpy(at + NLA_HDRLEN, value, length);
    size_t end = NLA_HDRLEN + length;
    memset(at + end, 0, NLA_ALIGN(end) - end);
    return at + NLA_ALIGN(end);
}

// Sends a message and waits for its acknowledgement: only before any packet can come.
static int ask(int socket, void *request, size_t length) {
    ((struct nlmsghdr *)request)->nlmsg_len = (uint32_t)length;
    if (send(socket, request, length, 0) < 0) return errno;
    union {
        struct nlmsghdr header;
        char bytes[1024];
    } answer;
    ssize_t count = recv(socket, &answer, sizeof answer, 0);
    if (count < 0) return errno == EAGAIN ? ETIMEDOUT : errno;
    bool is_answer = (size_t)count >= NLMSG_LENGTH(sizeof(struct nlmsgerr))
        && answer.header.nlmsg_type == NLMSG_ERROR;
    return is_answer ? -((struct nlmsgerr *)NLMSG_DATA(&answer.header))->error : EPROTO;
}

static int configure(struct pq_lane *lane) {
    union {
        struct message message;
        uint8_t bytes[256];
    } request = {.message = message(NFQNL_MSG_CONFIG, NLM_F_ACK, lane->number)};
    uint32_t range = htonl(lane->is_whole ? WHOLE : HEADERS);
    struct nfqnl_msg_config_params parameters = {.copy_mode = NFQNL_COPY_PACKET};
    memcpy(&parameters.copy_range, &range, sizeof range);
    uint32_t most = htonl(lane->options.capacity + SPARE);
    uint32_t mask = htonl(NFQA_CFG_F_FAIL_OPEN);
    uint32_t flags = lane->options.fails_open ? mask : 0;
    uint8_t *end = request.bytes + sizeof(struct message);
    end = put(end, NFQA_CFG_PARAMS, &parameters, sizeof parameters);
    end = put(end, NFQA_CFG_QUEUE_MAXLEN, &most, sizeof most);
    end = put(end, NFQA_CFG_MASK, &mask, sizeof mask);
    end = put(end, NFQA_CFG_FLAGS, &flags, sizeof flags);
    return ask(lane->queue, &request, (size_t)(end - request.bytes));
}

static int bind_number(struct pq_lane *lane) {
    union {
        struct message message;
        uint8_t bytes[64];
    } request;
    struct nfqnl_msg_config_cmd command = {.command = NFQNL_CFG_CMD_BIND, .pf = htons(AF_UNSPEC)};
    static atomic_uint next;
    // Others may have queues here; each lane looks for a number that is free.
    for (int tries = 0; tries < 256; tries++) {
        lane->number = (uint16_t)(FIRST_NUMBER + atomic_fetch_add(&next, 1) % NUMBERS);
        request.message = message(NFQNL_MSG_CONFIG, NLM_F_ACK, lane->number);
        uint8_t *end = put(request.bytes + sizeof(struct message), NFQA_CFG_CMD, &command, sizeof command);
        int problem = ask(lane->queue, &request, (size_t)(end - request.bytes));
        if (problem != EBUSY) return problem;
    }
    return EBUSY;
}

int pq_lane_bind(struct pq_lane *lane) {
    lane->queue = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (lane->queue < 0) return errno;
    int input = 16 << 20, output = 1 << 20;
    // More than an ordinary user may ask for; with less, bursts overflow sooner, which is counted.
    if (setsockopt(lane->queue, SOL_SOCKET, SO_RCVBUFFORCE, &input, sizeof input) != 0)
        setsockopt(lane->queue, SOL_SOCKET, SO_RCVBUF, &input, sizeof input);
    if (setsockopt(lane->queue, SOL_SOCKET, SO_SNDBUFFORCE, &output, sizeof output) != 0)
        setsockopt(lane->queue, SOL_SOCKET, SO_SNDBUF, &output, sizeof output);
    struct timeval limit = {.tv_sec = 2};
    setsockopt(lane->queue, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    struct sockaddr_nl address = {.nl_family = AF_NETLINK};
    if (bind(lane->queue, (struct sockaddr *)&address, sizeof address) != 0) return errno;
    int problem = bind_number(lane);
    return problem != 0 ? problem : configure(lane);
}

void pq_flush(struct pq_loop *loop) {
    size_t length = loop->output_length;
    loop->output_length = 0;
    if (length == 0 || loop->output_lane == NULL) return;
    // Netlink takes a message whole or not at all; verdicts that it refuses come back as errors of their own.
    while (send(loop->output_lane->queue, loop->output, length, 0) < 0 && (errno == EINTR || errno == EAGAIN)) {}
}

void pq_verdict(struct pq_lane *lane, uint32_t id, uint32_t verdict, const uint8_t *bytes,
                uint32_t length, uint32_t padding) {
    struct pq_loop *loop = lane->loop;
    size_t needed = 64 + length + padding;
    bool is_full = loop->output_length > FLUSH_AT || loop->output_length + needed > OUTPUT_SIZE;
    if (loop->output_lane != lane || is_full) pq_flush(loop);
    loop->output_lane = lane;
    uint8_t *start = loop->output + loop->output_length;
    struct message head = message(NFQNL_MSG_VERDICT, 0, lane->number);
    struct nfqnl_msg_verdict_hdr answer = {.verdict = htonl(verdict), .id = htonl(id)};
    uint8_t *end = put(start + sizeof head, NFQA_VERDICT_HDR, &answer, sizeof answer);
    if (bytes != NULL) {
        uint16_t size = (uint16_t)(NLA_HDRLEN + length + padding);
        struct nlattr attribute = {.nla_type = NFQA_PAYLOAD, .nla_len = size};
        memcpy(end, &attribute, sizeof attribute);
        memcpy(end + NLA_HDRLEN, bytes, length);
        size_t whole = NLA_ALIGN(NLA_HDRLEN + length + padding);
        memset(end + NLA_HDRLEN + length, 0, whole - NLA_HDRLEN - length);
        end += whole;
    }
    head.header.nlmsg_len = (uint32_t)(end - start);
    memcpy(start, &head, sizeof head);
    loop->output_length += (size_t)(end - start);
}
