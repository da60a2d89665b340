/*
 * A dump of a program's maps, as records.
 *
 *   chunks ─► probe (form) ─┬─► walk ─► tree ─┬─► record ─► found
 *                           └─► lines ────────┘   (an entity in each)
 *
 * What the probe has read is kept (64 KiB) and handed on first. The first reading only learns what
 * is joined; without a join it ends at once. Broken structure ends a tree: what came before stays,
 * and of lines only the broken one is lost.
 */
#include "common/policy/collect/collect.h"

#include <assert.h>
#include <stdlib.h>

#include "common/base/arena.h"
#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/model/json/json.h"
#include "common/model/json/json_stream.h"
#include "common/policy/collect/collect_maps_peek.h"

#define MAPS_SHOWN_MAX 80   /* bytes of a name or key that people are shown */
#define MAPS_FRAMES_MAX 8   /* wrapper, list, pair of the top and of a collection, and two spare */
#define MAPS_UNKNOWN_MAX 64 /* names of lines' entities told once; further ones are told again */

struct maps_joined {
    struct maps_joined *next; /* in the order read */
    uint64_t hash;
    const struct mapping *target;
    struct bytes id;
    struct bytes text;
    struct bytes name; /* for people */
    uint64_t line, column, byte;
    bool own_row; /* it is a record of a mapping as well: nothing is lost when it fits none */
    bool matched;
};

struct maps_joins {
    struct arena arena;
    struct maps_joined **slots;
    size_t capacity; /* a power of two */
    size_t count;
    struct maps_joined *first, *last;
    bool over; /* the limit was reached: it is not complete */
};

enum maps_frame_kind {
    FRAME_TOP,        /* an object of collections, or a wrapper of them: its first member tells */
    FRAME_TOP_WRAP,   /* {"dataType": …, "value": …} of collections */
    FRAME_TOP_PAIRS,  /* [[name, collection], …] */
    FRAME_TOP_PAIR,   /* [name, collection] */
    FRAME_KEYED,      /* an object of records, or a wrapper of them */
    FRAME_KEYED_WRAP, /* {"dataType": …, "value": …} of records */
    FRAME_LIST,       /* records or pairs: the first element tells */
    FRAME_RECORDS,    /* [record, …] */
    FRAME_PAIRS,      /* [[key, record], …] */
};

struct maps_frame {
    enum maps_frame_kind kind;
    enum maps_frame_kind inside; /* of a wrapper: what its value is */
    bool plain;                  /* an object that is no wrapper, whatever its first member is */
    bool ended;                  /* nothing more is taken of it */
};

enum maps_wait {
    MAPS_WAIT_NOTHING,
    MAPS_WAIT_TYPE,   /* the text of dataType */
    MAPS_WAIT_NAME,   /* a pair's first */
    MAPS_WAIT_RECORD, /* a record, or a pair with one */
};

struct maps {
    struct collect base;
    struct collect_config config;
    size_t capture_max; /* a record with its key around it */

    bool second;  /* reading */
    bool over;    /* this reading */
    bool pending; /* joined records that fit no record are still to be told */
    enum maps_form form;
    struct buf head; /* bytes read until the form was known */
    bool head_given;
    struct bytes chunk; /* not yet handed to the reader */
    bool finished, finish_given;
    struct maps_probe *probe;
    struct json_walk *walk;    /* of a tree */
    struct json_stream *lines; /* of NDJSON */
    struct json_walk *peek;

    struct maps_frame frames[MAPS_FRAMES_MAX];
    size_t depth;
    enum maps_wait wait;
    struct buf collection; /* its name */
    struct maps_role role; /* of the collection being read */

    struct maps_joins joins;
    const struct maps_joined *unmatched; /* next one to look at, at the end */
    struct buf key;                      /* of a pair or line */
    struct buf id;
    struct buf joined; /* a record with what was joined to it */
    struct buf name;   /* for people */
    uint64_t unknown[MAPS_UNKNOWN_MAX];
    size_t unknown_count;
    uint64_t ordinal;
};

/* A record where it was found. */
struct maps_record {
    struct bytes collection;
    struct maps_role role;
    bool keyed;
    bool key_sound;
    struct bytes key;
    int64_t index; /* -1: none */
    struct bytes payload;
    uint64_t line, column, byte;
};

/* Whether anything is to be had of a collection in this reading. */
static bool maps_is_wanted(const struct maps *maps, const struct maps_role *role)
{
    return maps->second || role->join_target;
}

/* ---- the table of what is joined ---- */

