#ifndef DROVER_CONTROL_REPLAY_KEPT_H
#define DROVER_CONTROL_REPLAY_KEPT_H

/*
 * The checkpoints of a replay: one a partition, with what is read of it, under which mappings, and
 * how many there are (policy/apply/replay_plan.h). All are made before anything is read, so a call
 * that finds less of them knows that it was interrupted while they were made. Those that were made
 * under other mappings are not gone on with: the replay begins anew.
 */

#include "control/replay/replay.h"

/* What an earlier call began takes the place of what is planned. OUT_FATAL DRV-W017: another call
 * works on it; with --resume DRV-C001: there is none, or not all of it; DRV-M001: it was begun
 * under other mappings. */
MUST_USE enum outcome replay_kept_find(struct replay *replay, struct error *err);
/* Makes what is not there, and brings the others to the workers' numbers and behind what is gone
 * and accepted. OUT_FATAL DRV-W017: another call was faster; DRV-W011: the workers' numbers, which
 * it begins with, cannot be read. */
MUST_USE enum outcome replay_kept_make(struct replay *replay, struct error *err);
/* How far it is now. */
MUST_USE enum outcome replay_kept_look(struct replay *replay, bool *done, struct error *err);
/* They go, and what was pinned for the replay. */
MUST_USE enum outcome replay_kept_forget(struct replay *replay, struct error *err);

#endif
