#ifndef DROVER_CONTROL_DEAD_LETTER_WAIT_H
#define DROVER_CONTROL_DEAD_LETTER_WAIT_H

/* Waiting until the workers have applied messages of the source topic, as the checkpoint says. */

#include "control/dlq/dead_letter_progress.h"
#include "control/dlq/dead_letter_register.h"

/* targets by partition: one behind the last message that is waited for; 0: none is. Returns OUT_OK
 * also when wait_ms (0: without an end) is over; OUT_RETRY when a signal came. A store that is away
 * is waited for. */
MUST_USE enum outcome dead_letter_wait(struct dead_letter_register *all, const int64_t *targets,
                                       uint64_t wait_ms, struct dead_letter_progress *progress,
                                       struct error *err);

#endif
