/*
 * The column program forward: a record's JSON becomes a row. Every member a column takes leaves the
 * record unless it would not come back as it was; what is left goes to the rest column. See
 * mapping.h for the rule and why it makes the inverse exact.
 */

#include "common/model/mapping/mapping.h"

#include <stddef.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/model/json/canonical.h"
#include "common/model/mapping/mapping_value.h"
#include "common/model/message/tenant.h"
#include "common/model/value/timestamp.h"

/* Values that have left the record: a bit for each of its values, which stand in one block behind
 * the root, so nested members work too. */
struct taken {
    const yyjson_val *root;
    uint64_t *bits;
    bool nested; /* one of them is no member of the root */
};

static bool is_taken(const struct taken *taken, const yyjson_val *val)
{
    size_t at = (size_t)(val - taken->root);
    return taken->bits[at / 64] >> at % 64 & 1;
}

/* True when something of `val` is still to be written once the taken values are out. An object
 * that was empty before stays; one that became empty goes. */
static bool has_left(yyjson_val *val, const struct taken *taken)
{
    if (is_taken(taken, val))
        return false;
    if (!yyjson_is_obj(val) || yyjson_obj_size(val) == 0 || (val != taken->root && !taken->nested))
        return true;
    yyjson_obj_iter each = yyjson_obj_iter_with(val);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&each));)
        if (has_left(yyjson_obj_iter_get_val(key), taken))
            return true;
    return false;
}

static void append_left(struct buf *out, yyjson_val *object, const struct taken *taken)
{
    char before = '{';
    yyjson_obj_iter each = yyjson_obj_iter_with(object);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&each));) {
        yyjson_val *val = yyjson_obj_iter_get_val(key);
        if (!has_left(val, taken))
            continue;
        if (taken->nested && yyjson_is_obj(val) && yyjson_obj_size(val)) {
            json_append_key(out, before, key);
            append_left(out, val, taken);
        } else {
            json_append_member(out, before, key, val);
        }
        before = ',';
    }
    buf_append_text(out, before == '{' ? "{}" : "}");
}

/* A $value column holds the record as it is: nothing is lost without rest. */
static bool takes_whole(const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->column_count; i++)
        if (mapping->columns[i].source == FROM_VALUE)
            return true;
    return false;
}

/* The rest cell: NULL when every member went to a column. */
/* "/note, /deep/x", the first few; the rest of them is counted. */
struct left {
    struct buf path, names;
    size_t count;
};

#define LEFT_NAMED 3

static void name_left(struct left *left, yyjson_val *object, const struct taken *taken)
{
    size_t before = left->path.size;
    yyjson_obj_iter each = yyjson_obj_iter_with(object);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&each));) {
        yyjson_val *val = yyjson_obj_iter_get_val(key);
        if (!has_left(val, taken))
            continue;
        buf_append_char(&left->path, '/');
        text_append_safe(&left->path, bytes_of(yyjson_get_str(key), yyjson_get_len(key)), 60);
        if (yyjson_is_obj(val) && yyjson_obj_size(val)) {
            name_left(left, val, taken);
        } else if (left->count++ < LEFT_NAMED) {
            buf_append_text(&left->names, left->names.size ? ", " : "");
            buf_append_bytes(&left->names, buf_view(&left->path));
        }
        left->path.size = before;
    }
}

static enum outcome refuse_left(const struct mapping *mapping, yyjson_val *root,
                                const struct taken *taken, struct error *err)
{
    struct left left = {0};
    buf_init(&left.path, 64u << 10);
    buf_init(&left.names, 4096);
    name_left(&left, root, taken);
    size_t first = strcspn(buf_text(&left.names), ",");
    error_set(err, OUT_REJECT, ERR_VALUE_INEXACT, "no column of %s takes %.150s%s", mapping->table,
              buf_text(&left.names), left.count > LEFT_NAMED ? " and more" : "");
    error_path(err, "%.*s", (int)first, buf_text(&left.names));
    error_hint(err, "add rest: NAME to the mapping, where such members are kept, or a column");
    buf_free(&left.path);
    buf_free(&left.names);
    return OUT_REJECT;
}

