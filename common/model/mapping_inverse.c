/*
 * The column program backwards: a row becomes the source record again. Starts from the rest column
 * and puts each cell's member back, unless rest already holds the member as it was; then the two
 * must agree, and when they do not, the cell has been changed and its value comes out.
 */

#include "common/model/mapping.h"

#include <string.h>

#include "common/model/canonical.h"
#include "common/model/mapping_value.h"

/* Member or sub-object at one step of a pointer, made when it is not there. NULL when the parent
 * is no object (a record that never had the member). */
static yyjson_mut_val *step_into(yyjson_mut_doc *doc, yyjson_mut_val *parent, struct bytes name)
{
    if (!yyjson_mut_is_obj(parent))
        return NULL;
    yyjson_mut_val *val = yyjson_mut_obj_getn(parent, name.data, name.size);
    if (val)
        return val;
    val = yyjson_mut_obj(doc);
    yyjson_mut_obj_put(parent, yyjson_mut_strncpy(doc, name.data, name.size), val);
    return val;
}

/* Decodes one reference token (~1 = '/', ~0 = '~') into `out`; returns where the next begins. */
static const char *next_token(const char *pointer, char *out, size_t size, struct bytes *token)
{
    size_t used = 0;
    const char *at = pointer + 1;
    for (; *at && *at != '/'; at++) {
        char c = *at;
        if (c == '~' && (at[1] == '0' || at[1] == '1'))
            c = *++at == '0' ? '~' : '/';
        if (used < size)
            out[used++] = c;
    }
    *token = bytes_of(out, used);
    return at;
}

/* Sets the value at a pointer, making the objects on the way. */
static bool put_at(yyjson_mut_doc *doc, yyjson_mut_val *root, const char *pointer,
                   yyjson_mut_val *val)
{
    char token_text[256];
    struct bytes token;
    yyjson_mut_val *parent = root;
    for (;;) {
        pointer = next_token(pointer, token_text, sizeof token_text, &token);
        if (*pointer == '\0')
            break;
        parent = step_into(doc, parent, token);
        if (!parent)
            return false;
    }
    return yyjson_mut_is_obj(parent) &&
           yyjson_mut_obj_put(parent, yyjson_mut_strncpy(doc, token.data, token.size), val);
}

/* A mutable value as an immutable document, which is what canonical.h and json.h work on. */
static yyjson_doc *freeze(yyjson_mut_val *val)
{
    return yyjson_mut_val_imut_copy(val, NULL);
}

/* Canonical text of a decoded value as a JSON string: how decode: json members come back. */
static yyjson_mut_val *as_string(yyjson_mut_doc *doc, yyjson_mut_val *val, struct buf *scratch)
{
    yyjson_doc *frozen = freeze(val);
    if (!frozen)
        return NULL;
    buf_reset(scratch);
    canonical_append(scratch, yyjson_doc_get_root(frozen));
    yyjson_doc_free(frozen);
    return scratch->failed ? NULL : yyjson_mut_strncpy(doc, scratch->data, scratch->size);
}

static yyjson_mut_val *decode_cell(const struct column *column, struct cell cell,
                                   yyjson_mut_doc *doc, struct buf *scratch)
{
    yyjson_mut_val *val = value_decode(&column->type, cell, doc);
    if (val && column->seal) {
        yyjson_mut_val *mark = yyjson_mut_obj(doc);
        yyjson_mut_obj_add_val(doc, mark, MARK_SEALED, val);
        return mark;
    }
    return val && column->decode_json ? as_string(doc, val, scratch) : val;
}

static bool same_value(yyjson_mut_val *a, yyjson_mut_val *b)
{
    yyjson_doc *left = freeze(a), *right = freeze(b);
    bool same =
        left && right && canonical_equal(yyjson_doc_get_root(left), yyjson_doc_get_root(right));
    yyjson_doc_free(left);
    yyjson_doc_free(right);
    return same;
}

/* True when the member kept in rest encodes to the cell stored. */
static bool kept_agrees(const struct column *column, yyjson_val *kept, struct cell cell,
                        yyjson_mut_doc *doc, struct mapping_work *work)
{
    bool exact;
    struct cell again = CELL_NULL;
    if (yyjson_is_null(kept))
        return cell.size < 0;
    if (cell.size < 0 || column_encode(column, kept, &work->arena, &again, &exact, NULL) != OUT_OK)
        return false;
    if (again.size == cell.size && memcmp(again.data, cell.data, (size_t)cell.size) == 0)
        return true;
    /* jsonb and arrays come back in another spelling: compare what they mean */
    yyjson_mut_val *left = value_decode(&column->type, again, doc);
    yyjson_mut_val *right = value_decode(&column->type, cell, doc);
    return left && right && same_value(left, right);
}

