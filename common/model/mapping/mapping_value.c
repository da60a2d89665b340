#include "common/model/mapping/mapping_value.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/model/json/canonical.h"
#include "common/model/json/json_pick.h"
#include "common/model/value/decimal.h"
#include "common/model/value/value_scalar.h"

/* yyjson needs about 12 bytes for a byte of text; records that would not fit use malloc. */
#define POOL_SIZE (1u << 20)
#define POOL_FACTOR 20
#define WORK_TEXT_MAX (256u << 20)

struct pool {
    yyjson_alc alc;
    char memory[POOL_SIZE];
};

void mapping_work_init(struct mapping_work *work)
{
    buf_init(&work->text, WORK_TEXT_MAX);
    buf_init(&work->scratch, WORK_TEXT_MAX);
    arena_init(&work->arena, WORK_TEXT_MAX);
    work->pool = NULL; /* made when something is parsed */
    work->picker = NULL;
    work->keep_json = false;
    work->members.list = work->members.few;
    work->members.count = work->members.ordered = 0;
    memset(work->hints, 0, sizeof work->hints);
    work->order = (struct canonical_order){0};
    work->taken = NULL;
    work->taken_words = 0;
}

void mapping_work_free(struct mapping_work *work)
{
    buf_free(&work->text);
    buf_free(&work->scratch);
    arena_free(&work->arena);
    free(work->pool);
    work->pool = NULL;
    members_reset(&work->members);
    free(work->taken);
    work->taken = NULL;
    work->taken_words = 0;
    json_picker_free(work->picker);
    work->picker = NULL;
}

static const yyjson_alc *pool_of(struct mapping_work *work)
{
    struct pool *pool = work->pool;
    if (!pool) {
        work->pool = pool = mem_alloc(sizeof *pool);
        yyjson_alc_pool_init(&pool->alc, pool->memory, sizeof pool->memory);
    }
    return &pool->alc;
}

enum outcome work_parse(struct mapping_work *work, struct bytes text, enum json_unicode unicode,
                        yyjson_doc **doc, struct error *err)
{
    bool fits = text.size < POOL_SIZE / POOL_FACTOR;
    return json_parse_members(text, unicode, fits ? pool_of(work) : NULL, doc, &work->members, err);
}

static struct json_picker *picker_of(struct mapping_work *work)
{
    if (!work->picker)
        work->picker = json_picker_new();
    return work->picker;
}

yyjson_val *work_pick(struct mapping_work *work, const struct mapping *mapping,
                      struct bytes payload)
{
    if (mapping->identity_is_whole)
        return NULL;
    return json_pick(picker_of(work), payload, mapping->identity, mapping->identity_count);
}

yyjson_val *work_pick_all(struct mapping_work *work, struct bytes payload)
{
    yyjson_val *root = json_pick_all(picker_of(work), payload);
    if (root)
        members_sort_again(&work->members, root);
    return root;
}

void column_blame(const struct mapping *mapping, const struct column *column, size_t pointer,
                  struct error *err)
{
    if (!err)
        return;
    error_where(err, "%s.%s (%s:%d)", mapping->table, column->name, mapping->file, column->line);
    if (err->path[0] == '\0' && pointer < column->pointer_count)
        error_path(err, "%s", column->pointers[pointer]);
}

static enum outcome check_limits(const struct column *column, yyjson_val *val, struct error *err)
{
    struct decimal number;
    if (!decimal_parse(json_text_of(val), &number))
        return error_set(err, OUT_REJECT, ERR_VALUE_TYPE, "column %s has min/max and takes numbers",
                         column->name);
    if (column->has_min && decimal_compare(&number, &column->min) < 0)
        return error_set(err, OUT_REJECT, ERR_VALUE_LIMIT, "the value is below the column's min");
    if (column->has_max && decimal_compare(&number, &column->max) > 0)
        return error_set(err, OUT_REJECT, ERR_VALUE_LIMIT, "the value is above the column's max");
    return OUT_OK;
}

static enum outcome check_allowed(const struct column *column, yyjson_val *val, struct error *err)
{
    yyjson_arr_iter each = yyjson_arr_iter_with(column->allow);
    for (yyjson_val *allowed; (allowed = yyjson_arr_iter_next(&each));)
        if (canonical_equal(allowed, val))
            return OUT_OK;
    return error_set(err, OUT_REJECT, ERR_VALUE_ALLOW,
                     "the value is not one of the %zu the column allows",
                     yyjson_arr_size(column->allow));
}

/* A value that is rounded or cut would be another record's id. */
static enum outcome check_held(const struct column *column, yyjson_val *val, struct cell cell,
                               struct error *err)
{
    if (!column->identifies || value_is_held(&column->type, val, cell))
        return OUT_OK;
    error_set(err, OUT_REJECT, ERR_VALUE_ROUNDED,
              "the value names a record and has digits that column %s does not hold", column->name);
    return OUT_REJECT;
}

/* decode: json: the member is a string that holds JSON. What the cell gives back is that JSON in
 * its canonical spelling: the very string, or a respelled one. */
