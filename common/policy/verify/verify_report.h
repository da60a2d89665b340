#ifndef DROVER_POLICY_VERIFY_REPORT_H
#define DROVER_POLICY_VERIFY_REPORT_H

/*
 * What a verification found, and its two forms: lines for people and JSON for machines. The last
 * word is decided here, from the counts alone, so that no path through the verifier can say
 * "match" without having compared.
 *
 * Values and ids are masked unless asked for: a value is shown as its kind, its size and a keyed
 * hash, so that equal ones can be told without being guessed (verify_mask.h).
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/buf.h"
#include "common/base/json_out.h"
#include "common/policy/plot/time_buckets.h"
#include "common/policy/verify/diff.h"
#include "common/policy/verify/diff_fields.h"
#include "common/policy/verify/diff_groups.h"
#include "common/policy/verify/report_facts.h"
#include "common/policy/verify/verify_side_checks.h"

#define VERIFY_MASK_KEY_SIZE 32

/* Samples of what stands beside the source records' verdicts: lists behind those of the verdicts.
 */
enum verify_list {
    VERIFY_LIST_REDIS = VERDICT_COUNT,
    VERIFY_LIST_SEALED,
    VERIFY_LIST_FILES,
    VERIFY_LIST_COUNT,
};
#define VERIFY_WARNINGS_MAX 64
#define VERIFY_CODES_MAX 256 /* of all verdicts; problems of more count without their code */

struct mapping_set;
struct readings;
struct verify_reads;

/* One record shown as an example of its verdict. All views into the report's arena. */
struct verify_sample {
    enum verdict verdict;
    enum error_code code; /* why, when there is one; else ERR_NONE */
    struct bytes tenant, entity, id;
    struct bytes name; /* of the Redis key, or of the sealed field; else empty */
    struct bytes file; /* of storage file, as its folder has it; else empty */
    const char *table; /* NULL: not known */
    struct diff_key key;
    bool has_place; /* in the source topic */
    int32_t partition;
    int64_t offset;
    struct bytes origin; /* file:line:column, or empty */
    bool has_expected, has_actual;
    int64_t expected_version, actual_version;
    struct bytes reason; /* a sentence without values, or empty */
    struct diff_field *fields;
    size_t field_count; /* shown */
    size_t field_total;
};

/* Records of a verdict that have the same reason. */
struct verify_code {
    enum verdict verdict;
    enum error_code code;
    uint64_t count;
    size_t samples;
};

struct verify_partition {
    int32_t partition;
    int64_t low, snapshot_end, high;
};

/* The verdict. */
enum verify_result {
    VERIFY_MATCH, /* every source record is accounted for and is what it should be */
    VERIFY_DISCREPANCY,
    VERIFY_NOTHING, /* nothing compared: NOT VERIFIED */
};

struct verify_report {
    struct arena arena;
    struct diff_groups groups;
    struct verify_sample *samples[VERIFY_LIST_COUNT];
    size_t sample_counts[VERIFY_LIST_COUNT];
    size_t samples_max; /* a list */
    size_t groups_max;  /* tenants and entities with problems that are listed; more are a sum */
    struct verify_code codes[VERIFY_CODES_MAX];
    size_t code_count;
    bool show_values;
    unsigned char mask_key[VERIFY_MASK_KEY_SIZE]; /* of every hash that is shown (verify_mask.h) */

    const char *migration, *group, *topic, *only_tenant;
    struct report_facts facts;
    const struct mapping_set *mappings; /* whose lines a page names; NULL: not known */
    size_t source_files; /* original ones, or folders, that were compared with the topic */
    struct verify_partition *partitions;
    size_t partition_count;
    int64_t started_ms; /* Unix time */
    uint64_t duration_ms;
    uint32_t passes;
    uint64_t memory_bytes;

