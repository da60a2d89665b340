#include "control/status/status_followers.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/policy/text_line.h"

#define BEGIN_MESSAGES 50000 /* read of all that stands before the end, */
#define END_OFFSETS 20000    /* which is read as a whole */
#define PROBLEMS_MAX 10      /* as many as an entry names */
#define PROBLEM_BYTES 1000
#define SILENT_MS (6 * (int64_t)STATE_ENTRY_EVERY_MS)

/* ---- reading ----------------------------------------------------------------------------- */

static int compare(const struct status_follower *item, enum state_kind kind, struct bytes id)
{
    if (item->kind != kind)
        return item->kind < kind ? -1 : 1;
    return bytes_compare(bytes_text(item->id), id);
}

/* Where it is, or would be. */
static size_t place_of(const struct status_followers *followers, enum state_kind kind,
                       struct bytes id, bool *is_there)
{
    size_t at = 0;
    while (at < followers->count && compare(&followers->items[at], kind, id) < 0)
        at++;
    *is_there = at < followers->count && compare(&followers->items[at], kind, id) == 0;
    return at;
}

static void drop(struct status_followers *followers, size_t at)
{
    yyjson_doc_free(followers->items[at].entry);
    followers->count--;
    memmove(&followers->items[at], &followers->items[at + 1],
            (followers->count - at) * sizeof *followers->items);
}

static void take(struct status_followers *followers, const struct bus_message *message)
{
    enum state_kind kind;
    struct bytes id;
    bool is_there;
    const struct envelope *envelope = &message->envelope;
    if (!state_entry_split_key(envelope->key, &kind, &id))
        return;
    size_t at = place_of(followers, kind, id, &is_there);
    yyjson_doc *entry = envelope->value.size ? state_entry_read(envelope->value, kind) : NULL;
    if (is_there && (entry || !envelope->value.size))
        drop(followers, at);
    if (!entry)
        return;
    if (followers->count == STATUS_FOLLOWERS_MAX) {
        followers->left_out++;
        yyjson_doc_free(entry);
        return;
    }
    if (!followers->items)
        followers->items = mem_zeroed(STATUS_FOLLOWERS_MAX, sizeof *followers->items);
    struct status_follower *item = &followers->items[at];
    memmove(item + 1, item, (followers->count - at) * sizeof *item);
    *item =
        (struct status_follower){.kind = kind, .entry = entry, .said_ms = message->timestamp_ms};
    snprintf(item->id, sizeof item->id, "%.*s", BYTES_ARGS(id));
    followers->count++;
}

/* At most `max` messages. */
static enum outcome read_range(struct status_followers *followers, struct bus *bus,
                               const char *topic, const struct bus_range *range, size_t max,
                               int timeout_ms, struct error *err)
{
    struct bus_reader *reader = NULL;
    const struct bus_message *message = NULL;
    if (range->from >= range->to)
        return OUT_OK;
    enum outcome outcome = bus_open_reader(bus, topic, range, 1, timeout_ms, &reader, err);
    for (size_t i = 0; i < max && outcome == OUT_OK; i++) {
        outcome = bus_reader_next(reader, timeout_ms, &message, err);
        if (outcome != OUT_OK || !message)
            break;
        take(followers, message);
    }
    bus_reader_close(reader);
    return outcome;
}

/* Where the topic is compacted few messages are left of many offsets, wherever they are. Where
 * nobody compacts it they may be too many: then its end is read last, whatever lies between. */
static enum outcome read_new(struct status_followers *followers, struct bus *bus, const char *topic,
                             struct bus_range whole, int timeout_ms, struct error *err)
{
    struct bus_range begin = whole, end = whole;
    if (whole.to - whole.from > END_OFFSETS)
        begin.to = end.from = whole.to - END_OFFSETS;
    else
        begin.to = whole.from;
    enum outcome outcome =
        read_range(followers, bus, topic, &begin, BEGIN_MESSAGES, timeout_ms, err);
    return outcome == OUT_OK ? read_range(followers, bus, topic, &end, END_OFFSETS, timeout_ms, err)
                             : outcome;
}

enum outcome status_followers_read(struct status_followers *followers, struct bus *bus,
                                   const char *topic, int timeout_ms, struct error *err)
{
    struct bus_range *ranges = NULL;
    size_t count = 0;
    enum outcome outcome = bus_ranges(bus, topic, timeout_ms, &ranges, &count, err);
    if (outcome == OUT_OK && count > 0) {
        struct bus_range range = ranges[0];
        if (followers->next > range.to) /* the topic was made anew */
            status_followers_free(followers);
        if (followers->next > range.from)
            range.from = followers->next;
        outcome = read_new(followers, bus, topic, range, timeout_ms, err);
        if (outcome == OUT_OK)
            followers->next = range.to;
    }
    free(ranges);
    return outcome;
}

