/*
 * One record of a collection: given to its mapping, joined to another one, or both.
 *
 * A record that is joined loses its place in its collection; so that nothing is lost with it, its
 * key there must be its own member id. The first reading keeps what may be joined; the second one
 * judges the same records again, as only it may tell anything.
 */
#include "common/base/text.h"
#include "common/model/json/json.h"
#include "common/policy/collect/collect_maps.h"

/* ---- answers ---- */

static struct bytes name_of(struct maps *maps, const struct maps_record *record)
{
    buf_reset(&maps->name);
    text_append_safe(&maps->name, record->collection, MAPS_SHOWN_MOST);
    if (record->keyed) {
        buf_append_char(&maps->name, '/');
        text_append_safe(&maps->name, record->key, MAPS_SHOWN_MOST);
    } else if (record->index >= 0) {
        buf_append_format(&maps->name, "[%lld]", (long long)record->index);
    }
    return buf_view(&maps->name);
}

static bool give(struct maps *maps, const struct maps_record *record, enum found_kind kind,
                 struct found *found)
{
    *found = (struct found){
        .kind = kind,
        .mapping = record->role.mapping ? record->role.mapping : record->role.join_target,
        .index = record->index,
        .name = name_of(maps, record),
        .line = record->line,
        .column = record->column,
        .byte = record->byte,
        .ordinal = maps->ordinal++,
    };
    return true;
}

bool maps_record_reject(struct maps *maps, const struct maps_record *record, struct found *found)
{
    return give(maps, record, FOUND_REJECTED, found);
}

bool maps_reject(struct maps *maps, struct bytes name, const struct json_walk_step *step,
                 struct found *found)
{
    struct maps_record record = {
        .collection = name,
        .index = -1,
        .line = step->line,
        .column = step->column,
        .byte = step->byte,
    };
    return give(maps, &record, FOUND_REJECTED, found);
}

void maps_unknown(struct bytes name, struct error *err)
{
    struct buf text;
    buf_init(&text, MAPS_SHOWN_MOST * 8);
    text_append_safe(&text, name, MAPS_SHOWN_MOST);
    error_set(err, OUT_REJECT, ERR_SOURCE_COLLECTION, "no mapping collects '%s'", buf_text(&text));
    buf_free(&text);
}

void maps_record_place(struct maps_record *record, const struct maps_entry *entry)
{
    record->payload = entry->value;
    record->byte += entry->value_byte;
    if (entry->line == 1)
        record->column += entry->column - 1;
    else
        record->column = entry->column;
    record->line += entry->line - 1;
}

/* ---- what is joined ---- */

static enum outcome check(const struct maps *maps, const struct maps_record *record,
                          struct error *err)
{
    if (record->keyed && !record->key_sound)
        return error_set(err, OUT_REJECT, ERR_SOURCE_MAP_KEY,
                         "a map's key is no string, number or boolean that can be kept");
    if (record->payload.size > maps->config.record_most)
        return error_set(err, OUT_REJECT, ERR_JSON_SIZE,
                         "the record is larger than the limit of %zu bytes",
                         maps->config.record_most);
    return OUT_OK;
}

/* The text of a scalar of a checked document; false for what is none. */
static bool scalar_text(yyjson_val *val, struct bytes *text)
{
    if (yyjson_is_str(val))
        *text = bytes_of(yyjson_get_str(val), yyjson_get_len(val));
    else if (yyjson_is_raw(val))
        *text = bytes_of(yyjson_get_raw(val), yyjson_get_len(val));
    else if (yyjson_is_bool(val))
        *text = bytes_text(yyjson_get_bool(val) ? "true" : "false");
    else
        return false;
    return true;
}

static enum outcome find_target(struct maps *maps, const struct maps_record *record,
                                yyjson_val *root, struct error *err)
{
    const struct collect_join *join = record->role.join_target->join;
    struct bytes own, id;
    if (!yyjson_is_obj(root))
        return error_set(err, OUT_REJECT, ERR_JSON_KIND, "the record to be joined is no object");
    bool named = scalar_text(yyjson_obj_get(root, "id"), &own);
    if (record->keyed && (!named || !bytes_equal(own, record->key)))
        return error_set(err, OUT_REJECT, ERR_SOURCE_MAP_KEY,
                         "the record to be joined has a key that is not its id");
    if (!scalar_text(json_at(root, bytes_text(join->pointer)), &id))
        return error_set(err, OUT_REJECT, ERR_SOURCE_JOIN,
                         "the record names no record it is to be joined to");
    buf_reset(&maps->id);
    buf_append_bytes(&maps->id, id);
    if (!maps->id.failed)
        return OUT_OK;
    return error_set(err, OUT_REJECT, ERR_SOURCE_JOIN, "the id it is to be joined to is too long");
}

/* The id it names, in maps->id. The record is checked in full: once joined it could only fail
 * together with the record it is joined to. */
static enum outcome resolve(struct maps *maps, const struct maps_record *record, struct error *err)
{
    yyjson_doc *doc;
    if (check(maps, record, err) != OUT_OK)
        return OUT_REJECT;
    if (json_parse(record->payload, record->role.join_target->unicode, NULL, &doc, err) != OUT_OK)
        return OUT_REJECT;
    enum outcome outcome = find_target(maps, record, yyjson_doc_get_root(doc), err);
    yyjson_doc_free(doc);
    return outcome;
}

