#include "common/io/key_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "common/base/mem.h"
#include "common/io/files.h"

#define TEXT_MAX 65536 /* 64 keys of 86 bytes, and remarks */
#define PIN_MAX 64
#define IDENTITY_SIZE 17

static enum outcome refuse(struct error *err, const char *path, const char *what)
{
    error_set(err, OUT_FATAL, ERR_SECRET_KEY, "%s", what);
    error_where(err, "%s", path);
    return OUT_FATAL;
}

static enum outcome refuse_system(struct error *err, const char *path, const char *what)
{
    int number = errno;
    refuse(err, path, what);
    error_cause(err, "%s", strerrordesc_np(number));
    if (number == ENOENT)
        error_hint(err, "drover secret keygen %s makes one, in a folder that is there", path);
    return OUT_FATAL;
}

/* ---- reading --------------------------------------------------------------------------------- */

static enum outcome check_file(int fd, const char *path, struct error *err)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return refuse_system(err, path, "the key file cannot be read");
    if (!S_ISREG(status.st_mode))
        return refuse(err, path, "the key file is no regular file");
    if (status.st_uid != geteuid())
        return refuse(err, path, "the key file belongs to another user");
    if (status.st_mode & (S_IRWXG | S_IRWXO)) {
        error_set(err, OUT_FATAL, ERR_SECRET_KEY, "the key file has mode %04o: others may read it",
                  (unsigned)status.st_mode & 07777);
        error_where(err, "%s", path);
        error_hint(err, "chmod 600 %s; and think of who may have read it", path);
        return OUT_FATAL;
    }
    if (status.st_size > TEXT_MAX)
        return refuse(err, path, "the key file is too large to be one");
    return OUT_OK;
}

static enum outcome read_text(int fd, const char *path, struct buf *text, struct error *err)
{
    char *place = buf_extend(text, TEXT_MAX);
    size_t size = 0;
    ssize_t count = 1;
    while (size < TEXT_MAX && (count = read(fd, place + size, TEXT_MAX - size)) != 0) {
        if (count < 0 && errno != EINTR)
            return refuse_system(err, path, "the key file cannot be read");
        size += count > 0 ? (size_t)count : 0;
    }
    text->size = size;
    return OUT_OK;
}

static enum outcome read_file(const char *path, struct secret_ring *ring, struct error *err)
{
    struct buf text;
    memset(ring, 0, sizeof *ring);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return refuse_system(
            err, path, errno == ELOOP ? "the key file is a link" : "the key file cannot be read");
    buf_init(&text, TEXT_MAX);
    enum outcome outcome = check_file(fd, path, err);
    if (outcome == OUT_OK)
        outcome = read_text(fd, path, &text, err);
    if (outcome == OUT_OK) {
        (void)sodium_mlock(ring, sizeof *ring); /* best effort: RLIMIT_MEMLOCK may be small */
        outcome = secret_ring_parse(buf_view(&text), ring, err);
        if (outcome != OUT_OK)
            error_where(err, "%s", path);
    }
    if (text.data)
        sodium_memzero(text.data, text.capacity);
    buf_free(&text);
    close(fd);
    return outcome;
}

/* ---- writing --------------------------------------------------------------------------------- */

static enum outcome write_new(const char *path, struct bytes text, struct error *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0 && errno == EEXIST) {
        refuse(err, path, "there is a file already, and a key is never overwritten");
        error_hint(err, "use it as it is, drover secret rotate adds a key; or name another file");
        return OUT_FATAL;
    }
    size_t done = 0;
    bool ok = fd >= 0;
    while (ok && done < text.size) {
        ssize_t count = write(fd, text.data + done, text.size - done);
        ok = count >= 0 || errno == EINTR;
        done += count > 0 ? (size_t)count : 0;
    }
    ok = ok && fsync(fd) == 0;
    if (fd >= 0)
        close(fd);
    if (ok)
        return OUT_OK;
    refuse_system(err, path, "the key file cannot be written");
    if (fd >= 0)
        unlink(path);
    return OUT_FATAL;
}

