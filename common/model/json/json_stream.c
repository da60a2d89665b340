/*
 * The splitter: a small machine over the window onto the stream (json_window.h).
 *
 *      BEGIN ──► OPENING ──► BETWEEN ⇄ ELEMENT ──► AFTER ──► DONE
 *        │  └──────────────► LINE ───────────────────────────┘
 *        └─────────────────► REST (nothing readable: one rejection, the rest is skipped)
 *
 * What happens to broken text is decided byte by byte and never by where chunks end:
 *  - the end of a broken element: json_scan.c, rules 1 to 4;
 *  - an element over the limit, or cut by the end of the input: json_resume.c;
 *  - the element behind a broken one is rejected too, unless ',' or the end of all follows it: it
 *    may be a part of the broken one;
 *  - a ',' behind the list's end: one rejection, and the list goes on;
 *  - anything else behind it: one rejection, and an array goes on at the next ',' '{'.
 * A keyed object whose member lacks its closing bracket cannot be told from a larger member; it
 * ends as a list that is not closed, which is a rejection too: never silence.
 */
#include "common/model/json/json_stream.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/model/json/json_member.h"
#include "common/model/json/json_resume.h"
#include "common/model/json/json_scan.h"
#include "common/model/json/json_stream_detect.h"
#include "common/model/json/json_window.h"

enum json_stream_state {
    STATE_BEGIN,
    STATE_DETECT,
    STATE_OPENING,
    STATE_BETWEEN,
    STATE_ELEMENT,
    STATE_LINE,
    STATE_AFTER,
    STATE_REST,
    STATE_DONE,
};

/* What a step asks of the loop; the first four are the answers of json_stream_next. */
enum json_stream_verdict {
    SAY_RECORD = JSON_STREAM_RECORD,
    SAY_REJECTED = JSON_STREAM_REJECTED,
    NEED_TEXT = JSON_STREAM_MORE,
    SAY_END = JSON_STREAM_END,
    GO_ON,
};

struct json_stream {
    struct json_window window;
    enum json_stream_state state;
    struct json_expected expected;
    enum json_shape shape;
    size_t record_max;
    size_t detect_at; /* size of the view at which detecting is tried again */
    size_t spent;     /* bytes of the piece last returned */

    struct json_scan scan;
    bool ended;     /* the scan found the end; ELEMENT only waits for what follows */
    bool probation; /* the element before was broken */
    bool goes_on;   /* REST: an array, which goes on at the next ',' '{' */
    char before;    /* REST: last byte skipped that is not white space */
    bool large;     /* over the limit; begun at `large_from` */
    struct json_place large_from;
    uint64_t ordinal;
    struct buf key;
};

static inline struct bytes view(const struct json_stream *stream)
{
    return json_window_view(&stream->window);
}

static inline bool is_last(const struct json_stream *stream)
{
    return json_window_is_last(&stream->window);
}

static inline void consume(struct json_stream *stream, size_t size)
{
    json_window_consume(&stream->window, size);
}

/* Consumes white space and, with `commas`, commas. False when the window is empty then. */
static inline bool skip_space(struct json_stream *stream, bool commas)
{
    struct bytes text = view(stream);
    size_t at = 0;
    while (at < text.size && (json_is_space(text.data[at]) || (commas && text.data[at] == ',')))
        at++;
    consume(stream, at);
    return at < text.size;
}

static enum json_stream_verdict wait_or_end(struct json_stream *stream)
{
    if (!is_last(stream))
        return NEED_TEXT;
    stream->state = STATE_DONE;
    return GO_ON;
}

static inline char closer_of(const struct json_stream *stream)
{
    if (stream->shape == JSON_SHAPE_ARRAY)
        return ']';
    return stream->shape == JSON_SHAPE_KEYED ? '}' : 0;
}

static inline void json_stream_locate(struct json_record_text *text, const struct json_place *place)
{
    text->line = place->line;
    text->column = place->byte - place->line_start + 1;
    text->byte = place->byte;
}

static inline enum json_stream_verdict
reject_at(struct json_stream *stream, struct json_record_text *text, const struct json_place *place)
{
    *text = (struct json_record_text){.ordinal = stream->ordinal++};
    json_stream_locate(text, place);
    return SAY_REJECTED;
}

