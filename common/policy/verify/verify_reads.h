#ifndef DROVER_POLICY_VERIFY_READS_H
#define DROVER_POLICY_VERIFY_READS_H

/*
 * What reads of the old store and of the new one took, side by side, and whether the new one is
 * within a limit of the old: a statement about speed, which changes nothing of what is equal,
 * unless it is asked to. Latencies are of reads that found their record, counted from when they
 * were to begin (verifier/reads/reads_pace.h).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/json_out.h"

#define VERIFY_READS_STORES_MAX 3 /* the old one, rows, keys of Redis */
#define VERIFY_READS_UNANSWERED_MAX                                                                \
    100 /* one of so many; more, and nothing is said of the limit                                  \
         */
#define VERIFY_READS_GONE_MAX                                                                      \
    10                       /* without an end: records are deleted meanwhile, one of so many      \
                              */
#define VERIFY_READS_MIN 100 /* reads of each store, so that there is a p99 */

enum verify_reads_percentile {
    READS_P50,
    READS_P95,
    READS_P99,
    READS_PERCENTILES,
};

/* 50, 95, 99 */
extern const double VERIFY_READS_PERCENTS[READS_PERCENTILES];

struct verify_reads_store {
    const char *name;   /* "file", "PostgreSQL": a literal */
    uint64_t reads;     /* that found their record, and those that were late */
    uint64_t not_found; /* the store answered that there is none */
    uint64_t refused;   /* HTTP: another status */
    uint64_t errors;    /* no answer */
    uint64_t late;      /* of `reads`: not begun within the time limit, as no connection was free;
                           they count as long as they had waited by then */
    uint64_t ns[READS_PERCENTILES], max_ns;
    double mean_ns;
    char error[512]; /* the first one, or empty; without values and secrets */
};

struct verify_reads {
    uint64_t per_second, for_ms; /* of each store; for_ms 0: without an end */
    uint64_t connections;        /* to each */
    uint64_t keys;               /* that were read, again and again when they are few */
    double limit;                /* times the old store's */
    bool enforced;
    struct verify_reads_store stores[VERIFY_READS_STORES_MAX]; /* the old one first */
    size_t count;
};

enum verify_reads_verdict {
    READS_HOLD,   /* every new store is within the limit at each percentile */
    READS_SLOWER, /* one is not */
    READS_UNKNOWN /* too few reads, or too many without an answer */
};

/* New over old; 0: there is none. */
double verify_reads_ratio(const struct verify_reads *reads, size_t store,
                          enum verify_reads_percentile percentile);
enum verify_reads_verdict verify_reads_verdict(const struct verify_reads *reads);
/* One line in words, without its end. */
void verify_reads_append_verdict(const struct verify_reads *reads, struct buf *out);
/* A part of a line: "reads p99: file 1.02 ms, PostgreSQL 0.66 ms (within 1.1 times)"; nothing
 * while there is nothing. */
void verify_reads_append_line(const struct verify_reads *reads, struct buf *out);
/* "0.81 ms" */
void verify_reads_append_time(uint64_t ns, struct buf *out);

/* Lines for people, of at most `width` characters but for the table, which has 70. */
void verify_reads_append_text(const struct verify_reads *reads, size_t width, struct buf *out);
/* The member `reads_compared`. */
void verify_reads_append_json(const struct verify_reads *reads, struct json_out *out);

#endif
