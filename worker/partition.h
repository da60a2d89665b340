#ifndef DROVER_WORKER_PARTITION_H
#define DROVER_WORKER_PARTITION_H

/*
 * The partitions of the topic: where each one stands that the worker holds, and its batches.
 *
 *   a partition's batches:  open ─► queued … ─► current (dead letters, sink, retries) ─► recycled
 *
 * One current batch a partition, so its offsets commit in order; partitions run side by side.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/policy/backoff.h"
#include "common/policy/apply/batch.h"
#include "common/policy/apply/log_clock.h"
#include "common/policy/apply/sequence.h"
#include "worker/state.h"

enum partition_state {
    PARTITION_AWAY,     /* it is not ours; only its number and epoch may be asked for */
    PARTITION_CLAIMING, /* assigned; the store has not said where to go on */
    PARTITION_READING,
    PARTITION_HALTING, /* the same as halted, and what was read before is still being written */
    PARTITION_HALTED,  /* something is wrong with its messages: nothing more is taken */
    PARTITION_FENCED,  /* claimed by another, though the group still gives it to us: claimed again
                          when that lasts (stall.h) */
};

/* Why nothing more is taken of a partition; what is missing is as in struct halted. */
struct partition_halt {
    struct error err;
    char run[SEQUENCE_RUN_MAX + 1];
    int64_t expected, found;
    bool told;    /* the results topic hears of it */
    bool looking; /* the store was asked whether somebody resumed it */
};

struct partition {
    struct partitions *all;
    int32_t number;
    enum partition_state state;
    int64_t epoch;
    int64_t position;    /* next offset to take from Kafka */
    int64_t wanted;      /* what lies below it is read to set the clock, and nothing else */
    int64_t batch_start; /* start of the next batch to be opened */
    const struct replay_range
        *range; /* a replay's: nothing at or above its end is taken; or NULL */
    int64_t
        redelivered_until;  /* offsets below are in the store already: redelivered, receipts only */
    int64_t numbers_at;     /* the runs' numbers are seen from here on: `sequences` are true here */
    int64_t receipts_from;  /* offsets below have their receipts */
    int64_t next_offset;    /* committed in the store */
    int64_t redis_next;     /* hybrid: in Redis up to here; else next_offset */
    int64_t redis_saved;    /* the same, as the store knows it */
    int64_t results_next;   /* receipts acknowledged up to here */
    int64_t results_stored; /* the same, as the store knows it */
    struct sequences sequences;
    struct log_clock log; /* versions of messages that bring none */
    struct batch *open;
    struct batch *queue_first, *queue_last;
    struct batch *current;
    bool at_end;                /* Kafka had nothing more behind the last message taken */
    bool dead_letters_sent;     /* of `current`, for what was dead before the sink */
    bool receipts_broken;       /* one could not be sent: results_next stays until the next claim */
    struct partition_halt halt; /* HALTING, HALTED */
    struct backoff backoff;
    uint64_t retry_at_ms; /* `current` waits until then */
    bool paused;
};

/* All of them; the parts of a worker that have these have its config and its state too. */
struct partitions {
    const struct worker_config *config;
    struct worker_state *state;
    struct bus_consumer *consumer; /* NULL: not in the group yet, or no longer */
    struct partition *items;       /* by number, config->partition_total of them */
    size_t held_count;             /* those that are not AWAY */
    struct batch *spare;           /* recycled batches */
    struct batch *made;            /* every batch there is */
    bool over_budget;              /* nothing is taken until some are written */
    bool held;                     /* of that the first moment: the consumer is held, not paused */
    uint64_t held_ms;              /* since then */
};

/* The next one that is held, behind `partition` or from the first (NULL); NULL: there is none. */
struct partition *partitions_next(const struct partitions *all, const struct partition *partition);
/* NULL when it is not held. */
struct partition *partitions_find(const struct partitions *all, int32_t number);

/* What the store is told of Redis: in storage database nothing, as nothing is written there; `next`
 * where the store is Redis itself. */
int64_t partition_redis_next(const struct partition *partition, int64_t next);
struct batch *partition_new_batch(struct partitions *all);
/* Destroys the batch's messages and keeps its memory for the next. */
void partition_recycle(struct partitions *all, struct batch *batch);
/* Drops everything a partition holds; a batch with the sink is orphaned and recycled when done. */
void partition_drop(struct partition *partition);
/* Recycles a batch whose partition was given up, once neither sink nor dead letters refer to it. */
void partition_orphan(struct partitions *all, struct batch *batch);
/* Nothing more is taken of it. When it was the last one, the worker fails. */
void partition_halt(struct partition *partition, const struct error *err);
/* The same for what is wrong behind all that was read: that is written first. */
void partition_halt_behind(struct partition *partition, const struct partition_halt *halt);
/* A batch of it has been written: one that is HALTING may be HALTED now. */
void partition_check_halting(struct partition *partition);
bool partition_has_work(const struct partition *partition);
bool partitions_are_busy(const struct partitions *all);
/* At the end: lets go of every message, so that the consumer can be destroyed. */
void partitions_let_go(struct partitions *all);
/* No worker is left, and nobody refers to a batch. */
void partitions_free(struct partitions *all);

#endif
