/*
 * The column program backwards: a row becomes the source record again. Starts from the rest column
 * and puts each cell's member back, unless rest already holds the member as it was; then the two
 * must agree, and when they do not, the cell has been changed and its value comes out.
 */

#include "common/model/mapping/mapping.h"

#include <string.h>

#include "common/model/json/canonical.h"
#include "common/model/mapping/mapping_value.h"

const char *pointer_token(const char *pointer, char *out, size_t size, struct bytes *token)
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

/* The place of an array's element that a token names (RFC 6901: no leading zeros). */
static bool is_element(yyjson_mut_val *array, struct bytes token, size_t *at)
{
    if (!yyjson_mut_is_arr(array) || token.size == 0 || token.size > 9 ||
        (token.size > 1 && token.data[0] == '0'))
        return false;
    *at = 0;
    for (size_t i = 0; i < token.size; i++) {
        if (token.data[i] < '0' || token.data[i] > '9')
            return false;
        *at = *at * 10 + (size_t)(token.data[i] - '0');
    }
    return *at < yyjson_mut_arr_size(array);
}

/* What one step of a pointer leads to; NULL when nothing is there. */
static yyjson_mut_val *step(yyjson_mut_val *parent, struct bytes token)
{
    size_t at;
    if (yyjson_mut_is_obj(parent))
        return yyjson_mut_obj_getn(parent, token.data, token.size);
    return is_element(parent, token, &at) ? yyjson_mut_arr_get(parent, at) : NULL;
}

static bool crosses_array(yyjson_mut_val *root, const char *pointer)
{
    char token_text[256];
    struct bytes token;
    while (root && *pointer && !yyjson_mut_is_arr(root)) {
        pointer = pointer_token(pointer, token_text, sizeof token_text, &token);
        root = step(root, token);
    }
    return root && *pointer;
}

static bool set_step(yyjson_mut_doc *doc, yyjson_mut_val *parent, struct bytes token,
                     yyjson_mut_val *val)
{
    size_t at;
    if (yyjson_mut_is_obj(parent))
        return yyjson_mut_obj_put(parent, yyjson_mut_strncpy(doc, token.data, token.size), val);
    return is_element(parent, token, &at) && yyjson_mut_arr_replace(parent, at, val) != NULL;
}

/* Sets the value at a pointer, making the objects on the way. False, and nothing is changed, when
 * something that is no object is in the way: the record never had such a member. */
static bool put_at(yyjson_mut_doc *doc, const char *pointer, yyjson_mut_val *val)
{
    char token_text[256];
    struct bytes token;
    yyjson_mut_val *parent = yyjson_mut_doc_get_root(doc);
    for (;;) {
        pointer = pointer_token(pointer, token_text, sizeof token_text, &token);
        if (*pointer == '\0')
            return set_step(doc, parent, token, val);
        yyjson_mut_val *child = step(parent, token);
        if (!child) {
            child = yyjson_mut_obj(doc);
            if (!set_step(doc, parent, token, child))
                return false;
        }
        parent = child;
    }
}

/* Canonical text of a decoded value as a JSON string: how decode: json members come back. */
static yyjson_mut_val *as_string(yyjson_mut_doc *doc, yyjson_mut_val *val, struct buf *scratch)
{
    yyjson_doc *frozen = yyjson_mut_val_imut_copy(val, NULL);
    if (!frozen)
        return NULL;
    buf_reset(scratch);
    canonical_append(scratch, yyjson_doc_get_root(frozen));
    yyjson_doc_free(frozen);
    return scratch->failed ? NULL : yyjson_mut_strncpy(doc, scratch->data, scratch->size);
}

yyjson_mut_val *column_decode(const struct column *column, struct cell cell, yyjson_mut_doc *doc,
                              struct buf *scratch)
{
    yyjson_mut_val *val = value_decode(&column->type, cell, doc);
    if (val && column->seal) {
        yyjson_mut_val *mark = yyjson_mut_obj(doc);
        yyjson_mut_obj_add_val(doc, mark, MARK_SEALED, val);
        return mark;
    }
    return val && column->decode_json ? as_string(doc, val, scratch) : val;
}

/* The same, where the rest has been through PostgreSQL: a number that a text column took as it was
 * written (as: loose) comes back as jsonb prints it, 1e2 as 100. */
