#ifndef DROVER_CONTROL_RESUME_PLAN_H
#define DROVER_CONTROL_RESUME_PLAN_H

/*
 * What a halted partition waits for, and what its checkpoint becomes when it is to go on. Decides
 * only; cmd_resume.c asks and does.
 *
 *   cause put right (a dead letter that did not fit …)   goes on where it stands
 *   numbers of a run are missing                         goes on behind them, when that is accepted
 *   offsets are gone from the topic                      the same, at the first one that is there
 *   applied, gone, and not yet in Redis (hybrid)         the same: drover rebuild redis fills it
 *   the stored numbers cannot be read                    the same, with none
 *   the topic ends before what was committed             never: it is another topic
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/model/message/halted.h"
#include "common/port/checkpoint_editor.h"

/* What is known of a partition. */
struct resume_case {
    int32_t partition;
    struct checkpoint_image image;
    bool has_halted; /* `halted` is current */
    struct halted halted;
    int64_t low, high; /* of the source topic */
};

struct resume_plan {
    const char *code;       /* "DRV-E002": why it halted; empty: it did not */
    char cause[260];        /* one sentence */
    bool gives_up;          /* going on loses something, of which the rest is said */
    char what[200];         /* "2 messages of run R, numbers 17 to 18" */
    int64_t from, to;       /* offsets [from, to) that are given up; equal: none */
    char run[80];           /* whose numbers, */
    int64_t first, last;    /* which; both -1: none */
    bool forgets_sequences; /* all runs are taken as they come, up to the topic's end of now */
    int64_t next_offset;    /* where it goes on */
};

/* OUT_FATAL: it cannot be resumed: DRV-W014 it is not halted, DRV-K005 it is another topic. */
MUST_USE enum outcome resume_plan_decide(const struct resume_case *known, bool hybrid,
                                         struct resume_plan *plan, struct error *err);
/* The checkpoint as it is to be. OUT_FATAL DRV-W011 when the stored numbers cannot be read and are
 * to be kept. */
MUST_USE enum outcome resume_plan_make(const struct resume_case *known,
                                       const struct resume_plan *plan, struct checkpoint_image *now,
                                       struct error *err);

#endif
