/* See the header. */
#include <string.h>

#include "control/child/child_sums.h"

/* Where and when a worker kept a record as pending does not matter to the sums: one may be settled
 * by another worker, or by a later run. What that one did not take is counted among its records
 * too.
 */
static void sum_workers(const struct child *children, size_t count, struct child_sums *sums)
{
    uint64_t settled = 0;
    for (size_t i = CHILD_WORK; i < count; i++) {
        const struct child_numbers *one = &children[i].numbers;
        sums->workers += children[i].started;
        sums->running += child_is_running(&children[i]);
        for (int c = 0; c < WORK_COUNT; c++)
            sums->work[c] += one->work[c];
        for (int m = 0; m < METRIC_COUNT; m++)
            sums->metrics[m] += one->metrics[m];
        sums->taken += one->taken;
        settled += one->settled;
    }
    uint64_t pending = sums->work[WORK_PENDING];
    sums->work[WORK_PENDING] = pending > settled ? pending - settled : 0;
    sums->taken += settled > pending ? settled - pending : 0;
}

void child_sum(const struct child *children, size_t count, struct child_sums *sums)
{
    const struct child_numbers *numbers = &children[CHILD_PRODUCE].numbers;
    uint64_t told = totals_records(&TOTALS_PRODUCE, numbers->produce);
    *sums = (struct child_sums){.read = numbers->read};
    memcpy(sums->produce, numbers->produce, sizeof(sums->produce));
    sums->produce[PRODUCE_ON_WAY] = numbers->read > told ? numbers->read - told : 0;
    sum_workers(children, count, sums);
}
