#ifndef DROVER_IO_PG_LOOKUP_H
#define DROVER_IO_PG_LOOKUP_H

/*
 * One row by its key, as an application asks for it: a prepared statement, each time in a
 * transaction of its own, no snapshot kept. As the verifier's role. Blocking; one thread's.
 */

#include <stdbool.h>

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/io/settings.h"
#include "common/model/mapping/mapping.h"

struct pg_lookup;

/* Connects to nothing yet. `settings` outlive it. */
struct pg_lookup *pg_lookup_new(const struct settings *settings, uint64_t timeout_ms);
/* NULL is allowed. */
void pg_lookup_close(struct pg_lookup *lookup);

/* All that is done once, or before the clock runs: the connection where there is none (any more),
 * the mapping's statement, the key's cells. `mapping` outlives the lookup. OUT_REJECT: the id is
 * none of the mapping's. */
MUST_USE enum outcome pg_lookup_prepare(struct pg_lookup *lookup, const struct mapping *mapping,
                                        struct bytes tenant, struct bytes id, struct error *err);
/* The question that was prepared, and its row read; a tombstone is none. A connection that was lost
 * is made anew by the next prepare. */
MUST_USE enum outcome pg_lookup_find(struct pg_lookup *lookup, bool *found, struct error *err);

#endif
