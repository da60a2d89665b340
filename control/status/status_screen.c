/* See the header. */
#include "control/status/status_screen.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "common/base/error_json.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/policy/text_line.h"

#define NAME_BYTES_MAX 120 /* of a source's name */

static void append_count(struct buf *out, uint64_t count, const char *what)
{
    char number[28];
    buf_append_format(out, "%s %s", text_format_count(count, number), what);
}

/* ---- sources ----------------------------------------------------------------------------- */

static int64_t told_ms(const struct readings_entry *entry)
{
    return entry->finished_ms > entry->incomplete_ms ? entry->finished_ms : entry->incomplete_ms;
}

static int compare_entries(const void *left, const void *right)
{
    const struct readings_entry *a = *(struct readings_entry *const *)left;
    const struct readings_entry *b = *(struct readings_entry *const *)right;
    if (told_ms(a) != told_ms(b))
        return told_ms(a) > told_ms(b) ? -1 : 1;
    return bytes_compare(a->uri, b->uri);
}

/* Those told last first; malloc'ed. */
static struct readings_entry **sorted(const struct status *status, size_t *count)
{
    size_t at = 0;
    struct readings_entry **entries = mem_zeroed(status->readings.count, sizeof *entries);
    *count = 0;
    for (struct readings_entry *entry; (entry = readings_next(&status->readings, &at));)
        entries[(*count)++] = entry;
    if (*count)
        qsort(entries, *count, sizeof *entries, compare_entries);
    return entries;
}

static uint64_t records_of(const struct readings_entry *entry)
{
    return entry->produced + entry->rejected + entry->withheld;
}

static void append_time(struct buf *out, int64_t unix_ms)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm moment;
    char text[40];
    if (gmtime_r(&seconds, &moment) && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &moment))
        buf_append_format(out, "%s UTC", text);
}

static void append_entry(struct buf *out, const struct readings_entry *entry, size_t width)
{
    struct buf piece;
    buf_init(&piece, 4096);
    buf_append_text(out, "  ");
    struct text_line line = text_line_begin(out, 4, width);
    text_append_safe(&piece, entry->uri, NAME_BYTES_MAX);
    text_line_put(&line, buf_view(&piece));
    buf_reset(&piece);
    if (entry->complete) {
        buf_append_text(&piece, "  ");
        append_count(&piece, records_of(entry), records_of(entry) == 1 ? "record" : "records");
        if (entry->rejected) {
            buf_append_text(&piece, ", ");
            append_count(&piece, entry->rejected,
                         readings_is_discarded(entry) ? "discarded" : "rejected");
        }
        buf_append_text(&piece, ", read ");
        append_time(&piece, entry->read_ms);
        text_line_put(&line, buf_view(&piece));
        buf_reset(&piece);
    }
    if (readings_is_incomplete(entry))
        text_line_put(&line, entry->follows
                                 ? BYTES_LITERAL("  followed, not complete: put it right")
                                 : BYTES_LITERAL("  not complete: run the same command again"));
    if (readings_is_given_up(entry))
        text_line_put(&line, BYTES_LITERAL("  not complete, discarded"));
    text_line_end(&line);
    buf_free(&piece);
}

static void append_others(struct buf *out, struct readings_entry *const *entries, size_t count)
{
    uint64_t records = 0, rejected = 0;
    for (size_t i = 0; i < count; i++) {
        records += records_of(entries[i]);
        rejected += entries[i]->rejected;
    }
    buf_append_text(out, "  … and ");
    append_count(out, count, count == 1 ? "more source: " : "more sources: ");
    append_count(out, records, "records");
    if (rejected) {
        buf_append_text(out, ", ");
        append_count(out, rejected, "rejected");
    }
    buf_append_char(out, '\n');
}

