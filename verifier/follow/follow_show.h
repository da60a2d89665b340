#ifndef DROVER_VERIFIER_FOLLOW_FOLLOW_SHOW_H
#define DROVER_VERIFIER_FOLLOW_FOLLOW_SHOW_H

/* Where a follower says how it stands: on a terminal drawn in place (follow_screen.h), with the
 * summary below it at the end; elsewhere a line every ten seconds; with --json a document. */

#include "common/io/settings.h"
#include "common/io/terminal_live.h"
#include "verifier/follow/follow_screen.h"

struct follow_show {
    const struct settings *settings;
    struct terminal_live live;
    bool is_live;
    uint64_t began_ms, draw_ms, line_ms; /* monotonic; the last two: not before */
};

/* Takes the terminal over, if there is one that may be drawn on. */
void follow_show_open(struct follow_show *show, const struct settings *settings);
/* Whether it is time to say something again. */
bool follow_show_is_due(const struct follow_show *show);
/* `screen` has its numbers and the full pass; the times are set here. */
void follow_show_turn(struct follow_show *show, struct follow_screen *screen);
/* For the last time, and gives the terminal back; `report`: where the page is, or NULL. */
void follow_show_end(struct follow_show *show, struct follow_screen *screen, const char *report);

#endif