void status_followers_free(struct status_followers *followers)
{
    for (size_t i = 0; i < followers->count; i++)
        yyjson_doc_free(followers->items[i].entry);
    free(followers->items);
    *followers = (struct status_followers){0};
}

/* ---- what an entry says ------------------------------------------------------------------ */

static yyjson_val *member(const struct status_follower *item, const char *name)
{
    return yyjson_obj_get(yyjson_doc_get_root(item->entry), name);
}

static bool is_said(const struct status_follower *item, const char *name)
{
    return yyjson_is_num(member(item, name)) || yyjson_is_str(member(item, name));
}

static bool is_ended(const struct status_follower *item)
{
    return yyjson_get_bool(member(item, "ended"));
}

static int64_t age_ms(const struct status_follower *item, int64_t now_ms)
{
    return item->said_ms >= 0 && now_ms > item->said_ms ? now_ms - item->said_ms : 0;
}

static void append_number(struct text_line *line, const struct status_follower *item,
                          const char *name, const char *one, const char *many)
{
    char number[28];
    yyjson_val *value = member(item, name);
    if (yyjson_is_int(value))
        text_line_format(line, "  %s %s", text_format_count(yyjson_get_uint(value), number),
                         yyjson_get_uint(value) == 1 ? one : many);
}

static void append_text(struct text_line *line, const struct status_follower *item,
                        const char *name, const char *before)
{
    struct buf safe;
    const char *text = yyjson_get_str(member(item, name));
    if (!text)
        return;
    buf_init(&safe, 1024);
    text_append_safe(&safe, bytes_text(text), 60);
    text_line_format(line, "  %s%s", before, buf_text(&safe));
    buf_free(&safe);
}

static void append_behind(struct text_line *line, const struct status_follower *item)
{
    yyjson_val *behind = member(item, "behind_seconds");
    if (!yyjson_is_num(behind))
        return;
    if (yyjson_get_num(behind) > 0)
        text_line_format(line, "  %.1f s behind", yyjson_get_num(behind));
    else
        text_line_format(line, "  nothing behind");
}

/* The rate is a share of 1. */
static void append_upper(struct text_line *line, const struct status_follower *item)
{
    yyjson_val *upper = member(item, "discrepancy_upper");
    if (yyjson_is_num(upper))
        text_line_format(line, "  at most %.4f %% wrong (95 %%)", 100 * yyjson_get_num(upper));
}

static void append_line(struct buf *out, const struct status_follower *item, int64_t now_ms,
                        size_t width)
{
    struct buf safe;
    int64_t age_s = age_ms(item, now_ms) / 1000;
    struct text_line line = text_line_begin(out, 4, width);
    buf_init(&safe, 2048);
    text_append_safe(&safe, bytes_text(item->id), sizeof item->id);
    text_line_format(&line, "%s %s", item->kind == STATE_FOLLOW ? "follower" : "verifier",
                     buf_text(&safe));
    buf_free(&safe);
    append_number(&line, item, "files", "file", "files");
    append_number(&line, item, "records", "record", "records");
    append_number(&line, item, "compared", "compared", "compared");
    append_number(&line, item, "discrepancies", "discrepancy", "discrepancies");
    append_upper(&line, item);
    append_behind(&line, item);
    if (yyjson_get_uint(member(item, "problems")))
        append_number(&line, item, "problems", "problem", "problems");
    append_text(&line, item, "last_change", "last change ");
    if (is_ended(item))
        text_line_format(&line, "  ended %" PRId64 " s ago", age_s);
    else if (age_ms(item, now_ms) > SILENT_MS)
        text_line_format(&line, "  not heard of for %" PRId64 " s", age_s);
    else
        text_line_format(&line, "  said %" PRId64 " s ago", age_s);
    text_line_end(&line);
}

