/*
 * bytes ─► head (until the form is known) ─► json_stream | collect ─► record
 *
 * A reading that must be done twice begins again when the codec has seen the end: from the file, or
 * from the copy made of a stream.
 */
#include "common/io/source/source_reading.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/model/json/json_stream.h"
#include "common/model/message/tenant.h"

#define HEAD_BYTES ((size_t)64 << 10) /* looked at for the form */
#define HEAD_MAX (HEAD_BYTES + 2 * BYTE_SOURCE_CHUNK)
#define TENANT_MAX ((size_t)64 << 10)

enum stage {
    STAGE_DETECTING, /* for the form */
    STAGE_LEARNING,
    STAGE_FINDING,
    STAGE_ENDED,
};

struct source_reading {
    const struct source_rules *rules;
    const struct source_file *file;
    struct byte_source *bytes;
    enum stage stage;
    enum collect_form form;
    bool form_is_known;
    bool fed_all; /* finish was called */

    struct json_stream *stream; /* COLLECT_FILES */
    const struct mapping *mapping;
    struct collect *collect; /* the other forms */

    struct buf head; /* read before the form was known, not yet fed */
    bool head_is_all;
    bool head_fed;
    int copy; /* memfd of a stream that is read twice; -1: none */
    off_t kept, replayed;
    char *replay;

    struct buf tenant;       /* of all records; empty: each names its own */
    struct buf named_tenant; /* of the record at hand, named by its payload */
    struct bytes tenant_id;  /* plain id behind `tenant`, as keys of a storage name it */
};

/* ---- form, mapping, tenant ------------------------------------------------------------------ */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool collects_forms(const struct mapping_set *mappings)
{
    for (size_t i = 0; i < mappings->count; i++)
        if (mappings->items[i]->collect_key_count || mappings->items[i]->collect_map_count)
            return true;
    return false;
}

/* What settings and names say; false when the bytes must be looked at. */
static bool form_by_name(const struct source_reading *reading, enum collect_form *form)
{
    const struct settings *settings = reading->rules->settings;
    const char *format = settings->format;
    *form = COLLECT_FILES;
    if (strcmp(format, "local_storage") == 0)
        *form = COLLECT_LOCALSTORAGE;
    else if (strcmp(format, "map_dump") == 0)
        *form = COLLECT_MAP_DUMP;
    else
        return strcmp(format, "auto") != 0 || settings->entity ||
               source_rules_collects(reading->rules, base_name(reading->file->path)) ||
               !collects_forms(reading->rules->mappings);
    return true;
}

static enum outcome begin_file(struct source_reading *reading, struct error *err)
{
    const char *path = reading->file->path;
    enum outcome outcome = source_rules_mapping(reading->rules, path, &reading->mapping, err);
    if (outcome == OUT_OK)
        outcome =
            source_rules_tenant(reading->rules, reading->mapping, path, &reading->tenant, err);
    if (outcome != OUT_OK)
        return outcome;
    struct json_expected expected;
    source_rules_expect(reading->mapping, &expected);
    reading->stream = json_stream_new(source_rules_shape(reading->rules, reading->mapping),
                                      reading->rules->settings->record_bytes);
    json_stream_expect(reading->stream, &expected);
    return OUT_OK;
}

static enum outcome begin_collect(struct source_reading *reading, struct error *err)
{
    const struct settings *settings = reading->rules->settings;
    enum outcome outcome = source_rules_given(reading->rules, reading->file->path, &reading->tenant,
                                              &reading->tenant_id, err);
    if (outcome != OUT_OK)
        return outcome;
    struct collect_config config = {
        .mappings = reading->rules->mappings->items,
        .mapping_count = reading->rules->mappings->count,
        .tenant = reading->tenant_id,
        .web_origin = settings->web_origin,
        .record_max = settings->record_bytes,
        .join_max = settings->join_bytes,
    };
    reading->collect = collect_new(reading->form, &config);
    return OUT_OK;
}

static enum outcome begin(struct source_reading *reading, enum collect_form form, struct error *err)
{
    reading->form = form;
    reading->form_is_known = true;
    enum outcome outcome =
        form == COLLECT_FILES ? begin_file(reading, err) : begin_collect(reading, err);
    bool twice =
        reading->collect && collect_wants_first_reading(form, reading->rules->mappings->items,
                                                        reading->rules->mappings->count);
    reading->stage = twice ? STAGE_LEARNING : STAGE_FINDING;
    if (outcome == OUT_OK && reading->collect && !twice)
        outcome = collect_rewind(reading->collect, err);
    return outcome;
}

