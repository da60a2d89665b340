/* See the header. */
#include "common/io/held_file.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/io/stop.h"

#define WAIT_MS                                                                                    \
    15000 /* longer than a part takes to end in order, but for a worker's long drain               \
           */
#define STEP_MS 100
#define PLACE_MS 2000

bool held_wait_turn(struct held_wait *wait, struct error *err)
{
    uint64_t now_ms = clock_monotonic_ms();
    if (wait->until_ms == 0) {
        wait->until_ms = now_ms + WAIT_MS;
        log_quoted(LOG_WARN, "lock.waiting", "for", err->text, "wait_ms=%d", WAIT_MS);
    }
    if (now_ms < wait->until_ms && !stop_signal()) {
        usleep(STEP_MS * 1000);
        return true;
    }
    err->outcome = OUT_FATAL;
    return false;
}

void held_place_take(struct held_place *place, const char *path)
{
    struct stat status;
    *place = (struct held_place){.next_ms = clock_monotonic_ms() + PLACE_MS};
    if (stat(path, &status) == 0) {
        place->device = status.st_dev;
        place->inode = status.st_ino;
    }
}

/* What cannot be looked at, for another reason than that it is not there, is not gone. */
bool held_place_is_kept(struct held_place *place, const char *path)
{
    struct stat status;
    uint64_t now_ms = clock_monotonic_ms();
    if (now_ms < place->next_ms)
        return true;
    place->next_ms = now_ms + PLACE_MS;
    if (stat(path, &status) != 0)
        return errno != ENOENT && errno != ENOTDIR;
    return status.st_dev == place->device && status.st_ino == place->inode;
}
