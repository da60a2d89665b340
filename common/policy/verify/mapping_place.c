#include "common/policy/verify/mapping_place.h"

#include <string.h>

#include "common/base/text.h"
#include "common/policy/html_out.h"

#define FILE_SHOWN_MAX 400   /* bytes of a file's name that are shown */
#define COLUMN_SHOWN_MAX 120 /* of a column's */

static const struct bytes COLUMN = BYTES_LITERAL("column ");

static bool is_named(const struct column *column, struct bytes path)
{
    return path.size > COLUMN.size && memcmp(path.data, COLUMN.data, COLUMN.size) == 0 &&
           bytes_equal(bytes_text(column->name),
                       bytes_of(path.data + COLUMN.size, path.size - COLUMN.size));
}

/* `inner` is `outer`, or stands below it. */
static bool is_below(struct bytes inner, struct bytes outer)
{
    return inner.size >= outer.size && memcmp(inner.data, outer.data, outer.size) == 0 &&
           (inner.size == outer.size || inner.data[outer.size] == '/');
}

/* The one whose member is nearest to the path: the longest that is around it, or any within it. */
const struct column *mapping_place_find(const struct mapping *mapping, struct bytes path)
{
    const struct column *around = NULL, *within = NULL;
    size_t longest = 0;
    if (!path.size) /* the record as a whole */
        return NULL;
    for (size_t i = 0; i < mapping->column_count; i++) {
        const struct column *column = &mapping->columns[i];
        if (is_named(column, path))
            return column;
        for (size_t p = 0; p < column->pointer_count; p++) {
            struct bytes pointer = bytes_text(column->pointers[p]);
            if (is_below(path, pointer) && (!around || pointer.size > longest)) {
                around = column;
                longest = pointer.size;
            } else if (!within && is_below(pointer, path)) {
                within = column;
            }
        }
    }
    if (around || within)
        return around ? around : within;
    bool is_member = path.data[0] == '/';
    return is_member && mapping->rest_at >= 0 ? &mapping->columns[mapping->rest_at] : NULL;
}

void mapping_place_append_column(const struct mapping_set *mappings, struct bytes entity,
                                 struct bytes path, struct buf *out)
{
    const struct mapping *mapping = mappings ? mapping_set_find(mappings, entity) : NULL;
    const struct column *column = mapping ? mapping_place_find(mapping, path) : NULL;
    if (!column)
        return;
    buf_append_text(out, "<br /><span class=\"dim\">column ");
    html_append_outside(out, bytes_text(column->name), COLUMN_SHOWN_MAX);
    buf_append_text(out, ", ");
    html_append_outside(out, bytes_text(mapping->file ? mapping->file : "mapping"), FILE_SHOWN_MAX);
    if (column->line > 0) /* the rest column may have none of its own */
        buf_append_format(out, ":%d", column->line);
    buf_append_text(out, "</span>");
}

void mapping_place_append_file(const struct mapping_set *mappings, struct bytes entity,
                               struct buf *out)
{
    const struct mapping *mapping = mappings ? mapping_set_find(mappings, entity) : NULL;
    if (!mapping || !mapping->file)
        return;
    buf_append_text(out, " by <span class=\"mono\">");
    html_append_outside(out, bytes_text(mapping->file), FILE_SHOWN_MAX);
    buf_append_text(out, "</span>");
}
