/* See secret_guard_take.h. Recursion is bounded: json_parse allows 256 levels, strings three. */

#include "common/policy/secrets/secret_guard_take.h"

#include <ctype.h>

#include <sodium.h>

#include "common/base/text.h"
#include "common/model/json/json.h"
#include "common/policy/secrets/secret_text.h"

#define NAME_SIZE_MAX 64 /* of what names the next element; longer is a text */
#define PAYLOAD_MOST (256u << 20)
#define KEY_SECRET_LEAST 16 /* a member's name that is a secret itself is at least so long */
#define NUMBER_DIGITS_LEAST 4

struct place {
    unsigned strings;
    struct bytes name;   /* of the member, or what plays its part; empty: none */
    struct bytes parent; /* name of the object around the member; empty: none */
};

static enum outcome find_value(struct guard_job *job, yyjson_val *val, struct place place,
                               struct error *err);

static struct bytes text_of(yyjson_val *val)
{
    return yyjson_is_str(val) ? bytes_of(yyjson_get_str(val), yyjson_get_len(val))
                              : (struct bytes){0};
}

static void append_step(struct buf *path, struct bytes name)
{
    buf_append_char(path, '/');
    text_append_pointer_name(path, name);
}

/* ---- what the mapping names ------------------------------------------------------------------ */

static bool is_at(yyjson_val *root, const char *const *pointers, size_t count, yyjson_val *val)
{
    for (size_t i = 0; i < count; i++)
        if (json_at(root, bytes_text(pointers[i])) == val)
            return true;
    return false;
}

static enum shape shape_by_mapping(const struct guard_job *job, yyjson_val *val)
{
    const struct mapping *mapping = job->mapping;
    if (is_at(job->root, mapping->withhold_pointers, mapping->withhold_count, val))
        return SHAPE_TOKEN;
    return is_at(job->root, mapping->seal_pointers, mapping->seal_count, val) ? SHAPE_SECRET
                                                                              : SHAPE_PLAIN;
}

/* ---- what is found by its shape -------------------------------------------------------------- */

static bool holds_text(yyjson_val *val)
{
    if (yyjson_is_str(val))
        return yyjson_get_len(val) > 0;
    size_t at, most;
    yyjson_val *key, *child;
    bool found = false;
    if (yyjson_is_arr(val))
        yyjson_arr_foreach(val, at, most, child) found = found || holds_text(child);
    if (yyjson_is_obj(val))
        yyjson_obj_foreach(val, at, most, key, child) found = found || holds_text(child);
    return found;
}

/* {"apiKey": {"type": "string"}} describes a parameter; it holds none. */
static bool is_schema(yyjson_val *val)
{
    static const char *const TYPES[] = {"string",  "number", "integer",
                                        "boolean", "object", "array"};
    yyjson_val *type = yyjson_obj_get(val, "type");
    for (size_t i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++)
        if (yyjson_equals_str(type, TYPES[i]))
            return true;
    return yyjson_obj_get(val, "$ref") != NULL;
}

static bool has_digits(struct bytes number, size_t least)
{
    size_t digits = 0;
    for (size_t i = 0; i < number.size; i++)
        digits += isdigit((unsigned char)number.data[i]) != 0;
    return digits >= least;
}

/* Of what is no string. Flags, nulls, small numbers ("token": 512 counts) stay. */
static enum shape shape_under_name(yyjson_val *val, struct bytes name)
{
    enum shape shape = token_shape_of_name(name);
    if (yyjson_is_raw(val)) {
        struct bytes number = bytes_of(yyjson_get_raw(val), yyjson_get_len(val));
        enum shape with = token_shape_of_name_with(name, number); /* "pin": 4930 */
        if (with != SHAPE_PLAIN)
            return with;
        return shape == SHAPE_SECRET && has_digits(number, NUMBER_DIGITS_LEAST) ? shape
                                                                                : SHAPE_PLAIN;
    }
    return shape != SHAPE_PLAIN && yyjson_is_ctn(val) && holds_text(val) && !is_schema(val)
               ? shape
               : SHAPE_PLAIN;
}

