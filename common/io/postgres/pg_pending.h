#ifndef DROVER_IO_PG_PENDING_H
#define DROVER_IO_PG_PENDING_H

/*
 * Pending children in PostgreSQL (common/port/pending.h over pg_sweep.h): sweeps run in libuv's
 * pool, on connections of their own; rows of what got in are read back there as well.
 */

#include <uv.h>

#include "common/io/mappings.h"
#include "common/io/settings.h"
#include "common/port/bus.h"
#include "common/port/checkpoint.h"
#include "common/port/pending.h"

/* All of it outlives the port. */
struct pg_pending_config {
    const struct settings *settings;
    struct checkpoint_config checkpoint; /* the group's */
    struct bus *bus;                     /* asked, in the pool, where the topic ends */
    bool wants_rows;                     /* of what got in, and has a Redis form */
};

struct pending *pg_pending_new(uv_loop_t *loop, const struct pg_pending_config *config,
                               const struct pending_events *events, void *owner);

#endif