/* Joined records by the id they name: a hash table over an arena, both counted in the limit. */

#define FIRST_CAPACITY 64

static void maps_joins_init(struct maps_joins *joins, size_t limit)
{
    *joins = (struct maps_joins){0};
    arena_init(&joins->arena, limit);
}

static void maps_joins_free(struct maps_joins *joins)
{
    arena_free(&joins->arena);
    free(joins->slots);
}

static size_t slot_of(const struct maps_joins *joins, const struct mapping *target, uint64_t hash,
                      struct bytes id)
{
    size_t slot = hash & (joins->capacity - 1);
    for (; joins->slots[slot]; slot = (slot + 1) & (joins->capacity - 1)) {
        const struct maps_joined *joined = joins->slots[slot];
        if (joined->hash == hash && joined->target == target && bytes_equal(joined->id, id))
            break;
    }
    return slot;
}

static struct maps_joined *maps_joins_find(const struct maps_joins *joins,
                                           const struct mapping *target, struct bytes id)
{
    if (!joins->capacity)
        return NULL;
    return joins->slots[slot_of(joins, target, hash64(id), id)];
}

/* Keeps a quarter of the slots free. False when the limit does not allow it. */
static bool make_room(struct maps_joins *joins)
{
    if (joins->count + joins->count / 3 + 1 < joins->capacity)
        return true;
    size_t capacity = joins->capacity ? joins->capacity * 2 : FIRST_CAPACITY;
    if (joins->arena.used + capacity * sizeof(*joins->slots) > joins->arena.limit)
        return false;
    free(joins->slots);
    joins->slots = mem_zeroed(capacity, sizeof(*joins->slots));
    joins->capacity = capacity;
    for (struct maps_joined *joined = joins->first; joined; joined = joined->next)
        joins->slots[slot_of(joins, joined->target, joined->hash, joined->id)] = joined;
    return true;
}

static struct maps_joined *copy_of(struct arena *arena, const struct maps_joined *joined)
{
    struct maps_joined *copy = arena_alloc(arena, sizeof(*copy));
    if (!copy)
        return NULL;
    *copy = *joined;
    copy->id = arena_copy(arena, joined->id);
    copy->text = arena_copy(arena, joined->text);
    copy->name = arena_copy(arena, joined->name);
    return copy->id.data && copy->text.data && copy->name.data ? copy : NULL;
}

/* Copies `joined`, unless one of that target and id is there. */
static void maps_joins_add(struct maps_joins *joins, const struct maps_joined *joined)
{
    if (joins->over || maps_joins_find(joins, joined->target, joined->id))
        return;
    struct maps_joined *copy = make_room(joins) ? copy_of(&joins->arena, joined) : NULL;
    size_t held = joins->arena.used + joins->capacity * sizeof(*joins->slots);
    if (!copy || held > joins->arena.limit) {
        joins->over = true;
        return;
    }
    copy->hash = hash64(joined->id);
    copy->next = NULL;
    copy->matched = false;
    joins->slots[slot_of(joins, copy->target, copy->hash, copy->id)] = copy;
    joins->count++;
    if (joins->last)
        joins->last->next = copy;
    else
        joins->first = copy;
    joins->last = copy;
}

/* ---- records ---- */

/*
 * One record of a collection: given to its mapping, joined to another one, or both.
 *
 * A record that is joined loses its place in its collection; so that nothing is lost with it, its
 * key there must be its own member id. The first reading keeps what may be joined; the second one
 * judges the same records again, as only it may tell anything.
 */

/* ---- answers ---- */

static struct bytes name_of(struct maps *maps, const struct maps_record *record)
{
    buf_reset(&maps->name);
    text_append_safe(&maps->name, record->collection, MAPS_SHOWN_MAX);
    if (record->keyed) {
        buf_append_char(&maps->name, '/');
        text_append_safe(&maps->name, record->key, MAPS_SHOWN_MAX);
    } else if (record->index >= 0) {
        buf_append_format(&maps->name, "[%lld]", (long long)record->index);
    }
    return buf_view(&maps->name);
}

static bool give(struct maps *maps, const struct maps_record *record, enum source_item_kind kind,
                 struct source_item *item)
{
    *item = (struct source_item){
        .kind = kind,
        .mapping = record->role.mapping ? record->role.mapping : record->role.join_target,
        .index = record->index,
        .name = name_of(maps, record),
        .line = record->line,
        .column = record->column,
        .byte = record->byte,
        .ordinal = maps->ordinal++,
    };
    return true;
}

