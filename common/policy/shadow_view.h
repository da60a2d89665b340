#ifndef DROVER_POLICY_SHADOW_VIEW_H
#define DROVER_POLICY_SHADOW_VIEW_H

/*
 * What `drover shadow` shows while it goes on: a line a part, one for each server that is away, one
 * of the whole; on a terminal drawn in place, elsewhere one line each ten seconds. No line is wider
 * than the terminal. Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/policy/outage.h"

struct shadow_part {
    bool is_elsewhere;      /* started by somebody else, or not at all */
    size_t wanted, running; /* processes */
    uint64_t restarts;
};

struct shadow_state {
    uint64_t now_ms, up_ms; /* monotonic; since the start */
    struct shadow_part produce, work, verify;
    uint64_t produced; /* by the follower, since the start */
    bool has_rejected; /* the verifier knows: */
    uint64_t rejected; /* records of the sources, as they stand now */
    uint64_t committed, total, lag, dead;
    double per_second; /* committed */
    bool has_compared; /* the verifier told */
    uint64_t compared, discrepancies;
    double upper;       /* of the rate of discrepancies, at 95 % */
    bool has_full_pass; /* of the verifier; one ended */
    uint64_t full_pass_problems;
    bool full_pass_not_whole;
    bool is_stopping;
    struct outages outages;
};

/* Lines that each end in '\n', at most `height` - 1. */
void shadow_view_append(struct buf *out, const struct shadow_state *state, int width, int height);
/* The same moment as one line of fields, without its '\n'. */
void shadow_view_append_plain(struct buf *out, const struct shadow_state *state);

#endif
