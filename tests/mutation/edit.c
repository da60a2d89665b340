#include "tests/mutation/edit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/model/json/canonical.h"
#include "common/policy/verify/diff_within.h"

#define BIT(verdict) (1u << (verdict))

static const char *source_name(const struct column *column)
{
    static const char *const NAMES[] = {"pointer", "$key",   "$key_suffix",     "$index",
                                        "$index1", "$value", "$tenant_context", "$isolation_key",
                                        "rest",    "$user",  "$origin"};
    return NAMES[column->source];
}

static void say(struct edit *edit, const char *what, const struct column *column, size_t row)
{
    if (!column) {
        snprintf(edit->text, sizeof edit->text, "%s, row %zu", what, row);
        snprintf(edit->kind, sizeof edit->kind, "%s", what);
        return;
    }
    snprintf(edit->text, sizeof edit->text, "%s of column %s, row %zu", what, column->name, row);
    snprintf(edit->kind, sizeof edit->kind, "%s (%s%s%s%s%s%s)", what, source_name(column),
             column->pointer_count > 1 ? ", alternatives" : "", column->fill ? ", default" : "",
             column->decode_json ? ", decode" : "",
             column->seal       ? ", seal"
             : column->withhold ? ", withhold"
                                : "",
             column->type.array ? ", array" : "");
}

static void want(struct edit *edit, const struct diff_key *key, uint32_t verdicts, bool named)
{
    edit->wanted[edit->wanted_count++] = (struct wanted){*key, verdicts, named};
}

/* The cells of a row become its own, to be changed. */
static struct cell *own_cells(struct world *world, struct edit *edit, size_t row)
{
    size_t count = world->mapping->column_count;
    struct cell *cells = arena_array(&world->arena, count, sizeof *cells);
    memcpy(cells, edit->rows[row].cells, count * sizeof *cells);
    edit->rows[row].cells = cells;
    return cells;
}

/* ---- values ------------------------------------------------------------------------------ */

/* The same value for PostgreSQL's type, in whatever spelling. */
static bool same_cell(const struct column *column, struct cell a, struct cell b)
{
    if (a.size < 0 || b.size < 0)
        return (a.size < 0) == (b.size < 0);
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *left = value_decode(&column->type, a, doc);
    yyjson_mut_val *right = value_decode(&column->type, b, doc);
    yyjson_doc *l = left ? yyjson_mut_val_imut_copy(left, NULL) : NULL;
    yyjson_doc *r = right ? yyjson_mut_val_imut_copy(right, NULL) : NULL;
    bool same = l && r && canonical_equal(yyjson_doc_get_root(l), yyjson_doc_get_root(r));
    yyjson_doc_free(l);
    yyjson_doc_free(r);
    yyjson_mut_doc_free(doc);
    return same;
}

static bool within(const struct column *column, struct cell a, struct cell b)
{
    if (column->tolerance <= 0 || a.size < 0 || b.size < 0)
        return false;
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *left = value_decode(&column->type, a, doc);
    yyjson_mut_val *right = value_decode(&column->type, b, doc);
    yyjson_doc *l = left ? yyjson_mut_val_imut_copy(left, NULL) : NULL;
    yyjson_doc *r = right ? yyjson_mut_val_imut_copy(right, NULL) : NULL;
    bool is =
        l && r && diff_within(yyjson_doc_get_root(l), yyjson_doc_get_root(r), column->tolerance);
    yyjson_doc_free(l);
    yyjson_doc_free(r);
    yyjson_mut_doc_free(doc);
    return is;
}

/* Another cell of the column's type. */
static bool other_cell(struct world *world, const struct column *column, struct cell old,
                       struct cell *made)
{
    struct buf text;
    bool found = false, exact;
    buf_init(&text, 1 << 18);
    for (int i = 0; i < 8 && !found; i++) {
        yyjson_doc *doc = NULL;
        buf_reset(&text);
        generate_value(&world->random, column, true, &text);
        if (json_parse(buf_view(&text), JSON_UNICODE_REPLACE, NULL, &doc, NULL) == OUT_OK &&
            value_encode(&column->type, yyjson_doc_get_root(doc), &world->arena, made, &exact,
                         NULL) == OUT_OK)
            found = !same_cell(column, old, *made);
        yyjson_doc_free(doc);
    }
    buf_free(&text);
    return found;
}

