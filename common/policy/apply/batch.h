#ifndef DROVER_POLICY_BATCH_H
#define DROVER_POLICY_BATCH_H

/*
 * Records of one partition on their way into a store: the unit of ownership, of a transaction and
 * of a receipt. Life: the worker opens and fills it; closing sorts it by key; a sink writes it and
 * sets a verdict for every record; the worker frees it.
 *
 *   items      every record, by offset          verdict: each exactly one class
 *   order      what is given to the store: of each key one record, its greatest version, sorted by
 *              (mapping, tenant, id), so that concurrent batches lock rows in one order; a mapping
 *              comes after those it refers to
 *   groups     runs of `order` with the same mapping and tenant
 *
 * The others of a key are its further candidates, from the greatest version down. They are nothing
 * yet: when the store refuses (or keeps as pending) what was tried, batch_promote appends the next
 * one to order, in groups of its own; when the store took it, batch_settle says what became of the
 * rest. So what is written does not depend on how records are cut into batches.
 *
 * A soft delete leaves the row with the columns it has, so there every record before it counts: of
 * a key with a soft delete in the batch all candidates are tried, in the order of their offsets,
 * one a promotion. So are, once the mapping has changed, those of the greatest version when their
 * contents differ: the one that the store has is written again, and only the store knows which.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/model/mapping/mapping.h"
#include "common/model/message/receipt.h"
#include "common/policy/apply/batch_sort.h"

/* What a store said it holds of an item's key when it did not write the item. */
enum batch_seen {
    SEEN_NOT_ASKED,
    SEEN_NOTHING,
    SEEN_ROW,
};

struct batch_item {
    int64_t offset;
    const struct mapping *mapping; /* NULL when the record could not be decoded so far */
    struct row row;
    bool decided;
    bool tried;   /* stands in order */
    bool aside;   /* the sink's: refused, and to be tried once more when the others are written */
    bool put_off; /* the sink's: refused by a check that could wait for the end */
    enum record_class verdict;
    enum batch_seen seen;
    int64_t stored_version;      /* SEEN_ROW */
    int32_t stored_generation;   /* SEEN_ROW */
    struct digest stored_digest; /* SEEN_ROW; zeros when the store's has another form */
    unsigned suspicions; /* the sink's: how often this record alone failed in a way that may pass;
                            kept over retries */
    struct error *err;   /* why it is dead; the batch's, else NULL */
    bool dead_lettered;  /* its dead letter is safe in Kafka */
    void *message;       /* the owner's: where the record came from */
    int64_t log_version; /* the owner's: its place in the log; 0: it brought a version */
    struct bytes sealed; /* sealed secrets (secret_guard.h), in the message; or empty */
};

/* Rows of one mapping and tenant. */
struct batch_group {
    const struct mapping *mapping;
    struct bytes tenant;
    size_t first, count; /* in order */
    size_t pending;      /* the last ones of them wait for their parents */
    size_t together;     /* the sink's: groups from this one on that went in one statement */
};

/* A key with several candidates, in `sorted`. */
struct batch_contest {
    uint32_t first, count;
    uint32_t tried; /* the first ones of them */
    uint32_t all;   /* the first ones that are tried whatever becomes of those before: 1 at least */
    bool replays;   /* it has soft deletes: by offset, all are tried */
};

/* Who writes, and which offsets [start, end) the batch covers. Texts outlive the batch. */
struct batch_fence {
    const char *group;
    const char *topic;
    int32_t partition;
    int64_t epoch;
    int64_t start, end;
    int64_t redis_next, results_next; /* watermarks reached so far */
    struct bytes sequences;           /* JSON: producers' next sequence numbers after this batch */
};

