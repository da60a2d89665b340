/*
 * YAML to column program: every part of a mapping but its columns (mapping_columns.c), and the
 * order in which they are read. Every error has file:line:column.
 */

#include "common/model/mapping/mapping.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/base/yaml.h"
#include "common/model/mapping/mapping_form.h"
#include "common/model/mapping/mapping_parse.h"
#include "common/model/mapping/mapping_value.h"

/* A mapping is a page of YAML; 4 MiB of compiled form is far above any. */
#define MAPPING_ARENA_MAX (4u << 20)
#define TTL_MAX_S (366ull * 86400)
#define TENANT_MARK "{tenant}"

/* ---- table, version, tenant, key ---- */

static enum outcome parse_table(struct parse *parse, struct yaml_at node, struct error *err)
{
    struct bytes text = parse_scalar(node);
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
    struct bytes text = parse_scalar(node);
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
    column->identifies = true;
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

/* ---- collect: where records of the entity are found ---- */

static enum outcome parse_texts(struct parse *parse, struct yaml_at node, const char *wanted,
                                const char *const **texts, size_t *count, struct error *err)
{
    struct mapping *mapping = parse->mapping;
    if (!yaml_has(node))
        return OUT_OK;
    bool list = yaml_kind_of(node) == YAML_LIST;
    *count = list ? yaml_count(node) : 1;
    if (*count == 0)
        return parse_fail(node, err, ERR_MAPPING, wanted);
    const char **copies = arena_array(&mapping->arena, *count, sizeof *copies);
    for (size_t i = 0; i < *count; i++) {
        struct yaml_at item = list ? yaml_item(node, i) : node;
        struct bytes text = parse_scalar(item);
        if (text.size == 0 || strlen(text.data) != text.size)
            return parse_fail(item, err, ERR_MAPPING, wanted);
        copies[i] = parse_copy(&mapping->arena, text);
    }
    *texts = copies;
    return OUT_OK;
}

/* A brace in a key pattern is only ever that of {tenant}, once. */
static enum outcome check_key_pattern(struct yaml_at node, const char *pattern, struct error *err)
{
    const char *mark = strstr(pattern, TENANT_MARK);
    const char *brace = strpbrk(pattern, "{}");
    const char *after = mark ? mark + strlen(TENANT_MARK) : pattern;
    if (brace != mark || (mark && strpbrk(after, "{}")))
        return parse_fail(node, err, ERR_MAPPING,
                          "a key pattern has * for any text and {tenant} once, no other braces");
    return OUT_OK;
}

static enum outcome parse_keys_of(struct parse *parse, struct yaml_at node, struct error *err)
{
    struct mapping *mapping = parse->mapping;
    enum outcome outcome = parse_texts(parse, node, "a storage key pattern is text such as chat_*",
                                       &mapping->collect_keys, &mapping->collect_key_count, err);
    for (size_t i = 0; i < mapping->collect_key_count && outcome == OUT_OK; i++)
        outcome = check_key_pattern(yaml_kind_of(node) == YAML_LIST ? yaml_item(node, i) : node,
                                    mapping->collect_keys[i], err);
    return outcome;
}

static enum outcome parse_expand(struct parse *parse, struct yaml_at node, struct error *err)
{
    static const char *const NAMES[] = {"elements", "value", "container", "text", "merge", NULL};
    size_t which;
    if (!yaml_has(node))
        return OUT_OK;
    enum outcome outcome = parse_word(node, "expand", NAMES, &which, err);
    if (outcome != OUT_OK)
        return outcome;
    if (parse->mapping->collect_key_count == 0)
        return parse_fail(node, err, ERR_MAPPING, "expand goes with local_storage");
    parse->mapping->expand = (enum collect_expand)which;
    return OUT_OK;
}

static bool has_member(const struct mapping *mapping, const char *member)
{
    for (size_t i = 0; i < mapping->merge_count; i++)
        if (strcmp(mapping->merges[i].member, member) == 0)
            return true;
    return false;
}

static enum outcome parse_members(struct parse *parse, struct yaml_at node, bool take,
                                  struct error *err)
{
    struct mapping *mapping = parse->mapping;
    if (!yaml_has(node))
        return OUT_OK;
    if (yaml_kind_of(node) != YAML_MAP)
        return parse_fail(node, err, ERR_MAPPING, "merge and take are maps of member: key pattern");
    for (size_t i = 0; i < yaml_count(node); i++) {
        struct bytes member = parse_scalar(yaml_key(node, i));
        struct bytes pattern = parse_scalar(yaml_value(node, i));
        if (member.size == 0 || pattern.size == 0)
            return parse_fail(yaml_value(node, i), err, ERR_MAPPING,
                              "merge and take are maps of member: key pattern");
        struct collect_merge *merge = &mapping->merges[mapping->merge_count];
        const char *name = parse_copy(&mapping->arena, member);
        if (has_member(mapping, name))
            return parse_fail(yaml_key(node, i), err, ERR_MAPPING, "the member is filled twice");
        *merge = (struct collect_merge){name, parse_copy(&mapping->arena, pattern), take};
        mapping->merge_count++;
        enum outcome outcome = check_key_pattern(yaml_value(node, i), merge->pattern, err);
        if (outcome != OUT_OK)
            return outcome;
    }
    return OUT_OK;
}

static enum outcome parse_merge(struct parse *parse, struct yaml_at at, struct error *err)
{
    struct mapping *mapping = parse->mapping;
    struct yaml_at merge = yaml_find(at, "merge"), take = yaml_find(at, "take");
    bool any = yaml_has(merge) || yaml_has(take);
    if (any != (mapping->expand == EXPAND_MERGE))
        return parse_fail(any ? (yaml_has(merge) ? merge : take) : yaml_find(at, "expand"), err,
                          ERR_MAPPING, "expand: merge and the maps merge and take go together");
    if (!any)
        return OUT_OK;
    size_t max = 0;
    if (yaml_has(merge) && yaml_kind_of(merge) == YAML_MAP)
        max += yaml_count(merge);
    if (yaml_has(take) && yaml_kind_of(take) == YAML_MAP)
        max += yaml_count(take);
    mapping->merges = arena_array(&mapping->arena, max + 1, sizeof *mapping->merges);
    enum outcome outcome = parse_members(parse, merge, false, err);
    return outcome == OUT_OK ? parse_members(parse, take, true, err) : outcome;
}

static enum outcome parse_join(struct parse *parse, struct yaml_at node, struct error *err)
{
    static const char *const KEYS[] = {"map_dump", "on", "as", NULL};
    struct mapping *mapping = parse->mapping;
    if (!yaml_has(node))
        return OUT_OK;
    if (yaml_kind_of(node) != YAML_MAP)
        return parse_fail(node, err, ERR_MAPPING,
                          "join is written {map_dump: name, on: /member, as: member}");
    if (mapping->collect_map_count == 0)
        return parse_fail(node, err, ERR_MAPPING, "join goes with map_dump");
    parse_keys(parse, node, "join", KEYS);
    struct collect_join *join = arena_array(&mapping->arena, 1, sizeof *join);
    struct bytes from = parse_scalar(yaml_find(node, "map_dump"));
    struct bytes as = parse_scalar(yaml_find(node, "as"));
    if (from.size == 0 || as.size == 0)
        return parse_fail(node, err, ERR_MAPPING,
                          "join is written {map_dump: name, on: /member, as: member}");
    join->collection = parse_copy(&mapping->arena, from);
    join->member = parse_copy(&mapping->arena, as);
    mapping->join = join;
    return parse_pointer(parse, yaml_has(yaml_find(node, "on")) ? yaml_find(node, "on") : node,
                         &join->pointer, err);
}

static enum outcome parse_collect(struct parse *parse, struct yaml_at node, struct error *err)
{
    static const char *const KEYS[] = {"files", "local_storage", "map_dump", "expand",
                                       "merge", "take",          "join",     NULL};
    struct mapping *mapping = parse->mapping;
    if (!yaml_has(node))
        return OUT_OK;
    if (yaml_kind_of(node) != YAML_MAP)
        return parse_fail(node, err, ERR_MAPPING,
                          "collect is a map of files, local_storage, map_dump");
    parse_keys(parse, node, "collect", KEYS);
    parse_keep(parse,
               parse_texts(parse, yaml_find(node, "files"),
                           "a file pattern is text such as users*.json", &mapping->collect_files,
                           &mapping->collect_file_count, err),
               err);
    bool keys = parse_keep(parse, parse_keys_of(parse, yaml_find(node, "local_storage"), err),
                           err) == OUT_OK;
    bool maps = parse_keep(parse,
                           parse_texts(parse, yaml_find(node, "map_dump"),
                                       "a collection is named by text such as projects",
                                       &mapping->collect_maps, &mapping->collect_map_count, err),
                           err) == OUT_OK;
    if (keys &&
        parse_keep(parse, parse_expand(parse, yaml_find(node, "expand"), err), err) == OUT_OK)
        parse_keep(parse, parse_merge(parse, node, err), err);
    if (maps)
        parse_keep(parse, parse_join(parse, yaml_find(node, "join"), err), err);
    return OUT_OK;
}

/* $key_suffix must say which key it was: one '*', in the same place of each key. */
static enum outcome parse_check_collect(struct parse *parse, struct error *err)
{
    struct mapping *mapping = parse->mapping;
    bool wanted = false;
    for (size_t i = 0; i < mapping->column_count; i++)
        wanted = wanted || mapping->columns[i].source == FROM_KEY_SUFFIX;
    if (!wanted || mapping->collect_key_count == 0)
        return OUT_OK;
    size_t with_star = 0;
    for (size_t i = 0; i < mapping->collect_key_count; i++) {
        const char *star = strchr(mapping->collect_keys[i], '*');
        with_star += star != NULL;
        if (star && (strchr(star + 1, '*') || strstr(mapping->collect_keys[i], TENANT_MARK)))
            return parse_fail(yaml_find(parse->root, "collect"), err, ERR_MAPPING,
                              "$key_suffix needs patterns with one *, and no {tenant} beside it");
    }
    if (with_star == 1)
        return OUT_OK;
    return parse_fail(yaml_find(parse->root, "collect"), err, ERR_MAPPING,
                      "$key_suffix needs exactly one key pattern with *");
}

/* ---- indexes ---- */

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

static enum outcome parse_indexes(struct parse *parse, struct error *err)
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
        column->identifies = true;
    }
    if (outcome != OUT_OK)
        return OUT_OK; /* told, and left out */
    reference->columns = columns;
    reference->column_count = yaml_count(list);
    reference->line = parse_line(at);
    mapping->reference_count++;
    return OUT_OK;
}

