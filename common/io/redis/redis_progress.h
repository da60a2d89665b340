#ifndef DROVER_IO_REDIS_PROGRESS_H
#define DROVER_IO_REDIS_PROGRESS_H

/* storage: redis. The progress port: hashes in Redis, which the batches' script moves on. */

#include <uv.h>

#include "common/io/mappings.h"
#include "common/io/settings.h"
#include "common/port/progress.h"

struct redis_progress_config {
    const char *group, *topic, *worker; /* `worker`: the owner's name */
    int32_t partitions;                 /* of the topic, to be pinned */
    const struct mapping_set *mappings;
};

/* Texts and mappings must outlive it. */
MUST_USE enum outcome redis_progress_new(uv_loop_t *loop, const struct settings *settings,
                                         const struct redis_progress_config *config,
                                         const struct progress_events *events, void *owner,
                                         struct progress **progress, struct error *err);

#endif