void status_screen_append_sources(struct buf *out, const struct status *status, size_t width)
{
    size_t count;
    struct readings_entry **entries = sorted(status, &count);
    size_t shown = count < STATUS_SOURCES_SHOWN ? count : STATUS_SOURCES_SHOWN;
    const uint64_t produce[PRODUCE_COUNT] = {[PRODUCE_PRODUCED] = status->produced,
                                             [PRODUCE_REJECTED] = status->counts[WORK_REJECTED],
                                             [PRODUCE_WITHHELD] = status->counts[WORK_WITHHELD]};
    if (count)
        buf_append_text(out, "sources, as they were read last:\n");
    for (size_t i = 0; i < shown; i++)
        append_entry(out, entries[i], width);
    if (count > shown)
        append_others(out, entries + shown, count - shown);
    free(entries);
    if (status->sources || produce[PRODUCE_REJECTED] || produce[PRODUCE_WITHHELD])
        totals_append_identity(out, &TOTALS_PRODUCE, produce,
                               totals_records(&TOTALS_PRODUCE, produce), "source records", 4,
                               width);
    if (status->readings_beyond) {
        append_count(out, status->readings_beyond, "readings more than are kept are left out\n");
    }
}

/* ---- dead letters ------------------------------------------------------------------------ */

static void append_example(struct buf *out, const struct status_code *code, size_t width)
{
    const struct status_example *example = &code->example;
    buf_append_text(out, "  ");
    struct text_line line = text_line_begin(out, 4, width);
    text_line_format(&line, "%s", code->code);
    text_line_format(&line, "  %s%s%s", example->tenant, example->tenant[0] ? "/" : "",
                     example->entity);
    if (example->place[0])
        text_line_format(&line, "  from %s", example->place);
    text_line_format(&line, "  drover dlq show %s", example->id);
    text_line_end(&line);
}

void status_screen_append_dead_letters(struct buf *out, const struct status *status, size_t width)
{
    char number[28];
    const struct status_dead_letters *dead = &status->dead;
    if (dead->code_count)
        buf_append_text(out, "dead letters:");
    for (size_t i = 0; i < dead->code_count; i++)
        buf_append_format(out, "%s %s × %s", i ? "," : "",
                          text_format_count(dead->codes[i].count, number), dead->codes[i].code);
    if (dead->code_count)
        buf_append_char(out, '\n');
    for (size_t i = 0; i < dead->code_count; i++)
        append_example(out, &dead->codes[i], width);
    if (dead->resolved)
        append_count(out, dead->resolved, dead->discarded ? "resolved, " : "resolved");
    if (dead->discarded)
        append_count(out, dead->discarded, "discarded");
    if (dead->resolved || dead->discarded)
        buf_append_text(out, " dead letters besides\n");
}

/* ---- halted partitions ------------------------------------------------------------------- */

/* --accept-gap: what is missing is accepted. A topic that was made
 * anew is not the one that was read, which resume refuses. */
void status_screen_append_command(struct buf *out, const struct status *status,
                                  const struct halted *halted)
{
    enum error_code code = ERR_NONE;
    const struct status_partition *partition = &status->partitions[halted->partition];
    if (!error_code_find(halted->code, &code))
        code = ERR_NONE;
    if (code == ERR_KAFKA_OFFSET && partition->high < partition->next_offset) {
        buf_append_text(out, "begin anew under another migration name");
        return;
    }
    bool is_gap = (halted->expected >= 0 && halted->found >= 0) || code == ERR_SEQUENCES;
    buf_append_format(out, "drover resume %d%s", halted->partition,
                      is_gap ? " --accept-gap --reason TEXT" : "");
}

void status_screen_append_halted(struct buf *out, const struct status *status, size_t width)
{
    struct buf piece;
    buf_init(&piece, 4096);
    for (int32_t i = 0; i < status->partition_count; i++) {
        const struct halted *halted = status_halted(status, i);
        if (!halted)
            continue;
        struct text_line line = text_line_begin(out, 4, width);
        text_line_format(&line, "partition %d is halted at offset %" PRId64 ": %s ", i,
                         halted->offset, halted->code);
        buf_reset(&piece);
        text_append_safe(&piece, bytes_text(halted->text), sizeof halted->text);
        text_line_words(&line, buf_view(&piece));
        text_line_end(&line);
        buf_append_format(out, "    see drover explain %s, then ", halted->code);
        status_screen_append_command(out, status, halted);
        buf_append_char(out, '\n');
    }
    buf_free(&piece);
}

