#ifndef DROVER_VERIFIER_FOLLOW_FOLLOW_VIEW_H
#define DROVER_VERIFIER_FOLLOW_FOLLOW_VIEW_H

/* What a follower says while it works, from its numbers. Pure. */

#include "common/base/json_out.h"
#include "common/policy/outage.h"
#include "common/policy/rate/rolling.h"
#include "common/policy/verify/verify_reads.h"
#include "common/policy/verify/write_latency.h"

struct follow_numbers {
    const struct rolling *rolling;
    uint64_t backlog, suspects;
    uint64_t lag;       /* messages that the workers are behind, as receipts told last */
    uint64_t behind_ms; /* since when the oldest of the backlog is committed; 0: there is none */
    double share;
    size_t partitions;                   /* ours */
    const struct follow_full_pass *full; /* the last one; began_ms negative: none */
    const struct outages *outages;
    struct write_latency writes;
    const struct readings_sum *sources; /* how they stand now; NULL: nobody looked */
    const struct verify_reads *reads;   /* NULL: none are compared */
};

uint64_t follow_numbers_wrong(const struct follow_numbers *numbers);
/* What of a report they say, without the lists; the last full pass as it is borrowed here. */
void follow_numbers_report(const struct follow_numbers *numbers, struct follow_report *report);
/* One line, without its end. */
void follow_view_append_line(struct buf *out, const struct follow_numbers *numbers);
/* Members of an object that is open. */
void follow_view_append_json(struct json_out *out, const struct follow_numbers *numbers);

#endif