    uint64_t source_count;        /* read one by one, apart from the classes */
    uint64_t rejected_of_streams; /* of those rejected: of standard input, as readings tell */
    uint64_t messages;            /* of the topic, in scope */
    uint64_t rows;                /* read of the tables, in scope */
    uint64_t compared;            /* keys looked up */
    uint64_t evicted;             /* offsets below the topic's begin: can be read no more */
    uint64_t given_up;            /* of them: somebody decided that they are not waited for */
    uint64_t changed;             /* suspects that were right at the recheck */
    uint64_t not_rechecked;       /* suspects beyond the number looked at again */
    struct verify_side_checks side_checks;
    const struct readings *readings; /* what producers told of their sources; NULL: nothing */
    struct time_buckets
        flow; /* records that the workers' receipts tell of when they were committed;
                 level: messages that a worker was behind its partition's end */
    const struct verify_reads *reads; /* of both stores, compared; NULL: they were not */
    bool broken;                      /* something kept the run from being whole: */
    const char *broken_why;           /* the first of it; a warning as all of it is */
    bool broken_otherwise;            /* than by readings of sources that are not complete */
    const char *warnings[VERIFY_WARNINGS_MAX];
    size_t warning_count;
};

void verify_report_init(struct verify_report *report, size_t samples_max, size_t groups_max);
void verify_report_free(struct verify_report *report);

/* Keeps a warning (each text once; those beyond the limit are dropped after one that says so). */
void verify_report_warn(struct verify_report *report, const char *format, ...) PRINTF_LIKE(2, 3);
/* The same, and the run is not whole. */
void verify_report_break(struct verify_report *report, const char *format, ...) PRINTF_LIKE(2, 3);
/* As it, of a source whose reading is not complete: what is stored was compared all the same. */
void verify_report_break_source(struct verify_report *report, const char *format, ...)
    PRINTF_LIKE(2, 3);
/* Counts the reason of records that are counted in their group as well. */
void verify_report_count_code(struct verify_report *report, enum verdict verdict,
                              enum error_code code, uint64_t count);
/* Forgets samples of a verdict from the `kept` first ones on, and its codes' counts. */
void verify_report_forget(struct verify_report *report, enum verdict verdict, size_t kept);
/* The problems by verdict and code, those without one last; of a verdict they sum to its records.
 * malloc'ed. */
struct verify_code *verify_report_problems(const struct verify_report *report, size_t *count);
/* A place for one more sample of that verdict and code (ERR_NONE: it has none), zeroed; NULL when
 * there are enough. The first one of a code takes the place of one of which there are several, so
 * that many of one kind do not hide another. */
struct verify_sample *verify_report_sample(struct verify_report *report, enum verdict verdict,
                                           enum error_code code);
/* Forgets the sample of that verdict at a place of the topic. */
void verify_report_drop_sample(struct verify_report *report, enum verdict verdict,
                               int32_t partition, int64_t offset);
/* The same in a list beside them. */
struct verify_sample *verify_report_sample_side(struct verify_report *report, enum verify_list list,
                                                enum verdict verdict);
/* A copy in the report's memory; empty when that is full. */
struct bytes verify_report_copy(struct verify_report *report, struct bytes text);

/* True when the classes add up to the records read. */
bool verify_report_adds_up(const struct verify_report *report);
enum verify_result verify_report_result(const struct verify_report *report);
/* All there is was read, whatever was found in it. Else it is no match, and that it found nothing
 * says nothing of what was not read (verify_words_append_not_whole). */
bool verify_report_is_whole(const struct verify_report *report);
/* It is, or is not only because readings of sources are not complete. */
bool verify_report_is_whole_beside(const struct verify_report *report);
/* It would be a match, but reads were to be within a limit (compare.enforce), and are not. */
bool verify_report_is_slow(const struct verify_report *report);

/* verify_json.c: the members of the report in an object that is open. */
void verify_json_append(const struct verify_report *report, struct json_out *out);
/* report.json: the whole document of kind `verify`, written when the facts say, and a newline. */
void verify_json_append_document(const struct verify_report *report, struct buf *buf);

#endif
