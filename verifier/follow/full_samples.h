#ifndef DROVER_VERIFIER_FOLLOW_FULL_SAMPLES_H
#define DROVER_VERIFIER_FOLLOW_FULL_SAMPLES_H

/* Samples of what a full pass found, from the document that `drover verify --json` ended with: of
 * records, and of what it checks beside them. Values are in it as it shows them. Pure. */

#include "common/base/arena.h"
#include "common/policy/verify/follow_report.h"

/* Those of discrepancies, at most `max`, seen at `unix_ms`; in the arena. Less than all of them
 * when that is full; none of what is no such document. */
size_t full_samples_read(struct bytes json, int64_t unix_ms, size_t max, struct arena *arena,
                         struct follow_sample **samples);

#endif
