#ifndef DROVER_CONTROL_REPLAY_H
#define DROVER_CONTROL_REPLAY_H

/*
 * `drover replay`: ranges of the source topic read once more beside the workers, by a worker of its
 * own (worker/work.h) whose group nobody else has: <group>.replay.<id>. The id is made of what was
 * asked for, so the same command goes on where an earlier one was interrupted; what it reads is
 * kept with its checkpoints (policy/apply/replay_plan.h).
 *
 *   replay_find    what the topic, the workers' checkpoints and those of the replay say
 *   replay_make    its checkpoints, where they are not there yet
 *   replay_dead_letters.h  the dead letters among it, and which of them land
 *   replay_forget  takes them away, when all is read
 *   replay_view.c  what is shown meanwhile, and in the end
 */

#include "common/io/stores.h"
#include "common/model/message/topic.h"
#include "common/policy/apply/replay_plan.h"
#include "common/port/bus.h"
#include "worker/state.h"

#define REPLAY_ID_SIZE 33

struct worker;

/* One partition's part. */
struct replay_part {
    struct replay_range range;
    int64_t next_offset; /* how far it is: below are those that were read by earlier calls */
    int64_t gone;        /* offsets that were asked for and are no longer in the topic */
    bool kept;           /* its checkpoint is there */
    char owner[128];     /* of a call that did not end by itself; or empty */
};

struct replay {
    const struct settings *settings;
    char id[REPLAY_ID_SIZE];
    char group[300];
    char topics[TOPIC_KINDS][TOPIC_NAME_SIZE];
    struct bus *bus;
    struct checkpoint_editor *editor;
    int32_t partition_count;
    struct bus_range *topic; /* [low, high) of each partition */
    struct replay_part *parts;
    size_t count;
    struct replay_filter filter;
    struct buf texts; /* of the filter, when it was kept */

    /* of the worker, when it has ended */
    struct worker_counts counts;
    uint64_t resolved; /* dead letters whose records landed */
    uint64_t began_ms;
};

/* OUT_FATAL DRV-C001 what was asked for is nothing, DRV-W017 another call works on it. */
MUST_USE enum outcome replay_find(struct replay *replay, struct error *err);
MUST_USE enum outcome replay_make(struct replay *replay, struct error *err);
/* How far it is now. */
MUST_USE enum outcome replay_look(struct replay *replay, bool *done, struct error *err);
MUST_USE enum outcome replay_forget(struct replay *replay, struct error *err);
void replay_close(struct replay *replay);

/* Offsets of all ranges, and those below what was read. */
void replay_sum(const struct replay *replay, uint64_t *all, uint64_t *read);

/* While it reads: drawn in place on a terminal, else nothing. */
struct replay_view;
struct replay_view *replay_view_new(struct replay *replay);
void replay_view_on_tick(void *view, const struct worker *worker, bool done);
void replay_view_free(struct replay_view *view);
/* `done`: it is over, and its checkpoints are gone. */
void replay_show(const struct replay *replay, bool done);

#endif
