/* YAML to column program: collect, where records of the entity are found. */

#include <string.h>

#include "common/model/mapping/mapping_parse.h"

#define TENANT_MARK "{tenant}"

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

enum outcome parse_collect(struct parse *parse, struct yaml_at node, struct error *err)
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
enum outcome parse_check_collect(struct parse *parse, struct error *err)
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
