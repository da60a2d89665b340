/* Records as entries of a program's maps: policy/collect/collect_maps.c's inverse. */
#include <string.h>

#include "common/base/text.h"
#include "common/model/json/json.h"
#include "common/policy/export/export_record_text.h"

#define MAPS_FILE BYTES_LITERAL("maps.json")

static enum outcome give(struct export_maker *maker, const struct export_record *record,
                         const char *collection, struct bytes key, struct error *err)
{
    struct export_record_text part = {
        .file = MAPS_FILE,
        .layout = EXPORT_LAYOUT_MAPS,
        .group = bytes_text(collection),
        .key = key,
        .index = maker->index,
        .kind = EXPORT_JSON,
        .id = record->id,
        .text = buf_view(&maker->text),
    };
    return export_give(maker, &part, err);
}

/* The map's key: the one it had, or the id, which a key of one column decodes to. */
static void find_key(struct export_maker *maker, const struct export_record *record)
{
    if (maker->has_key)
        return;
    buf_reset(&maker->key);
    if (record->mapping->key_count != 1 || !text_percent_decode(&maker->key, record->id)) {
        buf_reset(&maker->key);
        buf_append_bytes(&maker->key, record->id);
    }
}

/* The record without its member `name`. */
static void append_without(struct buf *out, yyjson_val *object, const char *name)
{
    yyjson_obj_iter iter;
    yyjson_val *key;
    char before = '{';
    yyjson_obj_iter_init(object, &iter);
    while ((key = yyjson_obj_iter_next(&iter))) {
        if (yyjson_equals_str(key, name))
            continue;
        json_append_key(out, before, key);
        json_append(out, yyjson_obj_iter_get_val(key));
        before = ',';
    }
    buf_append_text(out, before == '{' ? "{}" : "}");
}

/* The joined record's own name in its collection. */
static bool joined_key(yyjson_val *joined, struct buf *out)
{
    yyjson_val *id = yyjson_obj_get(joined, "id");
    buf_reset(out);
    if (yyjson_is_str(id))
        buf_append(out, yyjson_get_str(id), yyjson_get_len(id));
    else if (yyjson_is_raw(id))
        buf_append(out, yyjson_get_raw(id), yyjson_get_len(id));
    else
        return false;
    return true;
}

enum outcome export_make_maps(struct export_maker *maker, const struct export_record *record,
                              struct error *err)
{
    const struct mapping *mapping = record->mapping;
    const struct collect_join *join = mapping->join;
    yyjson_val *joined =
        join && yyjson_is_obj(record->root) ? yyjson_obj_get(record->root, join->member) : NULL;
    find_key(maker, record);
    buf_reset(&maker->text);
    if (joined)
        append_without(&maker->text, record->root, join->member);
    else
        json_append(&maker->text, record->root);
    enum outcome outcome =
        give(maker, record, mapping->collect_maps[0], buf_view(&maker->key), err);
    if (outcome != OUT_OK || !joined)
        return outcome;
    if (!joined_key(joined, &maker->key))
        return error_set(err, OUT_REJECT, ERR_EXPORT, "a joined record has no id of its own");
    buf_reset(&maker->text);
    json_append(&maker->text, joined);
    return give(maker, record, join->collection, buf_view(&maker->key), err);
}
