/*
 * A dump of a program's maps, as records.
 *
 *   chunks ─► probe (form) ─┬─► walk ─► tree (collect_maps_tree.c) ─┬─► record ─► found
 *                           └─► lines, an entity in each ───────────┘     (collect_maps_record.c)
 *
 * What the probe has read is kept (64 KiB) and handed on first. The first reading only learns what
 * is joined; without a join it ends at once. Broken structure ends a tree: what came before stays,
 * and of lines only the broken one is lost.
 */
#include "common/policy/collect/collect_maps.h"

#include <stdlib.h>

#include "common/base/hash.h"

#define KEY_SLACK ((size_t)JSON_WALK_NAME_MOST + 4096) /* what stands around a record: its key */

static struct maps *maps_of(struct collect *collect)
{
    return (struct maps *)collect;
}

/* ---- a reading's beginning ---- */

static void begin(struct maps *maps)
{
    maps->form = MAPS_UNKNOWN;
    maps->head_given = maps->finished = maps->finish_given = false;
    maps->chunk = (struct bytes){0};
    maps->depth = 0;
    maps->unknown_count = 0;
    buf_reset(&maps->head);
    maps_probe_reset(maps->probe);
    json_walk_reset(maps->walk);
    json_stream_free(maps->lines);
    maps->lines = json_stream_new(JSON_SHAPE_NDJSON, maps->capture_most);
    maps->over =
        !maps->second && !collect_wants_first_reading(COLLECT_MAP_DUMP, maps->config.mappings,
                                                      maps->config.mapping_count);
    maps->pending = maps->second;
    maps->unmatched = maps->joins.first;
}

static enum outcome maps_rewind(struct collect *collect, struct error *err)
{
    struct maps *maps = maps_of(collect);
    if (maps->joins.over)
        return error_set(err, OUT_FATAL, ERR_SOURCE_JOIN_MEMORY,
                         "the records to be joined need more than %zu bytes",
                         maps->config.join_most);
    maps->second = true;
    begin(maps);
    return OUT_OK;
}

static void maps_feed(struct collect *collect, struct bytes chunk)
{
    struct maps *maps = maps_of(collect);
    if (!maps->over)
        maps->chunk = chunk;
}

static void maps_finish(struct collect *collect)
{
    maps_of(collect)->finished = true;
}

/* ---- bytes to the reader ---- */

/* False when more must be fed before the form is known. */
static bool find_form(struct maps *maps)
{
    size_t most = MAPS_PROBE_MOST - maps->head.size;
    struct bytes part = maps->chunk;
    if (part.size > most)
        part.size = most;
    bool known; /* the form was declared: it matters no more what it names */
    bool last = maps->finished || part.size == most;
    maps->form = maps_probe_step(maps->probe, part, last, &known);
    buf_append_bytes(&maps->head, part);
    maps->chunk.size -= part.size;
    maps->chunk.data = maps->chunk.size ? maps->chunk.data + part.size : NULL;
    return maps->form != MAPS_UNKNOWN;
}

static void hand_on(struct maps *maps, struct bytes chunk)
{
    if (maps->form == MAPS_TREE)
        json_walk_feed(maps->walk, chunk);
    else
        json_stream_feed(maps->lines, chunk);
}

/* The reader needs more. False when there is none yet. */
static bool refill(struct maps *maps)
{
    if (!maps->head_given) {
        maps->head_given = true;
        hand_on(maps, buf_view(&maps->head));
        return true;
    }
    if (maps->chunk.size) {
        hand_on(maps, maps->chunk);
        maps->chunk = (struct bytes){0};
        return true;
    }
    if (!maps->finished || maps->finish_given)
        return false;
    maps->finish_given = true;
    if (maps->form == MAPS_TREE)
        json_walk_finish(maps->walk);
    else
        json_stream_finish(maps->lines);
    return true;
}

/* ---- a tree ---- */

static enum collect_result next_of_tree(struct maps *maps, struct found *found, struct error *err)
{
    for (;;) {
        struct json_walk_step step;
        enum json_walk_result result = json_walk_next(maps->walk, &step, err);
        if (result == JSON_WALK_END)
            return COLLECT_END;
        if (result != JSON_WALK_MORE) {
            if (maps_tree_on(maps, result, &step, found, err))
                return COLLECT_FOUND;
        } else if (!refill(maps)) {
            return COLLECT_MORE;
        }
    }
}

/* ---- lines ---- */

/* Each name is told once, as a collection is; beyond the most remembered, each time. */
static bool is_told(struct maps *maps, struct bytes entity)
{
    uint64_t hash = hash64(entity);
    for (size_t i = 0; i < maps->unknown_count; i++)
        if (maps->unknown[i] == hash)
            return true;
    if (maps->unknown_count < MAPS_UNKNOWN_MOST)
        maps->unknown[maps->unknown_count++] = hash;
    return false;
}

