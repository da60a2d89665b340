/* The view: every function answers from libyaml's node table. */

#include "common/base/yaml.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/base/yaml_tree.h"

static const yaml_node_t *get_node(struct yaml_at node)
{
    const yaml_document_t *document = &node.file->document;
    assert(node.at >= 1 && node.at <= document->nodes.top - document->nodes.start);
    return document->nodes.start + node.at - 1;
}

struct yaml_at yaml_root(const struct yaml_file *file)
{
    return (struct yaml_at){file, 1};
}

enum yaml_kind yaml_kind_of(struct yaml_at node)
{
    switch (get_node(node)->type) {
    case YAML_SEQUENCE_NODE:
        return YAML_LIST;
    case YAML_MAPPING_NODE:
        return YAML_MAP;
    default:
        return YAML_SCALAR;
    }
}

struct bytes yaml_scalar(struct yaml_at node, bool *plain)
{
    const yaml_node_t *scalar = get_node(node);
    assert(scalar->type == YAML_SCALAR_NODE);
    if (plain)
        *plain = scalar->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    return bytes_of(scalar->data.scalar.value, scalar->data.scalar.length);
}

bool yaml_is_null(struct yaml_at node)
{
    if (yaml_kind_of(node) != YAML_SCALAR)
        return false;
    bool plain;
    struct bytes text = yaml_scalar(node, &plain);
    static const char *const NULLS[] = {"", "~", "null", "Null", "NULL"};
    for (size_t i = 0; plain && i < sizeof(NULLS) / sizeof(NULLS[0]); i++) {
        if (bytes_equal(text, bytes_text(NULLS[i])))
            return true;
    }
    return false;
}

size_t yaml_count(struct yaml_at list_or_map)
{
    const yaml_node_t *node = get_node(list_or_map);
    if (node->type == YAML_SEQUENCE_NODE)
        return (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    assert(node->type == YAML_MAPPING_NODE);
    return (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
}

struct yaml_at yaml_item(struct yaml_at list, size_t index)
{
    assert(yaml_kind_of(list) == YAML_LIST && index < yaml_count(list));
    return (struct yaml_at){list.file, get_node(list)->data.sequence.items.start[index]};
}

static const yaml_node_pair_t *get_pair(struct yaml_at map, size_t index)
{
    assert(yaml_kind_of(map) == YAML_MAP && index < yaml_count(map));
    return get_node(map)->data.mapping.pairs.start + index;
}

struct yaml_at yaml_key(struct yaml_at map, size_t index)
{
    return (struct yaml_at){map.file, get_pair(map, index)->key};
}

struct yaml_at yaml_value(struct yaml_at map, size_t index)
{
    return (struct yaml_at){map.file, get_pair(map, index)->value};
}

struct yaml_at yaml_find(struct yaml_at map, const char *key)
{
    size_t count = yaml_count(map);
    for (size_t i = 0; i < count; i++) {
        if (bytes_equal(yaml_scalar(yaml_key(map, i), NULL), bytes_text(key)))
            return yaml_value(map, i);
    }
    return (struct yaml_at){map.file, 0};
}

bool yaml_has(struct yaml_at node)
{
    return node.at != 0;
}

void yaml_where(struct yaml_at node, struct error *err)
{
    yaml_mark_t mark = yaml_has(node) ? get_node(node)->start_mark : (yaml_mark_t){0};
    error_where(err, "%s:%zu:%zu", node.file->name, mark.line + 1, mark.column + 1);
}

static bool is_known(struct bytes key, const char *const *known, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bytes_equal(key, bytes_text(known[i])))
            return true;
    }
    return false;
}

/* NULL: nothing is near enough to be meant. */
static const char *refuse_key(struct yaml_at key, const char *inside, const char *const *known,
                              size_t known_count, struct error *err)
{
    struct bytes text = yaml_scalar(key, NULL);
    error_set(err, OUT_FATAL, ERR_CONF_UNKNOWN, "unknown key \"%.100s\"%s%s", text.data,
              inside[0] ? " under " : "", inside);
    yaml_where(key, err);
    const char *nearest = text_nearest(text.data, known, known_count);
    if (nearest)
        error_hint(err, "did you mean \"%s\"?", nearest);
    return nearest;
}

