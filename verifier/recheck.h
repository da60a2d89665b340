#ifndef DROVER_VERIFIER_RECHECK_H
#define DROVER_VERIFIER_RECHECK_H

/*
 * The recheck: only what is still wrong at a later snapshot counts. Each suspect's source record
 * and row are read again, one by one, and compared member by member, so that a report can name what
 * differs and what a tolerance covers.
 *
 *   suspects of a pass ─ sort by place ─ read those records again ─ chunk ─ fetch rows ─ judge
 *
 * Counts are exact for any number of suspects; compared again are VERIFY_RECHECK_MAX a verdict, and
 * all that a tolerance could clear.
 */

#include "verifier/actual.h"

MUST_USE enum outcome recheck_run(struct verify_run *run, struct actual_extras *extras,
                                  struct error *err);
/* read_once, where nothing can be read again: names what is wrong by its place in the source, and
 * extra rows as far as the store knows them. */
void recheck_name_only(struct verify_run *run, const struct actual_extras *extras);

#endif
