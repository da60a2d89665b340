#ifndef DROVER_PRODUCER_FOLLOW_GROWN_H
#define DROVER_PRODUCER_FOLLOW_GROWN_H

/*
 * NDJSON files that only grow: of one that was read whole, and has lines behind that end now, only
 * those are read. That what was read is still what it was cannot be seen without reading it all, so
 * it is proven twice:
 *
 *   at once      the file's begin and what stands before the end are digested again (a few KiB);
 *   when it rests, and every VERIFY_MS while it grows, all of it is: digests only, no JSON.
 *
 * When either differs the file is read whole, and compared with all that is known of it. What is
 * known of a growing file (struct follow_grown) is stored with its records, and is there only while
 * nothing else of that content is left to do.
 */

#include <stdbool.h>

#include "common/io/source/source_files.h"
#include "common/io/source/source_reading.h"
#include "producer/follow/follow_state.h"

/* Whether what was read of the file is, as far as a few KiB tell, still its begin. */
bool follow_grown_is_begin(const char *path, const struct follow_grown *grown);
/* The same of all of it, by the digests of its parts. `go_on` says no: false, and *asked false. */
bool follow_grown_is_same(struct follow_state *state, int64_t file, const char *path,
                          const struct follow_grown *grown, bool (*go_on)(void *owner), void *owner,
                          struct digest *whole);
/* The lines behind the end of which the file of `size` bytes holds all, to be read: *part, whose
 * `to` is 0 when there is none. A last line without an end counts when it is a whole JSON text.
 * False: the file cannot be read. */
bool follow_grown_find_lines(const char *path, const struct follow_grown *grown, uint64_t size,
                             size_t record_max, struct source_part *part);
/* Fills in the proof of the first `end` bytes; false: they cannot be read. */
bool follow_grown_prove(const char *path, struct follow_grown *grown);

#endif
