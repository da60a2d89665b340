/*
 * The target, its defaults, and the one way a value gets into it, whether a file, the
 * environment or the command line says it. There are no abbreviations of flags: a new one must not
 * change what an old command line means.
 */
#include "common/base/conf.h"

#include <assert.h>
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/base/yaml.h"

struct conf_source {
    enum conf_origin origin;
    const char *place; /* borrowed; kept by copy */
};

/* What a source says about one field. One item without key is a scalar. */
struct conf_input {
    const struct bytes *keys; /* of a map, else NULL */
    const struct bytes *items;
    size_t count;
};

/* ---- a field: what it is called, and how a value of it is refused ---- */

/* "kafka.brokers", or "--json" when it is not in the file. */
static const char *name_of(const struct conf_field *field, char out[80])
{
    if (field->path)
        snprintf(out, 80, "%s", field->path);
    else if (field->flag)
        snprintf(out, 80, "--%s", field->flag);
    else
        snprintf(out, 80, "-%c", field->letter);
    return out;
}

/* DROVER_KAFKA_BROKERS of "kafka.brokers"; false when the path is NULL. */
static bool conf_variable(const char *path, char out[80])
{
    if (!path)
        return false;
    snprintf(out, 80, "DROVER_%s", path);
    for (char *c = out; *c; c++)
        *c = isalnum((unsigned char)*c) ? (char)toupper((unsigned char)*c) : '_';
    return true;
}

/* Notes that the field was given by an old name, at `place` (may be NULL); the first time only. */
static void conf_note_old(struct conf *conf, size_t field, const char *old, const char *now,
                          const char *place)
{
    char text[400];
    snprintf(text, sizeof(text), place ? "%s is called %s now (%.160s)" : "%s is called %s now",
             old, now, place);
    if (!conf->renamed[field])
        conf->renamed[field] = arena_copy(&conf->arena, bytes_text(text)).data;
}

/* The `index`-th of choices "a|b|c"; size 0 when there are no more. */
static struct bytes conf_choice(const char *choices, size_t index)
{
    for (; index > 0 && *choices; index--)
        choices += strcspn(choices, "|") + (choices[strcspn(choices, "|")] == '|');
    return bytes_of(choices, strcspn(choices, "|"));
}

/* Refuses a value: "<field> <sentence>", the place, the code that fits the origin. */
static enum outcome conf_refuse(const struct conf_field *field, struct conf_source source,
                                struct error *err, const char *format, ...)
{
    if (!err)
        return OUT_FATAL;
    char sentence[sizeof(err->text)];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof(sentence), format, args);
    va_end(args);
    char name[80];
    error_set(err, OUT_FATAL, source.origin == CONF_FROM_FLAG ? ERR_USAGE : ERR_CONF_VALUE, "%s %s",
              name_of(field, name), sentence);
    error_where(err, "%s", source.place ? source.place : "");
    return OUT_FATAL;
}

/* ---- from text to a member of the target: checking by kind, precedence, lists and maps ---- */

/* One value on its way. `store` is false when a higher origin has already spoken: the value is
 * still checked, as a mistake in the file should not hide behind a flag. */
struct put {
    struct conf *conf;
    size_t index;
    const struct conf_field *field;
    void *member;
    struct conf_source source;
    bool store;
    struct error *err;
};

/* A value in an error, safe for a terminal and short. Never called for secrets or map values. */
static const char *quote(struct bytes value, char out[96])
{
    struct buf shown;
    buf_init(&shown, 1024);
    text_append_safe(&shown, value, 40);
    size_t size = shown.size < 95 ? shown.size : 95;
    memcpy(out, buf_text(&shown), size);
    out[size] = '\0';
    buf_free(&shown);
    return out;
}

static void describe_amount(enum conf_kind kind, uint64_t amount, char out[40])
{
    struct buf text;
    buf_init(&text, 39);
    char number[28];
    if (kind == CONF_SIZE)
        buf_append_text(&text, text_format_size(amount, number));
    else
        buf_append_format(&text, "%s%s", text_format_count(amount, number),
                          kind == CONF_MILLIS ? " ms" : "");
    memcpy(out, buf_text(&text), text.size + 1);
    buf_free(&text);
}

static enum outcome put_amount(const struct put *put, struct bytes text)
{
    static const char *const FORMS[] = {
        [CONF_COUNT] = "a whole number",
        [CONF_SIZE] = "a size such as 64k or 16MiB",
        [CONF_MILLIS] = "a time such as 250ms, 10s, 5m or 24h",
    };
    const struct conf_field *field = put->field;
    char quoted[96];
    uint64_t amount = 0;
    int64_t count = 0;
    bool ok = field->kind == CONF_SIZE     ? text_parse_size(text, &amount)
              : field->kind == CONF_MILLIS ? text_parse_millis(text, &amount)
                                           : text_parse_int64(text, &count) && count >= 0;
    if (!ok)
        return conf_refuse(field, put->source, put->err, "must be %s, not \"%s\"",
                           FORMS[field->kind], quote(text, quoted));
    if (field->kind == CONF_COUNT)
        amount = (uint64_t)count;
    char min[40];
    char max[40];
    describe_amount(field->kind, field->min, min);
    describe_amount(field->kind, field->max, max);
    if (field->max && (amount < field->min || amount > field->max))
        return conf_refuse(field, put->source, put->err, "must be from %s to %s, not \"%s\"", min,
                           max, quote(text, quoted));
    if (amount < field->min)
        return conf_refuse(field, put->source, put->err, "must be at least %s, not \"%s\"", min,
                           quote(text, quoted));
    if (put->store)
        *(uint64_t *)put->member = amount;
    return OUT_OK;
}

static enum outcome put_bool(const struct put *put, struct bytes text)
{
    bool yes = bytes_equal(text, BYTES_LITERAL("true"));
    char quoted[96];
    if (!yes && !bytes_equal(text, BYTES_LITERAL("false")))
        return conf_refuse(put->field, put->source, put->err, "must be true or false, not \"%s\"",
                           quote(text, quoted));
    if (put->store)
        *(bool *)put->member = yes;
    return OUT_OK;
}

