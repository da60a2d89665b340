/* See the header. The record is copied member by member; the pointer grows and shrinks with the
 * way down, for it is the field a box was sealed under. */
#include "common/policy/export/export_secrets.h"

#include <sodium.h>
#include <string.h>

#include "common/base/text.h"
#include "common/model/json/json.h"
#include "common/model/mapping/secret_mark.h"
#include "common/policy/secrets/secret_text.h"

#define POINTER_MAX (1u << 20)
#define PLAIN_MAX (64u << 20)
#define STRING_LEVELS 3 /* as deep as the guard looks into strings */

void export_secrets_init(struct export_secrets *secrets, const struct secret_ring *ring)
{
    *secrets = (struct export_secrets){.ring = ring};
    buf_init(&secrets->pointer, POINTER_MAX);
    buf_init(&secrets->box, PLAIN_MAX);
    buf_init(&secrets->plain, PLAIN_MAX);
}

void export_secrets_free(struct export_secrets *secrets)
{
    if (secrets->plain.data)
        sodium_memzero(secrets->plain.data, secrets->plain.capacity);
    buf_free(&secrets->pointer);
    buf_free(&secrets->box);
    buf_free(&secrets->plain);
}

static bool holds(struct bytes text, const char *mark)
{
    return text.size && memmem(text.data, text.size, mark, strlen(mark));
}

bool export_secrets_concern(struct bytes json)
{
    return holds(json, MARK_SEALED) || holds(json, MARK_WITHHELD) || holds(json, "${sealed:") ||
           holds(json, "${withheld:");
}

static void tell(const struct export_secrets *secrets, enum export_secret what)
{
    if (secrets->tell)
        secrets->tell(secrets->owner, what, buf_view(&secrets->pointer));
}

/* What was sealed at the pointer; NULL when it stays closed. The caller frees. */
static yyjson_doc *open_box(struct export_secrets *secrets, struct bytes name)
{
    struct secret_place place = secrets->place;
    yyjson_doc *doc = NULL;
    place.field = buf_view(&secrets->pointer);
    buf_reset(&secrets->box);
    if (!secrets->ring || !secrets->find_box ||
        !secrets->find_box(secrets->owner, place.tenant, name, &secrets->box) ||
        secret_box_open(secrets->ring, &place, buf_view(&secrets->box), &secrets->plain, NULL) !=
            OUT_OK ||
        json_parse(buf_view(&secrets->plain), JSON_UNICODE_REJECT, NULL, &doc, NULL) != OUT_OK)
        return NULL;
    return doc;
}

static yyjson_mut_val *open_sealed(struct export_secrets *secrets, struct bytes reference,
                                   yyjson_mut_doc *into)
{
    yyjson_doc *doc = open_box(secrets, reference);
    yyjson_mut_val *val = doc ? yyjson_val_mut_copy(into, yyjson_doc_get_root(doc)) : NULL;
    yyjson_doc_free(doc);
    tell(secrets, val ? EXPORT_OPENED : EXPORT_LEFT_SEALED);
    secrets->changes += val != NULL;
    return val;
}

/* One reference among other text; `number` from 1. */
static void append_part(struct export_secrets *secrets, const struct secret_text_mark *mark,
                        struct bytes spelled, size_t number, struct buf *out)
{
    size_t above = secrets->pointer.size;
    yyjson_doc *doc = NULL;
    if (mark->kind == SECRET_TEXT_WITHHELD) {
        tell(secrets, EXPORT_ABSENT);
    } else {
        buf_append_format(&secrets->pointer, "~#%zu", number);
        doc = open_box(secrets, mark->reference);
        tell(secrets, doc ? EXPORT_OPENED : EXPORT_LEFT_SEALED);
        secrets->pointer.size = above;
    }
    yyjson_val *part = yyjson_doc_get_root(doc);
    if (yyjson_is_str(part))
        buf_append(out, yyjson_get_str(part), yyjson_get_len(part));
    else
        buf_append(out, spelled.data + mark->start, mark->size);
    yyjson_doc_free(doc);
}

static yyjson_mut_val *copy_text(struct export_secrets *secrets, yyjson_val *val,
                                 yyjson_mut_doc *into)
{
    struct bytes spelled = bytes_of(yyjson_get_str(val), yyjson_get_len(val));
    struct secret_text_mark mark;
    size_t at = 0, read = 0, number = 0;
    if (secret_text_is_mark(spelled, &mark) && mark.kind == SECRET_TEXT_SEALED) {
        yyjson_mut_val *whole = open_sealed(secrets, mark.reference, into);
        return whole ? whole : yyjson_val_mut_copy(into, val);
    }
    struct buf out;
    buf_init(&out, PLAIN_MAX);
    while (secret_text_next(spelled, &at, &mark)) {
        secret_text_append_own(&out, bytes_of(spelled.data + read, mark.start - read), true);
        append_part(secrets, &mark, spelled, ++number, &out);
        read = mark.start + mark.size;
    }
    secret_text_append_own(&out, bytes_of(spelled.data + read, spelled.size - read), false);
    bool same = bytes_equal(buf_view(&out), spelled);
    secrets->changes += !same;
    yyjson_mut_val *made =
        same ? yyjson_val_mut_copy(into, val) : yyjson_mut_strncpy(into, buf_text(&out), out.size);
    if (out.data)
        sodium_memzero(out.data, out.capacity);
    buf_free(&out);
    return made;
}

