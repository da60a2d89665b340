/* PostgreSQL as a store: `database`, and `hybrid`, where Redis is written behind it. */

#include "common/io/postgres/pg_checkpoint.h"
#include "common/io/postgres/pg_gate.h"
#include "common/io/postgres/pg_pending.h"
#include "common/io/postgres/pg_sink.h"
#include "common/io/postgres/pg_store_reader.h"
#include "common/io/redis/redis_stage.h"
#include "common/io/redis/redis_store_row.h"
#include "common/io/stores.h"

#define CONNECT_MS 10000 /* one connection attempt of a worker */

/* ---- a worker's -------------------------------------------------------------------------- */

static enum outcome check(const struct store_opening *opening, struct error *err)
{
    return pg_gate_pass(opening->settings, opening->wait_ms, err);
}

static enum outcome check_hybrid(const struct store_opening *opening, struct error *err)
{
    enum outcome outcome = redis_store_row_check(opening, err);
    return outcome == OUT_OK ? check(opening, err) : outcome;
}

static struct pending *open_pending(const struct store_opening *opening, bool hybrid)
{
    const struct pg_pending_config config = {.settings = opening->settings,
                                             .mappings = opening->mappings,
                                             .group = opening->group,
                                             .topic = opening->topic,
                                             .partitions = opening->partitions,
                                             .bus = opening->bus,
                                             .wants_rows = hybrid};
    return pg_pending_new(opening->loop, &config, opening->pending_events, opening->owner);
}

static void open_tables(const struct store_opening *opening, bool hybrid, struct store_parts *parts)
{
    const struct settings *settings = opening->settings;
    const struct pg_checkpoint_config config = {
        .connection = {.url = settings->database_url,
                       .role = settings->worker_role,
                       .application = "drover-worker",
                       .connect_ms = CONNECT_MS},
        .group = opening->group,
        .topic = opening->topic,
        .worker = opening->worker,
        .partitions = opening->partitions,
        .mappings = opening->mappings,
        .hybrid = hybrid,
    };
    parts->checkpoint =
        pg_checkpoint_new(opening->loop, &config, opening->checkpoint_events, opening->owner);
    parts->sink = pg_sink_new(opening->loop, &config.connection, (int)settings->connections,
                              opening->mappings, opening->sink_events, opening->owner);
    if (opening->pending_events)
        parts->pending = open_pending(opening, hybrid);
}

static enum outcome open_store(const struct store_opening *opening, struct store_parts *parts,
                               struct error *err)
{
    (void)err;
    open_tables(opening, false, parts);
    return OUT_OK;
}

static enum outcome open_hybrid(const struct store_opening *opening, struct store_parts *parts,
                                struct error *err)
{
    open_tables(opening, true, parts);
    return redis_stage_new(opening->loop, opening->settings, "/proc/self/exe",
                           opening->stage_events, opening->owner, &parts->stage, err);
}

/* ---- reading back ------------------------------------------------------------------------ */

static enum outcome open_reader(const struct settings *settings, const struct mapping_set *mappings,
                                const struct store_reading *reading, struct store_reader **reader,
                                struct error *err)
{
    return pg_store_reader_open(settings, mappings->items, mappings->count, reading->only_tenant,
                                reader, err);
}

const struct store PG_STORE_ROW = {.name = "database",
                                   .away = "postgres.away",
                                   .back = "postgres.back",
                                   .has_tables = true,
                                   .tombstone_life_ms = store_tombstone_life_ms,
                                   .check = check,
                                   .open = open_store,
                                   .open_reader = open_reader};

const struct store PG_STORE_ROW_HYBRID = {.name = "hybrid",
                                          .away = "postgres.away",
                                          .back = "postgres.back",
                                          .has_tables = true,
                                          .has_redis = true,
                                          .has_stage = true,
                                          .tombstone_life_ms = store_tombstone_life_ms,
                                          .check = check_hybrid,
                                          .open = open_hybrid,
                                          .open_reader = open_reader};
