#ifndef DROVER_IO_FILE_STORE_H
#define DROVER_IO_FILE_STORE_H

/*
 * storage: file. The layout that sources read, one file a tenant and entity, and beside it what
 * makes writing exactly-once:
 *
 *   <dir>/<tenant>/<entity>.json   records in id order, one a line: an array, or for a mapping with
 *                                  $key an object; replaced as a whole, never half written
 *   <dir>/.drover/state.db         SQLite: records with versions, tombstones, sealed boxes,
 * progress <dir>/.drover/lock             one worker at a time
 *
 * SQLite is the truth: a batch is one transaction with its fence, and marks its files as dirty.
 * They are written from it at most once a second, when the sink closes, and at the next start when
 * a crash came between.
 *
 *   open ─ file_progress_new, file_sink_new ─ (loop) ─ both closed ─ close
 *
 * Everything that touches the disk runs in libuv's pool, one job after the other: a commit waits
 * for the disk (fsync), and a file of a large entity takes long to write, while the loop must go on
 * serving Kafka.
 */

#include <uv.h>

#include "common/base/attributes.h"
#include "common/base/error.h"
#include "common/io/mappings.h"
#include "common/io/settings.h"
#include "common/port/progress.h"
#include "common/port/sink.h"
#include "common/port/stored.h"

struct file_store;

/* Makes the folder when it is not there, and takes the lock. `settings` and `mappings` must outlive
 * it. OUT_FATAL DRV-F001; DRV-F002 when another process has the lock. */
MUST_USE enum outcome file_store_open(const struct settings *settings,
                                      const struct mapping_set *mappings, struct file_store **store,
                                      struct error *err);
/* After its sink and its progress have called on_closed. NULL is taken. */
void file_store_close(struct file_store *store);

/* One sink and one progress a store, both on the same loop. */
struct sink *file_sink_new(uv_loop_t *loop, struct file_store *store,
                           const struct sink_events *events, void *owner);

struct file_progress_config {
    const char *group, *topic, *worker; /* `worker`: the owner's name in the table */
    int32_t partitions;                 /* of the topic, to be pinned */
};

struct progress *file_progress_new(uv_loop_t *loop, struct file_store *store,
                                   const struct file_progress_config *config,
                                   const struct progress_events *events, void *owner);

/* A snapshot of what is committed, also while a worker writes; takes no lock. OUT_FATAL DRV-F001,
 * also when there is no store yet. */
MUST_USE enum outcome file_stored_open(const struct settings *settings,
                                       const struct mapping_set *mappings,
                                       struct stored_reader **reader, struct error *err);

#endif