static yyjson_mut_val *copy(struct export_secrets *secrets, yyjson_val *val, unsigned strings,
                            yyjson_mut_doc *into);

static void append_step(struct buf *pointer, struct bytes name)
{
    buf_append_char(pointer, '/');
    text_append_pointer_name(pointer, name);
}

static yyjson_mut_val *copy_object(struct export_secrets *secrets, yyjson_val *object,
                                   unsigned strings, yyjson_mut_doc *into)
{
    yyjson_mut_val *made = yyjson_mut_obj(into);
    yyjson_obj_iter iter = yyjson_obj_iter_with(object);
    size_t above = secrets->pointer.size;
    yyjson_val *key;
    while ((key = yyjson_obj_iter_next(&iter))) {
        struct bytes name = json_text_of(key);
        append_step(&secrets->pointer, name);
        yyjson_mut_val *member = copy(secrets, yyjson_obj_iter_get_val(key), strings, into);
        if (member)
            yyjson_mut_obj_add(made, yyjson_mut_strncpy(into, name.data, name.size), member);
        secrets->pointer.size = above;
    }
    return made;
}

static yyjson_mut_val *copy_array(struct export_secrets *secrets, yyjson_val *array,
                                  unsigned strings, yyjson_mut_doc *into)
{
    yyjson_mut_val *made = yyjson_mut_arr(into);
    yyjson_arr_iter iter = yyjson_arr_iter_with(array);
    size_t above = secrets->pointer.size, at = 0;
    yyjson_val *element;
    while ((element = yyjson_arr_iter_next(&iter))) {
        buf_append_format(&secrets->pointer, "/%zu", at++);
        yyjson_mut_val *member = copy(secrets, element, strings, into);
        yyjson_mut_arr_append(made, member ? member : yyjson_mut_null(into));
        secrets->pointer.size = above;
    }
    return made;
}

/* JSON inside a string, written again as compact text. */
static yyjson_mut_val *copy_string(struct export_secrets *secrets, yyjson_val *val,
                                   unsigned strings, yyjson_mut_doc *into)
{
    struct bytes text = bytes_of(yyjson_get_str(val), yyjson_get_len(val));
    yyjson_doc *doc = NULL, *opened = NULL;
    if (!export_secrets_concern(text))
        return yyjson_val_mut_copy(into, val);
    if (strings == STRING_LEVELS ||
        json_parse(text, JSON_UNICODE_REJECT, NULL, &doc, NULL) != OUT_OK)
        return copy_text(secrets, val, into);
    yyjson_mut_doc *inner = yyjson_mut_doc_new(NULL);
    size_t above = secrets->pointer.size, changes = secrets->changes;
    buf_append_char(&secrets->pointer, '#'); /* as secret_guard.h marks the way into a string */
    yyjson_mut_val *root = copy(secrets, yyjson_doc_get_root(doc), strings + 1, inner);
    secrets->pointer.size = above;
    yyjson_mut_val *made = NULL;
    if (root && changes == secrets->changes) {
        made = yyjson_val_mut_copy(into, val); /* as it was written */
    } else if (root) {
        struct buf out;
        buf_init(&out, PLAIN_MAX);
        yyjson_mut_doc_set_root(inner, root);
        opened = yyjson_mut_doc_imut_copy(inner, NULL);
        json_append(&out, yyjson_doc_get_root(opened));
        made = yyjson_mut_strncpy(into, buf_text(&out), out.size);
        if (out.data)
            sodium_memzero(out.data, out.capacity);
        buf_free(&out);
    }
    yyjson_doc_free(opened);
    yyjson_doc_free(doc);
    yyjson_mut_doc_free(inner);
    return made;
}

/* NULL: it was withheld, and is left out. */
static yyjson_mut_val *copy(struct export_secrets *secrets, yyjson_val *val, unsigned strings,
                            yyjson_mut_doc *into)
{
    struct bytes reference = mark_text(val, MARK_SEALED);
    if (reference.data) {
        yyjson_mut_val *opened = open_sealed(secrets, reference, into);
        return opened ? opened : yyjson_val_mut_copy(into, val);
    }
    if (mark_text(val, MARK_WITHHELD).data) {
        tell(secrets, EXPORT_ABSENT);
        secrets->changes++;
        return NULL;
    }
    if (yyjson_is_obj(val))
        return copy_object(secrets, val, strings, into);
    if (yyjson_is_arr(val))
        return copy_array(secrets, val, strings, into);
    if (yyjson_is_str(val))
        return copy_string(secrets, val, strings, into);
    return yyjson_val_mut_copy(into, val);
}

enum outcome export_secrets_open(struct export_secrets *secrets, const struct secret_place *record,
                                 yyjson_val *root, yyjson_doc **made, struct error *err)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    secrets->place = *record;
    buf_reset(&secrets->pointer);
    secrets->changes = 0;
    *made = NULL;
    yyjson_mut_val *top = copy(secrets, root, 0, doc);
    if (top) {
        yyjson_mut_doc_set_root(doc, top);
        *made = yyjson_mut_doc_imut_copy(doc, NULL);
    }
    yyjson_mut_doc_free(doc);
    return *made ? OUT_OK
                 : error_set(err, OUT_REJECT, ERR_EXPORT, "all of the record was withheld");
}
