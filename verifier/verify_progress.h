#ifndef DROVER_VERIFIER_VERIFY_PROGRESS_H
#define DROVER_VERIFIER_VERIFY_PROGRESS_H

/* How far a verification is: JSON lines for a parent process, or one line on a terminal. */

#include <stdbool.h>
#include <stdint.h>

#include "common/io/terminal_live.h"

struct verify_progress {
    int fd;                      /* JSON lines go here; -1: none */
    bool terminal;               /* a line on standard error */
    struct terminal_live live;   /* of it */
    uint64_t steps, steps_total; /* messages and rows read, in all passes */
    uint64_t records;            /* what the steps stand for */
    uint64_t shown_ms;
};

void verify_progress_init(struct verify_progress *progress, int fd, bool quiet);
/* What there is to do: `records` of the source, read and looked up `passes` times. */
void verify_progress_expect(struct verify_progress *progress, uint64_t records, uint32_t passes);
/* One message or row more. Cheap: looks at the clock every 4,096 steps. */
void verify_progress_step(struct verify_progress *progress);
/* Takes the line off the terminal for good. */
void verify_progress_clear(struct verify_progress *progress);
/* `next`: what to type next, for the parent to show; or empty. */
void verify_progress_finish(struct verify_progress *progress, const char *next);

#endif
