/*
 * The codec of browsers' localStorage. Three forms of a payload:
 *
 *   {"<key>": "<value>", …}
 *   {"localStorage_data": {"<key>": "<value>", …}, "backup_requested": …}
 *   {"cookies": [{"name": …}], "origins": [{"origin": …, "localStorage": [{"name":, "value":}]}]}
 *
 * Browsers bound a storage to 5 to 10 MiB, so the payload is kept whole: one walk over it lists its
 * parts (keys with the text of their values, origins, what is wrong) with their places, up to where
 * it is broken; what was learned is settled (tenants, keys and origins that come twice); and then
 * the parts are gone through, one value decoded at a time.
 *
 *   feed… finish ─► body ─ read_payload ─► parts ─ settle ─► find_part… ─► finds
 *
 * Values are strings that hold what the application stored, usually JSON. Encoded once more (JSON
 * inside a JSON string), they are decoded up to LOCALSTORAGE_LEVELS_MAX times, and what is inside
 * is the record.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/base/token_shape.h"
#include "common/policy/collect/collect_localstorage.h"

#define BODY_MAX ((size_t)1 << 30)   /* the most that produce.body may be */
#define ORIGIN_MAX 4096              /* bytes of a web origin, with the partition it is in */
#define PARTS_MIN ((size_t)64 << 10) /* that any payload may have, and one more … */
#define PART_BYTES 512               /* … for so many of its bytes */

static const char BAD_ESCAPE[] = "broken JSON: a bad escape in a string"; /* of an entry's name */
static const char TWICE[] = "the member is there twice";

enum part_kind {
    PART_KEY,
    PART_COOKIE,
    PART_ORIGIN,  /* begins; `key` is its name, known when it has ended */
    PART_INDEXED, /* an origin's indexedDB */
    PART_BAD,     /* `text` says what is wrong, or what it should be */
    PART_SLOT_END,
    PART_BROKEN, /* nothing comes behind it */
};

struct place {
    uint32_t line, column, byte; /* line 0: none of its own */
};

struct part {
    struct bytes key;
    struct bytes text; /* the value with its quotes; in the body */
    struct place place;
    uint32_t slot;
    uint8_t kind; /* enum part_kind */
    char type;    /* of a key's value, as json_walk_step.kind */
    bool unfinished;
    bool repeated; /* the key is there twice in its slot; the origin was there before */
};

/* One localStorage: the payload's own members, those of localStorage_data, then each origin. */
struct slot {
    struct bytes origin;
    struct bytes tenant; /* current_tenant_id; not NULL but empty: it has two */
};

enum { SLOT_TOP, SLOT_BODY, SLOT_ORIGINS };

/* How far the part at hand is. */
enum step { STEP_BEGIN, STEP_VALUE, STEP_LIST, STEP_OVER };

struct collect_localstorage {
    struct collect base;
    struct collect_config config;
    bool second, finished;

    struct buf body;
    struct json_walk *walk; /* over the body; `at` is its last step */
    struct json_walk_step at;
    struct arena names;
    struct part *parts;
    size_t count, capacity;
    struct slot *slots;
    size_t slot_count;
    uint32_t slot;       /* where the walk is */
    bool envelope;       /* the keys are not the payload's own members */
    bool is_sure;        /* hardly anything else looks so */
    struct error broken; /* of PART_BROKEN */
    struct localstorage_tenants tenants;

    size_t next;
    enum step step;
    struct localstorage_choice choice; /* of the part at hand */
    struct localstorage_value value;
    struct localstorage_merge **merges; /* by mapping, NULL where it merges nothing */
    size_t merge_at;
    bool merge_made;
    struct place place;                /* of the last part that has one */
    struct buf name, payload, scratch; /* of the last find */
    uint64_t ordinal;
};

static struct collect_localstorage *of(struct collect *collect)
{
    return (struct collect_localstorage *)collect;
}

/* ---- the body's parts ---- */

static struct bytes copy_name(struct collect_localstorage *codec, struct bytes text)
{
    struct bytes copy = arena_copy(&codec->names, text);
    if (!copy.data)
        abort(); /* it has no limit but the body's */
    return copy;
}

/* Placed where the walk is. */
static struct part *add_part(struct collect_localstorage *codec, enum part_kind kind)
{
    codec->parts =
        mem_grown(codec->parts, &codec->capacity, codec->count + 1, sizeof *codec->parts);
    struct part *part = &codec->parts[codec->count++];
    const struct json_walk_step *at = &codec->at;
    *part = (struct part){
        .kind = (uint8_t)kind,
        .place = {(uint32_t)at->line, (uint32_t)at->column, (uint32_t)at->byte},
        .slot = codec->slot,
    };
    return part;
}

static void add_bad(struct collect_localstorage *codec, const char *what)
{
    add_part(codec, PART_BAD)->text = bytes_text(what);
}

