#ifndef DROVER_PRODUCER_CLOCK_FILE_H
#define DROVER_PRODUCER_CLOCK_FILE_H

/*
 * Keeps the clock of streams from going back across restarts. The file holds a bound that no
 * version given so far passes: it is moved ahead before the clock passes it, so a crash leaves a
 * clock that is at most ten seconds early, never one that repeats itself. Only one producer of a
 * migration reads standard input at a time.
 */

#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/policy/version.h"

struct clock_file {
    char *path; /* NULL: not open */
    int lock;
    int64_t bound;
};

/* Reads the file, if there is one, into the clock. OUT_FATAL DRV-X004: unreadable, damaged (never
 * silently from 0), or in use. */
MUST_USE enum outcome clock_file_open(struct clock_file *file, const char *folder,
                                      const char *migration, struct version_clock *clock,
                                      struct error *err);
/* Before a version is given at physical time `now_ms`. OUT_FATAL DRV-X004. */
MUST_USE enum outcome clock_file_reserve(struct clock_file *file, const struct version_clock *clock,
                                         int64_t now_ms, struct error *err);
/* Writes what was really used. Does nothing when the file is not open. */
void clock_file_close(struct clock_file *file, const struct version_clock *clock);

#endif
