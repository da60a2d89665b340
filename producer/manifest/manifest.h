#ifndef DROVER_PRODUCER_MANIFEST_H
#define DROVER_PRODUCER_MANIFEST_H

/*
 * What was sent of which source, in SQLite beside the other state: <state_dir>/<topic>.manifest.db.
 * A row a source says how far the topic has acknowledged it, in whose run, and with which numbers
 * the run goes on there: so whatever ends a producer, the same command goes on in the same run, and
 * what comes twice has the same numbers.
 *
 * Rows are stored at bounded intervals, and what is stored may be older than what the topic holds,
 * never newer: the messages in between are sent again. A commit is in the system's memory when it
 * returns, which no end of this process takes back; a machine that goes down may take back the last
 * ones, which costs the same. Each row has a digest over all its values.
 *
 * All failures are OUT_FATAL DRV-X004, but for manifest_take's. A manifest that is damaged, cut,
 * emptied or of another format is refused, never begun anew silently; one that lost its last
 * commits is used, and says so (manifest_lost).
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/bytes.h"
#include "common/base/error.h"
#include "common/base/hash.h"
#include "common/policy/follow_scan.h"

#define MANIFEST_RUN_SIZE 40

struct manifest;

/* A place in a source, and all that goes on from there. */
struct manifest_place {
    uint64_t records;     /* before it: sent, rejected or withheld */
    uint64_t at;          /* of the source's bytes, for people */
    uint64_t bytes;       /* that were read by then, as they are stored, */
    struct digest digest; /* and their digest */
    int64_t clock;        /* greatest version given to a record without one */
    int64_t *sequences;   /* the run's next number, by partition */
};

struct manifest_source {
    struct scan_identity identity; /* before it was opened, */
    int64_t looked_ns;             /* at this time */
    struct digest way;             /* how it is read: mapping, tenant, settings */
    char run[MANIFEST_RUN_SIZE];
    int32_t partitions;
    int64_t start_clock, *start_sequences; /* before its first record */
    struct manifest_place place;           /* how far it is acknowledged */
    bool complete;
    uint64_t produced, rejected, withheld; /* complete */
    int64_t finished_ms;
    struct bytes reading; /* as it was told (model/message/reading.h); the row's own */
};

/* Sequences of `count` partitions, all 0; freed by manifest_source_free. */
void manifest_source_init(struct manifest_source *source, int32_t partitions);
void manifest_source_free(struct manifest_source *source);
void manifest_place_copy(struct manifest_place *to, const struct manifest_place *from,
                         int32_t partitions);

/* `topic` names the file. */
MUST_USE enum outcome manifest_open(const char *folder, const char *topic,
                                    struct manifest **manifest, struct error *err);
/* NULL is allowed. Gives up the sources taken. */
void manifest_close(struct manifest *manifest);
/* Commits that were made and are not there: the file was cut, restored, or the machine went down.
 */
uint64_t manifest_lost(const struct manifest *manifest);
const char *manifest_path(const struct manifest *manifest);

/* So that nobody else reads this source until manifest_close: neither by this name nor by another.
 * OUT_FATAL DRV-S015 with who does. The first begins a commit, and manifest_say_taken, behind the
 * last, ends it: no other call is between them. */
MUST_USE enum outcome manifest_take(struct manifest *manifest, const char *path,
                                    const struct scan_identity *identity, struct error *err);
MUST_USE enum outcome manifest_say_taken(struct manifest *manifest, struct error *err);

/* *known false: it has no row. Else *source is to be freed. */
MUST_USE enum outcome manifest_find(struct manifest *manifest, const char *path, bool *known,
                                    struct manifest_source *source, struct error *err);
MUST_USE enum outcome manifest_store(struct manifest *manifest, const char *path,
                                     const struct manifest_source *source, struct error *err);
/* Several of the calls above and below as one commit. */
MUST_USE enum outcome manifest_begin(struct manifest *manifest, struct error *err);
MUST_USE enum outcome manifest_commit(struct manifest *manifest, struct error *err);

/* The last message of a run that a partition has acknowledged. */
struct manifest_tip {
    int64_t offset; /* -1: none */
    int64_t sequence;
};
/* Of a run, by partition. */
MUST_USE enum outcome manifest_store_tips(struct manifest *manifest, const char *run,
                                          const struct manifest_tip *tips, int32_t partitions,
                                          struct error *err);
/* The greatest of all runs, by partition, and the run each is of. */
struct manifest_last {
    struct manifest_tip tip;
    char run[MANIFEST_RUN_SIZE];
};
MUST_USE enum outcome manifest_find_last(struct manifest *manifest, struct manifest_last *last,
                                         int32_t partitions, struct error *err);
/* Sources and tips: the topic does not hold what they say. */
MUST_USE enum outcome manifest_forget(struct manifest *manifest, struct error *err);

#endif
