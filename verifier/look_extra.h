#ifndef DROVER_VERIFIER_LOOK_EXTRA_H
#define DROVER_VERIFIER_LOOK_EXTRA_H

#include "verifier/actual.h"
#include "verifier/look_chunk.h"

/* Looks at the kept extra rows again, in the later snapshot: those that are gone or explained
 * by now are taken off the counts, the others become samples. */
MUST_USE enum outcome look_extra_judge(struct verify_run *run, const struct look_stores *stores,
                                       struct actual_extras *extras, struct error *err);

#endif