/* ---- pointers ---------------------------------------------------------------------------- */

/* At, above or below. */
static bool related(const char *a, size_t a_size, const char *b, size_t b_size)
{
    size_t size = a_size < b_size ? a_size : b_size;
    return memcmp(a, b, size) == 0 &&
           (a_size == b_size || (a_size > size ? a[size] : b[size]) == '/');
}

static bool column_has(const struct column *column, const char *pointer, size_t size)
{
    for (size_t p = 0; p < column->pointer_count; p++)
        if (related(column->pointers[p], strlen(column->pointers[p]), pointer, size))
            return true;
    return false;
}

/* A member of rest was changed: what belongs to it may be named. */
static void touch_member(const struct mapping *mapping, struct edit *edit, const char *pointer)
{
    snprintf(edit->member, sizeof edit->member, "%s", pointer);
    for (size_t i = 0; i < mapping->column_count; i++)
        if (column_has(&mapping->columns[i], pointer, strlen(pointer)))
            edit->touched[i] = true;
    if (mapping->rest_at >= 0)
        edit->touched[mapping->rest_at] = true;
}

static bool may_name(const struct world *world, const struct edit *edit, struct bytes path)
{
    const struct mapping *mapping = world->mapping;
    struct bytes prefix = BYTES_LITERAL("column "), name = path;
    if (path.size > prefix.size && memcmp(path.data, prefix.data, prefix.size) == 0)
        name = bytes_of(path.data + prefix.size, path.size - prefix.size);
    if (edit->own && bytes_equal(name, bytes_text(edit->own)))
        return true;
    if (edit->any_path)
        return true;
    if (edit->member[0] && related(edit->member, strlen(edit->member), path.data, path.size))
        return true;
    for (size_t i = 0; i < mapping->column_count; i++) {
        const struct column *column = &mapping->columns[i];
        if (edit->touched[i] && (bytes_equal(name, bytes_text(column->name)) ||
                                 column_has(column, path.data, path.size)))
            return true;
    }
    return false;
}

/* ---- edits of one cell ------------------------------------------------------------------- */

static bool pick_live(struct world *world, struct edit *edit, size_t *row)
{
    if (edit->row_count == 0)
        return false;
    *row = random_below(&world->random, (unsigned)edit->row_count);
    return !edit->rows[*row].deleted && !world->soft[*row];
}

static bool edit_cell(struct world *world, struct checker *checker, struct edit *edit)
{
    size_t row;
    struct diff_key key;
    struct cell made = CELL_NULL;
    const struct mapping *mapping = world->mapping;
    size_t at = random_below(&world->random, (unsigned)mapping->column_count);
    const struct column *column = &mapping->columns[at];
    if (!pick_live(world, edit, &row) || column->key_at >= 0)
        return false;
    struct cell old = edit->rows[row].cells[at];
    bool empty = old.size >= 0 && random_below(&world->random, 4) == 0;
    if (!empty && !other_cell(world, column, old, &made))
        return false;
    if (column->source == FROM_REST && random_below(&world->random, 2))
        return false; /* rest has edits of its own */
    checker_key(checker, &edit->rows[row], &key);
    own_cells(world, edit, row)[at] = made;
    say(edit,
        empty          ? "NULL in the place"
        : old.size < 0 ? "a value in the place of NULL"
                       : "another value",
        column, row);
    edit->touched[at] = true;
    edit->any_path = column->source == FROM_VALUE || column->source == FROM_REST;
    uint32_t verdicts = BIT(VERDICT_DIFFERENT);
    if (within(column, old, made))
        verdicts |= BIT(VERDICT_TOLERANCE);
    want(edit, &key, verdicts, true);
    return true;
}