static void add_slot_end(struct collect_localstorage *codec)
{
    add_part(codec, PART_SLOT_END)->place = (struct place){0};
}

static bool is_broken(const struct collect_localstorage *codec)
{
    return codec->count && codec->parts[codec->count - 1].kind == PART_BROKEN;
}

/* Parts need more memory than the two bytes that one may be written with. */
static bool has_too_many_parts(struct collect_localstorage *codec)
{
    size_t max = PARTS_MIN + codec->body.size / PART_BYTES;
    if (codec->count <= max)
        return false;
    error_set(&codec->broken, OUT_REJECT, ERR_SOURCE_BODY,
              "the payload has more than %zu keys and entries", max);
    error_hint(&codec->broken, "divide it: so many are taken of a payload of its size");
    codec->count = 0; /* nothing of it is sent */
    add_part(codec, PART_BROKEN);
    return true;
}

/* Steps to the next value of the container entered last. False: it has ended, or the payload is
 * broken (then the containers around it end as well). */
static bool next_value(struct collect_localstorage *codec)
{
    if (is_broken(codec) || has_too_many_parts(codec))
        return false;
    enum json_walk_result result = json_walk_next(codec->walk, &codec->at, &codec->broken);
    if (result == JSON_WALK_BROKEN)
        add_part(codec, PART_BROKEN);
    return result == JSON_WALK_VALUE;
}

/* The string that the walk stands before. False: it does not end. */
static bool take_string(struct collect_localstorage *codec, struct bytes *quoted)
{
    json_walk_capture(codec->walk);
    enum json_walk_result result = json_walk_next(codec->walk, &codec->at, &codec->broken);
    *quoted = codec->at.text;
    if (result == JSON_WALK_BROKEN)
        add_part(codec, PART_BROKEN);
    return result == JSON_WALK_CAPTURED;
}

static bool is_named(const struct collect_localstorage *codec, const char *name, char type)
{
    return codec->at.kind == type && bytes_equal(codec->at.name, bytes_text(name));
}

static void read_key(struct collect_localstorage *codec, struct bytes key, uint32_t slot)
{
    size_t index = codec->count;
    struct part *part = add_part(codec, PART_KEY);
    part->slot = slot;
    part->key = key;
    part->type = codec->at.kind;
    if (part->type != '"') {
        json_walk_skip(codec->walk);
        return;
    }
    struct bytes text;
    bool whole = take_string(codec, &text);
    codec->parts[index].text = text;
    codec->parts[index].unfinished = !whole;
}

/* True when the member at hand was there before, which is said: which is meant nobody can tell. */
static bool is_again(struct collect_localstorage *codec, bool before)
{
    if (before) {
        add_bad(codec, TWICE);
        json_walk_skip(codec->walk);
    }
    return before;
}

static void read_items(struct collect_localstorage *codec)
{
    codec->slot = SLOT_BODY;
    json_walk_enter(codec->walk);
    while (next_value(codec))
        read_key(codec, copy_name(codec, codec->at.name), SLOT_BODY);
    if (!is_broken(codec))
        add_slot_end(codec);
}

/* An entry's name; one that is too large is none. False: it cannot be read, which is said. */
static bool read_name(struct collect_localstorage *codec, struct bytes *name)
{
    struct bytes quoted;
    if (!take_string(codec, &quoted))
        return false;
    bool sound = localstorage_value_decode(&codec->value, quoted);
    if (!sound)
        add_bad(codec, BAD_ESCAPE);
    if (sound && codec->value.text.size <= JSON_WALK_NAME_MAX)
        *name = copy_name(codec, codec->value.text);
    return sound;
}

static void read_entry_value(struct collect_localstorage *codec, struct bytes name)
{
    if (name.data) {
        read_key(codec, name, codec->slot);
        return;
    }
    add_bad(codec, "an entry's value stands before its name");
    json_walk_skip(codec->walk);
}

/* {"name": …, "value": …}, of localStorage or a cookie. */
static void read_entry(struct collect_localstorage *codec, bool cookie)
{
    struct bytes name = {0};
    struct json_walk_step from = codec->at;
    bool has_value = false;
    json_walk_enter(codec->walk);
    while (next_value(codec)) {
        codec->is_sure |= cookie && is_named(codec, "domain", '"');
        if (is_named(codec, "name", '"') && !name.data) {
            if (!read_name(codec, &name)) {
                has_value = true; /* as good as seen: it has no key */
                from = codec->at;
            }
        } else if (cookie || has_value || !bytes_equal(codec->at.name, BYTES_LITERAL("value"))) {
            json_walk_skip(codec->walk);
        } else {
            has_value = true;
            read_entry_value(codec, name);
        }
    }
    if (is_broken(codec))
        return;
    codec->at = from;
    if (cookie)
        add_part(codec, PART_COOKIE)->key = name;
    else if (!has_value)
        add_bad(codec, "an entry has no value");
}

