#include "common/model/message/reading.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <yyjson.h>

#include "common/base/json_out.h"
#include "common/base/mem.h"
#include "common/model/json/json.h"

#define HEAD "{\"kind\":\"reading\","

static void append_codes(struct json_out *out, const struct reading *reading)
{
    json_out_list(out, "codes");
    for (size_t i = 0; i < reading->code_count; i++) {
        json_out_list(out, NULL);
        json_out_text(out, NULL, reading->codes[i].code);
        json_out_verbatim(out, NULL, reading->codes[i].entity);
        json_out_count(out, NULL, reading->codes[i].count);
        json_out_end(out);
    }
    json_out_end(out);
}

static void append_places(struct json_out *out, const struct reading *reading)
{
    json_out_list(out, "places");
    for (size_t i = 0; i < reading->place_count && i < READING_PLACES_MAX; i++) {
        const struct reading_place *place = &reading->places[i];
        json_out_list(out, NULL);
        json_out_text(out, NULL, place->code);
        json_out_verbatim(out, NULL, place->entity);
        json_out_count(out, NULL, place->line);
        json_out_count(out, NULL, place->column);
        json_out_count(out, NULL, place->byte);
        json_out_count(out, NULL, place->record);
        json_out_end(out);
    }
    json_out_end(out);
}

void reading_append(struct buf *out, const struct reading *reading)
{
    struct json_out json;
    json_out_init(&json, out);
    json_out_object(&json, NULL);
    json_out_text(&json, "kind", "reading"); /* first: reading_is_one looks there */
    json_out_verbatim(&json, "run", reading->run);
    json_out_verbatim(&json, "uri", reading->uri);
    if (reading->has_source)
        json_out_digest(&json, "source", &reading->source);
    json_out_bool(&json, "stream", reading->stream);
    json_out_bool(&json, "complete", reading->complete);
    json_out_count(&json, "size", reading->size);
    if (reading->has_digest)
        json_out_digest(&json, "digest", &reading->digest);
    json_out_count(&json, "records", reading->records);
    json_out_count(&json, "produced", reading->produced);
    json_out_count(&json, "rejected", reading->rejected);
    json_out_count(&json, "withheld", reading->withheld);
    json_out_int(&json, "finished_ms", reading->finished_ms);
    if (reading->read_ms)
        json_out_int(&json, "read_ms", reading->read_ms);
    append_codes(&json, reading);
    append_places(&json, reading);
    json_out_end(&json);
}

bool reading_is_one(struct bytes json)
{
    return json.size > sizeof HEAD - 1 && memcmp(json.data, HEAD, sizeof HEAD - 1) == 0;
}

static const char *copy_code(yyjson_val *value)
{
    return json_copy_text(value).data;
}

static void parse_codes(yyjson_val *list, struct reading *reading)
{
    size_t count = yyjson_arr_size(list), max = READING_CODES_MAX;
    reading->code_count = count < max ? count : max;
    reading->codes = mem_zeroed(reading->code_count + 1, sizeof *reading->codes);
    for (size_t i = 0; i < reading->code_count; i++) {
        yyjson_val *entry = yyjson_arr_get(list, i);
        reading->codes[i] = (struct reading_code){
            .code = copy_code(yyjson_arr_get(entry, 0)),
            .entity = json_copy_text(yyjson_arr_get(entry, 1)),
            .count = yyjson_get_uint(yyjson_arr_get(entry, 2)),
        };
    }
}

static void parse_places(yyjson_val *list, struct reading *reading)
{
    size_t count = yyjson_arr_size(list);
    reading->place_count = count < READING_PLACES_MAX ? count : READING_PLACES_MAX;
    reading->places = mem_zeroed(reading->place_count + 1, sizeof *reading->places);
    for (size_t i = 0; i < reading->place_count; i++) {
        yyjson_val *entry = yyjson_arr_get(list, i);
        reading->places[i] = (struct reading_place){
            .code = copy_code(yyjson_arr_get(entry, 0)),
            .entity = json_copy_text(yyjson_arr_get(entry, 1)),
            .line = yyjson_get_uint(yyjson_arr_get(entry, 2)),
            .column = yyjson_get_uint(yyjson_arr_get(entry, 3)),
            .byte = yyjson_get_uint(yyjson_arr_get(entry, 4)),
            .record = yyjson_get_uint(yyjson_arr_get(entry, 5)),
        };
    }
}

static uint64_t count_of(yyjson_val *root, const char *name)
{
    return yyjson_get_uint(yyjson_obj_get(root, name));
}

static void parse(yyjson_val *root, struct reading *reading)
{
    reading->run = json_copy_text(yyjson_obj_get(root, "run"));
    reading->uri = json_copy_text(yyjson_obj_get(root, "uri"));
    reading->has_source = json_get_digest(yyjson_obj_get(root, "source"), &reading->source);
    reading->stream = yyjson_get_bool(yyjson_obj_get(root, "stream"));
    reading->complete = yyjson_get_bool(yyjson_obj_get(root, "complete"));
    reading->size = count_of(root, "size");
    reading->has_digest = json_get_digest(yyjson_obj_get(root, "digest"), &reading->digest);
    reading->records = count_of(root, "records");
    reading->produced = count_of(root, "produced");
    reading->rejected = count_of(root, "rejected");
    reading->withheld = count_of(root, "withheld");
    reading->finished_ms = yyjson_get_sint(yyjson_obj_get(root, "finished_ms"));
    reading->read_ms = yyjson_get_sint(yyjson_obj_get(root, "read_ms"));
    parse_codes(yyjson_obj_get(root, "codes"), reading);
    parse_places(yyjson_obj_get(root, "places"), reading);
}

/* Sums that wrap are no sums. */
static bool is_sound(const struct reading *reading)
{
    uint64_t left = reading->records, sum = 0;
    const uint64_t parts[] = {reading->produced, reading->rejected, reading->withheld};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (parts[i] > left)
            return false;
        left -= parts[i];
    }
    for (size_t i = 0; i < reading->code_count; i++) {
        if (reading->codes[i].count > reading->rejected - sum)
            return false;
        sum += reading->codes[i].count;
    }
    return left == 0 && reading->uri.size > 0;
}

enum outcome reading_parse(struct bytes json, struct reading *reading, struct error *err)
{
    *reading = (struct reading){0};
    yyjson_doc *doc = yyjson_read(json.data, json.size, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    bool is_one = yyjson_equals_str(yyjson_obj_get(root, "kind"), "reading");
    if (is_one)
        parse(root, reading);
    yyjson_doc_free(doc);
    if (!is_one)
        return error_set(err, OUT_REJECT, ERR_ENVELOPE, "the message is no reading of a source");
    if (!is_sound(reading))
        return error_set(err, OUT_REJECT, ERR_ENVELOPE,
                         "the counts of a source's reading contradict each other");
    return OUT_OK;
}

void reading_free(struct reading *reading)
{
    free((void *)reading->run.data);
    free((void *)reading->uri.data);
    for (size_t i = 0; i < reading->code_count; i++) {
        free((void *)reading->codes[i].code);
        free((void *)reading->codes[i].entity.data);
    }
    for (size_t i = 0; i < reading->place_count; i++) {
        free((void *)reading->places[i].code);
        free((void *)reading->places[i].entity.data);
    }
    free(reading->codes);
    free(reading->places);
    *reading = (struct reading){0};
}
