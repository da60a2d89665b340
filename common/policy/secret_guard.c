#include "common/policy/secret_guard.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>

#include "common/model/canonical.h"
#include "common/model/json.h"
#include "common/policy/secret_guard_take.h"
#include "common/policy/secret_text.h"

#define PAYLOAD_MOST (256u << 20)
#define PATH_MOST (1u << 20)

void secret_guard_init(struct secret_guard *guard, const struct secret_ring *ring, bool detect)
{
    *guard = (struct secret_guard){.ring = ring, .detect = detect};
    buf_init(&guard->payload, PAYLOAD_MOST);
    buf_init(&guard->sealed, SECRET_SEALED_MOST);
    buf_init(&guard->scratch, PAYLOAD_MOST);
}

/* `used` bytes of it may hold something. */
static void wipe(struct buf *buf, size_t used)
{
    if (buf->data)
        sodium_memzero(buf->data, used < buf->capacity ? used : buf->capacity);
    buf_reset(buf);
}

void secret_guard_free(struct secret_guard *guard)
{
    wipe(&guard->payload, SIZE_MAX);
    wipe(&guard->scratch, SIZE_MAX);
    buf_free(&guard->payload);
    buf_free(&guard->sealed);
    buf_free(&guard->scratch);
}

bool secret_guard_concerns(const struct secret_guard *guard, const struct mapping *mapping,
                           struct bytes payload)
{
    return guard->detect || mapping->seal_count || mapping->withhold_count ||
           secret_text_may_need_spelling(payload);
}

/* ---- memory of documents: wiped when freed --------------------------------------------------- */

struct block {
    size_t size;
    _Alignas(max_align_t) char bytes[];
};

static void *wiping_malloc(void *owner, size_t size)
{
    struct block *block = malloc(sizeof *block + size);
    (void)owner;
    if (!block)
        return NULL;
    block->size = size;
    return block->bytes;
}

static void wiping_free(void *owner, void *bytes)
{
    (void)owner;
    if (!bytes)
        return;
    struct block *block = (struct block *)((char *)bytes - offsetof(struct block, bytes));
    sodium_memzero(block->bytes, block->size);
    free(block);
}

static void *wiping_realloc(void *owner, void *bytes, size_t old_size, size_t size)
{
    void *moved = wiping_malloc(owner, size);
    if (moved && bytes)
        memcpy(moved, bytes, old_size < size ? old_size : size);
    if (moved)
        wiping_free(owner, bytes);
    return moved;
}

static const yyjson_alc WIPING = {wiping_malloc, wiping_realloc, wiping_free, NULL};

/* ---- taking ---------------------------------------------------------------------------------- */

static void note(struct guard_job *job, yyjson_val *val, size_t at)
{
    if (job->count == job->capacity) {
        job->capacity = job->capacity ? job->capacity * 2 : 16;
        job->takes = realloc(job->takes, job->capacity * sizeof *job->takes);
        if (!job->takes)
            abort();
    }
    job->takes[job->count++] = (struct guard_take){val, at, job->texts.size - at};
}

/* The header is little endian; buf writes big. */
static void append_size(struct buf *out, size_t size)
{
    unsigned char bytes[4] = {(unsigned char)size, (unsigned char)(size >> 8),
                              (unsigned char)(size >> 16), (unsigned char)(size >> 24)};
    buf_append(out, bytes, sizeof bytes);
}

/* Seals what is in guard->scratch under the field that job->path is. */
static void seal(struct guard_job *job, char reference[SECRET_REFERENCE_SIZE + 1])
{
    struct secret_guard *guard = job->guard;
    const struct record *record = job->record;
    struct secret_place place = {record->tenant, record->entity, record->id, buf_view(&job->path)};
    struct buf box;
    buf_init(&box, SECRET_SEALED_MOST);
    secret_box_seal(guard->ring, &place, buf_view(&guard->scratch), reference, &box);
    append_size(&guard->sealed, place.field.size);
    buf_append_bytes(&guard->sealed, place.field);
    buf_append(&guard->sealed, reference, SECRET_REFERENCE_SIZE);
    append_size(&guard->sealed, box.size);
    buf_append_bytes(&guard->sealed, buf_view(&box));
    guard->sealed.failed = guard->sealed.failed || box.failed;
    wipe(&guard->scratch, guard->scratch.size);
    buf_free(&box);
    job->sealed_count++;
}

