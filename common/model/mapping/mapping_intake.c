/* What of a mapping decides on a producer's messages: who a record is and what is taken out of it.
 * Columns that are no part of the key are the worker's business alone. */
#include "common/model/mapping/mapping.h"

/* With its NUL, so that no two lists of texts look alike; "-" of none, which no pointer is. */
static void append(struct buf *out, const char *text)
{
    buf_append_text(out, text ? text : "-");
    buf_append_char(out, '\0');
}

static void append_all(struct buf *out, const char *const *texts, size_t count)
{
    buf_append_be64(out, count);
    for (size_t i = 0; i < count; i++)
        append(out, texts[i]);
}

/* What a key's text is made of is said below: a column that says more is not looked into. */
static bool is_plain(const struct column *column)
{
    return !column->fill && !column->allow && !column->has_min && !column->has_max &&
           !column->decode_json;
}

static bool is_told_by_parts(const struct mapping *mapping)
{
    bool plain = mapping->collect_key_count == 0 && mapping->collect_map_count == 0;
    for (size_t i = 0; i < mapping->key_count; i++)
        plain = plain && is_plain(&mapping->columns[mapping->key[i]]);
    return plain;
}

bool mapping_uses_index(const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->column_count; i++)
        if (mapping->columns[i].source == FROM_INDEX || mapping->columns[i].source == FROM_INDEX1)
            return true;
    return false;
}

static void append_key(struct buf *out, const struct column *column)
{
    buf_append_be64(out, (uint64_t)column->source);
    buf_append_be64(out, (uint64_t)column->type.form);
    value_type_append_sql(out, &column->type);
    append_all(out, column->pointers, column->pointer_count);
}

void mapping_append_intake(const struct mapping *mapping, struct buf *out)
{
    append(out, mapping->entity);
    if (!is_told_by_parts(mapping)) {
        buf_append(out, mapping->fingerprint.bytes, sizeof mapping->fingerprint.bytes);
        return;
    }
    buf_append_be64(out, (uint64_t)mapping->unicode);
    buf_append_be64(out, (uint64_t)mapping->version_source);
    buf_append_be64(out, mapping_uses_index(mapping));
    append(out, mapping->version_pointer);
    append(out, mapping->tenant_pointer);
    append_all(out, mapping->seal_pointers, mapping->seal_count);
    append_all(out, mapping->withhold_pointers, mapping->withhold_count);
    for (size_t i = 0; i < mapping->key_count; i++)
        append_key(out, &mapping->columns[mapping->key[i]]);
}