static inline enum json_stream_verdict reject(struct json_stream *stream,
                                              struct json_record_text *text)
{
    return reject_at(stream, text, &stream->window.here);
}

static inline enum json_stream_verdict reject_rest(struct json_stream *stream,
                                                   struct json_record_text *text)
{
    stream->state = STATE_REST;
    return reject(stream, text);
}

struct json_stream *json_stream_new(enum json_shape shape, size_t record_max)
{
    struct json_stream *stream = mem_new(sizeof(*stream));
    stream->record_max = record_max;
    stream->shape = shape;
    json_window_init(&stream->window);
    buf_init(&stream->key, record_max + 1);
    return stream;
}

void json_stream_expect(struct json_stream *stream, const struct json_expected *expected)
{
    stream->expected = *expected;
}

void json_stream_free(struct json_stream *stream)
{
    if (!stream)
        return;
    json_window_free(&stream->window);
    buf_free(&stream->key);
    free(stream);
}

enum json_shape json_stream_shape(const struct json_stream *stream)
{
    if (stream->shape == JSON_SHAPE_VALUES)
        return stream->ordinal > 1 ? JSON_SHAPE_NDJSON : JSON_SHAPE_SINGLE;
    return stream->shape == JSON_SHAPE_NONE ? JSON_SHAPE_DETECT : stream->shape;
}

void json_stream_begin_at(struct json_stream *stream, const struct json_line_start *start)
{
    assert(stream->shape == JSON_SHAPE_NDJSON && stream->state == STATE_BEGIN);
    stream->state = STATE_LINE;
    stream->ordinal = start->ordinal;
    stream->window.here = (struct json_place){start->byte, start->line, start->byte};
}

bool json_stream_ended_at(const struct json_stream *stream, struct json_line_start *start)
{
    const struct json_place *here = &stream->window.here;
    *start = (struct json_line_start){here->byte, here->line, stream->ordinal};
    return stream->state == STATE_DONE && stream->shape == JSON_SHAPE_NDJSON &&
           here->byte == here->line_start;
}

void json_stream_feed(struct json_stream *stream, struct bytes chunk)
{
    json_window_feed(&stream->window, chunk);
}

void json_stream_finish(struct json_stream *stream)
{
    stream->window.finished = true;
}

/* ---- answers ---- */

/* The piece begins `skip` bytes into the view. */
static enum json_stream_verdict give(struct json_stream *stream,
                                     struct json_record_text *record_text, struct bytes text,
                                     size_t skip)
{
    struct json_place place = json_window_place(&stream->window, skip);
    record_text->text = text;
    json_stream_locate(record_text, &place);
    record_text->ordinal = stream->ordinal++;
    return SAY_RECORD;
}

static enum json_stream_verdict reject_large(struct json_stream *stream,
                                             struct json_record_text *text, struct error *err)
{
    struct json_place from = stream->large ? stream->large_from : stream->window.here;
    stream->large = false;
    error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the record is larger than the limit of %zu bytes",
              stream->record_max);
    return reject_at(stream, text, &from);
}

static enum json_stream_verdict reject_broken(struct json_stream *stream,
                                              struct json_record_text *text, struct error *err)
{
    struct json_place place = json_window_place(&stream->window, stream->scan.broken_at);
    error_set(err, OUT_REJECT, ERR_JSON_SYNTAX, "broken JSON: %s", stream->scan.broken);
    error_cause(err, "seen at line %" PRIu64 ", column %" PRIu64 " (byte %" PRIu64 ")", place.line,
                place.byte - place.line_start + 1, place.byte);
    return reject(stream, text);
}

/* ---- until the first record: byte order mark, shape, opening bracket ---- */

/* The steps before the first record. */
static enum json_stream_verdict step_begin(struct json_stream *stream,
                                           struct json_record_text *record_text, struct error *err)
{
    struct bytes text = view(stream);
    if (text.size < 4 && !is_last(stream))
        return NEED_TEXT;
    const char *other = json_detect_encoding(text);
    if (other) {
        error_set(err, OUT_REJECT, ERR_SOURCE_FORMAT, "the source is written in %s", other);
        error_hint(err, "convert it to UTF-8: iconv -f %s -t UTF-8", other);
        return reject_rest(stream, record_text);
    }
    if (text.size >= 3 && memcmp(text.data, "\xEF\xBB\xBF", 3) == 0) {
        consume(stream, 3);
        stream->window.here.line_start = 3;
    }
    stream->detect_at = 256;
    stream->state = stream->shape == JSON_SHAPE_DETECT ? STATE_DETECT : STATE_OPENING;
    return GO_ON;
}

