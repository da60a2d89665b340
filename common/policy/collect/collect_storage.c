/*
 * The codec of browsers' localStorage. Three forms of a payload, one walk over them:
 *
 *   {"<key>": "<value>", …}
 *   {"localStorage_data": {"<key>": "<value>", …}, "backup_requested": …}
 *   {"cookies": [{"name": …}], "origins": [{"origin": …, "localStorage": [{"name":, "value":}]}]}
 *
 * Values are strings that hold what the application stored, usually JSON: they are read piece by
 * piece into a second walk over what they hold. Encoded once more (JSON inside a JSON string), they
 * are decoded up to STORAGE_LEVELS_MOST times, and what is inside is the record.
 */
#include <stdlib.h>

#include "common/base/text.h"
#include "common/policy/collect/collect_storage_codec.h"

#define ORIGIN_MOST 4096 /* bytes of a web origin, with the partition it is in */

static struct collect_storage *of(struct collect *collect)
{
    return (struct collect_storage *)collect;
}

static void set_place(struct collect_storage *storage, const struct json_walk_step *step)
{
    storage->item.line = step->line;
    storage->item.column = step->column;
    storage->item.byte = step->byte;
}

static bool give_bad_form(struct collect_storage *storage, const struct json_walk_step *step,
                          const char *what, struct found *found, struct error *err)
{
    if (!storage->second)
        return false;
    set_place(storage, step);
    error_set(err, OUT_REJECT, ERR_SOURCE_FORMAT, "%s", what);
    return storage_give(storage, found, FOUND_REJECTED, (struct bytes){0});
}

static void enter(struct collect_storage *storage, enum storage_place place)
{
    storage->places[++storage->depth] = place;
    json_walk_enter(storage->walk);
}

static void read_into(struct collect_storage *storage, enum storage_reading reading)
{
    storage->reading = reading;
    if (reading == READ_NAME)
        buf_reset(&storage->item.key);
    else
        buf_reset(&storage->scratch);
    json_walk_read(storage->walk);
}

/* ---- values, by place ---- */

/* The key is known; the walk stands before its value. */
static bool take_value(struct collect_storage *storage, const struct json_walk_step *step,
                       struct found *found, struct error *err)
{
    if (storage->second)
        return storage_find_item(storage, step, found, err);
    if (step->kind != '"') {
        json_walk_skip(storage->walk);
        return false;
    }
    storage_learn_begin(storage);
    storage->reading = READ_LEARN;
    json_walk_read(storage->walk);
    return false;
}

static bool take_member(struct collect_storage *storage, const struct json_walk_step *step,
                        size_t slot, struct found *found, struct error *err)
{
    storage->slots.now = slot;
    buf_reset(&storage->item.key);
    buf_append_bytes(&storage->item.key, step->name);
    return take_value(storage, step, found, err);
}

static bool in_top(struct collect_storage *storage, const struct json_walk_step *step,
                   struct found *found, struct error *err)
{
    static const struct {
        const char *name;
        char kind;
        enum storage_place place;
    } PARTS[] = {{"localStorage_data", '{', PLACE_ITEMS},
                 {"origins", '[', PLACE_ORIGINS},
                 {"cookies", '[', PLACE_COOKIES}};
    for (size_t i = 0; i < sizeof(PARTS) / sizeof(PARTS[0]); i++)
        if (step->kind == PARTS[i].kind && bytes_equal(step->name, bytes_text(PARTS[i].name))) {
            storage->envelope = true;
            storage->slots.now = PARTS[i].place == PLACE_ITEMS ? SLOT_BODY : SLOT_TOP;
            enter(storage, PARTS[i].place);
            return false;
        }
    if (!storage->second || !storage->envelope)
        return take_member(storage, step, SLOT_TOP, found, err);
    json_walk_skip(storage->walk); /* what is said around the keys */
    return false;
}

static bool in_origins(struct collect_storage *storage, const struct json_walk_step *step,
                       struct found *found, struct error *err)
{
    storage->slots.now = SLOT_ORIGINS + step->index;
    const struct storage_slot *slot = storage_slot_at(storage, storage->slots.now);
    bool leave = storage->second && (slot->repeated || slot->left_out);
    if (step->kind == '{' && !leave) {
        enter(storage, PLACE_ORIGIN);
        return false;
    }
    json_walk_skip(storage->walk);
    if (step->kind != '{')
        return give_bad_form(storage, step, "an origin is an object", found, err);
    if (!slot->left_out)
        return give_bad_form(storage, step, "the origin is there twice", found, err);
    buf_reset(&storage->name);
    text_append_safe(&storage->name, slot->origin, STORAGE_SHOWN_MOST);
    error_set(err, OUT_OK, ERR_NONE, "the origin %s is left out", buf_text(&storage->name));
    return storage_give(storage, found, FOUND_NOTE, buf_view(&storage->name));
}