enum outcome yaml_check_keys(struct yaml_at map, const char *inside, const char *const *known,
                             struct error *err)
{
    size_t known_count = 0;
    while (known[known_count])
        known_count++;
    size_t count = yaml_count(map);
    for (size_t i = 0; i < count; i++) {
        struct yaml_at key = yaml_key(map, i);
        if (is_known(yaml_scalar(key, NULL), known, known_count))
            continue;
        (void)refuse_key(key, inside, known, known_count, err);
        return OUT_FATAL;
    }
    return OUT_OK;
}

/* ---- reading on behind a mistake ---- */

/* libyaml's nodes are ours to change until the file is freed; what it frees is malloc'ed. */
static void put_scalar(struct yaml_at node, const char *text)
{
    yaml_node_t *scalar = node.file->document.nodes.start + node.at - 1;
    char *copy = strdup(text);
    if (!copy)
        abort();
    free(scalar->data.scalar.value);
    scalar->data.scalar.value = (yaml_char_t *)copy;
    scalar->data.scalar.length = strlen(copy);
}

bool yaml_mend_keys(struct yaml_at map, const char *inside, const char *const *known,
                    struct error_list *mistakes)
{
    bool mended = true;
    size_t known_count = 0;
    while (known[known_count])
        known_count++;
    for (size_t i = 0; i < yaml_count(map); i++) {
        struct error err;
        struct yaml_at key = yaml_key(map, i);
        if (is_known(yaml_scalar(key, NULL), known, known_count))
            continue;
        const char *nearest = refuse_key(key, inside, known, known_count, &err);
        error_list_add(mistakes, &err);
        if (nearest && !yaml_has(yaml_find(map, nearest)))
            put_scalar(key, nearest);
        else
            mended = false;
    }
    return mended;
}

/* "numeric(12" and behind it the key "2)" without a value. */
static bool is_cut(struct yaml_at map, size_t i)
{
    bool plain, key_plain;
    if (yaml_kind_of(yaml_value(map, i)) != YAML_SCALAR || !yaml_is_null(yaml_value(map, i + 1)))
        return false;
    struct bytes value = yaml_scalar(yaml_value(map, i), &plain);
    struct bytes key = yaml_scalar(yaml_key(map, i + 1), &key_plain);
    return plain && key_plain && key.size > 1 && key.data[key.size - 1] == ')' &&
           !memchr(key.data, '(', key.size) && memchr(value.data, '(', value.size) &&
           !memchr(value.data, ')', value.size);
}

void yaml_mend_cuts(struct yaml_at map, struct error_list *mistakes)
{
    for (size_t i = 0; i + 1 < yaml_count(map); i++) {
        struct error err;
        char whole[120];
        if (!is_cut(map, i))
            continue;
        snprintf(whole, sizeof(whole), "%.50s,%.50s", yaml_scalar(yaml_value(map, i), NULL).data,
                 yaml_scalar(yaml_key(map, i + 1), NULL).data);
        error_set(&err, OUT_FATAL, ERR_MAPPING_TYPE, "within { } YAML cuts %s at its comma", whole);
        yaml_where(yaml_value(map, i), &err);
        error_hint(&err, "quote it: %.40s: \"%s\"", yaml_scalar(yaml_key(map, i), NULL).data,
                   whole);
        error_list_add(mistakes, &err);
        put_scalar(yaml_value(map, i), whole);
        yaml_node_t *node = map.file->document.nodes.start + map.at - 1;
        yaml_node_pair_t *pairs = node->data.mapping.pairs.start;
        size_t count = yaml_count(map);
        memmove(&pairs[i + 1], &pairs[i + 2], (count - i - 2) * sizeof(*pairs));
        node->data.mapping.pairs.top--;
    }
}
