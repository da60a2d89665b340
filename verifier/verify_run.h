#ifndef DROVER_VERIFIER_VERIFY_RUN_H
#define DROVER_VERIFIER_VERIFY_RUN_H

/* The state of one verification, shared by the verifier's parts. Internal to verifier/. */

#include "common/base/arena.h"
#include "common/io/postgres/pg_snapshot.h"
#include "common/io/settings.h"
#include "common/model/message/topic.h"
#include "common/policy/verify/diff.h"
#include "common/policy/verify/diff_dead.h"
#include "common/policy/verify/diff_untaken.h"
#include "common/policy/verify/given_up.h"
#include "common/policy/verify/judge.h"
#include "common/policy/verify/readings.h"
#include "common/policy/verify/verify_report.h"
#include "common/policy/version.h"
#include "verifier/holes.h"
#include "verifier/pass_map.h"
#include "verifier/scope.h"
#include "verifier/verify_facts.h"
#include "verifier/verify_options.h"
#include "verifier/verify_progress.h"

enum {
    VERIFY_BUS_MS = 15000,      /* for a broker, and for the next message */
    VERIFY_RECHECK_MAX = 10000, /* suspects a verdict that are compared member by member */
};

#define VERIFY_APPLICATION "drover-verify" /* to PostgreSQL */

/* Five eighths of the memory hold the keys, a sixteenth the dead letters; the rest is for the bus's
 * queue, one record on each side and the report. (So a million keys and those of their files, 80
 * bytes each, fit the default.) */
#define VERIFY_TABLE_SHARE(memory) ((memory) / 8 * 5)
#define VERIFY_DEAD_SHARE(memory) ((memory) / 16)
#define VERIFY_LISTED_SHARE(memory) ((memory) / 64)   /* dead letters that receipts list */
#define VERIFY_UNTAKEN_SHARE(memory) ((memory) / 16)  /* of a pass */
#define VERIFY_READINGS_SHARE(memory) ((memory) / 32) /* of sources */
#define VERIFY_DECIDED_SHARE(memory) ((memory) / 64)  /* dead letters that people decided on */
#define VERIFY_PASS_SHARE(memory) ((memory) / 8) /* of the map of passes, if there are several */
_Static_assert(2 * (1000000 + 1000000 / 4 + 64) * sizeof(struct diff_entry) <=
                   VERIFY_TABLE_SHARE((size_t)256 << 20),
               "docs/scaling.md promises it");

/* Records that never got into the topic have no tenant to be counted under. */
#define VERIFY_AT_SOURCE BYTES_LITERAL("(at the source)")

/* How far a topic was read. */
struct verify_cursor {
    int64_t *next; /* by partition; NULL: not at all */
    size_t count;
};

/* read_once: a record that waits for its parents. What becomes of it is known when all is written;
 * then those are left that may have been written instead of another one. */
struct verify_pending {
    struct diff_source source;
    int64_t offset; /* in the topic */
    bool is_dead;   /* it got its dead letter, and is counted */
};

struct expected;

/* Told of each message in the scope as it is read; `made` NULL when it became no row. */
struct verify_watcher {
    void (*see)(void *owner, const struct bus_message *message, const struct expected *made);
    void *owner;
    const struct diff_table *other; /* in which it will look for the message's key; or NULL */
};

struct verify_run {
    const struct settings *settings;
    struct verify_options options;
    uint64_t memory_max;
    struct mapping_set mappings; /* all: the session's own, or as options.mappings */
    struct scope scope;
    char topics[TOPIC_KINDS][TOPIC_NAME_SIZE];
    struct verify_cursor cursors[TOPIC_KINDS];

    bool has_cells;               /* the store keeps rows, not documents alone */
    struct pg_snapshot *snapshot; /* of the settings' store, where it has tables; else NULL */
    struct store_reader *store;   /* any other: what is compared instead of tables */

