/* Records as values of a browser's localStorage, as collect_localstorage.c reads them. */
#include <string.h>

#include "common/base/text.h"
#include "common/model/json/json.h"
#include "common/policy/export/export_record_text.h"

#define FILE_NAME_MAX                                                                              \
    200 /* file systems take 255 bytes; the folder's own files need an ending                      \
         */

/* ---- whose storage it is */

static void append_plain(struct buf *out, struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '-' || text.data[i] == '.')
            buf_append_format(out, "%%%02X", (unsigned char)text.data[i]);
        else
            text_percent_encode(out, bytes_of(text.data + i, 1));
    }
}

/* local_storage.json, local_storage-user-U.json, local_storage-origin-O.json or both: encoded so
 * that no two of them share a name, too long ones by their digest. */
static void name_storage(struct export_maker *maker)
{
    struct buf *file = &maker->file;
    buf_reset(file);
    if (maker->user_text.size) {
        buf_append_text(file, "-user-");
        append_plain(file, buf_view(&maker->user_text));
    }
    if (maker->origin_text.size) {
        buf_append_text(file, "-origin-");
        append_plain(file, buf_view(&maker->origin_text));
    }
    char digest[33] = "";
    if (file->size > FILE_NAME_MAX) {
        struct digest whole = digest_of(buf_view(file));
        digest_format(&whole, digest);
        buf_reset(file);
        buf_append_text(file, "-");
    }
    buf_reset(&maker->part);
    buf_append_text(&maker->part, "local_storage");
    buf_append_bytes(&maker->part, buf_view(file));
    buf_append_format(&maker->part, "%s.json", digest);
    buf_reset(file);
    buf_append_bytes(file, buf_view(&maker->part));
}

/* ---- which key */

/* `pattern` with the tenant and, for '*', what it matched. */
static bool fill_pattern(const struct export_maker *maker, const char *pattern,
                         const struct bytes *suffix, struct buf *out)
{
    buf_reset(out);
    for (const char *at = pattern; *at; at++) {
        if (strncmp(at, "{tenant}", 8) == 0) {
            if (maker->tenant.size == 0)
                return false;
            buf_append_bytes(out, maker->tenant);
            at += 7;
        } else if (*at == '*' && suffix) {
            buf_append_bytes(out, *suffix);
        } else {
            buf_append_char(out, *at);
        }
    }
    return !out->failed;
}

bool export_is_localstorage_key(struct export_maker *maker, const struct mapping *mapping,
                                struct bytes key)
{
    for (size_t i = 0; i < mapping->collect_key_count; i++)
        if (fill_pattern(maker, mapping->collect_keys[i], NULL, &maker->part) &&
            text_glob(buf_text(&maker->part), key))
            return true;
    return false;
}

/* The localStorage key of a record that is (part of) one key's value, into maker->key. */
static enum outcome find_key(struct export_maker *maker, const struct export_record *record,
                             struct error *err)
{
    const struct mapping *mapping = record->mapping;
    struct bytes suffix = buf_view(&maker->key);
    if (maker->has_key)
        return OUT_OK;
    for (size_t i = 0; i < mapping->collect_key_count; i++) {
        const char *pattern = mapping->collect_keys[i];
        if ((strchr(pattern, '*') != NULL) != maker->has_suffix)
            continue;
        if (!fill_pattern(maker, pattern, &suffix, &maker->part))
            continue;
        buf_reset(&maker->key);
        buf_append_bytes(&maker->key, buf_view(&maker->part));
        return OUT_OK;
    }
    return error_set(err, OUT_REJECT, ERR_EXPORT, "the record's storage key is not known");
}

/* ---- the forms */

static enum outcome give(struct export_maker *maker, const struct export_record *record,
                         struct bytes key, int64_t index, enum export_kind kind, struct error *err)
{
    struct export_record_text part = {
        .file = buf_view(&maker->file),
        .layout = EXPORT_LAYOUT_LOCALSTORAGE,
        .key = key,
        .index = index,
        .kind = kind,
        .id = record->id,
        .text = buf_view(&maker->text),
    };
    return export_give(maker, &part, err);
}

