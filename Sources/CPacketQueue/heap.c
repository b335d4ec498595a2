// Packets that wait, by the time when they are due: a binary heap over all lanes. A stable order among packets of
// one due time keeps a constant delay from reordering.

#include "lane.h"

#include <stdlib.h>
#include <string.h>

static bool before(const struct waiting *left, const struct waiting *right) {
    return left->due_ns != right->due_ns ? left->due_ns < right->due_ns : left->order < right->order;
}

static void sift_up(struct waiting *heap, size_t at, struct waiting value) {
    while (at > 0 && before(&value, &heap[(at - 1) / 2])) {
        heap[at] = heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    heap[at] = value;
}

static void sift_down(struct waiting *heap, size_t count, size_t at, struct waiting value) {
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count) break;
        if (child + 1 < count && before(&heap[child + 1], &heap[child])) child++;
        if (!before(&heap[child], &value)) break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = value;
}

bool pq_heap_push(struct pq_loop *loop, struct waiting waiting) {
    if (loop->count == loop->room) {
        size_t room = loop->room == 0 ? 1024 : loop->room * 2;
        struct waiting *heap = realloc(loop->heap, room * sizeof *heap);
        if (heap == NULL) return false;
        loop->heap = heap;
        loop->room = room;
    }
    waiting.order = loop->order++;
    sift_up(loop->heap, loop->count++, waiting);
    return true;
}

struct waiting pq_heap_pop(struct pq_loop *loop) {
    struct waiting first = loop->heap[0];
    struct waiting last = loop->heap[--loop->count];
    if (loop->count > 0) sift_down(loop->heap, loop->count, 0, last);
    return first;
}

static int compare(const void *left, const void *right) { return before(left, right) ? -1 : 1; }

void pq_heap_take(struct pq_loop *loop, struct pq_lane *lane,
                  void (*each)(struct pq_loop *, struct waiting)) {
    // Sorted, which is a heap as well: whatever stays in it stays in order.
    qsort(loop->heap, loop->count, sizeof *loop->heap, compare);
    size_t kept = 0;
    for (size_t at = 0; at < loop->count; at++) {
        if (loop->heap[at].lane == lane) each(loop, loop->heap[at]);
        else loop->heap[kept++] = loop->heap[at];
    }
    loop->count = kept;
}

struct block *pq_block(struct pq_loop *loop, const uint8_t *bytes, uint32_t length) {
    bool is_pooled = length <= BLOCK_SIZE;
    struct block *block = is_pooled ? loop->free_blocks : NULL;
    if (block != NULL) loop->free_blocks = block->next;
    else block = malloc(sizeof *block + (is_pooled ? BLOCK_SIZE : length));
    if (block == NULL) return NULL;
    block->is_pooled = is_pooled;
    block->length = length;
    memcpy(block->bytes, bytes, length);
    return block;
}

void pq_block_free(struct pq_loop *loop, struct block *block) {
    if (block == NULL) return;
    if (!block->is_pooled) {
        free(block);
        return;
    }
    block->next = loop->free_blocks;
    loop->free_blocks = block;
}
