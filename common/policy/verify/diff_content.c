#include "common/policy/verify/diff_content.h"

#include <string.h>

#include "common/model/json/canonical.h"
#include "common/model/value/value_scalar.h"

static bool append_json(const struct value_type *type, struct cell cell, struct buf *out)
{
    yyjson_doc *doc = NULL;
    if (type->array) {
        yyjson_mut_doc *made = yyjson_mut_doc_new(NULL);
        yyjson_mut_val *val = value_decode(type, cell, made);
        doc = val ? yyjson_mut_val_imut_copy(val, NULL) : NULL;
        yyjson_mut_doc_free(made);
    } else {
        doc = value_parse_jsonb(cell, NULL);
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
    buf_append_char(out, 'b');
    buf_append_be32(out, (uint32_t)cell.size);
    buf_append(out, cell.data, (size_t)cell.size);
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
    if (!cells)
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