static void read_entries(struct collect_localstorage *codec, bool cookies)
{
    json_walk_enter(codec->walk);
    while (next_value(codec)) {
        if (codec->at.kind == '{') {
            read_entry(codec, cookies);
        } else {
            add_bad(codec, "an entry is an object with a name");
            json_walk_skip(codec->walk);
        }
    }
}

static struct slot *slot_at(struct collect_localstorage *codec, size_t index)
{
    if (index >= codec->slot_count) {
        size_t count = index < 8 ? 8 : index * 2;
        codec->slots = mem_resize(codec->slots, count, sizeof(*codec->slots));
        memset(codec->slots + codec->slot_count, 0,
               (count - codec->slot_count) * sizeof(*codec->slots));
        codec->slot_count = count;
    }
    return &codec->slots[index];
}

static void read_origin_name(struct collect_localstorage *codec)
{
    struct bytes quoted;
    if (!take_string(codec, &quoted) || !localstorage_value_decode(&codec->value, quoted))
        return;
    struct bytes name = codec->value.text;
    if (name.size > ORIGIN_MAX)
        for (name.size = ORIGIN_MAX; (name.data[name.size] & 0xC0) == 0x80; name.size--)
            ;
    slot_at(codec, codec->slot)->origin = copy_name(codec, name);
}

static void read_origin(struct collect_localstorage *codec)
{
    size_t index = codec->count;
    add_part(codec, PART_ORIGIN);
    json_walk_enter(codec->walk);
    while (next_value(codec)) {
        if (is_named(codec, "localStorage", '[')) {
            codec->is_sure = true;
            read_entries(codec, false);
        } else if (is_named(codec, "origin", '"')) {
            codec->is_sure = true;
            if (!is_again(codec, slot_at(codec, codec->slot)->origin.data))
                read_origin_name(codec);
        } else {
            if (bytes_equal(codec->at.name, BYTES_LITERAL("indexedDB")))
                add_part(codec, PART_INDEXED)->place = (struct place){0};
            json_walk_skip(codec->walk);
        }
    }
    codec->parts[index].key = slot_at(codec, codec->slot)->origin;
    if (!is_broken(codec))
        add_slot_end(codec);
}

static void read_origins(struct collect_localstorage *codec)
{
    json_walk_enter(codec->walk);
    while (next_value(codec)) {
        codec->slot = (uint32_t)(SLOT_ORIGINS + codec->at.index);
        slot_at(codec, codec->slot);
        if (codec->at.kind == '{') {
            read_origin(codec);
        } else {
            add_bad(codec, "an origin is an object");
            json_walk_skip(codec->walk);
        }
    }
}

static void read_top(struct collect_localstorage *codec)
{
    bool has_items = false;
    bool has_origins = false;
    bool has_cookies = false;
    json_walk_enter(codec->walk);
    while (next_value(codec)) {
        bool items = is_named(codec, "localStorage_data", '{');
        bool origins = is_named(codec, "origins", '[');
        bool cookies = is_named(codec, "cookies", '[');
        bool before = (items && has_items) || (origins && has_origins);
        has_items |= items;
        has_origins |= origins;
        has_cookies |= cookies;
        codec->envelope |= items || origins || cookies;
        codec->is_sure |= items || (has_origins && has_cookies);
        if (items || origins || cookies)
            codec->slot = SLOT_TOP;
        if (is_again(codec, before))
            continue;
        if (items)
            read_items(codec);
        else if (origins)
            read_origins(codec);
        else if (cookies)
            read_entries(codec, true);
        else
            read_key(codec, copy_name(codec, codec->at.name), SLOT_TOP);
    }
    if (!codec->envelope && !is_broken(codec))
        add_slot_end(codec);
}

static void read_payload(struct collect_localstorage *codec)
{
    slot_at(codec, SLOT_ORIGINS);
    if (codec->body.failed) {
        error_set(&codec->broken, OUT_REJECT, ERR_SOURCE_BODY, "the payload is larger than 1 GiB");
        add_part(codec, PART_BROKEN);
        return;
    }
    json_walk_feed(codec->walk, buf_view(&codec->body));
    json_walk_finish(codec->walk);
    while (next_value(codec)) {
        if (codec->at.kind == '{') {
            read_top(codec);
        } else {
            add_bad(codec, "a localStorage payload is an object");
            json_walk_skip(codec->walk);
        }
    }
}

/* ---- what is known when all has been read ---- */

static bool is_tenant_key(const struct part *part)
{
    return bytes_equal(part->key, BYTES_LITERAL(LOCALSTORAGE_TENANT_KEY));
}