static enum outcome parse_references(struct parse *parse, struct error *err)
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

static enum outcome parse_secrets(struct parse *parse, struct error *err)
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

/* ---- redis: what it holds of a record ---- */

struct placeholders {
    bool tenant, id;
    bool columns[MAPPING_COLUMNS_MAX];
};

static bool note(const struct mapping *mapping, struct bytes name, struct placeholders *seen)
{
    if (bytes_equal(name, BYTES_LITERAL("isolation_key")))
        return seen->tenant = true;
    if (bytes_equal(name, BYTES_LITERAL("id")))
        return seen->id = true;
    if (bytes_equal(name, BYTES_LITERAL("entity")))
        return true;
    const struct column *column = parse_find_column(mapping, name);
    if (!column || column->key_at < 0)
        return false;
    return seen->columns[column - mapping->columns] = true;
}

/* A column without a name may be meant, when nothing else is near. */
static bool may_be_unnamed(const struct parse *parse, struct bytes name)
{
    const struct mapping *mapping = parse->mapping;
    const char *names[MAPPING_COLUMNS_MAX + 3] = {"isolation_key", "entity", "id"};
    char text[64];
    if (!parse->unnamed || name.size >= sizeof text)
        return false;
    for (size_t i = 0; i < mapping->column_count; i++)
        names[3 + i] = mapping->columns[i].name;
    memcpy(text, name.data, name.size);
    text[name.size] = '\0';
    return !text_nearest(text, names, 3 + mapping->column_count);
}

