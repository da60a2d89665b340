#include "common/policy/verify/diff_content.h"

#include <string.h>

#include "common/model/json/canonical.h"
#include "common/model/value/value_scalar.h"

#define SMALL_JSONB 1024
#define POOL_ROOM (16 * 1024) /* yyjson takes 12 bytes a byte of text */

static bool append_json(const struct value_type *type, struct cell cell, struct buf *out)
{
    char pool[POOL_ROOM];
    yyjson_alc alc;
    yyjson_doc *doc = NULL;
    if (type->array) {
        yyjson_mut_doc *made = yyjson_mut_doc_new(NULL);
        yyjson_mut_val *val = value_decode(type, cell, made);
        doc = val ? yyjson_mut_val_imut_copy(val, NULL) : NULL;
        yyjson_mut_doc_free(made);
    } else if (cell.size > 1 && cell.data[0] == 1 &&
               canonical_append_text(out, bytes_of(cell.data + 1, (size_t)cell.size - 1))) {
        return true;
    } else {
        bool small = cell.size <= SMALL_JSONB && yyjson_alc_pool_init(&alc, pool, sizeof pool);
        doc = value_parse_jsonb(cell, small ? &alc : NULL);
    }
    if (doc)
        canonical_append(out, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return doc != NULL;
}

void diff_content_append_cell(const struct value_type *type, struct cell cell, struct buf *out)
{
    size_t before = out->size;
    if (cell.size < 0) {
        buf_append_char(out, 'n');
        return;
    }
    if (type->array || type->base == VALUE_JSONB) {
        buf_append_char(out, 'j');
        if (append_json(type, cell, out)) {
            buf_append_char(out, '\0');
            return;
        }
        out->size = before;
    } else if (type->base == VALUE_NUMERIC) {
        buf_append_char(out, 'd');
        if (value_append_key(type, cell, out)) {
            buf_append_char(out, '\0');
            return;
        }
        out->size = before;
    }
    char head[5] = {'b', (char)(cell.size >> 24), (char)(cell.size >> 16), (char)(cell.size >> 8),
                    (char)cell.size};
    char *place = buf_extend(out, sizeof head + (size_t)cell.size);
    if (!place)
        return;
    memcpy(place, head, sizeof head);
    if (cell.size > 0)
        memcpy(place + sizeof head, cell.data, (size_t)cell.size);
}

#define KEPT_AT 8

static void append_cells(const struct mapping *mapping, const struct cell *cells, bool soft_too,
                         struct buf *out)
{
    for (size_t i = 0; i < mapping->column_count; i++)
        if (mapping->columns[i].key_at < 0 && (soft_too || (int)i != mapping->soft_column))
            diff_content_append_cell(&mapping->columns[i].type, cells[i], out);
}

bool diff_content_kept(const struct mapping *mapping, const struct cell *cells, struct buf *scratch,
                       struct digest *digest)
{
    buf_reset(scratch);
    append_cells(mapping, cells, false, scratch);
    if (scratch->failed)
        return false;
    struct digest kept = digest_of(buf_view(scratch));
    memcpy(digest->bytes + KEPT_AT, kept.bytes, sizeof digest->bytes - KEPT_AT);
    return true;
}

bool diff_content_join(const struct mapping *mapping, const struct digest *document,
                       const struct cell *cells, struct buf *scratch, struct digest *digest)
{
    *digest = *document;
    if (!cells || mapping_row_is_told(mapping, cells))
        return true;
    buf_reset(scratch);
    buf_append(scratch, document->bytes, sizeof document->bytes);
    append_cells(mapping, cells, true, scratch);
    if (scratch->failed)
        return false;
    *digest = digest_of(buf_view(scratch));
    return mapping->on_delete != DELETE_SOFT || diff_content_kept(mapping, cells, scratch, digest);
}

bool diff_content_digest(const struct mapping *mapping, yyjson_val *root, const struct cell *cells,
                         struct buf *scratch, struct digest *digest)
{
    struct digest document;
    return canonical_digest(root, scratch, &document) &&
           diff_content_join(mapping, &document, cells, scratch, digest);
}

bool diff_content_changes(const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->column_count; i++)
        if (mapping->columns[i].fill || mapping->columns[i].decode_json)
            return true;
    return false;
}

bool diff_content_tolerates(const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->column_count; i++)
        if (mapping->columns[i].tolerance > 0)
            return true;
    return false;
}
