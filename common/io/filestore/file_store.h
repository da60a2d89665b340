#ifndef DROVER_IO_FILE_STORE_H
#define DROVER_IO_FILE_STORE_H

/*
 * storage: file. The layout that sources read, one file a tenant and entity, and beside it what
 * makes writing exactly-once:
 *
 *   <dir>/<tenant>/<entity>.json   records in id order, one a line: an array, or for a mapping with
 *                                  $key an object; replaced as a whole, never half written
 *   <dir>/.drover/state.db         SQLite: records with versions, tombstones, sealed boxes,
 *                                  checkpoint, which files are to be written
 *   <dir>/.drover/lock             one worker at a time
 *
 * SQLite is the store: a batch is one transaction with its fence, and marks its files as dirty.
 * The exporter writes these from their rows: within a second, at most once a second, when the sink
 * closes, and at the next start when a crash came between.
 *
 *   open ─ file_checkpoint_new, file_sink_new ─ (loop) ─ both closed ─ close
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
#include "common/port/checkpoint.h"
#include "common/port/sink.h"
#include "common/port/store_reader.h"

struct file_store;

/* What lies in a file's place. */
enum file_state {
    FILE_RIGHT,      /* byte for byte what the rows give */
    FILE_PENDING,    /* what was written last; the rows have moved on since */
    FILE_EDITED,     /* neither */
    FILE_MISSING,    /* nothing lies there */
    FILE_UNOWNED,    /* the store has written none; somebody else has */
    FILE_UNREADABLE, /* or too large to be taken apart */
};

/* Makes the folder when it is not there, and takes the lock. `settings` and `mappings` must outlive
 * it. OUT_FATAL DRV-F001; DRV-F002 when another process has the lock. */
MUST_USE enum outcome file_store_open(const struct settings *settings,
                                      const struct mapping_set *mappings, struct file_store **store,
                                      struct error *err);
/* After its sink and its checkpoint have called on_closed. NULL is taken. */
void file_store_close(struct file_store *store);

/* One sink and one checkpoint a store, both on the same loop. */
struct sink *file_sink_new(uv_loop_t *loop, struct file_store *store,
                           const struct sink_events *events, void *owner);

/* The mappings are the store's. */
struct checkpoint *file_checkpoint_new(uv_loop_t *loop, struct file_store *store,
                                       const struct checkpoint_config *config,
                                       const struct checkpoint_events *events, void *owner);

enum file_store_reader_what {
    FILE_STORE_READER_RECORDS, /* as the database has them */
    FILE_STORE_READER_FILES,   /* as they lie in the tenants' files */
};

/* A snapshot of what is committed, also while a worker writes; takes no lock. OUT_FATAL DRV-F001,
 * also when there is no store yet. */
MUST_USE enum outcome file_store_reader_open(const struct settings *settings,
                                             const struct mapping_set *mappings,
                                             enum file_store_reader_what what,
                                             struct store_reader **reader, struct error *err);
/* How many files wait to be written. */
uint64_t file_store_reader_unwritten(struct store_reader *reader);

/* A file of the store, or one that lies among them. Views, valid during the call. */
struct file_found {
    struct bytes path; /* below store.dir */
    struct bytes entity, tenant;
    enum file_state state;
    bool is_stray;      /* the store has no such file */
    bool dirty;         /* it is to be written, as noted */
    const char *reason; /* a literal, or a text of the system; NULL when right */
    /* of an edited one: records that differ, are not there, are no row's */
    size_t changed, gone, more;
    bool as_written; /* it is what was written last: its rows are others now */
};

typedef void file_walk_each(void *owner, const struct file_found *found);

/* Every file of the store and what lies among them; of one tenant alone (an isolation key), or of
 * all: NULL. Waits up to 10 s for a worker that is about to write. OUT_FATAL DRV-F001. */
MUST_USE enum outcome file_store_reader_walk(const struct settings *settings,
                                             const struct mapping_set *mappings,
                                             const char *only_tenant, file_walk_each *each,
                                             void *owner, struct error *err);

/* drover rebuild files: writes every file that is not what its rows give. Holds the lock.
 * `replace_edited`: also where somebody edited it or put something there, which is kept beside.
 * `dry`: only tells, and leaves the database as it is. `each` is told of every file and how it
 * went. */
enum file_rebuilt {
    FILE_REBUILT_SAME,
    FILE_REBUILT_WRITTEN,
    FILE_REBUILT_KEPT, /* written; what lay there has another name beside it */
    FILE_REBUILT_LEFT, /* somebody's, or its place is bad: `err` says */
    FILE_REBUILT_COUNT,
};
typedef void file_rebuilt_each(void *owner, struct bytes path, enum file_rebuilt how,
                               const struct error *err);
MUST_USE enum outcome file_store_rebuild(const struct settings *settings,
                                         const struct mapping_set *mappings, bool replace_edited,
                                         bool dry, file_rebuilt_each *each, void *owner,
                                         struct error *err);

#endif