/* Rejects it for what is in `err`; the first reading tells nothing. */
static bool maps_record_reject(struct maps *maps, const struct maps_record *record,
                               struct source_item *item)
{
    return maps->second && give(maps, record, SOURCE_ITEM_REJECTED, item);
}

/* The same, for what is no record: the source, or a collection. */
static bool maps_reject(struct maps *maps, struct bytes name, const struct json_walk_step *step,
                        struct source_item *item)
{
    struct maps_record record = {
        .collection = name,
        .index = -1,
        .line = step->line,
        .column = step->column,
        .byte = step->byte,
    };
    return maps_record_reject(maps, &record, item);
}

/* Sets *err: no mapping takes it. */
static void maps_unknown(struct bytes name, struct error *err)
{
    struct buf text;
    buf_init(&text, MAPS_SHOWN_MAX * 8);
    text_append_safe(&text, name, MAPS_SHOWN_MAX);
    error_set(err, OUT_REJECT, ERR_SOURCE_COLLECTION, "no mapping collects '%s'", buf_text(&text));
    buf_free(&text);
}

/* Takes the entry's value, which stands in the text that begins at the record's place. */
static void maps_record_place(struct maps_record *record, const struct maps_entry *entry)
{
    record->payload = entry->value;
    record->byte += entry->value_byte;
    if (entry->line == 1)
        record->column += entry->column - 1;
    else
        record->column = entry->column;
    record->line += entry->line - 1;
}

/* ---- what is joined ---- */

static enum outcome check(const struct maps *maps, const struct maps_record *record,
                          struct error *err)
{
    if (record->keyed && !record->key_sound)
        return error_set(err, OUT_REJECT, ERR_SOURCE_MAP_KEY,
                         "a map's key is no string, number or boolean that can be kept");
    if (record->payload.size > maps->config.record_max)
        return error_set(err, OUT_REJECT, ERR_JSON_SIZE,
                         "the record is larger than the limit of %zu bytes",
                         maps->config.record_max);
    return OUT_OK;
}

/* The text of a scalar of a checked document; false for what is none. */
static bool scalar_text(yyjson_val *val, struct bytes *text)
{
    *text = yyjson_is_bool(val) ? bytes_text(yyjson_get_bool(val) ? "true" : "false")
                                : json_text_of(val);
    return text->data != NULL;
}

static enum outcome find_target(struct maps *maps, const struct maps_record *record,
                                yyjson_val *root, struct error *err)
{
    const struct collect_join *join = record->role.join_target->join;
    struct bytes own, id;
    if (!yyjson_is_obj(root))
        return error_set(err, OUT_REJECT, ERR_JSON_KIND, "the record to be joined is no object");
    bool named = scalar_text(yyjson_obj_get(root, "id"), &own);
    if (record->keyed && (!named || !bytes_equal(own, record->key)))
        return error_set(err, OUT_REJECT, ERR_SOURCE_MAP_KEY,
                         "the record to be joined has a key that is not its id");
    if (!scalar_text(json_at(root, bytes_text(join->pointer)), &id))
        return error_set(err, OUT_REJECT, ERR_SOURCE_JOIN,
                         "the record names no record it is to be joined to");
    buf_reset(&maps->id);
    buf_append_bytes(&maps->id, id);
    if (!maps->id.failed)
        return OUT_OK;
    return error_set(err, OUT_REJECT, ERR_SOURCE_JOIN, "the id it is to be joined to is too long");
}

/* The id it names, in maps->id. The record is checked in full: once joined it could only fail
 * together with the record it is joined to. */
static enum outcome resolve(struct maps *maps, const struct maps_record *record, struct error *err)
{
    yyjson_doc *doc;
    if (check(maps, record, err) != OUT_OK)
        return OUT_REJECT;
    if (json_parse(record->payload, record->role.join_target->unicode, NULL, &doc, err) != OUT_OK)
        return OUT_REJECT;
    enum outcome outcome = find_target(maps, record, yyjson_doc_get_root(doc), err);
    yyjson_doc_free(doc);
    return outcome;
}

static void learn(struct maps *maps, const struct maps_record *record)
{
    if (!record->role.join_target || resolve(maps, record, NULL) != OUT_OK)
        return;
    struct maps_joined joined = {
        .target = record->role.join_target,
        .id = buf_view(&maps->id),
        .text = record->payload,
        .name = name_of(maps, record),
        .line = record->line,
        .column = record->column,
        .byte = record->byte,
        .own_row = record->role.mapping != NULL,
    };
    maps_joins_add(&maps->joins, &joined);
}

