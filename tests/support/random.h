#ifndef DROVER_TESTS_RANDOM_H
#define DROVER_TESTS_RANDOM_H

/* Numbers that a seed repeats. DROVER_TEST_SEED sets it; a failure prints it (ck_assert_msg with
 * random_seed). */

#include <stdint.h>
#include <stdlib.h>

static uint64_t random_state;
static uint64_t random_seed;

static inline void random_begin(uint64_t seed)
{
    const char *given = getenv("DROVER_TEST_SEED");
    random_seed = given ? strtoull(given, NULL, 10) : seed;
    random_state = random_seed * 2862933555777941757u + 3037000493u;
}

/* Below `bound` (> 0). */
static inline uint64_t random_below(uint64_t bound)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    uint64_t word = random_state;
    word ^= word >> 33;
    word *= 0xff51afd7ed558ccdu;
    word ^= word >> 29;
    return word % bound;
}

/* Of every magnitude alike. */
static inline uint64_t random_any(void)
{
    return random_below(UINT64_MAX) >> random_below(64);
}

#endif
