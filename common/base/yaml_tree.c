/*
 * An alias makes the tree a graph: it may lead back to itself, or share one node so often that a
 * few lines unfold to billions ("billion laughs"). Each node is visited once and remembers its
 * height and its unfolded size, so the check itself is linear.
 */

#include "common/base/yaml_tree.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEEPEST = 32,            /* our own files need 5 */
    MOST_UNFOLDED = 1000000, /* a file of 1 MiB without aliases cannot reach it */
};

struct shape {
    uint32_t unfolded; /* nodes when aliases are followed; 0: not visited yet */
    uint8_t height;
    bool twice;   /* a key that its map has before */
    bool entered; /* on the way from the root to the node being visited */
};

struct check {
    const struct yaml_file *file;
    struct shape *shapes;     /* by node number - 1 */
    struct error_list *twice; /* keys that are written twice; NULL: the first of them is refused */
    struct error *err;
};

static const yaml_node_t *node_at(const struct check *check, int at)
{
    return check->file->document.nodes.start + at - 1;
}

static enum outcome refuse(const struct check *check, int at, const char *sentence)
{
    error_set(check->err, OUT_FATAL, ERR_CONF_SYNTAX, "%s", sentence);
    yaml_where((struct yaml_at){check->file, at}, check->err);
    return OUT_FATAL;
}

static int compare_keys(const void *left, const void *right)
{
    const yaml_node_t *const *a = left;
    const yaml_node_t *const *b = right;
    int order = bytes_compare(bytes_of((*a)->data.scalar.value, (*a)->data.scalar.length),
                              bytes_of((*b)->data.scalar.value, (*b)->data.scalar.length));
    if (order)
        return order;
    return ((*a)->start_mark.index > (*b)->start_mark.index) -
           ((*a)->start_mark.index < (*b)->start_mark.index);
}

static bool same_key(const yaml_node_t *a, const yaml_node_t *b)
{
    return bytes_equal(bytes_of(a->data.scalar.value, a->data.scalar.length),
                       bytes_of(b->data.scalar.value, b->data.scalar.length));
}

static void refuse_twice(const struct check *check, const yaml_node_t *key)
{
    int at = (int)(key - check->file->document.nodes.start) + 1;
    struct error err;
    error_set(&err, OUT_FATAL, ERR_CONF_SYNTAX, "key \"%.100s\" is written twice",
              (const char *)key->data.scalar.value);
    yaml_where((struct yaml_at){check->file, at}, &err);
    error_hint(&err, "remove one of the two");
    if (check->twice)
        error_list_add(check->twice, &err);
    else if (check->err)
        *check->err = err;
    check->shapes[at - 1].twice = true;
}

/* Sorted, so that a hostile file of a hundred thousand keys does not take minutes. False: there are
 * keys that are written twice. */
static bool check_twice(const struct check *check, const yaml_node_t *map, size_t count)
{
    const yaml_node_t **keys = malloc((count + 1) * sizeof(const yaml_node_t *));
    if (!keys)
        abort();
    for (size_t i = 0; i < count; i++)
        keys[i] = node_at(check, map->data.mapping.pairs.start[i].key);
    qsort(keys, count, sizeof(const yaml_node_t *), compare_keys);
    bool once = true;
    for (size_t i = 1; i < count && (once || check->twice); i++) {
        if (!same_key(keys[i - 1], keys[i]))
            continue;
        refuse_twice(check, keys[i]);
        once = false;
    }
    free(keys);
    return once;
}

/* The first is read, so that nothing follows from the others. */
static void drop_twice(const struct check *check, int at)
{
    yaml_node_t *map = check->file->document.nodes.start + at - 1;
    yaml_node_pair_t *kept = map->data.mapping.pairs.start;
    for (const yaml_node_pair_t *pair = kept; pair < map->data.mapping.pairs.top; pair++)
        if (!check->shapes[pair->key - 1].twice)
            *kept++ = *pair;
    map->data.mapping.pairs.top = kept;
}