static enum outcome refuse_choice(const struct put *put, struct bytes text)
{
    struct buf names;
    buf_init(&names, 160);
    char word[96];
    char nearest[96] = "";
    unsigned best = 3;
    char quoted[96];
    quote(text, quoted);
    struct bytes choice;
    for (size_t i = 0; (choice = conf_choice(put->field->choices, i)).size > 0; i++) {
        buf_append_format(&names, "%s%.*s", i ? ", " : "", BYTES_ARGS(choice));
        quote(choice, word);
        if (text_distance(quoted, word) < best) {
            best = text_distance(quoted, word);
            memcpy(nearest, word, sizeof(nearest));
        }
    }
    conf_refuse(put->field, put->source, put->err, "must be one of %s, not \"%s\"",
                buf_text(&names), quoted);
    if (nearest[0])
        error_hint(put->err, "did you mean \"%s\"?", nearest);
    buf_free(&names);
    return OUT_FATAL;
}

static enum outcome check_choice(const struct put *put, struct bytes text)
{
    struct bytes choice;
    for (size_t i = 0; (choice = conf_choice(put->field->choices, i)).size > 0; i++) {
        if (bytes_equal(choice, text))
            return OUT_OK;
    }
    return refuse_choice(put, text);
}

static enum outcome refuse_memory(const struct put *put)
{
    return conf_refuse(put->field, put->source, put->err,
                       "does not fit: the settings take more than 64 MiB");
}

static enum outcome put_string(const struct put *put, struct bytes text)
{
    if (put->field->kind == CONF_CHOICE && check_choice(put, text) != OUT_OK)
        return OUT_FATAL;
    if (!put->store)
        return OUT_OK;
    const char *copy = arena_copy(&put->conf->arena, text).data;
    if (!copy)
        return refuse_memory(put);
    char *old = *(char **)put->member;
    if (put->field->kind == CONF_SECRET && old)
        explicit_bzero(old, strlen(old));
    *(const char **)put->member = copy;
    return OUT_OK;
}

/* Room for one more in an array that doubles at powers of two; false when memory is used up. */
static bool grow(struct arena *arena, void **array, size_t count, size_t item_size)
{
    if (count & (count - 1))
        return true;
    void *larger = arena_array(arena, count ? count * 2 : 1, item_size);
    if (!larger)
        return false;
    if (count)
        memcpy(larger, *array, count * item_size);
    *array = larger;
    return true;
}

static enum outcome put_list(const struct put *put, struct conf_input input)
{
    if (!put->store)
        return OUT_OK;
    struct conf_list *list = put->member;
    bool adds_up =
        put->source.origin == CONF_FROM_FLAG && put->conf->origins[put->index] == CONF_FROM_FLAG;
    if (!adds_up)
        *list = (struct conf_list){0};
    for (size_t i = 0; i < input.count; i++) {
        const char *copy = arena_copy(&put->conf->arena, input.items[i]).data;
        void *items = list->items;
        if (!copy || !grow(&put->conf->arena, &items, list->count, sizeof(const char *)))
            return refuse_memory(put);
        list->items = items;
        list->items[list->count++] = copy;
    }
    return OUT_OK;
}

static bool add_key(const struct put *put, struct bytes key)
{
    struct arena *arena = &put->conf->arena;
    struct conf_map *map = put->member;
    void *keys = map->keys;
    void *values = map->values;
    void *entries = put->conf->entries[put->index];
    const char *copy = arena_copy(arena, key).data;
    if (!copy || !grow(arena, &keys, map->count, sizeof(const char *)) ||
        !grow(arena, &values, map->count, sizeof(const char *)) ||
        !grow(arena, &entries, map->count, sizeof(struct conf_entry)))
        return false;
    map->keys = keys;
    map->values = values;
    put->conf->entries[put->index] = entries;
    put->conf->entries[put->index][map->count] = (struct conf_entry){CONF_FROM_DEFAULT, NULL};
    map->values[map->count] = "";
    map->keys[map->count++] = copy;
    return true;
}

static enum outcome put_key(const struct put *put, struct bytes key, struct bytes value)
{
    struct conf_map *map = put->member;
    size_t at = 0;
    while (at < map->count && !bytes_equal(bytes_text(map->keys[at]), key))
        at++;
    if (at == map->count && !add_key(put, key))
        return refuse_memory(put);
    struct conf_entry *entry = &put->conf->entries[put->index][at];
    if (put->source.origin < entry->origin)
        return OUT_OK;
    map->values[at] = arena_copy(&put->conf->arena, value).data;
    if (!map->values[at])
        return refuse_memory(put);
    *entry = (struct conf_entry){put->source.origin, put->source.place};
    return OUT_OK;
}

static enum outcome put_map(const struct put *put, struct conf_input input)
{
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < input.count && outcome == OUT_OK; i++) {
        if (input.keys[i].size == 0)
            return conf_refuse(put->field, put->source, put->err, "has a value without a key");
        if (put->field->choices && check_choice(put, input.keys[i]) != OUT_OK)
            return OUT_FATAL;
        outcome = put_key(put, input.keys[i], input.items[i]);
    }
    return outcome;
}

static enum outcome put_kind(const struct put *put, struct conf_input input)
{
    switch (put->field->kind) {
    case CONF_BOOL:
        return put_bool(put, input.items[0]);
    case CONF_COUNT:
    case CONF_SIZE:
    case CONF_MILLIS:
        return put_amount(put, input.items[0]);
    case CONF_LIST:
        return put_list(put, input);
    case CONF_MAP:
        return put_map(put, input);
    default:
        return put_string(put, input.items[0]);
    }
}

/* Checks the input, and stores it unless the field has a value of a higher origin. Maps are
 * merged; lists of the same origin CONF_FROM_FLAG add up; everything else is replaced. */
