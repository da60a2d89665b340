/* Settings from a file: the tree's maps are walked along the fields' paths. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/conf_mistakes.h"
#include "common/base/conf_put.h"
#include "common/base/text.h"
#include "common/base/yaml.h"

enum { LONGEST_PATH = 128, MOST_NEIGHBOURS = 128 };

static struct conf_source source_of(struct yaml_at node, struct error *where)
{
    yaml_where(node, where);
    return (struct conf_source){CONF_FROM_FILE, where->where};
}

/* A single value, or what a list may hold. */
static enum outcome check_scalar(const struct conf_field *field, struct yaml_at node,
                                 struct error *err)
{
    if (yaml_kind_of(node) == YAML_SCALAR)
        return OUT_OK;
    struct error where;
    return conf_refuse(field, source_of(node, &where), err, "must be a single value, not a %s",
                       yaml_kind_of(node) == YAML_LIST ? "list" : "map");
}

/* The items of a list, or the keys and values of a map, as views. */
static enum outcome put_many(struct conf *conf, size_t index, struct yaml_at node, bool is_map,
                             struct error *err)
{
    size_t count = yaml_count(node);
    struct bytes *keys = calloc(count + 1, sizeof(*keys));
    struct bytes *items = calloc(count + 1, sizeof(*items));
    if (!keys || !items)
        abort();
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < count && outcome == OUT_OK; i++) {
        struct yaml_at item = is_map ? yaml_value(node, i) : yaml_item(node, i);
        outcome = check_scalar(&conf->fields[index], item, err);
        if (outcome != OUT_OK)
            break;
        items[i] = yaml_is_null(item) ? bytes_text("") : yaml_scalar(item, NULL);
        if (is_map)
            keys[i] = yaml_scalar(yaml_key(node, i), NULL);
    }
    struct error where;
    if (outcome == OUT_OK)
        outcome = conf_put(conf, index, (struct conf_input){is_map ? keys : NULL, items, count},
                           source_of(node, &where), err);
    free(keys);
    free(items);
    return outcome;
}

static enum outcome put_field(struct conf *conf, size_t index, struct yaml_at node,
                              struct error *err)
{
    const struct conf_field *field = &conf->fields[index];
    struct error where;
    if (yaml_is_null(node))
        return OUT_OK; /* "key:" alone leaves the default */
    if (field->kind == CONF_MAP && yaml_kind_of(node) == YAML_MAP)
        return put_many(conf, index, node, true, err);
    if (field->kind == CONF_MAP && field->choices && yaml_kind_of(node) == YAML_SCALAR) {
        struct bytes first = conf_choice(field->choices, 0), value = yaml_scalar(node, NULL);
        return conf_put(conf, index, (struct conf_input){&first, &value, 1},
                        source_of(node, &where), err);
    }
    if (field->kind == CONF_MAP)
        return conf_refuse(field, source_of(node, &where), err, "must be a map of key: value");
    if (field->kind == CONF_LIST && yaml_kind_of(node) == YAML_LIST)
        return put_many(conf, index, node, false, err);
    enum outcome outcome = check_scalar(field, node, err);
    if (outcome != OUT_OK)
        return outcome;
    struct bytes text = yaml_scalar(node, NULL);
    return conf_put(conf, index, (struct conf_input){NULL, &text, 1}, source_of(node, &where), err);
}

/* The part of `path` below `prefix` ("kafka.brokers" below "kafka" is "brokers"), or NULL. */
static const char *below(const char *path, const char *prefix)
{
    size_t size = strlen(prefix);
    if (!path || size == 0)
        return path;
    return strncmp(path, prefix, size) == 0 && path[size] == '.' ? path + size + 1 : NULL;
}

static void add_neighbour(char names[][LONGEST_PATH], const char **views, size_t *count,
                          const char *rest)
{
    if (*count == MOST_NEIGHBOURS)
        return;
    snprintf(names[*count], LONGEST_PATH, "%.*s", (int)strcspn(rest, "."), rest);
    views[*count] = names[*count];
    ++*count;
}

/* First what could stand here, then where a key of this very name has its place. */
static void suggest(const struct conf *conf, const char *prefix, const char *key,
                    char meant[LONGEST_PATH], struct error *err)
{
    static const size_t NAMES_SIZE = MOST_NEIGHBOURS;
    char(*names)[LONGEST_PATH] = calloc(NAMES_SIZE, sizeof(*names));
    const char *views[MOST_NEIGHBOURS];
    if (!names)
        abort();
    size_t count = 0;
    const char *elsewhere = NULL;
    for (size_t i = 0; i < conf->field_count; i++) {
        const char *path = conf->fields[i].path;
        const char *rest = below(path, prefix);
        if (rest)
            add_neighbour(names, views, &count, rest);
        const char *dot = path ? strrchr(path, '.') : NULL;
        if (path && strcmp(dot ? dot + 1 : path, key) == 0)
            elsewhere = path;
    }
    const char *nearest = text_nearest(key, views, count);
    int size = snprintf(meant, LONGEST_PATH, "%s%s%s", prefix, prefix[0] ? "." : "",
                        nearest ? nearest : "");
    if (!nearest || size >= LONGEST_PATH)
        meant[0] = '\0';
    if (!nearest)
        nearest = elsewhere;
    if (nearest)
        error_hint(err, "did you mean \"%s\"?", nearest);
    free(names);
}