static enum outcome check_keys(const struct check *check, int at)
{
    const yaml_node_t *map = node_at(check, at);
    size_t count = (size_t)(map->data.mapping.pairs.top - map->data.mapping.pairs.start);
    for (size_t i = 0; i < count; i++) {
        int key = map->data.mapping.pairs.start[i].key;
        if (node_at(check, key)->type != YAML_SCALAR_NODE)
            return refuse(check, key, "a key must be a single word or text");
    }
    if (check_twice(check, map, count))
        return OUT_OK;
    if (check->twice)
        drop_twice(check, at);
    return check->twice ? OUT_OK : OUT_FATAL;
}

static enum outcome check_scalar(const struct check *check, int at)
{
    const yaml_node_t *scalar = node_at(check, at);
    if (memchr(scalar->data.scalar.value, '\0', scalar->data.scalar.length))
        return refuse(check, at, "a text holds the NUL character");
    return OUT_OK;
}

static enum outcome check_node(const struct check *check, int at, unsigned depth);

static enum outcome check_child(const struct check *check, struct shape *shape, int child,
                                unsigned depth)
{
    enum outcome outcome = check_node(check, child, depth + 1);
    if (outcome != OUT_OK)
        return outcome;
    const struct shape *below = &check->shapes[child - 1];
    if (below->height >= shape->height)
        shape->height = (uint8_t)(below->height + 1);
    if (depth + shape->height > DEEPEST)
        return refuse(check, child, "the file is nested more than 32 levels deep");
    shape->unfolded += below->unfolded;
    if (shape->unfolded > MOST_UNFOLDED)
        return refuse(check, child, "the file's aliases unfold to more than a million nodes");
    return OUT_OK;
}

static enum outcome check_children(const struct check *check, int at, struct shape *shape,
                                   unsigned depth)
{
    const yaml_node_t *node = node_at(check, at);
    enum outcome outcome = OUT_OK;
    if (node->type == YAML_SEQUENCE_NODE) {
        const yaml_node_item_t *item = node->data.sequence.items.start;
        for (; outcome == OUT_OK && item < node->data.sequence.items.top; item++)
            outcome = check_child(check, shape, *item, depth);
        return outcome;
    }
    const yaml_node_pair_t *pair = node->data.mapping.pairs.start;
    for (; outcome == OUT_OK && pair < node->data.mapping.pairs.top; pair++) {
        outcome = check_child(check, shape, pair->key, depth);
        if (outcome == OUT_OK)
            outcome = check_child(check, shape, pair->value, depth);
    }
    return outcome == OUT_OK ? check_keys(check, at) : outcome;
}

/* `depth` of the root is 1. Recursion ends at DEEPEST. */
static enum outcome check_node(const struct check *check, int at, unsigned depth)
{
    struct shape *shape = &check->shapes[at - 1];
    if (shape->entered)
        return refuse(check, at, "an alias leads back to the place that holds it");
    if (depth > DEEPEST)
        return refuse(check, at, "the file is nested more than 32 levels deep");
    if (shape->unfolded)
        return OUT_OK;
    if (strncmp((const char *)node_at(check, at)->tag, "tag:yaml.org,2002:", 18) != 0)
        return refuse(check, at, "YAML tags (!word) are not used here");
    shape->unfolded = 1;
    if (node_at(check, at)->type == YAML_SCALAR_NODE)
        return check_scalar(check, at);
    shape->entered = true;
    enum outcome outcome = check_children(check, at, shape, depth);
    shape->entered = false;
    return outcome;
}

enum outcome yaml_tree_check(const struct yaml_file *file, struct error_list *twice,
                             struct error *err)
{
    size_t count = (size_t)(file->document.nodes.top - file->document.nodes.start);
    struct check check = {file, calloc(count, sizeof(struct shape)), twice, err};
    if (!check.shapes)
        abort();
    enum outcome outcome = check_node(&check, 1, 1);
    free(check.shapes);
    return outcome;
}
