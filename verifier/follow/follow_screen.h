#ifndef DROVER_VERIFIER_FOLLOW_FOLLOW_SCREEN_H
#define DROVER_VERIFIER_FOLLOW_FOLLOW_SCREEN_H

/*
 * What a follower shows on a terminal, drawn in place: the verdict so far, the rate of
 * discrepancies with its bound by window, how far behind it is, the last full pass, what is wrong,
 * servers that are away. No line is wider than the terminal; a low one loses what matters least.
 * Pure.
 */

#include "verifier/follow/follow_view.h"

struct follow_screen {
    const struct follow_numbers *numbers;
    uint64_t now_ms, up_ms; /* monotonic; since the start */
    int64_t unix_ms;        /* now */
    int64_t next_ms;        /* when the next full pass begins; INT64_MAX: never */
    bool is_full_running;
    bool is_stopping;
};

/* Lines that each end in '\n', at most `height` - 1. */
void follow_screen_append(struct buf *out, const struct follow_screen *screen, int width,
                          int height);
/* The verdict and why, what the last full pass found, on one line without its end. */
void follow_screen_append_reason(struct buf *out, const struct follow_numbers *numbers);
/* Lines that begin with "Next:"; of a match nothing. */
void follow_screen_append_next(struct buf *out, const struct follow_numbers *numbers);
/* Below it when it has ended: the verdict and why, and what to do next; `report` is where its page
 * is, or NULL. */
void follow_screen_append_summary(struct buf *out, const struct follow_numbers *numbers,
                                  const char *report);

#endif
