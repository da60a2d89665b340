/* The second reading: what becomes of each key. */
#include <inttypes.h>

#include "common/base/text.h"
#include "common/policy/collect/collect_storage_codec.h"
#include "common/base/token_shape.h"

static struct bytes shown(struct collect_storage *storage, struct bytes key)
{
    buf_reset(&storage->name);
    text_append_safe(&storage->name, key, STORAGE_SHOWN_MOST);
    return buf_view(&storage->name);
}

static struct bytes shown_key(struct collect_storage *storage)
{
    return shown(storage, buf_view(&storage->item.key));
}

bool storage_give(struct collect_storage *storage, struct found *found, enum found_kind kind,
                  struct bytes name)
{
    const struct storage_slot *slot = &storage->slots.items[storage->slots.now];
    *found = (struct found){.kind = kind,
                            .storage_origin = slot->origin,
                            .index = -1,
                            .name = name,
                            .line = storage->item.line,
                            .column = storage->item.column,
                            .byte = storage->item.byte,
                            .ordinal = storage->ordinal};
    if (!storage->config.tenant.size)
        found->tenant = slot->tenant;
    storage->ordinal += kind != FOUND_NOTE;
    return true;
}

/* Of the item's key. */
static bool give_key(struct collect_storage *storage, struct found *found, enum found_kind kind,
                     const struct mapping *mapping)
{
    storage_give(storage, found, kind, shown_key(storage));
    found->source_key = bytes_there(buf_view(&storage->item.key));
    found->mapping = mapping;
    return true;
}

static bool give_record(struct collect_storage *storage, struct found *found,
                        const struct mapping *mapping, struct bytes payload)
{
    give_key(storage, found, FOUND_RECORD, mapping);
    found->payload = payload;
    return true;
}

/* ---- may the key be taken? ---- */

static const char *kind_name(char kind)
{
    switch (kind) {
    case '{':
        return "an object";
    case '[':
        return "an array";
    default:
        return "no string";
    }
}

/* The value is any text: it is not looked into. */
static bool wants_text(const struct storage_choice *choice)
{
    return choice->mapping->expand == EXPAND_TEXT || (choice->merge && choice->merge->take);
}

static bool is_tenant_key(const struct collect_storage *storage)
{
    return bytes_equal(buf_view(&storage->item.key), BYTES_LITERAL(STORAGE_TENANT_KEY));
}

static bool wants_object(const struct storage_choice *choice)
{
    return choice->mapping->expand == EXPAND_MERGE && !choice->merge->take;
}

/* *err says what the value should be. */
static bool fits_mapping(const struct storage_choice *choice, const struct storage_key *known,
                         struct error *err)
{
    bool list = choice->mapping->expand == EXPAND_ELEMENTS;
    const char *wanted = list ? "a JSON array" : wants_object(choice) ? "a JSON object" : "JSON";
    if (wants_text(choice))
        return true;
    if (known->form == STORAGE_BROKEN) {
        error_set(err, OUT_REJECT, ERR_SOURCE_STORAGE, "the value is not %s", wanted);
        error_cause(err, "it is broken at byte %" PRIu32 " of the value", known->broken_at);
        return false;
    }
    if ((!list || known->form == STORAGE_ARRAY) &&
        (!wants_object(choice) || known->form == STORAGE_OBJECT))
        return true;
    error_set(err, OUT_REJECT, ERR_SOURCE_STORAGE, "the value is not %s", wanted);
    error_cause(err, "it is another kind of JSON");
    return false;
}

static bool has_token_name(const struct collect_storage *storage)
{
    return !storage->item.choice.named &&
           token_shape_of_name(buf_view(&storage->item.key)) == SHAPE_TOKEN;
}