static bool edit_key(struct world *world, struct checker *checker, struct edit *edit)
{
    size_t row;
    struct diff_key old, now;
    struct cell made;
    const struct mapping *mapping = world->mapping;
    size_t at = mapping->key[random_below(&world->random, (unsigned)mapping->key_count)];
    if (!pick_live(world, edit, &row) ||
        !other_cell(world, &mapping->columns[at], edit->rows[row].cells[at], &made))
        return false;
    checker_key(checker, &edit->rows[row], &old);
    own_cells(world, edit, row)[at] = made;
    if (!checker_key(checker, &edit->rows[row], &now))
        return false;
    for (size_t i = 0; i < edit->row_count; i++) {
        struct diff_key other;
        if (i != row && checker_key(checker, &edit->rows[i], &other) &&
            diff_key_equal(&other, &now))
            return false;
    }
    say(edit, "another value", &mapping->columns[at], row);
    size_t used = strlen(edit->kind);
    snprintf(edit->kind + used, sizeof edit->kind - used, " in the key");
    want(edit, &old, BIT(VERDICT_MISSING), false);
    want(edit, &now, BIT(VERDICT_EXTRA), false);
    return true;
}

/* ---- edits of the rest column ------------------------------------------------------------ */

static yyjson_mut_doc *open_rest(struct cell cell)
{
    yyjson_mut_doc *doc = NULL;
    yyjson_doc *parsed = NULL;
    if (cell.size > 1 && json_parse(bytes_of(cell.data + 1, (size_t)cell.size - 1),
                                    JSON_UNICODE_REJECT, NULL, &parsed, NULL) == OUT_OK)
        doc = yyjson_doc_mut_copy(parsed, NULL);
    yyjson_doc_free(parsed);
    if (doc || cell.size >= 0)
        return doc;
    doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_doc_set_root(doc, yyjson_mut_obj(doc));
    return doc;
}

/* The document as a jsonb cell; frees it. */
static struct cell close_rest(struct world *world, yyjson_mut_doc *doc)
{
    struct buf text;
    size_t size = 0;
    char *json = yyjson_mut_write(doc, YYJSON_WRITE_NOFLAG, &size);
    buf_init(&text, 1 << 20);
    buf_append_char(&text, 1);
    buf_append(&text, json, size);
    struct bytes copy = arena_copy(&world->arena, buf_view(&text));
    buf_free(&text);
    free(json);
    yyjson_mut_doc_free(doc);
    return (struct cell){copy.data, (int32_t)copy.size};
}

static void append_token(char *out, size_t size, const char *key)
{
    size_t used = strlen(out);
    if (used + 1 < size)
        out[used++] = '/';
    for (; *key && used + 3 < size; key++) {
        if (*key == '~' || *key == '/') {
            out[used++] = '~';
            out[used++] = *key == '~' ? '0' : '1';
        } else {
            out[used++] = *key;
        }
    }
    out[used] = '\0';
}

static yyjson_mut_val *random_json(struct world *world, yyjson_mut_doc *doc)
{
    struct buf text;
    yyjson_doc *parsed = NULL;
    yyjson_mut_val *val = NULL;
    buf_init(&text, 1 << 18);
    random_value(&world->random, 2, &text);
    if (json_parse(buf_view(&text), JSON_UNICODE_REJECT, NULL, &parsed, NULL) == OUT_OK)
        val = yyjson_val_mut_copy(doc, yyjson_doc_get_root(parsed));
    yyjson_doc_free(parsed);
    buf_free(&text);
    return val;
}

