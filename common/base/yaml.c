/*
 * Reading a file into libyaml's document, refusing what the view does not promise to handle, and
 * the view, of which every function answers from libyaml's node table.
 *
 * An alias makes the tree a graph: it may lead back to itself, or share one node so often that a
 * few lines unfold to billions ("billion laughs"). Each node is visited once and remembers its
 * height and its unfolded size, so the check itself is linear.
 */
#include "common/base/yaml.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "common/base/mem.h"
#include "common/base/text.h"

struct yaml_file {
    yaml_document_t document; /* nodes are numbered from 1; the root is 1 */
    char *name;
};

/* ---- the tree, checked ---- */

enum {
    DEEPEST = 32,           /* our own files need 5 */
    UNFOLDED_MAX = 1000000, /* a file of 1 MiB without aliases cannot reach it */
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
    struct error_list *twice; /* keys that are written twice */
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
    error_list_add(check->twice, &err);
    check->shapes[at - 1].twice = true;
}

/* Sorted, so that a hostile file of a hundred thousand keys does not take minutes. False: there are
 * keys that are written twice. */
static bool check_twice(const struct check *check, const yaml_node_t *map, size_t count)
{
    const yaml_node_t **keys = mem_alloc((count + 1) * sizeof(const yaml_node_t *));
    for (size_t i = 0; i < count; i++)
        keys[i] = node_at(check, map->data.mapping.pairs.start[i].key);
    qsort(keys, count, sizeof(const yaml_node_t *), compare_keys);
    bool once = true;
    for (size_t i = 1; i < count; i++) {
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
    if (!check_twice(check, map, count))
        drop_twice(check, at);
    return OUT_OK;
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
    if (shape->unfolded > UNFOLDED_MAX)
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

/* Refuses trees the view does not promise to handle (yaml.h says which). Keys that are written
 * twice are added to `twice` and taken out of the tree. */
static enum outcome check_tree(const struct yaml_file *file, struct error_list *twice,
                               struct error *err)
{
    size_t count = (size_t)(file->document.nodes.top - file->document.nodes.start);
    struct check check = {file, mem_zeroed(count, sizeof(struct shape)), twice, err};
    enum outcome outcome = check_node(&check, 1, 1);
    free(check.shapes);
    return outcome;
}

/* ---- reading ---- */

enum {
    LARGEST_FILE = 1024 * 1024, /* a person wrote it; our own files have a few KiB */
    DEEPEST_OPEN = 32,
    ANCHORS_MAX = 1000,
};

static void set_input(yaml_parser_t *parser, struct bytes text)
{
    const char *start = text.size ? text.data : "";
    yaml_parser_set_input_string(parser, (const unsigned char *)start, text.size);
}

/* Line and column of a byte: the reader knows its errors' offsets only. */
static yaml_mark_t mark_of_offset(struct bytes text, size_t offset)
{
    yaml_mark_t mark = {0};
    for (size_t i = 0; i < offset && i < text.size; i++) {
        if (text.data[i] == '\n') {
            mark.line++;
            mark.column = 0;
        } else if (((unsigned char)text.data[i] & 0xC0) != 0x80) {
            mark.column++;
        }
    }
    return mark;
}

/* Whether the line has `[]` behind a letter: a type that was to be quoted. */
static bool holds_brackets(struct bytes text, size_t line)
{
    size_t at = 0;
    for (; line > 0 && at < text.size; at++)
        line -= text.data[at] == '\n';
    for (; at + 2 < text.size && text.data[at] != '\n'; at++)
        if (text.data[at] >= 'a' && text.data[at] <= 'z' && text.data[at + 1] == '[' &&
            text.data[at + 2] == ']')
            return true;
    return false;
}

static enum outcome refuse_syntax(const char *name, struct bytes text, const yaml_parser_t *parser,
                                  struct error *err)
{
    if (parser->error == YAML_MEMORY_ERROR)
        abort();
    yaml_mark_t mark = parser->error == YAML_READER_ERROR
                           ? mark_of_offset(text, parser->problem_offset)
                           : parser->problem_mark;
    error_set(err, OUT_FATAL, ERR_CONF_SYNTAX, "not well-formed YAML: %s",
              parser->problem ? parser->problem : "it cannot be read");
    error_where(err, "%s:%zu:%zu", name, mark.line + 1, mark.column + 1);
    if (holds_brackets(text, mark.line))
        error_hint(err, "within { } quote what has brackets or commas of its own, such as "
                        "\"text[]\"");
    if (parser->context)
        error_cause(err, "%s that starts at line %zu", parser->context,
                    parser->context_mark.line + 1);
    return OUT_FATAL;
}

static enum outcome refuse_at(const char *name, yaml_mark_t mark, const char *sentence,
                              struct error *err)
{
    error_set(err, OUT_FATAL, ERR_CONF_SYNTAX, "%s", sentence);
    error_where(err, "%s:%zu:%zu", name, mark.line + 1, mark.column + 1);
    return OUT_FATAL;
}

static enum outcome check_event(const char *name, const yaml_event_t *event, int *open,
                                int *anchors, struct error *err)
{
    const unsigned char *anchor = NULL;
    if (event->type == YAML_SEQUENCE_START_EVENT)
        anchor = event->data.sequence_start.anchor;
    else if (event->type == YAML_MAPPING_START_EVENT)
        anchor = event->data.mapping_start.anchor;
    else if (event->type == YAML_SCALAR_EVENT)
        anchor = event->data.scalar.anchor;

    if (anchor && ++*anchors > ANCHORS_MAX)
        return refuse_at(name, event->start_mark, "the file has more than 1000 anchors", err);
    if (event->type == YAML_SEQUENCE_START_EVENT || event->type == YAML_MAPPING_START_EVENT)
        ++*open;
    else if (event->type == YAML_SEQUENCE_END_EVENT || event->type == YAML_MAPPING_END_EVENT)
        --*open;
    if (*open > DEEPEST_OPEN)
        return refuse_at(name, event->start_mark, "the file is nested more than 32 levels deep",
                         err);
    return OUT_OK;
}

/* libyaml 0.2.5 takes quadratic time for open brackets and for anchors: a hostile file of 1 MiB
 * would keep it busy for many minutes. As a stream of events it can be left at once. Malformed
 * text is no matter here: the document's own reading meets the same place. */
static enum outcome check_events(const char *name, struct bytes text, struct error *err)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        abort();
    set_input(&parser, text);
    int open = 0;
    int anchors = 0;
    enum outcome outcome = OUT_OK;
    bool more = true;
    while (more && outcome == OUT_OK) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event))
            break;
        outcome = check_event(name, &event, &open, &anchors, err);
        more = event.type != YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return outcome;
}

