#ifndef DROVER_WORKER_STATE_H
#define DROVER_WORKER_STATE_H

/*
 * What the parts of a worker have in common: what it is, how far its life is, and what it counted.
 * Everything else belongs to one part, which is in its header.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/error.h"
#include "common/io/settings.h"
#include "common/io/stores.h"
#include "common/model/mapping/mapping_set.h"
#include "common/model/message/receipt.h"
#include "common/model/message/topic.h"
#include "common/policy/apply/replay_plan.h"
#include "common/policy/totals.h"
#include "common/port/bus.h"
#include "common/port/clock.h"

/* What a worker reads that is in no group: these ranges once more, and then it ends. Texts and
 * ranges outlive the worker; the ranges' checkpoints are made before it starts. */
struct worker_replay {
    const char *group; /* of its own: no partition of another group is moved by it */
    const struct replay_range *ranges; /* of different partitions */
    size_t count;
    struct replay_plan plan;
    const int64_t *read_to; /* by partition: `to` of its range, 0 without one */
    /* Told of each record what it came to, when the store has it for good; NULL: nobody asks. Of
     * those that had waited whoever read them is meant, so also of others than the ranges'. */
    void (*on_record)(void *owner, int32_t partition, int64_t offset, enum record_class the_class);
    void *owner;
    const char *go_on; /* the command that goes on with it, as a person types it */
};

/* What does not change once the worker is open. */
struct worker_config {
    const struct settings *settings;
    struct bus *bus;
    const struct clock *clock;
    const struct store *store;
    struct mapping_set mappings;
    const char *group;
    const struct worker_replay *replay; /* NULL: the group hands out partitions */
    char source[TOPIC_NAME_SIZE], name[128];
    int32_t partition_total;
};

/* What the opening of the stores gave; NULL: there is none, or it is closed. */
struct worker_ports {
    struct sink *sink;
    struct checkpoint *checkpoint;
    struct redis_stage *stage;        /* hybrid; else NULL */
    struct pending_children *pending; /* when a mapping refers to another; else NULL */
};

struct worker_counts {
    uint64_t polled;
    uint64_t taken;       /* of them: in batches that were written */
    uint64_t passed_over; /* a replay's: of other tenants and entities than are wanted */
    uint64_t classes[CLASS_COUNT];
    uint64_t metrics[METRIC_COUNT];
    uint64_t fenced;
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

struct worker_state {
    const struct worker_config *config;
    enum worker_phase phase;
    uint64_t phase_by_ms;
    bool revoking;          /* the group wants its partitions back: nothing new is begun */
    size_t in_flight_bytes; /* read and not written */
    bool store_lost;
    struct error store_trouble; /* while the store is lost */
    struct error redis_trouble; /* of the stage that closed while Redis was away; else ERR_NONE */
    struct worker_counts counts;
    enum exit_code exit_code;
    struct error failure; /* why it stops, when it was not asked to */
};

/* It reads and writes: it runs, and no revocation is on its way. */
static inline bool state_is_working(const struct worker_state *state)
{
    return state->phase == WORKER_RUNNING && !state->revoking;
}
/* The next phase, and how long it may take. */
void state_enter(struct worker_state *state, enum worker_phase phase, uint64_t max_ms);
/* Begins to stop, unless it has begun: drains first. */
void state_stop(struct worker_state *state);
/* Stops the worker with an error: drains, then exits with its code. */
void state_fail(struct worker_state *state, const struct error *err);

/* Of a replay whose records somebody asks for; else nothing. */
void state_tell_record(const struct worker_state *state, int32_t partition, int64_t offset,
                       enum record_class the_class);

/* SIGUSR1's handler. */
void state_on_nothing_comes(int number);
/* Somebody who knows said (SIGUSR1) that nothing more will be produced. */
bool state_nothing_comes(void);

#endif