/* False when the key is not to be read, and why. */
static bool may_read(struct collect_storage *storage, const struct storage_key *known,
                     struct error *err)
{
    const struct storage_choice *choice = &storage->item.choice;
    struct bytes key = shown_key(storage);
    switch (choice->use) {
    case STORAGE_FOREIGN:
        error_set(err, OUT_REJECT, ERR_TENANT_FOREIGN, "the key %.*s belongs to another tenant",
                  BYTES_ARGS(key));
        return false;
    case STORAGE_OTHER:
        error_set(err, OUT_REJECT, ERR_TENANT_OTHER,
                  "the key %.*s is of a storage whose tenant is another than the one given",
                  BYTES_ARGS(key));
        error_hint(err, "give no tenant, and the storage's " STORAGE_TENANT_KEY
                        " says whose it is; or take that key out");
        return false;
    case STORAGE_NO_TENANT:
        error_set(err, OUT_REJECT, ERR_TENANT_MISSING,
                  "the key %.*s is a tenant's, and nothing says which tenant is meant",
                  BYTES_ARGS(key));
        error_hint(err, "give --tenant, or the key " STORAGE_TENANT_KEY);
        return false;
    case STORAGE_UNKNOWN:
        error_set(err, OUT_REJECT, ERR_SOURCE_COLLECTION, "no mapping takes the key %.*s",
                  BYTES_ARGS(key));
        error_hint(err, "add collect.local_storage to a mapping, or a mapping that takes \"*\"");
        return false;
    case STORAGE_TAKEN:
        break;
    }
    if (known->repeated) {
        error_set(err, OUT_REJECT, ERR_JSON_DUPLICATE, "the key %.*s is there twice",
                  BYTES_ARGS(key));
        return false;
    }
    if (known->unreadable) {
        error_set(err, OUT_REJECT, ERR_SOURCE_STORAGE, "the string has an escape that is not JSON");
        return false;
    }
    return fits_mapping(choice, known, err);
}

/* ---- beginning a value ---- */

static void begin_value(struct collect_storage *storage, bool whole)
{
    const struct storage_item *item = &storage->item;
    bool text = wants_text(&item->choice);
    storage_value_begin(&storage->value, text ? 0 : item->levels, whole);
    storage->reading = READ_FIND;
    json_walk_read(storage->walk);
}

/* Something to be told before the record? */
static bool has_note(const struct collect_storage *storage, const struct storage_key *known,
                     struct bytes key, struct error *err)
{
    const struct storage_choice *choice = &storage->item.choice;
    if (is_tenant_key(storage))
        return false;
    if (choice->any) {
        error_set(err, OUT_OK, ERR_NONE, "the key %.*s is unknown; it is kept as %s",
                  BYTES_ARGS(key), choice->mapping->entity);
        return true;
    }
    if (wants_text(choice) || !known->levels)
        return false;
    error_set(err, OUT_OK, ERR_NONE,
              "the value of %.*s is JSON inside %s; what is inside is migrated", BYTES_ARGS(key),
              known->levels > 1 ? "JSON strings, twice" : "a JSON string");
    return true;
}

/* Reads the value as its mapping wants it, or not at all. */
static void begin_taken(struct collect_storage *storage, const struct storage_key *known)
{
    const struct storage_choice *choice = &storage->item.choice;
    bool list = choice->mapping->expand == EXPAND_CONTAINER && known->form == STORAGE_ARRAY;
    storage->item.levels = known->levels;
    if (list)
        storage->due = DUE_CONTAINER;
    if (list && !choice->elements)
        json_walk_skip(storage->walk);
    else
        begin_value(storage, !list && choice->mapping->expand != EXPAND_ELEMENTS);
}

/* What the storage holds is its own tenant's, but for keys that name the one given. */
static bool is_of_other(const struct collect_storage *storage)
{
    struct bytes own = storage->slots.items[storage->slots.now].tenant;
    struct bytes given = storage->config.tenant;
    return given.size && own.size && !bytes_equal(given, own) && !storage->item.choice.own;
}

/* True when nothing is made of the item, and why. */
static bool refuses(struct collect_storage *storage, const struct json_walk_step *step,
                    const struct storage_key *known, struct error *err)
{
    if (step->kind != '"')
        error_set(err, OUT_REJECT, ERR_SOURCE_STORAGE,
                  "the value is %s; localStorage holds strings", kind_name(step->kind));
    else if (!known)
        error_set(err, OUT_REJECT, ERR_SOURCE_CHANGED, "the key was not there when first read");
    else
        return !may_read(storage, known, err);
    return true;
}