static enum outcome write_ring(const char *path, const struct secret_ring *ring, bool replace,
                               struct error *err)
{
    struct buf text;
    buf_init(&text, TEXT_MAX);
    (void)buf_extend(&text, TEXT_MAX); /* never grows, so no copy is left behind */
    buf_reset(&text);
    secret_ring_append(&text, ring);
    enum outcome outcome =
        replace ? files_write(path, buf_view(&text), err) : write_new(path, buf_view(&text), err);
    sodium_memzero(text.data, text.capacity);
    buf_free(&text);
    return outcome;
}

enum outcome key_file_create(const char *path, const struct secret_ring *ring, struct error *err)
{
    return write_ring(path, ring, false, err);
}

enum outcome key_file_replace(const char *path, const struct secret_ring *ring, struct error *err)
{
    return write_ring(path, ring, true, err);
}

/* ---- identity -------------------------------------------------------------------------------- */

static char *pin_path(const struct settings *settings)
{
    return mem_format("%s/%s.identity", settings->state_dir, settings->migration);
}

static enum outcome refuse_identity(struct error *err, const char *path, const char *found,
                                    const char *wanted, const char *by)
{
    error_set(err, OUT_FATAL, ERR_SECRET_KEY, "the key file has the identity %s, %s is %s", found,
              by, wanted);
    error_where(err, "%s", path);
    error_hint(err, "use the key file this migration began with: its references depend on it");
    return OUT_FATAL;
}

/* `pinned` is empty when there is no pin yet. */
static enum outcome read_pin(const char *path, char pinned[IDENTITY_SIZE], struct error *err)
{
    struct buf text;
    pinned[0] = '\0';
    if (!files_exist(path))
        return OUT_OK;
    enum outcome outcome = files_read(path, PIN_MAX, &text, err);
    if (outcome == OUT_OK && text.size == IDENTITY_SIZE && text.data[IDENTITY_SIZE - 1] == '\n') {
        memcpy(pinned, text.data, IDENTITY_SIZE - 1);
        pinned[IDENTITY_SIZE - 1] = '\0';
    } else if (outcome == OUT_OK) {
        outcome = error_set(err, OUT_FATAL, ERR_STATE_FILE,
                            "the file that keeps the key's identity is damaged");
        error_where(err, "%s", path);
    }
    buf_free(&text);
    return outcome;
}

static enum outcome check_identity(const struct settings *settings, const struct secret_ring *ring,
                                   struct error *err)
{
    char found[IDENTITY_SIZE], pinned[IDENTITY_SIZE];
    secret_ring_identity(ring, found);
    if (settings->key_identity && settings->key_identity[0] &&
        strcasecmp(found, settings->key_identity) != 0)
        return refuse_identity(err, settings->key_file, found, settings->key_identity,
                               "secrets.identity");
    char *path = pin_path(settings);
    enum outcome outcome = read_pin(path, pinned, err);
    if (outcome == OUT_OK && pinned[0] && strcmp(found, pinned) != 0)
        outcome = refuse_identity(err, settings->key_file, found, pinned, "that of this migration");
    free(path);
    return outcome;
}

enum outcome key_file_load(const struct settings *settings, struct secret_ring *ring, bool *present,
                           struct error *err)
{
    *present = settings->key_file && settings->key_file[0];
    memset(ring, 0, sizeof *ring);
    if (!*present)
        return OUT_OK;
    enum outcome outcome = read_file(settings->key_file, ring, err);
    if (outcome == OUT_OK)
        outcome = check_identity(settings, ring, err);
    if (outcome != OUT_OK)
        secret_ring_wipe(ring);
    return outcome;
}

enum outcome key_file_pin(const struct settings *settings, const struct secret_ring *ring,
                          struct error *err)
{
    char text[IDENTITY_SIZE + 1], pinned[IDENTITY_SIZE];
    char *path = pin_path(settings);
    enum outcome outcome = read_pin(path, pinned, err);
    if (outcome == OUT_OK && !pinned[0]) {
        secret_ring_identity(ring, text);
        text[IDENTITY_SIZE - 1] = '\n';
        outcome = files_make_folder(settings->state_dir, err);
        if (outcome == OUT_OK)
            outcome = files_write(path, bytes_of(text, IDENTITY_SIZE), err);
    }
    free(path);
    return outcome;
}
