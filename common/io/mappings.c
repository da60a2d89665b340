#include "common/io/mappings.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "common/io/files.h"

enum {
    MAPPING_SIZE_MOST = 1 << 20,
    MAPPINGS_MOST = 1000,
    NAMES_MOST = 64, /* candidates of a suggestion */
};

static enum outcome add_file(struct mapping_set *set, const char *path, struct error *err)
{
    if (set->count == MAPPINGS_MOST)
        return error_set(err, OUT_FATAL, ERR_MAPPING, "more than %d mappings", MAPPINGS_MOST);
    struct buf text;
    struct mapping *mapping = NULL;
    enum outcome outcome = files_read(path, MAPPING_SIZE_MOST, &text, err);
    if (outcome == OUT_OK)
        outcome = mapping_parse(path, buf_view(&text), &mapping, err);
    buf_free(&text);
    if (outcome == OUT_OK)
        set->items[set->count++] = mapping;
    return outcome;
}

/* Files of the pattern in byte order, so that the first error is always the same one. */
static enum outcome add_pattern(struct mapping_set *set, const char *pattern, size_t *found,
                                struct error *err)
{
    glob_t names;
    if (glob(pattern, GLOB_NOSORT, NULL, &names) != 0)
        return OUT_OK; /* nothing; the caller counts */
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < names.gl_pathc && outcome == OUT_OK; i++) {
        if (files_is_folder(names.gl_pathv[i]))
            continue;
        outcome = add_file(set, names.gl_pathv[i], err);
        ++*found;
    }
    globfree(&names);
    return outcome;
}

static enum outcome add_folder(struct mapping_set *set, const char *folder, size_t *found,
                               struct error *err)
{
    static const char *const ENDINGS[] = {"*.yaml", "*.yml"};
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < 2 && outcome == OUT_OK; i++) {
        struct buf pattern;
        buf_init(&pattern, 8192);
        for (const char *at = folder; *at; at++) { /* a folder's name is no pattern */
            if (strchr("*?[\\", *at))
                buf_append_char(&pattern, '\\');
            buf_append_char(&pattern, *at);
        }
        buf_append_format(&pattern, "/%s", ENDINGS[i]);
        outcome = add_pattern(set, buf_text(&pattern), found, err);
        buf_free(&pattern);
    }
    return outcome;
}

static enum outcome add_place(struct mapping_set *set, const char *place, struct error *err)
{
    size_t found = 0;
    enum outcome outcome;
    if (files_is_folder(place))
        outcome = add_folder(set, place, &found, err);
    else if (files_exist(place) || !strpbrk(place, "*?["))
        return add_file(set, place, err);
    else
        outcome = add_pattern(set, place, &found, err);
    if (outcome == OUT_OK && found == 0) {
        outcome = error_set(err, OUT_FATAL, ERR_CONF_FILE, "no mapping is found there");
        error_where(err, "%s", place);
        error_hint(err,
                   "name files, folders with *.yaml, or patterns under mappings: or --mapping");
    }
    return outcome;
}

static int by_entity(const void *a, const void *b)
{
    const struct mapping *const *left = a;
    const struct mapping *const *right = b;
    int order = strcmp((*left)->entity, (*right)->entity);
    return order ? order : strcmp((*left)->file, (*right)->file);
}

static bool same_table(const struct mapping *a, const struct mapping *b)
{
    return strcmp(a->schema, b->schema) == 0 && strcmp(a->table, b->table) == 0;
}

/* Two entities in one table would read each other's rows as extra. */
static enum outcome check_distinct(const struct mapping_set *set, struct error *err)
{
    for (size_t i = 0; i < set->count; i++) {
        for (size_t j = 0; j < i; j++) {
            const struct mapping *first = set->items[j], *second = set->items[i];
            bool entity = strcmp(first->entity, second->entity) == 0;
            if (!entity && !same_table(first, second))
                continue;
            enum outcome outcome =
                entity ? error_set(err, OUT_FATAL, ERR_MAPPING, "the entity %s has two mappings",
                                   first->entity)
                       : error_set(err, OUT_FATAL, ERR_MAPPING, "the table %s.%s has two mappings",
                                   first->schema, first->table);
            error_where(err, "%s and %s", first->file, second->file);
            error_hint(err, "remove one of the two files, or name each mapping once");
            return outcome;
        }
    }
    return OUT_OK;
}

static enum outcome blame_reference(const struct mapping *mapping,
                                    const struct mapping_reference *reference, struct error *err)
{
    error_where(err, "%s:%d", mapping->file, reference->line);
    return OUT_FATAL;
}

static bool same_type(const struct value_type *a, const struct value_type *b)
{
    bool text = (a->base == VALUE_TEXT || a->base == VALUE_VARCHAR) &&
                (b->base == VALUE_TEXT || b->base == VALUE_VARCHAR);
    return (text || a->base == b->base) && a->array == b->array;
}

