#ifndef DROVER_POLICY_WRITE_LATENCY_H
#define DROVER_POLICY_WRITE_LATENCY_H

/*
 * How long a write takes, from the time its message has in the source topic: until it was
 * committed, seen in Redis, and found right by a verification that follows. Percentiles of the
 * messages that were compared, of the last minutes and since the process began, and their forms.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/json_out.h"

enum write_stage {
    WRITE_COMMITTED, /* as its receipt says */
    WRITE_IN_REDIS,  /* storage hybrid: the verifier's first snapshot that says Redis has followed:
                        an upper bound, as nobody tells when it had */
    WRITE_VERIFIED,  /* compared, and right */
    WRITE_STAGES,
};

/* Of no message: all 0. */
struct write_latency_stage {
    uint64_t count;
    uint64_t p50_ms, p95_ms, p99_ms, max_ms;
};

struct write_latency {
    bool follows_redis; /* else WRITE_IN_REDIS is not shown */
    struct write_latency_stage recent[WRITE_STAGES], total[WRITE_STAGES];
    uint64_t ahead; /* messages later than their commit: clocks differ; they count as 0 */
};

/* A part of a line: "p99 of 5 min: committed 31 ms, verified 640 ms"; nothing while there is
 * nothing. */
void write_latency_append_line(const struct write_latency *latency, struct buf *out);
/* The member `write_latency`. */
void write_latency_append_json(const struct write_latency *latency, struct json_out *out);
/* A section of a page; nothing while there is nothing. */
void write_latency_append_html(const struct write_latency *latency, struct buf *out);

#endif