static enum outcome make_rest(const struct mapping *mapping, yyjson_val *root,
                              const struct taken *taken, struct mapping_work *work,
                              struct arena *arena, struct cell *cells, struct error *err)
{
    bool left = yyjson_is_obj(root) && yyjson_obj_size(root) && has_left(root, taken);
    if (mapping->rest_at < 0) {
        if (!left || takes_whole(mapping))
            return OUT_OK;
        return refuse_left(mapping, root, taken, err);
    }
    struct cell *cell = &cells[mapping->rest_at];
    *cell = CELL_NULL;
    if (!left)
        return OUT_OK;
    buf_reset(&work->text);
    buf_append_char(&work->text, 1); /* jsonb's version byte */
    append_left(&work->text, root, taken);
    struct bytes copy = arena_copy(arena, buf_view(&work->text));
    if (work->text.failed || !copy.data)
        return error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the record does not fit a batch");
    *cell = (struct cell){copy.data, (int32_t)copy.size};
    return OUT_OK;
}

static enum outcome fill_absent(const struct mapping *mapping, const struct column *column,
                                struct cell *cell, struct error *err)
{
    *cell = column->fill ? column->fill_cell : CELL_NULL;
    if (column->fill || !column->required)
        return OUT_OK;
    enum outcome outcome =
        error_set(err, OUT_REJECT, ERR_VALUE_REQUIRED,
                  "the record lacks a member that column %s requires", column->name);
    column_blame(mapping, column, 0, err);
    return outcome;
}

/* on_invalid_unicode: replace makes the same character of whatever was invalid, so texts with one
 * may have been different ones: they name no record and no tenant. */
static bool may_be_replaced(const struct mapping *mapping, struct bytes text)
{
    static const char REPLACED[] = "\xEF\xBF\xBD"; /* U+FFFD */
    return mapping->unicode == JSON_UNICODE_REPLACE && text.size &&
           memmem(text.data, text.size, REPLACED, sizeof REPLACED - 1) != NULL;
}

static enum outcome check_replaced(const struct mapping *mapping, const struct column *column,
                                   struct cell cell, struct error *err)
{
    if (!column->identifies || column->type.base > VALUE_VARCHAR || cell.size < 0 ||
        !may_be_replaced(mapping, bytes_of(cell.data, (size_t)cell.size)))
        return OUT_OK;
    return error_set(err, OUT_REJECT, ERR_VALUE_ROUNDED,
                     "the value of column %s names a record and has U+FFFD, which also stands for "
                     "what was invalid",
                     column->name);
}

/* One FROM_POINTERS column: finds, encodes, says whether its member could leave the record. */
static enum outcome read_column(const struct mapping *mapping, const struct column *column,
                                struct found_member found, struct arena *arena, struct cell *cell,
                                struct reading *reading, struct error *err)
{
    reading->found = found;
    reading->fate = member_fate_of(&reading->found, false, false);
    if (!reading->found.val)
        return fill_absent(mapping, column, cell, err);
    bool exact = false, respelled = false;
    enum outcome outcome = OUT_OK;
    *cell = CELL_NULL;
    if (column->withhold)
        return OUT_OK; /* the mark stays in rest */
    if (mark_is_beside(column, reading->found.val) && !column->required)
        return OUT_OK;
    if (!yyjson_is_null(reading->found.val))
        outcome = column_encode(column, reading->found.val, arena, cell, &exact, &respelled, err);
    else if (column->required)
        outcome = error_set(err, OUT_REJECT, ERR_VALUE_REQUIRED,
                            "the member that column %s requires is null", column->name);
    if (outcome == OUT_OK)
        outcome = check_replaced(mapping, column, *cell, err);
    if (outcome != OUT_OK) {
        column_blame(mapping, column, reading->found.pointer, err);
        return outcome;
    }
    if (!is_default_of_shared(column, *cell))
        reading->fate = member_fate_of(&reading->found, exact, respelled);
    return OUT_OK;
}