static enum outcome conf_put(struct conf *conf, size_t index, struct conf_input input,
                             struct conf_source source, struct error *err)
{
    struct put put = {conf,
                      index,
                      &conf->fields[index],
                      conf_member(conf, index),
                      source,
                      source.origin >= conf->origins[index],
                      err};
    if (source.place) {
        put.source.place = arena_copy(&conf->arena, bytes_text(source.place)).data;
        if (!put.source.place)
            return refuse_memory(&put);
    }
    enum outcome outcome = put_kind(&put, input);
    if (outcome == OUT_OK && put.store) {
        conf->origins[index] = put.source.origin;
        conf->places[index] = put.source.place;
    }
    return outcome;
}

static struct bytes trim(struct bytes text)
{
    while (text.size && (text.data[0] == ' ' || text.data[0] == '\t'))
        text = bytes_of(text.data + 1, text.size - 1);
    while (text.size && (text.data[text.size - 1] == ' ' || text.data[text.size - 1] == '\t'))
        text.size--;
    return text;
}

static enum outcome put_pair(struct conf *conf, size_t index, struct bytes text,
                             struct conf_source source, struct error *err)
{
    const char *equals = memchr(text.data, '=', text.size);
    if (!equals && conf->fields[index].choices) {
        struct bytes first = conf_choice(conf->fields[index].choices, 0);
        return conf_put(conf, index, (struct conf_input){&first, &text, 1}, source, err);
    }
    if (!equals || equals == text.data)
        return conf_refuse(&conf->fields[index], source, err, "wants KEY=VALUE");
    size_t key_size = (size_t)(equals - text.data);
    struct bytes key = bytes_of(text.data, key_size);
    struct bytes value = bytes_of(equals + 1, text.size - key_size - 1);
    return conf_put(conf, index, (struct conf_input){&key, &value, 1}, source, err);
}

static enum outcome put_items(struct conf *conf, size_t index, struct bytes text,
                              struct conf_source source, struct error *err)
{
    bool is_map = conf->fields[index].kind == CONF_MAP;
    struct bytes items[64]; /* more are for the file */
    size_t count = 0;
    for (size_t at = 0; at < text.size;) {
        const char *comma = memchr(text.data + at, ',', text.size - at);
        size_t end = comma ? (size_t)(comma - text.data) : text.size;
        struct bytes item = trim(bytes_of(text.data + at, end - at));
        at = end + 1;
        if (item.size == 0)
            continue;
        if (count == sizeof(items) / sizeof(items[0]))
            return conf_refuse(&conf->fields[index], source, err,
                               "has more than 64 items here; write them in the file");
        if (is_map && put_pair(conf, index, item, source, err) != OUT_OK)
            return OUT_FATAL;
        items[count++] = item;
    }
    if (is_map)
        return OUT_OK;
    return conf_put(conf, index, (struct conf_input){NULL, items, count}, source, err);
}

/* The same for text that may hold several: LIST and MAP are split at commas. */
static enum outcome conf_put_text(struct conf *conf, size_t index, struct bytes text,
                                  struct conf_source source, struct error *err)
{
    enum conf_kind kind = conf->fields[index].kind;
    if (kind == CONF_ROWS)
        return conf_refuse(&conf->fields[index], source, err, "can be set in the file alone");
    if (kind == CONF_MAP && source.origin == CONF_FROM_FLAG)
        return put_pair(conf, index, text, source, err);
    if (kind == CONF_MAP || (kind == CONF_LIST && source.origin != CONF_FROM_FLAG))
        return put_items(conf, index, text, source, err);
    return conf_put(conf, index, (struct conf_input){NULL, &text, 1}, source, err);
}

/* ---- the target and its defaults ---- */

enum {
    /* One file of 1 MiB, the kernel's 6 MiB of arguments and environment, and their arrays: up to
     * 600,000 sources of a run are flags of its verifier. */
    CONF_MEMORY = 64 * 1024 * 1024,
};

static void clear_member(const struct conf *conf, size_t field)
{
    static const size_t SIZES[] = {
        [CONF_TEXT] = sizeof(const char *),   [CONF_SECRET] = sizeof(const char *),
        [CONF_BOOL] = sizeof(bool),           [CONF_COUNT] = sizeof(uint64_t),
        [CONF_SIZE] = sizeof(uint64_t),       [CONF_MILLIS] = sizeof(uint64_t),
        [CONF_CHOICE] = sizeof(const char *), [CONF_LIST] = sizeof(struct conf_list),
        [CONF_MAP] = sizeof(struct conf_map), [CONF_ROWS] = sizeof(struct conf_rows),
    };
    memset(conf_member(conf, field), 0, SIZES[conf->fields[field].kind]);
}

void conf_init(struct conf *conf, const struct conf_field *fields, size_t field_count, void *target)
{
    *conf = (struct conf){.fields = fields, .field_count = field_count, .target = target};
    arena_init(&conf->arena, CONF_MEMORY);
    conf->origins = arena_array(&conf->arena, field_count, sizeof(*conf->origins));
    conf->places = arena_array(&conf->arena, field_count, sizeof(*conf->places));
    conf->entries = arena_array(&conf->arena, field_count, sizeof(struct conf_entry *));
    conf->renamed = arena_array(&conf->arena, field_count, sizeof(*conf->renamed));
    assert(conf->origins && conf->places && conf->entries && conf->renamed);
    const struct conf_source source = {CONF_FROM_DEFAULT, NULL};
    for (size_t i = 0; i < field_count; i++) {
        clear_member(conf, i);
        if (!fields[i].fallback)
            continue;
        enum outcome outcome = conf_put_text(conf, i, bytes_text(fields[i].fallback), source, NULL);
        assert(outcome == OUT_OK);
        (void)outcome;
    }
}

