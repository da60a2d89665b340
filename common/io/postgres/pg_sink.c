/* The sink contract over connections: who is free, opening and closing. A batch's way is
 * pg_writer.c. */

#include "common/io/postgres/pg_sink.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/postgres/pg_writer.h"

/* Parameters of one group. A batch's arena ends far below (work.batch_bytes has a limit). */
#define MEMORY_MAX INT_MAX
#define CONNECTIONS_MAX 64

static struct pg_sink *of(struct sink *sink)
{
    return (struct pg_sink *)sink;
}

static struct writer *free_writer(struct pg_sink *sink)
{
    for (int i = 0; i < sink->writer_count; i++)
        if (sink->writers[i].phase == PHASE_FREE && sink->writers[i].is_ready)
            return &sink->writers[i];
    return NULL;
}

static bool can_submit(struct sink *base)
{
    return !of(base)->closing && free_writer(of(base)) != NULL;
}

static void submit(struct sink *base, struct batch *batch)
{
    struct writer *writer = free_writer(of(base));
    assert(writer && "submit without can_submit");
    batch->sink_state = writer;
    writer->batch = batch;
    pg_writer_start(writer);
}

static void commit(struct sink *base, struct batch *batch)
{
    struct writer *writer = batch->sink_state;
    (void)base;
    if (writer && writer->batch == batch && writer->phase == PHASE_WAIT)
        pg_writer_start_commit(writer);
}

static void give_up(struct sink *base, struct batch *batch)
{
    struct writer *writer = batch->sink_state;
    (void)base;
    if (writer && writer->batch == batch && writer->phase == PHASE_WAIT)
        pg_writer_give_up(writer);
}

static void free_sink(struct pg_sink *sink)
{
    for (size_t i = 0; i < sink->mappings->count; i++)
        pg_upsert_free(sink->upserts[i]);
    free(sink->upserts);
    free(sink->repeats);
    free(sink->said);
    pg_bulk_free(sink->bulk);
    pg_tenants_free(sink->tenants);
    free(sink->writers);
    buf_free(&sink->memory);
    free(sink);
}

static void on_connection_closed(void *owner)
{
    struct writer *writer = owner;
    struct pg_sink *sink = writer->sink;
    if (--sink->open_connections)
        return;
    void (*on_closed)(void *) = sink->on_closed;
    void *base_owner = sink->base.owner;
    free_sink(sink);
    on_closed(base_owner);
}

/* A batch still in flight ends as one whose outcome nobody knows; its transaction ends with the
 * connection. */
static void close_sink(struct sink *base, void (*on_closed)(void *owner))
{
    struct pg_sink *sink = of(base);
    struct error err;
    sink->closing = true;
    sink->on_closed = on_closed;
    error_set(&err, OUT_RETRY, ERR_PG_TRANSIENT, "the sink was closed");
    for (int i = 0; i < sink->writer_count; i++) {
        struct writer *writer = &sink->writers[i];
        if (writer->batch) {
            writer->batch->outcome_unknown = true;
            pg_writer_finish(writer, OUT_RETRY, &err);
        }
        pg_connection_close(writer->connection, on_connection_closed);
    }
}

/*
 * A writer's statements are prepared, and any plan of theirs but one is wrong: rows out of arrays,
 * each with a probe of the primary key. Left to itself PostgreSQL plans them anew with every batch,
 * since a plan for the arrays at hand looks cheaper than one for any: 0.25 ms of CPU, more than a
 * small batch's rows need. A plan that is kept must not be one for a table that was small when it
 * was made, so reading a whole table is no choice.
 */
#define SESSION_DEFAULTS "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off"

struct sink *pg_sink_new(uv_loop_t *loop, const struct pg_connection_config *config,
                         int connections, const struct mapping_set *mappings,
                         const struct sink_events *events, void *owner)
{
    static const struct sink_ops OPS = {can_submit, submit, commit, give_up, close_sink};
    assert(connections >= 1 && connections <= CONNECTIONS_MAX);
    struct pg_sink *sink = mem_new(sizeof *sink);
    struct pg_connection_config writer = *config;
    writer.defaults = SESSION_DEFAULTS;
    sink->base = (struct sink){.ops = &OPS, .events = *events, .owner = owner};
    sink->mappings = mappings;
    sink->upserts = mem_zeroed(mappings->count + 1, sizeof *sink->upserts);
    sink->repeats = mem_zeroed(mappings->count + 1, sizeof *sink->repeats);
    sink->said = mem_zeroed(mappings->count + 1, sizeof *sink->said);
    sink->writers = mem_zeroed((size_t)connections, sizeof *sink->writers);
    for (size_t i = 0; i < mappings->count; i++)
        sink->upserts[i] = pg_upsert_new(mappings, i);
    sink->bulk = pg_bulk_new(mappings);
    sink->tenants = pg_tenants_new(mappings);
    buf_init(&sink->memory, MEMORY_MAX);
    sink->writer_count = sink->open_connections = connections;
    for (int i = 0; i < connections; i++) {
        sink->writers[i].sink = sink;
        sink->writers[i].connection =
            pg_connection_new(loop, &writer, &PG_WRITER_EVENTS, &sink->writers[i]);
    }
    return &sink->base;
}
