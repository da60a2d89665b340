#ifndef DROVER_WORKER_WORKER_STORES_H
#define DROVER_WORKER_WORKER_STORES_H

/* The stores of a worker that has servers: which sink, checkpoint, stage and pending a storage has.
 * One worker a process. */

#include "worker/worker.h"

extern const struct worker_stores WORKER_STORES_SERVERS;

#endif