/* The storage's own; empty when its key is there twice with values that differ. */
static void learn_tenant(struct collect_localstorage *codec, const struct part *part)
{
    struct slot *slot = &codec->slots[part->slot];
    bool whole = !part->unfinished && localstorage_value_decode(&codec->value, part->text);
    struct bytes tenant = codec->value.text;
    bool usable = whole && tenant.size && tenant.size <= LOCALSTORAGE_TENANT_MAX;
    if (usable)
        localstorage_tenants_add(&codec->tenants, tenant);
    if (usable && !slot->tenant.data)
        slot->tenant = copy_name(codec, tenant);
    else if (part->repeated && !(usable && bytes_equal(slot->tenant, tenant)))
        slot->tenant = BYTES_LITERAL("");
}

static void learn_tenants(struct collect_localstorage *codec)
{
    for (size_t i = 0; i < codec->count; i++) {
        const struct part *part = &codec->parts[i];
        struct bytes other;
        if (part->kind != PART_KEY || part->type != '"')
            continue;
        if (!part->unfinished && localstorage_names_tenant(&codec->config, part->key, &other))
            localstorage_tenants_add(&codec->tenants, other);
        if (is_tenant_key(part))
            learn_tenant(codec, part);
    }
    localstorage_tenants_sort(&codec->tenants);
}

/* Keys by their storage and name; origins by their name alone. */
static int compare_names(const struct part *a, const struct part *b)
{
    if (a->kind != b->kind)
        return a->kind - b->kind;
    if (a->kind == PART_KEY && a->slot != b->slot)
        return a->slot < b->slot ? -1 : 1;
    return bytes_compare(a->key, b->key);
}

static int compare_parts(const void *left, const void *right)
{
    const struct part *a = *(const struct part *const *)left;
    const struct part *b = *(const struct part *const *)right;
    int order = compare_names(a, b);
    return order ? order : (a > b) - (a < b);
}

/* Also by a value that does not end: which of the two is meant nobody can tell. */
static void mark_repeated(struct collect_localstorage *codec)
{
    struct part **sorted = mem_zeroed(codec->count + 1, sizeof(struct part *));
    size_t count = 0;
    for (size_t i = 0; i < codec->count; i++) {
        struct part *part = &codec->parts[i];
        if ((part->kind == PART_KEY && part->type == '"') ||
            (part->kind == PART_ORIGIN && part->key.size))
            sorted[count++] = part;
    }
    qsort(sorted, count, sizeof(struct part *), compare_parts);
    for (size_t i = 1; i < count; i++) {
        if (compare_names(sorted[i - 1], sorted[i]) != 0)
            continue;
        sorted[i]->repeated = true;
        sorted[i - 1]->repeated |= sorted[i]->kind == PART_KEY;
    }
    free(sorted);
}

/* ---- finds ---- */

static struct bytes shown(struct collect_localstorage *codec, struct bytes key)
{
    buf_reset(&codec->name);
    text_append_safe(&codec->name, key, LOCALSTORAGE_SHOWN_MAX);
    return buf_view(&codec->name);
}

static const struct part *part_at_hand(const struct collect_localstorage *codec)
{
    return &codec->parts[codec->next];
}

/* `name` for people. *err is set, but for records. */
static bool give(struct collect_localstorage *codec, struct source_item *item,
                 enum source_item_kind kind, const struct mapping *mapping, struct bytes name)
{
    const struct slot *slot = &codec->slots[part_at_hand(codec)->slot];
    *item = (struct source_item){.kind = kind,
                                 .mapping = mapping,
                                 .localstorage_origin = slot->origin,
                                 .index = -1,
                                 .name = name,
                                 .line = codec->place.line,
                                 .column = codec->place.column,
                                 .byte = codec->place.byte,
                                 .ordinal = codec->ordinal};
    if (!codec->config.tenant.size)
        item->tenant = slot->tenant;
    codec->ordinal += kind != SOURCE_ITEM_NOTE;
    return true;
}

/* Of the part's key. */
static bool give_key(struct collect_localstorage *codec, struct source_item *item,
                     enum source_item_kind kind, const struct mapping *mapping)
{
    struct bytes key = part_at_hand(codec)->key;
    give(codec, item, kind, mapping, shown(codec, key));
    item->source_key = bytes_or_empty(key);
    return true;
}

static bool give_record(struct collect_localstorage *codec, struct source_item *item,
                        struct bytes payload)
{
    give_key(codec, item, SOURCE_ITEM_RECORD, codec->choice.mapping);
    item->payload = payload;
    return true;
}

/* ---- may the key be taken? ---- */

/* The value is any text: it is not looked into. */
static bool wants_text(const struct localstorage_choice *choice)
{
    return choice->mapping->expand == EXPAND_TEXT || (choice->merge && choice->merge->take);
}