static bool in_origin(struct collect_storage *storage, const struct json_walk_step *step,
                      struct found *found, struct error *err)
{
    if (step->kind == '[' && bytes_equal(step->name, BYTES_LITERAL("localStorage"))) {
        enter(storage, PLACE_ENTRIES);
        return false;
    }
    if (step->kind == '"' && !storage->second && bytes_equal(step->name, BYTES_LITERAL("origin"))) {
        read_into(storage, READ_ORIGIN);
        return false;
    }
    json_walk_skip(storage->walk);
    if (!storage->second || !bytes_equal(step->name, BYTES_LITERAL("indexedDB")))
        return false;
    error_set(err, OUT_OK, ERR_NONE, "the origin's indexedDB is not read");
    return storage_give(storage, found, FOUND_NOTE, (struct bytes){0});
}

/* Entries of localStorage, and cookies. */
static bool in_list(struct collect_storage *storage, const struct json_walk_step *step,
                    enum storage_place place, struct found *found, struct error *err)
{
    storage->item.has_key = storage->item.has_value = false;
    set_place(storage, step);
    if (step->kind == '{') {
        enter(storage, place);
        return false;
    }
    json_walk_skip(storage->walk);
    return give_bad_form(storage, step, "an entry is an object with a name", found, err);
}

static bool in_entry(struct collect_storage *storage, const struct json_walk_step *step,
                     struct found *found, struct error *err)
{
    bool cookie = storage->places[storage->depth] == PLACE_COOKIE;
    if (step->kind == '"' && !storage->item.has_key &&
        bytes_equal(step->name, BYTES_LITERAL("name"))) {
        read_into(storage, READ_NAME);
        return false;
    }
    if (cookie || storage->item.has_value || !bytes_equal(step->name, BYTES_LITERAL("value"))) {
        json_walk_skip(storage->walk);
        return false;
    }
    storage->item.has_value = true;
    if (storage->item.has_key)
        return take_value(storage, step, found, err);
    json_walk_skip(storage->walk);
    return give_bad_form(storage, step, "an entry's value stands before its name", found, err);
}

static bool on_value(struct collect_storage *storage, const struct json_walk_step *step,
                     struct found *found, struct error *err)
{
    switch (storage->places[storage->depth]) {
    case PLACE_ROOT:
        if (step->kind == '{') {
            enter(storage, PLACE_TOP);
            return false;
        }
        json_walk_skip(storage->walk);
        return give_bad_form(storage, step, "a localStorage payload is an object", found, err);
    case PLACE_TOP:
        return in_top(storage, step, found, err);
    case PLACE_ITEMS:
        return take_member(storage, step, SLOT_BODY, found, err);
    case PLACE_ORIGINS:
        return in_origins(storage, step, found, err);
    case PLACE_ORIGIN:
        return in_origin(storage, step, found, err);
    case PLACE_ENTRIES:
        return in_list(storage, step, PLACE_ENTRY, found, err);
    case PLACE_COOKIES:
        return in_list(storage, step, PLACE_COOKIE, found, err);
    case PLACE_ENTRY:
    case PLACE_COOKIE:
        break;
    }
    return in_entry(storage, step, found, err);
}

/* ---- strings and ends ---- */

static void on_piece(struct collect_storage *storage, const struct json_walk_step *step)
{
    switch (storage->reading) {
    case READ_NAME:
        buf_append_bytes(&storage->item.key, step->text);
        storage->item.has_key = step->last && !storage->item.key.failed;
        break;
    case READ_ORIGIN:
        if (storage->scratch.size + step->text.size <= ORIGIN_MOST)
            buf_append_bytes(&storage->scratch, step->text);
        if (step->last)
            storage_learn_origin(storage);
        break;
    case READ_LEARN:
        storage_learn_piece(storage, step->text, step->last);
        break;
    case READ_FIND:
        storage_value_feed(&storage->value, step->text, step->last);
        break;
    case READ_NOTHING:
    case READ_PAST:
        break;
    }
}

static bool on_left(struct collect_storage *storage, const struct json_walk_step *step,
                    struct found *found, struct error *err)
{
    enum storage_place left = storage->places[storage->depth--];
    bool slot_ends =
        left == PLACE_ITEMS || left == PLACE_ORIGIN || (left == PLACE_TOP && !storage->envelope);
    if (!storage->second)
        return false;
    if (slot_ends)
        storage->due = DUE_MERGES;
    if (left == PLACE_ENTRY && !storage->item.has_value)
        return give_bad_form(storage, step, "an entry has no value", found, err);
    if (left != PLACE_COOKIE)
        return false;
    buf_reset(&storage->name);
    buf_append_text(&storage->name, "cookie ");
    if (storage->item.has_key)
        text_append_safe(&storage->name, buf_view(&storage->item.key), STORAGE_SHOWN_MOST);
    return storage_give(storage, found, FOUND_WITHHELD, buf_view(&storage->name));
}