static bool reject_line(struct maps *maps, const struct maps_record *record, struct found *found)
{
    return maps->second && maps_record_reject(maps, record, found);
}

static bool take_line(struct maps *maps, const struct json_piece *piece, struct found *found,
                      struct error *err)
{
    struct maps_entry entry;
    struct maps_record record = {
        .index = -1, .line = piece->line, .column = piece->column, .byte = piece->byte};
    buf_reset(&maps->key);
    enum maps_peek peek = maps_peek_line(maps->peek, piece->text, &maps->key, &entry, err);
    if (peek == PEEK_ABSENT)
        error_set(err, OUT_REJECT, ERR_SOURCE_COLLECTION, "the line has no member entity");
    if (peek != PEEK_FOUND)
        return reject_line(maps, &record, found);
    record.collection = entry.entity;
    record.role =
        maps_role_of(maps->config.mappings, maps->config.mapping_count, entry.entity, true);
    if (!record.role.mapping && !record.role.join_target) {
        maps_unknown(entry.entity, err);
        return !is_told(maps, entry.entity) && reject_line(maps, &record, found);
    }
    if (!maps_is_wanted(maps, &record.role))
        return false;
    record.keyed = entry.has_key;
    record.key = entry.key;
    record.key_sound = entry.key_sound;
    maps_record_place(&record, &entry);
    return maps_record_take(maps, &record, found, err);
}

static bool reject_piece(struct maps *maps, const struct json_piece *piece, struct found *found)
{
    struct maps_record record = {
        .index = -1, .line = piece->line, .column = piece->column, .byte = piece->byte};
    return reject_line(maps, &record, found);
}

static enum collect_result next_of_lines(struct maps *maps, struct found *found, struct error *err)
{
    for (;;) {
        struct json_piece piece;
        enum json_stream_result result = json_stream_next(maps->lines, &piece, err);
        if (result == JSON_STREAM_END)
            return COLLECT_END;
        if (result == JSON_STREAM_MORE) {
            if (!refill(maps))
                return COLLECT_MORE;
        } else if (result == JSON_STREAM_PIECE ? take_line(maps, &piece, found, err)
                                               : reject_piece(maps, &piece, found)) {
            return COLLECT_FOUND;
        }
    }
}

/* ---- the codec ---- */

static enum collect_result maps_next(struct collect *collect, struct found *found,
                                     struct error *err)
{
    struct maps *maps = maps_of(collect);
    if (!maps->over && maps->form == MAPS_UNKNOWN && !find_form(maps))
        return COLLECT_MORE;
    enum collect_result result = COLLECT_END;
    if (!maps->over)
        result = maps->form == MAPS_TREE ? next_of_tree(maps, found, err)
                                         : next_of_lines(maps, found, err);
    if (result != COLLECT_END)
        return result;
    maps->over = true;
    if (maps->pending && maps_record_unmatched(maps, found, err))
        return COLLECT_FOUND;
    maps->pending = false;
    return COLLECT_END;
}

static void maps_free(struct collect *collect)
{
    struct maps *maps = maps_of(collect);
    maps_probe_free(maps->probe);
    json_walk_free(maps->walk);
    json_walk_free(maps->peek);
    json_stream_free(maps->lines);
    maps_joins_free(&maps->joins);
    buf_free(&maps->head);
    buf_free(&maps->collection);
    buf_free(&maps->key);
    buf_free(&maps->id);
    buf_free(&maps->joined);
    buf_free(&maps->name);
    free(maps);
}

struct collect *collect_maps_new(const struct collect_config *config)
{
    static const struct collect_ops OPS = {
        .feed = maps_feed,
        .finish = maps_finish,
        .next = maps_next,
        .rewind = maps_rewind,
        .free = maps_free,
    };
    struct maps *maps = calloc(1, sizeof(*maps));
    if (!maps)
        abort();
    maps->base.ops = &OPS;
    maps->config = *config;
    maps->capture_most = config->record_most + KEY_SLACK;
    maps->probe = maps_probe_new(config->mappings, config->mapping_count);
    maps->walk = json_walk_new(maps->capture_most);
    maps->peek = json_walk_new(maps->capture_most);
    maps_joins_init(&maps->joins, config->join_most);
    buf_init(&maps->head, MAPS_PROBE_MOST);
    buf_init(&maps->collection, JSON_WALK_NAME_MOST);
    buf_init(&maps->key, 2 * (size_t)JSON_WALK_NAME_MOST);
    buf_init(&maps->id, JSON_WALK_NAME_MOST);
    buf_init(&maps->joined, config->record_most * 2 + JSON_WALK_NAME_MOST);
    buf_init(&maps->name, MAPS_SHOWN_MOST * 32);
    begin(maps);
    return &maps->base;
}
