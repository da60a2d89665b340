/* YAML to column program: what a record refers to, what its delete leaves, and which of its members
 * are secret. */

#include <string.h>

#include "common/model/mapping/mapping_parse.h"

/* ---- on_delete --------------------------------------------------------------------------- */

static bool can_be_soft(const struct column *column)
{
    enum value_base base = column->type.base;
    bool kind = base == VALUE_TEXT || base == VALUE_VARCHAR || base == VALUE_BOOL ||
                base == VALUE_INT2 || base == VALUE_INT4 || base == VALUE_INT8;
    return kind && !column->type.array && column->type.form == FORM_NATURAL &&
           column->source == FROM_POINTERS && column->key_at < 0 && !column->seal &&
           !column->withhold;
}

static enum outcome parse_soft(struct parse *parse, struct yaml_at node, yyjson_mut_val *gathered,
                               struct error *err)
{
    static const char *const KEYS[] = {"column", "value", NULL};
    struct mapping *mapping = parse->mapping;
    parse_keys(parse, node, "on_delete", KEYS);
    struct yaml_at name = yaml_find(node, "column"), value = yaml_find(node, "value");
    struct column *column = parse_find_column(mapping, parse_scalar(name));
    if (!yaml_has(name))
        return parse_fail(node, err, ERR_MAPPING, "on_delete names no column");
    if (!column)
        return parse_no_column(parse, name, parse_scalar(name), "on_delete", ERR_MAPPING, err);
    if (parse->unclear[column - mapping->columns])
        return OUT_OK;
    if (!can_be_soft(column))
        return parse_fail(name, err, ERR_MAPPING,
                          "a soft delete sets a text, bool or integer column made of a member");
    if (!yaml_has(value))
        return parse_fail(node, err, ERR_MAPPING, "on_delete has no value for the column");
    yyjson_mut_val *literal = parse_literal(parse, column, value, err);
    if (!literal)
        return OUT_FATAL;
    yyjson_mut_arr_append(gathered, literal);
    mapping->on_delete = DELETE_SOFT;
    mapping->soft_column = (int)(column - mapping->columns);
    return OUT_OK;
}

enum outcome parse_on_delete(struct parse *parse, yyjson_mut_val *gathered, struct error *err)
{
    static const char *const NAMES[] = {"tombstone", "hard", NULL};
    struct yaml_at node = yaml_find(parse->root, "on_delete");
    size_t which;
    parse->mapping->soft_column = -1;
    if (!yaml_has(node))
        return OUT_OK;
    if (yaml_kind_of(node) == YAML_MAP)
        return parse_soft(parse, node, gathered, err);
    enum outcome outcome =
        parse_word(node, "on_delete, if not {column, value},", NAMES, &which, err);
    if (outcome == OUT_OK)
        parse->mapping->on_delete = which ? DELETE_HARD : DELETE_TOMBSTONE;
    return outcome;
}

/* ---- references -------------------------------------------------------------------------- */

static enum outcome parse_reference(struct parse *parse, struct yaml_at at,
                                    struct mapping_reference *reference, struct error *err)
{
    static const char *const KEYS[] = {"columns", "entity", NULL};
    struct mapping *mapping = parse->mapping;
    if (yaml_kind_of(at) != YAML_MAP)
        return parse_fail(at, err, ERR_MAPPING,
                          "a reference is a map: { columns: […], entity: … }");
    parse_keys(parse, at, "a reference", KEYS);
    struct yaml_at entity = yaml_find(at, "entity");
    enum outcome outcome = parse_keep(parse,
                                      parse_name(parse, yaml_has(entity) ? entity : at,
                                                 "a reference's entity", &reference->entity, err),
                                      err);
    struct yaml_at list = yaml_find(at, "columns");
    if (!yaml_has(list) || yaml_kind_of(list) != YAML_LIST || yaml_count(list) == 0)
        return parse_fail(at, err, ERR_MAPPING, "a reference lists its columns");
    size_t *columns = arena_array(&mapping->arena, yaml_count(list), sizeof *columns);
    for (size_t i = 0; i < yaml_count(list); i++) {
        struct yaml_at item = yaml_item(list, i);
        struct column *column = parse_find_column(mapping, parse_scalar(item));
        bool exists = column && column->source != FROM_REST;
        if (!exists) {
            parse_keep(
                parse,
                parse_no_column(parse, item, parse_scalar(item), "the reference", ERR_MAPPING, err),
                err);
            outcome = OUT_FATAL;
            continue;
        }
        columns[i] = (size_t)(column - mapping->columns);
    }
    if (outcome != OUT_OK)
        return OUT_OK; /* told, and left out */
    reference->columns = columns;
    reference->column_count = yaml_count(list);
    reference->line = parse_line(at);
    mapping->reference_count++;
    return OUT_OK;
}