/* True when no mapping may have the key, and why. */
static bool refuses_key(const struct localstorage_choice *choice, struct bytes key,
                        struct error *err)
{
    switch (choice->use) {
    case LOCALSTORAGE_UNOWNED:
        error_set(err, OUT_REJECT, ERR_TENANT_UNEXPECTED, "the key %.*s belongs to another tenant",
                  BYTES_ARGS(key));
        return true;
    case LOCALSTORAGE_OTHER:
        error_set(err, OUT_REJECT, ERR_TENANT_OTHER,
                  "the key %.*s is of a storage whose tenant is another than the one given",
                  BYTES_ARGS(key));
        error_hint(err, "give no tenant, and the storage's " LOCALSTORAGE_TENANT_KEY
                        " says whose it is; or take that key out");
        return true;
    case LOCALSTORAGE_NO_TENANT:
        error_set(err, OUT_REJECT, ERR_TENANT_MISSING,
                  "the key %.*s is a tenant's, and nothing says which tenant is meant",
                  BYTES_ARGS(key));
        error_hint(err, "give --tenant, or the key " LOCALSTORAGE_TENANT_KEY);
        return true;
    case LOCALSTORAGE_UNKNOWN:
        error_set(err, OUT_REJECT, ERR_SOURCE_COLLECTION, "no mapping takes the key %.*s",
                  BYTES_ARGS(key));
        error_hint(err, "add collect.local_storage to a mapping, or a mapping that takes \"*\"");
        return true;
    case LOCALSTORAGE_TAKEN:
        break;
    }
    return false;
}

/* True when the value is not what its mapping wants, and why. */
static bool refuses_form(const struct localstorage_choice *choice,
                         const struct localstorage_value *value, struct error *err)
{
    bool list = choice->mapping->expand == EXPAND_ELEMENTS;
    bool object = choice->mapping->expand == EXPAND_MERGE;
    bool broken = value->form == LOCALSTORAGE_BROKEN;
    if (!broken && (!list || value->form == LOCALSTORAGE_ARRAY) &&
        (!object || value->form == LOCALSTORAGE_OBJECT))
        return false;
    error_set(err, OUT_REJECT, ERR_SOURCE_LOCALSTORAGE, "the value is not %s",
              list     ? "a JSON array"
              : object ? "a JSON object"
                       : "JSON");
    if (broken)
        error_cause(err, "it is broken at byte %zu of the value", value->broken_at);
    else
        error_cause(err, "it is another kind of JSON");
    return true;
}

/* True when nothing is made of the key, and why; else its value has been decoded and judged. */
static bool refuses(struct collect_localstorage *codec, struct error *err)
{
    const struct part *part = part_at_hand(codec);
    struct localstorage_value *value = &codec->value;
    struct bytes key = shown(codec, part->key);
    if (part->type != '"') {
        error_set(err, OUT_REJECT, ERR_SOURCE_LOCALSTORAGE,
                  "the value is %s; localStorage holds strings",
                  part->type == '{'   ? "an object"
                  : part->type == '[' ? "an array"
                                      : "no string");
        return true;
    }
    if (part->repeated && (codec->choice.use == LOCALSTORAGE_TAKEN || is_tenant_key(part))) {
        error_set(err, OUT_REJECT, ERR_JSON_DUPLICATE, "the key %.*s is there twice",
                  BYTES_ARGS(key));
        return true;
    }
    if (refuses_key(&codec->choice, key, err))
        return true;
    if (!localstorage_value_decode(value, part->text)) {
        error_set(err, OUT_REJECT, ERR_SOURCE_LOCALSTORAGE,
                  "the string has an escape that is not JSON");
        return true;
    }
    if (wants_text(&codec->choice))
        return false;
    localstorage_value_judge(value, value->text);
    return refuses_form(&codec->choice, value, err);
}

static bool has_token_name(const struct collect_localstorage *codec)
{
    return !codec->choice.named && token_shape_of_name(part_at_hand(codec)->key) == SHAPE_TOKEN;
}

/* Something to be told before the record? */
static bool has_note(struct collect_localstorage *codec, struct error *err)
{
    const struct localstorage_choice *choice = &codec->choice;
    const struct part *part = part_at_hand(codec);
    struct bytes key = shown(codec, part->key);
    if (is_tenant_key(part))
        return false;
    if (choice->any) {
        error_set(err, OUT_OK, ERR_NONE, "the key %.*s is unknown; it is kept as %s",
                  BYTES_ARGS(key), choice->mapping->entity);
        return true;
    }
    if (!codec->value.levels)
        return false;
    error_set(err, OUT_OK, ERR_NONE,
              "the value of %.*s is JSON inside %s; what is inside is migrated", BYTES_ARGS(key),
              codec->value.levels > 1 ? "JSON strings, twice" : "a JSON string");
    return true;
}

