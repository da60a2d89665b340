/* YAML to column program: what Redis holds of a record. */

#include <string.h>

#include "common/base/text.h"
#include "common/model/mapping/mapping_parse.h"

#define TTL_MAX_S (366ull * 86400)

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

enum outcome parse_redis(struct parse *parse, struct error *err)
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
