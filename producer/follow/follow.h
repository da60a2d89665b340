#ifndef DROVER_PRODUCER_FOLLOW_H
#define DROVER_PRODUCER_FOLLOW_H

/*
 * `drover produce --follow`: the sources are read, and then looked at again, when the system says
 * that something changed and every scan_ms at least. What was added and changed is produced, what
 * is gone is produced as a delete; what counts as gone is decided in policy/follow_scan.h.
 *
 *   follow.c        the scan of all sources, and the waiting between two
 *   follow_read.c   one file: compared in a first pass, sent in a second
 *   follow_files.c  which files there are, and what stands for their content
 *   follow_state.c  what was produced before, in SQLite
 *
 * Memory is what plain producing takes, and some hundred bytes a file.
 */

#include "producer/producer.h"

/* As source_files_collect, but sources that are not there now may come (or may have gone since the
 * last run). OUT_FATAL DRV-…: standard input, which cannot be followed. */
MUST_USE enum outcome follow_collect(struct producer *producer, struct error *err);

/* Until a signal or a failure. */
void follow_sources(struct producer *producer);

#endif