static enum outcome malformed(const struct mapping *mapping, const struct column *column,
                              struct error *err)
{
    enum outcome outcome = error_set(err, OUT_REJECT, ERR_VALUE_FORM,
                                     "the stored value does not have the form of its type");
    column_blame(mapping, column, 0, err);
    return outcome;
}

static enum outcome put_column(const struct mapping *mapping, const struct column *column,
                               struct cell cell, yyjson_val *rest, yyjson_mut_doc *doc,
                               struct mapping_work *work, struct error *err)
{
    struct found kept = rest ? column_find(column, rest) : (struct found){0};
    if (column->withhold && cell.size < 0)
        return OUT_OK; /* its mark is in rest, when there was one */
    if (kept.val && kept_agrees(column, kept.val, cell, doc, work))
        return OUT_OK;
    const char *pointer = column->pointers[kept.val ? kept.pointer : 0];
    if (cell.size < 0) {
        /* kept as a value, but stored as NULL: a change, shown as null */
        if (kept.val && !put_at(doc, yyjson_mut_doc_get_root(doc), pointer, yyjson_mut_null(doc)))
            return malformed(mapping, column, err);
        return OUT_OK;
    }
    yyjson_mut_val *val = decode_cell(column, cell, doc, &work->scratch);
    if (!val || !put_at(doc, yyjson_mut_doc_get_root(doc), pointer, val))
        return malformed(mapping, column, err);
    return OUT_OK;
}

/* A derived cell must be what the tenant gives; nothing comes out of it. */
static enum outcome check_derived(const struct mapping *mapping, const struct column *column,
                                  struct cell cell, const struct row *row, yyjson_mut_doc *doc,
                                  struct mapping_work *work, struct error *err)
{
    struct record none = {.tenant = row->tenant, .index = -1};
    struct cell should;
    if (column->source != FROM_TENANT_CONTEXT && column->source != FROM_ISOLATION_KEY)
        return OUT_OK;
    enum outcome outcome =
        column_derive(mapping, column, &none, row->tenant, &work->arena, &should, err);
    if (outcome != OUT_OK)
        return outcome;
    if (cell.size == should.size && memcmp(cell.data, should.data, (size_t)cell.size) == 0)
        return OUT_OK;
    yyjson_mut_val *left = cell.size < 0 ? NULL : value_decode(&column->type, cell, doc);
    yyjson_mut_val *right = value_decode(&column->type, should, doc);
    if (left && right && same_value(left, right))
        return OUT_OK;
    outcome = error_set(err, OUT_REJECT, ERR_VALUE_CONFLICT,
                        "column %s does not hold what the row's tenant gives", column->name);
    column_blame(mapping, column, 0, err);
    error_path(err, "%s", column->name);
    return outcome;
}

/* The column that keeps originals: $value, else rest; NULL without. */
static const struct column *keeper(const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->column_count; i++)
        if (mapping->columns[i].source == FROM_VALUE)
            return &mapping->columns[i];
    return mapping->rest_at < 0 ? NULL : &mapping->columns[mapping->rest_at];
}

/* The document to put members into: what that column kept, or an empty object. */
static enum outcome start_document(const struct mapping *mapping, const struct row *row,
                                   struct mapping_work *work, yyjson_mut_doc *doc,
                                   yyjson_doc **rest, struct error *err)
{
    *rest = NULL;
    const struct column *column = keeper(mapping);
    struct cell cell = column ? row->cells[column - mapping->columns] : CELL_NULL;
    bool whole = column && column->source == FROM_VALUE;
    if (cell.size < 0 && !whole) {
        yyjson_mut_doc_set_root(doc, yyjson_mut_obj(doc));
        return OUT_OK;
    }
    if (cell.size < 2 || cell.data[0] != 1)
        return malformed(mapping, column, err);
    if (whole && column->decode_json) { /* the record was a string */
        yyjson_mut_val *val = decode_cell(column, cell, doc, &work->scratch);
        yyjson_mut_doc_set_root(doc, val);
        return val ? OUT_OK : malformed(mapping, column, err);
    }
    enum outcome outcome = work_parse(work, bytes_of(cell.data + 1, (size_t)cell.size - 1),
                                      JSON_UNICODE_REJECT, rest, err);
    if (outcome != OUT_OK || (!whole && !yyjson_is_obj(yyjson_doc_get_root(*rest))))
        return malformed(mapping, column, err);
    yyjson_mut_doc_set_root(doc, yyjson_val_mut_copy(doc, yyjson_doc_get_root(*rest)));
    return OUT_OK;
}

