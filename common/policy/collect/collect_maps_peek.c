/* Texts of one record, looked into with a walk that is reused: nothing is built, and it ends with
 * what was looked for. */
#include <stdio.h>

#include "common/base/text.h"
#include "common/policy/collect/collect_maps_parts.h"

static void begin(struct json_walk *walk, struct bytes text)
{
    json_walk_reset(walk);
    json_walk_feed(walk, text);
    json_walk_finish(walk);
}

static enum maps_peek broken(struct error *err, enum json_walk_result result)
{
    if (result != JSON_WALK_BROKEN && result != JSON_WALK_REJECTED) /* there was no value at all */
        error_set(err, OUT_REJECT, ERR_JSON_SYNTAX, "there is no text");
    return PEEK_BROKEN;
}

/* ---- scalars ---- */

static bool is_kept(struct bytes scalar)
{
    char c = scalar.data[0];
    return (c >= '0' && c <= '9') || c == '-' || bytes_equal(scalar, BYTES_LITERAL("true")) ||
           bytes_equal(scalar, BYTES_LITERAL("false"));
}

/* Appends the scalar that the walk stands before. ABSENT: null and what is no JSON. */
static enum maps_peek take_scalar(struct json_walk *walk, char kind, struct buf *out,
                                  struct error *err)
{
    struct json_walk_step step;
    enum json_walk_result result;
    if (kind == 'n') {
        json_walk_capture(walk);
        result = json_walk_next(walk, &step, err);
        if (result != JSON_WALK_CAPTURED)
            return broken(err, result);
        bool kept = is_kept(step.text);
        if (kept)
            buf_append_bytes(out, step.text);
        return kept ? PEEK_FOUND : PEEK_ABSENT;
    }
    json_walk_read(walk);
    while ((result = json_walk_next(walk, &step, err)) == JSON_WALK_PART) {
        buf_append_bytes(out, step.text);
        if (step.last)
            return PEEK_FOUND;
    }
    return broken(err, result);
}

/* ---- pointers ---- */

/* True when `name` is the pointer's first part, which begins at *part; moves *part behind it. */
static bool is_part(struct bytes name, const char **part)
{
    const char *at = *part;
    for (size_t i = 0; i < name.size; i++, at++) {
        char c = *at;
        if (c == '~') {
            c = at[1] == '1' ? '/' : '~';
            at++;
        } else if (c == '/' || c == '\0') {
            return false;
        }
        if (c != name.data[i])
            return false;
    }
    if (*at != '/' && *at != '\0')
        return false;
    *part = at;
    return true;
}

static bool is_index(uint64_t index, const char **part)
{
    char text[24];
    int size = snprintf(text, sizeof(text), "%llu", (unsigned long long)index);
    return is_part(bytes_of(text, (size_t)size), part);
}

/* The value the walk stands before is at *pointer's end. */
static enum maps_peek take_value(struct json_walk *walk, char kind, struct buf *out,
                                 struct error *err)
{
    return kind == '"' || kind == 'n' ? take_scalar(walk, kind, out, err) : PEEK_ABSENT;
}

enum maps_peek maps_peek_at(struct json_walk *walk, struct bytes text, const char *pointer,
                            struct buf *out, struct error *err)
{
    struct json_walk_step step;
    enum json_walk_result result;
    size_t depth = 0;
    bool in_object = false;
    begin(walk, text);
    while ((result = json_walk_next(walk, &step, err)) == JSON_WALK_VALUE) {
        const char *part = pointer + 1;
        if (depth > 0 && !(in_object ? is_part(step.name, &part) : is_index(step.index, &part))) {
            json_walk_skip(walk);
            continue;
        }
        if (depth > 0)
            pointer = part;
        if (*pointer == '\0')
            return take_value(walk, step.kind, out, err);
        if ((step.kind != '{' && step.kind != '[') || depth == JSON_WALK_DEPTH_MOST)
            return PEEK_ABSENT;
        in_object = step.kind == '{';
        depth++;
        json_walk_enter(walk);
    }
    return result == JSON_WALK_LEFT ? PEEK_ABSENT : broken(err, result);
}

/* ---- entries ---- */

bool maps_is_key(struct bytes key)
{
    return text_is_utf8(key, NULL) && (key.size == 0 || !memchr(key.data, 0, key.size));
}

static void check_key(struct maps_entry *entry, struct buf *out, size_t from)
{
    entry->has_key = true;
    entry->key = bytes_of(out->data ? out->data + from : NULL, out->size - from);
    entry->key_sound = !out->failed && maps_is_key(entry->key);
}

static enum maps_peek take_captured(struct json_walk *walk, struct maps_entry *entry,
                                    struct error *err)
{
    struct json_walk_step step;
    json_walk_capture(walk);
    enum json_walk_result result = json_walk_next(walk, &step, err);
    if (result != JSON_WALK_CAPTURED)
        return broken(err, result);
    entry->value = step.text;
    entry->line = step.line;
    entry->column = step.column;
    entry->value_byte = step.byte;
    return PEEK_FOUND;
}

