#ifndef DROVER_CONTROL_REPLAY_H
#define DROVER_CONTROL_REPLAY_H

/*
 * `drover replay`: ranges of the source topic read once more beside the workers, by a worker of its
 * own (worker/work.h) whose group nobody else has: <group>.replay.<id>. The id is made of what was
 * asked for, so the same command goes on where an earlier one was interrupted; what it reads is
 * kept with its checkpoints (policy/apply/replay_plan.h).
 *
 *   replay_find      what the topic, the workers' checkpoints and those of the replay say: what is
 *                    asked for (replay_ranges.h), what an earlier call began (replay_kept.h), and
 *                    what of it the topic has no longer
 *   replay_kept.h    its checkpoints: made before it reads, gone when all is read
 *   replay_dead_letters.h  the dead letters among it, and which of them land
 *   replay_view.c    what is shown meanwhile, and in the end
 */

#include "common/io/stores.h"
#include "common/model/mapping/mapping_set.h"
#include "common/model/message/topic.h"
#include "common/policy/apply/replay_plan.h"
#include "common/port/bus.h"
#include "control/dlq/dead_letter_tally.h"
#include "worker/state.h"

#define REPLAY_ID_SIZE 33
#define REPLAY_SERVER_MS 8000 /* longest wait for an answer of a server */

struct worker;

/* One partition's part. */
struct replay_part {
    struct replay_range range;
    int64_t next_offset; /* how far it is: below are those that were read by earlier calls */
    bool kept;           /* its checkpoint is there */
    /* Offsets [gone_from, gone_to) are needed and no longer in the topic; and `were` what. */
    int64_t gone_from, gone_to;
    const char *gone_were;
};

/* Nothing when there are none. */
static inline void replay_part_lost(struct replay_part *part, int64_t from, int64_t to,
                                    const char *were)
{
    if (from >= to)
        return;
    part->gone_from = from;
    part->gone_to = to;
    part->gone_were = were;
}

/* Why nothing is to be read. */
enum replay_nothing {
    REPLAY_NOTHING_SENT,  /* there is no message in what was asked for */
    REPLAY_NOTHING_YET,   /* it begins behind the end of the topic */
    REPLAY_NOTHING_TAKEN, /* it begins behind the workers' place */
};

struct replay {
    const struct settings *settings;
    char id[REPLAY_ID_SIZE];
    char group[300];
    char go_on[64]; /* the command that goes on with it */
    char pin[MAPPING_PIN_SIZE];
    char topics[TOPIC_KINDS][TOPIC_NAME_SIZE];
    struct bus *bus;
    struct checkpoint_editor *editor;
    int32_t partition_count;
    struct bus_range *topic; /* [low, high) of each partition */
    struct replay_part *parts;
    size_t count;
    struct replay_plan plan;
    struct buf texts;            /* of the plan, when it was kept */
    bool has_other_mappings;     /* an earlier call began it under others: it begins anew */
    enum replay_nothing nothing; /* where no part is left */
    uint64_t gone;               /* offsets of all parts that are gone; accepted, when it goes on */

    /* of the worker, when it has ended */
    struct worker_counts counts;
    uint64_t resolved;             /* dead letters whose records landed */
    struct dead_letter_tally dead; /* those that this call made, or made again */
    uint64_t began_ms;
};

/* OUT_FATAL DRV-C001 what was asked for is nothing, DRV-K005 some of it is gone from the topic and
 * that is not accepted, DRV-W017 another call works on it. */
MUST_USE enum outcome replay_find(struct replay *replay, struct error *err);
void replay_close(struct replay *replay);

/* Offsets of all ranges, and those below what was read. */
void replay_sum(const struct replay *replay, uint64_t *all, uint64_t *read);

/* While it reads: drawn in place on a terminal, else nothing. */
struct replay_view;
struct replay_view *replay_view_new(struct replay *replay);
void replay_view_on_tick(void *view, const struct worker *worker, bool done);
/* Draws how far it came, as the parts say by now, and frees it. */
void replay_view_end(struct replay_view *view);
/* `done`: it is over, and its checkpoints are gone. */
void replay_show(const struct replay *replay, bool done);

#endif