static enum outcome check_size(struct guard_job *job, struct error *err)
{
    if (!job->guard->sealed.failed)
        return OUT_OK;
    error_set(err, OUT_REJECT, ERR_SECRET_SIZE, "%s", error_code_meaning(ERR_SECRET_SIZE));
    error_path(err, "%s", buf_text(&job->path));
    return OUT_REJECT;
}

enum outcome guard_take_part(struct guard_job *job, struct bytes part, enum shape shape,
                             struct buf *out, struct error *err)
{
    char reference[SECRET_REFERENCE_SIZE + 1] = "";
    if (shape != SHAPE_SECRET || !job->guard->ring) {
        secret_text_append_withheld(out);
        job->withheld_count++;
        return OUT_OK;
    }
    buf_reset(&job->guard->scratch);
    json_append_string(&job->guard->scratch, part);
    seal(job, reference);
    secret_text_append_sealed(out, reference);
    return check_size(job, err);
}

enum outcome guard_take(struct guard_job *job, yyjson_val *val, enum shape shape,
                        enum guard_form form, struct error *err)
{
    size_t at = job->texts.size;
    char reference[SECRET_REFERENCE_SIZE + 1] = "";
    bool text = form == GUARD_TEXT;
    if (text)
        buf_append_char(&job->texts, '"'); /* nothing in a reference needs an escape */
    if (shape != SHAPE_SECRET || !job->guard->ring) {
        if (text)
            secret_text_append_withheld(&job->texts);
        else
            buf_append_text(&job->texts, "{\"" MARK_WITHHELD "\":\"token\"}");
        job->withheld_count++;
    } else {
        buf_reset(&job->guard->scratch);
        canonical_append(&job->guard->scratch, val);
        seal(job, reference);
        if (text)
            secret_text_append_sealed(&job->texts, reference);
        else
            buf_append_format(&job->texts, "{\"" MARK_SEALED "\":\"%s\"}", reference);
    }
    if (text)
        buf_append_char(&job->texts, '"');
    note(job, val, at);
    return check_size(job, err);
}

struct guard_point guard_point(const struct guard_job *job)
{
    return (struct guard_point){job->count, job->texts.size, job->guard->sealed.size,
                                job->sealed_count, job->withheld_count};
}

void guard_return(struct guard_job *job, const struct guard_point *point)
{
    job->count = point->takes;
    job->texts.size = point->texts;
    job->guard->sealed.size = point->sealed;
    job->sealed_count = point->sealed_count;
    job->withheld_count = point->withheld_count;
}

void guard_rewrite(struct guard_job *job, yyjson_val *val, struct bytes text)
{
    size_t at = job->texts.size;
    json_append_string(&job->texts, text);
    note(job, val, at);
}

/* ---- writing --------------------------------------------------------------------------------- */

static void write_value(const struct guard_job *job, yyjson_val *val, size_t *next, struct buf *out)
{
    const struct guard_take *take = *next < job->count ? &job->takes[*next] : NULL;
    char before;
    if (take && take->val == val) {
        buf_append(out, job->texts.data + take->at, take->size);
        ++*next;
    } else if (yyjson_is_obj(val)) {
        yyjson_obj_iter each = yyjson_obj_iter_with(val);
        before = '{';
        for (yyjson_val *key; (key = yyjson_obj_iter_next(&each)); before = ',') {
            json_append_key(out, before, key);
            write_value(job, yyjson_obj_iter_get_val(key), next, out);
        }
        buf_append_text(out, before == '{' ? "{}" : "}");
    } else if (yyjson_is_arr(val)) {
        yyjson_arr_iter each = yyjson_arr_iter_with(val);
        before = '[';
        for (yyjson_val *child; (child = yyjson_arr_iter_next(&each)); before = ',') {
            buf_append_char(out, before);
            write_value(job, child, next, out);
        }
        buf_append_text(out, before == '[' ? "[]" : "]");
    } else {
        json_append_scalar(out, val);
    }
}

