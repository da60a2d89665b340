#include "common/policy/diff_content.h"

#include "common/model/canonical.h"

bool diff_content_is_outside(const struct column *column)
{
    switch (column->source) {
    case FROM_KEY:
    case FROM_KEY_SUFFIX:
    case FROM_INDEX:
    case FROM_INDEX1:
        return column->key_at < 0;
    default:
        return false; /* in the document, or checked by mapping_inverse */
    }
}

bool diff_content_digest(const struct mapping *mapping, yyjson_val *root, const struct cell *cells,
                         struct buf *scratch, struct digest *digest)
{
    buf_reset(scratch);
    canonical_append(scratch, root);
    for (size_t i = 0; cells && i < mapping->column_count; i++) {
        if (!diff_content_is_outside(&mapping->columns[i]))
            continue;
        buf_append_char(scratch, cells[i].size < 0 ? 'n' : 'v');
        if (cells[i].size >= 0 && !value_append_key(&mapping->columns[i].type, cells[i], scratch))
            buf_append(scratch, cells[i].data, (size_t)cells[i].size);
        buf_append_char(scratch, '\0');
    }
    if (scratch->failed)
        return false;
    *digest = digest_of(buf_view(scratch));
    return true;
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
