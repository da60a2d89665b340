#ifndef DROVER_IO_PG_CHECKPOINT_H
#define DROVER_IO_PG_CHECKPOINT_H

/*
 * The checkpoint port over drover.partition_progress. One connection of its own; requests run in
 * order, one round trip each. (Row level security is pg_gate.h's, before.)
 */

#include <uv.h>

#include "common/io/mappings.h"
#include "common/io/postgres/pg_connection.h"
#include "common/port/checkpoint.h"

struct pg_checkpoint_config {
    struct pg_connection_config connection;
    const char *group, *topic, *worker; /* `worker`: the owner's name in the table */
    int32_t partitions;                 /* of the topic, to be pinned */
    const struct mapping_set *mappings;
    bool hybrid; /* storage hybrid: redis_next is moved by whoever writes Redis */
};

/* Texts and mappings must outlive it. Connects at once. */
struct checkpoint *pg_checkpoint_new(uv_loop_t *loop, const struct pg_checkpoint_config *config,
                                     const struct checkpoint_events *events, void *owner);

#endif
