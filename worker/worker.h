#ifndef DROVER_WORKER_WORKER_H
#define DROVER_WORKER_WORKER_H

/*
 * The worker's parts and what they share. One loop thread.
 *
 *   intake.c   message ─► record ─► row in the partition's open batch
 *   flow.c     open batch ─► sink ─► done | retry | halt; budget and pausing
 *   partition.c  a partition's batches: made, recycled, dropped; a partition halted
 *   dead_letters.c  dead records ─► dead letter topic, acknowledged before the batch commits
 *   outbox.c   messages on their way to Kafka: owned, sent and told by the loop's turn
 *   receipts.c committed batch ─► results topic; watermarks
 *   pending_children.c  records that wait for those they refer to
 *   stall.c    is each partition that is ours being read?
 *   membership.c  assigned ─► claimed ─► reading; revoked ─► drained ─► given up
 *   life.c     start, turns, stop     worker.c  failing, phases
 *   work.c     `drover work`: the loop, signals, Kafka
 *
 * All of it but work.c knows ports only (common/port, common/io/stores.h), so that the same worker
 * runs over memory: in a rehearsal, in unit tests and in the simulation (tests/sim).
 *
 * A partition's batches:  open ─► queued … ─► current (dead letters, sink, retries) ─► recycled
 * One current batch a partition, so its offsets commit in order; partitions run side by side.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/io/mappings.h"
#include "common/io/stores.h"
#include "common/port/bus.h"
#include "common/port/clock.h"
#include "common/port/pending.h"
#include "common/port/checkpoint.h"
#include "common/model/message/receipt.h"
#include "common/model/message/topic.h"
#include "common/policy/totals.h"
#include "common/port/sink.h"
#include "worker/partition.h"

struct outbox;
struct pending_children;
struct redis_stage;
struct uv_loop_s;
struct stalls;

struct worker_counts {
    uint64_t polled;
    uint64_t taken; /* of them: in batches that were written */
    uint64_t classes[CLASS_COUNT];
    uint64_t metrics[METRIC_COUNT];
    uint64_t fenced;
    uint64_t dead_in_a_row;
    uint64_t same_in_a_row; /* of those the last ones, of one code */
    struct error last_dead; /* where: topic-partition@offset */
    uint64_t settled; /* records that waited, whoever kept them: counted in their class as well */
};

enum worker_phase {
    WORKER_STARTING,
    WORKER_RUNNING,
    WORKER_DRAINING,  /* no intake; batches with the sink end */
    WORKER_FLUSHING,  /* receipts acknowledged */
    WORKER_RELEASING, /* watermarks stored, claims given up */
    WORKER_CLOSING,   /* the stores: they may hold batches until they are closed */
    WORKER_LEAVING,   /* the consumer leaves the group; nobody holds its messages any more */
    WORKER_ENDED,
};

/* What a worker needs of the world; all of it outlives the worker. */
struct worker_world {
    struct bus *bus;
    const struct clock *clock;
    store_open *open;                   /* NULL: the store of the settings is checked and opened */
    const struct mapping_set *mappings; /* NULL: those of the settings are read */
    struct uv_loop_s *loop;             /* the store's; NULL over memory */
    void *owner;                        /* of on_ended, and of who has an `open` of its own */
    /* Nothing of the worker calls anybody any more: free it. left: what did not end in its time and
     * may still be using the worker, which is not freed then; NULL: nothing. */
    void (*on_ended)(void *owner, const char *left);
};

struct worker {
    const struct settings *settings;
    struct worker_world world;
    struct bus *bus;           /* world's */
    const struct clock *clock; /* world's */
    const struct store *store;
    struct mapping_set mappings;
    int open_parts; /* stores still to close */
    struct bus_consumer *consumer;
    struct outbox *results, *dead_letters;
    struct sink *sink;
    struct checkpoint *checkpoint;
    struct redis_stage *stage;        /* hybrid; else NULL */
    struct stalls *stalls;            /* is each partition being read? */
    struct pending_children *pending; /* when a mapping refers to another; else NULL */
    /* What became of what `pending` gave to the outboxes: all of it is safe, or not. */
    void (*pending_told)(struct pending_children *pending, bool ok);
    const char *group;
    char source[TOPIC_NAME_SIZE], name[128];
    char results_topic[TOPIC_NAME_SIZE], dead_letters_topic[TOPIC_NAME_SIZE];
    struct partition *partitions; /* by number, `partition_total` of them; owned ones are `held` */
    bool *held;
    int32_t partition_total;
    size_t held_count, claims_waiting;
    int32_t round; /* where the next look for work begins */
    bool revoking;
    uint64_t revoke_by_ms;
    struct batch *spare; /* recycled batches */
    struct batch *made;  /* every batch there is */
    size_t in_flight_bytes;
    bool over_budget;
    struct mapping_work work;
    struct buf text;
    struct worker_counts counts;
    enum worker_phase phase;
    uint64_t started_ms, phase_by_ms, leave_by_ms, last_commit_ms, last_report_ms, last_line_ms;
    bool checked, store_lost;
    struct error store_trouble; /* while the store is lost */
    enum exit_code exit_code;
    struct error failure; /* why it stops, when it was not asked to */
};