/* What the whole file was found to be is known. */
static enum outcome begin_part(struct source_reading *reading, struct error *err)
{
    const struct source_part *part = &reading->file->part;
    const struct json_line_start start = {part->from, part->line, part->ordinal};
    enum outcome outcome = begin(reading, COLLECT_FILES, err);
    if (outcome == OUT_OK)
        outcome = byte_source_select(reading->bytes, part->from, part->to, err);
    if (outcome != OUT_OK)
        return outcome;
    json_stream_free(reading->stream);
    reading->stream = json_stream_new(JSON_SHAPE_NDJSON, reading->rules->settings->record_bytes);
    json_stream_begin_at(reading->stream, &start);
    return OUT_OK;
}

/* ---- open, close ---------------------------------------------------------------------------- */

enum outcome source_reading_open(const struct source_rules *rules, const struct source_file *file,
                                 struct source_reading **out, struct error *err)
{
    struct source_reading *reading = mem_new(sizeof *reading);
    enum collect_form form;
    reading->rules = rules;
    reading->file = file;
    reading->copy = -1;
    buf_init(&reading->head, HEAD_MAX);
    buf_init(&reading->tenant, TENANT_MAX);
    buf_init(&reading->named_tenant, TENANT_MAX);
    enum outcome outcome = OUT_OK;
    if (file->problem) {
        outcome = error_set(err, OUT_REJECT, ERR_SOURCE_OPEN, "the source cannot be opened");
        error_cause(err, "%s", strerrordesc_np(file->problem));
    }
    if (outcome == OUT_OK)
        outcome = byte_source_open(file->path, &reading->bytes, err);
    if (outcome == OUT_OK && file->part.to)
        outcome = begin_part(reading, err);
    else if (outcome == OUT_OK && form_by_name(reading, &form))
        outcome = begin(reading, form, err);
    if (outcome != OUT_OK) {
        source_reading_close(reading);
        return outcome;
    }
    *out = reading;
    return OUT_OK;
}

