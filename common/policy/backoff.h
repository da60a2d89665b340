#ifndef DROVER_POLICY_BACKOFF_H
#define DROVER_POLICY_BACKOFF_H

/*
 * How long to wait before the next try: exponential with full jitter (Brooker, "Exponential
 * Backoff And Jitter", 2015), from 100 ms to 30 s as FAULTS 3.1 asks for lost connections. Pure:
 * the random number is handed in.
 */

#include <stdint.h>

struct backoff {
    uint32_t min_ms, max_ms;
    uint32_t tries; /* failures in a row */
};

#define BACKOFF_CONNECTION ((struct backoff){.min_ms = 100, .max_ms = 30000})
#define BACKOFF_TRANSACTION ((struct backoff){.min_ms = 20, .max_ms = 2000})
#define BACKOFF_RESOURCE ((struct backoff){.min_ms = 5000, .max_ms = 5000})

/* The wait before the next try; counts the failure. `random` is uniform over its 32 bits.
 * At least half of the current ceiling, so that a retry is never immediate. */
uint32_t backoff_next_ms(struct backoff *backoff, uint32_t random);
void backoff_reset(struct backoff *backoff);

#endif
