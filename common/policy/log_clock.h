#ifndef DROVER_POLICY_LOG_CLOCK_H
#define DROVER_POLICY_LOG_CLOCK_H

/*
 * The clock of a partition (version_in_log), and what it said at the ends of batches, so that who
 * reads the partition again from the middle gives every message the version it had before. Pure.
 *
 *   log_clock_take   each message that decodes and brings no version, in the log's order
 *   log_clock_mark   at the end of each batch
 *   log_clock_safe   the newest mark at or below all watermarks: kept with the progress; reading
 *                    again begins there, where messages below the position wanted only move the
 *                    clock
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/policy/version.h"

/* What the clock was before offset `end` was read. */
struct log_mark {
    int64_t end;   /* -1: no mark */
    int64_t clock; /* version_clock.last; 0: no message had used it */
};

/* Marks kept: above it every second one goes, and reading again begins a little further back. */
#define LOG_MARKS 64

struct log_clock {
    struct version_clock clock;
    struct log_mark marks[LOG_MARKS]; /* by end; the first one is below all watermarks */
    size_t count;
    struct log_mark ahead; /* a stored mark behind where reading begins: a floor from there on */
};

/* Reading begins at `from`. `stored` is the mark kept with the progress (end -1: none). Returns
 * where to begin reading for the clock's sake: at `stored`, when it is below `from`. */
int64_t log_clock_start(struct log_clock *log, int64_t from, const struct log_mark *stored);
/* The version of a message that brings none. */
int64_t log_clock_take(struct log_clock *log, int64_t timestamp_ms, int64_t offset);
/* A batch ends before offset `end`; ends never go back. */
void log_clock_mark(struct log_clock *log, int64_t end);
/* The mark to keep when reading again may begin at `watermark`; end -1: none is needed, as no
 * message has used the clock. Watermarks never go back. */
struct log_mark log_clock_safe(struct log_clock *log, int64_t watermark);

#endif
