#ifndef DROVER_IO_REDIS_CHECKPOINT_H
#define DROVER_IO_REDIS_CHECKPOINT_H

/* storage: redis. The checkpoint port: hashes in Redis, which the batches' script moves on. */

#include <uv.h>

#include "common/io/settings.h"
#include "common/port/checkpoint.h"

/* `settings` must outlive it. OUT_FATAL when the url cannot be used. */
MUST_USE enum outcome redis_checkpoint_new(uv_loop_t *loop, const struct settings *settings,
                                           const struct checkpoint_config *config,
                                           const struct checkpoint_events *events, void *owner,
                                           struct checkpoint **checkpoint, struct error *err);

#endif
