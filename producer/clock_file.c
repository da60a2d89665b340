/* The file is one line: `drover-clock 1 <bound> <checksum of what is before it>`. */
#include "producer/clock_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/files.h"

#define AHEAD_MS 10000
#define FILE_MAX 256
#define HEAD "drover-clock 1 "

static enum outcome damaged(const char *path, struct error *err)
{
    error_set(err, OUT_FATAL, ERR_STATE_FILE, "the file that keeps the clock is damaged");
    error_where(err, "%s", path);
    error_hint(err, "restore it; or remove it, if no record was ever produced from standard input");
    return OUT_FATAL;
}

static enum outcome parse(const char *path, struct bytes text, int64_t *bound, struct error *err)
{
    size_t head = sizeof(HEAD) - 1;
    const char *gap = text.size > head ? memrchr(text.data, ' ', text.size) : NULL;
    if (!gap || memcmp(text.data, HEAD, head) != 0 || text.data[text.size - 1] != '\n')
        return damaged(path, err);
    size_t size = (size_t)(gap - text.data);
    char sum[20];
    snprintf(sum, sizeof(sum), "%016" PRIx64 "\n", hash64(bytes_of(text.data, size)));
    struct bytes rest = bytes_of(gap + 1, text.size - size - 1);
    if (size <= head || !bytes_equal(rest, bytes_text(sum)) ||
        !text_parse_int64(bytes_of(text.data + head, size - head), bound) || *bound < 0)
        return damaged(path, err);
    return OUT_OK;
}

static enum outcome write_bound(const struct clock_file *file, int64_t bound, struct error *err)
{
    char text[FILE_MAX];
    int size = snprintf(text, sizeof(text), HEAD "%" PRId64, bound);
    uint64_t sum = hash64(bytes_of(text, (size_t)size));
    size += snprintf(text + size, sizeof(text) - (size_t)size, " %016" PRIx64 "\n", sum);
    return files_write(file->path, bytes_of(text, (size_t)size), err);
}

static enum outcome lock(struct clock_file *file, const char *path, struct error *err)
{
    file->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file->lock >= 0 && flock(file->lock, LOCK_EX | LOCK_NB) == 0)
        return OUT_OK;
    if (file->lock >= 0 && errno == EWOULDBLOCK) {
        error_set(err, OUT_FATAL, ERR_STATE_FILE,
                  "another producer of this migration reads standard input");
        error_hint(err, "wait until it has ended");
    } else {
        error_set(err, OUT_FATAL, ERR_STATE_FILE, "the clock's lock cannot be taken");
        error_cause(err, "%s", strerrordesc_np(errno));
    }
    error_where(err, "%s", path);
    return OUT_FATAL;
}

static enum outcome load(struct clock_file *file, struct version_clock *clock, struct error *err)
{
    struct buf text;
    if (!files_exist(file->path))
        return OUT_OK;
    enum outcome outcome = files_read(file->path, FILE_MAX, &text, err);
    if (outcome == OUT_OK)
        outcome = parse(file->path, buf_view(&text), &file->bound, err);
    else if (err)
        err->code = ERR_STATE_FILE;
    buf_free(&text);
    version_observe(clock, file->bound);
    return outcome;
}

enum outcome clock_file_open(struct clock_file *file, const char *folder, const char *migration,
                             struct version_clock *clock, struct error *err)
{
    *file = (struct clock_file){.lock = -1};
    if (files_make_folder(folder, err) != OUT_OK)
        return OUT_FATAL;
    char *lock_path = mem_format("%s/%s.clock.lock", folder, migration);
    file->path = mem_format("%s/%s.clock", folder, migration);
    enum outcome outcome = lock(file, lock_path, err);
    free(lock_path);
    if (outcome == OUT_OK)
        outcome = load(file, clock, err);
    if (outcome != OUT_OK) {
        free(file->path);
        file->path = NULL;
        if (file->lock >= 0)
            close(file->lock);
    }
    return outcome;
}

enum outcome clock_file_reserve(struct clock_file *file, const struct version_clock *clock,
                                int64_t now_ms, struct error *err)
{
    int64_t unit = INT64_C(1) << VERSION_COUNTER_BITS;
    int64_t next = clock->last + 1 > now_ms * unit ? clock->last + 1 : now_ms * unit;
    if (next <= file->bound && file->bound > clock->last)
        return OUT_OK;
    int64_t bound = next + AHEAD_MS * unit;
    enum outcome outcome = write_bound(file, bound, err);
    if (outcome == OUT_OK)
        file->bound = bound;
    return outcome;
}

void clock_file_close(struct clock_file *file, const struct version_clock *clock)
{
    if (!file->path)
        return;
    struct error ignored; /* the bound that is there holds as well */
    if (clock->last < file->bound && write_bound(file, clock->last, &ignored) == OUT_OK)
        file->bound = clock->last;
    free(file->path);
    file->path = NULL;
    close(file->lock);
}
