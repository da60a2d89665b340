#ifndef DROVER_IO_REDIS_REBUILD_H
#define DROVER_IO_REDIS_REBUILD_H

/* `drover rebuild redis` as a child process of the worker, with the worker's settings: it reads
 * every row of PostgreSQL, which is no work for the loop. Of several workers' children one does it,
 * by a lock in PostgreSQL; the others end at once. */

#include <stdbool.h>
#include <uv.h>

#include "common/io/settings.h"

struct redis_rebuild;

struct redis_rebuild *redis_rebuild_new(uv_loop_t *loop, const struct settings *settings,
                                        const char *program, void (*on_ended)(void *owner, bool ok),
                                        void *owner);
/* Nothing when it is running already. */
void redis_rebuild_start(struct redis_rebuild *rebuild);
bool redis_rebuild_is_running(const struct redis_rebuild *rebuild);
/* Ends a running one. */
void redis_rebuild_close(struct redis_rebuild *rebuild, void (*on_closed)(void *owner));

#endif
