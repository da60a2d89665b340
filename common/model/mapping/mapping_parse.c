/*
 * YAML to column program: the top level of a mapping (entity, table, key, version, tenant, collect,
 * rest, indexes). The larger parts have files of their own. Every error has file:line:column.
 */

#include "common/model/mapping/mapping.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/base/yaml.h"
#include "common/model/mapping/mapping_mistakes.h"
#include "common/model/mapping/mapping_parse.h"

/* A mapping is a page of YAML; 4 MiB of compiled form is far above any. */
#define MAPPING_ARENA_MAX (4u << 20)

static const char *const TOP_KEYS[] = {
    "entity",      "collect", "table",    "key",        "version",
    "tenant",      "columns", "rest",     "indexes",    "on_invalid_unicode",
    "description", "seal",    "withhold", "references", "on_delete",
    "redis",       NULL};

static enum outcome parse_table(struct parse *parse, struct yaml_at node, struct error *err)
{
    struct bytes text = {0};
    if (yaml_has(node) && yaml_kind_of(node) == YAML_SCALAR)
        text = yaml_scalar(node, NULL);
    const char *dot = text.size ? memchr(text.data, '.', text.size) : NULL;
    struct bytes schema = BYTES_LITERAL("public"), table = text;
    if (dot) {
        schema = bytes_of(text.data, (size_t)(dot - text.data));
        table = bytes_of(dot + 1, text.size - schema.size - 1);
    }
    if (!parse_is_name(schema) || !parse_is_name(table))
        return parse_fail(yaml_has(node) ? node : parse->root, err, ERR_MAPPING,
                          "table must be a name or schema.name of a-z, 0-9 and _");
    if (bytes_equal(schema, BYTES_LITERAL("drover")))
        return parse_fail(node, err, ERR_MAPPING, "the schema drover is the program's own");
    parse->mapping->schema = parse_copy(&parse->mapping->arena, schema);
    parse->mapping->table = parse_copy(&parse->mapping->arena, table);
    return OUT_OK;
}

static enum outcome parse_version(struct parse *parse, struct yaml_at node, struct error *err)
{
    static const char *const KEYS[] = {"from", "as", NULL};
    struct mapping *mapping = parse->mapping;
    if (!yaml_has(node))
        return OUT_OK;
    if (yaml_kind_of(node) != YAML_MAP)
        return parse_fail(node, err, ERR_MAPPING,
                          "version is written {from: /member, as: timestamp}");
    parse_keys(parse, node, "version", KEYS);
    struct yaml_at from = yaml_find(node, "from");
    parse_keep(parse,
               parse_pointer(parse, yaml_has(from) ? from : node, &mapping->version_pointer, err),
               err);
    struct yaml_at as = yaml_find(node, "as");
    struct bytes kind = yaml_has(as) && yaml_kind_of(as) == YAML_SCALAR ? yaml_scalar(as, NULL)
                                                                        : BYTES_LITERAL("number");
    if (bytes_equal(kind, BYTES_LITERAL("timestamp")))
        mapping->version_source = VERSION_TIMESTAMP;
    else if (bytes_equal(kind, BYTES_LITERAL("number")))
        mapping->version_source = VERSION_NUMBER;
    else
        return parse_fail(as, err, ERR_MAPPING, "a version is as: timestamp or as: number");
    return OUT_OK;
}

static enum outcome parse_tenant(struct parse *parse, struct yaml_at node, struct error *err)
{
    static const char *const KEYS[] = {"from", NULL};
    if (!yaml_has(node))
        return OUT_OK;
    if (yaml_kind_of(node) != YAML_MAP)
        return parse_fail(node, err, ERR_MAPPING, "tenant is written {from: /member}");
    parse_keys(parse, node, "tenant", KEYS);
    struct yaml_at from = yaml_find(node, "from");
    return parse_pointer(parse, yaml_has(from) ? from : node, &parse->mapping->tenant_pointer, err);
}

static enum outcome parse_unicode(struct parse *parse, struct yaml_at node, struct error *err)
{
    if (!yaml_has(node))
        return OUT_OK;
    struct bytes text =
        yaml_kind_of(node) == YAML_SCALAR ? yaml_scalar(node, NULL) : (struct bytes){0};
    if (bytes_equal(text, BYTES_LITERAL("replace")))
        parse->mapping->unicode = JSON_UNICODE_REPLACE;
    else if (!bytes_equal(text, BYTES_LITERAL("reject")))
        return parse_fail(node, err, ERR_MAPPING, "on_invalid_unicode is reject or replace");
    return OUT_OK;
}

