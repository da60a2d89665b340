/*
 * Texts: only the parts that are secrets go, the words around them stay (secret_text.h). And what
 * goes whole, in the form its place can hold.
 */

#include "common/policy/secrets/secret_guard_take.h"

#include <ctype.h>
#include <string.h>

#include "common/base/token_span.h"
#include "common/base/token_text.h"
#include "common/model/json/json.h"
#include "common/policy/secrets/secret_text.h"

#define TEXT_MOST (256u << 20)
#define MARK_SIZES_APART 29 /* a withheld one is shorter by that, as text and as a member */

bool guard_looks_like_json(struct bytes text)
{
    size_t at = 0;
    while (at < text.size && isspace((unsigned char)text.data[at]))
        at++;
    return at + 1 < text.size && strchr("{[\"", text.data[at]) && text.data[at] != '\0';
}

/* ---- whole ----------------------------------------------------------------------------------- */

enum outcome guard_refuse_key(struct guard_job *job, struct error *err)
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

enum outcome guard_take_found(struct guard_job *job, yyjson_val *val, enum shape shape,
                              unsigned strings, struct error *err)
{
    bool object_root = val == job->root && yyjson_is_obj(val);
    if (guard_is_key(job, val) || (object_root && !guard_takes_whole(job->mapping)))
        return guard_refuse_key(job, err);
    struct guard_place place = guard_place_of(job, val, strings);
    return take_whole(job, val, shape, &place, strings, err);
}

enum outcome guard_take_whole(struct guard_job *job, yyjson_val *val,
                              const struct guard_point *before, struct error *err)
{
    enum shape shape = job->whole_shape;
    struct guard_place place = guard_place_of(job, val, 0);
    guard_return(job, before);
    job->whole = NULL;
    job->whole_shape = SHAPE_PLAIN;
    return take_whole(job, val, shape, &place, 0, err);
}

/* ---- parts ----------------------------------------------------------------------------------- */

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

enum outcome guard_json_text(struct guard_job *job, yyjson_val *val, unsigned strings,
                             struct bytes json, const struct guard_point *before, struct error *err)
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
    buf_init(&out, TEXT_MOST);
    secret_text_append_spelled(&out, text, false);
    if (place.length && characters(buf_view(&out)) > (size_t)place.length)
        outcome = take_whole(job, val, SHAPE_SECRET, &place, strings, err);
    else
        guard_rewrite(job, val, buf_view(&out));
    buf_free(&out);
    return outcome;
}

enum outcome guard_text(struct guard_job *job, yyjson_val *val, unsigned strings, bool broken,
                        struct error *err)
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
    buf_init(&parts.out, TEXT_MOST);
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
