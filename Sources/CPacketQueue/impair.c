// What becomes of a packet: the order and the models of netem (net/sched/sch_netem.c), with seeded chances.
//
// One thing differs on purpose. netem blends a random number with the last one, which bends the share that was
// asked for; here a packet repeats the decision before with the chance `correlation`, so both hold exactly.

#include "packet_queue.h"

#include <math.h>
#include <string.h>

// splitmix64: small, seedable, good enough for chances.
static uint64_t next(uint64_t *random) {
    uint64_t value = (*random += 0x9e3779b97f4a7c15u);
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

static double uniform(struct pq_state *state) { return (double)(next(&state->random) >> 11) * 0x1p-53; }

uint32_t pq_below(struct pq_state *state, uint32_t bound) {
    return (uint32_t)(((next(&state->random) >> 32) * bound) >> 32);
}

static bool chance(struct pq_state *state, double share) {
    return share > 0 && (share >= 1 || uniform(state) < share);
}

// The last value again with the chance `correlation`, else a new one.
static bool repeats(struct pq_state *state, struct pq_memory *memory, double correlation) {
    return memory->has_last && chance(state, correlation);
}

static bool happens(struct pq_state *state, struct pq_memory *memory, const struct pq_share *share) {
    if (share->share <= 0) return false;
    if (!repeats(state, memory, share->correlation)) memory->last = chance(state, share->share);
    memory->has_last = true;
    return memory->last != 0;
}

void pq_begin(struct pq_state *state, const struct pq_impairment *impairment, uint64_t stream) {
    memset(state, 0, sizeof *state);
    state->impairment = *impairment;
    state->random = impairment->seed ^ (stream * 0xd1342543de82ef95u);
}

bool pq_takes(struct pq_state *state, uint64_t connection) {
    double traffic = state->impairment.traffic;
    if (traffic >= 1) return true;
    if (!state->impairment.by_connection) return chance(state, traffic);
    return (double)(connection >> 11) * 0x1p-53 < traffic;
}

// Good and bad, as netem's loss_gilb_ell.
static bool lost_gilbert_elliott(struct pq_state *state) {
    const double *p = state->impairment.loss;
    bool is_bad = state->loss_state != 0;
    double loss = is_bad ? p[2] : p[3];
    if (chance(state, is_bad ? p[1] : p[0])) state->loss_state = !is_bad;
    return chance(state, loss);
}

enum { GAP, BURST, LOST_IN_BURST, LOST_IN_GAP };

// As netem's loss_4state: in a gap, in a burst, lost in a burst, lost in a gap.
static bool lost_four_state(struct pq_state *state) {
    const double *p = state->impairment.loss;
    double p13 = p[0], p31 = p[1], p32 = p[2], p23 = p[3], p14 = p[4];
    double value = uniform(state);
    switch (state->loss_state) {
    case GAP:
        if (value < p14) state->loss_state = LOST_IN_GAP;
        else if (value < p14 + p13) state->loss_state = LOST_IN_BURST;
        break;
    case BURST:
        if (value < p23) state->loss_state = LOST_IN_BURST;
        break;
    case LOST_IN_BURST:
        if (value < p32) state->loss_state = BURST;
        else if (value < p32 + p31) state->loss_state = GAP;
        break;
    default: state->loss_state = GAP;
    }
    return state->loss_state == LOST_IN_BURST || state->loss_state == LOST_IN_GAP;
}

static bool is_lost(struct pq_state *state) {
    const double *loss = state->impairment.loss;
    switch (state->impairment.loss_kind) {
    case PQ_LOSS_RANDOM: return happens(state, &state->loss, &(struct pq_share){loss[0], loss[1]});
    case PQ_LOSS_GILBERT_ELLIOTT: return lost_gilbert_elliott(state);
    case PQ_LOSS_FOUR_STATE: return lost_four_state(state);
    case PQ_LOSS_NONE: break;
    }
    return false;
}

// How far from the mean, in jitters: the shapes of iproute2's tables, within 4 deviations as there.
static double deviation(struct pq_state *state) {
    double first = 1 - uniform(state);
    switch (state->impairment.distribution) {
    case PQ_NORMAL: {
        double value = sqrt(-2 * log(first)) * cos(2 * M_PI * uniform(state));
        return fmax(-4, fmin(4, value));
    }
    case PQ_PARETO: return fmin(4, (1 / cbrt(first) - 1.5) * (4.0 / 3.0));
    case PQ_UNIFORM: break;
    }
    return 2 * first - 1;
}

static double delay(struct pq_state *state) {
    const struct pq_impairment *impairment = &state->impairment;
    if (impairment->jitter_ns <= 0) return impairment->delay_ns;
    if (!repeats(state, &state->delay, impairment->delay_correlation))
        state->delay.last = deviation(state);
    state->delay.has_last = true;
    return fmax(0, impairment->delay_ns + impairment->jitter_ns * state->delay.last);
}

// When the line has taken the packet; negative when too much waits for it already.
static double through_line(struct pq_state *state, double start, uint32_t length) {
    const struct pq_impairment *impairment = &state->impairment;
    double per_byte = 8e9 / impairment->rate_bits;
    double burst = impairment->burst_bytes * per_byte;
    double free = fmax(start, state->line_free_ns);
    double backlog = (free - start - burst) / per_byte;
    if (backlog > 0 && backlog + length > impairment->limit_bytes) return -1;
    state->line_free_ns = free + length * per_byte;
    return fmax(start, state->line_free_ns - burst);
}

struct pq_fate pq_decide(struct pq_state *state, uint64_t now, uint32_t length, bool is_copy) {
    const struct pq_impairment *impairment = &state->impairment;
    struct pq_fate fate = {.due_ns = now};
    if (!is_copy) fate.is_duplicated = happens(state, &state->duplicate, &impairment->duplicate);
    fate.is_dropped = is_lost(state);
    if (fate.is_dropped) return fate;
    fate.is_corrupted = happens(state, &state->corrupt, &impairment->corrupt);
    fate.is_reordered = happens(state, &state->reorder, &impairment->reorder);
    if (fate.is_reordered) return fate;
    double due = (double)now + delay(state);
    if (impairment->rate_bits > 0) {
        due = through_line(state, due, length);
        fate.is_dropped = due < 0;
        if (fate.is_dropped) return fate;
    }
    fate.due_ns = (uint64_t)due;
    if (impairment->preserve_order && fate.due_ns < state->last_due_ns) fate.due_ns = state->last_due_ns;
    state->last_due_ns = fate.due_ns;
    return fate;
}
