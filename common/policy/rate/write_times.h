#ifndef DROVER_POLICY_WRITE_TIMES_H
#define DROVER_POLICY_WRITE_TIMES_H

/*
 * Counts how long writes take (write_latency.h), as log-linear histograms: since the process began,
 * and by minute for the last five, which are the running minute and five whole ones before it, as
 * in the rolling windows (rolling.h). Percentiles are right to one part in a hundred; what takes a
 * day or more is a day in them. Pure; half a MiB, whatever is counted.
 */

#include "common/policy/histogram.h"
#include "common/policy/verify/write_latency.h"

#define WRITE_MINUTES 6

struct write_minute {
    int64_t minute;
    struct histogram stages[WRITE_STAGES];
};

struct write_times {
    bool follows_redis;
    uint64_t ahead;
    struct histogram total[WRITE_STAGES];
    struct write_minute minutes[WRITE_MINUTES]; /* a ring: minute % WRITE_MINUTES */
};

/* Of one message that was compared; Unix times. */
struct write_moments {
    int64_t produced_ms;
    int64_t reached_ms[WRITE_STAGES]; /* -1: it was not, or nobody knows when */
};

void write_times_init(struct write_times *times, bool follows_redis);
void write_times_free(struct write_times *times);
/* `now_ms`: monotonic. */
void write_times_add(struct write_times *times, const struct write_moments *moments,
                     uint64_t now_ms);
void write_times_tell(const struct write_times *times, uint64_t now_ms,
                      struct write_latency *latency);

#endif