static void wipe_rows(const struct conf_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        for (size_t k = 0; k < rows->rows[i].count; k++)
            for (size_t at = 0; at < rows->rows[i].values[k].count; at++) {
                char *value = (char *)rows->rows[i].values[k].items[at];
                explicit_bzero(value, strlen(value));
            }
}

void conf_free(struct conf *conf)
{
    for (size_t i = 0; i < conf->field_count; i++) {
        if (conf->fields[i].kind == CONF_ROWS)
            wipe_rows(conf_member(conf, i));
        char *const *secret = conf_member(conf, i);
        if (conf->fields[i].kind == CONF_SECRET && *secret)
            explicit_bzero(*secret, strlen(*secret));
        clear_member(conf, i);
    }
    arena_free(&conf->arena);
    *conf = (struct conf){0};
}

/* ---- from a file: its maps are walked along the paths of the fields ---- */

enum { LONGEST_PATH = 128, NEIGHBOURS_MAX = 128 };

static struct conf_source source_of(struct yaml_at node, struct error *where)
{
    yaml_where(node, where);
    return (struct conf_source){CONF_FROM_FILE, where->where};
}

/* A single value, or what a list may hold. */
static enum outcome check_scalar(const struct conf_field *field, struct yaml_at node,
                                 struct error *err)
{
    if (yaml_kind_of(node) == YAML_SCALAR)
        return OUT_OK;
    struct error where;
    return conf_refuse(field, source_of(node, &where), err, "must be a single value, not a %s",
                       yaml_kind_of(node) == YAML_LIST ? "list" : "map");
}

/* The items of a list, or the keys and values of a map, as views. */
static enum outcome put_many(struct conf *conf, size_t index, struct yaml_at node, bool is_map,
                             struct error *err)
{
    size_t count = yaml_count(node);
    struct bytes *keys = mem_zeroed(count + 1, sizeof(*keys));
    struct bytes *items = mem_zeroed(count + 1, sizeof(*items));
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < count && outcome == OUT_OK; i++) {
        struct yaml_at item = is_map ? yaml_value(node, i) : yaml_item(node, i);
        outcome = check_scalar(&conf->fields[index], item, err);
        if (outcome != OUT_OK)
            break;
        items[i] = yaml_is_null(item) ? bytes_text("") : yaml_scalar(item, NULL);
        if (is_map)
            keys[i] = yaml_scalar(yaml_key(node, i), NULL);
    }
    struct error where;
    if (outcome == OUT_OK)
        outcome = conf_put(conf, index, (struct conf_input){is_map ? keys : NULL, items, count},
                           source_of(node, &where), err);
    free(keys);
    free(items);
    return outcome;
}

/* The values of a row's key: one, or a list of them. */
static enum outcome put_cell(const struct put *put, struct yaml_at node, struct conf_list *list)
{
    size_t count = yaml_kind_of(node) == YAML_LIST ? yaml_count(node) : 1;
    list->items = arena_array(&put->conf->arena, count + 1, sizeof(const char *));
    if (!list->items)
        return refuse_memory(put);
    for (; list->count < count; list->count++) {
        struct yaml_at item = yaml_kind_of(node) == YAML_LIST ? yaml_item(node, list->count) : node;
        if (check_scalar(put->field, item, put->err) != OUT_OK)
            return OUT_FATAL;
        struct bytes text = yaml_is_null(item) ? bytes_text("") : yaml_scalar(item, NULL);
        list->items[list->count] = arena_copy(&put->conf->arena, text).data;
        if (!list->items[list->count])
            return refuse_memory(put);
    }
    return OUT_OK;
}

static enum outcome put_row(struct put *put, struct yaml_at node, struct conf_row *row)
{
    struct arena *arena = &put->conf->arena;
    struct error where;
    put->source = source_of(node, &where);
    if (yaml_kind_of(node) != YAML_MAP)
        return conf_refuse(put->field, put->source, put->err,
                           "must be a list of maps, each with some of %s", put->field->choices);
    size_t count = yaml_count(node);
    row->place = arena_copy(arena, bytes_text(where.where)).data;
    row->keys = arena_array(arena, count + 1, sizeof(*row->keys));
    row->values = arena_array(arena, count + 1, sizeof(*row->values));
    if (!row->place || !row->keys || !row->values)
        return refuse_memory(put);
    for (; row->count < count; row->count++) {
        struct bytes key = yaml_scalar(yaml_key(node, row->count), NULL);
        put->source = source_of(yaml_key(node, row->count), &where);
        if (check_choice(put, key) != OUT_OK)
            return OUT_FATAL;
        row->keys[row->count] = arena_copy(arena, key).data;
        if (!row->keys[row->count])
            return refuse_memory(put);
        enum outcome outcome =
            put_cell(put, yaml_value(node, row->count), &row->values[row->count]);
        if (outcome != OUT_OK)
            return outcome;
    }
    return OUT_OK;
}

static enum outcome put_rows(struct conf *conf, size_t index, struct yaml_at node,
                             struct error *err)
{
    struct error where;
    struct put put = {
        conf, index, &conf->fields[index], conf_member(conf, index), source_of(node, &where),
        true, err};
    struct conf_rows *rows = put.member;
    if (yaml_kind_of(node) != YAML_LIST)
        return conf_refuse(put.field, put.source, err,
                           "must be a list of maps, each with some of %s", put.field->choices);
    size_t count = yaml_count(node);
    if (count > put.field->max)
        return conf_refuse(put.field, put.source, err, "has more than %d items",
                           (int)put.field->max);
    conf->origins[index] = CONF_FROM_FILE;
    conf->places[index] = arena_copy(&conf->arena, bytes_text(where.where)).data;
    rows->rows = arena_array(&conf->arena, count + 1, sizeof(*rows->rows));
    if (!conf->places[index] || !rows->rows)
        return refuse_memory(&put);
    for (rows->count = 0; rows->count < count; rows->count++) {
        enum outcome outcome =
            put_row(&put, yaml_item(node, rows->count), &rows->rows[rows->count]);
        if (outcome != OUT_OK)
            return outcome;
    }
    return OUT_OK;
}

