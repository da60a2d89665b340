#ifndef DROVER_VERIFIER_READS_PACE_H
#define DROVER_VERIFIER_READS_PACE_H

/*
 * When reads are to begin: so many a second, by a clock, whatever becomes of those before. A
 * latency is counted from that moment, not from when a connection was free, so that a store that
 * stands still is charged for every read that waited meanwhile; counting from the real begin leaves
 * those out ("coordinated omission": Gil Tene, How NOT to Measure Latency, and the README of wrk2,
 * https://github.com/giltene/wrk2, by the author of HdrHistogram). Pure.
 */

#include <stdbool.h>
#include <stdint.h>

struct reads_pace {
    uint64_t began_ns, per_second;
    uint64_t count; /* of reads; 0: without an end */
    uint64_t next;  /* which is taken next */
};

/* For so long; 0: without an end. Of several that pace the same keys each begins at its `share` (0
 * to 1) of the time between two reads, so that they do not ask in the same instant. */
void reads_pace_init(struct reads_pace *pace, uint64_t began_ns, uint64_t per_second,
                     uint64_t for_ms, double share);
/* The number of the next read, from 0, and when it is to begin; false: there is none. */
bool reads_pace_take(struct reads_pace *pace, uint64_t *number, uint64_t *begin_ns);

#endif