struct batch {
    struct arena arena;
    struct batch_fence fence;
    struct batch_item *items;
    size_t count, capacity;
    uint32_t *sorted; /* all that closing found undecided, by key, in the order they are tried */
    size_t sorted_count;
    struct batch_sorter sorter;
    struct batch_contest *contests;
    size_t contest_count, contest_capacity;
    uint32_t *order;
    size_t order_count;
    struct batch_group *groups;
    size_t group_count, group_capacity;
    size_t first_order, first_groups; /* how many of them there were before any promotion */
    size_t bytes;                     /* of messages: what closes a batch */
    size_t held;                      /* messages and rows: what a worker's memory budget counts */
    bool redelivered;                 /* already in the store: only classify (after a crash) */
    bool outcome_unknown; /* a COMMIT was sent and its answer lost: ask for the checkpoint first */
    bool commit_lost;     /* the answer to some attempt's: it may take place at any time */
    bool passed_over;     /* offsets behind its last record, and between, are of no concern */
    int attempts;
    unsigned refusals; /* the sink's: attempts that the store refused for a passing reason */
    void *owner;       /* the worker's partition; NULL once it was given up */
    bool in_sink;      /* the worker's: between submit and on_done */
    size_t dead_letters_pending; /* the worker's: dead letters not yet acknowledged */
    void *sink_state;            /* the sink's, while it holds the batch */
    struct batch *next;          /* in its partition's queue */
    struct batch *next_made;     /* all batches of a worker, for its end */
};

/* `capacity` records at most; the arena may grow to `memory_max`. */
struct batch *batch_new(size_t capacity, size_t memory_max);
void batch_free(struct batch *batch);
/* Empties a batch for reuse, keeping its memory. */
void batch_reset(struct batch *batch);

/* The next item, zeroed; NULL when full. */
struct batch_item *batch_add(struct batch *batch, int64_t offset);
/* Decides an item as dead; `err` is copied. */
void batch_reject(struct batch *batch, struct batch_item *item, const struct error *err);

/* Sorts what is undecided, and puts the first candidate of each key into order. */
void batch_close(struct batch *batch);
/* Appends to order, in new groups, the next candidate of every key whose tried ones are all dead or
 * waiting, and of those that are tried by all means (above). False: there is none; order is as it
 * was. What was tried and is undecided counts as written: a sink that knows its refusals only while
 * it writes promotes before it begins too, which brings those to be tried by all means alone. What
 * was seen of a key goes over to the candidate. */
bool batch_promote(struct batch *batch);
/* For a store that keeps all it is given of the mappings `keeps` names, and says later what each
 * was: of keys whose greatest version comes several times, puts all of that version into order, in
 * new groups: which of them are unchanged and which in conflict depends on what was there before.
 * Only as closing left the batch. */
void batch_promote_equals(struct batch *batch,
                          bool (*keeps)(const void *owner, const struct mapping *mapping),
                          const void *owner);
/* Decides the candidates that were never tried by what the store was found to hold: superseded,
 * unchanged (same version and content), conflict (same version, other content). Of a key whose
 * candidates were written one over the other, the last alone is applied. All that was tried must
 * be decided. */
void batch_settle(struct batch *batch);

/* What the store said of an item it did not write: a row of this version, generation and digest.
 * Classifies. */
void batch_decide_stored(struct batch_item *item, int64_t version, int32_t generation,
                         struct bytes digest);

/* Decides those rows of a group as waiting whose `missing_parent` is set (by place in the group),
 * and puts them behind the others. */
void batch_set_pending(struct batch *batch, struct batch_group *group, const bool *missing_parent);

/* As closing left it: no verdict, no promotion. */
void batch_rewind(struct batch *batch);
/* After a failed try: rewinds, unless the outcome is unknown. Then what was refused or pending
 * stays so, as it was to be committed; the store is asked for the rest. */
void batch_retry(struct batch *batch);

/* Whether what a store holds of the row's key stays: of a greater version; or of the same one and
 * of other content (the first is kept), or made by the same mapping or a newer one. */
bool batch_is_held(const struct row *row, int64_t stored_version, int32_t stored_generation,
                   struct bytes stored_digest);
/* Verdict of a row the store did not write, from what the store holds. Of the row's version and
 * content, but of an older generation, is only what was written before the mapping changed, asked
 * for afterwards: it is the row's own. */
enum record_class batch_classify(const struct row *row, int64_t stored_version,
                                 int32_t stored_generation, struct bytes stored_digest);

/* True when the batch was written by a process that crashed, or its COMMIT's answer was lost: what
 * became of its records was asked of the store afterwards. */
bool batch_is_recovered(const struct batch *batch);
/* The class that a decided item is told in. A store that is asked afterwards proves that it holds a
 * record, not whether it was this one that put it there: CLASS_RECOVERED. */
enum record_class batch_told_class(const struct batch *batch, const struct batch_item *item);

uint64_t batch_count(const struct batch *batch, enum record_class verdict);
/* True when every item is decided: what a sink must reach before on_done(OUT_OK). */
bool batch_is_decided(const struct batch *batch);

#endif
