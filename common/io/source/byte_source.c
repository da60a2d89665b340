/* See the header. stored bytes ─► raw buffer ─► (inflater ─► plain buffer) ─► chunk */
#include "common/io/source/byte_source.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/io/source/chromium_profile.h"
#include "common/io/files.h"
#include "common/io/source/inflater.h"
#include "common/policy/collect/file_magic.h"

#define WAIT_MS 100 /* how long standard input is waited for before the caller looks around */

struct byte_source {
    int fd;
    bool stream;
    bool begun; /* the first bytes were looked at */
    bool ended;
    bool inflated; /* something came out of the inflater */
    struct stat opened;
    struct chromium_profile *profile; /* NULL: a file or standard input */
    struct inflater *inflater;        /* NULL: stored as it is */
    struct bytes left;                /* of raw, not yet inflated */
    uint64_t done;
    uint64_t to;     /* read no further; 0: to the end */
    uint64_t hashed; /* bytes in `hash` */
    struct digest_parts *hash;
    char *raw;
    char *plain;
};

static const char *kind_name(mode_t mode)
{
    if (S_ISDIR(mode))
        return "a folder";
    if (S_ISFIFO(mode))
        return "a FIFO";
    if (S_ISSOCK(mode))
        return "a socket";
    if (S_ISBLK(mode))
        return "a block device";
    return "a device";
}

static enum outcome cannot_open(struct error *err)
{
    error_set(err, OUT_REJECT, ERR_SOURCE_OPEN, "the source cannot be opened");
    error_cause(err, "%s", strerrordesc_np(errno));
    return OUT_REJECT;
}

