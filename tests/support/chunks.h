#ifndef DROVER_TESTS_CHUNKS_H
#define DROVER_TESTS_CHUNKS_H

/* The same bytes cut into any chunks must say the same: sizes from a seed, and a hash of what was
 * said. */

#include <stdint.h>

#include "common/base/hash.h"

/* Seed 0: all at once. */
static inline size_t chunks_next_size(size_t left, uint64_t *seed)
{
    if (*seed == 0)
        return left;
    *seed = *seed * UINT64_C(6364136223846793005) + 1;
    size_t size = 1 + (size_t)(*seed >> 33) % 80;
    return size < left ? size : left;
}

static inline void chunks_add(uint64_t *hash, uint64_t value)
{
    uint64_t pair[2] = {*hash, value};
    *hash = hash64(bytes_of(pair, sizeof(pair)));
}

#endif