static enum outcome put_field(struct conf *conf, size_t index, struct yaml_at node,
                              struct error *err)
{
    const struct conf_field *field = &conf->fields[index];
    struct error where;
    if (yaml_is_null(node))
        return OUT_OK; /* "key:" alone leaves the default */
    if (field->kind == CONF_ROWS)
        return put_rows(conf, index, node, err);
    if (field->kind == CONF_MAP && yaml_kind_of(node) == YAML_MAP)
        return put_many(conf, index, node, true, err);
    if (field->kind == CONF_MAP && field->choices && yaml_kind_of(node) == YAML_SCALAR) {
        struct bytes first = conf_choice(field->choices, 0), value = yaml_scalar(node, NULL);
        return conf_put(conf, index, (struct conf_input){&first, &value, 1},
                        source_of(node, &where), err);
    }
    if (field->kind == CONF_MAP)
        return conf_refuse(field, source_of(node, &where), err, "must be a map of key: value");
    if (field->kind == CONF_LIST && yaml_kind_of(node) == YAML_LIST)
        return put_many(conf, index, node, false, err);
    enum outcome outcome = check_scalar(field, node, err);
    if (outcome != OUT_OK)
        return outcome;
    struct bytes text = yaml_scalar(node, NULL);
    return conf_put(conf, index, (struct conf_input){NULL, &text, 1}, source_of(node, &where), err);
}

/* The part of `path` below `prefix` ("kafka.brokers" below "kafka" is "brokers"), or NULL. */
static const char *below(const char *path, const char *prefix)
{
    size_t size = strlen(prefix);
    if (!path || size == 0)
        return path;
    return strncmp(path, prefix, size) == 0 && path[size] == '.' ? path + size + 1 : NULL;
}

static void add_neighbour(char names[][LONGEST_PATH], const char **views, size_t *count,
                          const char *rest)
{
    if (*count == NEIGHBOURS_MAX)
        return;
    snprintf(names[*count], LONGEST_PATH, "%.*s", (int)strcspn(rest, "."), rest);
    views[*count] = names[*count];
    ++*count;
}

/* First what could stand here, then where a key of this very name has its place. */
static void suggest_path(const struct conf *conf, const char *prefix, const char *key,
                         char meant[LONGEST_PATH], struct error *err)
{
    static const size_t NAMES_SIZE = NEIGHBOURS_MAX;
    char(*names)[LONGEST_PATH] = mem_zeroed(NAMES_SIZE, sizeof(*names));
    const char *views[NEIGHBOURS_MAX];
    size_t count = 0;
    const char *elsewhere = NULL;
    for (size_t i = 0; i < conf->field_count; i++) {
        const char *path = conf->fields[i].path;
        const char *rest = below(path, prefix);
        if (rest)
            add_neighbour(names, views, &count, rest);
        const char *dot = path ? strrchr(path, '.') : NULL;
        if (path && strcmp(dot ? dot + 1 : path, key) == 0)
            elsewhere = path;
    }
    const char *nearest = text_nearest(key, views, count);
    int size = snprintf(meant, LONGEST_PATH, "%s%s%s", prefix, prefix[0] ? "." : "",
                        nearest ? nearest : "");
    if (!nearest || size >= LONGEST_PATH)
        meant[0] = '\0';
    if (!nearest)
        nearest = elsewhere;
    if (nearest)
        error_hint(err, "did you mean \"%s\"?", nearest);
    free(names);
}

/* `meant`: the path it may have been meant for, or empty. */
static void refuse_key(const struct conf *conf, const char *prefix, struct yaml_at key,
                       char meant[LONGEST_PATH], struct error *err)
{
    const char *text = yaml_scalar(key, NULL).data;
    error_set(err, OUT_FATAL, ERR_CONF_UNKNOWN, "unknown key \"%.100s\"%s%s", text,
              prefix[0] ? " under " : "", prefix);
    yaml_where(key, err);
    suggest_path(conf, prefix, text, meant, err);
}

enum match { NO_FIELD, FIELD, PARENT_OF_FIELDS };

static enum match find_path(const struct conf *conf, const char *path, size_t *index)
{
    enum match match = NO_FIELD;
    for (size_t i = 0; i < conf->field_count; i++) {
        const char *known = conf->fields[i].path, *old = conf->fields[i].old_path;
        if ((known && strcmp(known, path) == 0) || (old && strcmp(old, path) == 0)) {
            *index = i;
            return FIELD;
        }
        if (below(known, path) || below(old, path))
            match = PARENT_OF_FIELDS;
    }
    return match;
}

static void walk(struct conf *conf, struct yaml_at map, const char *prefix,
                 struct error_list *mistakes);

/* False: there is no such path. A field that the file has set already has two names, as YAML lets
 * no key be there twice: which value is meant nobody can tell. */
static bool take(struct conf *conf, const char *path, struct yaml_at value,
                 struct error_list *mistakes)
{
    struct error err;
    size_t index;
    enum match match = find_path(conf, path, &index);
    const struct conf_field *field = &conf->fields[match == FIELD ? index : 0];
    if (match == FIELD && field->old_path && conf->origins[index] == CONF_FROM_FILE) {
        error_set(&err, OUT_FATAL, ERR_CONF_VALUE, "%s and %s are one setting, written twice",
                  field->old_path, field->path);
        yaml_where(value, &err);
        error_hint(&err, "remove %s", field->old_path);
        error_list_add(mistakes, &err);
    } else if (match == FIELD && put_field(conf, index, value, &err) != OUT_OK) {
        error_list_add(mistakes, &err);
    } else if (match == FIELD && strcmp(path, field->path) != 0) {
        conf_note_old(conf, index, path, field->path, source_of(value, &err).place);
    }
    if (match == PARENT_OF_FIELDS)
        walk(conf, value, path, mistakes);
    return match != NO_FIELD;
}

