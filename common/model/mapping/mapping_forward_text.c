/*
 * The column program forward for those who ask no cells: who compares a record by its canonical
 * text needs its id, its version and that text's digest, and to know that mapping_forward takes
 * the record and leaves nothing of it to the rest. Then no document is made.
 *
 * It says what mapping_forward says or nothing at all: whatever that one would have to decide (a
 * member that no column takes, a value that does not come back as it was, one that is refused) is
 * left to it.
 */
#include "common/model/mapping/mapping.h"

#include <string.h>

#include "common/model/json/canonical.h"
#include "common/model/mapping/mapping_value.h"
#include "common/model/value/value_scalar.h"

/* Columns whose cell is told by the member it gives back, and the other way round: two cells of
 * them that say the same member say the same. Not floats: -0 and 0 are one number. */
static bool is_told(const struct column *column)
{
    const struct value_type *type = &column->type;
    bool plain = column->source == FROM_POINTERS && !column->decode_json && !column->seal &&
                 !column->withhold && !type->array && type->form == FORM_NATURAL;
    return plain && type->base != VALUE_FLOAT4 && type->base != VALUE_FLOAT8 &&
           type->base != VALUE_BYTEA;
}

/* Whether the column's member is the root's, and is what the column needs alone. */
static bool is_flat(const struct column *column)
{
    if (column->source == FROM_REST)
        return true;
    return is_told(column) && column->pointer_count == 1 && !column->steps[0].deep;
}

void members_judge(struct mapping *mapping)
{
    mapping->told_by_document = mapping->flat = mapping->members != NULL;
    for (size_t i = 0; i < mapping->column_count; i++) {
        const struct column *column = &mapping->columns[i];
        bool compared = column->key_at < 0 && column->source != FROM_REST;
        mapping->told_by_document &= !compared || is_told(column);
        mapping->flat &= is_flat(column);
    }
}

bool mapping_row_is_told(const struct mapping *mapping, const struct cell *cells)
{
    return mapping->told_by_document && mapping->on_delete != DELETE_SOFT &&
           (mapping->rest_at < 0 || cells[mapping->rest_at].size < 0);
}

/* The value as yyjson has it, if it is no object or array. False: an escape, which is not the
 * string's own text. */
static bool make_scalar(struct bytes text, yyjson_val *val)
{
    bool string = text.data[0] == '"';
    if (string && memchr(text.data, '\\', text.size))
        return false;
    struct bytes inside = string ? bytes_of(text.data + 1, text.size - 2) : text;
    uint64_t type = string                ? (uint64_t)YYJSON_TYPE_STR
                    : text.data[0] == 't' ? (uint64_t)(YYJSON_TYPE_BOOL | YYJSON_SUBTYPE_TRUE)
                    : text.data[0] == 'f' ? (uint64_t)(YYJSON_TYPE_BOOL | YYJSON_SUBTYPE_FALSE)
                                          : (uint64_t)YYJSON_TYPE_RAW;
    val->tag =
        (string || type == YYJSON_TYPE_RAW ? (uint64_t)inside.size << YYJSON_TAG_BIT : 0) | type;
    val->uni.str = inside.data;
    return true;
}

/* Whether the column takes the member and gives it back. */
static bool takes(const struct column *column, struct bytes value, struct arena *arena,
                  struct cell *cell)
{
    yyjson_val val;
    bool exact, respelled;
    bool free_of_rules = !column->allow && !column->has_min && !column->has_max;
    if (value.data[0] == 'n') /* a null stays in the rest */
        return false;
    if (column->type.base == VALUE_JSONB) /* takes all that JSON has */
        return free_of_rules;
    if (value.data[0] == '{' || value.data[0] == '[')
        return false;
    if (column->type.base == VALUE_TEXT && free_of_rules && column->key_at < 0)
        return value.data[0] == '"';
    return make_scalar(value, &val) &&
           column_encode(column, &val, arena, cell, &exact, &respelled, NULL) == OUT_OK && exact;
}

/* Both lists are in the order of their names. */
static bool take_all(const struct mapping *mapping, const struct canonical_member *members,
                     size_t count, struct arena *arena, struct cell *cells)
{
    size_t at = 0;
    for (size_t i = 0; i < mapping->member_count; i++) {
        const struct mapping_member *member = &mapping->members[i];
        const struct column *column = &mapping->columns[member->column];
        cells[member->column] = CELL_NULL;
        if (at < count && bytes_equal(member->name, members[at].name)) {
            if (!takes(column, members[at++].value, arena, &cells[member->column]))
                return false;
        } else if (column->required || column->fill) {
            return false;
        }
    }
    return at == count;
}

bool mapping_forward_text(const struct mapping *mapping, const struct record *record,
                          struct mapping_work *work, struct arena *arena, struct row *row)
{
    struct canonical_member members[CANONICAL_MEMBERS_MAX];
    struct cell cells[MAPPING_COLUMNS_MAX];
    size_t count;
    if (!mapping->flat || mapping->on_delete == DELETE_SOFT || mapping->seal_count ||
        mapping->withhold_count || mapping->unicode != JSON_UNICODE_REJECT ||
        record->operation == OP_DELETE || !record->has_version)
        return false;
    buf_reset(&work->scratch);
    if (!canonical_append_members(&work->scratch, record->payload, &work->order, members, &count) ||
        !take_all(mapping, members, count, arena, cells))
        return false;
    buf_reset(&work->text);
    if (!mapping_append_id(mapping, cells, &work->text) || work->text.size == 0 ||
        work->text.size > MAPPING_KEY_MAX)
        return false;
    *row = (struct row){.tenant = record->tenant,
                        .id = arena_copy(arena, buf_view(&work->text)),
                        .version = record->version,
                        .generation = mapping->generation,
                        .digest = digest_of(buf_view(&work->scratch))};
    return row->id.data != NULL;
}
