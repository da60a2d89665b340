#ifndef DROVER_IO_PG_CHECKPOINT_H
#define DROVER_IO_PG_CHECKPOINT_H

/*
 * The checkpoint port over drover.partition_progress. One connection of its own; requests run in
 * order, one round trip each. (Row level security is pg_gate.h's, before.)
 */

#include <uv.h>

#include "common/io/postgres/pg_connection.h"
#include "common/port/checkpoint.h"

/* `hybrid`: redis_next is moved by whoever writes Redis. `connection` is copied. Connects at once.
 */
struct checkpoint *pg_checkpoint_new(uv_loop_t *loop, const struct pg_connection_config *connection,
                                     const struct checkpoint_config *config, bool hybrid,
                                     const struct checkpoint_events *events, void *owner);

#endif
