/* What stands outside the record ($key, $index, $user …), and the file form. */
#include "common/policy/export/export_record_text.h"

#include <string.h>

#include "common/base/text.h"
#include "common/model/json/json.h"

#define NAME_BYTES_MAX (1u << 20)
#define TEXT_MAX (512u << 20)

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

/* A mapping of both forms keeps in one column what was a localStorage key or a map's. */
static bool came_otherwise(struct export_maker *maker, const struct export_record *record)
{
    const struct mapping *mapping = record->mapping;
    if (maker->form == EXPORT_FILE || mapping->collect_key_count == 0 ||
        mapping->collect_map_count == 0 || !record->cells)
        return false;
    bool localstorage =
        maker->has_key && export_is_localstorage_key(maker, mapping, buf_view(&maker->key));
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
    return export_give(maker, &part, err);
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
        return export_make_localstorage(maker, record, err);
    case EXPORT_MAP_DUMP:
        return export_make_maps(maker, record, err);
    case EXPORT_FILE:
        break;
    }
    return make_file(maker, record, err);
}
