/* Texts of one record, looked into with a walk that is reused: nothing is built, and it ends with
 * what was looked for. */
#include "common/policy/collect/collect_maps_peek.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/text.h"

/* ---- the form of a source, and whose a collection is ---- */

/*
 * The form of a source, from the beginning of its first value:
 *  - the first member is a collection of some mapping, or the replacer's {"dataType":"Map", …}:
 *    one tree;
 *  - a member "entity" that is a string: lines;
 *  - neither in the first 64 KiB: a tree, of which nothing is known.
 * The answer is given at the byte that decides it, wherever the chunks end.
 */

#define NAME_BYTES_MAX 4096 /* of an entity; longer ones are none */

static bool is_named(const char *name, struct bytes text)
{
    return bytes_equal(bytes_text(name), text);
}

static bool takes(const struct mapping *mapping, struct bytes name, bool own_names)
{
    for (size_t i = 0; i < mapping->collect_map_count; i++)
        if (is_named(mapping->collect_maps[i], name))
            return true;
    return own_names && is_named(mapping->entity, name);
}

struct maps_role maps_role_of(struct mapping *const *mappings, size_t count, struct bytes name,
                              bool own_names)
{
    struct maps_role role = {0};
    for (size_t i = 0; i < count; i++) {
        if (!role.mapping && takes(mappings[i], name, false))
            role.mapping = mappings[i];
        if (!role.join_target && mappings[i]->join && is_named(mappings[i]->join->collection, name))
            role.join_target = mappings[i];
    }
    for (size_t i = 0; own_names && !role.mapping && !role.join_target && i < count; i++)
        if (takes(mappings[i], name, true))
            role.mapping = mappings[i];
    return role;
}

enum probe_wait {
    WAIT_NOTHING,
    WAIT_TYPE,   /* the text of dataType */
    WAIT_ENTITY, /* the text of entity */
    WAIT_NAME,   /* the first key of the replacer's map */
};

struct maps_probe {
    struct mapping *const *mappings;
    size_t count;
    struct json_walk *walk;
    size_t depth;
    enum probe_wait wait;
    bool typed; /* {"dataType":"Map" */
    bool known;
    enum maps_form form;
};

struct maps_probe *maps_probe_new(struct mapping *const *mappings, size_t count)
{
    struct maps_probe *probe = mem_new(sizeof(*probe));
    probe->mappings = mappings;
    probe->count = count;
    probe->walk = json_walk_new(NAME_BYTES_MAX);
    return probe;
}

void maps_probe_free(struct maps_probe *probe)
{
    if (!probe)
        return;
    json_walk_free(probe->walk);
    free(probe);
}

void maps_probe_reset(struct maps_probe *probe)
{
    json_walk_reset(probe->walk);
    probe->depth = 0;
    probe->wait = WAIT_NOTHING;
    probe->typed = false;
    probe->known = false;
    probe->form = MAPS_UNKNOWN;
}

static void decide(struct maps_probe *probe, enum maps_form form, bool known)
{
    probe->form = form;
    probe->known = known;
}

static bool is_taken(const struct maps_probe *probe, struct bytes name, bool own_names)
{
    struct maps_role role = maps_role_of(probe->mappings, probe->count, name, own_names);
    return role.mapping || role.join_target;
}

static void enter(struct maps_probe *probe)
{
    probe->depth++;
    json_walk_enter(probe->walk);
}

static void capture(struct maps_probe *probe, enum probe_wait wait)
{
    probe->wait = wait;
    json_walk_capture(probe->walk);
}

static void see_member(struct maps_probe *probe, const struct json_walk_step *step)
{
    bool container = step->kind == '{' || step->kind == '[';
    bool first = step->index == 0;
    if (first && container && is_taken(probe, step->name, false))
        decide(probe, MAPS_TREE, true);
    else if (step->kind == '"' && bytes_equal(step->name, BYTES_LITERAL("entity")))
        capture(probe, WAIT_ENTITY);
    else if (first && step->kind == '"' && bytes_equal(step->name, BYTES_LITERAL("dataType")))
        capture(probe, WAIT_TYPE);
    else if (probe->typed && step->kind == '[' && bytes_equal(step->name, BYTES_LITERAL("value")))
        enter(probe);
    else
        json_walk_skip(probe->walk);
}

static void see_value(struct maps_probe *probe, const struct json_walk_step *step)
{
    if (probe->depth == 1)
        see_member(probe, step);
    else if (probe->depth == 0 && step->kind == '{')
        enter(probe);
    else if (probe->depth == 2 && step->kind == '[')
        enter(probe);
    else if (probe->depth == 3 && step->kind == '"')
        capture(probe, WAIT_NAME);
    else
        decide(probe, MAPS_TREE, false);
}

/* `text` is a string as it was read; names with escapes are none that a mapping takes. */
static void see_text(struct maps_probe *probe, struct bytes text)
{
    struct bytes name = bytes_of(text.data + 1, text.size - 2);
    if (probe->wait == WAIT_ENTITY)
        decide(probe, MAPS_LINES, is_taken(probe, name, true));
    else if (probe->wait == WAIT_NAME)
        decide(probe, MAPS_TREE, is_taken(probe, name, true));
    else
        probe->typed = bytes_equal(name, BYTES_LITERAL("Map"));
    probe->wait = WAIT_NOTHING;
}

enum maps_form maps_probe_step(struct maps_probe *probe, struct bytes chunk, bool last, bool *known)
{
    if (probe->form == MAPS_UNKNOWN && chunk.size)
        json_walk_feed(probe->walk, chunk);
    while (probe->form == MAPS_UNKNOWN) {
        struct json_walk_step step;
        enum json_walk_result result = json_walk_next(probe->walk, &step, NULL);
        if (result == JSON_WALK_MORE)
            break;
        if (result == JSON_WALK_VALUE)
            see_value(probe, &step);
        else if (result == JSON_WALK_CAPTURED)
            see_text(probe, step.text);
        else
            decide(probe, MAPS_TREE, false);
    }
    if (probe->form == MAPS_UNKNOWN && last)
        decide(probe, MAPS_TREE, false);
    *known = probe->known;
    return probe->form;
}

bool collect_maps_detect(struct bytes first, bool whole, struct mapping *const *mappings,
                         size_t mapping_count)
{
    (void)whole; /* what decides stands at the beginning */
    struct maps_probe *probe = maps_probe_new(mappings, mapping_count);
    bool known;
    if (first.size > MAPS_PROBE_MAX)
        first.size = MAPS_PROBE_MAX;
    (void)maps_probe_step(probe, first, true, &known);
    maps_probe_free(probe);
    return known;
}

/* ---- into the text of a record ---- */

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
        if ((step.kind != '{' && step.kind != '[') || depth == JSON_WALK_DEPTH_MAX)
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
