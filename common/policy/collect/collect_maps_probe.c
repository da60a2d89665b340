/*
 * The form of a source, from the beginning of its first value:
 *  - the first member is a collection of some mapping, or the replacer's {"dataType":"Map", …}:
 *    one tree;
 *  - a member "entity" that is a string: lines;
 *  - neither in the first 64 KiB: a tree, of which nothing is known.
 * The answer is given at the byte that decides it, wherever the chunks end.
 */
#include <stdlib.h>

#include "common/policy/collect/collect_maps_parts.h"

#define NAME_MOST 4096 /* of an entity; longer ones are none */

static bool is_named(const char *name, struct bytes text)
{
    return bytes_equal(bytes_text(name), text);
}

static bool takes(const struct mapping *mapping, struct bytes name, bool own_names)
{
    for (size_t i = 0; i < mapping->collect_map_count; i++)
        if (is_named(mapping->collect_maps[i], name))
            return true;
    return own_names && is_named(mapping->entity, name);
}

struct maps_role maps_role_of(struct mapping *const *mappings, size_t count, struct bytes name,
                              bool own_names)
{
    struct maps_role role = {0};
    for (size_t i = 0; i < count; i++) {
        if (!role.mapping && takes(mappings[i], name, false))
            role.mapping = mappings[i];
        if (!role.join_target && mappings[i]->join && is_named(mappings[i]->join->collection, name))
            role.join_target = mappings[i];
    }
    for (size_t i = 0; own_names && !role.mapping && !role.join_target && i < count; i++)
        if (takes(mappings[i], name, true))
            role.mapping = mappings[i];
    return role;
}

enum probe_wait {
    WAIT_NOTHING,
    WAIT_TYPE,   /* the text of dataType */
    WAIT_ENTITY, /* the text of entity */
    WAIT_NAME,   /* the first key of the replacer's map */
};

struct maps_probe {
    struct mapping *const *mappings;
    size_t count;
    struct json_walk *walk;
    size_t depth;
    enum probe_wait wait;
    bool typed; /* {"dataType":"Map" */
    bool known;
    enum maps_form form;
};

struct maps_probe *maps_probe_new(struct mapping *const *mappings, size_t count)
{
    struct maps_probe *probe = calloc(1, sizeof(*probe));
    if (!probe)
        abort();
    probe->mappings = mappings;
    probe->count = count;
    probe->walk = json_walk_new(NAME_MOST);
    return probe;
}

void maps_probe_free(struct maps_probe *probe)
{
    if (!probe)
        return;
    json_walk_free(probe->walk);
    free(probe);
}

void maps_probe_reset(struct maps_probe *probe)
{
    json_walk_reset(probe->walk);
    probe->depth = 0;
    probe->wait = WAIT_NOTHING;
    probe->typed = false;
    probe->known = false;
    probe->form = MAPS_UNKNOWN;
}

static void decide(struct maps_probe *probe, enum maps_form form, bool known)
{
    probe->form = form;
    probe->known = known;
}

static bool is_taken(const struct maps_probe *probe, struct bytes name, bool own_names)
{
    struct maps_role role = maps_role_of(probe->mappings, probe->count, name, own_names);
    return role.mapping || role.join_target;
}

static void enter(struct maps_probe *probe)
{
    probe->depth++;
    json_walk_enter(probe->walk);
}

static void capture(struct maps_probe *probe, enum probe_wait wait)
{
    probe->wait = wait;
    json_walk_capture(probe->walk);
}

static void see_member(struct maps_probe *probe, const struct json_walk_step *step)
{
    bool container = step->kind == '{' || step->kind == '[';
    bool first = step->index == 0;
    if (first && container && is_taken(probe, step->name, false))
        decide(probe, MAPS_TREE, true);
    else if (step->kind == '"' && bytes_equal(step->name, BYTES_LITERAL("entity")))
        capture(probe, WAIT_ENTITY);
    else if (first && step->kind == '"' && bytes_equal(step->name, BYTES_LITERAL("dataType")))
        capture(probe, WAIT_TYPE);
    else if (probe->typed && step->kind == '[' && bytes_equal(step->name, BYTES_LITERAL("value")))
        enter(probe);
    else
        json_walk_skip(probe->walk);
}

static void see_value(struct maps_probe *probe, const struct json_walk_step *step)
{
    if (probe->depth == 1)
        see_member(probe, step);
    else if (probe->depth == 0 && step->kind == '{')
        enter(probe);
    else if (probe->depth == 2 && step->kind == '[')
        enter(probe);
    else if (probe->depth == 3 && step->kind == '"')
        capture(probe, WAIT_NAME);
    else
        decide(probe, MAPS_TREE, false);
}

/* `text` is a string as it was read; names with escapes are none that a mapping takes. */
static void see_text(struct maps_probe *probe, struct bytes text)
{
    struct bytes name = bytes_of(text.data + 1, text.size - 2);
    if (probe->wait == WAIT_ENTITY)
        decide(probe, MAPS_LINES, is_taken(probe, name, true));
    else if (probe->wait == WAIT_NAME)
        decide(probe, MAPS_TREE, is_taken(probe, name, true));
    else
        probe->typed = bytes_equal(name, BYTES_LITERAL("Map"));
    probe->wait = WAIT_NOTHING;
}

enum maps_form maps_probe_step(struct maps_probe *probe, struct bytes chunk, bool last, bool *known)
{
    if (probe->form == MAPS_UNKNOWN && chunk.size)
        json_walk_feed(probe->walk, chunk);
    while (probe->form == MAPS_UNKNOWN) {
        struct json_walk_step step;
        enum json_walk_result result = json_walk_next(probe->walk, &step, NULL);
        if (result == JSON_WALK_MORE)
            break;
        if (result == JSON_WALK_VALUE)
            see_value(probe, &step);
        else if (result == JSON_WALK_CAPTURED)
            see_text(probe, step.text);
        else
            decide(probe, MAPS_TREE, false);
    }
    if (probe->form == MAPS_UNKNOWN && last)
        decide(probe, MAPS_TREE, false);
    *known = probe->known;
    return probe->form;
}

bool collect_maps_detect(struct bytes first, bool whole, struct mapping *const *mappings,
                         size_t mapping_count)
{
    (void)whole; /* what decides stands at the beginning */
    struct maps_probe *probe = maps_probe_new(mappings, mapping_count);
    bool known;
    if (first.size > MAPS_PROBE_MOST)
        first.size = MAPS_PROBE_MOST;
    (void)maps_probe_step(probe, first, true, &known);
    maps_probe_free(probe);
    return known;
}
