/* What a worker asks of the header before it writes a row. */

#include "common/policy/secret_guard.h"

static bool has_box(struct bytes sealed, struct bytes reference)
{
    struct sealed_box box;
    bool bad;
    for (size_t at = 0; secret_sealed_next(sealed, &at, &box, &bad);)
        if (bytes_equal(box.reference, reference))
            return true;
    return false;
}

static bool is_malformed(struct bytes sealed)
{
    struct sealed_box box;
    bool bad = false;
    for (size_t at = 0; secret_sealed_next(sealed, &at, &box, &bad);)
        continue;
    return bad;
}

enum outcome secret_sealed_check(struct bytes sealed, const struct mapping *mapping,
                                 const struct row *row, struct error *err)
{
    if (is_malformed(sealed))
        return error_set(err, OUT_REJECT, ERR_SECRET_PLAIN,
                         "the header with the sealed values is malformed");
    for (size_t i = 0; mapping->seal_count && !row->deleted && i < mapping->column_count; i++) {
        const struct column *column = &mapping->columns[i];
        const struct cell *cell = &row->cells[i];
        if (!column->seal || cell->size < 0 ||
            has_box(sealed, bytes_of(cell->data, (size_t)cell->size)))
            continue;
        error_set(err, OUT_REJECT, ERR_SECRET_PLAIN,
                  "the sealed value of column %s did not come with the record", column->name);
        error_where(err, "%s.%s (%s:%d)", mapping->table, column->name, mapping->file,
                    column->line);
        return OUT_REJECT;
    }
    return OUT_OK;
}