static enum json_stream_verdict step_detect(struct json_stream *stream,
                                            struct json_record_text *record_text, struct error *err)
{
    if (!skip_space(stream, false))
        return wait_or_end(stream);
    struct bytes text = view(stream);
    bool worth = text.data[0] == '[' || text.size >= stream->detect_at || is_last(stream);
    if (worth)
        stream->shape = json_detect(text, is_last(stream), &stream->expected);
    if (stream->shape == JSON_SHAPE_DETECT) {
        stream->detect_at = text.size * 2 < JSON_DETECT_MAX ? text.size * 2 : JSON_DETECT_MAX;
        return NEED_TEXT;
    }
    stream->state = STATE_OPENING;
    if (stream->shape != JSON_SHAPE_NONE)
        return GO_ON;
    error_set(err, OUT_REJECT, ERR_SOURCE_FORMAT, "the source does not begin as JSON does");
    error_cause(err, "its first byte is 0x%02X, not '[' or '{'", (unsigned char)text.data[0]);
    return reject_rest(stream, record_text);
}

static enum json_stream_verdict step_open(struct json_stream *stream, struct json_record_text *text,
                                          struct error *err)
{
    char closer = closer_of(stream);
    stream->state = stream->shape == JSON_SHAPE_NDJSON ? STATE_LINE : STATE_BETWEEN;
    if (!closer)
        return GO_ON;
    stream->state = STATE_OPENING;
    if (!skip_space(stream, false))
        return wait_or_end(stream);
    char opener = closer == ']' ? '[' : '{';
    if (view(stream).data[0] != opener) {
        error_set(err, OUT_REJECT, ERR_SOURCE_FORMAT, "the source does not begin with '%c'",
                  opener);
        error_hint(err, "leave --format away, or give the one the source has");
        return reject_rest(stream, text);
    }
    consume(stream, 1);
    stream->state = STATE_BETWEEN;
    return GO_ON;
}

static struct bytes trimmed(struct bytes text)
{
    while (text.size && json_is_space(text.data[text.size - 1]))
        text.size--;
    return text;
}

/* ---- steps ---- */

static enum json_stream_verdict step_between(struct json_stream *stream,
                                             struct json_record_text *text, struct error *err)
{
    char closer = closer_of(stream);
    if (!skip_space(stream, stream->shape != JSON_SHAPE_SINGLE)) {
        if (!is_last(stream))
            return NEED_TEXT;
        stream->state = STATE_DONE;
        if (!closer)
            return GO_ON;
        error_set(err, OUT_REJECT, ERR_JSON_TRUNCATED,
                  "the input ends before the list's closing '%c'", closer);
        return reject(stream, text);
    }
    char first = view(stream).data[0];
    if (closer && first == closer) {
        consume(stream, 1);
        stream->state = STATE_AFTER;
        return GO_ON;
    }
    json_scan_init(&stream->scan, first, closer, first == '{' && closer != '}');
    stream->ended = false;
    stream->state = STATE_ELEMENT;
    return GO_ON;
}

static enum json_stream_verdict give_member(struct json_stream *stream,
                                            struct json_record_text *record_text, struct bytes text,
                                            struct error *err)
{
    struct json_member member;
    if (!json_member_split(text, &member)) {
        error_set(err, OUT_REJECT, ERR_JSON_SYNTAX,
                  "broken JSON: not a member of the form \"id\": value");
        return reject(stream, record_text);
    }
    buf_reset(&stream->key);
    if (json_member_name(member.name, &stream->key, err) != OUT_OK)
        return reject(stream, record_text);
    record_text->key = bytes_or_empty(buf_view(&stream->key));
    return give(stream, record_text, member.value, member.value_at);
}

/* The first byte of view[*at…] that is not white space, 0 when there is none in view. */
static char next_significant(const struct json_stream *stream, size_t *at)
{
    struct bytes text = view(stream);
    while (*at < text.size && json_is_space(text.data[*at]))
        ++*at;
    return *at < text.size ? text.data[(*at)++] : 0;
}

