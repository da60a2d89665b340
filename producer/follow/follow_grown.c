#include "producer/follow/follow_grown.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yyjson.h>

#include "common/base/mem.h"

#define PROOF_BYTES 4096 /* at the begin, and before the end */
#define STEP_BYTES (64 * 1024)
#define READ_BYTES (1024 * 1024)

/* All of them; false: there are fewer. */
static bool read_at(int file, char *out, size_t size, uint64_t at)
{
    for (size_t done = 0; done < size;) {
        ssize_t got = pread(file, out + done, size - done, (off_t)(at + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        done += (size_t)got;
    }
    return true;
}

static bool prove(int file, uint64_t end, struct digest *proof)
{
    char both[2 * PROOF_BYTES];
    size_t size = end < PROOF_BYTES ? (size_t)end : PROOF_BYTES;
    if (!read_at(file, both, size, 0) || !read_at(file, both + size, size, end - size))
        return false;
    *proof = digest_of(bytes_of(both, 2 * size));
    return true;
}

static int open_file(const char *path)
{
    return open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

bool follow_grown_prove(const char *path, struct follow_grown *grown)
{
    int file = open_file(path);
    bool proven = file >= 0 && prove(file, grown->end, &grown->proof);
    if (file >= 0)
        close(file);
    return proven;
}

bool follow_grown_is_begin(const char *path, const struct follow_grown *grown)
{
    struct follow_grown now = *grown;
    return follow_grown_prove(path, &now) && digest_equal(&now.proof, &grown->proof);
}

/* ---- all of it --------------------------------------------------------------------------- */

/* [from, to) has that digest; what is read goes to `whole` too. */
static bool is_part_same(int file, uint64_t from, const struct follow_part *part, char *buffer,
                         struct digest_parts *whole, bool (*go_on)(void *owner), void *owner)
{
    struct digest_parts *parts = digest_begin();
    bool ok = true;
    for (uint64_t at = from; at < part->to && ok;) {
        size_t size = part->to - at < READ_BYTES ? (size_t)(part->to - at) : READ_BYTES;
        ok = go_on(owner) && read_at(file, buffer, size, at);
        if (!ok)
            break;
        digest_add_part(parts, bytes_of(buffer, size));
        digest_add_part(whole, bytes_of(buffer, size));
        at += size;
    }
    struct digest digest = digest_finish(parts);
    return ok && digest_equal(&digest, &part->digest);
}

bool follow_grown_is_same(struct follow_state *state, int64_t id, const char *path,
                          const struct follow_grown *grown, bool (*go_on)(void *owner), void *owner,
                          struct digest *whole)
{
    struct follow_part parts[FOLLOW_PARTS_MAX];
    size_t count = 0;
    struct error ignored;
    int file = open_file(path);
    struct digest_parts *all = digest_begin();
    char *buffer = mem_alloc(READ_BYTES);
    uint64_t at = 0;
    bool same = file >= 0 && follow_state_parts(state, id, parts, &count, &ignored) == OUT_OK;
    for (size_t i = 0; i < count && same; at = parts[i++].to)
        same = is_part_same(file, at, &parts[i], buffer, all, go_on, owner);
    *whole = digest_finish(all);
    free(buffer);
    if (file >= 0)
        close(file);
    return same && at == grown->end;
}

/* ---- lines ------------------------------------------------------------------------------- */

/* Behind the last line's end in [from, to); `from`: there is none. False: it cannot be read. */
static bool find_last_end(int file, uint64_t from, uint64_t to, uint64_t *end)
{
    char *step = mem_alloc(STEP_BYTES);
    bool ok = true;
    for (*end = to; *end > from && ok;) {
        size_t size = *end - from < STEP_BYTES ? (size_t)(*end - from) : STEP_BYTES;
        ok = read_at(file, step, size, *end - size);
        const char *last = ok ? memrchr(step, '\n', size) : NULL;
        *end -= last ? size - (size_t)(last - step) - 1 : size;
        if (last)
            break;
    }
    free(step);
    return ok;
}

/* The bytes of a last line that nobody has ended. */
static bool is_whole_text(int file, uint64_t from, uint64_t to, size_t max)
{
    if (to - from > max)
        return false;
    size_t size = (size_t)(to - from);
    char *text = mem_alloc(size + 1);
    bool read = read_at(file, text, size, from);
    yyjson_doc *doc = read ? yyjson_read(text, size, 0) : NULL;
    bool whole = doc != NULL;
    yyjson_doc_free(doc);
    free(text);
    return whole;
}

bool follow_grown_find_lines(const char *path, const struct follow_grown *grown, uint64_t size,
                             size_t record_max, struct source_part *part)
{
    uint64_t end = grown->end;
    int file = open_file(path);
    bool ok = file >= 0 && find_last_end(file, grown->end, size, &end);
    if (ok && end < size && is_whole_text(file, end, size, record_max))
        end = size;
    *part = (struct source_part){.from = grown->end,
                                 .to = end > grown->end ? end : 0,
                                 .line = grown->line,
                                 .ordinal = grown->ordinal};
    if (file >= 0)
        close(file);
    return ok;
}