static struct taken gather_taken(const struct mapping *mapping, struct reading *readings,
                                 yyjson_val *root, struct mapping_work *work)
{
    struct taken taken = {.root = root};
    size_t words = (size_t)(unsafe_yyjson_get_next(root) - root) / 64 + 1;
    work->taken = mem_grown(work->taken, &work->taken_words, words, sizeof *work->taken);
    taken.bits = work->taken;
    memset(taken.bits, 0, words * sizeof *taken.bits);
    members_settle(mapping, readings);
    for (size_t i = 0; i < mapping->column_count; i++) {
        if (readings[i].fate < MEMBER_TAKEN)
            continue;
        size_t at = (size_t)(readings[i].found.val - root);
        taken.bits[at / 64] |= UINT64_C(1) << at % 64;
        taken.nested = taken.nested || mapping->columns[i].steps[0].deep;
    }
    return taken;
}

enum outcome document_cells(const struct mapping *mapping, yyjson_val *root,
                            const struct members *members, struct mapping_work *work,
                            struct arena *arena, struct cell *cells, struct error *err)
{
    struct reading readings[MAPPING_COLUMNS_MAX];
    bool exact, respelled;
    for (size_t i = 0; i < mapping->column_count; i++) {
        const struct column *column = &mapping->columns[i];
        enum outcome outcome = OUT_OK;
        readings[i].fate = MEMBER_ABSENT;
        if (column->source == FROM_POINTERS)
            outcome =
                read_column(mapping, column,
                            members ? column_find_sorted(column, root, members, &work->hints[i])
                                    : column_find(column, root),
                            arena, &cells[i], &readings[i], err);
        else if (column->source == FROM_VALUE)
            outcome = column_encode(column, root, arena, &cells[i], &exact, &respelled, err);
        if (outcome != OUT_OK)
            return outcome;
    }
    struct taken taken = gather_taken(mapping, readings, root, work);
    return make_rest(mapping, root, &taken, work, arena, cells, err);
}

static enum outcome derive_columns(const struct mapping *mapping, const struct record *record,
                                   struct arena *arena, struct row *row, struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < mapping->column_count && outcome == OUT_OK; i++) {
        const struct column *column = &mapping->columns[i];
        if (column_is_derived(column))
            outcome =
                column_derive(mapping, column, record, row->tenant, arena, &row->cells[i], err);
    }
    return outcome;
}

/* What the message says (drover-version) goes before the member that the mapping names. */
static enum outcome find_version(const struct mapping *mapping, yyjson_val *root,
                                 const struct record *record, int64_t *version, bool *has,
                                 struct error *err)
{
    *version = record->version;
    *has = record->has_version;
    if (record->has_version || mapping->version_source == VERSION_STAMPED)
        return OUT_OK;
    yyjson_val *val = json_at(root, bytes_text(mapping->version_pointer));
    struct bytes text = json_text_of(val);
    bool truncated;
    struct decimal number;
    *has = true;
    if ((mapping->version_source == VERSION_NUMBER || yyjson_is_raw(val)) &&
        decimal_short_int64(text, version))
        return OUT_OK;
    if (mapping->version_source == VERSION_TIMESTAMP && yyjson_is_str(val) &&
        timestamp_parse(text, TIMESTAMP_ZONE_REQUIRED, version, &truncated)) {
        bool exact;
        *version = timestamp_to_epoch(*version, 1000000, &exact);
        return OUT_OK;
    }
    if (text.size && decimal_parse(text, &number) && decimal_to_int64(&number, version) &&
        (mapping->version_source == VERSION_NUMBER || yyjson_is_raw(val)))
        return OUT_OK;
    enum outcome outcome =
        val ? error_set(err, OUT_REJECT, ERR_VALUE_FORM, "the version is not a %s",
                        mapping->version_source == VERSION_NUMBER
                            ? "whole number of 64 bits"
                            : "time with a zone, or a whole number")
            : error_set(err, OUT_REJECT, ERR_VALUE_REQUIRED, "the record has no version");
    error_path(err, "%s", mapping->version_pointer);
    return outcome;
}

