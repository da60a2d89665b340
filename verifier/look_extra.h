#ifndef DROVER_VERIFIER_LOOK_EXTRA_H
#define DROVER_VERIFIER_LOOK_EXTRA_H

#include "verifier/actual.h"

/* Looks at the kept extra rows again, in the session's snapshot: those that are gone or explained
 * by now are taken off the counts, the others become samples. */
MUST_USE enum outcome look_extra_judge(struct verify_run *run, PGconn *session,
                                       struct actual_extras *extras, struct error *err);

#endif
