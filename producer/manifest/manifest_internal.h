#ifndef DROVER_PRODUCER_MANIFEST_INTERNAL_H
#define DROVER_PRODUCER_MANIFEST_INTERNAL_H

/* Parts of the manifest: manifest.c opens it, manifest_rows.c reads and writes what is in it,
 * manifest_failures.c says why it cannot be used. */

#include "common/io/sqlite.h"
#include "producer/manifest/manifest.h"
#include "producer/manifest/manifest_lock.h"

struct manifest {
    struct sqlite_db db; /* first */
    struct manifest_lock lock;
    char *path;
    struct buf scratch;
    uint64_t lost;
    int64_t life; /* the byte of the lock's file that says this process lives; 0: took no source */
};

/* SQLite refused: what it said, and what that needs. For sqlite_open. */
enum outcome manifest_failed(const struct sqlite_db *db, struct error *err);
/* "the producer's manifest `what`", DRV-X004. */
enum outcome manifest_refuse(const struct manifest *manifest, const char *what, const char *why,
                             struct error *err);
/* Says that the file is not what was written. */
enum outcome manifest_damaged(const struct manifest *manifest, const char *why, struct error *err);
/* Each row by its digest: one whose key is another one would else be one that is not known. */
MUST_USE enum outcome manifest_check_rows(struct manifest *manifest, struct error *err);

#endif
