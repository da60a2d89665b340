/*
 * One record's walk. Finding decides which values go, places what may stand in their stead, texts
 * which parts of a text go (the words around them stay, secret_text.h) and in which form a whole
 * one does. What is taken is only noted, in document order; the payload is written anew without it
 * at the end. Recursion is bounded: json_parse allows 256 levels, strings three.
 */
#include "common/policy/secrets/secret_guard.h"

#include <assert.h>
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>
#include <yyjson.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/base/token_shape.h"
#include "common/model/json/canonical.h"
#include "common/model/json/json.h"
#include "common/model/mapping/mapping_value.h"
#include "common/model/mapping/secret_mark.h"
#include "common/policy/secrets/secret_text.h"

#define PAYLOAD_MAX (256u << 20)
#define GUARD_STRING_LEVELS 3 /* JSON in a string in a string in a string */

/* In document order, so that writing meets them one after the other. */
struct guard_take {
    yyjson_val *val;
    size_t at, size; /* what is written instead, in guard_job.texts */
};

/* What the columns that read a value can hold in its place. */
enum guard_form {
    GUARD_MARK,   /* JSON stands there: {"$sealed":"sec_…"} */
    GUARD_TEXT,   /* a text column: "${sealed:sec_…}" */
    GUARD_BESIDE, /* neither: the column is left empty, and the mark stays in rest */
};

struct guard_place {
    enum guard_form form;
    yyjson_val *member; /* what such a column reads: the value, or what is around it; NULL: none */
    int32_t length;     /* GUARD_TEXT: characters the shortest column takes; 0: any number */
    bool decoded;       /* a string, which a decode: json column reads: it may change, but not go */
    bool allowed; /* a column lists the value in `allow`: it is in the mapping for all to read */
};

struct guard_job {
    struct secret_guard *guard;
    const struct mapping *mapping;
    const struct record *record;
    yyjson_val *root;
    yyjson_val *string, *inside; /* a string of the record that holds JSON, and that JSON's root */
    yyjson_val *whole;           /* to be taken whole once the walk is out of it; NULL: nothing */
    enum shape whole_shape;
    bool spells;           /* texts may hold letters of ours that have to be spelled otherwise */
    const yyjson_alc *alc; /* wipes what it frees */
    struct guard_take *takes;
    size_t count, capacity;
    struct buf texts, path;
    uint32_t sealed_count, withheld_count;
};

/* The walk's state, to come back to. */
struct guard_point {
    size_t takes, texts, sealed;
    uint32_t sealed_count, withheld_count;
};

/* ---- taking ---- */

static struct guard_point guard_point(const struct guard_job *job)
{
    return (struct guard_point){job->count, job->texts.size, job->guard->sealed.size,
                                job->sealed_count, job->withheld_count};
}

static void guard_return(struct guard_job *job, const struct guard_point *point)
{
    job->count = point->takes;
    job->texts.size = point->texts;
    job->guard->sealed.size = point->sealed;
    job->sealed_count = point->sealed_count;
    job->withheld_count = point->withheld_count;
}

/* Empties the buffer; `used` bytes of it may hold something. */
static void guard_wipe(struct buf *buf, size_t used)
{
    if (buf->data)
        sodium_memzero(buf->data, used < buf->capacity ? used : buf->capacity);
    buf_reset(buf);
}

