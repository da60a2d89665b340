/*
 * YAML to column program: the top level of a mapping (entity, table, key, version, tenant, collect,
 * rest, indexes). The larger parts have files of their own. Every error has file:line:column.
 */

#include "common/model/mapping.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/base/yaml.h"
#include "common/model/mapping_parse.h"

/* A mapping is a page of YAML; 4 MiB of compiled form is far above any. */
#define MAPPING_ARENA_MOST (4u << 20)

static const char *const TOP_KEYS[] = {
    "entity",      "collect", "table",    "key",        "version",
    "tenant",      "columns", "rest",     "indexes",    "on_invalid_unicode",
    "description", "seal",    "withhold", "references", "on_delete",
    "redis",       NULL};

enum outcome parse_fail(struct yaml_at node, struct error *err, enum error_code code,
                        const char *text)
{
    error_set(err, OUT_FATAL, code, "%s", text);
    yaml_where(node, err);
    return OUT_FATAL;
}

/* PostgreSQL cuts longer names to 63 bytes with only a notice, so two columns could merge
 * (fault row D07): a strict alphabet and length instead of quoting rules. */
bool parse_is_name(struct bytes text)
{
    if (text.size == 0 || text.size > 63)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        bool letter = (c >= 'a' && c <= 'z') || c == '_';
        if (!letter && !(i && c >= '0' && c <= '9'))
            return false;
    }
    return true;
}

const char *parse_copy(struct arena *arena, struct bytes text)
{
    struct bytes copy = arena_copy(arena, text);
    if (!copy.data)
        abort(); /* the arena is thousands of times what a mapping needs; the file's size is bounded
                  */
    return copy.data;
}

struct bytes parse_scalar(struct yaml_at node)
{
    return yaml_has(node) && yaml_kind_of(node) == YAML_SCALAR ? yaml_scalar(node, NULL)
                                                               : (struct bytes){0};
}

/* The line of the mapping file, for messages about records. */
int parse_line(struct yaml_at node)
{
    struct error where = {0};
    yaml_where(node, &where); /* file:line:column */
    char *last = strrchr(where.where, ':');
    if (!last)
        return 0;
    *last = '\0';
    char *line = strrchr(where.where, ':');
    return line ? (int)strtol(line + 1, NULL, 10) : 0;
}

/* One of a few words; what is none of them is told with all of them and the nearest. */
enum outcome parse_word(struct yaml_at node, const char *what, const char *const *names,
                        size_t *which, struct error *err)
{
    struct bytes text = parse_scalar(node);
    char known[160] = "";
    size_t count = 0, used = 0;
    for (; names[count]; count++) {
        if (bytes_equal(text, bytes_text(names[count]))) {
            *which = count;
            return OUT_OK;
        }
        if (used < sizeof known)
            used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", count ? " " : "",
                                     names[count]);
    }
    error_set(err, OUT_FATAL, ERR_MAPPING, "%s is one of: %s", what, known);
    yaml_where(node, err);
    const char *nearest = text.size ? text_nearest(text.data, names, count) : NULL;
    if (nearest)
        error_hint(err, "did you mean \"%s\"?", nearest);
    return OUT_FATAL;
}

enum outcome parse_name(struct parse *parse, struct yaml_at node, const char *what,
                        const char **name, struct error *err)
{
    struct bytes text = {0};
    if (yaml_has(node) && yaml_kind_of(node) == YAML_SCALAR)
        text = yaml_scalar(node, NULL);
    if (!parse_is_name(text)) {
        error_set(err, OUT_FATAL, ERR_MAPPING,
                  "%s must be a name of a-z, 0-9 and _, at most 63 bytes", what);
        yaml_where(yaml_has(node) ? node : parse->root, err);
        return OUT_FATAL;
    }
    *name = parse_copy(&parse->mapping->arena, text);
    return OUT_OK;
}

enum outcome parse_pointer(struct parse *parse, struct yaml_at node, const char **pointer,
                           struct error *err)
{
    struct bytes text = {0};
    if (yaml_has(node) && yaml_kind_of(node) == YAML_SCALAR)
        text = yaml_scalar(node, NULL);
    if (text.size < 2 || text.size > 250 || text.data[0] != '/' || strlen(text.data) != text.size)
        return parse_fail(yaml_has(node) ? node : parse->root, err, ERR_MAPPING,
                          "a member is named by a JSON pointer such as /name or /meta/name");
    *pointer = parse_copy(&parse->mapping->arena, text);
    return OUT_OK;
}

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
    enum outcome outcome = yaml_check_keys(node, "version", KEYS, err);
    if (outcome == OUT_OK)
        outcome = parse_pointer(parse, yaml_find(node, "from"), &mapping->version_pointer, err);
    if (outcome != OUT_OK)
        return outcome;
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
    enum outcome outcome = yaml_check_keys(node, "tenant", KEYS, err);
    if (outcome == OUT_OK)
        outcome =
            parse_pointer(parse, yaml_find(node, "from"), &parse->mapping->tenant_pointer, err);
    return outcome;
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

