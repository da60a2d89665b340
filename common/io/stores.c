/* The table of stores. */
#include "common/io/stores.h"

#include "common/io/filestore/file_store.h"
#include "common/io/postgres/pg_store_reader.h"
#include "common/io/redis/redis_store_reader.h"

#define FOR_EVER_MS (UINT64_MAX / 2)

static uint64_t life_in_tables(const struct settings *settings, bool hard)
{
    return hard ? settings->tombstone_life_ms : FOR_EVER_MS;
}

static uint64_t life_in_redis(const struct settings *settings, bool hard)
{
    (void)hard;
    return settings->redis_tombstone_ms;
}

static enum outcome read_tables(const struct settings *settings, const struct mapping_set *mappings,
                                const struct store_reading *reading, struct store_reader **reader,
                                struct error *err)
{
    return pg_store_reader_open(settings, mappings->items, mappings->count, reading->only_tenant,
                                reader, err);
}

/* Keys of no tenant are strays only where all tenants are read. */
static enum outcome read_redis(const struct settings *settings, const struct mapping_set *mappings,
                               const struct store_reading *reading, struct store_reader **reader,
                               struct error *err)
{
    bool all = !reading->only_tenant || !reading->only_tenant[0];
    return redis_store_reader_open(settings, mappings, reading->as_it_lies && all, reader, err);
}

static enum outcome read_files(const struct settings *settings, const struct mapping_set *mappings,
                               const struct store_reading *reading, struct store_reader **reader,
                               struct error *err)
{
    return file_store_reader_open(
        settings, mappings,
        reading->as_it_lies ? FILE_STORE_READER_FILES : FILE_STORE_READER_RECORDS, reader, err);
}

static const struct store STORES[] = {
    [STORE_DATABASE] = {.name = "database",
                        .away = "postgres.away",
                        .back = "postgres.back",
                        .has_tables = true,
                        .tombstone_life_ms = life_in_tables,
                        .open_reader = read_tables},
    [STORE_REDIS] = {.name = "redis",
                     .away = "redis.away",
                     .back = "redis.back",
                     .has_redis = true,
                     .may_forget = true,
                     .tombstone_life_ms = life_in_redis,
                     .open_reader = read_redis},
    [STORE_HYBRID] = {.name = "hybrid",
                      .away = "postgres.away",
                      .back = "postgres.back",
                      .has_tables = true,
                      .has_redis = true,
                      .has_stage = true,
                      .tombstone_life_ms = life_in_tables,
                      .open_reader = read_tables},
    [STORE_MEMORY] = {.name = "memory",
                      .away = "memory.away",
                      .back = "memory.back",
                      .in_process = true,
                      .tombstone_life_ms = life_in_tables},
    [STORE_FILE] = {.name = "file",
                    .away = "file.away",
                    .back = "file.back",
                    .has_files = true,
                    .one_writer = true,
                    .tombstone_life_ms = life_in_tables,
                    .open_reader = read_files},
};

const struct store *store_of(const struct settings *settings)
{
    return &STORES[settings->storage];
}
