#ifndef DROVER_CONTROL_CHILD_NUMBERS_H
#define DROVER_CONTROL_CHILD_NUMBERS_H

/* The last progress a child told on its descriptor 3, of whichever role; unused members are zero.
 * Tolerant: a line that is none is nobody's fault worth stopping for. Pure. */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/bytes.h"
#include "common/policy/outage.h"
#include "common/policy/totals.h"
#include "common/policy/verify/verify_next.h"

#define CHILD_REASON_MAX 1024

struct child_numbers {
    uint64_t read, bytes, total_bytes, produce[PRODUCE_COUNT]; /* produce */
    uint64_t taken, settled, work[WORK_COUNT];                 /* work */
    uint64_t metrics[METRIC_COUNT];                            /* work */
    uint64_t compared, total;                                  /* verify */
    uint64_t discrepancies; /* verify --follow: as long as its book goes back */
    double upper;           /* verify --follow: the rate is below that, at 95 % */
    bool has_full_pass;     /* verify --follow: one ended */
    uint64_t full_pass_problems;
    bool full_pass_not_whole;
    bool has_sources;          /* verify --follow: it knows how the sources stand: */
    uint64_t sources_rejected; /* so many records are rejected now */
    /* verify --follow, at its end: its verdict in words, and where its page is. */
    char reason[CHILD_REASON_MAX], report[CHILD_REASON_MAX];
    char next[VERIFY_NEXT_MAX]; /* verify: what to type next */
    struct outages away;        /* work: what it cannot reach; since when nobody says */
    bool told;                  /* anything at all */
    bool done;
};

void child_numbers_parse(struct child_numbers *numbers, struct bytes json);

#endif