/* In the second reading: is it the one that was kept? */
static enum outcome judge(struct maps *maps, const struct maps_record *record, struct error *err)
{
    if (resolve(maps, record, err) != OUT_OK)
        return OUT_REJECT;
    const struct maps_joined *joined =
        maps_joins_find(&maps->joins, record->role.join_target, buf_view(&maps->id));
    if (joined && joined->byte == record->byte)
        return OUT_OK;
    return error_set(err, OUT_REJECT, ERR_SOURCE_JOIN,
                     joined ? "another record is joined to the same one"
                            : "the record was not there when the source was read first");
}

/* A joined record that fitted none; false: there is no further one. */
static bool maps_record_unmatched(struct maps *maps, struct source_item *item, struct error *err)
{
    while (maps->unmatched && (maps->unmatched->matched || maps->unmatched->own_row))
        maps->unmatched = maps->unmatched->next;
    const struct maps_joined *joined = maps->unmatched;
    if (!joined)
        return false;
    maps->unmatched = joined->next;
    error_set(err, OUT_REJECT, ERR_SOURCE_JOIN, "the dump has no %s with the id that %s names",
              joined->target->entity, joined->target->join->pointer);
    *item = (struct source_item){
        .kind = SOURCE_ITEM_REJECTED,
        .mapping = joined->target,
        .index = -1,
        .name = joined->name,
        .line = joined->line,
        .column = joined->column,
        .byte = joined->byte,
        .ordinal = maps->ordinal++,
    };
    return true;
}

/* ---- what something is joined to ---- */

/* The only key column that the record itself has; NULL when there is none or more than one. */
static const struct column *key_column(const struct mapping *mapping)
{
    const struct column *found = NULL;
    for (size_t i = 0; i < mapping->key_count; i++) {
        const struct column *column = &mapping->columns[mapping->key[i]];
        if (column->source != FROM_POINTERS)
            continue;
        if (found)
            return NULL;
        found = column;
    }
    return found;
}

static bool is_keyed_by_map(const struct mapping *mapping)
{
    return mapping->key_count == 1 && mapping->columns[mapping->key[0]].source == FROM_KEY;
}

/* The record's id as text, in maps->id. */
static bool find_id(struct maps *maps, const struct maps_record *record)
{
    static const char *const USUAL[] = {"/id"};
    const struct column *column = key_column(record->role.mapping);
    const char *const *pointers = column ? column->pointers : USUAL;
    size_t count = column ? column->pointer_count : 1;
    buf_reset(&maps->id);
    if (!column && is_keyed_by_map(record->role.mapping)) {
        buf_append_bytes(&maps->id, record->key);
        return record->keyed;
    }
    for (size_t i = 0; i < count; i++)
        if (maps_peek_at(maps->peek, record->payload, pointers[i], &maps->id, NULL) == PEEK_FOUND)
            return !maps->id.failed;
    return false;
}

static bool is_empty_object(struct bytes object)
{
    for (size_t at = 1; at + 1 < object.size; at++)
        if (!memchr(" \t\r\n", object.data[at], 4))
            return false;
    return true;
}

/* The payload with the joined record as one more member; the rest stays as it was read. */
static struct bytes splice(struct maps *maps, struct bytes payload, const char *member,
                           struct bytes joined)
{
    struct buf *out = &maps->joined;
    buf_reset(out);
    buf_append(out, payload.data, payload.size - 1);
    if (!is_empty_object(payload))
        buf_append_char(out, ',');
    buf_append_json(out, bytes_text(member));
    buf_append_char(out, ':');
    buf_append_bytes(out, joined);
    buf_append_char(out, '}');
    return buf_view(out);
}

static struct bytes join(struct maps *maps, const struct maps_record *record)
{
    const struct mapping *mapping = record->role.mapping;
    struct bytes payload = record->payload;
    if (!mapping->join || !maps->joins.count || payload.data[0] != '{' || !find_id(maps, record))
        return payload;
    struct maps_joined *joined = maps_joins_find(&maps->joins, mapping, buf_view(&maps->id));
    if (!joined)
        return payload;
    joined->matched = true;
    return splice(maps, payload, mapping->join->member, joined->text);
}

static bool give_record(struct maps *maps, const struct maps_record *record,
                        struct source_item *item, struct error *err)
{
    struct bytes payload = join(maps, record);
    if (payload.size > maps->config.record_max || maps->joined.failed) {
        error_set(err, OUT_REJECT, ERR_JSON_SIZE,
                  "the record with what is joined to it is larger than the limit of %zu bytes",
                  maps->config.record_max);
        return maps_record_reject(maps, record, item);
    }
    give(maps, record, SOURCE_ITEM_RECORD, item);
    item->payload = payload;
    item->source_key = record->keyed ? bytes_or_empty(record->key) : (struct bytes){0};
    return true;
}