bool storage_find_item(struct collect_storage *storage, const struct json_walk_step *step,
                       struct found *found, struct error *err)
{
    struct storage_item *item = &storage->item;
    struct bytes key = buf_view(&item->key);
    item->line = step->line;
    item->column = step->column;
    item->byte = step->byte;
    item->choice =
        storage_choose(&storage->config, key, storage_tenant(storage), &storage->tenants);
    if (item->choice.use == STORAGE_TAKEN && is_of_other(storage))
        item->choice.use = STORAGE_OTHER;
    const struct storage_key *known = storage_keys_find(&storage->keys, storage_item_hash(storage));
    if (!known && step->kind == '"' && storage->broken.code != ERR_NONE) {
        json_walk_skip(storage->walk); /* the value does not end: said when the payload ends */
        return false;
    }
    if (has_token_name(storage)) {
        json_walk_skip(storage->walk);
        return give_key(storage, found, FOUND_WITHHELD, item->choice.mapping);
    }
    if (refuses(storage, step, known, err)) {
        json_walk_skip(storage->walk);
        if (item->choice.use == STORAGE_UNKNOWN && is_tenant_key(storage))
            return false; /* no mapping keeps it, but it has served */
        return give_key(storage, found, FOUND_REJECTED, item->choice.mapping);
    }
    bool told = has_note(storage, known, shown_key(storage), err);
    begin_taken(storage, known);
    return told && give_key(storage, found, FOUND_NOTE, item->choice.mapping);
}

/* ---- the value ---- */

static struct storage_merge *merge_of(struct collect_storage *storage)
{
    size_t at = 0;
    while (storage->config.mappings[at] != storage->item.choice.mapping)
        at++;
    if (!storage->merges[at])
        storage->merges[at] =
            storage_merge_new(storage->config.mappings[at], storage->config.record_most);
    return storage->merges[at];
}

static bool give_text(struct collect_storage *storage, struct found *found, struct bytes text)
{
    const struct mapping *mapping = storage->item.choice.mapping;
    buf_reset(&storage->payload);
    buf_append_text(&storage->payload, "{\"value\":");
    storage_append_string(&storage->payload, text);
    buf_append_char(&storage->payload, '}');
    return give_record(storage, found, mapping, buf_view(&storage->payload));
}

static bool give_container_value(struct collect_storage *storage, struct found *found,
                                 struct bytes text)
{
    buf_reset(&storage->payload);
    buf_append_text(&storage->payload, "{\"form\":\"value\",\"value\":");
    buf_append_bytes(&storage->payload, storage_escape_surrogates(text, &storage->scratch));
    buf_append_char(&storage->payload, '}');
    return give_record(storage, found, storage->item.choice.mapping, buf_view(&storage->payload));
}

static bool give_too_large(struct collect_storage *storage, struct found *found, struct error *err)
{
    error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the value is larger than the limit of %zu bytes",
              storage->config.record_most);
    return give_key(storage, found, FOUND_REJECTED, storage->item.choice.mapping);
}

static bool give_whole(struct collect_storage *storage, struct found *found, struct error *err)
{
    const struct storage_choice *choice = &storage->item.choice;
    struct bytes text = buf_view(&storage->value.text);
    if (storage->value.text.failed)
        return give_too_large(storage, found, err);
    if (wants_text(choice) && token_shape_of_value(text) == SHAPE_TOKEN)
        return give_key(storage, found, FOUND_WITHHELD, choice->mapping);
    switch (choice->mapping->expand) {
    case EXPAND_TEXT:
        give_text(storage, found, text);
        break;
    case EXPAND_CONTAINER:
        give_container_value(storage, found, text);
        break;
    case EXPAND_MERGE:
        if (storage_merge_add(merge_of(storage), choice->merge, buf_view(&storage->item.key), text,
                              err) == OUT_OK)
            return false;
        return give_key(storage, found, FOUND_REJECTED, choice->mapping);
    case EXPAND_VALUE:
    case EXPAND_ELEMENTS:
        return give_record(storage, found, choice->mapping,
                           storage_escape_surrogates(text, &storage->scratch));
    }
    if (!storage->payload.failed)
        return true;
    storage->ordinal--;
    return give_too_large(storage, found, err);
}