/* Adds, changes or takes out one member at the top. */
static bool change_member(struct world *world, yyjson_mut_doc *doc, struct edit *edit, size_t row)
{
    char pointer[200] = "";
    yyjson_mut_val *root = yyjson_mut_doc_get_root(doc);
    unsigned what = random_below(&world->random, 3);
    size_t count = yyjson_mut_obj_size(root);
    if (what == 0 || count == 0) {
        yyjson_mut_obj_add_val(doc, root, "added by hand", random_json(world, doc));
        touch_member(world->mapping, edit, "/added by hand");
        say(edit, "a member added to rest", NULL, row);
        return true;
    }
    yyjson_mut_obj_iter each = yyjson_mut_obj_iter_with(root);
    yyjson_mut_val *key = NULL;
    for (size_t i = random_below(&world->random, (unsigned)count) + 1; i > 0; i--)
        key = yyjson_mut_obj_iter_next(&each);
    if (strlen(yyjson_mut_get_str(key)) != yyjson_mut_get_len(key))
        return false;
    append_token(pointer, sizeof pointer, yyjson_mut_get_str(key));
    touch_member(world->mapping, edit, pointer);
    if (what == 1) {
        yyjson_mut_obj_remove(root, key);
        say(edit, "a member taken out of rest", NULL, row);
        return true;
    }
    yyjson_mut_val *val = random_json(world, doc);
    if (!val)
        return false;
    each = yyjson_mut_obj_iter_with(root);
    for (yyjson_mut_val *name; (name = yyjson_mut_obj_iter_next(&each));)
        if (name == key)
            break;
    yyjson_mut_obj_put(root, yyjson_mut_strcpy(doc, yyjson_mut_get_str(key)), val);
    say(edit, "a member changed in rest", NULL, row);
    return true;
}

/* A member where a column's own is read from, with the column's value or another. */
static bool contradict(struct world *world, yyjson_mut_doc *doc, struct edit *edit, size_t row,
                       bool same)
{
    const struct mapping *mapping = world->mapping;
    const struct column *column =
        &mapping->columns[random_below(&world->random, (unsigned)mapping->column_count)];
    struct cell cell = edit->rows[row].cells[column - mapping->columns], other;
    if (column->source != FROM_POINTERS || column->withhold || column->seal || column->decode_json)
        return false;
    if (!same) {
        if (!other_cell(world, column, cell, &other))
            return false;
        cell = other;
    }
    yyjson_mut_val *val =
        cell.size < 0 ? yyjson_mut_null(doc) : value_decode(&column->type, cell, doc);
    const char *pointer =
        column->pointers[random_below(&world->random, (unsigned)column->pointer_count)];
    if (!val || strncmp(pointer, "/l", 2) == 0 ||
        yyjson_mut_doc_ptr_get(doc, pointer) /* there as it was: its own edit */ ||
        !yyjson_mut_doc_ptr_setn(doc, pointer, strlen(pointer), val))
        return false;
    touch_member(mapping, edit, pointer);
    for (size_t i = 0; i < mapping->column_count; i++)
        for (size_t p = 0; p < column->pointer_count; p++)
            if (column_has(&mapping->columns[i], column->pointers[p], strlen(column->pointers[p])))
                edit->touched[i] = true;
    say(edit, same ? "a column's member again in rest" : "a member in rest that contradicts",
        column, row);
    return true;
}

static bool edit_rest(struct world *world, struct checker *checker, struct edit *edit)
{
    size_t row;
    struct diff_key key;
    const struct mapping *mapping = world->mapping;
    if (mapping->rest_at < 0 || !pick_live(world, edit, &row))
        return false;
    struct cell old = edit->rows[row].cells[mapping->rest_at], made;
    yyjson_mut_doc *doc = open_rest(old);
    unsigned what = random_below(&world->random, 8);
    bool ok = doc != NULL;
    if (ok && what >= 6)
        ok = contradict(world, doc, edit, row, what == 6);
    else if (ok && what == 5 && old.size < 0)
        say(edit, "{} in the place of no rest", NULL, row);
    else if (ok && what == 4) {
        yyjson_mut_doc_set_root(doc, random_below(&world->random, 2) ? yyjson_mut_null(doc)
                                                                     : yyjson_mut_arr(doc));
        say(edit, "rest that is no object", NULL, row);
        edit->any_path = true;
    } else if (ok)
        ok = change_member(world, doc, edit, row);
    edit->touched[mapping->rest_at] = true;
    if (!ok) {
        yyjson_mut_doc_free(doc);
        return false;
    }
    made = close_rest(world, doc);
    if (same_cell(&mapping->columns[mapping->rest_at], old, made))
        return false;
    checker_key(checker, &edit->rows[row], &key);
    own_cells(world, edit, row)[mapping->rest_at] = made;
    uint32_t verdicts = BIT(VERDICT_DIFFERENT);
    for (size_t i = 0; i < mapping->column_count; i++)
        if (edit->touched[i] && mapping->columns[i].tolerance > 0)
            verdicts |= BIT(VERDICT_TOLERANCE); /* its member as it was is what rest had kept */
    want(edit, &key, verdicts, true);
    return true;
}