/* Nothing, only comments, or a lone null: an empty map, so that callers know one shape. */
static void make_empty_map(yaml_document_t *document)
{
    yaml_document_delete(document);
    if (!yaml_document_initialize(document, NULL, NULL, NULL, 1, 1) ||
        !yaml_document_add_mapping(document, NULL, YAML_BLOCK_MAPPING_STYLE))
        abort();
}

static enum outcome refuse_second_document(struct yaml_file *file, struct bytes text,
                                           yaml_parser_t *parser, struct error *err)
{
    yaml_document_t second;
    if (!yaml_parser_load(parser, &second))
        return refuse_syntax(file->name, text, parser, err);
    bool found = yaml_document_get_root_node(&second) != NULL;
    yaml_mark_t mark = second.start_mark;
    yaml_document_delete(&second);
    if (!found)
        return OUT_OK;
    refuse_at(file->name, mark, "the file holds more than one YAML document", err);
    error_hint(err, "keep one document, without further --- lines");
    return OUT_FATAL;
}

/* On failure the document is empty; deleting it once more is allowed. */
static enum outcome load(struct yaml_file *file, struct bytes text, struct error *err)
{
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        abort();
    set_input(&parser, text);
    enum outcome outcome;
    if (yaml_parser_load(&parser, &file->document)) {
        bool empty = yaml_document_get_root_node(&file->document) == NULL;
        outcome = empty ? OUT_OK : refuse_second_document(file, text, &parser, err);
        if (empty || yaml_is_null(yaml_root(file)))
            make_empty_map(&file->document);
    } else {
        outcome = refuse_syntax(file->name, text, &parser, err);
        memset(&file->document, 0, sizeof(file->document));
    }
    yaml_parser_delete(&parser);
    return outcome;
}

