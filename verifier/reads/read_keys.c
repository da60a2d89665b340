/* The new store: the key of Redis that a mapping's records have. Storage hybrid: of those mappings
 * alone that are to be in Redis. */
#include "verifier/reads/reader.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/redis/redis_lookup.h"
#include "common/io/redis/redis_rows.h"
#include "common/io/stores.h"
#include "common/policy/apply/record_row.h"

#define KEY_MAX (16u << 10)
#define ARENA_MAX (1u << 20)

struct read_keys {
    struct reader reader;
    struct redis_lookup *lookup;
    bool all; /* also of mappings without redis: */
    bool hash;
    struct mapping_work work;
    struct arena arena;
    struct buf key;
};

static bool takes(const struct reader *reader, const struct mapping *mapping)
{
    const struct read_keys *read = (const struct read_keys *)reader;
    return read->all || mapping->redis.form != REDIS_NONE;
}

static enum outcome prepare(struct reader *reader, const struct reads_key *key, struct error *err)
{
    struct read_keys *read = (struct read_keys *)reader;
    struct row row;
    arena_reset(&read->arena);
    buf_reset(&read->key);
    enum outcome outcome =
        record_key_row(key->mapping, key->tenant, key->id, &read->work, &read->arena, &row, err);
    if (outcome != OUT_OK)
        return outcome;
    if (!redis_rows_append_key(&read->key, key->mapping, key->tenant, key->id, row.cells))
        return error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the record has no key in Redis");
    read->hash = redis_rows_form(key->mapping) == REDIS_HASH;
    return redis_lookup_prepare(read->lookup, err);
}

static enum outcome read_it(struct reader *reader, enum read_answer *answer, struct error *err)
{
    struct read_keys *read = (struct read_keys *)reader;
    enum redis_lookup_answer got;
    enum outcome outcome =
        redis_lookup_find(read->lookup, buf_view(&read->key), read->hash, &got, err);
    *answer = outcome == OUT_OK && got == LOOKUP_FOUND ? READ_FOUND : READ_NOT_FOUND;
    return outcome;
}

static void close_it(struct reader *reader)
{
    struct read_keys *read = (struct read_keys *)reader;
    redis_lookup_close(read->lookup);
    mapping_work_free(&read->work);
    arena_free(&read->arena);
    buf_free(&read->key);
    free(read);
}

struct reader *read_keys_new(const struct settings *settings)
{
    static const struct reader_ops OPS = {takes, prepare, read_it, close_it};
    struct read_keys *read = mem_new(sizeof *read);
    read->reader.ops = &OPS;
    read->all = !store_of(settings)->has_tables;
    read->lookup = redis_lookup_new(settings->redis_url, settings->compare_timeout_ms);
    mapping_work_init(&read->work);
    arena_init(&read->arena, ARENA_MAX);
    buf_init(&read->key, KEY_MAX);
    return &read->reader;
}