void guard_write(const struct guard_job *job, yyjson_val *root, size_t first, struct buf *out)
{
    write_value(job, root, &first, out);
}

/* ---- a record -------------------------------------------------------------------------------- */

static enum outcome finish(struct guard_job *job, struct guarded *out, struct error *err)
{
    struct secret_guard *guard = job->guard;
    if (job->count == 0)
        return OUT_OK;
    guard_write(job, job->root, 0, &guard->payload);
    if (guard->payload.failed || job->texts.failed || job->path.failed)
        return error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the record is too large to be sealed");
    out->changed = true;
    out->payload = buf_view(&guard->payload);
    out->sealed = buf_view(&guard->sealed);
    out->sealed_count = job->sealed_count;
    out->withheld_count = job->withheld_count;
    return OUT_OK;
}

static enum outcome guard_document(struct secret_guard *guard, const struct mapping *mapping,
                                   const struct record *record, yyjson_doc *doc,
                                   struct guarded *out, struct error *err)
{
    struct guard_job job = {.guard = guard,
                            .mapping = mapping,
                            .record = record,
                            .root = yyjson_doc_get_root(doc),
                            .spells = secret_text_may_need_spelling(record->payload),
                            .alc = &WIPING};
    buf_init(&job.texts, PAYLOAD_MOST);
    buf_init(&job.path, PATH_MOST);
    enum outcome outcome = guard_find(&job, job.root, 0, err);
    if (outcome == OUT_OK)
        outcome = finish(&job, out, err);
    free(job.takes);
    buf_free(&job.texts);
    buf_free(&job.path);
    return outcome;
}

enum outcome secret_guard_apply(struct secret_guard *guard, const struct mapping *mapping,
                                const struct record *record, struct guarded *out, struct error *err)
{
    yyjson_doc *doc = NULL;
    wipe(&guard->payload, guard->payload.size);
    buf_reset(&guard->sealed);
    *out = (struct guarded){.payload = record->payload};
    if (mapping->seal_count && !guard->ring)
        return error_set(err, OUT_FATAL, ERR_SECRET_KEY,
                         "the mapping of %s seals members, and there is no key", mapping->entity);
    if (record->operation == OP_DELETE || !secret_guard_concerns(guard, mapping, record->payload))
        return OUT_OK;
    enum outcome outcome = json_parse(record->payload, mapping->unicode, &WIPING, &doc, err);
    if (outcome == OUT_OK)
        outcome = guard_document(guard, mapping, record, doc, out, err);
    yyjson_doc_free(doc);
    return outcome;
}

/* ---- the header ------------------------------------------------------------------------------ */

static bool take_size(struct bytes sealed, size_t *at, size_t most, size_t *size)
{
    if (sealed.size - *at < 4)
        return false;
    const unsigned char *bytes = (const unsigned char *)sealed.data + *at;
    *size =
        (size_t)bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 24;
    *at += 4;
    return *size <= most && *size <= sealed.size - *at;
}

static bool take_box(struct bytes sealed, size_t *at, struct sealed_box *box)
{
    size_t size;
    if (!take_size(sealed, at, PATH_MOST, &size))
        return false;
    box->field = bytes_of(sealed.data + *at, size);
    *at += size;
    if (sealed.size - *at < SECRET_REFERENCE_SIZE)
        return false;
    box->reference = bytes_of(sealed.data + *at, SECRET_REFERENCE_SIZE);
    *at += SECRET_REFERENCE_SIZE;
    if (!take_size(sealed, at, SECRET_SEALED_MOST, &size))
        return false;
    box->box = bytes_of(sealed.data + *at, size);
    *at += size;
    return secret_box_key_id(box->box) && memcmp(box->reference.data, "sec_", 4) == 0;
}

bool secret_sealed_next(struct bytes sealed, size_t *at, struct sealed_box *box, bool *bad)
{
    *bad = false;
    if (*at >= sealed.size)
        return false;
    *bad = !take_box(sealed, at, box);
    return !*bad;
}
