#ifndef DROVER_VERIFIER_PROGRESS_H
#define DROVER_VERIFIER_PROGRESS_H

/* How far a verification is: JSON lines for a parent process, or one line on a terminal. */

#include <stdbool.h>
#include <stdint.h>

struct progress {
    int fd;                      /* JSON lines go here; -1: none */
    bool terminal;               /* a line on standard error */
    uint64_t steps, steps_total; /* messages and rows read, in all passes */
    uint64_t records;            /* what the steps stand for */
    uint64_t shown_ms;
};

void progress_init(struct progress *progress, int fd, bool quiet);
/* What there is to do: `records` of the source, read and looked up `passes` times. */
void progress_expect(struct progress *progress, uint64_t records, uint32_t passes);
/* One message or row more. Cheap: looks at the clock every 4,096 steps. */
void progress_step(struct progress *progress);
/* Takes the line off the terminal. */
void progress_clear(struct progress *progress);
void progress_finish(struct progress *progress);

#endif