/* Two records must never share a key: the tenant and the whole id are in it. */
static enum outcome check_key(struct parse *parse, struct yaml_at node, struct error *err)
{
    const struct mapping *mapping = parse->mapping;
    struct placeholders seen = {0};
    struct bytes text = parse_scalar(node);
    for (const char *at = text.data, *end = text.data + text.size; at < end; at++) {
        if (*at == '}')
            return parse_fail(node, err, ERR_MAPPING, "redis.key has a } without {");
        if (*at != '{')
            continue;
        const char *close = memchr(at, '}', (size_t)(end - at));
        if (close && may_be_unnamed(parse, bytes_of(at + 1, (size_t)(close - at - 1)))) {
            at = close;
            continue;
        }
        if (!close || !note(mapping, bytes_of(at + 1, (size_t)(close - at - 1)), &seen))
            return parse_fail(node, err, ERR_MAPPING,
                              "redis.key takes {isolation_key}, {entity}, {id} and key columns");
        at = close;
    }
    bool whole = true, any = false;
    for (size_t k = 0; k < mapping->key_count; k++)
        whole = whole && seen.columns[mapping->key[k]], any = any || seen.columns[mapping->key[k]];
    if (seen.id && any)
        return parse_fail(node, err, ERR_MAPPING,
                          "{id} in redis.key is the whole id, every key column of it: no column "
                          "stands beside it");
    if (!parse->unnamed && (!seen.tenant || (!seen.id && !whole)))
        return parse_fail(node, err, ERR_MAPPING,
                          "redis.key needs {isolation_key} and {id} or every key column");
    return OUT_OK;
}

