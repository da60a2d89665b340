/* See the header. */
#include "common/policy/collect/collect.h"

#include <assert.h>

struct collect *collect_new(enum collect_form form, const struct collect_config *config)
{
    assert(form != COLLECT_FILES);
    return form == COLLECT_LOCALSTORAGE ? collect_localstorage_new(config)
                                        : collect_maps_new(config);
}

void collect_free(struct collect *collect)
{
    if (collect)
        collect->ops->free(collect);
}

void collect_feed(struct collect *collect, struct bytes chunk)
{
    collect->ops->feed(collect, chunk);
}

void collect_finish(struct collect *collect)
{
    collect->ops->finish(collect);
}

enum collect_result collect_next(struct collect *collect, struct source_item *item,
                                 struct error *err)
{
    return collect->ops->next(collect, item, err);
}

enum outcome collect_rewind(struct collect *collect, struct error *err)
{
    return collect->ops->rewind(collect, err);
}

enum collect_form collect_detect(struct bytes first, bool whole, struct mapping *const *mappings,
                                 size_t mapping_count)
{
    if (collect_localstorage_detect(first, mappings, mapping_count))
        return COLLECT_LOCALSTORAGE;
    if (collect_maps_detect(first, whole, mappings, mapping_count))
        return COLLECT_MAP_DUMP;
    return COLLECT_FILES;
}
