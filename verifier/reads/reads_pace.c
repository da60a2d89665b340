#include "verifier/reads/reads_pace.h"

#define SECOND_NS 1000000000u

void reads_pace_init(struct reads_pace *pace, uint64_t began_ns, uint64_t per_second,
                     uint64_t for_ms, double share)
{
    uint64_t offset_ns = (uint64_t)(share * SECOND_NS / (double)per_second);
    *pace = (struct reads_pace){.began_ns = began_ns + offset_ns,
                                .per_second = per_second,
                                .count = for_ms * per_second / 1000};
    if (for_ms && !pace->count)
        pace->count = 1;
}

bool reads_pace_take(struct reads_pace *pace, uint64_t *number, uint64_t *begin_ns)
{
    if (pace->count && pace->next == pace->count)
        return false;
    *number = pace->next++;
    *begin_ns = pace->began_ns + *number / pace->per_second * SECOND_NS +
                *number % pace->per_second * SECOND_NS / pace->per_second;
    return true;
}