/* True when there is something to tell: *item (and *err). */
static bool maps_record_take(struct maps *maps, const struct maps_record *record,
                             struct source_item *item, struct error *err)
{
    if (!maps->second) {
        learn(maps, record);
        return false;
    }
    if (!record->role.mapping)
        return judge(maps, record, err) != OUT_OK && maps_record_reject(maps, record, item);
    if (check(maps, record, err) != OUT_OK)
        return maps_record_reject(maps, record, item);
    return give_record(maps, record, item, err);
}

/* ---- trees ---- */

/*
 * One tree: a map of collections, each a map or a list of records. A map is an object, a list of
 * pairs, or the replacer's {"dataType":"Map","value":[…]}; what it is shows in its first member or
 * element, so each container that is entered has a frame saying what its values are.
 *
 *      TOP ──► TOP_WRAP ──► TOP_PAIRS ──► TOP_PAIR ─┐
 *       └────────────── a collection ◄──────────────┘
 *                        │        │
 *                      KEYED ──► KEYED_WRAP ──► PAIRS, RECORDS, KEYED
 *                       LIST ──► PAIRS, RECORDS
 */

static struct maps_frame *top(struct maps *maps)
{
    return maps->depth ? &maps->frames[maps->depth - 1] : NULL;
}

static bool enter(struct maps *maps, enum maps_frame_kind kind, bool plain)
{
    assert(maps->depth < MAPS_FRAMES_MAX);
    maps->frames[maps->depth++] = (struct maps_frame){.kind = kind, .plain = plain};
    json_walk_enter(maps->walk);
    return false;
}

static bool capture(struct maps *maps, enum maps_wait wait)
{
    maps->wait = wait;
    json_walk_capture(maps->walk);
    return false;
}

static bool skip(struct maps *maps)
{
    json_walk_skip(maps->walk);
    return false;
}

/* Skips the value offered, and says why. */
static bool refuse(struct maps *maps, struct bytes name, const struct json_walk_step *step,
                   struct source_item *item)
{
    json_walk_skip(maps->walk);
    return maps_reject(maps, name, step, item);
}

static bool is_wrapper_type(const struct maps_frame *frame, const struct json_walk_step *step)
{
    return !frame->plain && step->index == 0 && step->kind == '"' &&
           bytes_equal(step->name, BYTES_LITERAL("dataType"));
}

/* ---- down to the collections ---- */

static bool see_source(struct maps *maps, const struct json_walk_step *step,
                       struct source_item *item, struct error *err)
{
    if (step->kind == '{')
        return enter(maps, FRAME_TOP, false);
    if (step->kind == '[')
        return enter(maps, FRAME_TOP_PAIRS, false);
    error_set(err, OUT_REJECT, ERR_SOURCE_FORMAT, "the source is no dump of maps");
    return refuse(maps, (struct bytes){0}, step, item);
}

static bool see_collection(struct maps *maps, struct bytes name, const struct json_walk_step *step,
                           struct source_item *item, struct error *err)
{
    maps->role = maps_role_of(maps->config.mappings, maps->config.mapping_count, name, true);
    if (!maps->role.mapping && !maps->role.join_target) {
        maps_unknown(name, err);
        return refuse(maps, name, step, item);
    }
    if (!maps_is_wanted(maps, &maps->role))
        return skip(maps);
    if (step->kind == '{')
        return enter(maps, FRAME_KEYED, false);
    if (step->kind == '[')
        return enter(maps, FRAME_LIST, false);
    error_set(err, OUT_REJECT, ERR_JSON_KIND, "a collection is an object or a list");
    return refuse(maps, name, step, item);
}

static bool see_named(struct maps *maps, const struct json_walk_step *step,
                      struct source_item *item, struct error *err)
{
    if (is_wrapper_type(top(maps), step))
        return capture(maps, MAPS_WAIT_TYPE);
    buf_reset(&maps->collection);
    buf_append_bytes(&maps->collection, step->name);
    return see_collection(maps, step->name, step, item, err);
}

static bool see_top_pairs(struct maps *maps, const struct json_walk_step *step,
                          struct source_item *item, struct error *err)
{
    if (step->kind == '[')
        return enter(maps, FRAME_TOP_PAIR, false);
    error_set(err, OUT_REJECT, ERR_SOURCE_FORMAT,
              "a dump's list holds pairs of a name and a collection");
    return refuse(maps, (struct bytes){0}, step, item);
}