/* O_NONBLOCK: opening a FIFO must not wait for its writer; it means nothing to regular files. */
static enum outcome open_file(struct byte_source *source, const char *path, struct error *err)
{
    source->fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (source->fd < 0 && errno == ENXIO) /* how open(2) answers for a socket */
        return error_set(err, OUT_REJECT, ERR_SOURCE_KIND, "the source is a socket");
    if (source->fd < 0 || fstat(source->fd, &source->opened) != 0)
        return cannot_open(err);
    if (!S_ISREG(source->opened.st_mode))
        return error_set(err, OUT_REJECT, ERR_SOURCE_KIND, "the source is %s",
                         kind_name(source->opened.st_mode));
    posix_fadvise(source->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    return OUT_OK;
}

enum outcome byte_source_open(const char *path, struct byte_source **out, struct error *err)
{
    struct byte_source *source = mem_new(sizeof(*source));
    struct chromium_files files;
    source->stream = strcmp(path, "-") == 0;
    source->fd = source->stream ? STDIN_FILENO : -1;
    bool is_profile = !source->stream && chromium_profile_is(path, &files);
    enum outcome outcome = source->stream ? OUT_OK
                           : is_profile   ? chromium_profile_open(path, &source->profile, err)
                                          : open_file(source, path, err);
    if (outcome != OUT_OK) {
        byte_source_close(source);
        return OUT_REJECT;
    }
    source->raw = mem_alloc(BYTE_SOURCE_CHUNK);
    source->hash = digest_begin();
    *out = source;
    return OUT_OK;
}

void byte_source_close(struct byte_source *source)
{
    if (!source)
        return;
    if (!source->stream && source->fd >= 0)
        close(source->fd);
    chromium_profile_close(source->profile);
    inflater_free(source->inflater);
    if (source->hash)
        (void)digest_finish(source->hash);
    free(source->raw);
    free(source->plain);
    free(source);
}

enum outcome byte_source_select(struct byte_source *source, uint64_t from, uint64_t to,
                                struct error *err)
{
    if (source->fd < 0 || lseek(source->fd, (off_t)from, SEEK_SET) < 0)
        return error_set(err, OUT_REJECT, ERR_SOURCE_CHANGED, "the source is no file any more");
    source->begun = true;
    source->done = from;
    source->to = to;
    return OUT_OK;
}

static void hash(struct byte_source *source, struct bytes part)
{
    digest_add_part(source->hash, part);
    source->hashed += part.size;
}

static enum outcome wait_for_input(const struct byte_source *source)
{
    struct pollfd wanted = {.fd = source->fd, .events = POLLIN};
    return poll(&wanted, 1, WAIT_MS) > 0 ? OUT_OK : OUT_RETRY;
}

static enum outcome cannot_read(const struct byte_source *source, struct error *err)
{
    error_set(err, OUT_FATAL, ERR_SOURCE_READ, "the source cannot be read beyond byte %" PRIu64,
              source->done);
    error_cause(err, "%s", strerrordesc_np(errno));
    return OUT_FATAL;
}

/* Reads once into raw[used…]. OUT_OK with *size 0 at the end of the file. */
static enum outcome read_some(struct byte_source *source, size_t used, size_t *size,
                              struct error *err)
{
    if (source->stream && wait_for_input(source) != OUT_OK)
        return OUT_RETRY;
    size_t room = BYTE_SOURCE_CHUNK - used;
    if (source->to && source->to - source->done < room)
        room = (size_t)(source->to - source->done);
    ssize_t got = read(source->fd, source->raw + used, room);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return OUT_RETRY;
    if (got < 0)
        return cannot_read(source, err);
    *size = (size_t)got;
    source->done += *size;
    source->ended = got == 0;
    hash(source, bytes_of(source->raw + used, *size));
    return OUT_OK;
}

/* What holds no JSON is told by name. A tar archive may also be what is compressed. */
static enum outcome refuse_magic(struct bytes start, struct error *err)
{
    bool more;
    const struct file_magic *magic = file_magic_find(start, &more);
    if (!magic)
        return OUT_OK;
    error_set(err, OUT_REJECT, ERR_SOURCE_FORMAT, "the source is %s", magic->name);
    error_hint(err, "%s", magic->advice);
    return OUT_REJECT;
}

/* The first read goes on until there are enough bytes to tell the compression by, and no further:
 * a stream's first record may be short, and the next one late. */
static enum outcome read_start(struct byte_source *source, struct error *err)
{
    bool more = true;
    while ((source->left.size < 4 || more) && !source->ended) {
        size_t size;
        enum outcome outcome = read_some(source, source->left.size, &size, err);
        if (outcome != OUT_OK)
            return outcome;
        source->left = bytes_of(source->raw, source->left.size + size);
        (void)file_magic_find(source->left, &more);
    }
    source->begun = true;
    if (refuse_magic(source->left, err) != OUT_OK)
        return OUT_REJECT;
    enum inflater_kind kind = inflater_detect(source->left);
    if (kind == INFLATER_NONE)
        return OUT_OK;
    source->inflater = inflater_new(kind);
    source->plain = mem_alloc(BYTE_SOURCE_CHUNK);
    return OUT_OK;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* The time of the last change of status too: who writes may set st_mtim back, not st_ctim. */
static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           same_time(&a->st_mtim, &b->st_mtim) && same_time(&a->st_ctim, &b->st_ctim);
}

static enum outcome check_unchanged(const struct byte_source *source, struct error *err)
{
    struct stat now;
    if (source->stream)
        return OUT_OK;
    if (fstat(source->fd, &now) != 0)
        return cannot_read(source, err);
    if (source->to && source->done == source->to)
        return OUT_OK;
    if (same_file(&source->opened, &now) && source->done == (uint64_t)now.st_size)
        return OUT_OK;
    error_set(err, OUT_REJECT, ERR_SOURCE_CHANGED, "the source changed while it was read");
    error_cause(err, "it had %jd bytes, has %jd now, and %" PRIu64 " were read",
                (intmax_t)source->opened.st_size, (intmax_t)now.st_size, source->done);
    return OUT_REJECT;
}

static enum outcome next_raw(struct byte_source *source, struct bytes *chunk, struct error *err)
{
    *chunk = source->left; /* what read_start left */
    source->left = (struct bytes){0};
    if (chunk->size || source->ended)
        return OUT_OK;
    size_t size = 0;
    enum outcome outcome = read_some(source, 0, &size, err);
    *chunk = bytes_of(source->raw, outcome == OUT_OK ? size : 0);
    return outcome;
}

static enum outcome next_inflated(struct byte_source *source, struct bytes *chunk,
                                  struct error *err)
{
    size_t made = 0;
    for (;;) {
        bool last = source->ended && source->left.size == 0;
        enum outcome outcome = inflater_step(source->inflater, &source->left, last, source->plain,
                                             BYTE_SOURCE_CHUNK, &made, err);
        if (outcome != OUT_OK) {
            error_where(err, "byte %" PRIu64, source->done - source->left.size);
            return outcome;
        }
        *chunk = bytes_of(source->plain, made);
        bool first = made && !source->inflated;
        source->inflated = source->inflated || made;
        if (made || last)
            return first ? refuse_magic(*chunk, err) : OUT_OK;
        if (source->left.size)
            continue;
        outcome = next_raw(source, &source->left, err);
        if (outcome != OUT_OK)
            return outcome;
    }
}

/* What is made of a profile is larger or smaller than its files: progress never passes them. */
static enum outcome next_of_profile(struct byte_source *source, struct bytes *chunk,
                                    struct error *err)
{
    uint64_t size = byte_source_size(source);
    enum outcome outcome = chromium_profile_next(source->profile, chunk, err);
    if (outcome == OUT_RETRY)
        return outcome;
    if (outcome == OUT_OK)
        hash(source, *chunk);
    bool passes = chunk->size == 0 || chunk->size > size - source->done;
    source->done = passes ? size : source->done + chunk->size;
    return outcome;
}

enum outcome byte_source_next(struct byte_source *source, struct bytes *chunk, struct error *err)
{
    *chunk = (struct bytes){0};
    if (source->profile)
        return next_of_profile(source, chunk, err);
    enum outcome outcome = source->begun ? OUT_OK : read_start(source, err);
    if (outcome != OUT_OK)
        return outcome;
    if (source->inflater)
        outcome = next_inflated(source, chunk, err);
    else
        outcome = next_raw(source, chunk, err);
    if (outcome == OUT_OK && chunk->size == 0)
        outcome = check_unchanged(source, err);
    return outcome;
}

bool byte_source_is_stream(const struct byte_source *source)
{
    return source->stream;
}

uint64_t byte_source_done(const struct byte_source *source)
{
    return source->done;
}

uint64_t byte_source_size(const struct byte_source *source)
{
    if (source->profile)
        return chromium_profile_files(source->profile)->size;
    return source->stream ? 0 : (uint64_t)source->opened.st_size;
}

int64_t byte_source_modified_ms(const struct byte_source *source)
{
    if (source->profile)
        return chromium_profile_files(source->profile)->modified_ns / 1000000;
    if (source->stream)
        return 0;
    return files_time_ns(&source->opened.st_mtim) / 1000000;
}

uint64_t byte_source_digest(const struct byte_source *source, struct digest *digest)
{
    *digest = digest_so_far(source->hash);
    return source->hashed;
}

bool byte_source_is_plain(const struct byte_source *source)
{
    return !source->inflater && !source->profile;
}

/* The next stored bytes, into *chunk; empty at the end. */
static enum outcome next_stored(struct byte_source *source, struct bytes *chunk, struct error *err)
{
    size_t size = 0;
    if (source->profile)
        return chromium_profile_next(source->profile, chunk, err);
    enum outcome outcome = read_some(source, 0, &size, err);
    *chunk = bytes_of(source->raw, outcome == OUT_OK ? size : 0);
    return outcome;
}

enum outcome byte_source_digest_of(const char *path, uint64_t count, bool (*go_on)(void *owner),
                                   void *owner, struct digest *digest, uint64_t *read,
                                   struct error *err)
{
    struct byte_source *source;
    struct bytes chunk;
    enum outcome outcome = byte_source_open(path, &source, err);
    if (outcome != OUT_OK)
        return outcome;
    struct digest_parts *parts = digest_begin();
    *read = 0;
    do {
        chunk = (struct bytes){0};
        outcome = go_on(owner) ? next_stored(source, &chunk, err) : OUT_RETRY;
        if (chunk.size > count - *read)
            chunk.size = count - *read;
        digest_add_part(parts, chunk);
        *read += chunk.size;
    } while ((outcome == OUT_OK && chunk.size > 0) || (outcome == OUT_RETRY && go_on(owner)));
    *digest = digest_finish(parts);
    byte_source_close(source);
    return outcome;
}
