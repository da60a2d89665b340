#include "common/policy/verify/verify_side_checks.h"

#include <inttypes.h>

#include "common/base/plural.h"
#include "common/base/text.h"
#include "common/policy/text_line.h"

void verify_side_checks_orphans(struct verify_side_checks *side_checks, const char *entity,
                                const char *parent, uint64_t rows)
{
    if (rows == 0)
        return;
    if (side_checks->orphan_count == VERIFY_ORPHANS_MAX)
        side_checks->orphans[VERIFY_ORPHANS_MAX - 1].rows += rows;
    else
        side_checks->orphans[side_checks->orphan_count++] =
            (struct verify_orphans){entity, parent, rows};
}

uint64_t verify_side_checks_redis_problems(const struct verify_side_checks *side_checks)
{
    const struct verify_redis *redis = &side_checks->redis;
    return redis->different + redis->stale + redis->target_newer + redis->missing + redis->extra +
           redis->unexpected + redis->emptied;
}

uint64_t verify_side_checks_file_problems(const struct verify_side_checks *side_checks)
{
    const struct verify_files *files = &side_checks->files;
    return files->edited + files->missing + files->unowned + files->unreadable + files->unwritten;
}

uint64_t verify_side_checks_orphan_rows(const struct verify_side_checks *side_checks)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < side_checks->orphan_count; i++)
        sum += side_checks->orphans[i].rows;
    return sum;
}

uint64_t verify_side_checks_problems(const struct verify_side_checks *side_checks)
{
    return verify_side_checks_redis_problems(side_checks) + side_checks->sealed.missing +
           side_checks->sealed.different + verify_side_checks_orphan_rows(side_checks) +
           verify_side_checks_file_problems(side_checks);
}

/* What is being written: lines of at most a width. */
struct side_text {
    struct text_line line;
    bool first; /* nothing is counted in this line yet */
};

static struct side_text begin(struct buf *out, size_t width, const char *title)
{
    buf_append_text(out, title);
    return (struct side_text){text_line_begin(out, 4, width), true};
}

/* The comma stays in the line before. */
static void put_part(struct side_text *text, uint64_t count, const char *what)
{
    char number[28];
    if (!count)
        return;
    if (!text->first)
        text_line_put(&text->line, BYTES_LITERAL(","));
    text_line_format(&text->line, " %s %s", text_format_count(count, number), what);
    text->first = false;
}

static void end(struct side_text *text, const char *none)
{
    if (text->first)
        text_line_put(&text->line, bytes_text(none));
    text_line_end(&text->line);
}

static void append_sentence(struct buf *out, size_t width, const char *begins, const char *words)
{
    buf_append_text(out, begins);
    struct text_line line = text_line_begin(out, 4, width);
    text_line_words(&line, bytes_text(words));
    text_line_end(&line);
}

/* Where Redis is the store there may be keys in it that are no record's. */
static bool is_told(const struct verify_redis *redis)
{
    return redis->compared || redis->unexpected;
}

static void append_redis(const struct verify_redis *redis, size_t width, struct buf *out)
{
    struct side_text text = begin(
        out, width, redis->compared ? "redis against the tables:" : "redis, beside the records:");
    put_part(&text, redis->match, "match");
    put_part(&text, redis->different, "different");
    put_part(&text, redis->stale, "stale");
    put_part(&text, redis->target_newer, "target newer");
    put_part(&text, redis->missing, "missing");
    put_part(&text, redis->extra, "extra");
    put_part(&text, redis->unexpected, "unowned");
    put_part(&text, redis->expired, "expired, not compared");
    end(&text, " nothing to compare");
    if (!redis->emptied)
        return;
    append_sentence(out, width, "redis:",
                    " the mark that says it holds all of the migration is gone: it was emptied, "
                    "or is another server");
    buf_append_text(out, "  try: drover rebuild redis\n");
}

static void append_files(const struct verify_files *files, size_t width, struct buf *out)
{
    struct side_text text = begin(out, width, "files of the store:");
    put_part(&text, files->match, "as written");
    put_part(&text, files->edited, "edited");
    put_part(&text, files->missing, "missing");
    put_part(&text, files->unreadable, "unreadable");
    put_part(&text, files->unwritten, "not written yet");
    put_part(&text, files->unowned, "not the store's");
    end(&text, " none");
    if (files->edited || files->missing || files->unreadable || files->unwritten)
        append_sentence(out, width, "  try: drover rebuild files",
                        " (--dry-run says what it would do)");
    if (files->unowned)
        append_sentence(out, width, "  try:", " move what is not the store's out of store.dir");
}

static void append_sealed(const struct verify_sealed *sealed, size_t width, struct buf *out)
{
    if (!sealed->match && !sealed->missing && !sealed->different && !sealed->not_compared)
        return;
    struct side_text text = begin(out, width, "sealed values in all messages:");
    put_part(&text, sealed->match, "match");
    put_part(&text, sealed->different, "different");
    put_part(&text, sealed->missing, "not in the vault");
    put_part(&text, sealed->not_compared, "not compared");
    end(&text, "");
}

static void append_orphans(const struct verify_orphans *orphans, size_t width, struct buf *out)
{
    char count[28];
    struct side_text text = begin(out, width, "orphans:");
    text_line_format(&text.line, " %s row%s of %s", text_format_count(orphans->rows, count),
                     plural_end(orphans->rows), orphans->entity);
    text_line_format(&text.line, orphans->rows == 1 ? " refers to a %s" : " refer to a %s",
                     orphans->parent);
    text_line_words(&text.line, BYTES_LITERAL(" that is not there"));
    text_line_end(&text.line);
}

void verify_side_checks_append_text(const struct verify_side_checks *side_checks, size_t width,
                                    struct buf *out)
{
    if (is_told(&side_checks->redis))
        append_redis(&side_checks->redis, width, out);
    if (side_checks->files.compared)
        append_files(&side_checks->files, width, out);
    append_sealed(&side_checks->sealed, width, out);
    for (size_t i = 0; i < side_checks->orphan_count; i++)
        append_orphans(&side_checks->orphans[i], width, out);
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
    json_out_count(out, "target_newer", redis->target_newer);
    json_out_count(out, "missing", redis->missing);
    json_out_count(out, "extra", redis->extra);
    json_out_count(out, "unowned", redis->unexpected);
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
    json_out_count(out, "unowned", files->unowned);
    json_out_end(out);
}

void verify_side_checks_append_json(const struct verify_side_checks *side_checks,
                                    struct json_out *out)
{
    const struct verify_sealed *sealed = &side_checks->sealed;
    append_redis_json(&side_checks->redis, out);
    append_files_json(&side_checks->files, out);
    json_out_object(out, "sealed");
    json_out_count(out, "match", sealed->match);
    json_out_count(out, "different", sealed->different);
    json_out_count(out, "missing", sealed->missing);
    json_out_count(out, "not_compared", sealed->not_compared);
    json_out_end(out);
    json_out_list(out, "orphans");
    for (size_t i = 0; i < side_checks->orphan_count; i++) {
        json_out_object(out, NULL);
        json_out_text(out, "entity", side_checks->orphans[i].entity);
        json_out_text(out, "parent", side_checks->orphans[i].parent);
        json_out_count(out, "rows", side_checks->orphans[i].rows);
        json_out_end(out);
    }
    json_out_end(out);
}
