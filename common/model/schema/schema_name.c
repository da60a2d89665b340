/* Names and literals in SQL. */
#include "common/model/schema/schema_sql.h"

static void quote(struct buf *out, const char *text, char mark)
{
    buf_append_char(out, mark);
    for (; *text; text++) {
        if (*text == mark)
            buf_append_char(out, mark);
        buf_append_char(out, *text);
    }
    buf_append_char(out, mark);
}

void schema_sql_identifier(struct buf *out, const char *name)
{
    quote(out, name, '"');
}

/* Sessions have standard_conforming_strings on, so a backslash is itself. */
void schema_sql_literal(struct buf *out, const char *text)
{
    quote(out, text, '\'');
}

void schema_sql_table_in(struct buf *out, const struct mapping *mapping, const char *schema)
{
    schema_sql_identifier(out, schema);
    buf_append_char(out, '.');
    schema_sql_identifier(out, mapping->table);
}

void schema_sql_table_name(struct buf *out, const struct mapping *mapping)
{
    schema_sql_table_in(out, mapping, mapping->schema);
}
