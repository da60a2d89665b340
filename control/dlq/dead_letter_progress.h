#ifndef DROVER_CONTROL_DEAD_LETTER_PROGRESS_H
#define DROVER_CONTROL_DEAD_LETTER_PROGRESS_H

/* How far sending dead letters again is: one line on standard error, in place on a terminal, else
 * now and then; nothing with --quiet. */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/io/settings.h"
#include "common/io/terminal_live.h"

struct dead_letter_progress {
    const struct settings *settings;
    struct terminal_live live;
    uint64_t said_ms;
};

/* Before it nothing is drawn, and dead_letter_progress_close is allowed when it is zeroes. */
void dead_letter_progress_open(struct dead_letter_progress *progress,
                               const struct settings *settings);
/* `at_once`: a line that stays, whenever the last one was. */
void dead_letter_progress_tell(struct dead_letter_progress *progress, bool at_once,
                               const char *format, ...) PRINTF_LIKE(3, 4);
/* What is drawn goes, as something else is printed. */
void dead_letter_progress_clear(struct dead_letter_progress *progress);
void dead_letter_progress_close(struct dead_letter_progress *progress);

#endif
