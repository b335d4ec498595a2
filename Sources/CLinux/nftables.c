// libnftables through dlopen, so that a host without it still runs everything else.

#define _GNU_SOURCE
#include "clinux.h"

#include <dlfcn.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static struct {
    struct nft_ctx *(*new)(uint32_t flags);
    void (*free)(struct nft_ctx *context);
    int (*buffer_output)(struct nft_ctx *context);
    int (*buffer_error)(struct nft_ctx *context);
    const char *(*output)(struct nft_ctx *context);
    const char *(*error)(struct nft_ctx *context);
    int (*run)(struct nft_ctx *context, const char *commands);
    void (*set_output_flags)(struct nft_ctx *context, unsigned int flags);
} library;

static char problem[256];
static bool is_loaded;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void *symbol(void *handle, const char *name) {
    void *found = dlsym(handle, name);
    if (found == NULL && problem[0] == 0) {
        strncpy(problem, "libnftables.so.1 lacks ", sizeof problem - 1);
        strncat(problem, name, sizeof problem - strlen(problem) - 1);
    }
    return found;
}

static void load(void) {
    void *handle = dlopen("libnftables.so.1", RTLD_NOW | RTLD_LOCAL);
    if (handle == NULL) {
        const char *reason = dlerror();
        strncpy(problem, reason ? reason : "libnftables.so.1 cannot be loaded", sizeof problem - 1);
        return;
    }
    library.new = symbol(handle, "nft_ctx_new");
    library.free = symbol(handle, "nft_ctx_free");
    library.buffer_output = symbol(handle, "nft_ctx_buffer_output");
    library.buffer_error = symbol(handle, "nft_ctx_buffer_error");
    library.output = symbol(handle, "nft_ctx_get_output_buffer");
    library.error = symbol(handle, "nft_ctx_get_error_buffer");
    library.run = symbol(handle, "nft_run_cmd_from_buffer");
    library.set_output_flags = symbol(handle, "nft_ctx_output_set_flags");
    is_loaded = problem[0] == 0;
}

const char *clinux_nft_load(void) {
    pthread_once(&once, load);
    return is_loaded ? NULL : problem;
}

struct nft_ctx *clinux_nft_open(void) {
    if (clinux_nft_load() != NULL) return NULL;
    struct nft_ctx *context = library.new(0);
    if (context == NULL) return NULL;
    if (library.buffer_output(context) != 0 || library.buffer_error(context) != 0) {
        library.free(context);
        return NULL;
    }
    return context;
}

int clinux_nft_run(struct nft_ctx *context, const char *commands, const char **output, const char **error) {
    int result = library.run(context, commands);
    *output = library.output(context);
    *error = library.error(context);
    return result;
}

void clinux_nft_leave_counters_out(struct nft_ctx *context) {
    // NFT_CTX_OUTPUT_STATELESS of nftables/libnftables.h.
    library.set_output_flags(context, 1 << 2);
}

void clinux_nft_close(struct nft_ctx *context) { library.free(context); }

// Asks for the generation of the rules: the cheapest request, and it changes nothing.
static int ask_generation(int descriptor) {
    struct {
        struct nlmsghdr header;
        struct nfgenmsg message;
    } request = {
        .header = {.nlmsg_len = sizeof request,
                   .nlmsg_type = (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG_GETGEN,
                   .nlmsg_flags = NLM_F_REQUEST,
                   .nlmsg_seq = 1},
        .message = {.nfgen_family = AF_UNSPEC, .version = NFNETLINK_V0},
    };
    if (send(descriptor, &request, sizeof request, 0) < 0) return errno;
    union {
        struct nlmsghdr header;
        char bytes[4096];
    } answer;
    ssize_t length = recv(descriptor, &answer, sizeof answer, 0);
    if (length < 0) return errno == EAGAIN ? ETIMEDOUT : errno;
    if ((size_t)length < sizeof answer.header) return EPROTO;
    if (answer.header.nlmsg_type != NLMSG_ERROR) return 0;
    if ((size_t)length < NLMSG_LENGTH(sizeof(struct nlmsgerr))) return EPROTO;
    return -((struct nlmsgerr *)NLMSG_DATA(&answer.header))->error;
}

int clinux_nftables_probe(void) {
    int descriptor = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
    if (descriptor < 0) return errno;
    struct timeval limit = {.tv_sec = 2};
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    int result = ask_generation(descriptor);
    close(descriptor);
    return result;
}