/* An element, as a record or as a rejection. */
static bool give_element(struct collect_storage *storage, struct found *found, enum found_kind kind,
                         struct bytes text)
{
    const struct storage_choice *choice = &storage->item.choice;
    give_key(storage, found, kind, choice->elements ? choice->elements : choice->mapping);
    found->index = storage->value.index;
    buf_append_format(&storage->name, "[%" PRId64 "]", found->index);
    found->name = buf_view(&storage->name);
    if (kind == FOUND_RECORD)
        found->payload = storage_escape_surrogates(text, &storage->scratch);
    return true;
}

bool storage_find_more(struct collect_storage *storage, struct found *found, struct error *err)
{
    struct bytes text = {0};
    switch (storage_value_next(&storage->value, &text, err)) {
    case STORAGE_PIECE:
        return false;
    case STORAGE_RECORD:
        return give_element(storage, found, FOUND_RECORD, text);
    case STORAGE_REFUSED:
        if (err->code == ERR_SOURCE_CHANGED)
            storage->reading = READ_PAST;
        return give_element(storage, found, FOUND_REJECTED, text);
    case STORAGE_DONE:
        break;
    }
    storage->reading = READ_PAST;
    return storage->value.whole && give_whole(storage, found, err);
}

/* ---- what is due ---- */

static bool give_merge(struct collect_storage *storage, struct storage_merge *merge,
                       struct found *found, struct error *err)
{
    const struct mapping *mapping = storage->config.mappings[storage->merge_at];
    enum found_kind kind = FOUND_RECORD;
    if (storage->due == DUE_BROKEN) {
        error_set(err, OUT_REJECT, ERR_JSON_TRUNCATED,
                  "keys that are part of the %s may be missing: the payload is not whole",
                  mapping->entity);
        kind = FOUND_REJECTED;
    } else if (!storage->merge_made && storage_merge_finish(merge, err) != OUT_OK) {
        kind = FOUND_REJECTED;
    } else if (storage_merge_note(merge, err)) {
        storage->merge_made = true;
        storage_give(storage, found, FOUND_NOTE, shown(storage, bytes_text(mapping->entity)));
        found->mapping = mapping;
        return true;
    }
    storage_give(storage, found, kind, shown(storage, bytes_text(mapping->entity)));
    found->mapping = mapping;
    found->payload = kind == FOUND_RECORD ? storage_merge_record(merge) : (struct bytes){0};
    storage->merge_made = false;
    storage->merge_at++;
    return true;
}

/* The record given last was the merge's own memory: it is emptied only when asked for more. */
static bool find_merges(struct collect_storage *storage, struct found *found, struct error *err)
{
    for (; storage->merge_at < storage->config.mapping_count; storage->merge_at++) {
        struct storage_merge *merge = storage->merges[storage->merge_at];
        if (merge && !storage_merge_is_empty(merge))
            return give_merge(storage, merge, found, err);
    }
    for (size_t i = 0; i < storage->config.mapping_count; i++)
        if (storage->merges[i])
            storage_merge_reset(storage->merges[i]);
    storage->merge_at = 0;
    return false;
}

bool storage_find_due(struct collect_storage *storage, struct found *found, struct error *err)
{
    enum storage_due due = storage->due;
    switch (due) {
    case DUE_CONTAINER:
        storage->due = DUE_NOTHING;
        return give_record(storage, found, storage->item.choice.mapping,
                           BYTES_LITERAL("{\"form\":\"array\"}"));
    case DUE_MERGES:
        if (find_merges(storage, found, err))
            return true;
        storage->due = DUE_NOTHING;
        return false;
    case DUE_BROKEN:
        if (find_merges(storage, found, err))
            return true;
        storage->due = DUE_END;
        *err = storage->broken;
        return storage_give(storage, found, FOUND_REJECTED, (struct bytes){0});
    case DUE_NOTHING:
    case DUE_END:
        break;
    }
    return false;
}
