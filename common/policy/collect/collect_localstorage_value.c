/*
 * One value of a localStorage. Its text is decoded whole, and once more for each JSON string around
 * what it holds; yyjson says whether that is JSON. Elements of a list are records: the list is
 * looked at in slices of whole elements, so that no document is larger than a record's, and an
 * element that breaks a record's rules (json.h) is refused alone.
 *
 *   quoted ─► texts[0] ─► texts[1] ─► texts[2]      text: the innermost list or object
 */
#include "common/policy/collect/collect_localstorage.h"

#include <stdio.h>

#include "common/model/json/json.h"
#include "common/model/json/json_stream_detect.h"
#include "common/model/json/json_string.h"

#define SLICE_BYTES ((size_t)64 << 10) /* of a list, looked at together */

void localstorage_value_init(struct localstorage_value *value, size_t record_max)
{
    *value =
        (struct localstorage_value){.walk = json_walk_new(record_max), .record_max = record_max};
    for (size_t i = 0; i <= LOCALSTORAGE_LEVELS_MAX; i++)
        buf_init(&value->texts[i], SIZE_MAX / 4); /* never more than the body */
    buf_init(&value->slice, record_max + SLICE_BYTES + 2);
}

void localstorage_value_free(struct localstorage_value *value)
{
    json_walk_free(value->walk);
    for (size_t i = 0; i <= LOCALSTORAGE_LEVELS_MAX; i++)
        buf_free(&value->texts[i]);
    buf_free(&value->slice);
}

/* ---- decoding ---- */

/* The string that text[at] begins; only white space may stand behind it. Where it is broken, at. */
static bool decode(struct bytes text, size_t *at, struct buf *out)
{
    size_t size = 0;
    size_t room = text.size - *at + JSON_STRING_ROOM;
    buf_reset(out);
    char *place = buf_extend(out, room);
    ++*at;
    bool sound = place && json_string_decode(text, at, place, room, &size) == JSON_STRING_CLOSED;
    out->size = size;
    while (sound && ++*at < text.size)
        sound = json_is_space(text.data[*at]);
    return sound;
}

bool localstorage_value_decode(struct localstorage_value *value, struct bytes quoted)
{
    size_t at = 0;
    bool sound = decode(quoted, &at, &value->texts[0]);
    value->text = buf_view(&value->texts[0]);
    value->form = LOCALSTORAGE_BROKEN;
    value->levels = 0;
    return sound;
}

/* ---- the form ---- */

/* The grammar alone: what else json_parse refuses is for the record to be told. */
static bool is_json(struct bytes text, size_t *broken_at)
{
    yyjson_read_err why = {0};
    struct error err = {0};
    char *unchanged = (char *)(uintptr_t)text.data; /* yyjson copies it first */
    yyjson_doc *doc = yyjson_read_opts(unchanged, text.size, YYJSON_READ_NUMBER_AS_RAW, NULL, &why);
    if (!doc && json_parse(text, JSON_UNICODE_REPLACE, NULL, &doc, &err) != OUT_OK &&
        (err.code == ERR_JSON_SYNTAX || err.code == ERR_JSON_TRUNCATED)) {
        if (sscanf(err.where, "byte %zu", broken_at) != 1)
            *broken_at = why.pos;
        return false;
    }
    yyjson_doc_free(doc);
    return true;
}

void localstorage_value_begin_list(struct localstorage_value *value)
{
    value->entered = false;
    json_walk_reset(value->walk);
    json_walk_feed(value->walk, value->text);
    json_walk_finish(value->walk);
}

enum json_walk_result localstorage_value_next(struct localstorage_value *value,
                                              struct json_walk_step *step, struct error *err)
{
    for (;;) {
        enum json_walk_result result = json_walk_next(value->walk, step, err);
        if (result == JSON_WALK_VALUE && step->kind == '[' && !value->entered) {
            value->entered = true;
            json_walk_enter(value->walk);
        } else if (result == JSON_WALK_VALUE) {
            json_walk_capture(value->walk);
        } else if (result != JSON_WALK_LEFT) {
            return result;
        }
    }
}

/* Elements of the list from one's first byte to another's end. */
static bool is_slice(struct localstorage_value *value, size_t from, size_t to, size_t *broken_at)
{
    struct buf *slice = &value->slice;
    buf_reset(slice);
    buf_append_char(slice, '[');
    buf_append(slice, value->text.data + from, to - from);
    buf_append_char(slice, ']');
    if (is_json(buf_view(slice), broken_at))
        return true;
    *broken_at += from - 1;
    return false;
}