/* ---- lag --------------------------------------------------------------------------------- */

void status_screen_append_lag(struct buf *out, const struct status *status, int64_t now_ms)
{
    if (!status->lag)
        return;
    buf_append_text(out, "workers are ");
    append_count(out, status->lag, status->lag == 1 ? "message behind" : "messages behind");
    if (status->oldest_ms >= 0 && now_ms >= status->oldest_ms)
        buf_append_format(out, ", the oldest for %" PRId64 " s",
                          (now_ms - status->oldest_ms) / 1000);
    buf_append_char(out, '\n');
}

/* ---- machines ---------------------------------------------------------------------------- */

static void append_json_source(struct json_out *out, const struct readings_entry *entry)
{
    bool discarded = readings_is_discarded(entry);
    json_out_object(out, NULL);
    json_out_bytes(out, "uri", entry->uri);
    json_out_bool(out, "stream", entry->stream);
    json_out_bool(out, "complete", !readings_is_incomplete(entry));
    json_out_count(out, "source_records", records_of(entry));
    json_out_count(out, "produced", entry->produced);
    json_out_count(out, "rejected", discarded ? 0 : entry->rejected);
    json_out_count(out, "discarded", discarded ? entry->rejected : 0);
    json_out_count(out, "withheld", entry->withheld);
    json_out_time(out, "finished", told_ms(entry));
    json_out_end(out);
}

static void append_json_sources(struct json_out *out, const struct status *status)
{
    size_t count;
    struct readings_entry **entries = sorted(status, &count);
    size_t shown = count < STATUS_SOURCES_SHOWN ? count : STATUS_SOURCES_SHOWN;
    json_out_list(out, "sources");
    for (size_t i = 0; i < shown; i++)
        append_json_source(out, entries[i]);
    json_out_end(out);
    json_out_count(out, "sources_left_out", count - shown);
    free(entries);
}

static void append_json_dead_letters(struct json_out *out, const struct status *status)
{
    const struct status_dead_letters *dead = &status->dead;
    json_out_object(out, "dead_letters");
    json_out_count(out, "open", dead->open);
    json_out_count(out, "resolved", dead->resolved);
    json_out_count(out, "discarded", dead->discarded);
    json_out_list(out, "examples");
    for (size_t i = 0; i < dead->code_count; i++) {
        const struct status_code *code = &dead->codes[i];
        json_out_object(out, NULL);
        json_out_text(out, "id", code->example.id);
        json_out_text(out, "code", code->code);
        json_out_text(out, "tenant", code->example.tenant);
        json_out_text(out, "entity", code->example.entity);
        error_append_json_where(ERR_VERIFY_DIFFERENT, bytes_text(code->example.place),
                                (struct bytes){0}, out, "where");
        json_out_end(out);
    }
    json_out_end(out);
    json_out_end(out);
}

static void append_json_halted(struct json_out *out, const struct status *status)
{
    struct buf command;
    buf_init(&command, 256);
    json_out_list(out, "halted");
    for (int32_t i = 0; i < status->partition_count; i++) {
        const struct halted *halted = status_halted(status, i);
        if (!halted)
            continue;
        buf_reset(&command);
        status_screen_append_command(&command, status, halted);
        json_out_object(out, NULL);
        json_out_int(out, "partition", i);
        json_out_int(out, "offset", halted->offset);
        json_out_text(out, "code", halted->code);
        json_out_text(out, "message", halted->text);
        json_out_text(out, "worker", halted->worker);
        json_out_time(out, "since", halted->at_ms);
        json_out_bytes(out, "try", buf_view(&command));
        json_out_end(out);
    }
    json_out_end(out);
    buf_free(&command);
}

void status_screen_append_json(struct json_out *out, const struct status *status, int64_t now_ms)
{
    append_json_sources(out, status);
    append_json_dead_letters(out, status);
    append_json_halted(out, status);
    if (status->oldest_ms >= 0 && now_ms >= status->oldest_ms)
        json_out_seconds(out, "lag_seconds", (uint64_t)(now_ms - status->oldest_ms));
    else
        json_out_null(out, "lag_seconds");
}
