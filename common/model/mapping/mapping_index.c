/* YAML to column program: the indexes of the table. */

#include <stdio.h>
#include <string.h>

#include "common/model/mapping/mapping_parse.h"

/* "name", "name DESC", or "(expression)" copied as it is. Expressions are the mapping author's SQL;
 * the author already decides every table. */
static enum outcome check_index_column(struct parse *parse, struct yaml_at node, struct error *err)
{
    struct bytes text = parse_scalar(node);
    if (text.size > 2 && text.data[0] == '(' && text.data[text.size - 1] == ')' &&
        !memchr(text.data, ';', text.size))
        return OUT_OK;
    if (text.size > 5 && memcmp(text.data + text.size - 5, " DESC", 5) == 0)
        text.size -= 5;
    char name[64];
    snprintf(name, sizeof name, "%.*s", BYTES_ARGS(text));
    if (text.size < sizeof name && parse_name_is_used(parse->mapping, name))
        return OUT_OK;
    return parse_no_column(parse, node, text, "the index", ERR_MAPPING, err);
}

static enum outcome parse_index(struct parse *parse, struct yaml_at at, struct mapping_index *index,
                                struct error *err)
{
    static const char *const KEYS[] = {"name", "columns", "unique", NULL};
    if (yaml_kind_of(at) != YAML_MAP)
        return parse_fail(at, err, ERR_MAPPING, "an index is a map: { name: …, columns: […] }");
    parse_keys(parse, at, "an index", KEYS);
    struct yaml_at name = yaml_find(at, "name");
    parse_keep(parse,
               parse_name(parse, yaml_has(name) ? name : at, "an index's name", &index->name, err),
               err);
    parse_keep(parse, parse_flag(yaml_find(at, "unique"), &index->unique, err), err);
    struct yaml_at list = yaml_find(at, "columns");
    if (!yaml_has(list) || yaml_kind_of(list) != YAML_LIST || yaml_count(list) == 0)
        return parse_fail(at, err, ERR_MAPPING, "an index lists its columns");
    index->column_count = yaml_count(list);
    const char **columns =
        arena_array(&parse->mapping->arena, index->column_count, sizeof *columns);
    for (size_t i = 0; i < index->column_count; i++) {
        parse_keep(parse, check_index_column(parse, yaml_item(list, i), err), err);
        columns[i] = parse_copy(&parse->mapping->arena, parse_scalar(yaml_item(list, i)));
    }
    index->columns = columns;
    return OUT_OK;
}

enum outcome parse_indexes(struct parse *parse, struct error *err)
{
    struct yaml_at list = yaml_find(parse->root, "indexes");
    struct mapping *mapping = parse->mapping;
    if (!yaml_has(list))
        return OUT_OK;
    if (yaml_kind_of(list) != YAML_LIST)
        return parse_fail(list, err, ERR_MAPPING, "indexes is a list");
    mapping->index_count = yaml_count(list);
    mapping->indexes =
        arena_array(&mapping->arena, mapping->index_count + 1, sizeof *mapping->indexes);
    for (size_t i = 0; i < mapping->index_count; i++)
        parse_keep(parse, parse_index(parse, yaml_item(list, i), &mapping->indexes[i], err), err);
    return OUT_OK;
}
