#ifndef DROVER_IO_REDIS_SINK_H
#define DROVER_IO_REDIS_SINK_H

/*
 * storage: redis. The sink port over Redis alone (its progress: redis_checkpoint.h): a batch is one
 * run of the script `apply`, which checks the epoch and the start, writes every record by its
 * version and moves the partition's next_offset, all or nothing. See redis_script.h for what is
 * kept.
 */

#include <uv.h>

#include "common/io/settings.h"
#include "common/port/sink.h"

/* OUT_FATAL when the url cannot be used. Connects at once. */
MUST_USE enum outcome redis_sink_new(uv_loop_t *loop, const struct settings *settings,
                                     const struct sink_events *events, void *owner,
                                     struct sink **sink, struct error *err);

#endif
