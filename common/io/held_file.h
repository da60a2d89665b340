#ifndef DROVER_IO_HELD_FILE_H
#define DROVER_IO_HELD_FILE_H

/*
 * A file that one process at a time has for its own: who finds it held waits for who may just be
 * ending (a part whose parent was killed, while the next one starts), and who has it notices when
 * its path no longer leads to it: SQLite goes on into a file that was deleted without a word.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/base/error.h"

struct held_wait {
    uint64_t until_ms; /* 0: not begun */
};

/* After an open that failed as another process holds the lock, `err`: whether to try again, a
 * moment later. Says at first that it waits; for 15 s at most, and not once it is to stop: then
 * false, and `err` is OUT_FATAL. Blocks: before a loop turns. */
bool held_wait_turn(struct held_wait *wait, struct error *err);

/* Which file a path led to when it was opened, and when that was looked at again. */
struct held_place {
    dev_t device;
    ino_t inode;
    uint64_t next_ms;
};

void held_place_take(struct held_place *place, const char *path);
/* Every two seconds, and true between: false when the path leads to nothing, or to another file. */
bool held_place_is_kept(struct held_place *place, const char *path);

#endif