/* Reads on behind a mistake; a misspelled key as what it was probably meant to be, so that nothing
 * follows from it. */
static void walk(struct conf *conf, struct yaml_at map, const char *prefix,
                 struct error_list *mistakes)
{
    struct error err;
    if (yaml_is_null(map))
        return;
    if (yaml_kind_of(map) != YAML_MAP) {
        error_set(&err, OUT_FATAL, ERR_CONF_VALUE,
                  "%s must hold settings, one \"key: value\" a line",
                  prefix[0] ? prefix : "the file");
        yaml_where(map, &err);
        error_list_add(mistakes, &err);
        return;
    }
    size_t count = yaml_count(map);
    for (size_t i = 0; i < count; i++) {
        struct yaml_at key = yaml_key(map, i);
        char path[LONGEST_PATH], meant[LONGEST_PATH];
        int size = snprintf(path, sizeof(path), "%s%s%s", prefix, prefix[0] ? "." : "",
                            yaml_scalar(key, NULL).data);
        if (size < LONGEST_PATH && take(conf, path, yaml_value(map, i), mistakes))
            continue;
        refuse_key(conf, prefix, key, meant, &err);
        error_list_add(mistakes, &err);
        const char *last = strrchr(meant, '.');
        if (meant[0] && !yaml_has(yaml_find(map, last ? last + 1 : meant)))
            (void)take(conf, meant, yaml_value(map, i), mistakes);
    }
}

enum outcome conf_load_yaml_all(struct conf *conf, const char *file, struct bytes text,
                                bool *is_yaml, struct error_list *mistakes)
{
    struct yaml_file *tree;
    size_t before = mistakes->count;
    *is_yaml = yaml_parse_all(file, text, &tree, mistakes) == OUT_OK;
    if (!*is_yaml)
        return OUT_FATAL;
    walk(conf, yaml_root(tree), "", mistakes);
    yaml_file_free(tree);
    return mistakes->count == before ? OUT_OK : OUT_FATAL;
}

/* ---- from the environment: a field's own variable, then DROVER_ and its path ---- */

static const char PREFIX[] = "DROVER_";

/* The value of a variable; NULL when it is unset or empty. */
static const char *find_variable(char *const *environment, const char *name)
{
    size_t size = strlen(name);
    for (; *environment; environment++) {
        if (strncmp(*environment, name, size) == 0 && (*environment)[size] == '=')
            return (*environment)[size + 1] ? *environment + size + 1 : NULL;
    }
    return NULL;
}

struct loading {
    struct conf *conf;
    char *const *environment;
    conf_read_secret read_secret;
    struct error *err;
};

static enum outcome put_secret_file(const struct loading *loading, size_t index, const char *path,
                                    const char *variable)
{
    struct error *err = loading->err;
    if (!loading->read_secret) {
        error_set(err, OUT_FATAL, ERR_CONF_SECRET, "secret files are not read by this command");
        error_where(err, "%s", variable);
        return OUT_FATAL;
    }
    char *secret = loading->read_secret(path, err);
    if (!secret) {
        if (err && !err->where[0])
            error_where(err, "%s", variable);
        return OUT_FATAL;
    }
    struct bytes text = bytes_text(secret);
    enum outcome outcome = conf_put_text(
        loading->conf, index, text, (struct conf_source){CONF_FROM_ENVIRONMENT, variable}, err);
    explicit_bzero(secret, text.size);
    free(secret);
    return outcome;
}

static enum outcome load_variable(const struct loading *loading, size_t index, const char *name)
{
    const char *value = find_variable(loading->environment, name);
    char file_name[96];
    snprintf(file_name, sizeof(file_name), "%s_FILE", name);
    bool secret = loading->conf->fields[index].kind == CONF_SECRET;
    const char *path = secret ? find_variable(loading->environment, file_name) : NULL;
    if (value && path) {
        error_set(loading->err, OUT_FATAL, ERR_CONF_VALUE, "both %s and %s are set", name,
                  file_name);
        error_where(loading->err, "the environment");
        error_hint(loading->err, "unset one of the two");
        return OUT_FATAL;
    }
    if (path)
        return put_secret_file(loading, index, path, file_name);
    if (!value)
        return OUT_OK;
    return conf_put_text(loading->conf, index, bytes_text(value),
                         (struct conf_source){CONF_FROM_ENVIRONMENT, name}, loading->err);
}

/* Other programs' variables that begin alike. A service named "drover-x" makes Kubernetes set
 * DROVER_X_SERVICE_HOST, DROVER_X_PORT and so on in every pod of its namespace. */
static bool is_of_another_program(struct bytes name, const char *value)
{
    static const char *const OTHERS[] = {
        "DROVER_STACK_*",        "DROVER_KEEP_*",       "DROVER_TEST_*",
        "DROVER_ADMIN_*",        "DROVER_SOURCE_DIR",   "DROVER_BINARY_DIR",
        "DROVER_PROGRESS_FD",    "DROVER_PARENT_PID",   "DROVER_ARGS_FD",
        "DROVER_SPAWNED",        "DROVER_HELD",         "DROVER_*SERVICE_HOST",
        "DROVER_*SERVICE_PORT*", "DROVER_*PORT_*_TCP*", "DROVER_*PORT_*_UDP*",
        "DROVER_ALERT_*",
    };
    for (size_t i = 0; i < sizeof(OTHERS) / sizeof(OTHERS[0]); i++) {
        if (text_glob(OTHERS[i], name))
            return true;
    }
    return text_glob("DROVER_*PORT", name) &&
           (strncmp(value, "tcp://", 6) == 0 || strncmp(value, "udp://", 6) == 0);
}

static bool is_variable_of(const struct conf_field *field, struct bytes name)
{
    char variable[96];
    for (int own = 0; own < 3; own++) {
        if (own == 2 && field->env)
            snprintf(variable, sizeof(variable), "%s", field->env);
        else if (own == 2 || !conf_variable(own ? field->old_path : field->path, variable))
            continue;
        if (bytes_equal(name, bytes_text(variable)))
            return true;
        strncat(variable, "_FILE", sizeof(variable) - strlen(variable) - 1);
        if (field->kind == CONF_SECRET && bytes_equal(name, bytes_text(variable)))
            return true;
    }
    return false;
}

