/* See the header. */
#include "producer/rejects.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/json_out.h"
#include "common/base/text.h"
#include "common/io/clock.h"

#define MINUTE_MS 60000
#define SOURCES_MAX 100 /* shown of a follower in a minute, and as many that are right again */

enum outcome rejects_open(struct rejects *rejects, const struct settings *settings,
                          struct error *err)
{
    *rejects = (struct rejects){.shown_max = settings->rejects_shown,
                                .minute_ms = settings->follow ? clock_monotonic_ms() : 0,
                                .path = settings->rejects_file};
    if (!rejects->path)
        return OUT_OK;
    rejects->file = fopen(rejects->path, "we");
    if (rejects->file)
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_STATE_FILE, "the file for rejected records cannot be made");
    error_where(err, "%s", rejects->path);
    error_cause(err, "%s", strerrordesc_np(errno));
    return OUT_FATAL;
}

/* As errors are in documents (common/base/error_json.h), with the source's whole name. */
static void append_json(struct buf *line, const struct origin *origin, const struct error *err)
{
    struct json_out out;
    const char *advice = err->hint[0] ? err->hint : error_code_advice(err->code);
    json_out_init(&out, line);
    json_out_object(&out, NULL);
    json_out_text(&out, "code", error_code_id(err->code));
    json_out_text(&out, "message", err->text);
    json_out_text(&out, "cause", err->cause[0] ? err->cause : NULL);
    json_out_object(&out, "where");
    if (err->where[0])
        json_out_text(&out, "text", err->where);
    json_out_bytes(&out, "file", origin->uri);
    if (origin->line) {
        json_out_count(&out, "line", origin->line);
        json_out_count(&out, "column", origin->column);
        json_out_count(&out, "byte", origin->byte);
        json_out_count(&out, "record", origin->ordinal + 1);
    }
    if (err->path[0])
        json_out_text(&out, "path", err->path);
    json_out_end(&out);
    json_out_text(&out, "try", advice[0] ? advice : NULL);
    json_out_int(&out, "exit_code", error_code_exit(err->code));
    json_out_end(&out);
    buf_append_char(line, '\n');
}

/* The place for people goes to `where`; what the error said there itself is kept as a cause. */
static void locate(struct error *err, const struct origin *origin)
{
    struct buf safe;
    buf_init(&safe, 1024);
    text_append_safe(&safe, origin->uri, 150);
    if (err->where[0] && !err->cause[0])
        error_cause(err, "at %s", err->where);
    if (origin->line)
        error_where(err, "%s:%" PRIu64 ":%" PRIu64 " (byte %" PRIu64 ", record %" PRIu64 ")",
                    buf_text(&safe), origin->line, origin->column, origin->byte,
                    origin->ordinal + 1);
    else
        error_where(err, "%s", buf_text(&safe));
    buf_free(&safe);
}

static void show(const struct origin *origin, const struct error *err)
{
    struct error located = *err;
    char text[2048];
    locate(&located, origin);
    error_format(&located, text, sizeof(text));
    fprintf(stderr, "%s\n", text);
}

/* To the file, if there is one. */
static void list(struct rejects *rejects, const struct origin *origin, const struct error *err)
{
    if (!rejects->file)
        return;
    struct buf line;
    buf_init(&line, 16 * 1024);
    append_json(&line, origin, err);
    if (fwrite(line.data, 1, line.size, rejects->file) != line.size)
        rejects->failed = true;
    buf_free(&line);
}

static void add(struct rejects *rejects, uint64_t *shown, uint64_t shown_max, uint64_t *hidden,
                const struct origin *origin, const struct error *err)
{
    if (*shown < shown_max) {
        ++*shown;
        show(origin, err);
    } else {
        ++*hidden;
    }
    list(rejects, origin, err);
}

void rejects_add(struct rejects *rejects, const struct origin *origin, const struct error *err)
{
    if (rejects->minute_ms && rejects->is_first)
        rejects_add_source(rejects, origin, err);
    else
        add(rejects, &rejects->shown, rejects->shown_max, &rejects->hidden, origin, err);
    rejects->is_first = false;
}

void rejects_begin_source(struct rejects *rejects, bool is_first)
{
    rejects->is_first = is_first;
}

void rejects_add_source(struct rejects *rejects, const struct origin *origin,
                        const struct error *err)
{
    if (rejects->minute_ms)
        add(rejects, &rejects->sources_shown, SOURCES_MAX, &rejects->sources_hidden, origin, err);
    else
        rejects_add(rejects, origin, err);
}

void rejects_note(struct rejects *rejects, enum note_kind kind, const struct origin *origin,
                  const struct error *err)
{
    struct buf line;
    uint64_t max = kind == NOTE_OVER ? SOURCES_MAX : rejects->shown_max;
    if (rejects->noted[kind]++ >= max) {
        rejects->notes_hidden[kind]++;
        return;
    }
    buf_init(&line, 4096);
    buf_append_text(&line, "note: ");
    text_append_safe(&line, bytes_text(err->text), sizeof(err->text));
    buf_append_text(&line, " (");
    text_append_safe(&line, origin->uri, 150);
    if (origin->line)
        buf_append_format(&line, ":%" PRIu64 ":%" PRIu64, origin->line, origin->column);
    fprintf(stderr, "%s)\n", buf_text(&line));
    buf_free(&line);
}

static void say_hidden(const struct rejects *rejects)
{
    static const char *const HIDDEN[] = {[NOTE_RECORD] = "notes",
                                         [NOTE_SOURCE] = "sources",
                                         [NOTE_SKIPPED] = "sources skipped",
                                         [NOTE_OVER] = "sources with nothing wrong any more"};
    const char *when = rejects->minute_ms ? " in the last minute" : "";
    const char *where = rejects->path ? ", all in " : "; --rejects FILE lists all of them";
    const char *path = rejects->path ? rejects->path : "";
    if (rejects->hidden)
        fprintf(stderr, "… and %" PRIu64 " more%s%s%s%s\n", rejects->hidden,
                rejects->minute_ms ? " rejected" : "", when, where, path);
    if (rejects->sources_hidden)
        fprintf(stderr, "… and %" PRIu64 " more sources with something wrong%s%s%s\n",
                rejects->sources_hidden, when, where, path);
    for (int kind = 0; kind < NOTE_KINDS; kind++)
        if (rejects->notes_hidden[kind])
            fprintf(stderr, "… and %" PRIu64 " more %s%s\n", rejects->notes_hidden[kind],
                    HIDDEN[kind], when);
}

bool rejects_is_due(const struct rejects *rejects, uint64_t now_ms)
{
    return rejects->minute_ms && now_ms - rejects->minute_ms >= MINUTE_MS;
}

void rejects_begin_minute(struct rejects *rejects, uint64_t now_ms)
{
    say_hidden(rejects);
    rejects->minute_ms = now_ms;
    rejects->shown = rejects->hidden = rejects->sources_shown = rejects->sources_hidden = 0;
    memset(rejects->noted, 0, sizeof rejects->noted);
    memset(rejects->notes_hidden, 0, sizeof rejects->notes_hidden);
}

enum outcome rejects_close(struct rejects *rejects, struct error *err)
{
    say_hidden(rejects);
    bool complete = !rejects->file || (fflush(rejects->file) == 0 && !rejects->failed);
    if (rejects->file && fclose(rejects->file) != 0)
        complete = false;
    rejects->file = NULL;
    if (complete)
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_STATE_FILE, "the file of rejected records is not complete");
    error_where(err, "%s", rejects->path);
    return OUT_FATAL;
}
