/* The old store as keys of a Redis: GET, or HGETALL of those entities whose keys turned out to be
 * hashes. */
#include "verifier/reads/reader.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/redis/redis_lookup.h"
#include "verifier/reads/reads_template.h"

#define KEY_MAX (16u << 10)

struct read_redis {
    struct reader reader;
    const char *template;
    struct redis_lookup *lookup;
    const struct mapping **hashes; /* whose keys are hashes */
    size_t hash_count, hash_room;
    const struct mapping *mapping; /* of the key that is asked */
    bool hash;
    struct buf key;
};

static bool is_hash(const struct read_redis *read, const struct mapping *mapping)
{
    for (size_t i = 0; i < read->hash_count; i++)
        if (read->hashes[i] == mapping)
            return true;
    return false;
}

static enum outcome prepare(struct reader *reader, const struct reads_key *key, struct error *err)
{
    struct read_redis *read = (struct read_redis *)reader;
    const struct reads_place place = {
        .tenant = key->tenant, .entity = bytes_text(key->mapping->entity), .id = key->id};
    buf_reset(&read->key);
    reads_template_append(&read->key, read->template, READS_TEMPLATE_KEY, &place);
    read->mapping = key->mapping;
    read->hash = is_hash(read, key->mapping);
    if (read->key.failed)
        return error_set(err, OUT_REJECT, ERR_READ_OLD, "the key in the old store is too long");
    return redis_lookup_prepare(read->lookup, err);
}

/* The second question is the application's no more: from the next read on it asks right. */
static enum outcome ask_the_other_way(struct read_redis *read, enum redis_lookup_answer *answer,
                                      struct error *err)
{
    if (!read->hash) {
        read->hashes =
            mem_grown(read->hashes, &read->hash_room, read->hash_count + 1, sizeof *read->hashes);
        read->hashes[read->hash_count++] = read->mapping;
    }
    return redis_lookup_find(read->lookup, buf_view(&read->key), !read->hash, answer, err);
}

static enum outcome read_it(struct reader *reader, enum read_answer *answer, struct error *err)
{
    struct read_redis *read = (struct read_redis *)reader;
    enum redis_lookup_answer got;
    enum outcome outcome =
        redis_lookup_find(read->lookup, buf_view(&read->key), read->hash, &got, err);
    if (outcome == OUT_OK && got == LOOKUP_OTHER_TYPE)
        outcome = ask_the_other_way(read, &got, err);
    if (outcome != OUT_OK)
        return outcome;
    if (got == LOOKUP_OTHER_TYPE)
        return error_set(err, OUT_REJECT, ERR_READ_OLD,
                         "a key of the old store is neither a string nor a hash");
    *answer = got == LOOKUP_FOUND ? READ_FOUND : READ_NOT_FOUND;
    return OUT_OK;
}

static void close_it(struct reader *reader)
{
    struct read_redis *read = (struct read_redis *)reader;
    redis_lookup_close(read->lookup);
    free(read->hashes);
    buf_free(&read->key);
    free(read);
}

struct reader *read_redis_new(const struct settings *settings)
{
    static const struct reader_ops OPS = {NULL, prepare, read_it, close_it};
    struct read_redis *read = mem_new(sizeof *read);
    const char *url = settings->compare_url;
    read->reader.ops = &OPS;
    read->template = settings->compare_template;
    read->lookup =
        redis_lookup_new(url && url[0] ? url : settings->redis_url, settings->compare_timeout_ms);
    buf_init(&read->key, KEY_MAX);
    return &read->reader;
}
