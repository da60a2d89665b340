/* The view: every function answers from libyaml's node table. */

#include "common/base/yaml.h"

#include <assert.h>
#include <stdlib.h>

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

enum outcome yaml_check_keys(struct yaml_at map, const char *inside, const char *const *known,
                             struct error *err)
{
    size_t known_count = 0;
    while (known[known_count])
        known_count++;
    size_t count = yaml_count(map);
    for (size_t i = 0; i < count; i++) {
        struct yaml_at key = yaml_key(map, i);
        struct bytes text = yaml_scalar(key, NULL);
        if (is_known(text, known, known_count))
            continue;
        error_set(err, OUT_FATAL, ERR_CONF_UNKNOWN, "unknown key \"%.100s\"%s%s", text.data,
                  inside[0] ? " under " : "", inside);
        yaml_where(key, err);
        const char *nearest = text_nearest(text.data, known, known_count);
        if (nearest)
            error_hint(err, "did you mean \"%s\"?", nearest);
        return OUT_FATAL;
    }
    return OUT_OK;
}