static struct localstorage_choice choose(const struct collect_localstorage *codec)
{
    const struct part *part = part_at_hand(codec);
    struct bytes given = codec->config.tenant;
    struct bytes own = codec->slots[part->slot].tenant;
    struct localstorage_choice choice =
        localstorage_choose(&codec->config, part->key, given.size ? given : own, &codec->tenants);
    /* what the storage holds is its own tenant's, but for keys that name the one given */
    if (choice.use == LOCALSTORAGE_TAKEN && given.size && own.data && !bytes_equal(given, own) &&
        !choice.own)
        choice.use = LOCALSTORAGE_OTHER;
    return choice;
}

/* ---- a key's value ---- */

static struct localstorage_merge *merge_of(struct collect_localstorage *codec)
{
    size_t at = 0;
    while (codec->config.mappings[at] != codec->choice.mapping)
        at++;
    if (!codec->merges[at])
        codec->merges[at] =
            localstorage_merge_new(codec->config.mappings[at], codec->config.record_max);
    return codec->merges[at];
}

static bool give_too_large(struct collect_localstorage *codec, struct source_item *item,
                           struct error *err)
{
    error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the value is larger than the limit of %zu bytes",
              codec->config.record_max);
    return give_key(codec, item, SOURCE_ITEM_REJECTED, codec->choice.mapping);
}

static bool give_whole(struct collect_localstorage *codec, struct source_item *item,
                       struct error *err)
{
    const struct localstorage_choice *choice = &codec->choice;
    struct bytes text = codec->value.text;
    struct buf *payload = &codec->payload;
    if (text.size > codec->config.record_max)
        return give_too_large(codec, item, err);
    if (wants_text(choice) && token_shape_of_value(text) == SHAPE_TOKEN)
        return give_key(codec, item, SOURCE_ITEM_WITHHELD, choice->mapping);
    if (choice->merge)
        return localstorage_merge_add(merge_of(codec), choice->merge, part_at_hand(codec)->key,
                                      text, err) != OUT_OK &&
               give_key(codec, item, SOURCE_ITEM_REJECTED, choice->mapping);
    if (choice->mapping->expand == EXPAND_VALUE)
        return give_record(codec, item, localstorage_escape_surrogates(text, &codec->scratch));
    buf_reset(payload);
    if (choice->mapping->expand == EXPAND_TEXT) {
        buf_append_text(payload, "{\"value\":");
        localstorage_append_string(payload, text);
    } else {
        buf_append_text(payload, "{\"form\":\"value\",\"value\":");
        buf_append_bytes(payload, localstorage_escape_surrogates(text, &codec->scratch));
    }
    buf_append_char(payload, '}');
    if (payload->failed)
        return give_too_large(codec, item, err);
    return give_record(codec, item, buf_view(payload));
}

/* An element, as a record or as a rejection. */
static bool give_element(struct collect_localstorage *codec, struct source_item *item,
                         struct error *err)
{
    const struct localstorage_choice *choice = &codec->choice;
    struct json_walk_step step;
    enum json_walk_result result = localstorage_value_next(&codec->value, &step, err);
    if (result != JSON_WALK_CAPTURED && result != JSON_WALK_REJECTED) {
        codec->step = STEP_OVER;
        return false;
    }
    bool record = result == JSON_WALK_CAPTURED;
    give_key(codec, item, record ? SOURCE_ITEM_RECORD : SOURCE_ITEM_REJECTED,
             choice->elements ? choice->elements : choice->mapping);
    item->index = (int64_t)step.index;
    buf_append_format(&codec->name, "[%" PRId64 "]", item->index);
    item->name = buf_view(&codec->name);
    if (record)
        item->payload = localstorage_escape_surrogates(step.text, &codec->scratch);
    return true;
}

static bool give_value(struct collect_localstorage *codec, struct source_item *item,
                       struct error *err)
{
    enum collect_expand expand = codec->choice.mapping->expand;
    bool container = expand == EXPAND_CONTAINER;
    codec->step = STEP_OVER;
    if (codec->value.form != LOCALSTORAGE_ARRAY || (!container && expand != EXPAND_ELEMENTS))
        return give_whole(codec, item, err);
    localstorage_value_begin_list(&codec->value);
    if (!container || codec->choice.elements)
        codec->step = STEP_LIST;
    if (container)
        return give_record(codec, item, BYTES_LITERAL("{\"form\":\"array\"}"));
    return give_element(codec, item, err);
}

