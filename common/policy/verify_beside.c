#include "common/policy/verify_beside.h"

#include <inttypes.h>

#include "common/base/text.h"

void verify_beside_orphans(struct verify_beside *beside, const char *entity, const char *parent,
                           uint64_t rows)
{
    if (rows == 0)
        return;
    if (beside->orphan_count == VERIFY_ORPHANS_MOST)
        beside->orphans[VERIFY_ORPHANS_MOST - 1].rows += rows;
    else
        beside->orphans[beside->orphan_count++] = (struct verify_orphans){entity, parent, rows};
}

uint64_t verify_beside_redis_problems(const struct verify_beside *beside)
{
    const struct verify_redis *redis = &beside->redis;
    return redis->different + redis->stale + redis->newer + redis->missing + redis->extra +
           redis->unexpected + redis->emptied;
}

uint64_t verify_beside_file_problems(const struct verify_beside *beside)
{
    const struct verify_files *files = &beside->files;
    return files->edited + files->missing + files->foreign + files->unreadable + files->unwritten;
}

uint64_t verify_beside_orphan_rows(const struct verify_beside *beside)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < beside->orphan_count; i++)
        sum += beside->orphans[i].rows;
    return sum;
}

uint64_t verify_beside_problems(const struct verify_beside *beside)
{
    return verify_beside_redis_problems(beside) + beside->sealed.missing +
           beside->sealed.different + verify_beside_orphan_rows(beside) +
           verify_beside_file_problems(beside);
}

static void append_part(struct buf *out, uint64_t count, const char *what, bool *first)
{
    char text[28];
    if (!count)
        return;
    buf_append_format(out, "%s%s %s", *first ? "" : ", ", text_format_count(count, text), what);
    *first = false;
}

/* Where Redis is the store there may be keys in it that are no record's. */
static bool is_told(const struct verify_redis *redis)
{
    return redis->compared || redis->unexpected;
}

static void append_redis(const struct verify_redis *redis, struct buf *out)
{
    bool first = true;
    buf_append_text(out,
                    redis->compared ? "redis against the tables: " : "redis, beside the records: ");
    append_part(out, redis->match, "match", &first);
    append_part(out, redis->different, "different", &first);
    append_part(out, redis->stale, "stale", &first);
    append_part(out, redis->newer, "target newer", &first);
    append_part(out, redis->missing, "missing", &first);
    append_part(out, redis->extra, "extra", &first);
    append_part(out, redis->unexpected, "unexpected", &first);
    append_part(out, redis->expired, "expired, not compared", &first);
    buf_append_text(out, first ? "nothing to compare\n" : "\n");
    if (redis->emptied)
        buf_append_text(out,
                        "redis: the mark that says it holds all of the migration is gone: it was "
                        "emptied, or is another server\n  try: drover rebuild redis\n");
}

static void append_files(const struct verify_files *files, struct buf *out)
{
    bool first = true;
    buf_append_text(out, "files of the store: ");
    append_part(out, files->match, "as written", &first);
    append_part(out, files->edited, "edited", &first);
    append_part(out, files->missing, "missing", &first);
    append_part(out, files->unreadable, "unreadable", &first);
    append_part(out, files->unwritten, "not written yet", &first);
    append_part(out, files->foreign, "not the store's", &first);
    buf_append_text(out, first ? "none\n" : "\n");
    if (files->edited || files->missing || files->unreadable || files->unwritten)
        buf_append_text(out, "  try: drover rebuild files (--dry-run says what it would do)\n");
    if (files->foreign)
        buf_append_text(out, "  try: move what is not the store's out of store.dir\n");
}

static void append_sealed(const struct verify_sealed *sealed, struct buf *out)
{
    bool first = true;
    if (!sealed->match && !sealed->missing && !sealed->different && !sealed->not_compared)
        return;
    buf_append_text(out, "sealed values in all messages: ");
    append_part(out, sealed->match, "match", &first);
    append_part(out, sealed->different, "different", &first);
    append_part(out, sealed->missing, "not in the vault", &first);
    append_part(out, sealed->not_compared, "not compared", &first);
    buf_append_char(out, '\n');
}

void verify_beside_append_text(const struct verify_beside *beside, struct buf *out)
{
    char count[28];
    if (is_told(&beside->redis))
        append_redis(&beside->redis, out);
    if (beside->files.compared)
        append_files(&beside->files, out);
    append_sealed(&beside->sealed, out);
    for (size_t i = 0; i < beside->orphan_count; i++)
        buf_append_format(out, "orphans: %s rows of %s refer to a %s that is not there\n",
                          text_format_count(beside->orphans[i].rows, count),
                          beside->orphans[i].entity, beside->orphans[i].parent);
}

static void append_redis_json(const struct verify_redis *redis, struct json_out *out)
{
    if (!is_told(redis)) {
        json_out_null(out, "redis");
        return;
    }
    json_out_object(out, "redis");
    json_out_count(out, "match", redis->match);
    json_out_count(out, "different", redis->different);
    json_out_count(out, "stale", redis->stale);
    json_out_count(out, "target_newer", redis->newer);
    json_out_count(out, "missing", redis->missing);
    json_out_count(out, "extra", redis->extra);
    json_out_count(out, "unexpected", redis->unexpected);
    json_out_count(out, "expired", redis->expired);
    json_out_bool(out, "emptied", redis->emptied);
    json_out_end(out);
}

static void append_files_json(const struct verify_files *files, struct json_out *out)
{
    if (!files->compared) {
        json_out_null(out, "files");
        return;
    }
    json_out_object(out, "files");
    json_out_count(out, "match", files->match);
    json_out_count(out, "edited", files->edited);
    json_out_count(out, "missing", files->missing);
    json_out_count(out, "unreadable", files->unreadable);
    json_out_count(out, "unwritten", files->unwritten);
    json_out_count(out, "foreign", files->foreign);
    json_out_end(out);
}

void verify_beside_append_json(const struct verify_beside *beside, struct json_out *out)
{
    const struct verify_sealed *sealed = &beside->sealed;
    append_redis_json(&beside->redis, out);
    append_files_json(&beside->files, out);
    json_out_object(out, "sealed");
    json_out_count(out, "match", sealed->match);
    json_out_count(out, "different", sealed->different);
    json_out_count(out, "missing", sealed->missing);
    json_out_count(out, "not_compared", sealed->not_compared);
    json_out_end(out);
    json_out_list(out, "orphans");
    for (size_t i = 0; i < beside->orphan_count; i++) {
        json_out_object(out, NULL);
        json_out_text(out, "entity", beside->orphans[i].entity);
        json_out_text(out, "parent", beside->orphans[i].parent);
        json_out_count(out, "rows", beside->orphans[i].rows);
        json_out_end(out);
    }
    json_out_end(out);
}
