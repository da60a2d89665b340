/* What the children of a run told, and what its load found of it. */
#include "control/run/run.h"

/* What the workers appended, and told as applied, was superseded, unchanged or in conflict. */
static void move_loaded(const struct run *run, struct child_sums *sums)
{
    uint64_t left = 0;
    totals_add_receipt(sums->work, run->load.left);
    for (int i = 0; i < CLASS_COUNT; i++)
        left += run->load.left[i];
    uint64_t applied = left < sums->work[WORK_APPLIED] ? left : sums->work[WORK_APPLIED];
    uint64_t others = left - applied;
    sums->work[WORK_APPLIED] -= applied;
    sums->work[WORK_RECOVERED] -=
        others < sums->work[WORK_RECOVERED] ? others : sums->work[WORK_RECOVERED];
}

void run_sum(const struct run *run, struct child_sums *sums)
{
    child_sum(run->children, run->child_count, sums);
    move_loaded(run, sums);
}
