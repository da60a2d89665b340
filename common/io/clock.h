#ifndef DROVER_IO_CLOCK_H
#define DROVER_IO_CLOCK_H

/* The only place that reads clocks. */

#include <stdint.h>

#include "common/port/clock.h"

int64_t clock_unix_ms(void);       /* wall clock, for people and versions */
uint64_t clock_monotonic_ms(void); /* for waiting and rates */
uint64_t clock_monotonic_ns(void);
/* How long to wait until that time of clock_monotonic_ms; 0: it is over. */
int clock_left_ms(uint64_t until_ms);

/* The machine's. */
extern const struct clock CLOCK_MACHINE;

#endif
