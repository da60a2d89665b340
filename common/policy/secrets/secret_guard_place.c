/*
 * What the mapping's columns make of a value: whether JSON or a text may stand in its place, and
 * whether a row can be made without it. Asked only where something was found.
 */

#include "common/policy/secrets/secret_guard_take.h"

#include <string.h>

#include "common/model/json/canonical.h"
#include "common/model/json/json.h"
#include "common/model/mapping/mapping_value.h"

/* ---- who reads it ---------------------------------------------------------------------------- */

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
    struct found found = column_find(column, job->root);
    if (found.val)
        *pointer = column->pointers[found.pointer];
    return found.val;
}

static bool is_element(yyjson_val *array, yyjson_val *val)
{
    size_t at, most;
    yyjson_val *child;
    if (!yyjson_is_arr(array))
        return false;
    yyjson_arr_foreach(array, at, most,
                       child) if (child == val || is_element(child, val)) return true;
    return false;
}

bool guard_is_decoded(const struct guard_job *job, yyjson_val *val, unsigned strings)
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

bool guard_is_key(const struct guard_job *job, yyjson_val *val)
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

bool guard_takes_whole(const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->column_count; i++)
        if (mapping->columns[i].source == FROM_VALUE)
            return true;
    return false;
}

/* ---- what may stand there -------------------------------------------------------------------- */

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
    size_t at, most;
    yyjson_val *allowed;
    if (!column->allow)
        return false;
    yyjson_arr_foreach(column->allow, at, most,
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

struct guard_place guard_place_of(const struct guard_job *job, yyjson_val *val, unsigned strings)
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

/* ---- whether a row can be made without it ---------------------------------------------------- */

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
        error_where(err, "%s.%s (%s:%d)", mapping->table, column->name, mapping->file,
                    column->line);
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

enum outcome guard_check_mark(struct guard_job *job, yyjson_val *val, struct error *err)
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
