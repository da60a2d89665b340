/* Redis as a store: storage `redis`. */

#include "common/io/redis/redis_store_row.h"

#include "common/io/log.h"
#include "common/io/redis/redis_checkpoint.h"
#include "common/io/redis/redis_sink.h"
#include "common/io/redis/redis_store_reader.h"
#include "common/io/redis/redis_url.h"

static uint64_t tombstone_life_ms(const struct settings *settings, bool hard)
{
    (void)hard;
    return settings->redis_tombstone_ms;
}

/* A password in the clear beyond this machine is said once, and left to who runs it. */
enum outcome redis_store_row_check(const struct store_opening *opening, struct error *err)
{
    struct redis_url url;
    char place[300];
    enum outcome outcome = redis_url_parse(opening->settings->redis_url, &url, err);
    if (outcome == OUT_OK && !redis_url_is_local(&url)) {
        redis_url_format(&url, place, sizeof place);
        log_line(LOG_WARN, "redis.plaintext", "where=%s", place);
    }
    redis_url_wipe(&url);
    return outcome;
}

static enum outcome open_store(const struct store_opening *opening, struct store_parts *parts,
                               struct error *err)
{
    const struct redis_checkpoint_config config = {opening->group, opening->topic, opening->worker,
                                                   opening->partitions, opening->mappings};
    enum outcome outcome =
        redis_checkpoint_new(opening->loop, opening->settings, &config, opening->checkpoint_events,
                             opening->owner, &parts->checkpoint, err);
    if (outcome == OUT_OK)
        outcome = redis_sink_new(opening->loop, opening->settings, opening->sink_events,
                                 opening->owner, &parts->sink, err);
    return outcome;
}

/* Keys of no tenant are strays only where all tenants are read. */
static enum outcome open_reader(const struct settings *settings, const struct mapping_set *mappings,
                                const struct store_reading *reading, struct store_reader **reader,
                                struct error *err)
{
    bool all = !reading->only_tenant || !reading->only_tenant[0];
    return redis_store_reader_open(settings, mappings, reading->as_it_lies && all, reader, err);
}

const struct store REDIS_STORE_ROW = {.name = "redis",
                                      .away = "redis.away",
                                      .back = "redis.back",
                                      .has_redis = true,
                                      .may_forget = true,
                                      .tombstone_life_ms = tombstone_life_ms,
                                      .check = redis_store_row_check,
                                      .open = open_store,
                                      .open_reader = open_reader};
