#ifndef DROVER_VERIFIER_STORES_H
#define DROVER_VERIFIER_STORES_H

/*
 * Stores other than PostgreSQL's tables, read through the stored port: what they keep is a record's
 * canonical JSON, so only documents are compared, not what columns hold from outside of them.
 */

#include "verifier/actual.h"
#include "verifier/rows.h"

/* The store of settings->storage. The caller closes it. */
MUST_USE enum outcome stores_open(const struct verify_run *run, struct stored_reader **store,
                                  struct error *err);
/* All records of run->store for run->pass. Reads a store that was read to its end once more. */
MUST_USE enum outcome stores_read(struct verify_run *run, struct actual_extras *extras,
                                  struct error *err);
/* A record's digest with that of its hash's fields, on both sides of the comparison; *digest stays
 * when there are none. */
void stores_join_fields(struct bytes fields, struct digest *digest);
/* A stored record as a row; `doc` may be NULL, else the caller frees what it got (NULL when it is
 * deleted or cannot be read back). */
void stores_take(struct verify_run *run, const struct verify_mapping *item,
                 const struct stored *stored, bool readable, struct judge_row *row,
                 yyjson_doc **doc);

#endif
