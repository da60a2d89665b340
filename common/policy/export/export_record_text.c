/* What stands outside the record ($key, $index, $user …), and the forms. */
#include "common/policy/export/export_record_text.h"

#include <string.h>

#include "common/base/text.h"
#include "common/model/json/json.h"
#include "common/policy/collect/collect.h"

#define NAME_BYTES_MAX (1u << 20)
#define TEXT_MAX (512u << 20)
#define FILE_NAME_MAX 200 /* file systems take 255 bytes; the folder's own files need an ending */

static int compare_numbers(int64_t a, int64_t b)
{
    return (a > b) - (a < b);
}

int export_record_text_compare(const struct export_record_text *a,
                               const struct export_record_text *b)
{
    int order = bytes_compare(a->file, b->file);
    order = order ? order : bytes_compare(a->group, b->group);
    order = order ? order : bytes_compare(a->key, b->key);
    order = order ? order : compare_numbers(a->index, b->index);
    order = order ? order : compare_numbers(a->kind, b->kind);
    return order ? order : bytes_compare(a->id, b->id);
}

void export_maker_init(struct export_maker *maker, enum export_form form, struct bytes tenant,
                       export_take take, void *owner)
{
    *maker = (struct export_maker){.form = form, .tenant = tenant, .take = take, .owner = owner};
    buf_init(&maker->file, NAME_BYTES_MAX);
    buf_init(&maker->key, NAME_BYTES_MAX);
    buf_init(&maker->text, TEXT_MAX);
    buf_init(&maker->user_text, NAME_BYTES_MAX);
    buf_init(&maker->origin_text, NAME_BYTES_MAX);
    buf_init(&maker->part, NAME_BYTES_MAX);
}

void export_maker_free(struct export_maker *maker)
{
    buf_free(&maker->file);
    buf_free(&maker->key);
    buf_free(&maker->text);
    buf_free(&maker->user_text);
    buf_free(&maker->origin_text);
    buf_free(&maker->part);
}

bool export_has_form(const struct mapping *mapping, enum export_form form)
{
    switch (form) {
    case EXPORT_LOCALSTORAGE:
        return mapping->collect_key_count > 0 || mapping->merge_count > 0;
    case EXPORT_MAP_DUMP:
        return mapping->collect_map_count > 0;
    case EXPORT_FILE:
        break;
    }
    /* a mapping that names no source at all is used with --entity, for files */
    return mapping->collect_file_count > 0 ||
           (mapping->collect_key_count == 0 && mapping->collect_map_count == 0);
}

/* ---- what is outside the record */

/* The id's part `at`, decoded. */
static bool id_part(struct bytes id, size_t at, struct buf *out)
{
    const char *from = id.data, *end = id.data + id.size;
    for (;; at--) {
        const char *colon = from < end ? memchr(from, ':', (size_t)(end - from)) : NULL;
        const char *stop = colon ? colon : end;
        if (at == 0)
            return text_percent_decode(out, bytes_of(from, (size_t)(stop - from)));
        if (!colon)
            return false;
        from = colon + 1;
    }
}

/* The column's text into `out`; false when the record does not tell it, or it is NULL. */
static bool outside_text(const struct export_record *record, size_t at, struct buf *out)
{
    const struct column *column = &record->mapping->columns[at];
    buf_reset(out);
    if (record->cells)
        return record->cells[at].size >= 0 &&
               value_append_key(&column->type, record->cells[at], out) && !out->failed;
    return column->key_at >= 0 && id_part(record->id, (size_t)column->key_at, out) && !out->failed;
}

static void take_index(struct export_maker *maker, const struct export_record *record, size_t at)
{
    int64_t number;
    bool from_one = record->mapping->columns[at].source == FROM_INDEX1;
    if (outside_text(record, at, &maker->part) && text_parse_int64(buf_view(&maker->part), &number))
        maker->index = number - from_one;
}

/* Records of a mapping without $user or $origin are everybody's: whoever's is asked for. */
static void read_outside(struct export_maker *maker, const struct export_record *record)
{
    buf_reset(&maker->key);
    buf_reset(&maker->user_text);
    buf_reset(&maker->origin_text);
    buf_append_text(&maker->user_text, maker->user ? maker->user : "");
    buf_append_text(&maker->origin_text, maker->web_origin ? maker->web_origin : "");
    maker->has_key = maker->has_suffix = false;
    maker->index = -1;
    for (size_t i = 0; i < record->mapping->column_count; i++) {
        switch (record->mapping->columns[i].source) {
        case FROM_KEY:
            maker->has_key = outside_text(record, i, &maker->key);
            break;
        case FROM_KEY_SUFFIX:
            if (!maker->has_key)
                maker->has_suffix = outside_text(record, i, &maker->key);
            break;
        case FROM_INDEX:
        case FROM_INDEX1:
            take_index(maker, record, i);
            break;
        case FROM_USER:
            if (!outside_text(record, i, &maker->user_text))
                buf_reset(&maker->user_text);
            break;
        case FROM_ORIGIN:
            if (!outside_text(record, i, &maker->origin_text))
                buf_reset(&maker->origin_text);
            break;
        default:
            break;
        }
    }
}

