#ifndef DROVER_IO_PG_SINK_H
#define DROVER_IO_PG_SINK_H

/*
 * The PostgreSQL sink: batches over a few connections, each batch one fenced transaction (DESIGN
 * section 5.3). See pg_sink.c for its states, port/sink.h for the contract.
 */

#include <uv.h>

#include "common/io/mappings.h"
#include "common/io/postgres/pg_connection.h"
#include "common/port/sink.h"

/* `config` is copied; `mappings` must outlive the sink. Connects at once. */
struct sink *pg_sink_new(uv_loop_t *loop, const struct pg_connection_config *config,
                         int connections, const struct mapping_set *mappings,
                         const struct sink_events *events, void *owner);

#endif