/* ---- intake.c */
void intake_message(void *owner, const struct bus_arrival *arrival);
/* Messages are gone from the topic. When they were to be read for the clock's sake only, goes on at
 * the first one wanted; false when that one is gone. */
bool intake_skip_to_wanted(struct partition *partition);
/* The partition holds nothing more by now. */
void intake_end(void *owner, int32_t partition);
/* Closes the open batch and queues it; nothing when it is empty. */
void intake_close(struct partition *partition);

/* ---- flow.c */
/* Gives free connections to partitions in turn; called once a loop turn. */
void flow_pump(struct worker *worker);
void flow_on_done(void *owner, struct batch *batch, enum outcome outcome, const struct error *err);
void flow_check_budget(struct worker *worker);

/* ---- dead_letters.c */
/* Puts the dead letters of the current batch's decided items into the outbox; its
 * dead_letters_pending counts them. When one can never fit, its partition is halted. */
void dead_letters_send(struct partition *partition);
/* The dead letter of a child whose parent never came: pending_told tells its end. The orphan
 * stays where it is until then. OUT_REJECT: it can never fit. */
MUST_USE enum outcome dead_letters_send_orphan(struct worker *worker,
                                               const struct pending_orphan *orphan,
                                               struct error *err);
void dead_letters_on_rejected(void *owner, struct batch *batch);
void dead_letters_on_told(void *owner, void *item, enum outcome outcome, const struct error *err);

/* ---- receipts.c */
/* Puts the batch's receipt into the outbox. OUT_FATAL DRV-W010: it would not add up; nothing was
 * put. */
MUST_USE enum outcome receipts_send(struct partition *partition, const struct batch *batch,
                                    struct error *err);
void receipts_on_told(void *owner, void *item, enum outcome outcome, const struct error *err);
/* What became of records that waited; pending_told follows. */
void receipts_send_settled(struct worker *worker, int64_t round, struct settled_item *items,
                           size_t count);
/* Stores watermarks that have moved. */
void receipts_store(struct partition *partition);

/* ---- membership.c */
void membership_on_assigned(void *owner, const int32_t *partitions, size_t count);
void membership_on_claimed(void *owner, int32_t partition, const struct checkpoint_row *row);
void membership_on_revoked(void *owner);
/* Asks the store anew where each partition stands, and goes on from there: a Redis that was away or
 * emptied may have forgotten what it had acknowledged. */
void membership_claim_again(struct worker *worker);
/* The same for one partition, whatever its state; false when it is not the time for it. */
bool membership_claim_one(struct worker *worker, int32_t number);
/* Reads every partition on from its position. */
void membership_read_again(struct worker *worker);
/* Ends a revocation when nothing is with the sink any more, or its time is over. */
void membership_check_revoked(struct worker *worker, uint64_t now_ms);
/* Stores the watermarks and gives up the claims of everything held. */
void membership_release(struct worker *worker);
void membership_commit(struct worker *worker);
/* True when every assigned partition has been written to its end, or is halted. */
bool membership_at_end(const struct worker *worker);

/* ---- life.c */
/* NULL never. `settings` outlives it. */
struct worker *worker_new(const struct settings *settings, const struct worker_world *world);
/* Mappings, names, topics, outboxes, and the stores' check. Blocks. */
MUST_USE enum outcome worker_open(struct worker *worker, struct error *err);
/* Opens the stores; from here on it is alive, and ends by on_ended. */
void worker_start(struct worker *worker);
/* What Kafka has acknowledged, what follows from it, and what is to be sent: once a turn of the
 * loop, when all that came was handed over. */
void worker_turn(struct worker *worker);
/* What time brings, and a turn: every WORKER_TICK_MS. */
void worker_tick(struct worker *worker);
#define WORKER_TICK_MS 50
/* When it was never started, has ended, or is given up as a crash would do it: then sink,
 * checkpoint, pending and consumer are the caller's to abandon, before. */
void worker_free(struct worker *worker);

/* ---- worker.c */
/* The next phase, and how long it may take. */
void worker_enter(struct worker *worker, enum worker_phase phase, uint64_t max_ms);
/* Begins to stop, unless it has begun: drains first. */
void worker_stop(struct worker *worker);
/* SIGUSR1's handler. */
void worker_on_nothing_comes(int number);
/* Somebody who knows said (SIGUSR1) that nothing more will be produced. */
bool work_nothing_comes(void);
/* Stops the worker with an error: drains, then exits with its code. */
void worker_fail(struct worker *worker, const struct error *err);

#endif