/* ---- edits of Drover's own columns ------------------------------------------------------- */

static bool edit_own(struct world *world, struct checker *checker, struct edit *edit)
{
    struct diff_key key;
    if (edit->row_count == 0)
        return false;
    size_t at = random_below(&world->random, (unsigned)edit->row_count);
    struct table_row *row = &edit->rows[at];
    const char *state = world->soft[at] ? " of a softly deleted row"
                        : row->deleted  ? " of a tombstone"
                                        : "";
    char what[80];
    checker_key(checker, row, &key);
    switch (random_below(&world->random, 4)) {
    case 0:
        row->version++;
        snprintf(what, sizeof what, "drover_version greater%s", state);
        want(edit, &key, BIT(VERDICT_TARGET_NEWER), false);
        break;
    case 1:
        row->version--;
        snprintf(what, sizeof what, "drover_version lower%s", state);
        want(edit, &key, BIT(VERDICT_STALE), false);
        break;
    case 2:
        row->digest.bytes[random_below(&world->random, 16)] ^= 1;
        edit->own = "drover_digest";
        snprintf(what, sizeof what, "drover_digest%s", state);
        want(edit, &key, BIT(VERDICT_DIFFERENT), !state[0]);
        break;
    default:
        row->deleted = !row->deleted;
        edit->own = "drover_deleted";
        snprintf(what, sizeof what, "drover_deleted%s", state);
        want(edit, &key, BIT(VERDICT_DIFFERENT), false);
        edit->any_path = true;
    }
    say(edit, what, NULL, at);
    return true;
}

/* A cell of a row that was deleted softly. */
static bool edit_soft(struct world *world, struct checker *checker, struct edit *edit)
{
    struct diff_key key;
    struct cell made;
    const struct mapping *mapping = world->mapping;
    if (mapping->on_delete != DELETE_SOFT || edit->row_count == 0)
        return false;
    size_t row = random_below(&world->random, (unsigned)edit->row_count);
    size_t at = random_below(&world->random, 2)
                    ? (size_t)mapping->soft_column
                    : random_below(&world->random, (unsigned)mapping->column_count);
    const struct column *column = &mapping->columns[at];
    if (!world->soft[row] || column->key_at >= 0 ||
        !other_cell(world, column, edit->rows[row].cells[at], &made))
        return false;
    checker_key(checker, &edit->rows[row], &key);
    own_cells(world, edit, row)[at] = made;
    edit->touched[at] = true;
    edit->any_path = column->source == FROM_VALUE || column->source == FROM_REST;
    say(edit,
        (int)at == mapping->soft_column ? "the soft column of a softly deleted row"
                                        : "another column of a softly deleted row",
        column, row);
    /* which of the others it is nobody knows: the delete does not say what they were */
    want(edit, &key, BIT(VERDICT_DIFFERENT), (int)at == mapping->soft_column);
    return true;
}

/* ---- edits of whole rows ----------------------------------------------------------------- */

static bool edit_removed(struct world *world, struct checker *checker, struct edit *edit)
{
    struct diff_key key;
    if (edit->row_count == 0)
        return false;
    size_t row = random_below(&world->random, (unsigned)edit->row_count);
    if (edit->rows[row].deleted && world->mapping->on_delete == DELETE_HARD)
        return false; /* what work.tombstone_life does */
    checker_key(checker, &edit->rows[row], &key);
    say(edit, edit->rows[row].deleted ? "tombstone removed" : "row removed", NULL, row);
    edit->rows[row] = edit->rows[--edit->row_count];
    want(edit, &key, BIT(VERDICT_MISSING), false);
    return true;
}