static enum outcome parse_file(const char *name, struct bytes text, struct yaml_file **file,
                               struct error_list *twice, struct error *err)
{
    *file = NULL;
    if (text.size > LARGEST_FILE) {
        error_set(err, OUT_FATAL, ERR_CONF_SYNTAX, "the file is larger than 1 MiB");
        error_where(err, "%s", name);
        error_hint(err, "check that this is the file you meant");
        return OUT_FATAL;
    }
    enum outcome outcome = check_events(name, text, err);
    if (outcome != OUT_OK)
        return outcome;
    struct yaml_file *parsed = mem_new(sizeof(*parsed));
    parsed->name = mem_text(name);
    outcome = load(parsed, text, err);
    if (outcome == OUT_OK)
        outcome = check_tree(parsed, twice, err);
    if (outcome == OUT_OK)
        *file = parsed;
    else
        yaml_file_free(parsed);
    return outcome;
}

enum outcome yaml_parse_all(const char *name, struct bytes text, struct yaml_file **file,
                            struct error_list *mistakes)
{
    struct error err;
    enum outcome outcome = parse_file(name, text, file, mistakes, &err);
    if (outcome != OUT_OK)
        error_list_add(mistakes, &err);
    return outcome;
}

void yaml_file_free(struct yaml_file *file)
{
    if (!file)
        return;
    yaml_document_delete(&file->document);
    free(file->name);
    free(file);
}

/* ---- the view ---- */

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

/* ---- reading on behind a mistake ---- */

/* libyaml's nodes are ours to change until the file is freed; what it frees is malloc'ed. */
static void put_scalar(struct yaml_at node, const char *text)
{
    yaml_node_t *scalar = node.file->document.nodes.start + node.at - 1;
    char *copy = mem_text(text);
    free(scalar->data.scalar.value);
    scalar->data.scalar.value = (yaml_char_t *)copy;
    scalar->data.scalar.length = strlen(copy);
}

bool yaml_fix_keys(struct yaml_at map, const char *inside, const char *const *known,
                   struct error_list *mistakes)
{
    bool fixed = true;
    size_t known_count = 0;
    while (known[known_count])
        known_count++;
    for (size_t i = 0; i < yaml_count(map); i++) {
        struct error err;
        struct yaml_at key = yaml_key(map, i);
        if (is_known(yaml_scalar(key, NULL), known, known_count))
            continue;
        struct bytes text = yaml_scalar(key, NULL);
        const char *nearest = text_nearest(text.data, known, known_count);
        error_set(&err, OUT_FATAL, ERR_CONF_UNKNOWN, "unknown key \"%.100s\"%s%s", text.data,
                  inside[0] ? " under " : "", inside);
        yaml_where(key, &err);
        if (nearest)
            error_hint(&err, "did you mean \"%s\"?", nearest);
        error_list_add(mistakes, &err);
        if (nearest && !yaml_has(yaml_find(map, nearest)))
            put_scalar(key, nearest);
        else
            fixed = false;
    }
    return fixed;
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

void yaml_fix_cuts(struct yaml_at map, struct error_list *mistakes)
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
