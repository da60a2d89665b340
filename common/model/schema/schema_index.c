/*
 * Indexes of a mapping's table. The tenant comes first in each: without it a unique index would
 * tell one tenant what another has (FAULTS I07), and a plain one would not help, as every query
 * names the tenant.
 */
#include <ctype.h>
#include <string.h>

#include "common/model/schema/schema_sql.h"

/* An index item taken apart: `name` or `(expression)`, then nothing or a direction. */
struct item {
    struct bytes body;
    bool expression;
    const char *direction; /* "", " DESC" */
};

static bool ends_with(struct bytes text, const char *end)
{
    size_t size = strlen(end);
    return text.size > size && memcmp(text.data + text.size - size, end, size) == 0;
}

static struct item take_apart(const char *text)
{
    struct item item = {.body = bytes_text(text), .direction = ""};
    if (ends_with(item.body, " DESC")) {
        item.direction = " DESC";
        item.body.size -= strlen(" DESC");
    } else if (ends_with(item.body, " ASC")) {
        item.body.size -= strlen(" ASC");
    }
    item.expression = item.body.size && item.body.data[0] == '(';
    return item;
}

static bool is_name(struct bytes text)
{
    bool ok = text.size > 0 && text.size <= 63 && !isdigit((unsigned char)text.data[0]);
    for (size_t i = 0; i < text.size && ok; i++) {
        unsigned char c = (unsigned char)text.data[i];
        ok = islower(c) || isdigit(c) || c == '_';
    }
    return ok;
}

/* The expression must end where its first parenthesis closes, and hold nothing that ends a
 * statement, begins a comment or another way of quoting: so it stays where it is put. */
static bool is_enclosed(struct bytes text)
{
    int depth = 0;
    char quote = 0;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        char next = i + 1 < text.size ? text.data[i + 1] : 0;
        if (quote) {
            quote = c == quote ? 0 : quote;
            continue;
        }
        if (c == '\'' || c == '"')
            quote = c;
        bool comment = (c == '-' && next == '-') || (c == '/' && next == '*');
        if (comment || strchr(";\\$", c) || iscntrl((unsigned char)c))
            return false;
        depth += (c == '(') - (c == ')');
        if (depth == 0 && i + 1 < text.size)
            return false;
    }
    return depth == 0 && !quote;
}

enum outcome schema_index_check(const struct mapping *mapping, struct error *err)
{
    for (size_t i = 0; i < mapping->index_count; i++) {
        const struct mapping_index *index = &mapping->indexes[i];
        for (size_t j = 0; j < index->column_count; j++) {
            struct item item = take_apart(index->columns[j]);
            if (item.expression ? is_enclosed(item.body) : is_name(item.body))
                continue;
            enum outcome outcome = error_set(err, OUT_FATAL, ERR_MAPPING,
                                             "index %s has a column that is neither a "
                                             "name nor an expression in parentheses",
                                             index->name);
            error_where(err, "%s", mapping->file);
            error_hint(err,
                       "write a column, \"column DESC\", or \"(lower(column))\"; no semicolon, "
                       "comment, backslash or dollar sign");
            return outcome;
        }
    }
    return OUT_OK;
}

static bool names_tenant(const struct mapping_index *index)
{
    for (size_t i = 0; i < index->column_count; i++)
        if (strstr(index->columns[i], "isolation_key"))
            return true;
    return false;
}

static bool begins_with_tenant(const struct mapping_index *index)
{
    return index->column_count && strcmp(index->columns[0], "isolation_key") == 0;
}

static void append_item(struct buf *out, const char *text)
{
    struct item item = take_apart(text);
    if (item.expression) {
        buf_append_bytes(out, item.body);
    } else {
        buf_append_char(out, '"');
        buf_append_bytes(out, item.body);
        buf_append_char(out, '"');
    }
    buf_append_text(out, item.direction);
}

void schema_index_sql(struct buf *out, const struct mapping *mapping,
                      const struct mapping_index *index, const char *schema)
{
    bool given = index->unique ? begins_with_tenant(index) : names_tenant(index);
    buf_append_text(out, index->unique ? "CREATE UNIQUE INDEX " : "CREATE INDEX ");
    schema_sql_identifier(out, index->name);
    buf_append_text(out, " ON ");
    schema_sql_identifier(out, schema);
    buf_append_char(out, '.');
    schema_sql_identifier(out, mapping->table);
    buf_append_text(out, given ? " (" : " (isolation_key, ");
    for (size_t i = 0; i < index->column_count; i++) {
        if (i)
            buf_append_text(out, ", ");
        append_item(out, index->columns[i]);
    }
    buf_append_text(out, ");\n");
}
