#ifndef DROVER_VERIFIER_LOOK_H
#define DROVER_VERIFIER_LOOK_H

/*
 * The second look: only what is still wrong at a later cut counts. Each suspect's source record and
 * row are read again, one by one, and compared member by member, so that a report can name what
 * differs and what a tolerance covers.
 *
 *   suspects of a pass ─ sort by place ─ read those records again ─ chunk ─ fetch rows ─ judge
 *
 * Counts are exact for any number of suspects; looked at are VERIFY_LOOKED_MOST a verdict, and all
 * that a tolerance could clear.
 */

#include "verifier/actual.h"
#include "verifier/verify_run.h"

MUST_USE enum outcome look_again(struct verify_run *run, struct actual_extras *extras,
                                 struct error *err);

#endif