/* True when the element may be believed; *wait when that is not known yet. */
static bool passes_probation(struct json_stream *stream, bool *wait)
{
    char closer = closer_of(stream);
    size_t at = stream->scan.at;
    char next = next_significant(stream, &at);
    if (next && next == closer) { /* the list's end, if the input ends there as well */
        next = next_significant(stream, &at);
        if (next)
            return next == '[' && closer == ']';
    }
    *wait = !next && !is_last(stream);
    return !next || next == ',' || (!closer && next == '{');
}

/* The element is view[0, scan.at). */
static enum json_stream_verdict end_element(struct json_stream *stream,
                                            struct json_record_text *record_text, struct error *err)
{
    bool wait = false;
    bool alone = stream->probation && !stream->scan.broken && !passes_probation(stream, &wait);
    if (wait)
        return NEED_TEXT;
    struct bytes text = trimmed(bytes_of(view(stream).data, stream->scan.at));
    stream->spent = stream->scan.at;
    stream->state = stream->shape == JSON_SHAPE_SINGLE ? STATE_AFTER : STATE_BETWEEN;
    stream->probation = stream->scan.broken || alone;
    if (stream->large || text.size > stream->record_max)
        return reject_large(stream, record_text, err);
    if (stream->scan.broken)
        return reject_broken(stream, record_text, err);
    if (alone) {
        error_set(err, OUT_REJECT, ERR_JSON_SYNTAX,
                  "broken JSON: belongs to the broken element before it");
        return reject(stream, record_text);
    }
    if (stream->shape == JSON_SHAPE_KEYED)
        return give_member(stream, record_text, text, err);
    return give(stream, record_text, text, 0);
}

/* An element without end may have taken its neighbours in (json_resume.c). */
static bool resume(struct json_stream *stream, struct bytes text, bool cut)
{
    if (stream->large || stream->shape == JSON_SHAPE_SINGLE)
        return false;
    enum json_endless endless = stream->scan.broken ? JSON_ENDLESS_BROKEN : JSON_ENDLESS_LARGE;
    const struct json_place *here = &stream->window.here;
    size_t next = json_resume_at(text, here->byte - here->line_start, closer_of(stream),
                                 cut ? JSON_ENDLESS_INPUT : endless);
    if (next == 0)
        return false;
    stream->scan.broken = "it is not closed before the next element";
    stream->scan.broken_at = next;
    stream->scan.at = next;
    stream->ended = true;
    return true;
}

static void forget_element(struct json_stream *stream, struct bytes text)
{
    if (!stream->large)
        stream->large_from = stream->window.here;
    stream->large = true;
    consume(stream, json_scan_drop(&stream->scan, text));
}

static enum json_stream_verdict cut_element(struct json_stream *stream,
                                            struct json_record_text *text, struct error *err)
{
    stream->spent = view(stream).size;
    stream->state = STATE_DONE;
    if (stream->large)
        return reject_large(stream, text, err);
    error_set(err, OUT_REJECT, ERR_JSON_TRUNCATED, "the input ends in the middle of a record");
    if (stream->scan.broken)
        error_cause(err, "before that: %s", stream->scan.broken);
    return reject(stream, text);
}

static enum json_stream_verdict
step_element(struct json_stream *stream, struct json_record_text *record_text, struct error *err)
{
    if (stream->ended)
        return end_element(stream, record_text, err);
    struct bytes text = view(stream);
    bool full = !stream->large && text.size > stream->record_max;
    if (full)
        text.size = stream->record_max + 1;
    enum json_scan_result result = json_scan_step(&stream->scan, text, is_last(stream) && !full);
    if (result == JSON_SCAN_END || result == JSON_SCAN_BOUNDARY) {
        stream->ended = true;
        return GO_ON;
    }
    bool cut = result == JSON_SCAN_CUT;
    if ((full || cut) && resume(stream, text, cut))
        return GO_ON;
    if (cut)
        return cut_element(stream, record_text, err);
    if (full || stream->large)
        forget_element(stream, text);
    return full ? GO_ON : NEED_TEXT;
}