static bool see_top_pair(struct maps *maps, const struct json_walk_step *step,
                         struct source_item *item, struct error *err)
{
    if (step->index == 0 && step->kind == '"') {
        buf_reset(&maps->collection);
        json_walk_read(maps->walk);
        return false;
    }
    if (top(maps)->ended)
        return skip(maps);
    if (step->index == 1)
        return see_collection(maps, buf_view(&maps->collection), step, item, err);
    top(maps)->ended = true;
    error_set(err, OUT_REJECT, ERR_SOURCE_FORMAT, "not a pair of a name and a collection");
    return refuse(maps, (struct bytes){0}, step, item);
}

/* The members behind dataType. */
static bool see_wrapped(struct maps *maps, const struct json_walk_step *step,
                        struct source_item *item, struct error *err)
{
    struct maps_frame *frame = top(maps);
    enum maps_frame_kind inside = frame->inside;
    bool object = inside == FRAME_TOP || inside == FRAME_KEYED;
    struct bytes collection =
        frame->kind == FRAME_KEYED_WRAP ? buf_view(&maps->collection) : (struct bytes){0};
    if (frame->ended)
        return skip(maps);
    frame->ended = true;
    if (bytes_equal(step->name, BYTES_LITERAL("value")) && step->kind == (object ? '{' : '['))
        return enter(maps, inside, true);
    error_set(err, OUT_REJECT, ERR_SOURCE_FORMAT,
              "behind its dataType a map has its entries in the member value");
    return refuse(maps, collection, step, item);
}

static bool see_value(struct maps *maps, const struct json_walk_step *step,
                      struct source_item *item, struct error *err)
{
    const struct maps_frame *frame = top(maps);
    if (!frame)
        return see_source(maps, step, item, err);
    switch (frame->kind) {
    case FRAME_TOP:
        return see_named(maps, step, item, err);
    case FRAME_TOP_PAIRS:
        return see_top_pairs(maps, step, item, err);
    case FRAME_TOP_PAIR:
        return see_top_pair(maps, step, item, err);
    case FRAME_TOP_WRAP:
    case FRAME_KEYED_WRAP:
        return see_wrapped(maps, step, item, err);
    case FRAME_KEYED:
        return capture(maps, is_wrapper_type(frame, step) ? MAPS_WAIT_TYPE : MAPS_WAIT_RECORD);
    case FRAME_LIST:
    case FRAME_RECORDS:
    case FRAME_PAIRS:
        break;
    }
    return capture(maps, MAPS_WAIT_RECORD);
}

/* ---- what was captured ---- */

/* The text of dataType says what the object is: a record or collection of that name never is a
 * string. */
static bool take_type(struct maps *maps, const struct json_walk_step *step,
                      struct source_item *item, struct error *err)
{
    struct maps_frame *frame = top(maps);
    bool collections = frame->kind == FRAME_TOP;
    bool map = bytes_equal(step->text, BYTES_LITERAL("\"Map\""));
    bool set = bytes_equal(step->text, BYTES_LITERAL("\"Set\""));
    bool object = bytes_equal(step->text, BYTES_LITERAL("\"Object\""));
    frame->kind = collections ? FRAME_TOP_WRAP : FRAME_KEYED_WRAP;
    if (map)
        frame->inside = collections ? FRAME_TOP_PAIRS : FRAME_PAIRS;
    else if (object)
        frame->inside = collections ? FRAME_TOP : FRAME_KEYED;
    else
        frame->inside = FRAME_RECORDS;
    if (map || object || (set && !collections))
        return false;
    frame->ended = true;
    error_set(err, OUT_REJECT, ERR_SOURCE_FORMAT, "its dataType is not one that holds %s",
              collections ? "collections" : "records");
    struct bytes name = collections ? (struct bytes){0} : buf_view(&maps->collection);
    return maps_reject(maps, name, step, item);
}

static struct maps_record record_at(struct maps *maps, const struct json_walk_step *step)
{
    return (struct maps_record){
        .collection = buf_view(&maps->collection),
        .role = maps->role,
        .index = -1,
        .payload = step->text,
        .line = step->line,
        .column = step->column,
        .byte = step->byte,
    };
}

