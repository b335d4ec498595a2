// How many connections there were, in constant memory: a map of parts, of which each connection has one by its hash.

#include "packet_queue.h"

#include <math.h>

// Beyond this, too few parts are free to tell how many connections share those that are not: about 49,000 have come.
enum { MOST_PARTS = PQ_CONNECTION_PARTS / 100 * 95 };

void pq_note_connection(struct pq_connections *connections, uint64_t connection, bool is_taken) {
    // By other bits than those that decide whether it is taken.
    uint64_t part = connection & (PQ_CONNECTION_PARTS - 1);
    uint64_t bit = 1ull << (part & 63);
    uint64_t *seen = &connections->seen[part >> 6];
    if ((*seen & bit) == 0) {
        if (connections->parts >= MOST_PARTS) return;
        *seen |= bit;
        connections->parts++;
    }
    // Of a full map none is noted, so that both tell of the same connections.
    if (is_taken && connections->parts < MOST_PARTS) connections->taken[part >> 6] |= bit;
}

double pq_connection_count(const uint64_t parts[PQ_CONNECTION_WORDS]) {
    int count = 0;
    for (int at = 0; at < PQ_CONNECTION_WORDS; at++) count += __builtin_popcountll(parts[at]);
    if (count >= PQ_CONNECTION_PARTS) count = PQ_CONNECTION_PARTS - 1;
    return -(double)PQ_CONNECTION_PARTS * log1p(-(double)count / PQ_CONNECTION_PARTS);
}