static enum outcome give_value(struct export_maker *maker, const struct export_record *record,
                               struct bytes key, yyjson_val *val, struct error *err)
{
    buf_reset(&maker->text);
    json_append(&maker->text, val);
    return give(maker, record, key, -1, EXPORT_JSON, err);
}

static enum outcome give_text(struct export_maker *maker, const struct export_record *record,
                              struct bytes key, yyjson_val *val, struct error *err)
{
    if (!yyjson_is_str(val))
        return error_set(err, OUT_REJECT, ERR_EXPORT, "the record holds no text");
    buf_reset(&maker->text);
    buf_append(&maker->text, yyjson_get_str(val), yyjson_get_len(val));
    return give(maker, record, key, -1, EXPORT_TEXT, err);
}

static enum outcome give_container(struct export_maker *maker, const struct export_record *record,
                                   struct error *err)
{
    yyjson_val *form = yyjson_obj_get(record->root, "form");
    yyjson_val *value = yyjson_obj_get(record->root, "value");
    struct bytes key = buf_view(&maker->key);
    buf_reset(&maker->text);
    if (yyjson_equals_str(form, "array"))
        return give(maker, record, key, -1, EXPORT_ARRAY, err);
    if (yyjson_equals_str(form, "value") && value)
        return give_value(maker, record, key, value, err);
    return error_set(err, OUT_REJECT, ERR_EXPORT, "the record does not say what its key held");
}

/* ---- what was merged */

/* As the codec chose: texts that are taken first, a pattern of merges may fit any key. */
static const struct collect_merge *find_merge(const struct mapping *mapping, struct bytes key)
{
    for (int taken = 1; taken >= 0; taken--)
        for (size_t i = 0; i < mapping->merge_count; i++)
            if (mapping->merges[i].take == taken && text_glob(mapping->merges[i].pattern, key))
                return &mapping->merges[i];
    return NULL;
}

static enum outcome give_merged(struct export_maker *maker, const struct export_record *record,
                                struct bytes key, yyjson_val *held, struct error *err)
{
    const struct collect_merge *merge = find_merge(record->mapping, key);
    yyjson_val *val = held;
    if (yyjson_is_true(held))
        val = merge ? yyjson_obj_get(record->root, merge->member) : NULL;
    if (!val)
        return error_set(err, OUT_REJECT, ERR_EXPORT,
                         "a key the record was merged from has nothing left in it");
    return merge && merge->take ? give_text(maker, record, key, val, err)
                                : give_value(maker, record, key, val, err);
}

static enum outcome give_keys(struct export_maker *maker, const struct export_record *record,
                              struct error *err)
{
    yyjson_val *keys = yyjson_obj_get(record->root, "keys"), *key;
    yyjson_obj_iter iter;
    enum outcome outcome = OUT_OK;
    if (!yyjson_is_obj(keys))
        return error_set(err, OUT_REJECT, ERR_EXPORT,
                         "the record does not say which keys it was merged from");
    yyjson_obj_iter_init(keys, &iter);
    while (outcome == OUT_OK && (key = yyjson_obj_iter_next(&iter)))
        outcome = give_merged(maker, record, bytes_of(yyjson_get_str(key), yyjson_get_len(key)),
                              yyjson_obj_iter_get_val(key), err);
    return outcome;
}

enum outcome export_make_localstorage(struct export_maker *maker,
                                      const struct export_record *record, struct error *err)
{
    name_storage(maker);
    if (record->mapping->expand == EXPAND_MERGE)
        return give_keys(maker, record, err);
    enum outcome outcome = find_key(maker, record, err);
    if (outcome != OUT_OK)
        return outcome;
    struct bytes key = buf_view(&maker->key);
    switch (record->mapping->expand) {
    case EXPAND_TEXT:
        return give_text(maker, record, key, yyjson_obj_get(record->root, "value"), err);
    case EXPAND_CONTAINER:
        return give_container(maker, record, err);
    case EXPAND_ELEMENTS:
        buf_reset(&maker->text);
        json_append(&maker->text, record->root);
        return give(maker, record, key, maker->index < 0 ? 0 : maker->index, EXPORT_ELEMENT, err);
    case EXPAND_VALUE:
    case EXPAND_MERGE:
        break;
    }
    return give_value(maker, record, key, record->root, err);
}
