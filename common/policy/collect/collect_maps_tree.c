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
#include <assert.h>

#include "common/policy/collect/collect_maps.h"

bool maps_is_wanted(const struct maps *maps, const struct maps_role *role)
{
    return maps->second || role->join_target;
}

static struct maps_frame *top(struct maps *maps)
{
    return maps->depth ? &maps->frames[maps->depth - 1] : NULL;
}

static bool enter(struct maps *maps, enum maps_frame_kind kind, bool plain)
{
    assert(maps->depth < MAPS_FRAMES_MOST);
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

/* Skips the value offered, and says why in the second reading. */
static bool refuse(struct maps *maps, struct bytes name, const struct json_walk_step *step,
                   struct found *found)
{
    json_walk_skip(maps->walk);
    return maps->second && maps_reject(maps, name, step, found);
}

static bool is_wrapper_type(const struct maps_frame *frame, const struct json_walk_step *step)
{
    return !frame->plain && step->index == 0 && step->kind == '"' &&
           bytes_equal(step->name, BYTES_LITERAL("dataType"));
}

/* ---- down to the collections ---- */

static bool see_source(struct maps *maps, const struct json_walk_step *step, struct found *found,
                       struct error *err)
{
    if (step->kind == '{')
        return enter(maps, FRAME_TOP, false);
    if (step->kind == '[')
        return enter(maps, FRAME_TOP_PAIRS, false);
    error_set(err, OUT_REJECT, ERR_SOURCE_FORMAT, "the source is no dump of maps");
    return refuse(maps, (struct bytes){0}, step, found);
}

static bool see_collection(struct maps *maps, struct bytes name, const struct json_walk_step *step,
                           struct found *found, struct error *err)
{
    maps->role = maps_role_of(maps->config.mappings, maps->config.mapping_count, name, true);
    if (!maps->role.mapping && !maps->role.join_target) {
        maps_unknown(name, err);
        return refuse(maps, name, step, found);
    }
    if (!maps_is_wanted(maps, &maps->role))
        return skip(maps);
    if (step->kind == '{')
        return enter(maps, FRAME_KEYED, false);
    if (step->kind == '[')
        return enter(maps, FRAME_LIST, false);
    error_set(err, OUT_REJECT, ERR_JSON_KIND, "a collection is an object or a list");
    return refuse(maps, name, step, found);
}

static bool see_named(struct maps *maps, const struct json_walk_step *step, struct found *found,
                      struct error *err)
{
    if (is_wrapper_type(top(maps), step))
        return capture(maps, MAPS_WAIT_TYPE);
    buf_reset(&maps->collection);
    buf_append_bytes(&maps->collection, step->name);
    return see_collection(maps, step->name, step, found, err);
}

static bool see_top_pairs(struct maps *maps, const struct json_walk_step *step, struct found *found,
                          struct error *err)
{
    if (step->kind == '[')
        return enter(maps, FRAME_TOP_PAIR, false);
    error_set(err, OUT_REJECT, ERR_SOURCE_FORMAT,
              "a dump's list holds pairs of a name and a collection");
    return refuse(maps, (struct bytes){0}, step, found);
}

static bool see_top_pair(struct maps *maps, const struct json_walk_step *step, struct found *found,
                         struct error *err)
{
    if (step->index == 0 && step->kind == '"') {
        buf_reset(&maps->collection);
        json_walk_read(maps->walk);
        return false;
    }
    if (top(maps)->ended)
        return skip(maps);
    if (step->index == 1)
        return see_collection(maps, buf_view(&maps->collection), step, found, err);
    top(maps)->ended = true;
    error_set(err, OUT_REJECT, ERR_SOURCE_FORMAT, "not a pair of a name and a collection");
    return refuse(maps, (struct bytes){0}, step, found);
}

/* The members behind dataType. */
static bool see_wrapped(struct maps *maps, const struct json_walk_step *step, struct found *found,
                        struct error *err)
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
    return refuse(maps, collection, step, found);
}

static bool see_value(struct maps *maps, const struct json_walk_step *step, struct found *found,
                      struct error *err)
{
    const struct maps_frame *frame = top(maps);
    if (!frame)
        return see_source(maps, step, found, err);
    switch (frame->kind) {
    case FRAME_TOP:
        return see_named(maps, step, found, err);
    case FRAME_TOP_PAIRS:
        return see_top_pairs(maps, step, found, err);
    case FRAME_TOP_PAIR:
        return see_top_pair(maps, step, found, err);
    case FRAME_TOP_WRAP:
    case FRAME_KEYED_WRAP:
        return see_wrapped(maps, step, found, err);
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
static bool take_type(struct maps *maps, const struct json_walk_step *step, struct found *found,
                      struct error *err)
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
    return maps->second && maps_reject(maps, name, step, found);
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

static bool take_element(struct maps *maps, const struct json_walk_step *step, struct found *found,
                         struct error *err)
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
        return maps_record_take(maps, &record, found, err);
    }
    if (peek == PEEK_FOUND) {
        record.keyed = true;
        record.key = entry.key;
        record.key_sound = entry.key_sound;
        maps_record_place(&record, &entry);
        return maps_record_take(maps, &record, found, err);
    }
    record.index = (int64_t)step->index;
    if (peek == PEEK_ABSENT)
        error_set(err, OUT_REJECT, ERR_SOURCE_MAP_KEY, "not a pair of a key and a value");
    return maps->second && maps_record_reject(maps, &record, found);
}

static bool take_member(struct maps *maps, const struct json_walk_step *step, struct found *found,
                        struct error *err)
{
    struct maps_record record = record_at(maps, step);
    record.keyed = true;
    record.key = step->name;
    record.key_sound = maps_is_key(step->name);
    return maps_record_take(maps, &record, found, err);
}

static bool take_captured(struct maps *maps, const struct json_walk_step *step, struct found *found,
                          struct error *err)
{
    enum maps_wait wait = maps->wait;
    maps->wait = MAPS_WAIT_NOTHING;
    if (wait == MAPS_WAIT_TYPE)
        return take_type(maps, step, found, err);
    if (top(maps)->kind == FRAME_KEYED)
        return take_member(maps, step, found, err);
    return take_element(maps, step, found, err);
}

/* Too large to be captured, or a name with a bad escape. */
static bool take_rejected(struct maps *maps, const struct json_walk_step *step, struct found *found)
{
    struct maps_frame *frame = top(maps);
    struct maps_record record = record_at(maps, step);
    if (frame->kind == FRAME_TOP_PAIR)
        frame->ended = true;
    if (frame->kind == FRAME_TOP_PAIR || frame->kind == FRAME_TOP)
        return maps->second && maps_reject(maps, (struct bytes){0}, step, found);
    record.keyed = frame->kind == FRAME_KEYED;
    record.key = step->name;
    record.index = record.keyed ? -1 : (int64_t)step->index;
    return maps->second && maps_record_reject(maps, &record, found);
}

bool maps_tree_on(struct maps *maps, enum json_walk_result result,
                  const struct json_walk_step *step, struct found *found, struct error *err)
{
    switch (result) {
    case JSON_WALK_VALUE:
        return see_value(maps, step, found, err);
    case JSON_WALK_CAPTURED:
        return take_captured(maps, step, found, err);
    case JSON_WALK_PART:
        buf_append_bytes(&maps->collection, step->text);
        return false;
    case JSON_WALK_REJECTED:
        return take_rejected(maps, step, found);
    case JSON_WALK_LEFT:
        maps->depth--;
        return false;
    default:
        assert(result == JSON_WALK_BROKEN);
        return maps->second && maps_reject(maps, (struct bytes){0}, step, found);
    }
}