static enum outcome parse_ttl(struct yaml_at node, uint64_t *ttl_s, struct error *err)
{
    uint64_t ms = 0;
    if (!yaml_has(node))
        return OUT_OK;
    if (!text_parse_millis(parse_scalar(node), &ms) || ms < 1000 || ms % 1000 ||
        ms / 1000 > TTL_MAX_S)
        return parse_fail(node, err, ERR_MAPPING,
                          "redis.ttl is whole seconds up to a year, such as 90s or 24h");
    *ttl_s = ms / 1000;
    return OUT_OK;
}

/* Fields of a hash that hold its version and the record as it was (redis_rows.c). */
static bool takes_own_field(const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->column_count; i++)
        if (strcmp(mapping->columns[i].name, "_v") == 0 ||
            strcmp(mapping->columns[i].name, "_j") == 0)
            return true;
    return false;
}

static enum outcome parse_redis(struct parse *parse, struct error *err)
{
    static const char *const KEYS[] = {"key", "ttl", "value", NULL};
    static const char *const FORMS[] = {"json", "hash", NULL};
    struct mapping *mapping = parse->mapping;
    struct yaml_at node = yaml_find(parse->root, "redis");
    size_t which = 0;
    if (!yaml_has(node))
        return OUT_OK;
    if (yaml_kind_of(node) != YAML_MAP)
        return parse_fail(node, err, ERR_MAPPING, "redis is written { key: …, ttl: …, value: … }");
    parse_keys(parse, node, "redis", KEYS);
    enum outcome outcome = OUT_OK;
    struct yaml_at key = yaml_find(node, "key"), value = yaml_find(node, "value");
    if (parse_scalar(key).size == 0)
        parse_keep(parse, parse_fail(node, err, ERR_MAPPING, "redis has no key"), err);
    else
        parse_keep(parse, check_key(parse, key, err), err);
    parse_keep(parse, parse_ttl(yaml_find(node, "ttl"), &mapping->redis.ttl_s, err), err);
    if (yaml_has(value))
        outcome = parse_word(value, "redis.value", FORMS, &which, err);
    if (outcome == OUT_OK && which && takes_own_field(mapping))
        outcome = parse_fail(value, err, ERR_MAPPING,
                             "a hash keeps its version in _v and its record in _j: no column may "
                             "be called so");
    if (outcome != OUT_OK)
        return outcome;
    mapping->redis.form = which ? REDIS_HASH : REDIS_JSON;
    mapping->redis.key = parse_copy(&mapping->arena, parse_scalar(key));
    return OUT_OK;
}

/* ---- all of it ---- */

static const char *const TOP_KEYS[] = {
    "entity",      "collect", "table",    "key",        "version",
    "tenant",      "columns", "rest",     "indexes",    "on_invalid_unicode",
    "description", "seal",    "withhold", "references", "on_delete",
    "redis",       NULL};

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
    parse.mapping = mem_new(sizeof *parse.mapping);
    arena_init(&parse.mapping->arena, MAPPING_ARENA_MAX);
    parse.mapping->file = parse_copy(&parse.mapping->arena, bytes_text(file));
    parse.mapping->rest_at = -1;
    parse.mapping->fingerprint = digest_of(text);
    parse.root = yaml_root(yaml);
    parse_all(&parse);
    yaml_file_free(yaml);
    members_of_identity(parse.mapping);
    *mapping = parse.mapping;
    if (mistakes->count > before || mistakes->dropped)
        return OUT_FATAL;
    parse.mapping->form = mapping_form_digest(parse.mapping);
    return OUT_OK;
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
