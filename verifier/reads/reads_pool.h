#ifndef DROVER_VERIFIER_READS_POOL_H
#define DROVER_VERIFIER_READS_POOL_H

/*
 * Keys that may be read: a bounded number, in bounded memory. Either the latest ones (a follower
 * offers what it has just compared), or a sample of all that were ever offered, each with the same
 * chance (reservoir sampling, Vitter's algorithm R). Pure.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/model/mapping/mapping.h"

#define READS_POOL_MAX 4096       /* keys */
#define READS_POOL_TEXT_MAX 2048u /* bytes of one key's texts; who has more is not kept */

struct reads_key {
    const struct mapping *mapping;
    struct bytes tenant, id; /* as in keys of messages */
    struct bytes uri;        /* of the file it came from, as drover-origin spells it; or empty */
};

struct reads_pool {
    struct reads_key *keys; /* their texts: one block each, which `tenant` begins */
    size_t count, at;       /* the next one to be replaced, of the latest */
    uint64_t offered;
    uint64_t chance; /* state of the sampling's random numbers */
    bool samples;
};

void reads_pool_init(struct reads_pool *pool, bool samples, uint64_t seed);
void reads_pool_free(struct reads_pool *pool);
/* Copies. Where it was put: a place below `count`; SIZE_MAX: it was not kept. */
size_t reads_pool_offer(struct reads_pool *pool, const struct reads_key *key);
/* Takes a key out; another one has its place then. */
void reads_pool_drop(struct reads_pool *pool, size_t at);
/* Takes out the key of a record, as often as it is there, whatever file it came from. */
void reads_pool_withdraw(struct reads_pool *pool, const struct reads_key *key);
/* In an order that says nothing of when they were offered. */
void reads_pool_shuffle(struct reads_pool *pool);

#endif
