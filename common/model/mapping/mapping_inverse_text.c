/*
 * The column program backwards, where nothing needs a document: the canonical text of the record
 * that a row gives back, member after member in the order that mapping_parse found out once. What
 * the rest kept is merged into it.
 *
 * It says what mapping_inverse says or nothing at all. Wherever that one has something to decide
 * (columns with members in common, a kept member that is not the cell's, a member below what is no
 * object, a malformed cell) this one leaves it to it.
 */
#include "common/model/mapping/mapping.h"

#include <stdlib.h>
#include <string.h>

#include "common/model/json/canonical.h"
#include "common/model/json/members.h"
#include "common/model/mapping/mapping_value.h"
#include "common/model/value/timestamp.h"
#include "common/model/value/value_scalar.h"

/* ---- the plan: once a mapping ------------------------------------------------------------ */

#define NAME_MAX_BYTES 255 /* of a token; pointer_token cuts what is longer */

/* What a column's pointer still has to go, while the tree is made. */
struct way {
    const char *at;
    int column;
};

static int compare_members(const void *left, const void *right)
{
    const struct mapping_member *a = left, *b = right;
    return bytes_compare(a->name, b->name);
}

static struct mapping_member *find_member(struct mapping_member *list, size_t count,
                                          struct bytes name)
{
    for (size_t i = 0; i < count; i++)
        if (bytes_equal(list[i].name, name))
            return &list[i];
    return NULL;
}

static bool name_member(struct arena *arena, struct bytes name, struct mapping_member *member)
{
    struct buf spelled;
    buf_init(&spelled, 8 * NAME_MAX_BYTES);
    json_append_string(&spelled, name);
    buf_append_char(&spelled, ':');
    member->name = arena_copy(arena, name);
    member->spelled = arena_copy(arena, buf_view(&spelled));
    bool named = !spelled.failed && member->name.data && member->spelled.data;
    buf_free(&spelled);
    return named;
}

static bool plan_level(struct arena *arena, const struct way *ways, size_t count,
                       const struct mapping_member **members, size_t *member_count);

/* What lies below one member: the ways that go through it. */
static bool plan_inside(struct arena *arena, const struct way *ways, size_t count,
                        struct mapping_member *member)
{
    char text[NAME_MAX_BYTES + 1];
    struct bytes token;
    struct way *below = arena_array(arena, count, sizeof *below);
    size_t below_count = 0;
    for (size_t i = 0; below && i < count; i++) {
        const char *next = pointer_token(ways[i].at, text, sizeof text, &token);
        if (bytes_equal(token, member->name))
            below[below_count++] = (struct way){next, ways[i].column};
    }
    if (!below)
        return false;
    if (below_count == 1 && !*below[0].at) {
        member->column = below[0].column;
        return true;
    }
    member->column = -1;
    return plan_level(arena, below, below_count, &member->inside, &member->inside_count);
}

static bool plan_level(struct arena *arena, const struct way *ways, size_t count,
                       const struct mapping_member **members, size_t *member_count)
{
    char text[NAME_MAX_BYTES + 1];
    struct bytes token;
    struct mapping_member *list = arena_array(arena, count, sizeof *list);
    size_t made = 0;
    for (size_t i = 0; list && i < count; i++) {
        if (*ways[i].at != '/')
            return false;
        pointer_token(ways[i].at, text, sizeof text, &token);
        if (token.size > NAME_MAX_BYTES)
            return false;
        if (find_member(list, made, token))
            continue;
        if (!name_member(arena, token, &list[made]))
            return false;
        made++;
    }
    if (!list)
        return false;
    qsort(list, made, sizeof *list, compare_members);
    for (size_t i = 0; i < made; i++)
        if (!plan_inside(arena, ways, count, &list[i]))
            return false;
    *members = list;
    *member_count = made;
    return true;
}

void members_plan(struct mapping *mapping)
{
    struct way ways[MAPPING_COLUMNS_MAX];
    size_t count = 0;
    for (size_t i = 0; i < mapping->column_count; i++) {
        const struct column *column = &mapping->columns[i];
        if (column->source == FROM_VALUE || column->shares)
            return;
        if (column->source == FROM_POINTERS)
            ways[count++] = (struct way){column->pointers[0], (int)i};
    }
    if (!plan_level(&mapping->arena, ways, count, &mapping->members, &mapping->member_count))
        mapping->members = NULL;
}

/* ---- values ------------------------------------------------------------------------------ */

