#include "common/io/run_name.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "common/io/clock.h"

void run_name_make(char name[RUN_NAME_SIZE], const char *end)
{
    uint32_t random;
    struct tm utc;
    time_t now = (time_t)(clock_unix_ms() / 1000);
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        abort();
    gmtime_r(&now, &utc);
    size_t size = strftime(name, RUN_NAME_SIZE, "%Y%m%dT%H%M%S", &utc);
    snprintf(name + size, RUN_NAME_SIZE - size, "-%08" PRIx32 "%s", random, end);
}