/* view[0, size) is a line without its newline, `spent` with it. */
static enum json_stream_verdict end_line(struct json_stream *stream,
                                         struct json_record_text *record_text, size_t size,
                                         size_t spent, struct error *err)
{
    struct bytes text = trimmed(bytes_of(view(stream).data, size));
    stream->spent = spent;
    stream->scan.at = 0;
    if (stream->large || size > stream->record_max)
        return reject_large(stream, record_text, err);
    if (size == spent) { /* the last line, without newline: whole, or cut? */
        struct json_scan scan;
        json_scan_init(&scan, text.data[0], 0, false);
        if (json_scan_step(&scan, text, true) == JSON_SCAN_CUT) {
            error_set(err, OUT_REJECT, ERR_JSON_TRUNCATED,
                      "the input ends in the middle of a record");
            return reject(stream, record_text);
        }
    }
    return give(stream, record_text, text, 0);
}

static enum json_stream_verdict step_line(struct json_stream *stream,
                                          struct json_record_text *record_text, struct error *err)
{
    if (!stream->large && stream->scan.at == 0 && !skip_space(stream, false))
        return wait_or_end(stream);
    struct bytes text = view(stream);
    const char *end = NULL;
    if (text.size > stream->scan.at)
        end = memchr(text.data + stream->scan.at, '\n', text.size - stream->scan.at);
    if (end) {
        size_t size = (size_t)(end - text.data);
        return end_line(stream, record_text, size, size + 1, err);
    }
    if (is_last(stream))
        return end_line(stream, record_text, text.size, text.size, err);
    stream->scan.at = text.size;
    if (stream->large || text.size > stream->record_max)
        forget_element(stream, text);
    return NEED_TEXT;
}

static enum json_stream_verdict step_after(struct json_stream *stream,
                                           struct json_record_text *text, struct error *err)
{
    if (!skip_space(stream, false))
        return wait_or_end(stream);
    char next = view(stream).data[0];
    if (next == '[' && stream->shape == JSON_SHAPE_ARRAY) { /* one array behind the other */
        consume(stream, 1);
        stream->state = STATE_BETWEEN;
        return GO_ON;
    }
    if (next == ',' && closer_of(stream)) {
        stream->state = STATE_BETWEEN;
        error_set(err, OUT_REJECT, ERR_JSON_SYNTAX, "broken JSON: the list goes on behind its end");
        return reject(stream, text);
    }
    error_set(err, OUT_REJECT, ERR_JSON_SYNTAX, "broken JSON: bytes behind the end of the %s",
              stream->shape == JSON_SHAPE_SINGLE ? "record" : "list");
    stream->goes_on = stream->shape == JSON_SHAPE_ARRAY;
    stream->before = 0;
    return reject_rest(stream, text);
}

static enum json_stream_verdict step_rest(struct json_stream *stream)
{
    struct bytes text = view(stream);
    size_t at = stream->goes_on ? 0 : text.size;
    for (; at < text.size; at++) {
        char c = text.data[at];
        if (c == '{' && stream->before == ',') {
            consume(stream, at);
            stream->probation = true;
            stream->state = STATE_BETWEEN;
            return GO_ON;
        }
        if (!json_is_space(c))
            stream->before = c;
    }
    consume(stream, text.size);
    return wait_or_end(stream);
}

static enum json_stream_verdict step(struct json_stream *stream, struct json_record_text *text,
                                     struct error *err)
{
    switch (stream->state) {
    case STATE_BEGIN:
        return step_begin(stream, text, err);
    case STATE_DETECT:
        return step_detect(stream, text, err);
    case STATE_OPENING:
        return step_open(stream, text, err);
    case STATE_BETWEEN:
        return step_between(stream, text, err);
    case STATE_ELEMENT:
        return step_element(stream, text, err);
    case STATE_LINE:
        return step_line(stream, text, err);
    case STATE_AFTER:
        return step_after(stream, text, err);
    case STATE_REST:
        return step_rest(stream);
    case STATE_DONE:
        break;
    }
    return SAY_END;
}

enum json_stream_result json_stream_next(struct json_stream *stream, struct json_record_text *text,
                                         struct error *err)
{
    consume(stream, stream->spent);
    stream->spent = 0;
    *text = (struct json_record_text){0};
    for (;;) {
        enum json_stream_verdict verdict = step(stream, text, err);
        if (verdict == NEED_TEXT && (json_window_take_more(&stream->window) || is_last(stream)))
            continue;
        if (verdict != GO_ON)
            return (enum json_stream_result)verdict;
    }
}
