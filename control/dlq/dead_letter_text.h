#ifndef DROVER_CONTROL_DEAD_LETTER_TEXT_H
#define DROVER_CONTROL_DEAD_LETTER_TEXT_H

/* How a dead letter is shown: to people and in JSON. */

#include "control/dlq/cmd_dlq.h"

/* "2026-01-31 10:00:00", or as wide a dash. */
void dead_letter_append_time(struct buf *out, int64_t unix_ms);
/* Safe for a terminal, at least so wide, and two spaces behind what is wider. */
void dead_letter_append_padded(struct buf *out, struct bytes text, size_t width);
/* A record's id, or the hash that stands for it. */
void dead_letter_append_record(struct buf *out, const struct verify_report *mask,
                               struct bytes record);
/* The members of one, in an object that is open. */
void dead_letter_append_json(struct json_out *out, const struct dead_letter_run *run,
                             const struct dead_letter_row *row);

#endif