/* `meant`: the path it may have been meant for, or empty. */
static void refuse_key(const struct conf *conf, const char *prefix, struct yaml_at key,
                       char meant[LONGEST_PATH], struct error *err)
{
    const char *text = yaml_scalar(key, NULL).data;
    error_set(err, OUT_FATAL, ERR_CONF_UNKNOWN, "unknown key \"%.100s\"%s%s", text,
              prefix[0] ? " under " : "", prefix);
    yaml_where(key, err);
    suggest(conf, prefix, text, meant, err);
}

enum match { NO_FIELD, FIELD, PARENT_OF_FIELDS };

static enum match find_path(const struct conf *conf, const char *path, size_t *index)
{
    enum match match = NO_FIELD;
    for (size_t i = 0; i < conf->field_count; i++) {
        const char *known = conf->fields[i].path, *old = conf->fields[i].old_path;
        if ((known && strcmp(known, path) == 0) || (old && strcmp(old, path) == 0)) {
            *index = i;
            return FIELD;
        }
        if (below(known, path) || below(old, path))
            match = PARENT_OF_FIELDS;
    }
    return match;
}

static void walk(struct conf *conf, struct yaml_at map, const char *prefix,
                 struct error_list *mistakes);

/* False: there is no such path. */
static bool take(struct conf *conf, const char *path, struct yaml_at value,
                 struct error_list *mistakes)
{
    struct error err;
    size_t index;
    enum match match = find_path(conf, path, &index);
    if (match == FIELD && put_field(conf, index, value, &err) != OUT_OK)
        error_list_add(mistakes, &err);
    else if (match == FIELD && strcmp(path, conf->fields[index].path) != 0)
        conf_note_old(conf, index, path, conf->fields[index].path, source_of(value, &err).place);
    if (match == PARENT_OF_FIELDS)
        walk(conf, value, path, mistakes);
    return match != NO_FIELD;
}

/* Reads on behind a mistake; a misspelled key as what it was probably meant to be, so that nothing
 * follows from it. */
static void walk(struct conf *conf, struct yaml_at map, const char *prefix,
                 struct error_list *mistakes)
{
    struct error err;
    if (yaml_is_null(map))
        return;
    if (yaml_kind_of(map) != YAML_MAP) {
        error_set(&err, OUT_FATAL, ERR_CONF_VALUE,
                  "%s must hold settings, one \"key: value\" a line",
                  prefix[0] ? prefix : "the file");
        yaml_where(map, &err);
        error_list_add(mistakes, &err);
        return;
    }
    size_t count = yaml_count(map);
    for (size_t i = 0; i < count; i++) {
        struct yaml_at key = yaml_key(map, i);
        char path[LONGEST_PATH], meant[LONGEST_PATH];
        int size = snprintf(path, sizeof(path), "%s%s%s", prefix, prefix[0] ? "." : "",
                            yaml_scalar(key, NULL).data);
        if (size < LONGEST_PATH && take(conf, path, yaml_value(map, i), mistakes))
            continue;
        refuse_key(conf, prefix, key, meant, &err);
        error_list_add(mistakes, &err);
        const char *last = strrchr(meant, '.');
        if (meant[0] && !yaml_has(yaml_find(map, last ? last + 1 : meant)))
            (void)take(conf, meant, yaml_value(map, i), mistakes);
    }
}

enum outcome conf_load_yaml_all(struct conf *conf, const char *file, struct bytes text,
                                bool *is_yaml, struct error_list *mistakes)
{
    struct yaml_file *tree;
    size_t before = mistakes->count;
    *is_yaml = yaml_parse_all(file, text, &tree, mistakes) == OUT_OK;
    if (!*is_yaml)
        return OUT_FATAL;
    walk(conf, yaml_root(tree), "", mistakes);
    yaml_file_free(tree);
    return mistakes->count == before ? OUT_OK : OUT_FATAL;
}

enum outcome conf_load_yaml(struct conf *conf, const char *file, struct bytes text,
                            struct error *err)
{
    struct error_list mistakes;
    bool is_yaml;
    error_list_init(&mistakes);
    enum outcome outcome = conf_load_yaml_all(conf, file, text, &is_yaml, &mistakes);
    if (mistakes.count && err)
        *err = mistakes.items[0];
    error_list_free(&mistakes);
    return outcome;
}
