/* Reading what secret_guard.c wrote, and what a worker asks of it before it writes a row. */

#include "common/policy/secrets/secret_sealed.h"

#include <string.h>

#include "common/model/mapping/secret_mark.h"
#include "common/policy/secrets/secret_box.h"
#include "common/policy/secrets/secret_text.h"

static bool take_size(struct bytes sealed, size_t *at, size_t max, size_t *size)
{
    if (sealed.size - *at < 4)
        return false;
    const unsigned char *bytes = (const unsigned char *)sealed.data + *at;
    *size =
        (size_t)bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 24;
    *at += 4;
    return *size <= max && *size <= sealed.size - *at;
}

static bool take_box(struct bytes sealed, size_t *at, struct sealed_box *box)
{
    size_t size;
    if (!take_size(sealed, at, SECRET_FIELD_MAX, &size))
        return false;
    box->field = bytes_of(sealed.data + *at, size);
    *at += size;
    if (sealed.size - *at < SECRET_REFERENCE_SIZE)
        return false;
    box->reference = bytes_of(sealed.data + *at, SECRET_REFERENCE_SIZE);
    *at += SECRET_REFERENCE_SIZE;
    if (!take_size(sealed, at, SECRET_SEALED_MAX, &size))
        return false;
    box->box = bytes_of(sealed.data + *at, size);
    *at += size;
    return secret_box_key_id(box->box) && memcmp(box->reference.data, "sec_", 4) == 0;
}

bool secret_sealed_next(struct bytes sealed, size_t *at, struct sealed_box *box, bool *bad)
{
    *bad = false;
    if (*at >= sealed.size)
        return false;
    *bad = !take_box(sealed, at, box);
    return !*bad;
}

/* ---- asked before a row is written ---- */

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

/* What stands for a secret in JSON; inside a string its quotes would have backslashes. */
#define JSON_MARK "{\"" MARK_SEALED "\":\"sec_"

static bool has_boxes_of_marks(struct bytes sealed, struct bytes json)
{
    const char *at = json.data, *end = json.data + json.size;
    const size_t before = sizeof JSON_MARK - 1 - 4; /* of "sec_" */
    while ((at = memmem(at, (size_t)(end - at), JSON_MARK, sizeof JSON_MARK - 1))) {
        at += before;
        if ((size_t)(end - at) > SECRET_REFERENCE_SIZE && at[SECRET_REFERENCE_SIZE] == '"' &&
            !has_box(sealed, bytes_of(at, SECRET_REFERENCE_SIZE)))
            return false;
    }
    return true;
}

static bool has_boxes_of_texts(struct bytes sealed, struct bytes text)
{
    struct secret_text_mark mark;
    for (size_t at = 0; secret_text_next(text, &at, &mark);)
        if (mark.kind == SECRET_TEXT_SEALED && !has_box(sealed, mark.reference))
            return false;
    return true;
}

static bool has_boxes(struct bytes sealed, const struct column *column, struct bytes cell)
{
    if (column->seal)
        return has_box(sealed, cell);
    if (cell.size == 0 || !memchr(cell.data, '$', cell.size))
        return true; /* every mark has one */
    enum value_base base = column->type.base;
    if (base != VALUE_TEXT && base != VALUE_VARCHAR && base != VALUE_JSONB)
        return true;
    return has_boxes_of_texts(sealed, cell) &&
           (base != VALUE_JSONB || has_boxes_of_marks(sealed, cell));
}

enum outcome secret_sealed_check(struct bytes sealed, const struct mapping *mapping,
                                 const struct row *row, struct error *err)
{
    if (is_malformed(sealed))
        return error_set(err, OUT_REJECT, ERR_SECRET_PLAIN,
                         "the header with the sealed values is malformed");
    for (size_t i = 0; !row->deleted && i < mapping->column_count; i++) {
        const struct column *column = &mapping->columns[i];
        const struct cell *cell = &row->cells[i];
        if (cell->size < 0 || has_boxes(sealed, column, bytes_of(cell->data, (size_t)cell->size)))
            continue;
        error_set(err, OUT_REJECT, ERR_SECRET_PLAIN,
                  "a sealed value of column %s did not come with the record", column->name);
        error_where(err, "%s.%s (%s:%d)", mapping->table, column->name, mapping->file,
                    column->line);
        return OUT_REJECT;
    }
    return OUT_OK;
}
