#ifndef DROVER_IO_CHROMIUM_PROFILE_H
#define DROVER_IO_CHROMIUM_PROFILE_H

/*
 * The localStorage of a Chromium profile folder, as bytes of a storage state document
 * {"cookies":[],"origins":[{"origin":"…","localStorage":[{"name":"…","value":"…"}]}]} made while it
 * is read: whoever reads such a document reads a profile.
 *
 * The database (LevelDB) is copied first, into a folder of our own in memory where there is room
 * (/dev/shm), so that a running or locked browser is neither disturbed nor waited for. Deleted and
 * overwritten values in its files do not come back: LevelDB gives the newest of each key only
 * (fault row L06).
 *
 * LevelDB asserts on what it reads, so it does that in a process of its own, whose death, hunger or
 * silence costs this source alone; the copy is gone when close returns, and when the process that
 * called open is killed (fault row "profile damaged").
 */

#include <stdbool.h>
#include <stdint.h>

#include "common/base/attributes.h"
#include "common/base/buf.h"
#include "common/base/bytes.h"
#include "common/base/error.h"

struct chromium_profile;

/* What the stored files of a profile are, without opening them. */
struct chromium_files {
    int64_t modified_ns; /* of the newest */
    uint64_t size;       /* together */
};

/* True for a profile, the folder above its Default, or its "Local Storage/leveldb". */
bool chromium_profile_is(const char *folder, struct chromium_files *files);

/* The folder of its database, as that function finds it; ends in a NUL in `path`. False with errno;
 * ENOENT: it has none. */
bool chromium_profile_database(const char *folder, struct buf *path);
/* Of a file's name in there: not the lock, and not the log for people. */
bool chromium_profile_holds_data(const char *name);

/* The first thing of a main function: open executes the program anew (/proc/self/exe), and that
 * process never returns from here. A program without it cannot open a profile. */
void chromium_profile_begin(int argc, char **argv);

/* OUT_REJECT DRV-S012; waits until the database is open. */
MUST_USE enum outcome chromium_profile_open(const char *folder, struct chromium_profile **profile,
                                            struct error *err);
void chromium_profile_close(struct chromium_profile *profile);
/* *chunk valid until the next call, empty at the end. OUT_RETRY: nothing came yet, look around.
 * OUT_REJECT DRV-S012: damaged. */
MUST_USE enum outcome chromium_profile_next(struct chromium_profile *profile, struct bytes *chunk,
                                            struct error *err);
const struct chromium_files *chromium_profile_files(const struct chromium_profile *profile);

#endif