static enum outcome check_root(const struct mapping *mapping, yyjson_val *root, struct error *err)
{
    if (yyjson_is_obj(root) || takes_whole(mapping))
        return OUT_OK;
    return error_set(err, OUT_REJECT, ERR_JSON_KIND, "the record is not a JSON object");
}

/* The text an id encodes: "%XX" is one byte of it. */
static size_t text_size(struct bytes id)
{
    size_t size = id.size;
    for (size_t i = 0; i < id.size; i++)
        size -= id.data[i] == '%' ? 2 : 0;
    return size;
}

static enum outcome finish_id(const struct mapping *mapping, const struct cell *cells,
                              struct buf *out, size_t before, struct error *err)
{
    enum outcome outcome = OUT_OK;
    if (!mapping_append_id(mapping, cells, out))
        return error_set(err, OUT_REJECT, ERR_VALUE_KEY, "the key of the record cannot be formed");
    size_t size = text_size(bytes_of(out->data + before, out->size - before));
    if (size == 0)
        outcome = error_set(err, OUT_REJECT, ERR_VALUE_REQUIRED, "the key of the record is empty");
    else if (size > MAPPING_KEY_MAX)
        outcome = error_set(err, OUT_REJECT, ERR_VALUE_KEY, "the key has %zu bytes, %d are allowed",
                            size, MAPPING_KEY_MAX);
    if (outcome != OUT_OK)
        column_blame(mapping, &mapping->columns[mapping->key[0]], 0, err);
    return outcome;
}

/* The id of a delete as its cells print it: however it was spelled, the one an upsert has. */
static enum outcome reform_id(const struct mapping *mapping, struct bytes spelled,
                              struct mapping_work *work, struct arena *arena, struct cell *cells,
                              struct bytes *id, struct error *err)
{
    buf_reset(&work->text);
    enum outcome outcome = mapping_parse_id(mapping, spelled, arena, cells, err);
    if (outcome == OUT_OK)
        outcome = finish_id(mapping, cells, &work->text, 0, err);
    if (outcome != OUT_OK)
        return outcome;
    *id = arena_copy(arena, buf_view(&work->text));
    return id->data ? OUT_OK : error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the batch is full");
}

static enum outcome forward_delete(const struct mapping *mapping, const struct record *record,
                                   struct mapping_work *work, struct arena *arena, struct row *row,
                                   struct error *err)
{
    struct bytes in_key;
    if (!record->has_version)
        return error_set(err, OUT_REJECT, ERR_ENVELOPE, "a delete needs a drover-version header");
    for (size_t i = 0; i < mapping->column_count; i++)
        row->cells[i] = CELL_NULL;
    row->deleted = true;
    row->version = record->version;
    if (record->key_id.size && !bytes_equal(record->key_id, record->id)) {
        enum outcome outcome =
            reform_id(mapping, record->key_id, work, arena, row->cells, &in_key, err);
        if (outcome == OUT_OK)
            outcome = reform_id(mapping, record->id, work, arena, row->cells, &row->id, err);
        if (outcome == OUT_OK && !bytes_equal(in_key, row->id))
            outcome = error_set(err, OUT_REJECT, ERR_ENVELOPE,
                                "the key of the delete names another id than the header drover-id");
        return outcome;
    }
    return reform_id(mapping, record->id, work, arena, row->cells, &row->id, err);
}

/* Whether every row gives back the very record it was made from: nothing is filled in, respelled,
 * sealed or withheld on the way. */
static bool changes_nothing(const struct mapping *mapping)
{
    for (size_t i = 0; i < mapping->column_count; i++) {
        const struct column *column = &mapping->columns[i];
        if (column->fill || column->decode_json || column->seal || column->withhold)
            return false;
    }
    return mapping->seal_count == 0 && mapping->withhold_count == 0;
}

static bool digest_root(yyjson_val *root, const struct members *members, struct buf *scratch,
                        struct digest *digest)
{
    return members ? canonical_digest_members(members, scratch, digest)
                   : canonical_digest(root, scratch, digest);
}

