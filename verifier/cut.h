#ifndef DROVER_VERIFIER_CUT_H
#define DROVER_VERIFIER_CUT_H

/*
 * The cut: one snapshot of the database, and in it the offset up to which each partition's records
 * are in that same snapshot. The worker moves rows and offset in one transaction, so a record below
 * the cut that is not there is missing, and one at or above it is only not yet its turn.
 */

#include "verifier/verify_run.h"

/* Reads partition_progress in the session's snapshot into the partitions' `cut` (their low when
 * there is no progress). */
MUST_USE enum outcome cut_read(struct verify_run *run, PGconn *session,
                               struct verify_partition *partitions, size_t count,
                               struct error *err);
/* The same of a store that is not PostgreSQL. */
MUST_USE enum outcome cut_read_store(const struct verify_run *run, struct stored_reader *store,
                                     struct verify_partition *partitions, size_t count,
                                     struct error *err);
/* Opens run->snapshot or run->store, fills report.partitions: low, cut, high. */
MUST_USE enum outcome cut_take(struct verify_run *run, struct error *err);

#endif
