#ifndef DROVER_PRODUCER_MANIFEST_LOCK_H
#define DROVER_PRODUCER_MANIFEST_LOCK_H

/*
 * The file beside a manifest: a byte of it a producer, locked while that lives (the system gives
 * the lock back when the process ends, however it does), and in front how many commits the manifest
 * has: one that has fewer lost some.
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/error.h"

struct manifest_lock {
    int fd;
    char *path;
};

/* `path` becomes the lock's. OUT_FATAL DRV-X004. */
MUST_USE enum outcome manifest_lock_open(struct manifest_lock *lock, char *path, struct error *err);
void manifest_lock_close(struct manifest_lock *lock);

/* OUT_RETRY: another process has it. OUT_FATAL DRV-X004. */
MUST_USE enum outcome manifest_lock_take(const struct manifest_lock *lock, int64_t place,
                                         struct error *err);
/* Whether another process has it. OUT_FATAL DRV-X004. */
MUST_USE enum outcome manifest_lock_is_taken(const struct manifest_lock *lock, int64_t place,
                                             bool *taken, struct error *err);

/* Commits as last noted; 0: none was ever made. OUT_FATAL DRV-X004, also for what is no number. */
MUST_USE enum outcome manifest_lock_commits(const struct manifest_lock *lock, uint64_t *commits,
                                            struct error *err);
MUST_USE enum outcome manifest_lock_note(const struct manifest_lock *lock, uint64_t commits,
                                         struct error *err);

#endif