static bool take_element(struct maps *maps, const struct json_walk_step *step,
                         struct source_item *item, struct error *err)
{
    struct maps_frame *frame = top(maps);
    struct maps_record record = record_at(maps, step);
    struct maps_entry entry;
    enum maps_peek peek = PEEK_ABSENT;
    buf_reset(&maps->key);
    if (frame->kind != FRAME_RECORDS)
        peek = maps_peek_pair(maps->peek, step->text, &maps->key, &entry, err);
    if (frame->kind == FRAME_LIST)
        frame->kind = peek == PEEK_FOUND ? FRAME_PAIRS : FRAME_RECORDS;
    if (frame->kind == FRAME_RECORDS) {
        record.index = (int64_t)step->index;
        return maps_record_take(maps, &record, item, err);
    }
    if (peek == PEEK_FOUND) {
        record.keyed = true;
        record.key = entry.key;
        record.key_sound = entry.key_sound;
        maps_record_place(&record, &entry);
        return maps_record_take(maps, &record, item, err);
    }
    record.index = (int64_t)step->index;
    if (peek == PEEK_ABSENT)
        error_set(err, OUT_REJECT, ERR_SOURCE_MAP_KEY, "not a pair of a key and a value");
    return maps_record_reject(maps, &record, item);
}

static bool take_member(struct maps *maps, const struct json_walk_step *step,
                        struct source_item *item, struct error *err)
{
    struct maps_record record = record_at(maps, step);
    record.keyed = true;
    record.key = step->name;
    record.key_sound = maps_is_key(step->name);
    return maps_record_take(maps, &record, item, err);
}

static bool take_captured(struct maps *maps, const struct json_walk_step *step,
                          struct source_item *item, struct error *err)
{
    enum maps_wait wait = maps->wait;
    maps->wait = MAPS_WAIT_NOTHING;
    if (wait == MAPS_WAIT_TYPE)
        return take_type(maps, step, item, err);
    if (top(maps)->kind == FRAME_KEYED)
        return take_member(maps, step, item, err);
    return take_element(maps, step, item, err);
}

/* Too large to be captured, or a name with a bad escape. */
static bool take_rejected(struct maps *maps, const struct json_walk_step *step,
                          struct source_item *item)
{
    struct maps_frame *frame = top(maps);
    struct maps_record record = record_at(maps, step);
    if (frame->kind == FRAME_TOP_PAIR)
        frame->ended = true;
    if (frame->kind == FRAME_TOP_PAIR || frame->kind == FRAME_TOP)
        return maps_reject(maps, (struct bytes){0}, step, item);
    record.keyed = frame->kind == FRAME_KEYED;
    record.key = step->name;
    record.index = record.keyed ? -1 : (int64_t)step->index;
    return maps_record_reject(maps, &record, item);
}

/* One answer of the walk. True when there is something to tell. */
static bool maps_tree_on(struct maps *maps, enum json_walk_result result,
                         const struct json_walk_step *step, struct source_item *item,
                         struct error *err)
{
    switch (result) {
    case JSON_WALK_VALUE:
        return see_value(maps, step, item, err);
    case JSON_WALK_CAPTURED:
        return take_captured(maps, step, item, err);
    case JSON_WALK_PART:
        buf_append_bytes(&maps->collection, step->text);
        return false;
    case JSON_WALK_REJECTED:
        return take_rejected(maps, step, item);
    case JSON_WALK_LEFT:
        maps->depth--;
        return false;
    default:
        assert(result == JSON_WALK_BROKEN);
        return maps_reject(maps, (struct bytes){0}, step, item);
    }
}

#define KEY_SLACK ((size_t)JSON_WALK_NAME_MAX + 4096) /* what stands around a record: its key */

static struct maps *maps_of(struct collect *collect)
{
    return (struct maps *)collect;
}

bool collect_wants_first_reading(enum collect_form form, struct mapping *const *mappings,
                                 size_t mapping_count)
{
    for (size_t i = 0; form == COLLECT_MAP_DUMP && i < mapping_count; i++)
        if (mappings[i]->join)
            return true;
    return false;
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
    maps->lines = json_stream_new(JSON_SHAPE_NDJSON, maps->capture_max);
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
                         maps->config.join_max);
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
    size_t max = MAPS_PROBE_MAX - maps->head.size;
    struct bytes part = maps->chunk;
    if (part.size > max)
        part.size = max;
    bool known; /* the form was declared: it matters no more what it names */
    bool last = maps->finished || part.size == max;
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

/* ---- the next of a tree ---- */

