#ifndef DROVER_POLICY_FOLLOW_REPORT_H
#define DROVER_POLICY_FOLLOW_REPORT_H

/*
 * What a verification that never ends (`verify --follow`) says when it is asked: a plain struct
 * which the follower fills from its book, and its two forms, a page for people and JSON for
 * machines. The verdict is decided here, from the counts alone.
 *
 * A record is compared once for each version that its source range ends with (a distinct key
 * version). Counts are by enum verdict. Compared are: match, within tolerance, and the wrong ones
 * (follow_report_is_wrong). The others (superseded, overtaken, dead-lettered, waiting, discarded)
 * are neither right nor wrong, and stand beside them.
 *
 * Everything is borrowed for the call. Texts are from outside unless said otherwise: they are
 * escaped, and cut, here. Values come masked (verify_mask.h) or not at all.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/policy/verify/report_facts.h"
#include "common/policy/verify/verdict.h"
#include "common/policy/verify/verify_reads.h"
#include "common/policy/verify/write_latency.h"

struct mapping_set;

struct readings_sum; /* readings_sum.h */

/* Rolling windows, each ending now; the last is all that was ever counted. */
enum follow_window_kind {
    FOLLOW_MINUTE,
    FOLLOW_FIVE_MINUTES,
    FOLLOW_HOUR,
    FOLLOW_DAY,
    FOLLOW_TOTAL,
    FOLLOW_WINDOWS,
};

struct follow_window {
    uint64_t counts[VERDICT_COUNT];
    double upper; /* 95 % upper bound of the discrepancy rate, 0 to 1; NaN: nothing was compared */
};

/* One minute of the plots, oldest first; a minute that is not there is a gap. Those that are not
 * known: negative, or NaN. */
struct follow_minute {
    int64_t unix_ms;   /* its begin */
    int64_t committed; /* records that receipts told of in it */
    int64_t lag;       /* greatest number of messages the workers were behind */
    int64_t behind;    /* greatest number of messages the verifier was behind the workers */
    uint64_t compared, wrong;
    double rate, upper;            /* of the hour that ends with it, 0 to 1 */
    double old_p50_ms, old_p99_ms; /* reads of the old store */
    double new_p50_ms, new_p99_ms; /* and of the new one */
};

struct follow_partition {
    int32_t partition;
    int64_t verified;  /* offset up to which was compared, or counted as not compared */
    int64_t committed; /* the workers' checkpoint; negative: not known */
    int64_t end;       /* of the source topic; negative: not known */
};

/* Of a tenant and entity; several of the same, one for each operation. */
struct follow_group {
    struct bytes tenant, entity;
    const char *operation; /* "upsert", "delete"; NULL: all of them */
    uint64_t counts[VERDICT_COUNT];
};

struct follow_sample_field {
    struct bytes path;
    struct bytes source, stored; /* masked already; empty: absent */
};

/* A discrepancy shown as an example. */
struct follow_sample {
    enum verdict verdict;
    enum error_code code; /* why; or ERR_NONE */
    struct bytes tenant, entity;
    uint64_t key_hash; /* verify_mask_hash_key */
    int32_t partition; /* place in the source topic; negative: not known */
    int64_t offset;
    struct bytes origin; /* file:line:column, or empty */
    struct bytes reason; /* a sentence without values, or empty */
    bool has_versions;
    int64_t source_version, stored_version;
    int64_t first_ms, last_ms; /* seen; Unix time */
    uint64_t seen;             /* at how many cuts */
    bool is_over;              /* it was right later */
    const struct follow_sample_field *fields;
    size_t field_count, field_total; /* shown, and all */
};

/* The last pass over everything: what no receipt tells of (rows nobody sent, drift). */
struct follow_full_pass {
    int64_t began_ms; /* negative: there was none yet */
    uint64_t duration_ms;
    uint64_t counts[VERDICT_COUNT];
    uint64_t problems;    /* side checks included; lagging ones are none */
    struct bytes failure; /* why it could not be ended; else empty */
    /* Why it did not read all there is; else empty. What it found is true; that it found nothing
     * else says nothing. */
    struct bytes not_whole;
    struct bytes report; /* path of its own report, or empty */
    int64_t next_ms;     /* when the next one begins; negative: never */
};

struct follow_report {
    const char *migration, *group, *topic; /* of the source */
    const char *id;                        /* of this verifier among several */
    struct report_facts facts;
    const struct mapping_set *mappings; /* whose lines the page names; NULL: not known */
    int64_t since_ms;                   /* what the total goes back to, over restarts */
    uint32_t starts;                    /* of this book, this one included */
    double rate_max; /* the limit of the gate, 0 to 1: below it must be the bound; 0: none */

    struct follow_window windows[FOLLOW_WINDOWS];
    double share;           /* 1: all is compared; less: this share of the keys, by their hash */
    uint64_t not_compared;  /* left out while the share was less */
    uint64_t not_rechecked; /* suspects above the bound */
    uint64_t open_suspects; /* looked at again now */
    uint64_t waited_ms;     /* for servers that did not answer */
    struct follow_full_pass full_pass;
    const struct readings_sum *sources; /* how they stand now; NULL: nobody looked */
    const struct verify_reads *reads;   /* of both stores, compared; NULL: they were not */
    struct write_latency writes;

    const struct follow_minute *minutes;
    size_t minute_count;
    const struct follow_partition *partitions; /* of this verifier */
    size_t partition_count;
    const struct follow_group *groups; /* those with discrepancies first */
    size_t group_count;
    const struct follow_sample *samples;
    size_t sample_count;
    const struct follow_sample *full_samples; /* of the last full pass */
    size_t full_sample_count;
    const struct bytes *warnings;
    size_t warning_count;
};

enum follow_result {
    FOLLOW_MATCH,        /* no discrepancy, and the bound is below the limit */
    FOLLOW_INCONCLUSIVE, /* no discrepancy, but too few were compared to say so, or not all is
                            known of the last full pass or of the sources */
    FOLLOW_DISCREPANCY,  /* in the total, in the last full pass, or in the sources: something of
                            them is rejected, or cannot be read whole */
    FOLLOW_TOO_SLOW,     /* no discrepancy, but reads were to be within a limit (compare.enforce),
                            and are not, or at the end nobody can say so */
    FOLLOW_NOTHING,      /* nothing was compared */
};

/* FOLLOW_MATCH, and inconclusive by the number of comparisons alone: exit code 0. */
bool follow_report_is_right(const struct follow_report *report);
/* True for those that are a discrepancy when they were looked at often enough. */
bool follow_report_is_wrong(enum verdict verdict);
/* Match, within tolerance and wrong ones; the wrong ones alone. */
uint64_t follow_report_compared(const uint64_t counts[VERDICT_COUNT]);
uint64_t follow_report_wrong(const uint64_t counts[VERDICT_COUNT]);
enum follow_result follow_report_result(const struct follow_report *report);
/* "MATCH", and why in words, without the end of a line. */
const char *follow_report_verdict(const struct follow_report *report);
void follow_report_append_reason(const struct follow_report *report, struct buf *out);

/* report.json, of kind `follow_report`, and a newline. Only `out` can fail. */
void follow_report_append_document(const struct follow_report *report, struct buf *out);
/* report.html */
void follow_report_append_html(const struct follow_report *report, struct buf *out);

#endif