void source_reading_close(struct source_reading *reading)
{
    if (!reading)
        return;
    byte_source_close(reading->bytes);
    json_stream_free(reading->stream);
    collect_free(reading->collect);
    buf_free(&reading->head);
    buf_free(&reading->tenant);
    buf_free(&reading->named_tenant);
    if (reading->copy >= 0)
        close(reading->copy);
    free(reading->replay);
    free(reading);
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static enum outcome no_copy(struct error *err)
{
    error_set(err, OUT_FATAL, ERR_SOURCE_READ, "the stream cannot be kept in memory");
    error_cause(err, "%s", strerrordesc_np(errno));
    return OUT_FATAL;
}

/* What is held in memory has a limit: a localStorage whole, of what must be read twice the copy of
 * a stream. */
static enum outcome keep(struct source_reading *reading, struct bytes chunk, struct error *err)
{
    uint64_t max = reading->rules->settings->body_bytes;
    bool copies = reading->stage == STAGE_LEARNING && byte_source_is_stream(reading->bytes);
    if (!copies && reading->form != COLLECT_LOCALSTORAGE)
        return OUT_OK;
    if ((uint64_t)reading->kept + chunk.size > max)
        return error_set(err, OUT_REJECT, ERR_SOURCE_BODY, "the payload has more than %llu bytes",
                         (unsigned long long)max);
    reading->kept += (off_t)chunk.size;
    if (!copies)
        return OUT_OK;
    if (reading->copy < 0 && (reading->copy = memfd_create("drover", MFD_CLOEXEC)) < 0)
        return no_copy(err);
    for (size_t done = 0; done < chunk.size;) {
        ssize_t size = write(reading->copy, chunk.data + done, chunk.size - done);
        if (size < 0 && errno != EINTR)
            return no_copy(err);
        done += size > 0 ? (size_t)size : 0;
    }
    return OUT_OK;
}

static enum outcome read_copy(struct source_reading *reading, struct bytes *chunk,
                              struct error *err)
{
    if (!reading->replay)
        reading->replay = mem_alloc(BYTE_SOURCE_CHUNK);
    ssize_t size;
    do
        size = pread(reading->copy, reading->replay, BYTE_SOURCE_CHUNK, reading->replayed);
    while (size < 0 && errno == EINTR);
    if (size < 0)
        return no_copy(err);
    reading->replayed += size;
    *chunk = bytes_of(reading->replay, (size_t)size);
    return OUT_OK;
}

static void feed(struct source_reading *reading, struct bytes chunk)
{
    if (reading->stream)
        json_stream_feed(reading->stream, chunk);
    else
        collect_feed(reading->collect, chunk);
}

static void finish(struct source_reading *reading)
{
    reading->fed_all = true;
    if (reading->stream)
        json_stream_finish(reading->stream);
    else
        collect_finish(reading->collect);
}

static enum source_result broken_at(struct source_reading *reading, const struct error *err)
{
    if (err->outcome == OUT_FATAL)
        return SOURCE_FATAL;
    /* a source that changed is said at its end: what was read stays read */
    if (err->code == ERR_SOURCE_CHANGED && reading->form_is_known)
        finish(reading);
    else
        reading->stage = STAGE_ENDED;
    return SOURCE_BROKEN;
}

/* One chunk further. */
static enum source_result feed_next(struct source_reading *reading, struct error *err)
{
    struct bytes chunk;
    enum outcome outcome = OUT_OK;
    if (reading->fed_all)
        return SOURCE_TURN;
    if (!reading->head_fed) {
        reading->head_fed = true;
        chunk = buf_view(&reading->head);
        if (chunk.size == 0 && !reading->head_is_all)
            return SOURCE_TURN;
    } else if (reading->head_is_all && reading->copy < 0 && reading->head.size) {
        chunk = (struct bytes){0};
    } else if (reading->copy >= 0 && reading->stage == STAGE_FINDING) {
        outcome = read_copy(reading, &chunk, err);
    } else {
        outcome = byte_source_next(reading->bytes, &chunk, err);
    }
    if (outcome == OUT_RETRY)
        return SOURCE_TURN;
    if (outcome == OUT_OK && chunk.size)
        outcome = keep(reading, chunk, err);
    if (outcome != OUT_OK)
        return broken_at(reading, err);
    if (chunk.size)
        feed(reading, chunk);
    else
        finish(reading);
    return SOURCE_TURN;
}

/* Gathers the first bytes until the form can be told. */
static enum source_result detect(struct source_reading *reading, struct error *err)
{
    struct bytes chunk;
    enum outcome outcome = byte_source_next(reading->bytes, &chunk, err);
    if (outcome == OUT_RETRY)
        return SOURCE_TURN;
    if (outcome != OUT_OK)
        return broken_at(reading, err);
    buf_append_bytes(&reading->head, chunk);
    reading->head_is_all = chunk.size == 0;
    if (!reading->head_is_all && reading->head.size < HEAD_BYTES)
        return SOURCE_TURN;
    const struct mapping_set *mappings = reading->rules->mappings;
    enum collect_form form = collect_detect(buf_view(&reading->head), reading->head_is_all,
                                            mappings->items, mappings->count);
    outcome = begin(reading, form, err);
    if (outcome == OUT_OK)
        return SOURCE_TURN;
    reading->stage = STAGE_ENDED;
    return outcome == OUT_FATAL ? SOURCE_FATAL : SOURCE_BROKEN;
}

/* From the beginning, for the second reading. */
static enum source_result begin_again(struct source_reading *reading, struct error *err)
{
    struct byte_source *again = NULL;
    reading->stage = STAGE_FINDING;
    reading->fed_all = false;
    reading->head_is_all = false;
    buf_free(&reading->head);
    if (collect_rewind(reading->collect, err) != OUT_OK)
        return SOURCE_FATAL;
    if (byte_source_is_stream(reading->bytes))
        return SOURCE_TURN;
    enum outcome outcome = byte_source_open(reading->file->path, &again, err);
    if (outcome == OUT_OK &&
        (byte_source_modified_ms(again) != byte_source_modified_ms(reading->bytes) ||
         byte_source_size(again) != byte_source_size(reading->bytes)))
        outcome = error_set(err, OUT_REJECT, ERR_SOURCE_CHANGED,
                            "the source changed between its two readings");
    if (outcome != OUT_OK) {
        byte_source_close(again);
        reading->stage = STAGE_ENDED;
        return outcome == OUT_FATAL ? SOURCE_FATAL : SOURCE_BROKEN;
    }
    byte_source_close(reading->bytes);
    reading->bytes = again;
    return SOURCE_TURN;
}

/* ---- records -------------------------------------------------------------------------------- */

static enum source_result next_piece(struct source_reading *reading, struct source_record *record,
                                     struct error *err)
{
    struct json_record_text record_text;
    enum json_stream_result result = json_stream_next(reading->stream, &record_text, err);
    if (result == JSON_STREAM_MORE)
        return feed_next(reading, err);
    if (result == JSON_STREAM_END) {
        reading->stage = STAGE_ENDED;
        return SOURCE_END;
    }
    *record = (struct source_record){
        .mapping = reading->mapping,
        .payload = record_text.text,
        .tenant = buf_view(&reading->tenant),
        .source_key = record_text.key,
        .index = (int64_t)record_text.ordinal,
        .origin = {bytes_text(reading->file->path), record_text.line, record_text.column,
                   record_text.byte, record_text.ordinal},
    };
    return result == JSON_STREAM_RECORD ? SOURCE_RECORD : SOURCE_REJECTED;
}

/* The tenant the payload names, else the one given; a record may name its own besides, by a member
 * of its mapping. A payload that names another than the one given is not taken for it. */
static enum outcome tenant_of(struct source_reading *reading, const struct source_item *item,
                              struct bytes *tenant, struct error *err)
{
    struct tenant named = {.tenant_id = item->tenant};
    *tenant = buf_view(&reading->tenant);
    if (item->tenant.size == 0)
        return OUT_OK;
    buf_reset(&reading->named_tenant);
    enum outcome outcome = tenant_append_key(&named, &reading->named_tenant, err);
    if (outcome == OUT_OK && tenant->size &&
        !bytes_equal(*tenant, buf_view(&reading->named_tenant))) {
        error_set(err, OUT_REJECT, ERR_TENANT_OTHER,
                  "the storage is of another tenant than the one given");
        error_cause(err, "its current_tenant_id names that one");
        return OUT_REJECT;
    }
    *tenant = buf_view(&reading->named_tenant);
    return outcome;
}

static enum source_result next_item(struct source_reading *reading, struct source_record *record,
                                    struct error *err)
{
    static const enum source_result RESULTS[] = {SOURCE_RECORD, SOURCE_REJECTED, SOURCE_WITHHELD,
                                                 SOURCE_NOTE};
    const char *user = reading->rules->settings->user;
    struct source_item item = {0};
    enum collect_result result = collect_next(reading->collect, &item, err);
    if (result == COLLECT_MORE)
        return feed_next(reading, err);
    if (result == COLLECT_END && reading->stage == STAGE_LEARNING)
        return begin_again(reading, err);
    if (result == COLLECT_END) {
        reading->stage = STAGE_ENDED;
        return SOURCE_END;
    }
    *record = (struct source_record){
        .mapping = item.mapping,
        .payload = item.payload,
        .source_key = item.source_key,
        .user =
            reading->form == COLLECT_LOCALSTORAGE && user ? bytes_text(user) : (struct bytes){0},
        .localstorage_origin = item.localstorage_origin,
        .name = item.name,
        .index = item.index,
        .origin = {bytes_text(reading->file->path), item.line, item.column, item.byte,
                   item.ordinal},
    };
    if (item.kind == SOURCE_ITEM_RECORD &&
        tenant_of(reading, &item, &record->tenant, err) != OUT_OK)
        return SOURCE_REJECTED;
    if (item.kind == SOURCE_ITEM_RECORD && record->tenant.size == 0 &&
        !item.mapping->tenant_pointer) {
        error_set(err, OUT_REJECT, ERR_TENANT_MISSING, "nothing names the record's tenant");
        error_hint(err, "give --tenant or --tenant-path");
        return SOURCE_REJECTED;
    }
    return RESULTS[item.kind];
}

enum source_result source_reading_next(struct source_reading *reading, struct source_record *record,
                                       struct error *err)
{
    if (reading->stage == STAGE_ENDED)
        return SOURCE_END;
    if (reading->stage == STAGE_DETECTING)
        return detect(reading, err);
    return reading->stream ? next_piece(reading, record, err) : next_item(reading, record, err);
}

enum outcome source_reading_check(const struct source_rules *rules, const struct source_file *file,
                                  struct source_kind *kind, struct error *err)
{
    *kind = (struct source_kind){0};
    struct source_reading *reading = NULL;
    enum outcome outcome = source_reading_open(rules, file, &reading, err);
    bool waits = outcome == OUT_OK && byte_source_is_stream(reading->bytes);
    while (outcome == OUT_OK && !waits && reading->stage == STAGE_DETECTING) {
        enum source_result result = detect(reading, err);
        if (result == SOURCE_BROKEN || result == SOURCE_FATAL)
            outcome = result == SOURCE_FATAL ? OUT_FATAL : OUT_REJECT;
    }
    if (outcome == OUT_OK)
        *kind = (struct source_kind){reading->form_is_known, reading->form, reading->mapping};
    source_reading_close(reading);
    return outcome;
}

enum collect_form source_reading_form(const struct source_reading *reading)
{
    return reading->form;
}

const struct byte_source *source_reading_bytes(const struct source_reading *reading)
{
    return reading->bytes;
}

bool source_reading_ended_at(const struct source_reading *reading, struct json_line_start *start)
{
    return reading->stream && reading->stage == STAGE_ENDED &&
           byte_source_is_plain(reading->bytes) && json_stream_ended_at(reading->stream, start);
}

bool source_reading_may_be_empty(const struct source_reading *reading)
{
    if (reading->collect)
        return true;
    enum json_shape shape =
        reading->stream ? json_stream_shape(reading->stream) : JSON_SHAPE_DETECT;
    bool is_list = shape == JSON_SHAPE_ARRAY || shape == JSON_SHAPE_KEYED;
    return is_list && byte_source_done(reading->bytes) > 0;
}