static enum outcome encode_decoded(const struct column *column, yyjson_val *val,
                                   struct arena *arena, struct cell *cell, bool *exact,
                                   bool *respelled, struct error *err)
{
    yyjson_doc *inner = NULL;
    if (!yyjson_is_str(val))
        return error_set(err, OUT_REJECT, ERR_VALUE_TYPE, "decode: json needs a string");
    struct bytes text = bytes_of(yyjson_get_str(val), yyjson_get_len(val));
    enum outcome outcome = json_parse(text, JSON_UNICODE_REJECT, NULL, &inner, err);
    if (outcome != OUT_OK)
        return outcome;
    outcome = value_encode(&column->type, yyjson_doc_get_root(inner), arena, cell, exact, err);
    if (outcome == OUT_OK && !*exact)
        outcome = check_held(column, yyjson_doc_get_root(inner), *cell, err);
    if (outcome == OUT_OK && *exact) {
        struct buf spelled;
        buf_init(&spelled, text.size);
        canonical_append(&spelled, yyjson_doc_get_root(inner));
        *exact = !spelled.failed && bytes_equal(buf_view(&spelled), text);
        *respelled = !*exact;
        buf_free(&spelled);
    }
    yyjson_doc_free(inner);
    return outcome;
}

/* The cell of a sealed member is its reference in the vault. */
static enum outcome encode_sealed(yyjson_val *val, struct arena *arena, struct cell *cell,
                                  struct error *err)
{
    struct bytes reference = mark_text(val, MARK_SEALED);
    if (!reference.size)
        return error_set(err, OUT_REJECT, ERR_SECRET_PLAIN, "%s",
                         error_code_meaning(ERR_SECRET_PLAIN));
    struct bytes copy = arena_copy(arena, reference);
    if (!copy.data)
        return error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the batch is full");
    *cell = (struct cell){copy.data, (int32_t)copy.size};
    return OUT_OK;
}

enum outcome column_encode(const struct column *column, yyjson_val *val, struct arena *arena,
                           struct cell *cell, bool *exact, bool *respelled, struct error *err)
{
    *exact = true;
    *respelled = false;
    if (column->seal)
        return encode_sealed(val, arena, cell, err);
    if (column->decode_json)
        return encode_decoded(column, val, arena, cell, exact, respelled, err);
    enum outcome outcome = value_encode(&column->type, val, arena, cell, exact, err);
    if (outcome == OUT_OK && !*exact)
        outcome = check_held(column, val, *cell, err);
    if (outcome == OUT_OK && column->allow)
        outcome = check_allowed(column, val, err);
    if (outcome == OUT_OK && (column->has_min || column->has_max))
        outcome = check_limits(column, val, err);
    return outcome;
}

bool mapping_row_is_deleted(const struct mapping *mapping, bool drover_deleted, struct bytes digest)
{
    static const char ZERO[sizeof(struct digest)];
    if (drover_deleted || mapping->on_delete != DELETE_SOFT)
        return drover_deleted;
    return digest.size == sizeof ZERO && memcmp(digest.data, ZERO, sizeof ZERO) == 0;
}

bool mapping_append_id(const struct mapping *mapping, const struct cell *cells, struct buf *out)
{
    struct buf part; /* stays empty for texts, which most keys are */
    buf_init(&part, 1u << 20);
    bool ok = true;
    for (size_t i = 0; i < mapping->key_count && ok; i++) {
        const struct value_type *type = &mapping->columns[mapping->key[i]].type;
        struct cell cell = cells[mapping->key[i]];
        bool text = !type->array && (type->base == VALUE_TEXT || type->base == VALUE_VARCHAR);
        buf_reset(&part);
        ok = cell.size >= 0 && (text || value_append_key(type, cell, &part));
        if (i)
            buf_append_char(out, ':');
        if (ok)
            text_percent_encode(out,
                                text ? bytes_of(cell.data, (size_t)cell.size) : buf_view(&part));
    }
    ok = ok && !part.failed && !out->failed;
    buf_free(&part);
    return ok;
}

/* Other producers write a number's sign out. */
static enum outcome parse_part(const struct value_type *type, struct bytes text,
                               struct arena *arena, struct cell *cell, struct error *err)
{
    bool number =
        value_is_number(type) || type->base == VALUE_TIMESTAMP || type->base == VALUE_TIMESTAMPTZ;
    if (number && text.size > 1 && text.data[0] == '+' && text.data[1] != '-')
        text = bytes_of(text.data + 1, text.size - 1);
    return value_parse_key(type, text, arena, cell, err);
}

enum outcome mapping_parse_id(const struct mapping *mapping, struct bytes id, struct arena *arena,
                              struct cell *cells, struct error *err)
{
    struct buf part;
    buf_init(&part, MAPPING_KEY_MAX * 4);
    enum outcome outcome = OUT_OK;
    const char *at = id.data, *end = id.data + id.size;
    for (size_t i = 0; i < mapping->key_count && outcome == OUT_OK; i++) {
        const char *colon = at <= end ? memchr(at, ':', (size_t)(end - at)) : NULL;
        bool last = i + 1 == mapping->key_count;
        const char *stop = colon ? colon : end;
        buf_reset(&part);
        if (at > end || (last && colon) || (!last && !colon) ||
            !text_percent_decode(&part, bytes_of(at, (size_t)(stop - at))) || part.failed)
            outcome =
                error_set(err, OUT_REJECT, ERR_ENVELOPE,
                          "the id does not have the %zu parts of the key", mapping->key_count);
        else
            outcome = parse_part(&mapping->columns[mapping->key[i]].type, buf_view(&part), arena,
                                 &cells[mapping->key[i]], err);
        at = stop + 1;
    }
    buf_free(&part);
    return outcome;
}
