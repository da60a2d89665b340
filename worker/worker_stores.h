#ifndef DROVER_WORKER_WORKER_STORES_H
#define DROVER_WORKER_WORKER_STORES_H

/* Which sink, progress and stage a storage has; the rest of the worker knows their ports only. */

#include "worker/worker.h"

/* What must hold before the loop runs: row level security, a lock. */
MUST_USE enum outcome worker_stores_check(struct worker *worker, struct error *err);
/* Opens sink, progress and, for hybrid, the stage. */
MUST_USE enum outcome worker_stores_open(struct worker *worker, struct error *err);
/* Begins to close them, and ends the batches they have; each counts in open_parts until
 * worker_store_closed. */
void worker_stores_close(struct worker *worker);
void worker_stores_free(struct worker *worker);

#endif