/* JSON in a string: written anew when something in it goes. */
static enum outcome find_in_json(struct guard_job *job, yyjson_val *val, struct place place,
                                 struct error *err)
{
    yyjson_doc *inner = NULL;
    size_t path = job->path.size;
    struct guard_point before = guard_point(job);
    if (place.strings == GUARD_STRING_LEVELS ||
        json_parse(text_of(val), JSON_UNICODE_REJECT, job->alc, &inner, NULL) != OUT_OK)
        return guard_text(job, val, place.strings, true, err);
    yyjson_val *root = yyjson_doc_get_root(inner);
    if (place.strings == 0) {
        job->string = val;
        job->inside = root;
    }
    buf_append_char(&job->path, '#');
    place.strings++;
    enum outcome outcome = find_value(job, root, place, err);
    job->path.size = path;
    if (outcome == OUT_OK && job->count > before.takes) {
        struct buf out;
        buf_init(&out, PAYLOAD_MOST);
        guard_write(job, root, before.takes, &out);
        outcome = guard_json_text(job, val, place.strings - 1, buf_view(&out), &before, err);
        buf_free(&out);
    }
    yyjson_doc_free(inner);
    return outcome;
}

static enum outcome find_string(struct guard_job *job, yyjson_val *val, struct place place,
                                struct error *err)
{
    struct bytes text = text_of(val);
    bool detect = job->guard->detect;
    if (text.size == 0 || (!detect && !secret_text_may_need_spelling(text)))
        return OUT_OK;
    if (guard_looks_like_json(text) && (!detect || token_shape_of_name(place.name) == SHAPE_PLAIN ||
                                        guard_is_decoded(job, val, place.strings)))
        return find_in_json(job, val, place, err);
    enum shape by_value = detect ? token_shape_of_value(text) : SHAPE_PLAIN;
    enum shape shape =
        detect ? token_shape_of_member_known(place.name, text, by_value) : SHAPE_PLAIN;
    if (detect && shape == SHAPE_PLAIN && place.parent.size)
        shape = token_shape_of_nested(place.parent, place.name, text);
    if (shape == SHAPE_PLAIN)
        return job->spells ? guard_text(job, val, place.strings, false, err) : OUT_OK;
    bool by_name = by_value == SHAPE_PLAIN || (token_shape_of_name(place.name) != SHAPE_PLAIN &&
                                               !token_shape_is_placeholder(text));
    return by_name ? guard_take_found(job, val, shape, place.strings, err)
                   : guard_text(job, val, place.strings, false, err);
}

/* ---- the walk -------------------------------------------------------------------------------- */

/* Names that are marks of ours, or secrets themselves. */
static enum outcome check_names(struct guard_job *job, yyjson_val *object,
                                const struct place *place, enum shape *shape, struct error *err)
{
    yyjson_obj_iter each = yyjson_obj_iter_with(object);
    *shape = SHAPE_PLAIN;
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&each));) {
        if ((job->guard->detect || place->strings == 0) &&
            (yyjson_equals_str(key, MARK_SEALED) || yyjson_equals_str(key, MARK_WITHHELD))) {
            error_set(err, OUT_REJECT, ERR_SECRET_SPOOF, "%s",
                      error_code_meaning(ERR_SECRET_SPOOF));
            error_path(err, "%s", buf_text(&job->path));
            return OUT_REJECT;
        }
        if (job->guard->detect && yyjson_get_len(key) >= KEY_SECRET_LEAST && *shape == SHAPE_PLAIN)
            *shape = token_shape_of_value(text_of(key));
    }
    return OUT_OK;
}

/* {"name": "API_KEY", "value": "…"}: the name of "value" is what stands beside it; the value of a
 * record that is one entry of a key-value store has its key's name. */
static struct bytes name_of_value(const struct guard_job *job, yyjson_val *object)
{
    static const char *const NAMES[] = {"name", "key", "id"};
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        struct bytes name = text_of(yyjson_obj_get(object, NAMES[i]));
        if (name.size && token_shape_of_name(name) != SHAPE_PLAIN)
            return name;
    }
    return object == job->root ? job->record->source_key : (struct bytes){0};
}

