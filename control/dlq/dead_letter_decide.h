#ifndef DROVER_CONTROL_DEAD_LETTER_DECIDE_H
#define DROVER_CONTROL_DEAD_LETTER_DECIDE_H

/* A decision about dead letters, however many, into the control topic. */

#include "common/port/bus.h"
#include "control/dlq/dead_letter_picks.h"

/* About those of `picks` where is_wanted (NULL: all), and no others, whatever the cache has by
 * then; stored for good when it returns OUT_OK, and *count tells how many. decision: kind, why,
 * run. DRV-K003 when there is no control topic. */
MUST_USE enum outcome dead_letter_decide(struct dead_letter_register *dead_letters,
                                         const struct dead_letter_picks *picks,
                                         bool (*is_wanted)(const struct dead_letter_pick *pick),
                                         const struct decision *decision, uint64_t *count,
                                         struct error *err);

#endif
