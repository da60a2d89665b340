#ifndef DROVER_PRODUCER_PROGRESS_H
#define DROVER_PRODUCER_PROGRESS_H

/*
 * How far the run is: for a parent process as JSON lines, on a terminal as one live line, else as a
 * line every ten seconds on standard error.
 */

#include <stdint.h>

#include "common/io/settings.h"
#include "common/io/terminal_live.h"
#include "common/policy/produce_counters.h"

struct progress {
    enum { PROGRESS_NONE, PROGRESS_FD, PROGRESS_LIVE, PROGRESS_LINES } kind;
    int fd;
    struct terminal_live live;
    uint64_t next_ms; /* monotonic */
    uint64_t told;    /* what a parent was told last, summed up */
};

void progress_init(struct progress *progress, const struct settings *settings, uint64_t now_ms);
/* Writes when it is time, or at once when state->done. */
void progress_tick(struct progress *progress, const struct produce_counters *counters,
                   const struct produce_state *state, uint64_t now_ms);
/* While nothing moves: only a parent is told, and only what it does not know yet. */
void progress_rest(struct progress *progress, const struct produce_counters *counters,
                   const struct produce_state *state, uint64_t now_ms);
/* Makes room for other lines on the terminal. */
void progress_clear(struct progress *progress);

#endif