/* As the other one decodes it: for what comes seldom, or has many forms. */
static bool append_made(const struct column *column, struct cell cell, struct mapping_work *work,
                        struct buf *out)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *val = column_decode(column, cell, doc, &work->scratch);
    yyjson_doc *made = val ? yyjson_mut_val_imut_copy(val, NULL) : NULL;
    if (made)
        canonical_append(out, yyjson_doc_get_root(made));
    yyjson_doc_free(made);
    yyjson_mut_doc_free(doc);
    return made != NULL;
}

static bool append_integer(const struct value_type *type, struct cell cell, struct buf *out)
{
    char text[24], *end = text + sizeof text, *at = end;
    int size = type->base == VALUE_INT2 ? 2 : type->base == VALUE_INT4 ? 4 : 8;
    if (cell.size != size)
        return false;
    bool string = type->form == FORM_STRING;
    int64_t value = value_be_read(cell.data, size);
    uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    if (string)
        *--at = '"';
    do
        *--at = (char)('0' + left % 10);
    while (left /= 10);
    if (value < 0)
        *--at = '-';
    if (string)
        *--at = '"';
    buf_append(out, at, (size_t)(end - at));
    return true;
}

static bool append_time(const struct value_type *type, struct cell cell, struct buf *out)
{
    int64_t micros = cell.size == 8 ? value_be_read(cell.data, 8) : INT64_MAX;
    if (!timestamp_is_usable(micros))
        return false;
    buf_append_char(out, '"');
    timestamp_append(out, micros, type->base == VALUE_TIMESTAMPTZ);
    buf_append_char(out, '"');
    return true;
}

/* Dates and UUIDs have no character that is escaped. */
static bool append_quoted_key(const struct value_type *type, struct cell cell, struct buf *out)
{
    buf_append_char(out, '"');
    if (!value_append_key(type, cell, out))
        return false;
    buf_append_char(out, '"');
    return true;
}

#define SMALL_JSONB 1024
#define POOL_ROOM (16 * 1024) /* yyjson takes 12 bytes a byte of text */

