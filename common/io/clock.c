#include "common/io/clock.h"

#include <time.h>
#include <uv.h>

static uint64_t read_clock_ns(clockid_t clock)
{
    struct timespec now = {0};
    clock_gettime(clock, &now); /* cannot fail for the two clocks used here */
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int64_t clock_unix_ms(void)
{
    return (int64_t)(read_clock_ns(CLOCK_REALTIME) / 1000000u);
}

uint64_t clock_monotonic_ms(void)
{
    return clock_monotonic_ns() / 1000000u;
}

uint64_t clock_monotonic_ns(void)
{
    return read_clock_ns(CLOCK_MONOTONIC);
}

int clock_left_ms(uint64_t until_ms)
{
    uint64_t now_ms = clock_monotonic_ms();
    return now_ms < until_ms ? (int)(until_ms - now_ms) : 0;
}

static uint64_t monotonic_ms(const struct clock *clock)
{
    (void)clock;
    return clock_monotonic_ms();
}

static int64_t unix_ms(const struct clock *clock)
{
    (void)clock;
    return clock_unix_ms();
}

static uint32_t random_bits(const struct clock *clock)
{
    uint32_t bits = 0;
    (void)clock;
    uv_random(NULL, NULL, &bits, sizeof bits, 0, NULL);
    return bits;
}

const struct clock CLOCK_MACHINE = {monotonic_ms, unix_ms, random_bits};