static enum outcome put_columns(const struct mapping *mapping, const struct row *row,
                                struct mapping_work *work, yyjson_val *rest, yyjson_mut_doc *doc,
                                struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < mapping->column_count && outcome == OUT_OK; i++) {
        const struct column *column = &mapping->columns[i];
        struct cell cell = row->cells[i];
        if (column->source == FROM_POINTERS) {
            outcome = put_column(mapping, column, cell, rest, doc, work, err);
        } else if (column->source != FROM_REST && column->source != FROM_VALUE) {
            outcome = check_derived(mapping, column, cell, row, doc, work, err);
        }
    }
    return outcome;
}

enum outcome mapping_inverse(const struct mapping *mapping, const struct row *row,
                             struct mapping_work *work, yyjson_doc **doc, struct error *err)
{
    yyjson_doc *rest = NULL;
    arena_reset(&work->arena);
    yyjson_mut_doc *built = yyjson_mut_doc_new(NULL);
    enum outcome outcome = start_document(mapping, row, work, built, &rest, err);
    if (outcome == OUT_OK)
        outcome =
            put_columns(mapping, row, work, rest ? yyjson_doc_get_root(rest) : NULL, built, err);
    *doc = NULL;
    if (outcome == OUT_OK) {
        *doc = yyjson_mut_doc_imut_copy(built, NULL);
        if (!*doc)
            outcome = error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the row is too large to compare");
    }
    yyjson_mut_doc_free(built);
    yyjson_doc_free(rest);
    return outcome;
}

/* Does this mapping declare that a source value comes back otherwise? */
static bool changes_record(const struct mapping *mapping, yyjson_val *root)
{
    for (size_t i = 0; i < mapping->column_count; i++) {
        const struct column *column = &mapping->columns[i];
        if (column->source != FROM_POINTERS || (!column->fill && !column->decode_json))
            continue;
        bool there = column_find(column, root).val != NULL;
        if (there ? column->decode_json : column->fill != NULL)
            return true;
    }
    return false;
}

/* The string of a decode: json member in canonical form; OUT_OK also when nothing is to be done. */
static enum outcome respell(const struct column *column, const struct found *found,
                            yyjson_mut_doc *doc, struct buf *scratch, struct error *err)
{
    yyjson_doc *inner = NULL;
    if (!yyjson_is_str(found->val))
        return OUT_OK;
    enum outcome outcome =
        json_parse(bytes_of(yyjson_get_str(found->val), yyjson_get_len(found->val)),
                   JSON_UNICODE_REJECT, NULL, &inner, err);
    if (outcome != OUT_OK)
        return outcome;
    buf_reset(scratch);
    canonical_append(scratch, yyjson_doc_get_root(inner));
    yyjson_doc_free(inner);
    put_at(doc, yyjson_mut_doc_get_root(doc), column->pointers[found->pointer],
           yyjson_mut_strncpy(doc, scratch->data, scratch->size));
    return OUT_OK;
}

static enum outcome apply_declared(const struct mapping *mapping, yyjson_val *root,
                                   yyjson_mut_doc *doc, struct buf *scratch, struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < mapping->column_count && outcome == OUT_OK; i++) {
        const struct column *column = &mapping->columns[i];
        if (column->source != FROM_POINTERS)
            continue;
        struct found found = column_find(column, root);
        if (found.val && column->decode_json)
            outcome = respell(column, &found, doc, scratch, err);
        else if (!found.val && column->fill)
            put_at(doc, yyjson_mut_doc_get_root(doc), column->pointers[0],
                   yyjson_val_mut_copy(doc, column->fill));
    }
    return outcome;
}

enum outcome mapping_expected(const struct mapping *mapping, const struct record *record,
                              struct mapping_work *work, yyjson_doc **doc, struct error *err)
{
    yyjson_doc *source = NULL;
    *doc = NULL;
    enum outcome outcome = work_parse(work, record->payload, mapping->unicode, &source, err);
    if (outcome != OUT_OK)
        return outcome;
    yyjson_val *root = yyjson_doc_get_root(source);
    if (!changes_record(mapping, root)) {
        *doc = source;
        return OUT_OK;
    }
    yyjson_mut_doc *built = yyjson_doc_mut_copy(source, NULL);
    outcome = apply_declared(mapping, root, built, &work->scratch, err);
    if (outcome == OUT_OK)
        *doc = yyjson_mut_doc_imut_copy(built, NULL);
    yyjson_mut_doc_free(built);
    yyjson_doc_free(source);
    return outcome;
}