static bool append_jsonb(struct cell cell, struct buf *out)
{
    char pool[POOL_ROOM];
    yyjson_alc alc;
    if (cell.size > 1 && cell.data[0] == 1 &&
        canonical_append_text(out, bytes_of(cell.data + 1, (size_t)cell.size - 1)))
        return true;
    bool small = cell.size <= SMALL_JSONB && yyjson_alc_pool_init(&alc, pool, sizeof pool);
    yyjson_doc *doc = value_parse_jsonb(cell, small ? &alc : NULL);
    if (doc)
        canonical_append(out, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return doc != NULL;
}

static bool append_bool(const struct value_type *type, struct cell cell, struct buf *out)
{
    if (cell.size != 1 || (cell.data[0] != 0 && cell.data[0] != 1))
        return false;
    const char *quote = type->form == FORM_STRING ? "\"" : "";
    buf_append_text(out, quote);
    buf_append_text(out, cell.data[0] ? "true" : "false");
    buf_append_text(out, quote);
    return true;
}

static bool append_cell(const struct column *column, struct cell cell, struct mapping_work *work,
                        struct buf *out)
{
    const struct value_type *type = &column->type;
    if (column->seal || column->decode_json || type->array)
        return append_made(column, cell, work, out);
    switch (type->base) {
    case VALUE_TEXT:
    case VALUE_VARCHAR:
        if (type->form == FORM_NUMBER)
            break;
        json_append_string(out, bytes_of(cell.data, (size_t)cell.size));
        return true;
    case VALUE_BOOL:
        return append_bool(type, cell, out);
    case VALUE_INT2:
    case VALUE_INT4:
    case VALUE_INT8:
        return append_integer(type, cell, out);
    case VALUE_DATE:
    case VALUE_UUID:
        return append_quoted_key(type, cell, out);
    case VALUE_TIMESTAMP:
    case VALUE_TIMESTAMPTZ:
        if (type->form >= FORM_EPOCH_S)
            break;
        return append_time(type, cell, out);
    case VALUE_JSONB:
        return append_jsonb(cell, out);
    default:
        break;
    }
    return append_made(column, cell, work, out);
}

/* ---- members ----------------------------------------------------------------------------- */

struct giving_text {
    const struct row *row;
    const struct mapping *mapping;
    struct mapping_work *work;
    yyjson_val *rest; /* NULL: nothing was kept */
    struct buf *out;
};

/* The object that is being written: what stands before its next member. */
struct object {
    char before;
};

static void begin_member(struct giving_text *giving, struct object *object,
                         const struct mapping_member *member)
{
    buf_append_char(giving->out, object->before);
    buf_append_bytes(giving->out, member->spelled);
    object->before = ',';
}

static void append_kept(struct giving_text *giving, struct object *object, yyjson_val *key)
{
    json_append_key(giving->out, object->before, key);
    canonical_append(giving->out, yyjson_obj_iter_get_val(key));
    object->before = ',';
}

/* A member that the rest kept goes before the cell that says the same. */
static bool is_kept(struct giving_text *giving, const struct column *column, yyjson_val *kept,
                    struct cell cell)
{
    if (column->withhold && cell.size < 0)
        return true;
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    bool agrees = column_agrees(column, kept, cell, doc, giving->work);
    yyjson_mut_doc_free(doc);
    return agrees;
}

/* A column whose first pointer leads nowhere in the rest; another one may. */
static bool append_column(struct giving_text *giving, struct object *object,
                          const struct mapping_member *member)
{
    const struct column *column = &giving->mapping->columns[member->column];
    struct cell cell = giving->row->cells[member->column];
    struct found_member other = {0};
    if (giving->rest && column->pointer_count > 1)
        other = column_find(column, giving->rest);
    if (other.val)
        return is_kept(giving, column, other.val, cell);
    if (cell.size < 0)
        return true;
    begin_member(giving, object, member);
    return append_cell(column, cell, giving->work, giving->out);
}

static bool append_object(struct giving_text *giving, const struct mapping_member *members,
                          size_t count, yyjson_val *rest);

/* An object of which the rest has nothing is there when something is in it. */
static bool append_inside(struct giving_text *giving, struct object *object,
                          const struct mapping_member *member)
{
    struct buf *out = giving->out;
    size_t before = out->size;
    char stood = object->before;
    begin_member(giving, object, member);
    size_t begun = out->size;
    if (!append_object(giving, member->inside, member->inside_count, NULL))
        return false;
    if (out->size - begun == 2) { /* {} */
        out->size = before;
        object->before = stood;
    }
    return true;
}

/* A member of both. */
static bool append_both(struct giving_text *giving, struct object *object,
                        const struct mapping_member *member, yyjson_val *key)
{
    yyjson_val *kept = yyjson_obj_iter_get_val(key);
    if (member->column >= 0) {
        if (!is_kept(giving, &giving->mapping->columns[member->column], kept,
                     giving->row->cells[member->column]))
            return false;
        append_kept(giving, object, key);
        return true;
    }
    if (!yyjson_is_obj(kept))
        return false;
    begin_member(giving, object, member);
    return append_object(giving, member->inside, member->inside_count, kept);
}

static int compare_names(const struct mapping_member *member, yyjson_val *key)
{
    return bytes_compare(member->name,
                         bytes_of(unsafe_yyjson_get_str(key), unsafe_yyjson_get_len(key)));
}

static bool append_object(struct giving_text *giving, const struct mapping_member *members,
                          size_t count, yyjson_val *rest)
{
    struct members kept;
    struct object object = {'{'};
    size_t i = 0, k = 0;
    bool ok = true;
    kept.count = 0;
    if (rest)
        members_sort(&kept, rest);
    while (ok && (i < count || k < kept.count)) {
        int order = i == count        ? 1
                    : k == kept.count ? -1
                                      : compare_names(&members[i], kept.list[k].key);
        if (order > 0)
            append_kept(giving, &object, kept.list[k++].key);
        else if (order == 0)
            ok = append_both(giving, &object, &members[i++], kept.list[k++].key);
        else if (members[i].column >= 0)
            ok = append_column(giving, &object, &members[i++]);
        else
            ok = append_inside(giving, &object, &members[i++]);
    }
    if (rest)
        members_free(&kept);
    buf_append_text(giving->out, object.before == '{' ? "{}" : "}");
    return ok;
}

bool mapping_inverse_append(const struct mapping *mapping, const struct row *row,
                            struct mapping_work *work, struct buf *out)
{
    yyjson_doc *rest = NULL;
    struct cell cell = mapping->rest_at < 0 ? CELL_NULL : row->cells[mapping->rest_at];
    if (!mapping->members)
        return false;
    if (cell.size >= 0 && (cell.size < 2 || cell.data[0] != 1 ||
                           work_parse(work, bytes_of(cell.data + 1, (size_t)cell.size - 1),
                                      JSON_UNICODE_REJECT, &rest, NULL) != OUT_OK))
        return false;
    yyjson_val *root = rest ? yyjson_doc_get_root(rest) : NULL;
    struct giving_text giving = {row, mapping, work, root, out};
    arena_reset(&work->arena);
    bool ok = (!root || yyjson_is_obj(root)) &&
              append_object(&giving, mapping->members, mapping->member_count, root) && !out->failed;
    yyjson_doc_free(rest);
    return ok;
}