    struct diff_table table;
    struct diff_dead dead;
    struct diff_dead waiting; /* places only: records that wait for their parents (in tables) */
    struct verify_pending *pending;
    size_t pending_count, pending_room;
    struct verify_sealed_check *sealed; /* side_checks.c's */
    struct source_check *source_check;  /* source_check.c's */
    struct verify_watcher watcher;      /* see NULL: nobody */
    struct receipts *receipts;          /* receipts.c's */
    size_t receipts_bytes;              /* held by it */
    uint64_t rejected, withheld;        /* as producers' runs say, each once */
    uint64_t *rejected_codes;           /* by code, of a producer's books; NULL: there are none */
    struct readings readings;           /* history.c's */
    struct sequences *sequences;        /* by partition: of the pass, history.c's */
    struct diff_dead decided;           /* by place: the last decision, history.c's */
    struct given_up given_up;           /* history.c's */
    struct diff_untaken untaken;        /* of the pass, untaken.c's */
    bool source_is_begun;               /* at least one message may have been read */
    uint32_t pass;
    struct pass_map pass_map;
    struct holes holes;               /* offsets below `high` that are no messages */
    struct version_clock *clocks;     /* by partition: versions of messages that bring none */
    struct version_clock *cut_clocks; /* as they were at the snapshot's end of each partition */
    int64_t log_version; /* of the message that expected_make is given, if it needs one */

    struct judge_work judge;
    struct arena arena; /* one record */
    struct buf key, id;

    struct verify_report report;
    struct verify_facts facts; /* texts of report.facts */
    struct verify_progress progress;
    uint64_t held_ms;                   /* of options.hold, in which nothing was done */
    uint64_t paced_rows, paced_from_ms; /* actual.c's: verify.rows_per_second */
};

/* What comparing one record with one row needs: the report with a mask key of its own, and memory.
 * Of `run`, which is zeroed; settings outlive it. */
void verify_run_init_work(struct verify_run *run, const struct settings *settings);
void verify_run_free_work(struct verify_run *run);
/* With a key file a record has the same hash in every report of the migration. */
MUST_USE enum outcome verify_run_take_mask_key(struct verify_run *run, struct error *err);

/* The key that a record is compared under. run->key is overwritten; `failed` when it is too long.
 */
struct diff_key verify_run_key(struct verify_run *run, struct bytes tenant, struct bytes entity,
                               struct bytes id);
/* Says whose sample it is; copies. */
void verify_run_name_sample(struct verify_run *run, struct verify_sample *sample,
                            struct bytes tenant, struct bytes entity, struct bytes id);
/* Another reader of the store that is no table; the caller closes it. */
MUST_USE enum outcome verify_run_open_store(const struct verify_run *run,
                                            struct store_reader **store, struct error *err);
/* Where the store is by now, by partition of the source; a partition's low where it knows nothing.
 * Of `snapshot`, or of `store`. */
MUST_USE enum outcome verify_run_checkpoints(struct verify_run *run, struct pg_snapshot *snapshot,
                                             struct store_reader *store,
                                             struct verify_partition *partitions,
                                             struct error *err);
/* run->table anew, empty, for that many records, within its share of the memory. */
MUST_USE enum outcome verify_run_make_table(struct verify_run *run, uint64_t records,
                                            struct error *err);
size_t verify_run_bytes(const struct verify_run *run);
/* read_once: whether `more` bytes fit the memory that others use too. Else true: each part has its
 * share. */
bool verify_run_fits(const struct verify_run *run, size_t more);

/* For qsort and bsearch: by partition, then by offset. */
static inline int verify_run_compare_places(int64_t a_partition, int64_t a_offset,
                                            int64_t b_partition, int64_t b_offset)
{
    if (a_partition != b_partition)
        return a_partition < b_partition ? -1 : 1;
    return (a_offset > b_offset) - (a_offset < b_offset);
}

/* Another outcome than OUT_OK ends the reading with it. */
typedef enum outcome verify_message_visit(void *owner, const struct bus_message *message,
                                          struct error *err);
/* One range a partition of the source: all that it held when the session was opened. malloc'ed. */
struct bus_range *verify_run_ranges(const struct verify_run *run);
/* Every message of these ranges, one a partition of the source, which are freed; opens nothing when
 * all are empty. */
MUST_USE enum outcome verify_run_read(struct verify_run *run, struct bus_range *ranges,
                                      verify_message_visit *visit, void *owner, struct error *err);
/* What a topic of another kind holds since the last call, with `run` as the visit's owner; nothing
 * when there is no such topic. */
MUST_USE enum outcome verify_run_read_new(struct verify_run *run, enum topic_kind kind,
                                          verify_message_visit *visit, struct error *err);

#endif
