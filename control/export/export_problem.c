/* A record that could not be exported. */

#include <stdio.h>

#include "common/base/text.h"
#include "control/export/export_run.h"

void export_run_problem(struct export_run *run, enum export_problem_kind kind, const char *entity,
                        struct bytes id, const char *what, struct bytes place)
{
    uint64_t count = run->problem_counts[kind]++;
    if (count >= EXPORT_PROBLEMS_SHOWN)
        return;
    struct export_problem *problem = &run->problems[kind][count];
    struct buf safe;
    buf_init(&safe, 4096);
    text_append_safe(&safe, id, 40);
    snprintf(problem->id, sizeof problem->id, "%s", buf_text(&safe));
    buf_reset(&safe);
    text_append_safe(&safe, place, 80);
    snprintf(problem->place, sizeof problem->place, "%s", buf_text(&safe));
    snprintf(problem->entity, sizeof problem->entity, "%s", entity);
    snprintf(problem->what, sizeof problem->what, "%s", what);
    buf_free(&safe);
}
