#include "verifier/reads/reads_sample.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/settings.h"
#include "verifier/reads/reads.h"

struct reads_sample {
    struct reads_pool pool;
    struct diff_key keys[READS_POOL_MAX]; /* by their place in the pool */
};

struct reads_sample *reads_sample_new(uint64_t seed)
{
    struct reads_sample *sample = mem_new(sizeof *sample);
    reads_pool_init(&sample->pool, true, seed);
    return sample;
}

void reads_sample_free(struct reads_sample *sample)
{
    if (!sample)
        return;
    reads_pool_free(&sample->pool);
    free(sample);
}

void reads_sample_see(struct reads_sample *sample, const struct diff_key *diff_key,
                      const struct reads_key *key)
{
    size_t at = reads_pool_offer(&sample->pool, key);
    if (at != SIZE_MAX)
        sample->keys[at] = *diff_key;
}

static bool is_there(const struct diff_table *table, const struct diff_key *key)
{
    const struct diff_entry *entry = diff_find(table, key);
    return entry && !entry->deleted &&
           (entry->verdict == VERDICT_MATCH || entry->verdict == VERDICT_TOLERANCE);
}

void reads_sample_settle(struct reads_sample *sample, const struct diff_table *table, uint32_t pass,
                         uint32_t passes)
{
    for (size_t at = sample->pool.count; at-- > 0;) {
        if (!diff_in_pass(&sample->keys[at], pass, passes) || is_there(table, &sample->keys[at]))
            continue;
        reads_pool_drop(&sample->pool, at);
        sample->keys[at] = sample->keys[sample->pool.count];
    }
}

void reads_sample_read(struct reads_sample *sample, const struct settings *settings,
                       struct verify_reads *result)
{
    struct reads_pool *pool = &sample->pool;
    struct reads *reads = reads_open(settings);
    reads_pool_shuffle(pool);
    for (size_t i = 0; i < pool->count; i++)
        reads_offer(reads, &pool->keys[i]);
    if (pool->count) {
        reads_start(reads, settings->compare_for_ms);
        reads_wait(reads);
    }
    reads_result(reads, result, NULL);
    reads_close(reads);
}