/* Compared without the prefix, which would make every name look alike. */
static void suggest_variable(const struct conf *conf, const char *word, struct error *err)
{
    char(*names)[80] = mem_zeroed(conf->field_count + 1, sizeof(*names));
    const char **views = mem_zeroed(conf->field_count + 1, sizeof(const char *));
    for (size_t i = 0; i < conf->field_count; i++) {
        if (conf_variable(conf->fields[i].path, names[i]))
            views[i] = names[i] + sizeof(PREFIX) - 1;
    }
    const char *nearest = text_nearest(word, views, conf->field_count);
    if (nearest)
        error_hint(err, "did you mean \"%s%s\"?", PREFIX, nearest);
    else
        error_hint(err, "unset %s%s: it is no setting", PREFIX, word);
    free(views);
    free(names);
}

static enum outcome check_variable(const struct conf *conf, const char *variable, struct error *err)
{
    size_t size = strcspn(variable, "=");
    struct bytes name = bytes_of(variable, size);
    if (strncmp(variable, PREFIX, sizeof(PREFIX) - 1) != 0 || variable[size] == '\0' ||
        is_of_another_program(name, variable + size + 1))
        return OUT_OK;
    for (size_t i = 0; i < conf->field_count; i++) {
        if (is_variable_of(&conf->fields[i], name))
            return OUT_OK;
    }
    char word[96];
    snprintf(word, sizeof(word), "%.*s", BYTES_ARGS(name));
    error_set(err, OUT_FATAL, ERR_CONF_UNKNOWN, "unknown variable %s", word);
    error_where(err, "the environment");
    suggest_variable(conf, word + sizeof(PREFIX) - 1, err);
    return OUT_FATAL;
}

enum outcome conf_load_env_all(struct conf *conf, char *const *environment,
                               conf_read_secret read_secret, struct error_list *mistakes)
{
    struct error err;
    const struct loading loading = {conf, environment, read_secret, &err};
    size_t before = mistakes->count;
    for (char *const *variable = environment; *variable; variable++)
        if (check_variable(conf, *variable, &err) != OUT_OK)
            error_list_add(mistakes, &err);
    for (size_t i = 0; i < conf->field_count; i++) {
        const struct conf_field *field = &conf->fields[i];
        char name[80], old[80];
        if (field->env && load_variable(&loading, i, field->env) != OUT_OK)
            error_list_add(mistakes, &err);
        if (conf_variable(field->old_path, old) && find_variable(environment, old)) {
            if (load_variable(&loading, i, old) != OUT_OK)
                error_list_add(mistakes, &err);
            else if (conf_variable(field->path, name))
                conf_note_old(conf, i, old, name, NULL);
        }
        if (conf_variable(field->path, name) && load_variable(&loading, i, name) != OUT_OK)
            error_list_add(mistakes, &err);
    }
    return mistakes->count == before && !mistakes->dropped ? OUT_OK : OUT_FATAL;
}

/* ---- from the command line ---- */

struct command_line {
    struct conf *conf;
    int argc;
    char *const *argv;
    int at; /* of the next argument */
    uint32_t command;
    const char *const *command_names;
    struct error *err;
};

/* How a flag was written: "--lanes" or "-X". */
struct written {
    char flag[80];
    struct bytes name; /* without dashes and "no-" */
    bool letter;
    bool no;
    const char *value; /* after "=" or right behind the letter; NULL when there is none */
};

static bool has_name(const char *flag, const struct written *written)
{
    return flag && bytes_equal(bytes_text(flag), written->name);
}

static bool is_named(const struct conf_field *field, const struct written *written)
{
    if (written->letter)
        return field->letter && field->letter == written->name.data[0];
    return (has_name(field->flag, written) || has_name(field->old_flag, written)) &&
           (!written->no || field->kind == CONF_BOOL);
}

/* The command's field of this name; the same name may mean another field elsewhere. */
static bool find_field(const struct command_line *line, const struct written *written,
                       size_t *index)
{
    for (size_t i = 0; i < line->conf->field_count; i++) {
        const struct conf_field *field = &line->conf->fields[i];
        if ((field->commands & line->command) && is_named(field, written)) {
            *index = i;
            return true;
        }
    }
    return false;
}

static uint32_t other_commands(const struct command_line *line, const struct written *written)
{
    uint32_t commands = 0;
    for (size_t i = 0; i < line->conf->field_count; i++) {
        if (is_named(&line->conf->fields[i], written))
            commands |= line->conf->fields[i].commands;
    }
    return commands;
}

static const char *command_name(const struct command_line *line)
{
    for (unsigned bit = 0; bit < 32; bit++) {
        if (line->command == (uint32_t)1 << bit)
            return line->command_names[bit];
    }
    return "";
}

static enum outcome refuse_of_another_command(const struct command_line *line,
                                              const struct written *written, uint32_t commands)
{
    struct buf names;
    buf_init(&names, 200);
    for (unsigned bit = 0; bit < 32; bit++) {
        if (commands & (uint32_t)1 << bit)
            buf_append_format(&names, "%s%s", names.size ? ", " : "", line->command_names[bit]);
    }
    error_set(line->err, OUT_FATAL, ERR_USAGE, "%s is not a flag of drover %s", written->flag,
              command_name(line));
    error_hint(line->err, "it belongs to: %s", buf_text(&names));
    buf_free(&names);
    return OUT_FATAL;
}