/* Added for a tenant that has it not, or moved there. */
static bool edit_tenant(struct world *world, struct checker *checker, struct edit *edit)
{
    static const char *const OTHERS[] = {"acme", "t%3A1", "globex"};
    struct diff_key key, moved;
    if (edit->row_count == 0 || edit->row_count == CHECKER_ROWS)
        return false;
    size_t row = random_below(&world->random, (unsigned)edit->row_count);
    struct table_row copy = edit->rows[row];
    copy.tenant = bytes_text(OTHERS[random_below(&world->random, 3)]);
    checker_key(checker, &edit->rows[row], &key);
    checker_key(checker, &copy, &moved);
    for (size_t i = 0; i < edit->row_count; i++) {
        struct diff_key other;
        if (checker_key(checker, &edit->rows[i], &other) && diff_key_equal(&other, &moved))
            return false;
    }
    want(edit, &moved, BIT(VERDICT_EXTRA) | BIT(VERDICT_UNEXPECTED_TENANT), false);
    if (random_below(&world->random, 2)) {
        say(edit, "row copied to another tenant", NULL, row);
        edit->rows[edit->row_count++] = copy;
        return true;
    }
    say(edit, "row moved to another tenant", NULL, row);
    edit->rows[row] = copy;
    want(edit, &key, BIT(VERDICT_MISSING), false);
    return true;
}

static bool edit_swapped(struct world *world, struct checker *checker, struct edit *edit)
{
    size_t a, b;
    bool differ = false;
    struct diff_key keys[2];
    const struct mapping *mapping = world->mapping;
    if (!pick_live(world, edit, &a) || !pick_live(world, edit, &b) || a == b)
        return false;
    struct cell *left = own_cells(world, edit, a), *right = own_cells(world, edit, b);
    for (size_t i = 0; i < mapping->column_count; i++) {
        const struct column *column = &mapping->columns[i];
        if (column->key_at >= 0)
            continue;
        differ =
            differ || (!same_cell(column, left[i], right[i]) && !within(column, left[i], right[i]));
        struct cell cell = left[i];
        left[i] = right[i];
        right[i] = cell;
    }
    if (!differ)
        return false;
    checker_key(checker, &edit->rows[a], &keys[0]);
    checker_key(checker, &edit->rows[b], &keys[1]);
    say(edit, "two rows swapped", NULL, a);
    edit->any_path = true;
    want(edit, &keys[0], BIT(VERDICT_DIFFERENT), true);
    want(edit, &keys[1], BIT(VERDICT_DIFFERENT), true);
    return true;
}

bool edit_make(struct world *world, struct checker *checker, struct edit *edit)
{
    memset(edit, 0, sizeof *edit);
    memcpy(edit->rows, world->rows, world->row_count * sizeof *edit->rows);
    edit->row_count = world->row_count;
    switch (random_below(&world->random, 16)) {
    case 0:
        return edit_key(world, checker, edit);
    case 1:
    case 2:
    case 3:
        return edit_rest(world, checker, edit);
    case 4:
    case 5:
        return edit_own(world, checker, edit);
    case 6:
        return edit_soft(world, checker, edit);
    case 7:
        return edit_removed(world, checker, edit);
    case 8:
        return edit_tenant(world, checker, edit);
    case 9:
        return edit_swapped(world, checker, edit);
    default:
        return edit_cell(world, checker, edit);
    }
}

/* ---- what is found ----------------------------------------------------------------------- */

static bool is_named(const struct world *world, const struct edit *edit,
                     const struct finding *found)
{
    for (size_t i = 0; i < found->fields.count; i++)
        if (!may_name(world, edit, found->fields.items[i].path))
            return false;
    return found->fields.count > 0;
}

bool edit_check(const struct world *world, const struct edit *edit, const struct finding *findings,
                size_t count)
{
    if (count != edit->wanted_count)
        return false;
    for (size_t w = 0; w < edit->wanted_count; w++) {
        const struct wanted *wanted = &edit->wanted[w];
        const struct finding *found = NULL;
        for (size_t i = 0; i < count; i++)
            if (diff_key_equal(&findings[i].key, &wanted->key))
                found = &findings[i];
        if (!found || !(wanted->verdicts & BIT(found->verdict)) ||
            (wanted->named && !is_named(world, edit, found)))
            return false;
    }
    return true;
}
