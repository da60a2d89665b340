/*
 * What a mapping's table has beyond the columns of its mapping: foreign keys within the tenant (a
 * key never reaches over to another one, as the tenant is its first column), and what its delete
 * policy needs.
 */
#include <string.h>

#include "common/model/schema/schema_sql.h"

const char *schema_worker_rights(const struct mapping *mapping)
{
    return mapping->on_delete == DELETE_HARD ? SCHEMA_WORKER_RIGHTS ", DELETE"
                                             : SCHEMA_WORKER_RIGHTS;
}

static void append_columns(struct buf *out, const struct mapping *mapping,
                           const struct mapping_reference *reference)
{
    buf_append_text(out, "isolation_key");
    for (size_t i = 0; i < reference->column_count; i++) {
        buf_append_text(out, ", ");
        schema_sql_identifier(out, mapping->columns[reference->columns[i]].name);
    }
}

void schema_reference_sql(struct buf *out, const struct mapping *mapping, size_t number,
                          const struct mapping *parent)
{
    buf_append_text(out, "ALTER TABLE ");
    schema_sql_table_name(out, mapping);
    buf_append_format(out, " ADD CONSTRAINT " SCHEMA_REFERENCE "%zu FOREIGN KEY (", number + 1);
    append_columns(out, mapping, &mapping->references[number]);
    buf_append_text(out, ")\n    REFERENCES ");
    schema_sql_table_name(out, parent);
    buf_append_text(out, " (isolation_key");
    for (size_t k = 0; k < parent->key_count; k++) {
        buf_append_text(out, ", ");
        schema_sql_identifier(out, parent->columns[parent->key[k]].name);
    }
    buf_append_text(out, ") ON DELETE NO ACTION;\n");
}

const struct mapping *schema_reference_parent(const struct mapping_reference *reference,
                                              struct mapping *const *mappings, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(mappings[i]->entity, reference->entity) == 0)
            return mappings[i];
    return NULL;
}