static bool agrees(const struct value_type *type, struct cell a, struct cell b, yyjson_mut_doc *doc)
{
    struct decimal left, right;
    if (cells_same(type, a, b, doc))
        return true;
    return type->form == FORM_LOOSE && type->base <= VALUE_VARCHAR && a.size > 0 && b.size > 0 &&
           decimal_parse(bytes_of(a.data, (size_t)a.size), &left) &&
           decimal_parse(bytes_of(b.data, (size_t)b.size), &right) &&
           decimal_compare(&left, &right) == 0;
}

bool column_agrees(const struct column *column, yyjson_val *kept, struct cell cell,
                   yyjson_mut_doc *doc, struct mapping_work *work)
{
    bool exact, respelled;
    struct cell again = CELL_NULL;
    bool empty = yyjson_is_null(kept) || mark_is_beside(column, kept);
    if (empty || cell.size < 0)
        return empty && cell.size < 0;
    return column_encode(column, kept, &work->arena, &again, &exact, &respelled, NULL) == OUT_OK &&
           agrees(&column->type, again, cell, doc);
}

static enum outcome malformed(const struct mapping *mapping, const struct column *column,
                              struct error *err)
{
    enum outcome outcome = error_set(err, OUT_REJECT, ERR_VALUE_FORM,
                                     "the stored value does not have the form of its type");
    column_blame(mapping, column, 0, err);
    if (column->pointer_count == 0) /* rest, $value */
        error_path(err, "%s", column->name);
    return outcome;
}

/* What only a default speaks of: no member, or (where no other column reads it) one of that value,
 * which is the declared difference between a record and what comes back. */
static bool is_filled(const struct column *column, const struct found_member *kept,
                      struct cell cell, yyjson_mut_doc *doc)
{
    return column->fill && !kept->val && cells_same(&column->type, cell, column->fill_cell, doc);
}

static void put_fill(const struct column *column, yyjson_mut_doc *doc, struct buf *scratch)
{
    yyjson_mut_val *val =
        column->shares || crosses_array(yyjson_mut_doc_get_root(doc), column->pointers[0])
            ? NULL
            : column_decode(column, column->fill_cell, doc, scratch);
    if (val)
        put_at(doc, column->pointers[0], val);
}

struct giving {
    yyjson_val *rest; /* what was kept, or NULL */
    bool fills;       /* members that only a default speaks of are put in */
};

/* A value that has no place (a change below what is no object) leaves the document as it is:
 * mapping_check_row names it, and nothing of the record is lost. */
static enum outcome put_column(const struct mapping *mapping, const struct column *column,
                               struct cell cell, const struct giving *to, yyjson_mut_doc *doc,
                               struct mapping_work *work, struct error *err)
{
    struct found_member kept = to->rest ? column_find(column, to->rest) : (struct found_member){0};
    if (column->withhold && cell.size < 0)
        return OUT_OK; /* its mark is in rest, when there was one */
    if (kept.val && column_agrees(column, kept.val, cell, doc, work))
        return OUT_OK;
    if (is_filled(column, &kept, cell, doc)) {
        if (to->fills)
            put_fill(column, doc, &work->scratch);
        return OUT_OK;
    }
    const char *pointer = column->pointers[kept.val ? kept.pointer : 0];
    if (cell.size < 0) {
        /* kept as a value, but stored as NULL: a change, shown as null */
        if (kept.val)
            put_at(doc, pointer, yyjson_mut_null(doc));
        return OUT_OK;
    }
    yyjson_mut_val *val = column_decode(column, cell, doc, &work->scratch);
    if (!val)
        return malformed(mapping, column, err);
    put_at(doc, pointer, val);
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
    if (cells_same(&column->type, cell, should, doc))
        return OUT_OK;
    outcome = error_set(err, OUT_REJECT, ERR_VALUE_CONFLICT,
                        "column %s does not hold what the row's tenant gives", column->name);
    column_blame(mapping, column, 0, err);
    error_path(err, "%s", column->name);
    return outcome;
}

/* The column that keeps originals: $value (as it is rather than decoded), else rest; NULL without.
 */