static bool find_key(struct collect_localstorage *codec, struct source_item *item,
                     struct error *err)
{
    const struct part *part = part_at_hand(codec);
    bool around = codec->envelope && part->slot == SLOT_TOP; /* said around the keys */
    if (codec->step == STEP_LIST)
        return give_element(codec, item, err);
    if (codec->step == STEP_VALUE)
        return give_value(codec, item, err);
    codec->step = STEP_OVER;
    if (around || (part->unfinished && !part->repeated)) /* that is said when the payload ends */
        return false;
    codec->choice = choose(codec);
    if (has_token_name(codec))
        return give_key(codec, item, SOURCE_ITEM_WITHHELD, codec->choice.mapping);
    if (refuses(codec, err)) {
        if (codec->choice.use == LOCALSTORAGE_UNKNOWN && is_tenant_key(part) && !part->repeated)
            return false; /* no mapping keeps it, but it has served */
        return give_key(codec, item, SOURCE_ITEM_REJECTED, codec->choice.mapping);
    }
    codec->step = STEP_VALUE;
    if (has_note(codec, err))
        return give_key(codec, item, SOURCE_ITEM_NOTE, codec->choice.mapping);
    return give_value(codec, item, err);
}

/* ---- the end of a storage ---- */

static bool give_merge(struct collect_localstorage *codec, struct localstorage_merge *merge,
                       struct source_item *item, struct error *err)
{
    const struct mapping *mapping = codec->config.mappings[codec->merge_at];
    struct bytes name = shown(codec, bytes_text(mapping->entity));
    enum source_item_kind kind = SOURCE_ITEM_RECORD;
    if (part_at_hand(codec)->kind == PART_BROKEN) {
        error_set(err, OUT_REJECT, ERR_JSON_TRUNCATED,
                  "keys that are part of the %s may be missing: the payload is not whole",
                  mapping->entity);
        kind = SOURCE_ITEM_REJECTED;
    } else if (!codec->merge_made && localstorage_merge_finish(merge, err) != OUT_OK) {
        kind = SOURCE_ITEM_REJECTED;
    } else if (localstorage_merge_note(merge, err)) {
        codec->merge_made = true;
        return give(codec, item, SOURCE_ITEM_NOTE, mapping, name);
    }
    give(codec, item, kind, mapping, name);
    if (kind == SOURCE_ITEM_RECORD)
        item->payload = localstorage_merge_record(merge);
    codec->merge_made = false;
    codec->merge_at++;
    return true;
}

/* The record given last was the merge's own memory: it is emptied only when asked for more. */
static bool find_merges(struct collect_localstorage *codec, struct source_item *item,
                        struct error *err)
{
    for (; codec->merge_at < codec->config.mapping_count; codec->merge_at++) {
        struct localstorage_merge *merge = codec->merges[codec->merge_at];
        if (merge && !localstorage_merge_is_empty(merge))
            return give_merge(codec, merge, item, err);
    }
    for (size_t i = 0; i < codec->config.mapping_count; i++)
        if (codec->merges[i])
            localstorage_merge_reset(codec->merges[i]);
    codec->merge_at = 0;
    return false;
}

/* ---- parts ---- */

/* An origin that is not taken; the parts of one that is come by themselves. */
static bool find_origin(struct collect_localstorage *codec, struct source_item *item,
                        struct error *err)
{
    const struct part *part = part_at_hand(codec);
    struct bytes wanted = bytes_text(codec->config.web_origin);
    struct bytes origin = part->key;
    bool left_out = wanted.size && origin.size && !bytes_equal(origin, wanted);
    if (!left_out && !part->repeated)
        return false;
    if (!left_out) {
        error_set(err, OUT_REJECT, ERR_SOURCE_FORMAT, "the origin is there twice");
        give(codec, item, SOURCE_ITEM_REJECTED, NULL, (struct bytes){0});
    } else {
        struct bytes name = shown(codec, origin);
        error_set(err, OUT_OK, ERR_NONE, "the origin %s is left out", buf_text(&codec->name));
        give(codec, item, SOURCE_ITEM_NOTE, NULL, name);
    }
    while (part_at_hand(codec)->kind != PART_SLOT_END &&
           codec->parts[codec->next + 1].kind != PART_BROKEN)
        codec->next++;
    return true;
}

static bool find_cookie(struct collect_localstorage *codec, struct source_item *item)
{
    struct bytes key = part_at_hand(codec)->key;
    buf_reset(&codec->name);
    buf_append_text(&codec->name, "cookie ");
    if (key.data)
        text_append_safe(&codec->name, key, LOCALSTORAGE_SHOWN_MAX);
    return give(codec, item, SOURCE_ITEM_WITHHELD, NULL, buf_view(&codec->name));
}

