#ifndef DROVER_CONTROL_REPLAY_RANGES_H
#define DROVER_CONTROL_REPLAY_RANGES_H

/* Which offsets a replay is asked for (--partition, --from, --to), and what of them is gone. */

#include "control/replay/replay.h"

/* Fills the parts: one a partition that is chosen, also where nothing is left to be read. OUT_FATAL
 * DRV-C001 a place that is none, an end before the
 * beginning; OUT_RETRY a server is away. */
MUST_USE enum outcome replay_ranges_plan(struct replay *replay, struct error *err);

#endif
