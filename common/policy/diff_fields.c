#include "common/policy/diff_fields.h"

#include "common/model/canonical.h"
#include "common/policy/diff_content.h"
#include "common/policy/diff_within.h"

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
    if (fields->count == DIFF_FIELDS_MOST)
        return;
    fields->items[fields->count++] =
        (struct diff_field){arena_copy(walk->arena, buf_view(&walk->path)),
                            json_text(walk, expected), json_text(walk, actual), rule};
}

static void append_token(struct buf *path, yyjson_val *key)
{
    const char *text = yyjson_get_str(key);
    buf_append_char(path, '/');
    for (size_t i = 0; i < yyjson_get_len(key); i++) {
        if (text[i] == '~' || text[i] == '/')
            buf_append_text(path, text[i] == '~' ? "~0" : "~1");
        else
            buf_append_char(path, text[i]);
    }
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

/* Depth is bounded by json_parse (JSON_DEPTH_MOST). */
static void walk_values(struct walk *walk, yyjson_val *expected, yyjson_val *actual)
{
    if (expected && actual && yyjson_is_obj(expected) && yyjson_is_obj(actual))
        walk_objects(walk, expected, actual);
    else if (!expected || !actual || !canonical_equal(expected, actual))
        note(walk, expected, actual);
}

static struct bytes cell_text(const struct column *column, struct cell cell, struct arena *arena)
{
    struct buf text;
    struct bytes copy = {0};
    if (cell.size < 0)
        return copy;
    buf_init(&text, arena->limit);
    if (value_append_key(&column->type, cell, &text)) {
        struct buf quoted;
        buf_init(&quoted, arena->limit);
        buf_append_json(&quoted, buf_view(&text));
        copy = arena_copy(arena, buf_view(&quoted));
        buf_free(&quoted);
    }
    buf_free(&text);
    return copy;
}

/* Columns from outside the payload. */
static void compare_outside(struct walk *walk, const struct cell *expected,
                            const struct cell *actual)
{
    for (size_t i = 0; i < walk->mapping->column_count; i++) {
        const struct column *column = &walk->mapping->columns[i];
        struct diff_fields *fields = walk->fields;
        if (!diff_content_is_outside(column))
            continue;
        struct bytes left = cell_text(column, expected[i], walk->arena);
        struct bytes right = cell_text(column, actual[i], walk->arena);
        if (bytes_equal(left, right))
            continue;
        fields->total++;
        buf_reset(&walk->path);
        buf_append_format(&walk->path, "column %s", column->name);
        if (fields->count < DIFF_FIELDS_MOST)
            fields->items[fields->count++] = (struct diff_field){
                arena_copy(walk->arena, buf_view(&walk->path)), left, right, NULL};
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
        compare_outside(&walk, expected.cells, actual.cells);
    buf_free(&walk.path);
}