static void learn(struct maps *maps, const struct maps_record *record)
{
    if (!record->role.join_target || resolve(maps, record, NULL) != OUT_OK)
        return;
    struct maps_joined joined = {
        .target = record->role.join_target,
        .id = buf_view(&maps->id),
        .text = record->payload,
        .name = name_of(maps, record),
        .line = record->line,
        .column = record->column,
        .byte = record->byte,
        .own_row = record->role.mapping != NULL,
    };
    maps_joins_add(&maps->joins, &joined);
}

/* In the second reading: is it the one that was kept? */
static enum outcome judge(struct maps *maps, const struct maps_record *record, struct error *err)
{
    if (resolve(maps, record, err) != OUT_OK)
        return OUT_REJECT;
    const struct maps_joined *joined =
        maps_joins_find(&maps->joins, record->role.join_target, buf_view(&maps->id));
    if (joined && joined->byte == record->byte)
        return OUT_OK;
    return error_set(err, OUT_REJECT, ERR_SOURCE_JOIN,
                     joined ? "another record is joined to the same one"
                            : "the record was not there when the source was read first");
}

bool maps_record_unmatched(struct maps *maps, struct found *found, struct error *err)
{
    while (maps->unmatched && (maps->unmatched->matched || maps->unmatched->own_row))
        maps->unmatched = maps->unmatched->next;
    const struct maps_joined *joined = maps->unmatched;
    if (!joined)
        return false;
    maps->unmatched = joined->next;
    error_set(err, OUT_REJECT, ERR_SOURCE_JOIN, "the dump has no %s with the id that %s names",
              joined->target->entity, joined->target->join->pointer);
    *found = (struct found){
        .kind = FOUND_REJECTED,
        .mapping = joined->target,
        .index = -1,
        .name = joined->name,
        .line = joined->line,
        .column = joined->column,
        .byte = joined->byte,
        .ordinal = maps->ordinal++,
    };
    return true;
}

/* ---- what something is joined to ---- */

/* The only key column that the record itself has; NULL when there is none or more than one. */
static const struct column *key_column(const struct mapping *mapping)
{
    const struct column *found = NULL;
    for (size_t i = 0; i < mapping->key_count; i++) {
        const struct column *column = &mapping->columns[mapping->key[i]];
        if (column->source != FROM_POINTERS)
            continue;
        if (found)
            return NULL;
        found = column;
    }
    return found;
}

static bool is_keyed_by_map(const struct mapping *mapping)
{
    return mapping->key_count == 1 && mapping->columns[mapping->key[0]].source == FROM_KEY;
}

/* The record's id as text, in maps->id. */
static bool find_id(struct maps *maps, const struct maps_record *record)
{
    static const char *const USUAL[] = {"/id"};
    const struct column *column = key_column(record->role.mapping);
    const char *const *pointers = column ? column->pointers : USUAL;
    size_t count = column ? column->pointer_count : 1;
    buf_reset(&maps->id);
    if (!column && is_keyed_by_map(record->role.mapping)) {
        buf_append_bytes(&maps->id, record->key);
        return record->keyed;
    }
    for (size_t i = 0; i < count; i++)
        if (maps_peek_at(maps->peek, record->payload, pointers[i], &maps->id, NULL) == PEEK_FOUND)
            return !maps->id.failed;
    return false;
}

static bool is_empty_object(struct bytes object)
{
    for (size_t at = 1; at + 1 < object.size; at++)
        if (!memchr(" \t\r\n", object.data[at], 4))
            return false;
    return true;
}

/* The payload with the joined record as one more member; the rest stays as it was read. */
static struct bytes splice(struct maps *maps, struct bytes payload, const char *member,
                           struct bytes joined)
{
    struct buf *out = &maps->joined;
    buf_reset(out);
    buf_append(out, payload.data, payload.size - 1);
    if (!is_empty_object(payload))
        buf_append_char(out, ',');
    buf_append_json(out, bytes_text(member));
    buf_append_char(out, ':');
    buf_append_bytes(out, joined);
    buf_append_char(out, '}');
    return buf_view(out);
}

static struct bytes join(struct maps *maps, const struct maps_record *record)
{
    const struct mapping *mapping = record->role.mapping;
    struct bytes payload = record->payload;
    if (!mapping->join || !maps->joins.count || payload.data[0] != '{' || !find_id(maps, record))
        return payload;
    struct maps_joined *joined = maps_joins_find(&maps->joins, mapping, buf_view(&maps->id));
    if (!joined)
        return payload;
    joined->matched = true;
    return splice(maps, payload, mapping->join->member, joined->text);
}

static bool give_record(struct maps *maps, const struct maps_record *record, struct found *found,
                        struct error *err)
{
    struct bytes payload = join(maps, record);
    if (payload.size > maps->config.record_most || maps->joined.failed) {
        error_set(err, OUT_REJECT, ERR_JSON_SIZE,
                  "the record with what is joined to it is larger than the limit of %zu bytes",
                  maps->config.record_most);
        return maps_record_reject(maps, record, found);
    }
    give(maps, record, FOUND_RECORD, found);
    found->payload = payload;
    found->source_key = record->keyed ? bytes_there(record->key) : (struct bytes){0};
    return true;
}

bool maps_record_take(struct maps *maps, const struct maps_record *record, struct found *found,
                      struct error *err)
{
    if (!maps->second) {
        learn(maps, record);
        return false;
    }
    if (!record->role.mapping)
        return judge(maps, record, err) != OUT_OK && maps_record_reject(maps, record, found);
    if (check(maps, record, err) != OUT_OK)
        return maps_record_reject(maps, record, found);
    return give_record(maps, record, found, err);
}