/* Hands a text over that was made of maker's buffers. */
static enum outcome hand_over(struct export_maker *maker,
                              const struct export_record_text *record_text, struct error *err)
{
    if (maker->text.failed || maker->key.failed || maker->file.failed || maker->part.failed)
        return error_set(err, OUT_REJECT, ERR_EXPORT, "the record is too large to be exported");
    maker->take(maker->owner, record_text);
    return OUT_OK;
}

/* ---- values of a browser's localStorage, as collect_localstorage.c reads them */

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

static bool is_localstorage_key(struct export_maker *maker, const struct mapping *mapping,
                                struct bytes key)
{
    for (size_t i = 0; i < mapping->collect_key_count; i++)
        if (fill_pattern(maker, mapping->collect_keys[i], NULL, &maker->part) &&
            text_glob(buf_text(&maker->part), key))
            return true;
    return false;
}

/* The localStorage key of a record that is (part of) one key's value, into maker->key. */
static enum outcome find_localstorage_key(struct export_maker *maker,
                                          const struct export_record *record, struct error *err)
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

static enum outcome give_localstorage(struct export_maker *maker,
                                      const struct export_record *record, struct bytes key,
                                      int64_t index, enum export_kind kind, struct error *err)
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
    return hand_over(maker, &part, err);
}

static enum outcome give_value(struct export_maker *maker, const struct export_record *record,
                               struct bytes key, yyjson_val *val, struct error *err)
{
    buf_reset(&maker->text);
    json_append(&maker->text, val);
    return give_localstorage(maker, record, key, -1, EXPORT_JSON, err);
}

static enum outcome give_text(struct export_maker *maker, const struct export_record *record,
                              struct bytes key, yyjson_val *val, struct error *err)
{
    if (!yyjson_is_str(val))
        return error_set(err, OUT_REJECT, ERR_EXPORT, "the record holds no text");
    buf_reset(&maker->text);
    buf_append(&maker->text, yyjson_get_str(val), yyjson_get_len(val));
    return give_localstorage(maker, record, key, -1, EXPORT_TEXT, err);
}

static enum outcome give_container(struct export_maker *maker, const struct export_record *record,
                                   struct error *err)
{
    yyjson_val *form = yyjson_obj_get(record->root, "form");
    yyjson_val *value = yyjson_obj_get(record->root, "value");
    struct bytes key = buf_view(&maker->key);
    buf_reset(&maker->text);
    if (yyjson_equals_str(form, "array"))
        return give_localstorage(maker, record, key, -1, EXPORT_ARRAY, err);
    if (yyjson_equals_str(form, "value") && value)
        return give_value(maker, record, key, value, err);
    return error_set(err, OUT_REJECT, ERR_EXPORT, "the record does not say what its key held");
}

/* ---- what was merged */

static enum outcome give_merged(struct export_maker *maker, const struct export_record *record,
                                struct bytes key, yyjson_val *held, struct error *err)
{
    const struct collect_merge *merge = collect_merge_of(record->mapping, key);
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
        outcome = give_merged(maker, record, json_text_of(key), yyjson_obj_iter_get_val(key), err);
    return outcome;
}

static enum outcome make_localstorage(struct export_maker *maker,
                                      const struct export_record *record, struct error *err)
{
    name_storage(maker);
    if (record->mapping->expand == EXPAND_MERGE)
        return give_keys(maker, record, err);
    enum outcome outcome = find_localstorage_key(maker, record, err);
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
        return give_localstorage(maker, record, key, maker->index < 0 ? 0 : maker->index,
                                 EXPORT_ELEMENT, err);
    case EXPAND_VALUE:
    case EXPAND_MERGE:
        break;
    }
    return give_value(maker, record, key, record->root, err);
}

/* ---- entries of a program's maps: collect_maps.c's inverse */

#define MAPS_FILE BYTES_LITERAL("maps.json")

static enum outcome give_entry(struct export_maker *maker, const struct export_record *record,
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
    return hand_over(maker, &part, err);
}

/* The map's key: the one it had, or the id, which a key of one column decodes to. */
static void find_map_key(struct export_maker *maker, const struct export_record *record)
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
    struct bytes id = json_text_of(yyjson_obj_get(joined, "id"));
    buf_reset(out);
    buf_append_bytes(out, id);
    return id.data != NULL;
}

