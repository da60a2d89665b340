/* See the header: what is counted of one source. Its way is sources.c's and acknowledged.c's. */
#include "producer/passage.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/model/message/envelope.h"

#define URI_BYTES ((size_t)64 << 10)

struct passage *passage_new(const char *path, bool stream, struct producer_run *run)
{
    struct passage *passage = mem_new(sizeof *passage);
    passage->path = path;
    passage->stream = stream;
    passage->run = run;
    return passage;
}

static void add_part(struct digest_parts *parts, struct bytes part)
{
    digest_add_part(parts, part);
    digest_add_part(parts, bytes_of("", 1)); /* its NUL */
}

void passage_identify(struct reading *reading, const char *path, struct bytes tenant,
                      const char *web_origin)
{
    char *folder = path[0] == '/' ? NULL : realpath(".", NULL);
    char *whole = mem_format("%s%s%s", folder ? folder : "", folder ? "/" : "", path);
    struct digest_parts *parts = digest_begin();
    add_part(parts, bytes_text(whole));
    add_part(parts, tenant);
    add_part(parts, bytes_text(web_origin ? web_origin : ""));
    reading->source = digest_finish(parts);
    reading->has_source = true;
    free(whole);
    free(folder);
}

void passage_free(struct passage *passage)
{
    if (!passage)
        return;
    if (passage->remembered)
        manifest_source_free(&passage->row);
    for (size_t i = 0; i < passage->reading.code_count; i++)
        free((void *)passage->codes[i].entity.data);
    for (size_t i = 0; i < passage->reading.place_count; i++)
        free((void *)passage->places[i].entity.data);
    free(passage->codes);
    free(passage->places);
    free(passage);
}

static struct bytes copy(struct bytes text)
{
    return text.size ? bytes_of(mem_text_part(text.data, text.size), text.size) : (struct bytes){0};
}

static void count_code(struct passage *passage, const char *code, struct bytes entity,
                       uint64_t count)
{
    struct reading *reading = &passage->reading;
    for (size_t i = 0; i < reading->code_count; i++) {
        struct reading_code *at = &passage->codes[i];
        bool same = at->code == code && bytes_equal(at->entity, entity);
        if (same || i + 1 == READING_CODES_MAX) {
            at->count += count;
            return;
        }
    }
    if (!passage->codes)
        passage->codes = mem_zeroed(READING_CODES_MAX, sizeof *passage->codes);
    passage->codes[reading->code_count++] = (struct reading_code){code, copy(entity), count};
}

void passage_reject(struct passage *passage, const struct origin *origin, struct bytes entity,
                    enum error_code code)
{
    struct reading *reading = &passage->reading;
    const char *id = error_code_id(code);
    reading->rejected++;
    count_code(passage, id, entity, 1);
    if (reading->place_count == READING_PLACES_MAX)
        return;
    if (!passage->places)
        passage->places = mem_zeroed(READING_PLACES_MAX, sizeof *passage->places);
    passage->places[reading->place_count++] = (struct reading_place){
        id, copy(entity), origin->line, origin->column, origin->byte, origin->ordinal + 1};
}

/* The table's text, as codes are told apart by their place. */
static const char *known_id(const char *id)
{
    enum error_code code;
    return error_code_find(id, &code) ? error_code_id(code) : error_code_id(ERR_INTERNAL);
}

void passage_join(struct passage *passage, const struct reading *before)
{
    struct reading *reading = &passage->reading;
    struct reading_place *places = mem_zeroed(READING_PLACES_MAX, sizeof *places);
    size_t count = before->place_count;
    for (size_t i = 0; i < count; i++) {
        places[i] = before->places[i];
        places[i].code = known_id(before->places[i].code);
        places[i].entity = copy(before->places[i].entity);
    }
    for (size_t i = 0; i < reading->place_count; i++)
        if (count < READING_PLACES_MAX)
            places[count++] = passage->places[i];
        else
            free((void *)passage->places[i].entity.data);
    free(passage->places);
    passage->places = places;
    reading->place_count = count;
    for (size_t i = 0; i < before->code_count; i++)
        count_code(passage, known_id(before->codes[i].code), before->codes[i].entity,
                   before->codes[i].count);
    reading->rejected += before->rejected;
    reading->withheld += before->withheld;
}

void passage_refuse(struct passage *passage, const struct origin *origin, enum error_code code)
{
    passage_reject(passage, origin, (struct bytes){0}, code);
    passage->reading.produced--;
    passage->refused = true;
}

void passage_append_reading(struct passage *passage, bool complete, int64_t now_ms, struct buf *out)
{
    struct reading *reading = &passage->reading;
    struct buf uri;
    reading->run = bytes_text(passage->run->name);
    buf_init(&uri, URI_BYTES);
    envelope_append_uri(&uri, bytes_text(passage->path));
    reading->uri = buf_view(&uri);
    reading->stream = passage->stream;
    reading->complete = complete;
    reading->records = reading->produced + reading->rejected + reading->withheld;
    passage->told_ms = now_ms > passage->told_ms ? now_ms : passage->told_ms + 1;
    reading->finished_ms = passage->told_ms;
    reading->codes = passage->codes;
    reading->places = passage->places;
    reading_append(out, reading);
    reading->uri = (struct bytes){0};
    buf_free(&uri);
}