static enum collect_result next_of_tree(struct maps *maps, struct source_item *item,
                                        struct error *err)
{
    for (;;) {
        struct json_walk_step step;
        enum json_walk_result result = json_walk_next(maps->walk, &step, err);
        if (result == JSON_WALK_END)
            return COLLECT_END;
        if (result != JSON_WALK_MORE) {
            if (maps_tree_on(maps, result, &step, item, err))
                return COLLECT_ITEM;
        } else if (!refill(maps)) {
            return COLLECT_MORE;
        }
    }
}

/* ---- the next of lines ---- */

/* Each name is told once, as a collection is; beyond the most remembered, each time. */
static bool is_told(struct maps *maps, struct bytes entity)
{
    uint64_t hash = hash64(entity);
    for (size_t i = 0; i < maps->unknown_count; i++)
        if (maps->unknown[i] == hash)
            return true;
    if (maps->unknown_count < MAPS_UNKNOWN_MAX)
        maps->unknown[maps->unknown_count++] = hash;
    return false;
}

static struct maps_record record_of_line(const struct json_record_text *text)
{
    return (struct maps_record){
        .index = -1, .line = text->line, .column = text->column, .byte = text->byte};
}

static bool take_line(struct maps *maps, const struct json_record_text *record_text,
                      struct source_item *found, struct error *err)
{
    struct maps_entry entry;
    struct maps_record record = record_of_line(record_text);
    buf_reset(&maps->key);
    enum maps_peek peek = maps_peek_line(maps->peek, record_text->text, &maps->key, &entry, err);
    if (peek == PEEK_ABSENT)
        error_set(err, OUT_REJECT, ERR_SOURCE_COLLECTION, "the line has no member entity");
    if (peek != PEEK_FOUND)
        return maps_record_reject(maps, &record, found);
    record.collection = entry.entity;
    record.role =
        maps_role_of(maps->config.mappings, maps->config.mapping_count, entry.entity, true);
    if (!record.role.mapping && !record.role.join_target) {
        maps_unknown(entry.entity, err);
        return !is_told(maps, entry.entity) && maps_record_reject(maps, &record, found);
    }
    if (!maps_is_wanted(maps, &record.role))
        return false;
    record.keyed = entry.has_key;
    record.key = entry.key;
    record.key_sound = entry.key_sound;
    maps_record_place(&record, &entry);
    return maps_record_take(maps, &record, found, err);
}

static enum collect_result next_of_lines(struct maps *maps, struct source_item *found,
                                         struct error *err)
{
    for (;;) {
        struct json_record_text text;
        struct maps_record record;
        enum json_stream_result result = json_stream_next(maps->lines, &text, err);
        if (result == JSON_STREAM_END)
            return COLLECT_END;
        if (result == JSON_STREAM_MORE) {
            if (!refill(maps))
                return COLLECT_MORE;
            continue;
        }
        record = record_of_line(&text);
        if (result == JSON_STREAM_RECORD ? take_line(maps, &text, found, err)
                                         : maps_record_reject(maps, &record, found))
            return COLLECT_ITEM;
    }
}

/* ---- the codec ---- */

static enum collect_result maps_next(struct collect *collect, struct source_item *item,
                                     struct error *err)
{
    struct maps *maps = maps_of(collect);
    if (!maps->over && maps->form == MAPS_UNKNOWN && !find_form(maps))
        return COLLECT_MORE;
    enum collect_result result = COLLECT_END;
    if (!maps->over)
        result = maps->form == MAPS_TREE ? next_of_tree(maps, item, err)
                                         : next_of_lines(maps, item, err);
    if (result != COLLECT_END)
        return result;
    maps->over = true;
    if (maps->pending && maps_record_unmatched(maps, item, err))
        return COLLECT_ITEM;
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
    struct maps *maps = mem_new(sizeof(*maps));
    maps->base.ops = &OPS;
    maps->config = *config;
    maps->capture_max = config->record_max + KEY_SLACK;
    maps->probe = maps_probe_new(config->mappings, config->mapping_count);
    maps->walk = json_walk_new(maps->capture_max);
    maps->peek = json_walk_new(maps->capture_max);
    maps_joins_init(&maps->joins, config->join_max);
    buf_init(&maps->head, MAPS_PROBE_MAX);
    buf_init(&maps->collection, JSON_WALK_NAME_MAX);
    buf_init(&maps->key, 2 * (size_t)JSON_WALK_NAME_MAX);
    buf_init(&maps->id, JSON_WALK_NAME_MAX);
    buf_init(&maps->joined, config->record_max * 2 + JSON_WALK_NAME_MAX);
    buf_init(&maps->name, MAPS_SHOWN_MAX * 32);
    begin(maps);
    return &maps->base;
}