static const struct column *keeper(const struct mapping *mapping)
{
    const struct column *decoded = NULL;
    for (size_t i = 0; i < mapping->column_count; i++) {
        const struct column *column = &mapping->columns[i];
        if (column->source == FROM_VALUE && !column->decode_json)
            return column;
        if (column->source == FROM_VALUE && !decoded)
            decoded = column;
    }
    if (decoded)
        return decoded;
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
        yyjson_mut_val *val = column_decode(column, cell, doc, &work->scratch);
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

/* Outer members first, so that a change inside of one is seen. */
static enum outcome put_columns(const struct mapping *mapping, const struct row *row,
                                struct mapping_work *work, const struct giving *to,
                                yyjson_mut_doc *doc, struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < mapping->by_depth_count && outcome == OUT_OK; i++) {
        size_t at = mapping->by_depth[i];
        outcome = put_column(mapping, &mapping->columns[at], row->cells[at], to, doc, work, err);
    }
    for (size_t i = 0; i < mapping->column_count && outcome == OUT_OK; i++)
        if (column_is_derived(&mapping->columns[i]))
            outcome =
                check_derived(mapping, &mapping->columns[i], row->cells[i], row, doc, work, err);
    return outcome;
}

static enum outcome give_back(const struct mapping *mapping, const struct row *row, bool fills,
                              struct mapping_work *work, yyjson_doc **doc, struct error *err)
{
    yyjson_doc *rest = NULL;
    arena_reset(&work->arena);
    yyjson_mut_doc *built = yyjson_mut_doc_new(NULL);
    enum outcome outcome = start_document(mapping, row, work, built, &rest, err);
    const struct giving to = {rest ? yyjson_doc_get_root(rest) : NULL, fills};
    if (outcome == OUT_OK)
        outcome = put_columns(mapping, row, work, &to, built, err);
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

enum outcome mapping_inverse(const struct mapping *mapping, const struct row *row,
                             struct mapping_work *work, yyjson_doc **doc, struct error *err)
{
    return give_back(mapping, row, true, work, doc, err);
}

/* ---- is it a row that Drover writes? ------------------------------------------------------- */

bool mapping_same_cell(const struct column *column, struct cell a, struct cell b)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    bool same = agrees(&column->type, a, b, doc);
    yyjson_mut_doc_free(doc);
    return same;
}

static enum outcome contradicts(const struct mapping *mapping, const struct column *column,
                                struct error *err)
{
    enum outcome outcome = error_set(
        err, OUT_REJECT, ERR_VALUE_CONFLICT,
        column->source == FROM_REST ? "column %s holds what a column has, or lacks what one needs"
                                    : "column %s does not hold what the rest of the row gives",
        column->name);
    column_blame(mapping, column, column->pointer_count, err);
    error_path(err, "%s", column->name);
    return outcome;
}

/* The rest is looked at last: a cell that was changed changes what belongs there as well. */
static enum outcome check_cells(const struct mapping *mapping, const struct row *row,
                                yyjson_val *root, struct mapping_work *work, struct error *err)
{
    struct cell cells[MAPPING_COLUMNS_MAX];
    enum outcome outcome = document_cells(mapping, root, NULL, work, &work->arena, cells, err);
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    for (size_t i = 0; i < mapping->column_count && outcome == OUT_OK; i++) {
        const struct column *column = &mapping->columns[i];
        if (!column_is_derived(column) && !agrees(&column->type, cells[i], row->cells[i], doc))
            outcome = contradicts(mapping, column, err);
    }
    yyjson_mut_doc_free(doc);
    return outcome;
}

static bool has_fills(const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->column_count; i++)
        if (mapping->columns[i].fill)
            return true;
    return false;
}

enum outcome mapping_check_row(const struct mapping *mapping, const struct row *row,
                               yyjson_val *root, struct mapping_work *work, struct error *err)
{
    yyjson_doc *unfilled = NULL;
    arena_reset(&work->arena);
    enum outcome outcome = check_cells(mapping, row, root, work, err);
    if (outcome == OUT_OK || !has_fills(mapping))
        return outcome;
    /* The record may not have had what a default put into the document: an object that was empty
     * has a member then, and need not be kept any longer. */
    outcome = give_back(mapping, row, false, work, &unfilled, err);
    if (outcome == OUT_OK)
        outcome = check_cells(mapping, row, yyjson_doc_get_root(unfilled), work, err);
    yyjson_doc_free(unfilled);
    return outcome;
}

