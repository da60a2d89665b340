/*
 * One value on the second reading. The outer walk gives the storage's string in pieces; each level
 * of encoding around the value has a walk of its own that decodes it; the innermost text goes to
 * the elements' walk or is kept whole. Pieces are pulled from the inside, so each is gone before
 * the next one is asked for.
 *
 *   outer string ─► walks[0] ─► walks[1] ─► elements | text
 */
#include "common/policy/collect/collect_storage_parts.h"

void storage_value_init(struct storage_value *value, size_t record_most)
{
    *value = (struct storage_value){0};
    for (size_t i = 0; i < STORAGE_LEVELS_MOST; i++)
        value->walks[i] = json_walk_new(0);
    value->elements = json_walk_new(record_most);
    buf_init(&value->text, record_most);
}

void storage_value_free(struct storage_value *value)
{
    for (size_t i = 0; i < STORAGE_LEVELS_MOST; i++)
        json_walk_free(value->walks[i]);
    json_walk_free(value->elements);
    buf_free(&value->text);
}

void storage_value_begin(struct storage_value *value, unsigned levels, bool whole)
{
    for (unsigned i = 0; i < levels; i++)
        json_walk_reset(value->walks[i]);
    if (!whole)
        json_walk_reset(value->elements);
    memset(value->ended, 0, sizeof(value->ended));
    value->given = value->entered = false;
    value->levels = levels;
    value->whole = whole;
    value->index = -1;
    buf_reset(&value->text);
}

void storage_value_feed(struct storage_value *value, struct bytes piece, bool last)
{
    value->piece = piece;
    value->last = last;
    value->given = true;
}

static enum storage_step refuse(struct error *err)
{
    error_set(err, OUT_REJECT, ERR_SOURCE_CHANGED, "the value is not what it was when first read");
    return STORAGE_REFUSED;
}

/* The next piece of the text of `level`; the last one sets ended[level]. STORAGE_RECORD: there. */
static enum storage_step pull(struct storage_value *value, unsigned level, struct bytes *text,
                              struct error *err)
{
    struct json_walk_step step;
    if (level == 0) {
        if (!value->given)
            return STORAGE_PIECE;
        value->given = false;
        value->ended[0] = value->last;
        *text = value->piece;
        return STORAGE_RECORD;
    }
    struct json_walk *walk = value->walks[level - 1];
    for (;;) {
        switch (json_walk_next(walk, &step, err)) {
        case JSON_WALK_VALUE:
            if (step.kind != '"')
                return refuse(err);
            json_walk_read(walk);
            break;
        case JSON_WALK_PART:
            *text = step.text;
            value->ended[level] = step.last;
            return STORAGE_RECORD;
        case JSON_WALK_MORE: {
            struct bytes more = {0};
            if (value->ended[level - 1]) {
                json_walk_finish(walk);
                break;
            }
            enum storage_step above = pull(value, level - 1, &more, err);
            if (above != STORAGE_RECORD)
                return above;
            json_walk_feed(walk, more);
            break;
        }
        default:
            return refuse(err);
        }
    }
}

static enum storage_step next_whole(struct storage_value *value, struct error *err)
{
    while (!value->ended[value->levels]) {
        struct bytes text = {0};
        enum storage_step step = pull(value, value->levels, &text, err);
        if (step != STORAGE_RECORD)
            return step;
        buf_append_bytes(&value->text, text);
    }
    return STORAGE_DONE;
}

/* The list itself, then each element. */
static enum storage_step take_element(struct storage_value *value,
                                      const struct json_walk_step *step)
{
    if (value->entered) {
        value->index = (int64_t)step->index;
        json_walk_capture(value->elements);
        return STORAGE_RECORD;
    }
    value->entered = true;
    if (step->kind != '[')
        return STORAGE_REFUSED;
    json_walk_enter(value->elements);
    return STORAGE_RECORD;
}

static enum storage_step next_element(struct storage_value *value, struct bytes *text,
                                      struct error *err)
{
    struct json_walk_step step;
    for (;;) {
        switch (json_walk_next(value->elements, &step, err)) {
        case JSON_WALK_VALUE:
            if (take_element(value, &step) == STORAGE_REFUSED)
                return refuse(err);
            break;
        case JSON_WALK_CAPTURED:
            *text = step.text;
            return STORAGE_RECORD;
        case JSON_WALK_REJECTED:
            return STORAGE_REFUSED;
        case JSON_WALK_LEFT:
            break;
        case JSON_WALK_MORE: {
            struct bytes more = {0};
            if (value->ended[value->levels]) {
                json_walk_finish(value->elements);
                break;
            }
            enum storage_step above = pull(value, value->levels, &more, err);
            if (above != STORAGE_RECORD)
                return above;
            json_walk_feed(value->elements, more);
            break;
        }
        case JSON_WALK_END:
            return STORAGE_DONE;
        default:
            return refuse(err);
        }
    }
}

enum storage_step storage_value_next(struct storage_value *value, struct bytes *text,
                                     struct error *err)
{
    return value->whole ? next_whole(value, err) : next_element(value, text, err);
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

struct bytes storage_escape_surrogates(struct bytes text, struct buf *out)
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

void storage_append_string(struct buf *out, struct bytes text)
{
    size_t from = 0;
    buf_append_char(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool surrogate = c == 0xED && is_surrogate(text, i);
        if (c >= 0x20 && c != '"' && c != '\\' && !surrogate)
            continue;
        buf_append(out, text.data + from, i - from);
        if (surrogate)
            append_surrogate(out, text.data + i);
        else if (c < 0x20)
            buf_append_format(out, "\\u%04x", c);
        else
            buf_append(out, (char[]){'\\', (char)c}, 2);
        i += surrogate ? 2 : 0;
        from = i + 1;
    }
    if (from < text.size)
        buf_append(out, text.data + from, text.size - from);
    buf_append_char(out, '"');
}