/* The nearest flag of this command, or one that the word begins. */
static const char *nearest_flag(const struct command_line *line, const char *word)
{
    const char *begun = NULL;
    const char *nearest = NULL;
    for (size_t i = 0; i < line->conf->field_count; i++) {
        const struct conf_field *field = &line->conf->fields[i];
        if (!field->flag || !(field->commands & line->command))
            continue;
        const char *pair[] = {field->flag, nearest};
        const char *nearer = text_nearest(word, pair, 2);
        nearest = nearer ? nearer : nearest;
        if (word[0] && strncmp(field->flag, word, strlen(word)) == 0)
            begun = field->flag;
    }
    return nearest ? nearest : begun;
}

static enum outcome refuse_unknown(const struct command_line *line, const struct written *written)
{
    uint32_t commands = other_commands(line, written);
    if (commands)
        return refuse_of_another_command(line, written, commands);
    char shown[80];
    struct buf safe;
    buf_init(&safe, 256);
    text_append_safe(&safe, bytes_text(written->flag), 60);
    snprintf(shown, sizeof(shown), "%s", buf_text(&safe));
    buf_free(&safe);
    error_set(line->err, OUT_FATAL, ERR_USAGE, "unknown flag %s", shown);
    const char *nearest = written->letter ? NULL : nearest_flag(line, written->flag + 2);
    if (nearest)
        error_hint(line->err, "did you mean --%s?", nearest);
    else
        error_hint(line->err, "drover %s%s--help lists the flags", command_name(line),
                   command_name(line)[0] ? " " : "");
    return OUT_FATAL;
}

/* What follows is the value unless it looks like the next flag: "--brokers --json" forgot one.
 * Negative numbers and "-" are values; anything else may be given as --flag=value. */
static const char *next_value(struct command_line *line)
{
    if (line->at >= line->argc)
        return NULL;
    const char *next = line->argv[line->at];
    bool flag_like = next[0] == '-' && next[1] && !(next[1] >= '0' && next[1] <= '9');
    return flag_like ? NULL : line->argv[line->at++];
}

static enum outcome put_flag(struct command_line *line, size_t index, const struct written *written)
{
    struct conf_source source = {CONF_FROM_FLAG, written->flag};
    const struct conf_field *field = &line->conf->fields[index];
    const char *value = written->value;
    if (written->no && value) {
        error_set(line->err, OUT_FATAL, ERR_USAGE, "%s takes no value", written->flag);
        return OUT_FATAL;
    }
    if (field->kind == CONF_BOOL && !value)
        value = written->no ? "false" : "true";
    if (!value)
        value = next_value(line);
    if (!value) {
        error_set(line->err, OUT_FATAL, ERR_USAGE, "%s needs a value", written->flag);
        error_hint(line->err, "%s: %s", written->flag, field->help);
        return OUT_FATAL;
    }
    enum outcome outcome = conf_put_text(line->conf, index, bytes_text(value), source, line->err);
    if (outcome == OUT_OK && !written->letter && has_name(field->old_flag, written)) {
        char now[80];
        snprintf(now, sizeof(now), "--%s", field->flag);
        conf_note_old(line->conf, index, written->flag, now, NULL);
    }
    return outcome;
}

static enum outcome load_long(struct command_line *line, const char *argument)
{
    const char *name = argument + 2;
    size_t size = strcspn(name, "=");
    struct written written = {.name = bytes_of(name, size)};
    written.value = name[size] ? name + size + 1 : NULL;
    int shown = size < sizeof(written.flag) - 3 ? (int)size : (int)sizeof(written.flag) - 3;
    snprintf(written.flag, sizeof(written.flag), "--%.*s", shown, name);
    size_t index;
    if (find_field(line, &written, &index))
        return put_flag(line, index, &written);
    if (size > 3 && strncmp(name, "no-", 3) == 0) {
        struct written negated = written;
        negated.name = bytes_of(name + 3, size - 3);
        negated.no = true;
        if (find_field(line, &negated, &index))
            return put_flag(line, index, &negated);
    }
    return refuse_unknown(line, &written);
}

/* "-vq" is two switches; "-Xa=b" and "-X a=b" are one flag with its value. */
static enum outcome load_letters(struct command_line *line, const char *argument)
{
    for (const char *letter = argument + 1; *letter; letter++) {
        struct written written = {.name = bytes_of(letter, 1), .letter = true};
        snprintf(written.flag, sizeof(written.flag), "-%c", *letter);
        size_t index;
        if (!find_field(line, &written, &index))
            return refuse_unknown(line, &written);
        bool is_switch = line->conf->fields[index].kind == CONF_BOOL;
        if (!is_switch && letter[1])
            written.value = letter + 1;
        enum outcome outcome = put_flag(line, index, &written);
        if (outcome != OUT_OK || !is_switch)
            return outcome;
    }
    return OUT_OK;
}

enum outcome conf_load_flags_all(struct conf *conf, int argc, char *const *argv, uint32_t command,
                                 const char *const *command_names, struct conf_list *positionals,
                                 struct error_list *mistakes)
{
    struct error err = {0};
    struct command_line line = {conf, argc, argv, 0, command, command_names, &err};
    bool flags_ended = false;
    enum outcome all = OUT_OK;
    *positionals = (struct conf_list){
        .items = arena_array(&conf->arena, (size_t)argc + 1, sizeof(const char *))};
    if (!positionals->items) {
        all = error_set(&err, OUT_FATAL, ERR_USAGE, "the command line is too long");
        error_list_add(mistakes, &err);
    }
    while (positionals->items && line.at < argc) {
        const char *argument = argv[line.at++];
        enum outcome outcome = OUT_OK;
        if (!flags_ended && strcmp(argument, "--") == 0)
            flags_ended = true;
        else if (!flags_ended && strncmp(argument, "--", 2) == 0)
            outcome = load_long(&line, argument);
        else if (!flags_ended && argument[0] == '-' && argument[1])
            outcome = load_letters(&line, argument);
        else
            positionals->items[positionals->count++] = argument;
        if (outcome != OUT_OK)
            error_list_add(mistakes, &err);
        all = outcome == OUT_OK ? all : outcome;
    }
    return all;
}