/* ---- what must come back --------------------------------------------------------------------- */

/* Does this mapping declare that a source value comes back otherwise? */
static bool changes_record(const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->column_count; i++)
        if (mapping->columns[i].fill || mapping->columns[i].decode_json)
            return true;
    return false;
}

static bool touched_by_others(const struct mapping *mapping, yyjson_val *root, size_t at,
                              const char *pointer)
{
    for (size_t i = 0; i < mapping->column_count; i++) {
        const struct column *other = &mapping->columns[i];
        if (other->source == FROM_VALUE)
            return true;
        struct found_member found =
            i != at && other->shares ? column_find(other, root) : (struct found_member){0};
        if (found.val && pointers_touch(pointer, other->pointers[found.pointer]))
            return true;
    }
    return false;
}

/* A decode: json member that no other column reads comes back in the canonical spelling. */
static enum outcome respell(const struct mapping *mapping, size_t at, yyjson_val *root,
                            struct mapping_work *work, yyjson_mut_doc *doc, struct error *err)
{
    const struct column *column = &mapping->columns[at];
    struct found_member found = column_find(column, root);
    struct cell cell = CELL_NULL;
    bool exact, respelled;
    if (!found.val || yyjson_is_null(found.val) || mark_is_beside(column, found.val))
        return OUT_OK;
    enum outcome outcome =
        column_encode(column, found.val, &work->arena, &cell, &exact, &respelled, err);
    if (outcome != OUT_OK || member_fate_of(&found, exact, respelled) != MEMBER_RESPELLED ||
        is_default_of_shared(column, cell) ||
        (column->shares && touched_by_others(mapping, root, at, column->pointers[0])))
        return outcome;
    yyjson_mut_val *val = column_decode(column, cell, doc, &work->scratch);
    if (val)
        put_at(doc, column->pointers[0], val);
    return OUT_OK;
}

/* $value with decode: json: the record is a string itself, and no other column has it as it is. */
static enum outcome respell_root(const struct mapping *mapping, yyjson_val *root,
                                 struct mapping_work *work, yyjson_mut_doc *doc, struct error *err)
{
    const struct column *column = keeper(mapping);
    struct cell cell = CELL_NULL;
    bool exact, respelled;
    if (!column || column->source != FROM_VALUE || !column->decode_json)
        return OUT_OK;
    enum outcome outcome =
        column_encode(column, root, &work->arena, &cell, &exact, &respelled, err);
    yyjson_mut_val *val =
        outcome == OUT_OK ? column_decode(column, cell, doc, &work->scratch) : NULL;
    if (val)
        yyjson_mut_doc_set_root(doc, val);
    return outcome;
}

static enum outcome apply_declared(const struct mapping *mapping, yyjson_val *root,
                                   struct mapping_work *work, yyjson_mut_doc *doc,
                                   struct error *err)
{
    enum outcome outcome = respell_root(mapping, root, work, doc, err);
    for (size_t i = 0; i < mapping->by_depth_count && outcome == OUT_OK; i++)
        if (mapping->columns[mapping->by_depth[i]].decode_json)
            outcome = respell(mapping, mapping->by_depth[i], root, work, doc, err);
    for (size_t i = 0; i < mapping->by_depth_count && outcome == OUT_OK; i++) {
        const struct column *column = &mapping->columns[mapping->by_depth[i]];
        if (column->fill && !column->shares && !column_find(column, root).val)
            put_fill(column, doc, &work->scratch);
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
    if (!changes_record(mapping)) {
        *doc = source;
        return OUT_OK;
    }
    arena_reset(&work->arena);
    yyjson_mut_doc *built = yyjson_doc_mut_copy(source, NULL);
    outcome = apply_declared(mapping, yyjson_doc_get_root(source), work, built, err);
    if (outcome == OUT_OK) {
        *doc = yyjson_mut_doc_imut_copy(built, NULL);
        if (!*doc)
            outcome =
                error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the record is too large to compare");
    }
    yyjson_mut_doc_free(built);
    yyjson_doc_free(source);
    return outcome;
}