static enum outcome forward_upsert(const struct mapping *mapping, const struct record *record,
                                   yyjson_val *root, struct mapping_work *work, struct arena *arena,
                                   struct row *row, struct error *err)
{
    bool has_version;
    const struct members *members = yyjson_is_obj(root) ? &work->members : NULL;
    enum outcome outcome = check_root(mapping, root, err);
    if (outcome == OUT_OK && !digest_root(root, members, &work->scratch, &row->digest))
        outcome = error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the record is too large to compare");
    if (outcome == OUT_OK && work->keep_json && changes_nothing(mapping))
        row->json =
            arena_copy(arena, buf_view(&work->scratch)); /* where the digest was made of it */
    if (outcome == OUT_OK)
        outcome = marks_check(mapping, root, err);
    if (outcome == OUT_OK)
        outcome = document_cells(mapping, root, members, work, arena, row->cells, err);
    if (outcome == OUT_OK)
        outcome = derive_columns(mapping, record, arena, row, err);
    if (outcome == OUT_OK)
        outcome = find_version(mapping, root, record, &row->version, &has_version, err);
    if (outcome != OUT_OK)
        return outcome;
    if (!has_version)
        return error_set(err, OUT_REJECT, ERR_ENVELOPE, "the record has no version");
    buf_reset(&work->text);
    outcome = finish_id(mapping, row->cells, &work->text, 0, err);
    if (outcome != OUT_OK)
        return outcome;
    row->id = arena_copy(arena, buf_view(&work->text));
    return row->id.data ? OUT_OK : error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the batch is full");
}

enum outcome mapping_forward(const struct mapping *mapping, const struct record *record,
                             struct mapping_work *work, struct arena *arena, struct row *row,
                             struct error *err)
{
    memset(row, 0, sizeof *row);
    row->tenant = record->tenant;
    row->generation = mapping->generation;
    row->cells = arena_array(arena, mapping->column_count, sizeof *row->cells);
    if (!row->cells)
        return error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the batch is full");
    if (record->operation == OP_DELETE)
        return forward_delete(mapping, record, work, arena, row, err);
    yyjson_doc *doc = NULL;
    yyjson_val *root = work_pick_all(work, record->payload);
    if (root)
        return forward_upsert(mapping, record, root, work, arena, row, err);
    enum outcome outcome = work_parse(work, record->payload, mapping->unicode, &doc, err);
    if (outcome != OUT_OK)
        return outcome;
    outcome = forward_upsert(mapping, record, yyjson_doc_get_root(doc), work, arena, row, err);
    yyjson_doc_free(doc);
    return outcome;
}

/* A string or a number is a plain id; an object is a context: its parts, or a tenantId alone. A
 * part nobody knows could be what tells two tenants apart, so it is refused. */
static bool tenant_parts(const struct mapping *mapping, yyjson_val *val, struct tenant *parts)
{
    static const struct {
        const char *name;
        size_t offset;
    } NAMES[] = {
        {"tenantId", offsetof(struct tenant, tenant_id)},
        {"organizationId", offsetof(struct tenant, organization_id)},
        {"serverId", offsetof(struct tenant, server_id)},
        {"projectId", offsetof(struct tenant, project_id)},
        {"codebaseHash", offsetof(struct tenant, codebase_hash)},
        {"environment", offsetof(struct tenant, environment)},
    };
    size_t at, count, known = 0;
    yyjson_val *name, *part;
    parts->tenant_id = json_text_of(val);
    if (!yyjson_is_obj(val))
        return parts->tenant_id.size > 0 && !may_be_replaced(mapping, parts->tenant_id);
    yyjson_obj_foreach(val, at, count, name, part)
    {
        for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
            if (!yyjson_equals_str(name, NAMES[i].name) || !yyjson_is_str(part) ||
                may_be_replaced(mapping, json_text_of(part)))
                continue;
            *(struct bytes *)((char *)parts + NAMES[i].offset) =
                bytes_of(yyjson_get_str(part), yyjson_get_len(part));
            known++;
        }
    }
    bool alone = parts->tenant_id.size == 0 || count == 1;
    return known == count && known > 0 && alone;
}

