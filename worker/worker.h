#ifndef DROVER_WORKER_WORKER_H
#define DROVER_WORKER_WORKER_H

/*
 * The worker: its parts, put together in life.c. One loop thread.
 *
 *   state.c    what all parts have in common: what it is, its phase, its counts
 *   partition.c  a partition's batches: made, recycled, dropped; a partition halted
 *   outbox.c   messages on their way to Kafka: owned, sent and told by the loop's turn
 *   dead_letters.c  dead records ─► dead letter topic, acknowledged before the batch commits
 *   receipts.c committed batch ─► results topic; watermarks
 *   pending_children.c  records that wait for those they refer to
 *   membership.c  assigned ─► claimed ─► reading; revoked ─► drained ─► given up
 *   intake.c   message ─► record ─► row in the partition's open batch
 *   flow.c     open batch ─► sink ─► done | retry | halt; budget and pausing
 *   stall.c    is each partition that is ours being read?
 *   halts.c    halted ones: the results topic is told; resumed ones are claimed again
 *   ending.c   --until-end: are those that others have at their ends, too?
 *   life.c     start, turns, stop
 *   work.c     `drover work`: the loop, signals, Kafka
 *
 * A part knows those above it in this list, by what its struct says, and none below. All but work.c
 * know ports only (common/port, common/io/stores.h), so that the same worker runs over memory: in a
 * rehearsal, in unit tests and in the simulation (tests/sim).
 */

#include "common/port/checkpoint.h"
#include "common/port/sink.h"
#include "worker/ending.h"
#include "worker/flow.h"
#include "worker/halts.h"

struct stalls;
struct uv_loop_s;

/* What a worker needs of the world; all of it outlives the worker. */
struct worker_world {
    struct bus *bus;
    const struct clock *clock;
    store_open *open;                   /* NULL: the store of the settings is checked and opened */
    const struct mapping_set *mappings; /* NULL: those of the settings are read */
    const struct worker_replay *replay; /* NULL: the group of the settings hands out partitions */
    struct uv_loop_s *loop;             /* the store's; NULL over memory */
    void *owner;                        /* of on_ended, and of who has an `open` of its own */
    /* Nothing of the worker calls anybody any more: free it. left: what did not end in its time and
     * may still be using the worker, which is not freed then; NULL: nothing. */
    void (*on_ended)(void *owner, const char *left);
};

struct worker {
    struct worker_world world;
    struct worker_config config;
    struct worker_state state;
    struct worker_ports ports;
    struct partitions partitions;
    struct dead_letters dead_letters;
    struct receipts receipts;
    struct membership membership;
    struct intake intake;
    struct flow flow;
    struct halts halts;
    struct ending ending;
    struct stalls *stalls; /* from the start on */
    bool checked;          /* the stores, by themselves */
    int open_parts;        /* stores still to close */
    uint64_t started_ms, leave_by_ms, last_commit_ms, last_followed_ms;
};

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

#endif
