#ifndef DROVER_POLICY_LIVE_VIEW_H
#define DROVER_POLICY_LIVE_VIEW_H

/*
 * The lines a run shows while it works, from its numbers and the size of the terminal: bars for
 * what is produced, worked, verified, a line for each server that is away, and one of the machine.
 * No line is wider than the terminal, and never are there more than fit above the cursor: a narrow
 * one loses what matters least of a line, a low one the lines that matter least. What became of
 * records is a sum that adds up at any width (totals_append_short). Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/policy/outage.h"
#include "common/policy/totals.h"

struct live_state {
    uint64_t now_ms; /* monotonic */

    /* produce; of bytes the total is 0 while it is not known */
    uint64_t produce[PRODUCE_COUNT], bytes, total_bytes;
    bool is_produced; /* it ended after produce_ms */
    uint64_t produce_ms;

    /* work: messages committed of all in the topic, records that wait for their parents (also of
     * earlier runs), and what became of those that were taken */
    uint64_t committed, total, lag, waiting;
    uint64_t age_ms; /* since that was seen */
    uint64_t work[WORK_COUNT];
    bool is_worked; /* it ended after work_ms */
    uint64_t work_ms;
    double per_second;

    /* verify */
    bool is_verifying;
    uint64_t compared, to_compare;

    size_t workers;
    uint64_t in_flight_bytes, in_flight_max_bytes;
    bool is_stopping;

    struct outages outages;
};

/* Of what was seen of the topic: what is older is not told as if it were so now. A poll is a second
 * apart. */
#define LIVE_OLD_MS 4000

/* Lines that each end in '\n'. */
void live_view_append(struct buf *out, const struct live_state *state, int width, int height);
/* The same moment as one line for where there is no terminal, without its '\n': source_records is
 * the sum of what became of them in the producer, taken that of the workers' classes. */
void live_view_append_plain(struct buf *out, const struct live_state *state);

#endif
