// Datagrams in batches: one system call for up to 64, in memory that is allocated once, and a set of sockets to
// wait for. Nothing here knows what the datagrams carry.

#ifndef DATAGRAMS_H
#define DATAGRAMS_H

#include <stdint.h>

/// The most datagrams of one call.
#define DG_BATCH 64

/// The room for one datagram that is received: the largest that UDP has.
#define DG_ROOM 65536

/// The far end of a socket: a sockaddr_in or sockaddr_in6; no length on a connected socket.
struct dg_end {
    uint8_t bytes[28];
    uint8_t length;
};

/// A datagram: its bytes are the batch's, or the sender's until it is sent.
struct dg_message {
    uint8_t *bytes;
    uint32_t length;
    struct dg_end end;
};

/// What a call needs beside the datagrams.
struct dg_batch;

/// Allocates a batch with room for 64 datagrams of any size; NULL when there is no memory.
///
/// The room is only taken from the machine as far as datagrams need it.
struct dg_batch *dg_batch_make(void);
void dg_batch_free(struct dg_batch *batch);

/// Receives what is there, at most 64; how many, or a negated errno.
///
/// The bytes are the batch's, valid until the next call with it.
int dg_receive(struct dg_batch *batch, int socket, struct dg_message messages[DG_BATCH]);

/// Sends datagrams, at most 64; how many could not be sent.
unsigned dg_send(struct dg_batch *batch, int socket, const struct dg_message *messages, unsigned count);

/// Opens a set of sockets to wait for; a descriptor or a negated errno.
int dg_set_open(void);

/// Adds a socket by a token of the caller's; 0 or errno.
int dg_set_add(int set, int socket, uint64_t token);

/// Takes a socket out.
void dg_set_remove(int set, int socket);

/// Waits until sockets can be read, or for some milliseconds (-1: for ever); how many tokens were written.
int dg_set_wait(int set, uint64_t tokens[DG_BATCH], int milliseconds);

#endif