/* The key's columns become required: a row without its key cannot be. */
static enum outcome parse_key(struct parse *parse, struct yaml_at node, struct error *err)
{
    struct mapping *mapping = parse->mapping;
    if (!yaml_has(node) || yaml_kind_of(node) != YAML_LIST || yaml_count(node) == 0)
        return parse_fail(yaml_has(node) ? node : parse->root, err, ERR_MAPPING_KEY,
                          "key must list at least one column");
    mapping->key_count = yaml_count(node);
    mapping->key = arena_array(&mapping->arena, mapping->key_count, sizeof *mapping->key);
    for (size_t k = 0; k < mapping->key_count; k++) {
        struct yaml_at item = yaml_item(node, k);
        struct bytes name =
            yaml_kind_of(item) == YAML_SCALAR ? yaml_scalar(item, NULL) : (struct bytes){0};
        struct column *column = parse_find_column(mapping, name);
        if (!column)
            return parse_fail(item, err, ERR_MAPPING_KEY,
                              "the key names a column that is not there");
        if (column->key_at >= 0)
            return parse_fail(item, err, ERR_MAPPING_KEY, "the key names a column twice");
        if (column->type.array || column->type.base == VALUE_JSONB || column->source == FROM_REST)
            return parse_fail(item, err, ERR_MAPPING_KEY, "arrays and jsonb cannot be keys");
        if (column->seal || column->withhold)
            return parse_fail(item, err, ERR_MAPPING_KEY, "a secret cannot be a key");
        if (mapping->on_delete == DELETE_SOFT && column == &mapping->columns[mapping->soft_column])
            return parse_fail(item, err, ERR_MAPPING_KEY, "a soft delete would change the key");
        column->key_at = (int)k;
        column->required = true;
        mapping->key[k] = (size_t)(column - mapping->columns);
    }
    return OUT_OK;
}

static enum outcome parse_all(struct parse *parse, struct error *err)
{
    struct yaml_at root = parse->root;
    struct mapping *mapping = parse->mapping;
    if (yaml_kind_of(root) != YAML_MAP)
        return parse_fail(root, err, ERR_MAPPING,
                          "a mapping is a map of entity, table, key, columns");
    enum outcome outcome = yaml_check_keys(root, "the mapping", TOP_KEYS, err);
    if (outcome == OUT_OK)
        outcome = parse_name(parse, yaml_find(root, "entity"), "entity", &mapping->entity, err);
    if (outcome == OUT_OK)
        outcome = parse_table(parse, yaml_find(root, "table"), err);
    if (outcome == OUT_OK)
        outcome = parse_version(parse, yaml_find(root, "version"), err);
    if (outcome == OUT_OK)
        outcome = parse_tenant(parse, yaml_find(root, "tenant"), err);
    if (outcome == OUT_OK)
        outcome = parse_collect(parse, yaml_find(root, "collect"), err);
    if (outcome == OUT_OK)
        outcome = parse_unicode(parse, yaml_find(root, "on_invalid_unicode"), err);
    if (outcome == OUT_OK)
        outcome = parse_columns(parse, err);
    if (outcome == OUT_OK)
        outcome = parse_key(parse, yaml_find(root, "key"), err);
    if (outcome == OUT_OK)
        outcome = parse_indexes(parse, err);
    if (outcome == OUT_OK)
        outcome = parse_secrets(parse, err);
    if (outcome == OUT_OK)
        outcome = parse_references(parse, err);
    if (outcome == OUT_OK)
        outcome = parse_redis(parse, err);
    if (outcome == OUT_OK)
        outcome = parse_check_collect(parse, err);
    return outcome;
}

enum outcome mapping_parse(const char *file, struct bytes text, struct mapping **mapping,
                           struct error *err)
{
    struct yaml_file *yaml = NULL;
    struct parse parse = {0};
    *mapping = NULL;
    enum outcome outcome = yaml_parse(file, text, &yaml, err);
    if (outcome != OUT_OK)
        return outcome;
    parse.mapping = calloc(1, sizeof *parse.mapping);
    if (!parse.mapping)
        abort();
    arena_init(&parse.mapping->arena, MAPPING_ARENA_MOST);
    parse.mapping->file = parse_copy(&parse.mapping->arena, bytes_text(file));
    parse.mapping->rest_at = -1;
    parse.mapping->fingerprint = digest_of(text);
    parse.root = yaml_root(yaml);
    outcome = parse_all(&parse, err);
    yaml_file_free(yaml);
    if (outcome != OUT_OK) {
        mapping_free(parse.mapping);
        return outcome;
    }
    *mapping = parse.mapping;
    return OUT_OK;
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
