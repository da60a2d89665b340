#include "common/policy/backoff.h"

uint32_t backoff_next_ms(struct backoff *backoff, uint32_t random)
{
    uint32_t shift = backoff->tries < 16 ? backoff->tries : 16;
    uint64_t ceiling = (uint64_t)backoff->min_ms << shift;
    if (ceiling > backoff->max_ms)
        ceiling = backoff->max_ms;
    backoff->tries++;
    uint64_t half = ceiling / 2;
    return (uint32_t)(half + (((uint64_t)random * (ceiling - half + 1)) >> 32));
}

void backoff_reset(struct backoff *backoff)
{
    backoff->tries = 0;
}