static enum outcome parse_key_column(struct parse *parse, struct yaml_at item, size_t k,
                                     struct error *err)
{
    struct mapping *mapping = parse->mapping;
    struct column *column = parse_find_column(mapping, parse_scalar(item));
    if (!column)
        return parse_no_column(parse, item, parse_scalar(item), "the key", ERR_MAPPING_KEY, err);
    if (column->key_at >= 0)
        return parse_fail(item, err, ERR_MAPPING_KEY, "the key names a column twice");
    bool clear = !parse->unclear[column - mapping->columns];
    if (clear &&
        (column->type.array || column->type.base == VALUE_JSONB || column->source == FROM_REST))
        return parse_fail(item, err, ERR_MAPPING_KEY, "arrays and jsonb cannot be keys");
    if (column->seal || column->withhold)
        return parse_fail(item, err, ERR_MAPPING_KEY, "a secret cannot be a key");
    if (mapping->on_delete == DELETE_SOFT && column == &mapping->columns[mapping->soft_column])
        return parse_fail(item, err, ERR_MAPPING_KEY, "a soft delete would change the key");
    column->key_at = (int)k;
    column->required = true;
    mapping->key[k] = (size_t)(column - mapping->columns);
    return OUT_OK;
}

/* The key's columns become required: a row without its key cannot be. */
static enum outcome parse_key(struct parse *parse, struct yaml_at node, struct error *err)
{
    struct mapping *mapping = parse->mapping;
    if (!yaml_has(node) || yaml_kind_of(node) != YAML_LIST || yaml_count(node) == 0)
        return parse_fail(yaml_has(node) ? node : parse->root, err, ERR_MAPPING_KEY,
                          "key must list at least one column");
    mapping->key_count = yaml_count(node);
    mapping->key = arena_array(&mapping->arena, mapping->key_count, sizeof *mapping->key);
    for (size_t k = 0; k < mapping->key_count; k++)
        parse_keep(parse, parse_key_column(parse, yaml_item(node, k), k, err), err);
    return OUT_OK;
}

/* Every part, whatever was wrong with those before; but what rests on another part is left out
 * when that one is not clear. */
static void parse_all(struct parse *parse)
{
    struct error error, *err = &error;
    struct yaml_at root = parse->root;
    struct mapping *mapping = parse->mapping;
    if (yaml_kind_of(root) != YAML_MAP) {
        parse_keep(
            parse,
            parse_fail(root, err, ERR_MAPPING, "a mapping is a map of entity, table, key, columns"),
            err);
        return;
    }
    parse_keys(parse, root, "the mapping", TOP_KEYS);
    parse_keep(parse, parse_name(parse, yaml_find(root, "entity"), "entity", &mapping->entity, err),
               err);
    parse_keep(parse, parse_table(parse, yaml_find(root, "table"), err), err);
    parse_keep(parse, parse_version(parse, yaml_find(root, "version"), err), err);
    parse_keep(parse, parse_tenant(parse, yaml_find(root, "tenant"), err), err);
    size_t before = parse->mistakes->count;
    parse_keep(parse, parse_collect(parse, yaml_find(root, "collect"), err), err);
    bool collects = parse->mistakes->count == before;
    parse_keep(parse, parse_unicode(parse, yaml_find(root, "on_invalid_unicode"), err), err);
    bool columns = parse_keep(parse, parse_columns(parse, err), err) == OUT_OK;
    if (!columns) /* there is no list of them */
        return;
    bool key = parse_keep(parse, parse_key(parse, yaml_find(root, "key"), err), err) == OUT_OK;
    parse_keep(parse, parse_indexes(parse, err), err);
    parse_keep(parse, parse_secrets(parse, err), err);
    parse_keep(parse, parse_references(parse, err), err);
    if (key)
        parse_keep(parse, parse_redis(parse, err), err);
    if (collects)
        parse_keep(parse, parse_check_collect(parse, err), err);
}

enum outcome mapping_parse_all(const char *file, struct bytes text, struct mapping **mapping,
                               struct error_list *mistakes)
{
    struct yaml_file *yaml = NULL;
    struct parse parse = {.mistakes = mistakes};
    size_t before = mistakes->count;
    *mapping = NULL;
    if (yaml_parse_all(file, text, &yaml, mistakes) != OUT_OK)
        return OUT_FATAL;
    parse.mapping = calloc(1, sizeof *parse.mapping);
    if (!parse.mapping)
        abort();
    arena_init(&parse.mapping->arena, MAPPING_ARENA_MAX);
    parse.mapping->file = parse_copy(&parse.mapping->arena, bytes_text(file));
    parse.mapping->rest_at = -1;
    parse.mapping->fingerprint = digest_of(text);
    parse.root = yaml_root(yaml);
    parse_all(&parse);
    yaml_file_free(yaml);
    *mapping = parse.mapping;
    return mistakes->count == before && !mistakes->dropped ? OUT_OK : OUT_FATAL;
}

enum outcome mapping_parse(const char *file, struct bytes text, struct mapping **mapping,
                           struct error *err)
{
    struct error_list mistakes;
    error_list_init(&mistakes);
    enum outcome outcome = mapping_parse_all(file, text, mapping, &mistakes);
    if (outcome != OUT_OK) {
        mapping_free(*mapping);
        *mapping = NULL;
        if (err && mistakes.count)
            *err = mistakes.items[0];
    }
    error_list_free(&mistakes);
    return outcome;
}

void mapping_free(struct mapping *mapping)
{
    if (!mapping)
        return;
    yyjson_doc_free(mapping->literals);
    yyjson_mut_doc_free(mapping->literals_mut);
    arena_free(&mapping->arena);
    free(mapping);
}