enum outcome parse_references(struct parse *parse, struct error *err)
{
    struct mapping *mapping = parse->mapping;
    struct yaml_at list = yaml_find(parse->root, "references");
    if (!yaml_has(list))
        return OUT_OK;
    if (yaml_kind_of(list) != YAML_LIST)
        return parse_fail(list, err, ERR_MAPPING, "references is a list");
    size_t count = yaml_count(list);
    mapping->references = arena_array(&mapping->arena, count + 1, sizeof *mapping->references);
    for (size_t i = 0; i < count; i++)
        parse_keep(parse,
                   parse_reference(parse, yaml_item(list, i),
                                   &mapping->references[mapping->reference_count], err),
                   err);
    return OUT_OK;
}

/* ---- seal, withhold ---------------------------------------------------------------------- */

/* The pointers of the list, then those of the columns. */
static enum outcome gather(struct parse *parse, struct yaml_at list, bool seal,
                           const char *const **pointers, size_t *count, struct error *err)
{
    struct mapping *mapping = parse->mapping;
    size_t max = 0;
    if (yaml_has(list)) {
        if (yaml_kind_of(list) != YAML_LIST)
            return parse_fail(list, err, ERR_MAPPING, "seal and withhold are lists of pointers");
        max = yaml_count(list);
    }
    size_t listed = max;
    for (size_t i = 0; i < mapping->column_count; i++)
        max += mapping->columns[i].pointer_count;
    const char **found = arena_array(&mapping->arena, max + 1, sizeof *found);
    for (*count = 0; *count < listed; ++*count)
        parse_keep(parse, parse_pointer(parse, yaml_item(list, *count), &found[*count], err), err);
    for (size_t i = 0; i < mapping->column_count; i++) {
        const struct column *column = &mapping->columns[i];
        for (size_t p = 0; p < column->pointer_count; p++)
            if (seal ? column->seal : column->withhold)
                found[(*count)++] = column->pointers[p];
    }
    *pointers = found;
    return OUT_OK;
}

/* A plain column on a secret member would only ever see the mark that stands in its place. */
static enum outcome check_free(struct parse *parse, struct yaml_at list, struct error *err)
{
    const struct mapping *mapping = parse->mapping;
    for (size_t k = 0; yaml_has(list) && k < yaml_count(list); k++) {
        struct bytes pointer = parse_scalar(yaml_item(list, k));
        for (size_t i = 0; i < mapping->column_count; i++)
            for (size_t p = 0; p < mapping->columns[i].pointer_count; p++)
                if (bytes_equal(pointer, bytes_text(mapping->columns[i].pointers[p])))
                    return parse_fail(yaml_item(list, k), err, ERR_MAPPING,
                                      "a column takes this member: give it seal or withhold");
    }
    return OUT_OK;
}

enum outcome parse_secrets(struct parse *parse, struct error *err)
{
    struct mapping *mapping = parse->mapping;
    struct yaml_at seal = yaml_find(parse->root, "seal");
    struct yaml_at withhold = yaml_find(parse->root, "withhold");
    enum outcome outcome =
        gather(parse, seal, true, &mapping->seal_pointers, &mapping->seal_count, err);
    if (outcome == OUT_OK)
        outcome = gather(parse, withhold, false, &mapping->withhold_pointers,
                         &mapping->withhold_count, err);
    if (outcome == OUT_OK)
        outcome = check_free(parse, seal, err);
    if (outcome == OUT_OK)
        outcome = check_free(parse, withhold, err);
    if (outcome != OUT_OK)
        return outcome;
    bool kept = yaml_has(seal) || mapping->withhold_count;
    if (kept && mapping->rest_at < 0)
        return parse_fail(yaml_has(seal) ? seal : parse->root, err, ERR_MAPPING,
                          "seal: and withhold need rest, where the marks are kept");
    return OUT_OK;
}