/* False: the part has nothing more to be said. */
static bool find_part(struct collect_localstorage *codec, struct source_item *item,
                      struct error *err)
{
    const struct part *part = part_at_hand(codec);
    enum part_kind kind = (enum part_kind)part->kind;
    if (part->place.line)
        codec->place = part->place;
    if (kind == PART_KEY)
        return find_key(codec, item, err);
    if ((kind == PART_SLOT_END || kind == PART_BROKEN) && find_merges(codec, item, err))
        return true;
    codec->step = STEP_OVER;
    switch (kind) {
    case PART_COOKIE:
        return find_cookie(codec, item);
    case PART_ORIGIN:
        return find_origin(codec, item, err);
    case PART_INDEXED:
        error_set(err, OUT_OK, ERR_NONE, "the origin's indexedDB is not read");
        return give(codec, item, SOURCE_ITEM_NOTE, NULL, (struct bytes){0});
    case PART_BAD:
        error_set(err, OUT_REJECT,
                  part->text.data == BAD_ESCAPE ? ERR_JSON_SYNTAX
                  : part->text.data == TWICE    ? ERR_JSON_DUPLICATE
                                                : ERR_SOURCE_FORMAT,
                  "%s", part->text.data);
        break;
    case PART_BROKEN:
        *err = codec->broken;
        break;
    case PART_KEY:
    case PART_SLOT_END:
        return false;
    }
    return give(codec, item, SOURCE_ITEM_REJECTED, NULL, (struct bytes){0});
}

/* ---- the codec ---- */

static enum collect_result next(struct collect *collect, struct source_item *item,
                                struct error *err)
{
    struct collect_localstorage *codec = of(collect);
    if (!codec->second)
        return COLLECT_END;
    if (!codec->finished)
        return COLLECT_MORE;
    if (!codec->slots) {
        read_payload(codec);
        mark_repeated(codec);
        learn_tenants(codec);
    }
    for (; codec->next < codec->count; codec->next++, codec->step = STEP_BEGIN)
        if (codec->step != STEP_OVER && find_part(codec, item, err))
            return COLLECT_ITEM;
    return COLLECT_END;
}

static void feed(struct collect *collect, struct bytes chunk)
{
    if (of(collect)->second)
        buf_append_bytes(&of(collect)->body, chunk);
}

static void finish(struct collect *collect)
{
    of(collect)->finished = of(collect)->second;
}

static enum outcome rewind_reading(struct collect *collect, struct error *err)
{
    (void)err;
    of(collect)->second = true;
    return OUT_OK;
}

static void free_codec(struct collect *collect)
{
    struct collect_localstorage *codec = of(collect);
    json_walk_free(codec->walk);
    arena_free(&codec->names);
    localstorage_value_free(&codec->value);
    for (size_t i = 0; i < codec->config.mapping_count; i++)
        localstorage_merge_free(codec->merges[i]);
    free(codec->merges);
    free(codec->parts);
    free(codec->slots);
    free(codec->tenants.hashes);
    buf_free(&codec->body);
    buf_free(&codec->name);
    buf_free(&codec->payload);
    buf_free(&codec->scratch);
    free(codec);
}

struct collect *collect_localstorage_new(const struct collect_config *config)
{
    static const struct collect_ops OPS = {feed, finish, next, rewind_reading, free_codec};
    struct collect_localstorage *codec = mem_new(sizeof(*codec));
    codec->base.ops = &OPS;
    codec->config = *config;
    codec->merges = mem_zeroed(config->mapping_count + 1, sizeof(struct localstorage_merge *));
    codec->walk = json_walk_new(BODY_MAX);
    localstorage_value_init(&codec->value, config->record_max);
    arena_init(&codec->names, SIZE_MAX / 4);
    buf_init(&codec->body, BODY_MAX);
    buf_init(&codec->name, LOCALSTORAGE_SHOWN_MAX * 8);
    buf_init(&codec->payload, config->record_max);
    buf_init(&codec->scratch, config->record_max * 2);
    return &codec->base;
}

/* Only what can hardly be anything else is said to be one: the envelope's member names with the
 * kinds they have, or an object of strings alone with a key that a mapping knows by its form.
 * Records of other kinds have members that are no strings, or names that no pattern fits. */
bool collect_localstorage_detect(struct bytes first, struct mapping *const *mappings,
                                 size_t mapping_count)
{
    struct collect_config config = {.mappings = mappings, .mapping_count = mapping_count};
    struct collect *collect = collect_localstorage_new(&config);
    struct collect_localstorage *codec = of(collect);
    size_t keys = 0;
    size_t named = 0; /* keys that are a mapping's by their whole name */
    bool known = false;
    bool other = false;
    buf_append_bytes(&codec->body, first);
    read_payload(codec);
    for (size_t i = 0; i < codec->count; i++) {
        const struct part *part = &codec->parts[i];
        bool open = true;
        if (part->kind != PART_KEY || part->slot != SLOT_TOP)
            continue;
        bool fits =
            is_tenant_key(part) || localstorage_key_fits(mappings, mapping_count, part->key, &open);
        known |= fits && open;
        named += fits && !open;
        other |= part->type != '"';
        keys++;
    }
    bool is = codec->is_sure || (keys && !other && (known || named == keys));
    free_codec(collect);
    return is;
}
