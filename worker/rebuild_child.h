#ifndef DROVER_WORKER_REBUILD_CHILD_H
#define DROVER_WORKER_REBUILD_CHILD_H

/* `drover rebuild redis` as a child process of the worker, with the worker's settings: it reads
 * every row of PostgreSQL, which is no work for the loop. Of several workers' children one does it,
 * by a lock in PostgreSQL; the others end at once. */

#include <stdbool.h>
#include <uv.h>

#include "common/io/settings.h"

struct rebuild_child;

struct rebuild_child *rebuild_child_new(uv_loop_t *loop, const struct settings *settings,
                                        void (*on_ended)(void *owner, bool good), void *owner);
/* Nothing when it is running already. */
void rebuild_child_start(struct rebuild_child *child);
bool rebuild_child_is_running(const struct rebuild_child *child);
/* Ends a running one. */
void rebuild_child_close(struct rebuild_child *child, void (*on_closed)(void *owner));

#endif
