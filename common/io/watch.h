#ifndef DROVER_IO_WATCH_H
#define DROVER_IO_WATCH_H

/*
 * Waiting for something to change in folders: the system's notices (inotify) and, as they may be
 * lost or not come at all (network file systems, too many watches), the turn of a periodic scan.
 * Which names changed is told too, each once, so that who is woken need not look at all others.
 * Nobody's loop: for callers that are not on one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/error.h"

struct watch;

enum watch_wake {
    WATCH_NOTHING, /* the wait is over */
    WATCH_CHANGED, /* something in one of the folders: watch_take_change */
    WATCH_SCAN,    /* scan_ms have passed since the last one */
};

/* OUT_FATAL DRV-X999 when the system gives no notices at all. */
MUST_USE enum outcome watch_open(uint64_t scan_ms, struct watch **watch, struct error *err);
/* NULL is allowed. */
void watch_close(struct watch *watch);

/* The folders to watch from now on, sorted by strcmp, no name twice. A folder that cannot be
 * watched is left to the scans: their number is returned. *more: some were not watched before, so
 * what happened there up to now was not told. */
size_t watch_set_folders(struct watch *watch, const char *const *folders, size_t count, bool *more);

/* Waits at most wait_ms. A scan goes before a change. */
enum watch_wake watch_wait(struct watch *watch, uint64_t wait_ms);

/* Takes what the system has told up to now, without waiting. */
void watch_look(struct watch *watch);

struct watch_change {
    char *path; /* FOLDER/NAME, which the caller frees; NULL: no more */
    bool left;  /* something that had this name got another one, or went to another folder */
};

/* The next path that changed, came or went. */
struct watch_change watch_take_change(struct watch *watch);
/* Whether more changed than can be told by names of files, since it was asked last: too much of it,
 * or folders. All must be looked at. */
bool watch_take_lost(struct watch *watch);
/* Forgets what is to be taken, for who looks at all anyway. What comes from now on is told. */
void watch_forget(struct watch *watch);

#endif
