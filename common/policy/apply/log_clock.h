#ifndef DROVER_POLICY_LOG_CLOCK_H
#define DROVER_POLICY_LOG_CLOCK_H

/*
 * The clock of a partition (version_in_log), and what it said at the ends of batches, so that who
 * reads the partition again from the middle gives every message the version it had before. Pure.
 *
 *   log_clock_take   each message that decodes and brings no version, in the log's order
 *   log_clock_mark   at the end of each batch: gives the newest mark at or below all watermarks, to
 *                    be kept with the checkpoint; reading again begins there, where messages below
 *                    the position wanted only move the clock
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

/* What is kept with the checkpoint. */
struct log_place {
    struct log_mark from; /* where reading begins again */
    struct log_mark next; /* behind the last batch written: the clock is never below it from there
                             on, also when what lies before it is gone from the topic */
};

#define LOG_PLACE_NONE ((struct log_place){{-1, 0}, {-1, 0}})

/* Marks kept: above it every second one goes, and reading again begins a little further back. */
#define LOG_MARKS 64

struct log_clock {
    struct version_clock clock;
    struct log_mark marks[LOG_MARKS]; /* by end; the first one is below all watermarks */
    size_t count;
    struct log_mark floor; /* the clock at least, from there on */
};

/* Reading begins at `from`. `stored` is what was kept with the checkpoint. Returns where to begin
 * reading for the clock's sake: at stored->from, when that is below `from`. */
int64_t log_clock_start(struct log_clock *log, int64_t from, const struct log_place *stored);
/* The version of a message that brings none. */
int64_t log_clock_take(struct log_clock *log, int64_t timestamp_ms, int64_t offset);
/* A batch ends before offset `end`; ends never go back. Returns what to keep with it when reading
 * again may begin at `watermark`, which never goes back either; LOG_PLACE_NONE while no message has
 * used the clock. */
struct log_place log_clock_mark(struct log_clock *log, int64_t end, int64_t watermark);

#endif
