/* What is taken out of a record is noted, and the payload is written anew without it. */

#include "common/policy/secrets/secret_guard_take.h"

#include <sodium.h>
#include <stdlib.h>

#include "common/model/json/canonical.h"
#include "common/policy/secrets/secret_text.h"

void guard_wipe(struct buf *buf, size_t used)
{
    if (buf->data)
        sodium_memzero(buf->data, used < buf->capacity ? used : buf->capacity);
    buf_reset(buf);
}

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
    guard_wipe(&guard->scratch, guard->scratch.size);
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
