#ifndef DROVER_CONTROL_STATUS_SCREEN_H
#define DROVER_CONTROL_STATUS_SCREEN_H

/* Parts of the answer of `drover status` that are not the table of its partitions, for people and
 * for machines. */

#include "common/base/buf.h"
#include "common/base/json_out.h"
#include "control/status/status.h"

#define STATUS_SOURCES_SHOWN 10 /* those read last; more are a sum */

/* The last reading of each source, and the sum of the source records. */
void status_screen_append_sources(struct buf *out, const struct status *status, size_t width);
void status_screen_append_dead_letters(struct buf *out, const struct status *status, size_t width);
/* Halted partitions: why, and the command that helps. */
void status_screen_append_halted(struct buf *out, const struct status *status, size_t width);
/* Of one of them that command: "drover resume 3 --accept-gap --reason TEXT". */
void status_screen_append_command(struct buf *out, const struct status *status,
                                  const struct halted *halted);
/* How far the workers are behind: messages, and since when the oldest of them waits. */
void status_screen_append_lag(struct buf *out, const struct status *status, int64_t now_ms);

/* "sources", "dead_letters", "halted", "lag_seconds": members of the object that is open. */
void status_screen_append_json(struct json_out *out, const struct status *status, int64_t now_ms);

#endif