static enum outcome find_in_object(struct guard_job *job, yyjson_val *object, struct place place,
                                   struct error *err)
{
    enum shape shape;
    enum outcome outcome = check_names(job, object, &place, &shape, err);
    if (outcome != OUT_OK)
        return outcome;
    if (shape != SHAPE_PLAIN)
        return guard_take_found(job, object, shape, place.strings, err);
    size_t above = job->path.size;
    yyjson_obj_iter each = yyjson_obj_iter_with(object);
    place.parent = place.name;
    for (yyjson_val *key; outcome == OUT_OK && (key = yyjson_obj_iter_next(&each));) {
        place.name = text_of(key);
        append_step(&job->path, place.name);
        if (job->guard->detect && bytes_equal(place.name, BYTES_LITERAL("value")))
            place.name = name_of_value(job, object);
        outcome = find_value(job, yyjson_obj_iter_get_val(key), place, err);
        job->path.size = above;
    }
    return outcome;
}

/* ["--api-key", "…"] and ["Authorization", "…"]: a text may name the next one. */
static struct bytes name_from_before(yyjson_val *array, yyjson_val *before, yyjson_val *val)
{
    struct bytes name = text_of(before), value = text_of(val);
    if (name.size > NAME_SIZE_MAX || (name.size && memchr(name.data, ' ', name.size)))
        return (struct bytes){0};
    if (name.size > 1 && name.data[0] == '-' && value.size && value.data[0] != '-')
        return name;
    bool pair = yyjson_arr_size(array) == 2 && value.size >= 8 && has_digits(value, 1);
    return pair ? name : (struct bytes){0};
}

static enum outcome find_in_array(struct guard_job *job, yyjson_val *array, struct place place,
                                  struct error *err)
{
    size_t above = job->path.size, at, most;
    yyjson_val *val, *before = NULL;
    struct bytes name = place.name;
    yyjson_arr_foreach(array, at, most, val)
    {
        place.name = job->guard->detect ? name_from_before(array, before, val) : name;
        if (place.name.size == 0)
            place.name = name; /* "keys": ["…", "…"] */
        buf_append_format(&job->path, "/%zu", at);
        enum outcome outcome = find_value(job, val, place, err);
        job->path.size = above;
        if (outcome != OUT_OK)
            return outcome;
        before = val;
    }
    return OUT_OK;
}

static enum outcome find_inside(struct guard_job *job, yyjson_val *val, struct place place,
                                struct error *err)
{
    enum shape shape = SHAPE_PLAIN;
    if (place.strings == 0 && !yyjson_is_null(val))
        shape = shape_by_mapping(job, val);
    if (shape != SHAPE_PLAIN)
        return guard_take(job, val, shape, GUARD_MARK, err);
    bool nameless_root = val == job->root && yyjson_is_obj(val) && !guard_takes_whole(job->mapping);
    if (job->guard->detect && !yyjson_is_str(val) && !nameless_root)
        shape = shape_under_name(val, place.name);
    if (shape != SHAPE_PLAIN)
        return guard_take_found(job, val, shape, place.strings, err);
    if (yyjson_is_obj(val))
        return find_in_object(job, val, place, err);
    if (yyjson_is_arr(val))
        return find_in_array(job, val, place, err);
    return yyjson_is_str(val) && (job->guard->detect || job->spells)
               ? find_string(job, val, place, err)
               : OUT_OK;
}

static enum outcome find_value(struct guard_job *job, yyjson_val *val, struct place place,
                               struct error *err)
{
    struct guard_point before = guard_point(job);
    enum outcome outcome = find_inside(job, val, place, err);
    return outcome == OUT_OK && job->whole == val ? guard_take_whole(job, val, &before, err)
                                                  : outcome;
}

enum outcome guard_find(struct guard_job *job, yyjson_val *root, unsigned strings,
                        struct error *err)
{
    const struct record *record = job->record;
    if (job->guard->detect && (token_shape_of_value(record->id) != SHAPE_PLAIN ||
                               token_shape_of_value(record->source_key) != SHAPE_PLAIN))
        return guard_refuse_key(job, err);
    return find_value(job, root, (struct place){strings, record->source_key}, err);
}