/* The tenant the record names: `given` is for records that name none. */
static enum outcome identify_tenant(const struct mapping *mapping, struct bytes given,
                                    yyjson_val *root, struct buf *tenant, struct error *err)
{
    if (!tenant || !mapping->tenant_pointer)
        return OUT_OK;
    yyjson_val *val = json_at(root, bytes_text(mapping->tenant_pointer));
    bool none = !val || yyjson_is_null(val);
    struct tenant parts = {0};
    enum outcome outcome;
    if (none && given.size)
        return OUT_OK;
    if (none)
        outcome = error_set(err, OUT_REJECT, ERR_TENANT_MISSING, "the record names no tenant");
    else if (!tenant_parts(mapping, val, &parts))
        outcome =
            error_set(err, OUT_REJECT, ERR_TENANT_FORM,
                      "the tenant is no non-empty string, no number and no tenant context, or has "
                      "U+FFFD in the place of what was invalid");
    else
        outcome = tenant_append_key(&parts, tenant, err);
    if (outcome == OUT_OK && given.size && !bytes_equal(given, buf_view(tenant)))
        outcome = error_set(err, OUT_REJECT, ERR_TENANT_OTHER,
                            "the record names another tenant than the one given");
    if (outcome != OUT_OK)
        error_path(err, "%s", mapping->tenant_pointer);
    return outcome;
}

/* Only the key columns' cells, in the work's arena. */
static enum outcome identify_key(const struct mapping *mapping, const struct record *record,
                                 struct bytes tenant, yyjson_val *root, struct arena *arena,
                                 struct buf *id, struct error *err)
{
    struct reading unused;
    arena_reset(arena);
    size_t before = id->size;
    enum outcome outcome = OUT_OK;
    struct cell *cells = arena_array(arena, mapping->column_count, sizeof *cells);
    if (!cells)
        return error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the record is too large");
    for (size_t i = 0; i < mapping->key_count && outcome == OUT_OK; i++) {
        size_t at = mapping->key[i];
        const struct column *column = &mapping->columns[at];
        if (column->source == FROM_POINTERS)
            outcome = read_column(mapping, column, column_find(column, root), arena, &cells[at],
                                  &unused, err);
        else
            outcome = column_derive(mapping, column, record, tenant, arena, &cells[at], err);
    }
    return outcome == OUT_OK ? finish_id(mapping, cells, id, before, err) : outcome;
}

/* `root` has the members that key, tenant and version are read from, if the record has them. */
static enum outcome identify_root(const struct mapping *mapping, const struct record *record,
                                  yyjson_val *root, struct mapping_work *work, struct buf *tenant,
                                  struct buf *id, int64_t *version, bool *has_version,
                                  struct error *err)
{
    enum outcome outcome = check_root(mapping, root, err);
    if (outcome == OUT_OK)
        outcome = identify_tenant(mapping, record->tenant, root, tenant, err);
    struct bytes whose = record->tenant.size || !tenant ? record->tenant : buf_view(tenant);
    if (outcome == OUT_OK)
        outcome = identify_key(mapping, record, whose, root, &work->arena, id, err);
    if (outcome == OUT_OK)
        outcome = find_version(mapping, root, record, version, has_version, err);
    return outcome;
}

enum outcome mapping_identify(const struct mapping *mapping, const struct record *record,
                              struct mapping_work *work, struct buf *tenant, struct buf *id,
                              int64_t *version, bool *has_version, struct error *err)
{
    yyjson_doc *doc = NULL;
    yyjson_val *root = work_pick(work, mapping, record->payload);
    if (root)
        return identify_root(mapping, record, root, work, tenant, id, version, has_version, err);
    enum outcome outcome = work_parse(work, record->payload, mapping->unicode, &doc, err);
    if (outcome == OUT_OK)
        outcome = identify_root(mapping, record, yyjson_doc_get_root(doc), work, tenant, id,
                                version, has_version, err);
    yyjson_doc_free(doc);
    return outcome;
}