/* A string that cannot be decoded, or a name that is too long. */
static bool on_rejected(struct collect_storage *storage, const struct json_walk_step *step,
                        struct found *found)
{
    enum storage_reading reading = storage->reading;
    storage->reading = READ_NOTHING;
    if (reading == READ_LEARN)
        storage_learn_unreadable(storage);
    if (reading == READ_NAME)
        storage->item.has_value = true; /* as good as seen: it has no key */
    if (reading != READ_FIND)
        set_place(storage, step);
    if (!storage->second || reading == READ_PAST)
        return false;
    return storage_give(storage, found, FOUND_REJECTED, (struct bytes){0});
}

static void on_broken(struct collect_storage *storage, const struct json_walk_step *step,
                      const struct error *err)
{
    set_place(storage, step);
    storage->broken = *err;
    storage->due = storage->second ? DUE_BROKEN : DUE_END;
}

/* ---- the codec ---- */

static enum collect_result next(struct collect *collect, struct found *found, struct error *err)
{
    struct collect_storage *storage = of(collect);
    struct json_walk_step step = {0};
    for (;;) {
        if (storage->due != DUE_NOTHING && storage_find_due(storage, found, err))
            return COLLECT_FOUND;
        if (storage->due == DUE_END)
            return COLLECT_END;
        if (storage->reading == READ_FIND && storage_find_more(storage, found, err))
            return COLLECT_FOUND;
        bool is_find = false;
        switch (json_walk_next(storage->walk, &step, err)) {
        case JSON_WALK_VALUE:
            storage->reading = READ_NOTHING;
            is_find = on_value(storage, &step, found, err);
            break;
        case JSON_WALK_PART:
            on_piece(storage, &step);
            break;
        case JSON_WALK_LEFT:
            is_find = on_left(storage, &step, found, err);
            break;
        case JSON_WALK_REJECTED:
            is_find = on_rejected(storage, &step, found);
            break;
        case JSON_WALK_BROKEN:
            on_broken(storage, &step, err);
            break;
        case JSON_WALK_MORE:
            return COLLECT_MORE;
        case JSON_WALK_CAPTURED:
        case JSON_WALK_END:
            storage->due = DUE_END;
            break;
        }
        if (is_find)
            return COLLECT_FOUND;
    }
}

static void feed(struct collect *collect, struct bytes chunk)
{
    json_walk_feed(of(collect)->walk, chunk);
}

static void finish(struct collect *collect)
{
    json_walk_finish(of(collect)->walk);
}

static enum outcome rewind_reading(struct collect *collect, struct error *err)
{
    struct collect_storage *storage = of(collect);
    (void)err;
    json_walk_reset(storage->walk);
    storage_slots_settle(storage);
    storage->second = true;
    storage->due = DUE_NOTHING;
    storage->reading = READ_NOTHING;
    storage->depth = 0;
    storage->slots.now = SLOT_TOP;
    return OUT_OK;
}

static void free_codec(struct collect *collect)
{
    struct collect_storage *storage = of(collect);
    json_walk_free(storage->walk);
    storage_slots_free(&storage->slots);
    storage_keys_free(&storage->keys);
    storage_keys_free(&storage->tenants);
    storage_judge_free(storage->judge);
    storage_value_free(&storage->value);
    for (size_t i = 0; i < storage->config.mapping_count; i++)
        storage_merge_free(storage->merges[i]);
    free(storage->merges);
    buf_free(&storage->item.key);
    buf_free(&storage->name);
    buf_free(&storage->payload);
    buf_free(&storage->scratch);
    free(storage);
}

struct collect *collect_storage_new(const struct collect_config *config)
{
    static const struct collect_ops OPS = {feed, finish, next, rewind_reading, free_codec};
    struct collect_storage *storage = calloc(1, sizeof(*storage));
    if (!storage)
        abort();
    storage->base.ops = &OPS;
    storage->config = *config;
    storage->merges = calloc(config->mapping_count + 1, sizeof(struct storage_merge *));
    if (!storage->merges)
        abort();
    storage->walk = json_walk_new(0);
    storage->judge = storage_judge_new();
    storage_value_init(&storage->value, config->record_most);
    buf_init(&storage->item.key, JSON_WALK_NAME_MOST);
    buf_init(&storage->name, STORAGE_SHOWN_MOST * 8);
    buf_init(&storage->payload, config->record_most);
    buf_init(&storage->scratch, config->record_most * 2 + ORIGIN_MOST);
    storage_slot_at(storage, SLOT_ORIGINS);
    return &storage->base;
}