static void append_problems(struct buf *out, const struct status_follower *item, size_t width)
{
    size_t at, count, shown = 0;
    yyjson_val *problem;
    yyjson_val *list = is_ended(item) ? NULL : member(item, "problem_sources");
    uint64_t problems = yyjson_get_uint(member(item, "problems"));
    yyjson_arr_foreach(list, at, count, problem)
    {
        const char *code = yyjson_get_str(yyjson_obj_get(problem, "code"));
        const char *source = yyjson_get_str(yyjson_obj_get(problem, "source"));
        if (!code || !source || shown == PROBLEMS_MAX)
            continue;
        struct text_line line = text_line_begin(out, 4, width);
        struct buf safe;
        buf_init(&safe, 4096);
        text_append_safe(&safe, bytes_text(code), 20);
        text_line_format(&line, "  cannot be read: %s", buf_text(&safe));
        buf_reset(&safe);
        text_append_safe(&safe, bytes_text(source), PROBLEM_BYTES);
        text_line_format(&line, "  %s", buf_text(&safe));
        text_line_end(&line);
        buf_free(&safe);
        shown++;
    }
    if (shown && problems > shown)
        buf_append_format(out, "  … and %" PRIu64 " more: the follower's log names them\n",
                          problems - shown);
}

void status_followers_append(struct buf *out, const struct status_followers *followers,
                             int64_t now_ms, size_t width)
{
    for (size_t i = 0; i < followers->count; i++) {
        append_line(out, &followers->items[i], now_ms, width);
        append_problems(out, &followers->items[i], width);
    }
    if (followers->left_out)
        buf_append_format(out, "%zu entries of other followers are not shown\n",
                          followers->left_out);
}

/* ---- machines ---------------------------------------------------------------------------- */

static void append_json_number(struct json_out *out, const struct status_follower *item,
                               const char *name)
{
    yyjson_val *value = member(item, name);
    if (!is_said(item, name))
        json_out_null(out, name);
    else if (yyjson_is_real(value))
        json_out_real(out, name, yyjson_get_real(value), 9);
    else if (yyjson_is_uint(value))
        json_out_count(out, name, yyjson_get_uint(value));
    else if (yyjson_is_sint(value))
        json_out_int(out, name, yyjson_get_sint(value));
    else
        json_out_text(out, name, yyjson_get_str(value));
}

static void append_json_problems(struct json_out *out, const struct status_follower *item)
{
    size_t at, count;
    yyjson_val *problem;
    json_out_list(out, "problem_sources");
    yyjson_arr_foreach(member(item, "problem_sources"), at, count, problem)
    {
        const char *code = yyjson_get_str(yyjson_obj_get(problem, "code"));
        const char *source = yyjson_get_str(yyjson_obj_get(problem, "source"));
        if (!code || !source || at >= PROBLEMS_MAX)
            continue;
        json_out_object(out, NULL);
        json_out_text(out, "code", code);
        json_out_text(out, "source", source);
        json_out_end(out);
    }
    json_out_end(out);
}

static void append_json_item(struct json_out *out, const struct status_follower *item,
                             int64_t now_ms)
{
    static const char *const FOLLOW[] = {"files",  "records",  "upserts",        "deletes",
                                         "unread", "problems", "behind_seconds", "last_change"};
    static const char *const VERIFY[] = {"compared",          "discrepancies",  "discrepancy_rate",
                                         "discrepancy_upper", "behind_seconds", "behind_messages"};
    bool follow = item->kind == STATE_FOLLOW;
    const char *const *names = follow ? FOLLOW : VERIFY;
    size_t count = follow ? sizeof FOLLOW / sizeof FOLLOW[0] : sizeof VERIFY / sizeof VERIFY[0];
    json_out_object(out, NULL);
    json_out_text(out, "id", item->id);
    append_json_number(out, item, "host");
    append_json_number(out, item, "at");
    json_out_seconds(out, "age_seconds", (uint64_t)age_ms(item, now_ms));
    json_out_bool(out, "ended", is_ended(item));
    for (size_t i = 0; i < count; i++)
        append_json_number(out, item, names[i]);
    if (follow)
        append_json_problems(out, item);
    json_out_end(out);
}

static void append_json_kind(struct json_out *out, const struct status_followers *followers,
                             enum state_kind kind, const char *name, int64_t now_ms)
{
    json_out_list(out, name);
    for (size_t i = 0; i < followers->count; i++)
        if (followers->items[i].kind == kind)
            append_json_item(out, &followers->items[i], now_ms);
    json_out_end(out);
}

void status_followers_append_json(struct json_out *out, const struct status_followers *followers,
                                  int64_t now_ms)
{
    append_json_kind(out, followers, STATE_FOLLOW, "followers", now_ms);
    append_json_kind(out, followers, STATE_VERIFY, "verifiers", now_ms);
}