static enum outcome check_reference(const struct mapping_set *set, const struct mapping *mapping,
                                    const struct mapping_reference *reference, struct error *err)
{
    struct bytes entity = bytes_text(reference->entity);
    const struct mapping *parent = mapping_set_find(set, entity);
    if (!parent) {
        const char *nearest = mapping_set_nearest(set, entity);
        error_set(err, OUT_FATAL, ERR_MAPPING, "no mapping is given for the entity %s referred to",
                  reference->entity);
        if (nearest)
            error_hint(err, "did you mean \"%s\"? Otherwise give its mapping as well", nearest);
        else
            error_hint(err, "give its mapping as well, or remove the reference");
        return blame_reference(mapping, reference, err);
    }
    if (parent->key_count != reference->column_count) {
        error_set(err, OUT_FATAL, ERR_MAPPING, "the key of %s has %zu columns, the reference %zu",
                  parent->entity, parent->key_count, reference->column_count);
        return blame_reference(mapping, reference, err);
    }
    for (size_t i = 0; i < parent->key_count; i++) {
        const struct column *theirs = &parent->columns[parent->key[i]];
        const struct column *ours = &mapping->columns[reference->columns[i]];
        if (same_type(&theirs->type, &ours->type))
            continue;
        error_set(err, OUT_FATAL, ERR_MAPPING_TYPE, "%s and the key column %s of %s differ in type",
                  ours->name, theirs->name, parent->entity);
        return blame_reference(mapping, reference, err);
    }
    return OUT_OK;
}

/* Parents get a lower rank than their children. An entity may refer to itself: then its records
 * wait for each other. A circle of several could never be written in an order. */
static enum outcome rank_all(struct mapping_set *set, struct error *err)
{
    bool changed = true;
    for (size_t round = 0; changed && round <= set->count; round++) {
        changed = false;
        for (size_t i = 0; i < set->count; i++) {
            struct mapping *mapping = set->items[i];
            for (size_t r = 0; r < mapping->reference_count; r++) {
                const struct mapping *parent =
                    mapping_set_find(set, bytes_text(mapping->references[r].entity));
                if (parent == mapping || mapping->rank > parent->rank)
                    continue;
                mapping->rank = parent->rank + 1;
                changed = true;
                if (mapping->rank <= set->count)
                    continue;
                error_set(err, OUT_FATAL, ERR_MAPPING, "the references of %s lead back to it",
                          mapping->entity);
                return blame_reference(mapping, &mapping->references[r], err);
            }
        }
    }
    return OUT_OK;
}

static enum outcome check_references(struct mapping_set *set, struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < set->count && outcome == OUT_OK; i++) {
        const struct mapping *mapping = set->items[i];
        for (size_t r = 0; r < mapping->reference_count && outcome == OUT_OK; r++)
            outcome = check_reference(set, mapping, &mapping->references[r], err);
    }
    return outcome == OUT_OK ? rank_all(set, err) : outcome;
}

enum outcome mapping_set_load(const struct settings *settings, struct mapping_set *set,
                              struct error *err)
{
    *set = (struct mapping_set){.items = calloc(MAPPINGS_MOST, sizeof(set->items[0]))};
    if (!set->items)
        abort();
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < settings->mappings.count && outcome == OUT_OK; i++)
        outcome = add_place(set, settings->mappings.items[i], err);
    if (outcome == OUT_OK && set->count == 0) {
        outcome = error_set(err, OUT_FATAL, ERR_CONF_MISSING, "no mapping is given");
        error_hint(err, "set mappings: in drover.yaml, or --mapping");
    }
    if (outcome == OUT_OK) {
        qsort(set->items, set->count, sizeof(set->items[0]), by_entity);
        outcome = check_distinct(set, err);
    }
    if (outcome == OUT_OK)
        outcome = check_references(set, err);
    if (outcome != OUT_OK)
        mapping_set_free(set);
    return outcome;
}

void mapping_set_free(struct mapping_set *set)
{
    for (size_t i = 0; i < set->count; i++)
        mapping_free(set->items[i]);
    free(set->items);
    *set = (struct mapping_set){0};
}

const struct mapping *mapping_set_find(const struct mapping_set *set, struct bytes entity)
{
    size_t low = 0, high = set->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = bytes_compare(bytes_text(set->items[middle]->entity), entity);
        if (order == 0)
            return set->items[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* Entity by entity, in their order: which file holds which does not matter. */
struct digest mapping_set_fingerprint(const struct mapping_set *set)
{
    struct buf all;
    buf_init(&all, (size_t)MAPPINGS_MOST * 1024);
    for (size_t i = 0; i < set->count; i++) {
        buf_append_text(&all, set->items[i]->entity);
        buf_append_char(&all, '\0');
        buf_append(&all, set->items[i]->fingerprint.bytes,
                   sizeof(set->items[i]->fingerprint.bytes));
    }
    struct digest digest = digest_of(buf_view(&all));
    buf_free(&all);
    return digest;
}

const char *mapping_set_nearest(const struct mapping_set *set, struct bytes word)
{
    char text[65];
    if (word.size >= sizeof(text))
        return NULL;
    memcpy(text, word.data, word.size);
    text[word.size] = '\0';
    const char *names[NAMES_MOST];
    size_t count = set->count < NAMES_MOST ? set->count : NAMES_MOST;
    for (size_t i = 0; i < count; i++)
        names[i] = set->items[i]->entity;
    return text_nearest(text, names, count);
}