static enum outcome make_maps(struct export_maker *maker, const struct export_record *record,
                              struct error *err)
{
    const struct mapping *mapping = record->mapping;
    const struct collect_join *join = mapping->join;
    yyjson_val *joined =
        join && yyjson_is_obj(record->root) ? yyjson_obj_get(record->root, join->member) : NULL;
    find_map_key(maker, record);
    buf_reset(&maker->text);
    if (joined)
        append_without(&maker->text, record->root, join->member);
    else
        json_append(&maker->text, record->root);
    enum outcome outcome =
        give_entry(maker, record, mapping->collect_maps[0], buf_view(&maker->key), err);
    if (outcome != OUT_OK || !joined)
        return outcome;
    if (!joined_key(joined, &maker->key))
        return error_set(err, OUT_REJECT, ERR_EXPORT, "a joined record has no id of its own");
    buf_reset(&maker->text);
    json_append(&maker->text, joined);
    return give_entry(maker, record, join->collection, buf_view(&maker->key), err);
}

/* ---- which record is wanted */

/* A mapping of both forms keeps in one column what was a localStorage key or a map's. */
static bool came_otherwise(struct export_maker *maker, const struct export_record *record)
{
    const struct mapping *mapping = record->mapping;
    if (maker->form == EXPORT_FILE || mapping->collect_key_count == 0 ||
        mapping->collect_map_count == 0 || !record->cells)
        return false;
    bool localstorage =
        maker->has_key && is_localstorage_key(maker, mapping, buf_view(&maker->key));
    return localstorage != (maker->form == EXPORT_LOCALSTORAGE);
}

static bool is_wanted(const struct export_maker *maker)
{
    return (!maker->user || bytes_equal(buf_view(&maker->user_text), bytes_text(maker->user))) &&
           (!maker->web_origin ||
            bytes_equal(buf_view(&maker->origin_text), bytes_text(maker->web_origin)));
}

bool export_wants(struct export_maker *maker, const struct export_record *record)
{
    read_outside(maker, record);
    return is_wanted(maker);
}

/* ---- files */

static bool ends_in(struct bytes text, const char *end)
{
    size_t size = strlen(end);
    return text.size >= size && memcmp(text.data + text.size - size, end, size) == 0;
}

/* The first pattern without its wildcards; what would be nothing but an ending gets the entity in
 * front. Compressed names lose that ending. */
static void name_file(struct export_maker *maker, const struct mapping *mapping)
{
    const char *pattern = mapping->collect_file_count ? mapping->collect_files[0] : "*.json";
    buf_reset(&maker->file);
    if (pattern[0] == '*' && (pattern[1] == '.' || pattern[1] == '\0'))
        buf_append_text(&maker->file, mapping->entity);
    for (; *pattern; pattern++)
        if (*pattern != '*' && *pattern != '?')
            text_percent_encode(&maker->file, bytes_of(pattern, 1));
    if (ends_in(buf_view(&maker->file), ".gz"))
        maker->file.size -= 3;
    else if (ends_in(buf_view(&maker->file), ".zst"))
        maker->file.size -= 4;
}

static bool is_keyed(const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->column_count; i++)
        if (mapping->columns[i].source == FROM_KEY || mapping->columns[i].source == FROM_KEY_SUFFIX)
            return true;
    return false;
}

static enum outcome make_file(struct export_maker *maker, const struct export_record *record,
                              struct error *err)
{
    struct export_record_text part = {.kind = EXPORT_JSON, .id = record->id, .index = maker->index};
    name_file(maker, record->mapping);
    part.file = buf_view(&maker->file);
    if (is_keyed(record->mapping)) {
        if (!maker->has_key && !maker->has_suffix)
            return error_set(err, OUT_REJECT, ERR_EXPORT,
                             "the record's name in its file is not known");
        part.layout = EXPORT_LAYOUT_KEYED;
        part.key = buf_view(&maker->key);
    } else {
        bool lines = ends_in(part.file, ".ndjson") || ends_in(part.file, ".jsonl");
        part.layout = lines ? EXPORT_LAYOUT_LINES : EXPORT_LAYOUT_LIST;
    }
    buf_reset(&maker->text);
    json_append(&maker->text, record->root);
    part.text = buf_view(&maker->text);
    return hand_over(maker, &part, err);
}

enum outcome export_make(struct export_maker *maker, const struct export_record *record,
                         struct error *err)
{
    read_outside(maker, record);
    if (came_otherwise(maker, record)) {
        maker->elsewhere++;
        return OUT_OK;
    }
    if (!is_wanted(maker))
        return OUT_OK;
    switch (maker->form) {
    case EXPORT_LOCALSTORAGE:
        return make_localstorage(maker, record, err);
    case EXPORT_MAP_DUMP:
        return make_maps(maker, record, err);
    case EXPORT_FILE:
        break;
    }
    return make_file(maker, record, err);
}
