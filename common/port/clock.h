#ifndef DROVER_PORT_CLOCK_H
#define DROVER_PORT_CLOCK_H

/*
 * Time and chance, as something a role is given: the machine's in earnest (common/io/clock.h), a
 * scheduler's in a simulation. Both functions of time never go back within one clock.
 */

#include <stdint.h>

struct clock {
    uint64_t (*monotonic_ms)(const struct clock *clock); /* for waiting */
    int64_t (*unix_ms)(const struct clock *clock);       /* for people */
    uint32_t (*random)(const struct clock *clock); /* for spreading retries; not for secrets */
};

static inline uint64_t clock_now_ms(const struct clock *clock)
{
    return clock->monotonic_ms(clock);
}

static inline int64_t clock_wall_ms(const struct clock *clock)
{
    return clock->unix_ms(clock);
}

static inline uint32_t clock_random(const struct clock *clock)
{
    return clock->random(clock);
}

#endif
