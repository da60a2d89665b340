/* From text to a member of the target: checking by kind, precedence, lists and maps. */

#include "common/base/conf_put.h"

#include <string.h>

#include "common/base/text.h"

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
    bool good = field->kind == CONF_SIZE     ? text_parse_size(text, &amount)
                : field->kind == CONF_MILLIS ? text_parse_millis(text, &amount)
                                             : text_parse_int64(text, &count) && count >= 0;
    if (!good)
        return conf_refuse(field, put->source, put->err, "must be %s, not \"%s\"",
                           FORMS[field->kind], quote(text, quoted));
    if (field->kind == CONF_COUNT)
        amount = (uint64_t)count;
    char least[40];
    char most[40];
    describe_amount(field->kind, field->least, least);
    describe_amount(field->kind, field->most, most);
    if (field->most && (amount < field->least || amount > field->most))
        return conf_refuse(field, put->source, put->err, "must be from %s to %s, not \"%s\"", least,
                           most, quote(text, quoted));
    if (amount < field->least)
        return conf_refuse(field, put->source, put->err, "must be at least %s, not \"%s\"", least,
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

enum outcome conf_put(struct conf *conf, size_t index, struct conf_input input,
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

enum outcome conf_put_text(struct conf *conf, size_t index, struct bytes text,
                           struct conf_source source, struct error *err)
{
    enum conf_kind kind = conf->fields[index].kind;
    if (kind == CONF_MAP && source.origin == CONF_FROM_FLAG)
        return put_pair(conf, index, text, source, err);
    if (kind == CONF_MAP || (kind == CONF_LIST && source.origin != CONF_FROM_FLAG))
        return put_items(conf, index, text, source, err);
    return conf_put(conf, index, (struct conf_input){NULL, &text, 1}, source, err);
}
