/* The table of stores. */
#include "common/io/stores.h"

static const struct store MEMORY = {.away = "memory.away",
                                    .back = "memory.back",
                                    .in_process = true,
                                    .tombstone_life_ms = store_tombstone_life_ms};

static const struct store *const STORES[] = {
    [STORE_DATABASE] = &PG_STORE_ROW,      [STORE_REDIS] = &REDIS_STORE_ROW,
    [STORE_HYBRID] = &PG_STORE_ROW_HYBRID, [STORE_MEMORY] = &MEMORY,
    [STORE_FILE] = &FILE_STORE_ROW,
};

const struct store *store_of(const struct settings *settings)
{
    return STORES[settings->storage];
}
