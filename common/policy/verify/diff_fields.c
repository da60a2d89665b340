#include "common/policy/verify/diff_fields.h"

#include <string.h>

#include "common/base/text.h"
#include "common/model/json/canonical.h"
#include "common/policy/verify/diff_content.h"
#include "common/policy/verify/diff_within.h"

/* The walk over two documents. */
struct walk {
    const struct mapping *mapping;
    struct arena *arena;
    struct buf path;
    struct diff_fields *fields;
};

static struct bytes json_text(struct walk *walk, yyjson_val *val)
{
    struct buf text;
    if (!val)
        return (struct bytes){0};
    buf_init(&text, walk->arena->limit);
    json_append(&text, val);
    struct bytes copy = arena_copy(walk->arena, buf_view(&text));
    buf_free(&text);
    return copy;
}

static const struct column *find_rule(const struct mapping *mapping, struct bytes path)
{
    for (size_t i = 0; i < mapping->column_count; i++) {
        const struct column *column = &mapping->columns[i];
        for (size_t p = 0; column->tolerance > 0 && p < column->pointer_count; p++)
            if (bytes_equal(bytes_text(column->pointers[p]), path))
                return column;
    }
    return NULL;
}

static void note(struct walk *walk, yyjson_val *expected, yyjson_val *actual)
{
    struct diff_fields *fields = walk->fields;
    const struct column *rule = find_rule(walk->mapping, buf_view(&walk->path));
    if (rule && (!expected || !actual || !diff_within(expected, actual, rule->tolerance)))
        rule = NULL;
    fields->total++;
    fields->tolerated += rule != NULL;
    if (fields->count == DIFF_FIELDS_MAX)
        return;
    fields->items[fields->count++] =
        (struct diff_field){arena_copy(walk->arena, buf_view(&walk->path)),
                            json_text(walk, expected), json_text(walk, actual), rule};
}

static void append_token(struct buf *path, yyjson_val *key)
{
    buf_append_char(path, '/');
    text_append_pointer_name(path, bytes_of(yyjson_get_str(key), yyjson_get_len(key)));
}

/* The search goes on where the last one ended, so members in the same order cost one step each. */
static yyjson_val *find_member(yyjson_obj_iter *iter, yyjson_val *key)
{
    return yyjson_obj_iter_getn(iter, yyjson_get_str(key), yyjson_get_len(key));
}

static void walk_values(struct walk *walk, yyjson_val *expected, yyjson_val *actual);

static void walk_member(struct walk *walk, yyjson_val *key, yyjson_val *expected,
                        yyjson_val *actual)
{
    size_t before = walk->path.size;
    append_token(&walk->path, key);
    walk_values(walk, expected, actual);
    walk->path.size = before;
}

static void walk_objects(struct walk *walk, yyjson_val *expected, yyjson_val *actual)
{
    yyjson_val *key;
    yyjson_obj_iter other = yyjson_obj_iter_with(actual);
    yyjson_obj_iter each = yyjson_obj_iter_with(expected);
    while ((key = yyjson_obj_iter_next(&each)))
        walk_member(walk, key, yyjson_obj_iter_get_val(key), find_member(&other, key));
    other = yyjson_obj_iter_with(expected);
    each = yyjson_obj_iter_with(actual);
    while ((key = yyjson_obj_iter_next(&each)))
        if (!find_member(&other, key))
            walk_member(walk, key, NULL, yyjson_obj_iter_get_val(key));
}

/* Depth is bounded by json_parse (JSON_DEPTH_MAX). */
static void walk_values(struct walk *walk, yyjson_val *expected, yyjson_val *actual)
{
    if (expected && actual && yyjson_is_obj(expected) && yyjson_is_obj(actual))
        walk_objects(walk, expected, actual);
    else if (!expected || !actual || !canonical_equal(expected, actual))
        note(walk, expected, actual);
}

