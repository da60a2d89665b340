#include "verifier/reads/reads_pool.h"

#include <stdlib.h>

#include "common/base/mem.h"

void reads_pool_init(struct reads_pool *pool, bool samples, uint64_t seed)
{
    *pool = (struct reads_pool){
        .keys = mem_zeroed(READS_POOL_MAX, sizeof *pool->keys), .samples = samples, .chance = seed};
}

void reads_pool_free(struct reads_pool *pool)
{
    while (pool->count)
        free((char *)pool->keys[--pool->count].tenant.data);
    free(pool->keys);
    *pool = (struct reads_pool){0};
}

/* splitmix64 (Steele, Lea, Flood 2014): below `bound`. */
static uint64_t draw_below(struct reads_pool *pool, uint64_t bound)
{
    uint64_t word = pool->chance += 0x9E3779B97F4A7C15u;
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9u;
    word = (word ^ (word >> 27)) * 0x94D049BB133111EBu;
    return (word ^ (word >> 31)) % bound;
}

/* Of a full pool. */
static size_t place_for(struct reads_pool *pool)
{
    if (pool->samples) {
        uint64_t drawn = draw_below(pool, pool->offered);
        return drawn < READS_POOL_MAX ? (size_t)drawn : SIZE_MAX;
    }
    size_t at = pool->at;
    pool->at = (at + 1) % READS_POOL_MAX;
    return at;
}

size_t reads_pool_offer(struct reads_pool *pool, const struct reads_key *key)
{
    size_t size = key->tenant.size + key->id.size + key->uri.size;
    if (size > READS_POOL_TEXT_MAX || !key->tenant.size || !key->id.size)
        return SIZE_MAX;
    pool->offered++;
    size_t at = pool->count < READS_POOL_MAX ? pool->count++ : place_for(pool);
    if (at == SIZE_MAX)
        return at;
    free((char *)pool->keys[at].tenant.data);
    char *text = mem_alloc(size);
    pool->keys[at] = (struct reads_key){.mapping = key->mapping,
                                        .tenant = bytes_put(&text, key->tenant),
                                        .id = bytes_put(&text, key->id),
                                        .uri = bytes_put(&text, key->uri)};
    return at;
}

void reads_pool_drop(struct reads_pool *pool, size_t at)
{
    free((char *)pool->keys[at].tenant.data);
    pool->keys[at] = pool->keys[--pool->count];
    pool->keys[pool->count] = (struct reads_key){0};
}

void reads_pool_withdraw(struct reads_pool *pool, const struct reads_key *key)
{
    for (size_t at = pool->count; at-- > 0;) {
        const struct reads_key *known = &pool->keys[at];
        if (known->mapping == key->mapping && bytes_equal(known->id, key->id) &&
            bytes_equal(known->tenant, key->tenant))
            reads_pool_drop(pool, at);
    }
}

void reads_pool_shuffle(struct reads_pool *pool)
{
    for (size_t i = pool->count; i > 1; i--) {
        size_t other = (size_t)draw_below(pool, i);
        struct reads_key key = pool->keys[other];
        pool->keys[other] = pool->keys[i - 1];
        pool->keys[i - 1] = key;
    }
}
