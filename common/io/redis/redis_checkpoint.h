#ifndef DROVER_IO_REDIS_CHECKPOINT_H
#define DROVER_IO_REDIS_CHECKPOINT_H

/* storage: redis. The checkpoint port: hashes in Redis, which the batches' script moves on. */

#include <uv.h>

#include "common/io/mappings.h"
#include "common/io/settings.h"
#include "common/port/checkpoint.h"

struct redis_checkpoint_config {
    const char *group, *topic, *worker; /* `worker`: the owner's name */
    int32_t partitions;                 /* of the topic, to be pinned */
    const struct mapping_set *mappings;
};

/* Texts and mappings must outlive it. */
MUST_USE enum outcome redis_checkpoint_new(uv_loop_t *loop, const struct settings *settings,
                                           const struct redis_checkpoint_config *config,
                                           const struct checkpoint_events *events, void *owner,
                                           struct checkpoint **checkpoint, struct error *err);

#endif
