#ifndef DROVER_WORKER_REPORT_H
#define DROVER_WORKER_REPORT_H

/* What a running worker says of itself: progress lines for a parent process, a log line now and
 * then. */

#include "worker/worker.h"

struct report {
    struct worker *worker;
    uint64_t last_report_ms, last_line_ms;
};

void report_progress(struct report *report, uint64_t now_ms, bool done);
/* With --json: the members of the answer, at the end. */
void report_answer(const struct worker *worker);

#endif
