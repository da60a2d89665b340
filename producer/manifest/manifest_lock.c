/* Locks of open file descriptions (fcntl(2)): unlike those of processes they are not given back
 * when some other descriptor of the file is closed. */
#include "producer/manifest/manifest_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/bytes.h"
#include "common/base/text.h"

#define HEAD "drover-manifest "
#define DIGITS 20
#define LIVES_AT 1024 /* bytes before it are not locked */

static enum outcome failed(const struct manifest_lock *lock, const char *what, struct error *err)
{
    error_set(err, OUT_FATAL, ERR_STATE_FILE, "the lock of the producer's manifest cannot be %s",
              what);
    error_where(err, "%s", lock->path);
    error_cause(err, "%s", strerrordesc_np(errno));
    error_hint(err, "make it and its folder writable, and make room; then start again: nothing is "
                    "lost");
    return OUT_FATAL;
}

enum outcome manifest_lock_open(struct manifest_lock *lock, char *path, struct error *err)
{
    *lock = (struct manifest_lock){.path = path};
    lock->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    return lock->fd >= 0 ? OUT_OK : failed(lock, "opened", err);
}

void manifest_lock_close(struct manifest_lock *lock)
{
    if (lock->fd >= 0)
        close(lock->fd);
    free(lock->path);
    *lock = (struct manifest_lock){.fd = -1};
}

static struct flock byte_of(int64_t place)
{
    return (struct flock){.l_type = F_WRLCK,
                          .l_whence = SEEK_SET,
                          .l_start = LIVES_AT + (off_t)(place & (INT64_MAX >> 1)),
                          .l_len = 1};
}

enum outcome manifest_lock_take(const struct manifest_lock *lock, int64_t place, struct error *err)
{
    struct flock range = byte_of(place);
    if (fcntl(lock->fd, F_OFD_SETLK, &range) == 0)
        return OUT_OK;
    return errno == EAGAIN || errno == EACCES ? OUT_RETRY : failed(lock, "taken", err);
}

enum outcome manifest_lock_is_taken(const struct manifest_lock *lock, int64_t place, bool *taken,
                                    struct error *err)
{
    struct flock range = byte_of(place);
    if (fcntl(lock->fd, F_OFD_GETLK, &range) != 0)
        return failed(lock, "read", err);
    *taken = range.l_type != F_UNLCK;
    return OUT_OK;
}

enum outcome manifest_lock_commits(const struct manifest_lock *lock, uint64_t *commits,
                                   struct error *err)
{
    char text[sizeof(HEAD) - 1 + DIGITS];
    int64_t number = 0;
    ssize_t size = pread(lock->fd, text, sizeof(text), 0);
    *commits = 0;
    if (size < 0)
        return failed(lock, "read", err);
    if (size == 0)
        return OUT_OK;
    if (size == sizeof(text) && memcmp(text, HEAD, sizeof(HEAD) - 1) == 0 &&
        text_parse_int64(bytes_of(text + sizeof(HEAD) - 1, DIGITS), &number) && number >= 0) {
        *commits = (uint64_t)number;
        return OUT_OK;
    }
    error_set(err, OUT_FATAL, ERR_STATE_FILE, "the lock of the producer's manifest is damaged");
    error_where(err, "%s", lock->path);
    error_hint(err, "remove it when no producer runs: the manifest beside it is kept");
    return OUT_FATAL;
}

enum outcome manifest_lock_note(const struct manifest_lock *lock, uint64_t commits,
                                struct error *err)
{
    char text[sizeof(HEAD) + DIGITS];
    int size = snprintf(text, sizeof(text), HEAD "%0*" PRIu64, DIGITS, commits);
    return pwrite(lock->fd, text, (size_t)size, 0) == size ? OUT_OK : failed(lock, "written", err);
}