/* What a cell says, as JSON for people; empty for NULL. */
static struct bytes cell_text(const struct column *column, struct cell cell, struct arena *arena)
{
    struct buf text;
    struct bytes copy = {0};
    if (cell.size < 0)
        return copy;
    buf_init(&text, arena->limit);
    if (column->type.array || column->type.base == VALUE_JSONB) {
        diff_content_append_cell(&column->type, cell, &text);
        struct bytes said = buf_view(&text); /* 'j' before, NUL behind */
        if (said.size > 2 && said.data[0] == 'j')
            copy = arena_copy(arena, bytes_of(said.data + 1, said.size - 2));
    } else if (value_append_key(&column->type, cell, &text)) {
        struct buf quoted;
        buf_init(&quoted, arena->limit);
        buf_append_json(&quoted, buf_view(&text));
        copy = arena_copy(arena, buf_view(&quoted));
        buf_free(&quoted);
    }
    buf_free(&text);
    return copy.size ? copy : BYTES_LITERAL("\"(not of the column's form)\"");
}

static bool same_cell(const struct column *column, struct cell a, struct cell b)
{
    struct buf left, right;
    buf_init(&left, SIZE_MAX / 2);
    buf_init(&right, SIZE_MAX / 2);
    diff_content_append_cell(&column->type, a, &left);
    diff_content_append_cell(&column->type, b, &right);
    bool same = bytes_equal(buf_view(&left), buf_view(&right));
    buf_free(&left);
    buf_free(&right);
    return same;
}

/* One is the other, or stands below it. */
static bool is_related(struct bytes a, struct bytes b)
{
    struct bytes shorter = a.size < b.size ? a : b, longer = a.size < b.size ? b : a;
    return memcmp(shorter.data, longer.data, shorter.size) == 0 &&
           (shorter.size == longer.size || longer.data[shorter.size] == '/');
}

/* A member that another column's tolerance covers says nothing for this one, which may have none.
 */
static bool is_of(const struct column *column, const struct diff_field *field)
{
    return !field->rule || field->rule == column;
}

/* Whether a member that has been named explains why this column's cell differs. What rest holds is
 * members, so any of them does. */
static bool is_explained(const struct column *column, const struct diff_fields *fields)
{
    if (column->source == FROM_REST || column->source == FROM_VALUE)
        return fields->count > 0;
    for (size_t i = 0; i < fields->count; i++)
        for (size_t p = 0; p < column->pointer_count; p++)
            if (is_of(column, &fields->items[i]) &&
                is_related(fields->items[i].path, bytes_text(column->pointers[p])))
                return true;
    return fields->total > fields->count && column->pointer_count;
}

static void note_column(struct walk *walk, const char *name, struct bytes expected,
                        struct bytes actual)
{
    struct diff_fields *fields = walk->fields;
    fields->total++;
    if (fields->count == DIFF_FIELDS_MAX)
        return;
    buf_reset(&walk->path);
    buf_append_format(&walk->path, "column %s", name);
    fields->items[fields->count++] =
        (struct diff_field){arena_copy(walk->arena, buf_view(&walk->path)), expected, actual, NULL};
}

/* Cells that differ although no member that has been named says so. */
static void compare_cells(struct walk *walk, const struct cell *expected, const struct cell *actual)
{
    const struct diff_fields members = *walk->fields;
    for (size_t i = 0; i < walk->mapping->column_count; i++) {
        const struct column *column = &walk->mapping->columns[i];
        if (column->key_at >= 0 || same_cell(column, expected[i], actual[i]) ||
            is_explained(column, &members))
            continue;
        note_column(walk, column->name, cell_text(column, expected[i], walk->arena),
                    cell_text(column, actual[i], walk->arena));
    }
}

void diff_fields_find(const struct mapping *mapping, struct diff_side expected,
                      struct diff_side actual, struct arena *arena, struct diff_fields *fields)
{
    struct walk walk = {.mapping = mapping, .arena = arena, .fields = fields};
    *fields = (struct diff_fields){0};
    buf_init(&walk.path, arena->limit);
    walk_values(&walk, expected.root, actual.root);
    if (expected.cells && actual.cells)
        compare_cells(&walk, expected.cells, actual.cells);
    buf_free(&walk.path);
}

void diff_fields_note(struct diff_fields *fields, struct bytes path)
{
    fields->total++;
    if (fields->count < DIFF_FIELDS_MAX)
        fields->items[fields->count++] = (struct diff_field){.path = path};
}
