#ifndef DROVER_CONTROL_DEAD_LETTER_RESULT_H
#define DROVER_CONTROL_DEAD_LETTER_RESULT_H

/* What became of the dead letters that drover dlq replay chose, and how that is told. */

#include "control/command.h"
#include "control/dlq/dead_letter_picks.h"
#include "control/dlq/dead_letter_tally.h"

/* `outcome` of a pick. */
enum fate {
    FATE_CHOSEN,
    FATE_SENT,
    FATE_ON_WAY,  /* sent before, by somebody else or an earlier call */
    FATE_UNNAMED, /* it names no record, and no entity was given */
    FATE_STRANGE, /* nothing says that it is a dead letter */
    FATE_TOO_LARGE,
    FATE_LANDED,
    FATE_NEWER,    /* the store holds a newer version */
    FATE_CONFLICT, /* the store holds the same version with other content */
    FATE_REFUSED,
    FATE_WAITING, /* taken, but neither in the store nor dead: its parent is not there; or not taken
                     yet. An older version of it may be in the store. */
    FATE_COUNT,
};

struct dead_letter_result {
    struct dead_letter_picks picks;
    struct dead_letter_tally refused; /* again; of --dry-run those that would be */
    uint64_t missing;                 /* no longer in their topic */
    uint64_t untold;                  /* of --dry-run: the store decides */
    bool passes_here; /* of those refused again, one would not be under the mappings of here */
    bool is_untaken;  /* these are not the newest that are registered */
};

void dead_letter_result_free(struct dead_letter_result *result);
uint64_t dead_letter_result_count(const struct dead_letter_result *result, enum fate fate);
/* Of --dry-run, where FATE_LANDED is what would pass; on standard output, or in the answer. Tells
 * whether all would. */
bool dead_letter_result_tell_tried(const struct dead_letter_result *result, struct answer *answer);
/* When it was sent, and judged (dead_letter_judge.h), as the run of that name. Tells whether
 * nothing is left to be done. */
bool dead_letter_result_tell(const struct dead_letter_result *result, const char *run,
                             struct answer *answer);

#endif
