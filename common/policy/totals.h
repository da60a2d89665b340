#ifndef DROVER_POLICY_TOTALS_H
#define DROVER_POLICY_TOTALS_H

/*
 * What every screen says in sums. The unit is the source record: what the producers read. Each of
 * them is in exactly one class, so a row's classes sum to its records, a column to its total, and
 * the line below says so:
 *
 *   20 437 source records = 14 990 applied + 5 400 unchanged + 47 dead-lettered   (reconciled)
 *
 * There are three sets of classes: what a producer did with a record, what became of it on its way
 * (`run`, `work`, `status`), and what the store holds of it now (`verify`); and metrics, which are
 * of a worker and of no record. Their words and order are the tables here, and nowhere else. Pure;
 * widths are in characters.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/bytes.h"
#include "common/base/json_out.h"
#include "common/model/message/receipt.h"
#include "common/policy/verify/verdict.h"

#define TOTALS_CLASSES_MAX 32

struct totals_class {
    const char *name;   /* in JSON: "dead_lettered" */
    const char *title;  /* in a sentence: "dead-lettered" */
    const char *column; /* above a column: "dead" */
    bool always;        /* shown even when it is zero */
    bool outside;       /* of no source record: counted beside them, outside of the sum */
    bool minor;         /* asks for nothing: the first to go where there is little room */
};

struct totals_set {
    const struct totals_class *classes;
    size_t count; /* at most TOTALS_CLASSES_MAX */
};

/* What a producer did with a source record. */
enum produce_class {
    PRODUCE_PRODUCED,
    PRODUCE_REJECTED,
    PRODUCE_WITHHELD,
    PRODUCE_SENT_BEFORE, /* of sources that are skipped: sent by an earlier run, and unchanged */
    PRODUCE_ON_WAY,      /* given to Kafka, not acknowledged */
    PRODUCE_COUNT,
};

/* What became of a source record on its way. */
enum work_class {
    WORK_APPLIED,
    WORK_UNCHANGED,
    WORK_SUPERSEDED,
    WORK_RECOVERED, /* stored before a crash, or before an answer was lost: whether as new,
                       unchanged or superseded nobody knows any more */
    WORK_CONFLICT,
    WORK_DEAD,
    WORK_PENDING,    /* its parent is not there yet */
    WORK_NO_RECEIPT, /* committed; what became of it has not been told yet */
    WORK_TO_DO,      /* in the topic, not committed yet */
    WORK_REJECTED,   /* at the source, as are the next: they never got into the topic */
    WORK_WITHHELD,
    WORK_COUNT,
};

/* What a worker counts beside its records' classes: the name in JSON, and whose --json shows it. A
 * worker tells `run` all of them, which sums them. searched: batches whose COPY, or statement, was
 * refused as a whole, and in how many of both no record was (struct sink_detour). */
enum { METRIC_OF_WORK = 1, METRIC_OF_RUN = 2 };
#define WORK_METRICS(X)                                                                            \
    X(BATCHES, "batches", METRIC_OF_WORK)                                                          \
    X(RETRIES, "retries", METRIC_OF_WORK)                                                          \
    X(REDIS_UNOWNED, "redis_unowned", METRIC_OF_WORK) /* Redis keys that are somebody else's */    \
    X(COPIES_SEARCHED, "copies_searched", METRIC_OF_WORK | METRIC_OF_RUN)                          \
    X(STATEMENTS_SEARCHED, "statements_searched", METRIC_OF_WORK | METRIC_OF_RUN)                  \
    X(SEARCHED_IN_VAIN, "searched_in_vain", METRIC_OF_WORK | METRIC_OF_RUN)                        \
    X(HALTED, "halted_partitions", METRIC_OF_RUN)                                                  \
    X(IN_FLIGHT, "in_flight_bytes", METRIC_OF_RUN)

enum work_metric {
#define X(metric, name, shown) METRIC_##metric,
    WORK_METRICS(X)
#undef X
        METRIC_COUNT
};

extern const struct work_metric_row {
    const char *name;
    int shown;
} WORK_METRIC[METRIC_COUNT];

extern const struct totals_set TOTALS_PRODUCE; /* by enum produce_class */
extern const struct totals_set TOTALS_WORK;    /* by enum work_class */
extern const struct totals_set TOTALS_VERIFY;  /* by enum verdict */

/* A receipt's classes in those of this set; `counts` is added to. */
void totals_add_receipt(uint64_t counts[WORK_COUNT], const uint64_t classes[CLASS_COUNT]);

/* The sum of what is not beside. */
uint64_t totals_records(const struct totals_set *set, const uint64_t *counts);

/* The identity, in lines of at most `width` characters that begin with `indent` spaces, the first
 * one behind what was appended before; what is beside follows. `records` was counted apart from the
 * classes: when they do not sum to it the line says ≠ and is not "reconciled". `unit`: "source
 * records". */
void totals_append_identity(struct buf *out, const struct totals_set *set, const uint64_t *counts,
                            uint64_t records, const char *unit, size_t indent, size_t width);

/* The sum in at most `width` columns, with the words of columns: "11 800 applied + 197 unchanged".
 * What has no room is "+ 200 other", the minor ones first; where even that has none it is
 * "12 000 taken" (`unit`), or nothing: whatever is left adds up. */
void totals_append_short(struct buf *out, const struct totals_set *set, const uint64_t *counts,
                         const char *unit, int width);
/* " applied=11800 unchanged=197": the names of JSON, each behind a space; the same classes as in a
 * sentence. */
void totals_append_fields(struct buf *out, const struct totals_set *set, const uint64_t *counts);

/* One row of a table. */
struct totals_row {
    struct bytes names[2]; /* shown safe for a terminal, and cut */
    const uint64_t *counts;
    struct bytes tail; /* behind the numbers, as it is; or empty */
};

struct totals_table {
    const struct totals_set *set;
    const char *name_titles[2]; /* above the names; NULL: there is no such name */
    const char *records_title;  /* above the sums: "records" */
    const char *tail_title;     /* NULL: rows have no tails */
    size_t width;
};

/* A head, the rows and, below more than one, their sum. Columns that are zero in all rows are left
 * out. When it is wider than `width`, each row is a sentence instead. */
void totals_append_table(struct buf *out, const struct totals_table *table,
                         const struct totals_row *rows, size_t row_count);

/* "source_records":N,"counts":{"applied":N,…} with every class of the sum, also those that are
 * zero; then "beside":{…} when the set has such. Members of an object that the caller begins and
 * ends. */
void totals_append_json(struct json_out *out, const struct totals_set *set, const uint64_t *counts);
/* Members for each that one of `shown` shows. */
void totals_append_metrics(struct json_out *out, const uint64_t metrics[METRIC_COUNT], int shown);
/* "counts" and "beside" alone; without `zeros` those that are not zero. */
void totals_append_json_counts(struct json_out *out, const struct totals_set *set,
                               const uint64_t *counts, bool zeros);

/* "15.6 s, 10 966 records/s": the rate is that of the two figures as they are shown. No rate for
 * what took less than a tenth of a second. */
void totals_append_pace(struct buf *out, uint64_t records, uint64_t elapsed_ms);
/* That rate; 0: none. */
uint64_t totals_rate(uint64_t records, uint64_t elapsed_ms);

#endif