/* The rest of the document must hold nothing more. */
static enum maps_peek end_pair(struct json_walk *walk, struct error *err)
{
    struct json_walk_step step;
    enum json_walk_result result = json_walk_next(walk, &step, err);
    if (result == JSON_WALK_LEFT)
        result = json_walk_next(walk, &step, err);
    if (result == JSON_WALK_END)
        return PEEK_FOUND;
    return result == JSON_WALK_VALUE ? PEEK_ABSENT : broken(err, result);
}

enum maps_peek maps_peek_pair(struct json_walk *walk, struct bytes text, struct buf *out,
                              struct maps_entry *entry, struct error *err)
{
    struct json_walk_step step;
    *entry = (struct maps_entry){0};
    if (text.data[0] != '[')
        return PEEK_ABSENT;
    begin(walk, text);
    enum json_walk_result result = json_walk_next(walk, &step, err);
    if (result != JSON_WALK_VALUE)
        return broken(err, result);
    json_walk_enter(walk);
    result = json_walk_next(walk, &step, err);
    if (result != JSON_WALK_VALUE)
        return result == JSON_WALK_LEFT ? PEEK_ABSENT : broken(err, result);
    if (step.kind == '{' || step.kind == '[')
        return PEEK_ABSENT;
    size_t from = out->size;
    enum maps_peek peek = take_scalar(walk, step.kind, out, err);
    if (peek == PEEK_BROKEN)
        return peek;
    bool kept = peek == PEEK_FOUND;
    result = json_walk_next(walk, &step, err);
    if (result != JSON_WALK_VALUE)
        return result == JSON_WALK_LEFT ? PEEK_ABSENT : broken(err, result);
    peek = take_captured(walk, entry, err);
    check_key(entry, out, from);
    entry->key_sound = entry->key_sound && kept;
    return peek == PEEK_FOUND ? end_pair(walk, err) : peek;
}

/* The members of a line as they come. */
struct line {
    bool entity;
    bool value;
    bool others;
    bool key_odd; /* a key that is no scalar */
    size_t entity_from, entity_size;
    size_t key_from, key_size;
    bool key;
};

static enum maps_peek take_member(struct json_walk *walk, const struct json_walk_step *step,
                                  struct buf *out, struct line *line, struct maps_entry *entry,
                                  struct error *err)
{
    bool scalar = step->kind == '"' || step->kind == 'n';
    size_t from = out->size;
    enum maps_peek peek = PEEK_FOUND;
    if (step->kind == '"' && !line->entity && bytes_equal(step->name, BYTES_LITERAL("entity"))) {
        peek = take_scalar(walk, '"', out, err);
        line->entity = true;
        line->entity_from = from;
        line->entity_size = out->size - from;
    } else if (!line->key && bytes_equal(step->name, BYTES_LITERAL("key"))) {
        line->key = true;
        line->key_odd = !scalar;
        if (scalar) {
            peek = take_scalar(walk, step->kind, out, err);
            line->key_odd = peek == PEEK_ABSENT;
            line->key_from = from;
            line->key_size = out->size - from;
        } else {
            json_walk_skip(walk);
        }
    } else if (!line->value && bytes_equal(step->name, BYTES_LITERAL("value"))) {
        line->value = true;
        peek = take_captured(walk, entry, err);
    } else {
        line->others = true;
        json_walk_skip(walk);
    }
    return peek == PEEK_BROKEN ? PEEK_BROKEN : PEEK_FOUND;
}

static enum maps_peek end_line(const struct line *line, struct bytes text, struct buf *out,
                               struct maps_entry *entry)
{
    if (!line->entity)
        return PEEK_ABSENT;
    if (line->value && !line->others) {
        if (line->key) {
            check_key(entry, out, line->key_from);
            entry->key.size = line->key_size;
            entry->key_sound = entry->key_sound && !line->key_odd;
        }
    } else {
        *entry = (struct maps_entry){.value = text, .line = 1, .column = 1};
    }
    entry->entity = bytes_of(out->data ? out->data + line->entity_from : NULL, line->entity_size);
    return PEEK_FOUND;
}

enum maps_peek maps_peek_line(struct json_walk *walk, struct bytes text, struct buf *out,
                              struct maps_entry *entry, struct error *err)
{
    struct json_walk_step step;
    struct line line = {0};
    enum json_walk_result result;
    *entry = (struct maps_entry){0};
    begin(walk, text);
    result = json_walk_next(walk, &step, err);
    if (result != JSON_WALK_VALUE)
        return broken(err, result);
    if (step.kind != '{')
        return PEEK_ABSENT;
    json_walk_enter(walk);
    while ((result = json_walk_next(walk, &step, err)) == JSON_WALK_VALUE)
        if (take_member(walk, &step, out, &line, entry, err) == PEEK_BROKEN)
            return PEEK_BROKEN;
    if (result == JSON_WALK_LEFT)
        result = json_walk_next(walk, &step, err);
    return result == JSON_WALK_END ? end_line(&line, text, out, entry) : broken(err, result);
}
