#ifndef DROVER_POLICY_BATCH_H
#define DROVER_POLICY_BATCH_H

/*
 * Records of one partition on their way into a store: the unit of ownership, of a transaction and
 * of a receipt. Life: the worker opens and fills it; closing reduces it to one row a key, in key
 * order; a sink writes it and sets a verdict for every record; the worker frees it.
 *
 *   items      every record, by offset          verdict: each exactly one class
 *   order      what is to be written: the greatest version of each key, sorted by
 *              (mapping, tenant, id), so that concurrent batches lock rows in one order; a
 *              mapping comes after those it refers to
 *   groups     runs of `order` with the same mapping and tenant: one statement each
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/arena.h"
#include "common/base/error.h"
#include "common/model/mapping.h"
#include "common/model/receipt.h"

struct batch_item {
    int64_t offset;
    const struct mapping *mapping; /* NULL when the record could not be decoded so far */
    struct row row;
    bool decided;
    enum record_class verdict;
    struct error *err;   /* why it is dead; in the batch's arena, else NULL */
    bool dead_lettered;  /* its dead letter is safe in Kafka */
    void *message;       /* the owner's: where the record came from */
    struct bytes sealed; /* sealed secrets (policy/secret_guard.h), in the message; or empty */
};

/* A row to write, and where the next one of the same key stands. */
struct batch_group {
    const struct mapping *mapping;
    struct bytes tenant;
    size_t first, count; /* in order */
    size_t parked;       /* the last ones of them wait for their parents */
    bool incomplete;     /* the store counted fewer rows than it was given: classify */
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
    uint32_t *order;
    size_t order_count;
    struct batch_group *groups;
    size_t group_count;
    size_t bytes;         /* of messages: what closes a batch */
    size_t held;          /* messages and rows: what a worker's memory budget counts */
    bool second_look;     /* already in the store: only classify (after a crash) */
    bool outcome_unknown; /* a COMMIT was sent and its answer lost: ask for the progress first */
    int attempts;
    void *owner;             /* the worker's partition; NULL once it was given up */
    bool in_sink;            /* the worker's: between submit and on_done */
    size_t letters_pending;  /* the worker's: dead letters not yet acknowledged */
    void *sink_state;        /* the sink's, while it holds the batch */
    struct batch *next;      /* in its partition's queue */
    struct batch *next_made; /* all batches of a worker, for its end */
};

/* `capacity` records at most; the arena may grow to `memory_most`. */
struct batch *batch_new(size_t capacity, size_t memory_most);
void batch_free(struct batch *batch);
/* Empties a batch for reuse, keeping its memory. */
void batch_reset(struct batch *batch);

/* The next item, zeroed; NULL when full. */
struct batch_item *batch_add(struct batch *batch, int64_t offset);
/* Decides an item as dead; `err` is copied. */
void batch_reject(struct batch *batch, struct batch_item *item, const struct error *err);

/* Reduces per key and sorts. Items that lose to another of their batch are decided here:
 * superseded, unchanged (same version and digest), conflict (same version, another digest). */
void batch_close(struct batch *batch);

/* Decides those rows of a group as waiting whose `lacking` is set (by place in the group), and puts
 * them behind the others. */
void batch_park(struct batch *batch, struct batch_group *group, const bool *lacking);

/* After a failed try: undecides nothing that closing decided, but forgets what the sink set. */
void batch_retry(struct batch *batch);

/* Verdict of a row the store did not write, from what the store holds. */
enum record_class batch_classify(const struct row *row, int64_t stored_version,
                                 struct bytes stored_digest);

uint64_t batch_count(const struct batch *batch, enum record_class verdict);
/* True when every item is decided: what a sink must reach before on_done(OUT_OK). */
bool batch_is_decided(const struct batch *batch);

#endif