/* In slices, so that it is no document of a list's size. */
static bool is_list(struct localstorage_value *value, size_t *broken_at)
{
    struct json_walk_step step;
    struct error err;
    size_t from = 0;
    size_t to = 0;
    localstorage_value_begin_list(value);
    for (;;) {
        enum json_walk_result result = localstorage_value_next(value, &step, &err);
        bool taken = result == JSON_WALK_CAPTURED;
        size_t end = taken ? (size_t)step.byte + step.text.size : 0;
        if (to > from && (!taken || end - from > SLICE_BYTES)) {
            if (!is_slice(value, from, to, broken_at))
                return false;
            to = 0;
        }
        *broken_at = (size_t)step.byte;
        if (result == JSON_WALK_BROKEN)
            return false;
        if (result == JSON_WALK_END)
            return true;
        if (!taken)
            continue; /* too large for a record: only its brackets are known */
        from = to ? from : (size_t)step.byte;
        to = end;
    }
}

/* Of the text at `level`: what is inside a string counts when that is a list or an object. What is
 * too large for a record is not looked at: it is refused for its size. */
static enum localstorage_form form_at(struct localstorage_value *value, unsigned level,
                                      struct bytes text, size_t *broken_at)
{
    size_t at = 0;
    size_t ignored;
    while (at < text.size && json_is_space(text.data[at]))
        at++;
    char kind = at < text.size ? text.data[at] : '\0';
    *broken_at = at;
    if (kind == '[') {
        value->text = text;
        value->levels = level;
        return is_list(value, broken_at) ? LOCALSTORAGE_ARRAY : LOCALSTORAGE_BROKEN;
    }
    if (kind != '"' || level == LOCALSTORAGE_LEVELS_MAX) {
        if (text.size <= value->record_max && !is_json(text, broken_at))
            return LOCALSTORAGE_BROKEN;
        value->levels = level;
        return kind == '{' ? LOCALSTORAGE_OBJECT : LOCALSTORAGE_SCALAR;
    }
    struct buf *inner = &value->texts[level + 1];
    bool sound = decode(text, &at, inner);
    *broken_at = at;
    if (!sound)
        return LOCALSTORAGE_BROKEN;
    enum localstorage_form form = form_at(value, level + 1, buf_view(inner), &ignored);
    return form == LOCALSTORAGE_ARRAY || form == LOCALSTORAGE_OBJECT ? form : LOCALSTORAGE_SCALAR;
}

void localstorage_value_judge(struct localstorage_value *value, struct bytes text)
{
    value->form = form_at(value, 0, text, &value->broken_at);
    if (value->form != LOCALSTORAGE_ARRAY && value->form != LOCALSTORAGE_OBJECT)
        value->levels = 0;
    value->text = value->levels ? buf_view(&value->texts[value->levels]) : text;
}

/* ---- surrogates ---- */

/* U+D800 to U+DFFF as three bytes: ED A0..BF 80..BF. */
static bool is_surrogate(struct bytes text, size_t at)
{
    return at + 2 < text.size && (unsigned char)text.data[at] == 0xED &&
           (unsigned char)text.data[at + 1] >= 0xA0 && (unsigned char)text.data[at + 1] <= 0xBF &&
           ((unsigned char)text.data[at + 2] & 0xC0) == 0x80;
}

static void append_surrogate(struct buf *out, const char *at)
{
    unsigned unit = 0xD000u | ((unsigned)(at[1] & 0x3F) << 6) | (unsigned)(at[2] & 0x3F);
    buf_append_format(out, "\\u%04x", unit);
}

static size_t find_surrogate(struct bytes text, size_t from)
{
    while (from < text.size) {
        const char *at = memchr(text.data + from, 0xED, text.size - from);
        if (!at)
            break;
        from = (size_t)(at - text.data);
        if (is_surrogate(text, from))
            return from;
        from++;
    }
    return text.size;
}

struct bytes localstorage_escape_surrogates(struct bytes text, struct buf *out)
{
    size_t next = find_surrogate(text, 0);
    if (next == text.size)
        return text;
    buf_reset(out);
    for (size_t at = 0; at < text.size; next = find_surrogate(text, at)) {
        buf_append(out, text.data + at, next - at);
        at = next;
        if (at == text.size)
            break;
        append_surrogate(out, text.data + at);
        at += 3;
    }
    return buf_view(out);
}

void localstorage_append_string(struct buf *out, struct bytes text)
{
    struct buf quoted, escaped;
    buf_init(&quoted, SIZE_MAX / 4);
    buf_init(&escaped, SIZE_MAX / 4);
    json_append_string(&quoted, text);
    buf_append_bytes(out, localstorage_escape_surrogates(buf_view(&quoted), &escaped));
    buf_free(&quoted);
    buf_free(&escaped);
}
