#include "common/io/mappings.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/files.h"
#include "common/model/mapping/mapping.h"

enum {
    MAPPING_SIZE_MAX = 1 << 20,
};

/* Reads on behind mistakes: a mapping that has some is kept for what others say of it. */
struct loading {
    struct mapping_set *set;
    struct error_list *mistakes;
    bool incomplete; /* an entity of theirs: which one is not known */
};

static void add_file(struct loading *loading, const char *path)
{
    struct mapping_set *set = loading->set;
    struct error err;
    struct buf text;
    struct mapping *mapping = NULL;
    if (set->count == MAPPING_SET_MAX) {
        error_set(&err, OUT_FATAL, ERR_MAPPING, "more than %d mappings", MAPPING_SET_MAX);
        error_where(&err, "%s", path);
        error_list_add(loading->mistakes, &err);
        loading->incomplete = true;
        return;
    }
    if (files_read(path, MAPPING_SIZE_MAX, &text, &err) != OUT_OK)
        error_list_add(loading->mistakes, &err);
    else
        (void)!mapping_parse_all(path, buf_view(&text), &mapping, loading->mistakes);
    buf_free(&text);
    if (mapping && mapping->entity && mapping->table) {
        set->items[set->count++] = mapping;
    } else {
        mapping_free(mapping);
        loading->incomplete = true;
    }
}

/* Files of the pattern in byte order, so that the first error is always the same one. */
static void add_pattern(struct loading *loading, const char *pattern, size_t *found)
{
    glob_t names;
    if (glob(pattern, GLOB_NOSORT, NULL, &names) != 0)
        return; /* nothing; the caller counts */
    for (size_t i = 0; i < names.gl_pathc; i++) {
        if (files_is_folder(names.gl_pathv[i]))
            continue;
        add_file(loading, names.gl_pathv[i]);
        ++*found;
    }
    globfree(&names);
}

static void add_folder(struct loading *loading, const char *folder, size_t *found)
{
    static const char *const ENDINGS[] = {"*.yaml", "*.yml"};
    for (size_t i = 0; i < 2; i++) {
        struct buf pattern;
        buf_init(&pattern, 8192);
        for (const char *at = folder; *at; at++) { /* a folder's name is no pattern */
            if (strchr("*?[\\", *at))
                buf_append_char(&pattern, '\\');
            buf_append_char(&pattern, *at);
        }
        buf_append_format(&pattern, "/%s", ENDINGS[i]);
        add_pattern(loading, buf_text(&pattern), found);
        buf_free(&pattern);
    }
}

static void add_place(struct loading *loading, const char *place)
{
    struct error err;
    size_t found = 0;
    if (files_is_folder(place)) {
        add_folder(loading, place, &found);
    } else if (files_exist(place) || !strpbrk(place, "*?[")) {
        add_file(loading, place);
        return;
    } else {
        add_pattern(loading, place, &found);
    }
    if (found > 0)
        return;
    loading->incomplete = true;
    error_set(&err, OUT_FATAL, ERR_CONF_FILE, "no mapping is found there");
    error_where(&err, "%s", place);
    error_hint(&err, "name files, folders with *.yaml, or patterns under mappings: or --mapping");
    error_list_add(loading->mistakes, &err);
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
static void check_distinct(struct loading *loading)
{
    const struct mapping_set *set = loading->set;
    for (size_t i = 0; i < set->count; i++) {
        for (size_t j = 0; j < i; j++) {
            struct error err;
            const struct mapping *first = set->items[j], *second = set->items[i];
            bool entity = strcmp(first->entity, second->entity) == 0;
            if (!entity && !same_table(first, second))
                continue;
            if (entity)
                error_set(&err, OUT_FATAL, ERR_MAPPING, "the entity %s has two mappings",
                          first->entity);
            else
                error_set(&err, OUT_FATAL, ERR_MAPPING, "the table %s.%s has two mappings",
                          first->schema, first->table);
            error_where(&err, "%s and %s", first->file, second->file);
            error_hint(&err, "remove one of the two files, or name each mapping once");
            error_list_add(loading->mistakes, &err);
        }
    }
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

/* `complete`: the mapping's and its parent's own columns are what they will be. */
static enum outcome check_reference(const struct mapping_set *set, const struct mapping *mapping,
                                    const struct mapping_reference *reference, bool complete,
                                    struct error *err)
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
    if (!complete)
        return OUT_OK;
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

/* The keys and columns of a mapping with mistakes are not what they will be; its entity is. */
static void check_references(struct loading *loading)
{
    struct mapping_set *set = loading->set;
    bool complete = loading->mistakes->count == 0;
    struct error err;
    for (size_t i = 0; i < set->count; i++) {
        const struct mapping *mapping = set->items[i];
        for (size_t r = 0; r < mapping->reference_count; r++)
            if (check_reference(set, mapping, &mapping->references[r], complete, &err) != OUT_OK)
                error_list_add(loading->mistakes, &err);
    }
    if (loading->mistakes->count == 0 && rank_all(set, &err) != OUT_OK)
        error_list_add(loading->mistakes, &err);
}

static void load_all(const struct settings *settings, struct mapping_set *set,
                     struct error_list *mistakes)
{
    struct error err;
    struct loading loading = {.set = set, .mistakes = mistakes};
    *set = (struct mapping_set){.items = mem_zeroed(MAPPING_SET_MAX, sizeof(set->items[0]))};
    for (size_t i = 0; i < settings->mappings.count; i++)
        add_place(&loading, settings->mappings.items[i]);
    if (set->count == 0 && mistakes->count == 0) {
        error_set(&err, OUT_FATAL, ERR_CONF_MISSING, "no mapping is given");
        error_hint(&err, "set mappings: in drover.yaml, or --mapping");
        error_list_add(mistakes, &err);
    }
    qsort(set->items, set->count, sizeof(set->items[0]), by_entity);
    check_distinct(&loading);
    if (!loading.incomplete)
        check_references(&loading);
    error_list_sort(mistakes);
}

void mapping_set_check(const struct settings *settings, struct error_list *mistakes)
{
    struct mapping_set set;
    load_all(settings, &set, mistakes);
    mapping_set_free(&set);
}

enum outcome mapping_set_load(const struct settings *settings, struct mapping_set *set,
                              struct error *err)
{
    struct error_list mistakes;
    error_list_init(&mistakes);
    load_all(settings, set, &mistakes);
    enum outcome outcome = mistakes.count ? OUT_FATAL : OUT_OK;
    if (outcome != OUT_OK) {
        mapping_set_free(set);
        if (err)
            *err = mistakes.items[0];
    }
    error_list_free(&mistakes);
    return outcome;
}
