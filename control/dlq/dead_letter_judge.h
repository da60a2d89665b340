#ifndef DROVER_CONTROL_DEAD_LETTER_JUDGE_H
#define DROVER_CONTROL_DEAD_LETTER_JUDGE_H

/*
 * What became of dead letters that were sent again. For drover dlq replay, when it has waited for
 * the workers and read the register again: that one says what was refused again or is not taken
 * yet, the store which version it holds of what was taken.
 */

#include "control/dlq/dead_letter_maker.h"
#include "control/dlq/dead_letter_result.h"

/* Gives FATE_SENT and FATE_ON_WAY another fate where it is known, and tells the codes of what was
 * refused. */
MUST_USE enum outcome dead_letter_judge(struct dead_letter_result *result,
                                        struct dead_letter_register *all,
                                        struct dead_letter_maker *maker, struct error *err);

#endif