static void note(struct guard_job *job, yyjson_val *val, size_t at)
{
    job->takes = mem_grown(job->takes, &job->capacity, job->count + 1, sizeof *job->takes);
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
    buf_init(&box, SECRET_SEALED_MAX);
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

/* A part of a text goes: seals it under the field `job->path` is, and appends the reference. */
static enum outcome guard_take_part(struct guard_job *job, struct bytes part, enum shape shape,
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

/* The value goes, a mark or (GUARD_TEXT) a reference as text stands in its place. */
static enum outcome guard_take(struct guard_job *job, yyjson_val *val, enum shape shape,
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

/* The value (a string) now holds `text`. */
static void guard_rewrite(struct guard_job *job, yyjson_val *val, struct bytes text)
{
    size_t at = job->texts.size;
    json_append_string(&job->texts, text);
    note(job, val, at);
}

/* The value with what the takes from *next on say. */
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

/* ---- places: what the mapping's columns make of a value; asked only where something was found
 * ---- */

/* What the mapping itself takes out is no matter of form. */
static bool reads_plainly(const struct column *column)
{
    return (column->source == FROM_POINTERS || column->source == FROM_VALUE) && !column->seal &&
           !column->withhold;
}

static yyjson_val *member_of(const struct guard_job *job, const struct column *column,
                             const char **pointer)
{
    *pointer = "";
    if (column->source == FROM_VALUE)
        return job->root;
    struct found_member found = column_find(column, job->root);
    if (found.val)
        *pointer = column->pointers[found.pointer];
    return found.val;
}

static bool is_element(yyjson_val *array, yyjson_val *val)
{
    size_t at, max;
    yyjson_val *child;
    if (!yyjson_is_arr(array))
        return false;
    yyjson_arr_foreach(array, at, max,
                       child) if (child == val || is_element(child, val)) return true;
    return false;
}

/* A decode: json column reads the string. */
static bool guard_is_decoded(const struct guard_job *job, yyjson_val *val, unsigned strings)
{
    const char *pointer;
    for (size_t i = 0; strings == 0 && i < job->mapping->column_count; i++) {
        const struct column *column = &job->mapping->columns[i];
        if (column->decode_json && reads_plainly(column) && member_of(job, column, &pointer) == val)
            return true;
    }
    return false;
}

static bool is_key_column(const struct mapping *mapping, size_t at)
{
    if (mapping->columns[at].key_at >= 0)
        return true;
    for (size_t r = 0; r < mapping->reference_count; r++)
        for (size_t c = 0; c < mapping->references[r].column_count; c++)
            if (mapping->references[r].columns[c] == at)
                return true;
    return false;
}

/* A key, the tenant, or what refers to another record: it must stay as it is. */
static bool guard_is_key(const struct guard_job *job, yyjson_val *val)
{
    const struct mapping *mapping = job->mapping;
    for (size_t i = 0; i < mapping->column_count; i++) {
        const struct column *column = &mapping->columns[i];
        if (column->source == FROM_POINTERS && is_key_column(mapping, i) &&
            column_find(column, job->root).val == val)
            return true;
    }
    return mapping->tenant_pointer &&
           json_at(job->root, bytes_text(mapping->tenant_pointer)) == val;
}

/* Whether {"$sealed": …} may stand for the whole record: some column takes the record whole. */
static bool guard_takes_whole(const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->column_count; i++)
        if (mapping->columns[i].source == FROM_VALUE)
            return true;
    return false;
}

/* ---- places: what may stand there ---- */

/* Two records may have the same text there only as references, which differ by their place; those
 * that are withheld do not. */
static bool is_unique(const struct mapping *mapping, const struct column *column)
{
    size_t size = strlen(column->name);
    for (size_t i = 0; i < mapping->index_count; i++) {
        const struct mapping_index *index = &mapping->indexes[i];
        for (size_t c = 0; index->unique && c < index->column_count; c++) {
            const char *name = index->columns[c];
            bool same =
                strncmp(name, column->name, size) == 0 && (name[size] == '\0' || name[size] == ' ');
            if (same || (name[0] == '(' && strstr(name, column->name)))
                return true;
        }
    }
    return false;
}

static enum guard_form form_of(const struct mapping *mapping, const struct column *column,
                               yyjson_val *val)
{
    const struct value_type *type = &column->type;
    if (type->base == VALUE_JSONB)
        return GUARD_MARK;
    bool text = type->base == VALUE_TEXT || type->base == VALUE_VARCHAR;
    bool fits = type->form == FORM_LOOSE ? yyjson_is_str(val) || yyjson_is_raw(val)
                                         : type->form == FORM_NATURAL && yyjson_is_str(val);
    return text && fits && !is_unique(mapping, column) ? GUARD_TEXT : GUARD_BESIDE;
}

static bool is_allowed(const struct column *column, yyjson_val *val)
{
    size_t at, max;
    yyjson_val *allowed;
    if (!column->allow)
        return false;
    yyjson_arr_foreach(column->allow, at, max,
                       allowed) if (canonical_equal(allowed, val)) return true;
    return false;
}

static void demand(struct guard_place *place, enum guard_form form, yyjson_val *member,
                   int32_t length)
{
    if (form > place->form) {
        place->form = form;
        place->member = member;
    }
    if (form == GUARD_TEXT && length && (!place->length || length < place->length))
        place->length = length;
}

/* `member`: what the column's pointer leads to. `top`: what its type is of (of a decode: json
 * column the JSON in the string). */
static void ask_column(const struct guard_job *job, const struct column *column, yyjson_val *member,
                       yyjson_val *top, yyjson_val *val, struct guard_place *place)
{
    enum guard_form form = form_of(job->mapping, column, val);
    if (val == top && !column->type.array) {
        place->allowed = place->allowed || is_allowed(column, val);
        demand(place, form, member, column->type.length);
    } else if (val == top) {
        demand(place, GUARD_BESIDE, member, 0);
    } else if (column->type.array && is_element(top, val)) {
        demand(place, form, member, column->type.length);
    }
}

/* `strings`: in how many strings the value is. */
static struct guard_place guard_place_of(const struct guard_job *job, yyjson_val *val,
                                         unsigned strings)
{
    struct guard_place place = {.form = GUARD_MARK};
    const char *pointer;
    for (size_t i = 0; strings <= 1 && i < job->mapping->column_count; i++) {
        const struct column *column = &job->mapping->columns[i];
        yyjson_val *member = reads_plainly(column) ? member_of(job, column, &pointer) : NULL;
        if (!member)
            continue;
        if (strings == 0 && column->decode_json && member == val)
            place.decoded = true;
        else if (strings == 0 && !column->decode_json)
            ask_column(job, column, member, member, val, &place);
        else if (strings == 1 && column->decode_json && member == job->string)
            ask_column(job, column, member, job->inside, val, &place);
    }
    return place;
}

/* ---- places: whether a row can be made without it ---- */

static bool is_inside(const char *outer, const char *inner)
{
    size_t size = strlen(outer);
    return strncmp(outer, inner, size) == 0 && inner[size] == '/';
}

static enum outcome refuse_mark(struct guard_job *job, const struct column *column,
                                struct error *err)
{
    const struct mapping *mapping = job->mapping;
    if (column) {
        error_set(err, OUT_REJECT, ERR_SECRET_PLAIN,
                  "this member looks like a secret, and column %s can neither hold a reference to "
                  "it nor be empty",
                  column->name);
        column_blame(mapping, column, column->pointer_count, err);
    } else {
        error_set(err, OUT_REJECT, ERR_SECRET_PLAIN,
                  "this member looks like a secret, and the mapping of %s has no rest to keep a "
                  "reference to it in",
                  mapping->entity);
        error_where(err, "%s", mapping->file);
    }
    error_path(err, "%s", buf_text(&job->path));
    error_hint(err, "make it a text column, with seal: true, or add rest: NAME to the mapping; or "
                    "turn the search off: secrets.detect: off");
    return OUT_REJECT;
}

/* OUT_REJECT DRV-X008 when no row can be made of the record with a mark in the value's place: a
 * column that must not be empty reads it or what is in it, or there is no rest to keep the mark. */
static enum outcome guard_check_mark(struct guard_job *job, yyjson_val *val, struct error *err)
{
    const struct mapping *mapping = job->mapping;
    const char *path = buf_text(&job->path), *pointer;
    bool kept = mapping->rest_at >= 0 || guard_takes_whole(mapping);
    for (size_t i = 0; i < mapping->column_count; i++) {
        const struct column *column = &mapping->columns[i];
        yyjson_val *member = reads_plainly(column) ? member_of(job, column, &pointer) : NULL;
        if (!member)
            continue;
        bool json = column->type.base == VALUE_JSONB && !column->type.array && !column->decode_json;
        bool reads = member == val || is_inside(path, pointer);
        if ((member == val && json) || is_inside(pointer, path))
            kept = true;
        else if (reads && (column->required || column->key_at >= 0 || column->source == FROM_VALUE))
            return refuse_mark(job, column, err);
    }
    return kept ? OUT_OK : refuse_mark(job, NULL, err);
}

/* ---- texts ---- */

#define MARK_SIZES_APART 29 /* a withheld one is shorter by that, as text and as a member */

static bool guard_looks_like_json(struct bytes text)
{
    size_t at = 0;
    while (at < text.size && isspace((unsigned char)text.data[at]))
        at++;
    return at + 1 < text.size && strchr("{[\"", text.data[at]) && text.data[at] != '\0';
}

/* ---- texts: whole, in the form the place can hold ---- */

static enum outcome guard_refuse_key(struct guard_job *job, struct error *err)
{
    error_set(err, OUT_REJECT, ERR_SECRET_PLAIN,
              "the record's key, or a name in it, looks like a secret");
    error_path(err, "%s", buf_text(&job->path));
    error_hint(err, "choose another key, or turn the search off: secrets.detect: off");
    return OUT_REJECT;
}

static enum outcome take_whole(struct guard_job *job, yyjson_val *val, enum shape shape,
                               const struct guard_place *place, unsigned strings, struct error *err)
{
    bool short_of_room = place->length && place->length < SECRET_TEXT_MARK_SIZE;
    bool no_text = place->form == GUARD_TEXT && short_of_room;
    enum guard_form form = no_text || place->decoded ? GUARD_BESIDE : place->form;
    yyjson_val *member = place->form == GUARD_MARK ? val : place->member;
    if (place->allowed)
        return OUT_OK;
    if (form == GUARD_BESIDE && member != val) {
        job->whole = member; /* the walk is inside of it */
        if (shape == SHAPE_SECRET || job->whole_shape == SHAPE_PLAIN)
            job->whole_shape = shape;
        return OUT_OK;
    }
    enum outcome outcome = OUT_OK;
    if (form != GUARD_TEXT && strings == 0)
        outcome = guard_check_mark(job, val, err);
    return outcome == OUT_OK ? guard_take(job, val, shape, form, err) : outcome;
}

/* Takes a value that is a secret as a whole, in the form its place needs. */
static enum outcome guard_take_found(struct guard_job *job, yyjson_val *val, enum shape shape,
                                     unsigned strings, struct error *err)
{
    bool object_root = val == job->root && yyjson_is_obj(val);
    if (guard_is_key(job, val) || (object_root && !guard_takes_whole(job->mapping)))
        return guard_refuse_key(job, err);
    struct guard_place place = guard_place_of(job, val, strings);
    return take_whole(job, val, shape, &place, strings, err);
}

/* Once the walk is out of `val`, and it is what has to go whole. */
static enum outcome guard_take_whole(struct guard_job *job, yyjson_val *val,
                                     const struct guard_point *before, struct error *err)
{
    enum shape shape = job->whole_shape;
    struct guard_place place = guard_place_of(job, val, 0);
    guard_return(job, before);
    job->whole = NULL;
    job->whole_shape = SHAPE_PLAIN;
    return take_whole(job, val, shape, &place, 0, err);
}

/* ---- texts: only the parts that are secrets ---- */

struct parts {
    struct buf out;
    size_t read, count; /* of the text; parts of it */
    enum shape shape;   /* of all of them */
    bool everything;    /* one part is the whole text */
    bool words;         /* the text is what people write */
};

static bool is_continued(struct bytes text, size_t at)
{
    return at < text.size && ((unsigned char)text.data[at] & 0xC0) == 0x80;
}

static enum outcome take_part(struct guard_job *job, struct bytes text,
                              const struct token_span *span, struct parts *parts, struct error *err)
{
    size_t start = span->start, end = span->start + span->size, path = job->path.size;
    while (start > parts->read && is_continued(text, start))
        start--;
    while (is_continued(text, end))
        end++;
    enum shape shape = parts->words ? SHAPE_SECRET : span->shape;
    parts->everything = start == 0 && end == text.size;
    if (shape == SHAPE_SECRET || parts->shape == SHAPE_PLAIN)
        parts->shape = shape;
    secret_text_append_spelled(&parts->out, bytes_of(text.data + parts->read, start - parts->read),
                               true);
    buf_append_format(&job->path, "~#%zu", ++parts->count);
    enum outcome outcome =
        guard_take_part(job, bytes_of(text.data + start, end - start), shape, &parts->out, err);
    job->path.size = path;
    parts->read = end;
    return outcome;
}

static size_t characters(struct bytes text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += !is_continued(text, i);
    return count;
}

/* With references of one size, so that it fits with a key and without one or neither. */
static bool has_room(const struct guard_job *job, const struct guard_place *place,
                     struct bytes text, const struct guard_point *before)
{
    size_t withheld = job->withheld_count - before->withheld_count;
    return !place->length ||
           characters(text) + withheld * MARK_SIZES_APART <= (size_t)place->length;
}

/* Text that only looked like JSON may have become JSON, when what was wrong with it has gone: then
 * nobody could tell how to read it. */
static bool is_json_now(const struct guard_job *job, struct bytes text)
{
    yyjson_doc *doc = NULL;
    if (!guard_looks_like_json(text) ||
        json_parse(text, JSON_UNICODE_REJECT, job->alc, &doc, NULL) != OUT_OK)
        return false;
    yyjson_doc_free(doc);
    return true;
}

static enum outcome put_parts(struct guard_job *job, yyjson_val *val, unsigned strings,
                              const struct guard_point *before, struct parts *parts,
                              struct error *err)
{
    struct guard_place place = guard_place_of(job, val, strings);
    struct bytes text = buf_view(&parts->out);
    if (!parts->everything && !place.allowed && !place.decoded && place.form != GUARD_BESIDE &&
        has_room(job, &place, text, before) &&
        !(strings < GUARD_STRING_LEVELS && is_json_now(job, text))) {
        guard_rewrite(job, val, text);
        return OUT_OK;
    }
    guard_return(job, before);
    return take_whole(job, val, parts->shape, &place, strings, err);
}

/* JSON in a string, with what was taken out of it since `before`, becomes the string's text; where
 * a column has no room for that, the string goes whole. */
static enum outcome guard_json_text(struct guard_job *job, yyjson_val *val, unsigned strings,
                                    struct bytes json, const struct guard_point *before,
                                    struct error *err)
{
    bool tokens =
        job->withheld_count > before->withheld_count && job->sealed_count == before->sealed_count;
    struct guard_place place = guard_place_of(job, val, strings);
    if (guard_is_key(job, val))
        return guard_refuse_key(job, err);
    if (place.form != GUARD_BESIDE && has_room(job, &place, json, before)) {
        job->count = before->takes;
        guard_rewrite(job, val, json);
        return OUT_OK;
    }
    guard_return(job, before);
    return take_whole(job, val, tokens ? SHAPE_TOKEN : SHAPE_SECRET, &place, strings, err);
}

/* No secret, but letters of ours. A short column that has no room for them twice gets the text as
 * if it were a secret. */
static enum outcome respell(struct guard_job *job, yyjson_val *val, unsigned strings,
                            struct bytes text, struct error *err)
{
    struct buf out;
    enum outcome outcome = OUT_OK;
    if (!job->spells || !secret_text_needs_spelling(text))
        return OUT_OK;
    if (guard_is_key(job, val)) {
        error_set(err, OUT_REJECT, ERR_SECRET_SPOOF, "%s", error_code_meaning(ERR_SECRET_SPOOF));
        error_path(err, "%s", buf_text(&job->path));
        return OUT_REJECT;
    }
    struct guard_place place = guard_place_of(job, val, strings);
    buf_init(&out, PAYLOAD_MAX);
    secret_text_append_spelled(&out, text, false);
    if (place.length && characters(buf_view(&out)) > (size_t)place.length)
        outcome = take_whole(job, val, SHAPE_SECRET, &place, strings, err);
    else
        guard_rewrite(job, val, buf_view(&out));
    buf_free(&out);
    return outcome;
}

/* A text in which parts may be secrets: replaces them. `broken`: it should be JSON and is not. */
static enum outcome guard_text(struct guard_job *job, yyjson_val *val, unsigned strings,
                               bool broken, struct error *err)
{
    struct bytes text = bytes_of(yyjson_get_str(val), yyjson_get_len(val));
    struct guard_point before = guard_point(job);
    struct parts parts = {.shape = SHAPE_PLAIN, .words = token_shape_has_words(text)};
    struct token_scan scan;
    struct token_span span;
    enum outcome outcome = OUT_OK;
    if (broken)
        token_scan_init_broken(&scan, text);
    else
        token_scan_init(&scan, text);
    buf_init(&parts.out, PAYLOAD_MAX);
    while (outcome == OUT_OK && job->guard->detect && token_scan_next(&scan, &span))
        outcome = parts.count == 0 && guard_is_key(job, val)
                      ? guard_refuse_key(job, err)
                      : take_part(job, text, &span, &parts, err);
    if (outcome == OUT_OK && parts.count == 0) {
        outcome = respell(job, val, strings, text, err);
    } else if (outcome == OUT_OK) {
        secret_text_append_spelled(&parts.out,
                                   bytes_of(text.data + parts.read, text.size - parts.read), false);
        outcome = put_parts(job, val, strings, &before, &parts, err);
    }
    buf_free(&parts.out);
    return outcome;
}

/* ---- finding: which values go ---- */

#define NAME_SIZE_MAX 64  /* of what names the next element; longer is a text */
#define KEY_SECRET_MIN 16 /* a member's name that is a secret itself is at least so long */
#define NUMBER_DIGITS_MIN 4

struct place {
    unsigned strings;
    struct bytes name;   /* of the member, or what plays its part; empty: none */
    struct bytes parent; /* name of the object around the member; empty: none */
};

static enum outcome find_value(struct guard_job *job, yyjson_val *val, struct place place,
                               struct error *err);

static struct bytes text_of(yyjson_val *val)
{
    return yyjson_is_str(val) ? json_text_of(val) : (struct bytes){0};
}

static void append_step(struct buf *path, struct bytes name)
{
    buf_append_char(path, '/');
    text_append_pointer_name(path, name);
}

/* ---- what the mapping names ---- */

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

/* ---- what is found by its shape ---- */

static bool holds_text(yyjson_val *val)
{
    if (yyjson_is_str(val))
        return yyjson_get_len(val) > 0;
    size_t at, max;
    yyjson_val *key, *child;
    bool found = false;
    if (yyjson_is_arr(val))
        yyjson_arr_foreach(val, at, max, child) found = found || holds_text(child);
    if (yyjson_is_obj(val))
        yyjson_obj_foreach(val, at, max, key, child) found = found || holds_text(child);
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

static bool has_digits(struct bytes number, size_t min)
{
    size_t digits = 0;
    for (size_t i = 0; i < number.size; i++)
        digits += isdigit((unsigned char)number.data[i]) != 0;
    return digits >= min;
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
        return shape == SHAPE_SECRET && has_digits(number, NUMBER_DIGITS_MIN) ? shape : SHAPE_PLAIN;
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
        size_t next = before.takes;
        buf_init(&out, PAYLOAD_MAX);
        write_value(job, root, &next, &out);
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

/* ---- the walk ---- */

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
        if (job->guard->detect && yyjson_get_len(key) >= KEY_SECRET_MIN && *shape == SHAPE_PLAIN)
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
    size_t above = job->path.size, at, max;
    yyjson_val *val, *before = NULL;
    struct bytes name = place.name;
    yyjson_arr_foreach(array, at, max, val)
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

static enum outcome guard_find(struct guard_job *job, struct error *err)
{
    const struct record *record = job->record;
    if (job->guard->detect && (token_shape_of_value(record->id) != SHAPE_PLAIN ||
                               token_shape_of_value(record->source_key) != SHAPE_PLAIN))
        return guard_refuse_key(job, err);
    return find_value(job, job->root, (struct place){0, record->source_key}, err);
}

/* ---- the guard ---- */

void secret_guard_init(struct secret_guard *guard, const struct secret_ring *ring, bool detect)
{
    *guard = (struct secret_guard){.ring = ring, .detect = detect};
    buf_init(&guard->payload, PAYLOAD_MAX);
    buf_init(&guard->sealed, SECRET_SEALED_MAX);
    buf_init(&guard->scratch, PAYLOAD_MAX);
}

void secret_guard_free(struct secret_guard *guard)
{
    guard_wipe(&guard->payload, SIZE_MAX);
    guard_wipe(&guard->scratch, SIZE_MAX);
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

/* ---- memory of documents: wiped when freed ---- */

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

/* ---- a record ---- */

static enum outcome finish(struct guard_job *job, struct guarded *out, struct error *err)
{
    struct secret_guard *guard = job->guard;
    if (job->count == 0)
        return OUT_OK;
    size_t next = 0;
    write_value(job, job->root, &next, &guard->payload);
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
    buf_init(&job.texts, PAYLOAD_MAX);
    buf_init(&job.path, SECRET_FIELD_MAX);
    enum outcome outcome = guard_find(&job, err);
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
    guard_wipe(&guard->payload, guard->payload.size);
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
