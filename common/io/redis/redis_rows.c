#include "common/io/redis/redis_rows.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hex.h"
#include "common/base/text.h"
#include "common/io/redis/redis_script.h"
#include "common/io/redis/redis_wire.h"
#include "common/model/message/envelope.h"
#include "common/model/json/canonical.h"
#include "common/model/json/json.h"
#include "common/model/value/timestamp.h"
#include "common/model/value/value_scalar.h"

#define CALL_MAX ((size_t)480 << 20) /* Redis takes 512 MiB in a word; a call is far below */
#define RECORD_MAX (256u << 20)
#define DEFAULT_KEY "{isolation_key}/{entity}/{id}"
#define VERSION_DIGITS 16
#define DIGEST_DIGITS 32
#define RUN_DIGITS 4
#define RUN_MAX 500     /* records: Lua gives a command at most 8,000 words, a string has four */
#define JSON_FIELD "_j" /* of a hash: the record as it was, for reading it back */

void redis_rows_init(struct redis_rows *rows, bool all, uint64_t life_ms)
{
    *rows = (struct redis_rows){.all = all, .life_ms = life_ms};
    buf_init(&rows->keys, CALL_MAX);
    buf_init(&rows->words, CALL_MAX);
    buf_init(&rows->key, 64u << 10);
    buf_init(&rows->text, RECORD_MAX);
    mapping_work_init(&rows->work);
}

void redis_rows_reset(struct redis_rows *rows)
{
    buf_reset(&rows->keys);
    buf_reset(&rows->words);
    rows->key_count = rows->word_count = 0;
    rows->run = (struct redis_run){0};
}

void redis_rows_free(struct redis_rows *rows)
{
    buf_free(&rows->keys);
    buf_free(&rows->words);
    buf_free(&rows->key);
    buf_free(&rows->text);
    mapping_work_free(&rows->work);
}

enum redis_form redis_rows_form(const struct mapping *mapping)
{
    return mapping->redis.form == REDIS_NONE ? REDIS_JSON : mapping->redis.form;
}

uint64_t redis_rows_ttl_ms(const struct mapping *mapping)
{
    return mapping->redis.ttl_s * 1000;
}

bool redis_rows_takes(const struct redis_rows *rows, const struct mapping *mapping)
{
    return rows->all || mapping->redis.form != REDIS_NONE;
}

size_t redis_rows_size(const struct redis_rows *rows)
{
    return rows->keys.size + rows->words.size;
}

static void add_word(struct redis_rows *rows, struct bytes word)
{
    redis_wire_word(&rows->words, word);
    rows->word_count++;
}

static void add_number(struct redis_rows *rows, uint64_t number)
{
    char text[24];
    int size = snprintf(text, sizeof text, "%" PRIu64, number);
    add_word(rows, bytes_of(text, (size_t)size));
}

/* ---- values ------------------------------------------------------------------------------ */

/* An array as PostgreSQL prints it: {a,"b c",NULL}. */
static bool append_array(struct buf *out, const struct value_type *type, struct cell cell)
{
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *array = value_decode_array(type, cell, doc);
    yyjson_mut_arr_iter iter = yyjson_mut_arr_iter_with(array);
    buf_append_char(out, '{');
    for (yyjson_mut_val *item; array && (item = yyjson_mut_arr_iter_next(&iter));) {
        if (iter.idx > 1)
            buf_append_char(out, ',');
        if (yyjson_mut_is_null(item)) {
            buf_append_text(out, "NULL");
        } else if (yyjson_mut_is_str(item)) {
            buf_append_json(out, bytes_of(yyjson_mut_get_str(item), yyjson_mut_get_len(item)));
        } else if (yyjson_mut_is_raw(item)) {
            buf_append(out, yyjson_mut_get_raw(item), yyjson_mut_get_len(item));
        } else if (yyjson_mut_is_bool(item)) {
            buf_append_text(out, yyjson_mut_is_true(item) ? "t" : "f");
        } else {
            char *json = yyjson_mut_val_write(item, 0, NULL);
            buf_append_json(out, bytes_text(json));
            free(json);
        }
    }
    buf_append_char(out, '}');
    yyjson_mut_doc_free(doc);
    return array != NULL;
}

static bool append_jsonb(struct buf *out, struct cell cell)
{
    yyjson_doc *doc = value_parse_jsonb(cell, NULL);
    if (doc)
        canonical_append(out, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    return doc != NULL;
}

/* A cell as text: PostgreSQL's, but jsonb in canonical form and times as ISO 8601. */
static bool append_cell(struct buf *out, const struct value_type *type, struct cell cell)
{
    struct bytes view = bytes_of(cell.data, (size_t)cell.size);
    struct decimal number;
    if (type->array)
        return append_array(out, type, cell);
    switch (type->base) {
    case VALUE_TEXT:
    case VALUE_VARCHAR:
        buf_append_bytes(out, view);
        return true;
    case VALUE_BOOL:
        buf_append_char(out, view.size && cell.data[0] ? 't' : 'f');
        return true;
    case VALUE_JSONB:
        return append_jsonb(out, cell);
    case VALUE_DATE:
        timestamp_append_date(out, (int32_t)value_be_read(cell.data, 4));
        return view.size == 4;
    case VALUE_TIMESTAMP:
    case VALUE_TIMESTAMPTZ:
        timestamp_append(out, value_be_read(cell.data, 8), type->base == VALUE_TIMESTAMPTZ);
        return view.size == 8;
    case VALUE_UUID:
        value_uuid_append(out, cell.data);
        return view.size == 16;
    case VALUE_BYTEA:
        buf_append_text(out, "\\x");
        value_hex_append(out, view);
        return true;
    default:
        if (!value_cell_decimal(type, cell, &number))
            return false;
        value_append_number(type, &number, out);
        return true;
    }
}

void redis_rows_append_field(struct buf *out, struct bytes text)
{
    buf_append_char(out, text.data ? 'v' : 'n');
    buf_append_be32(out, (uint32_t)text.size);
    buf_append_bytes(out, text);
}

bool redis_rows_append_fields(struct buf *out, const struct mapping *mapping,
                              const struct cell *cells)
{
    bool ok = true;
    struct buf value;
    buf_init(&value, RECORD_MAX);
    for (size_t i = 0; ok && i < mapping->column_count; i++) {
        buf_reset(&value);
        if (cells[i].size >= 0)
            ok = append_cell(&value, &mapping->columns[i].type, cells[i]);
        redis_rows_append_field(out, cells[i].size < 0 ? (struct bytes){0}
                                                       : bytes_of(buf_text(&value), value.size));
    }
    ok = ok && !value.failed && !out->failed;
    buf_free(&value);
    return ok;
}

/* (field value)… of the columns that have one, then the names of those that have none. */
static bool add_fields(struct redis_rows *rows, const struct mapping *mapping,
                       const struct row *row, struct bytes json)
{
    size_t set = 0;
    bool ok = true;
    for (size_t i = 0; i < mapping->column_count; i++)
        set += row->cells[i].size >= 0;
    add_number(rows, 2 * set + 2);
    add_word(rows, BYTES_LITERAL(JSON_FIELD));
    add_word(rows, json);
    for (size_t i = 0; ok && i < mapping->column_count; i++) {
        if (row->cells[i].size < 0)
            continue;
        struct buf value;
        buf_init(&value, RECORD_MAX);
        ok = append_cell(&value, &mapping->columns[i].type, row->cells[i]) && !value.failed;
        add_word(rows, bytes_text(mapping->columns[i].name));
        add_word(rows, buf_view(&value));
        buf_free(&value);
    }
    add_number(rows, mapping->column_count - set);
    for (size_t i = 0; i < mapping->column_count; i++)
        if (row->cells[i].size < 0)
            add_word(rows, bytes_text(mapping->columns[i].name));
    return ok;
}

/* ---- records ----------------------------------------------------------------------------- */

static enum outcome give_back(struct redis_rows *rows, const struct mapping *mapping,
                              const struct row *row, struct bytes *json, struct error *err)
{
    yyjson_doc *doc = NULL;
    if (row->deleted || json->size)
        return OUT_OK;
    buf_reset(&rows->text);
    enum outcome outcome = mapping_inverse(mapping, row, &rows->work, &doc, err);
    if (outcome != OUT_OK)
        return OUT_REJECT;
    canonical_append(&rows->text, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    *json = buf_view(&rows->text);
    return rows->text.failed
               ? error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the record is too large for Redis")
               : OUT_OK;
}

/* The head of a run: form, ttl, and how many records it has, which is yet to be written. */
static void open_run(struct redis_rows *rows, char form, uint64_t ttl_ms)
{
    add_word(rows, bytes_of(&form, 1));
    add_number(rows, ttl_ms);
    add_word(rows, bytes_of("0000", RUN_DIGITS));
    rows->run = (struct redis_run){.form = form,
                                   .ttl_ms = ttl_ms,
                                   .digits_at = rows->words.size - RUN_DIGITS - sizeof "\r\n" + 1};
}

static void enter_run(struct redis_rows *rows, char form, uint64_t ttl_ms)
{
    const struct redis_run *run = &rows->run;
    if (form != run->form || ttl_ms != run->ttl_ms || run->count == RUN_MAX)
        open_run(rows, form, ttl_ms);
}

static void count_key(struct redis_rows *rows)
{
    rows->key_count++;
    if (rows->words.failed)
        return;
    size_t count = ++rows->run.count;
    for (int i = RUN_DIGITS; i > 0; count /= 10)
        rows->words.data[rows->run.digits_at + (size_t)--i] = (char)('0' + count % 10);
}

static bool add_value(struct redis_rows *rows, const struct mapping *mapping, const struct row *row,
                      struct bytes json)
{
    bool hash = redis_rows_form(mapping) == REDIS_HASH;
    if (row->deleted)
        enter_run(rows, hash ? 'y' : 'x', 0);
    else
        enter_run(rows, hash ? 'h' : 'j', redis_rows_ttl_ms(mapping));
    rows->record_at = rows->words.size;
    buf_reset(&rows->key);
    redis_meta_append(&rows->key, mapping, row);
    add_word(rows, buf_view(&rows->key));
    if (row->deleted)
        return true;
    if (hash)
        return add_fields(rows, mapping, row, json);
    add_word(rows, json);
    return true;
}

enum outcome redis_rows_add(struct redis_rows *rows, const struct mapping *mapping,
                            const struct row *row, struct bytes json, struct error *err)
{
    struct redis_rows before = *rows;
    if (!json.size)
        json = row->json;
    enum outcome outcome = give_back(rows, mapping, row, &json, err);
    if (outcome != OUT_OK)
        return outcome;
    buf_reset(&rows->key);
    bool ok = redis_rows_append_key(&rows->key, mapping, row->tenant, row->id, row->cells);
    redis_wire_word(&rows->keys, buf_view(&rows->key));
    if (ok && add_value(rows, mapping, row, json) && !rows->keys.failed && !rows->words.failed) {
        count_key(rows);
        return OUT_OK;
    }
    rows->keys.size = before.keys.size; /* as if it had never been */
    rows->words.size = before.words.size;
    rows->word_count = before.word_count;
    rows->run = before.run;
    return error_set(err, OUT_REJECT, ERR_JSON_SIZE,
                     "the record has no form that Redis could hold");
}

void redis_rows_add_sealed(struct redis_rows *rows, struct bytes tenant, struct bytes reference,
                           struct bytes box)
{
    buf_reset(&rows->key);
    buf_append_text(&rows->key, "drover:vault:");
    buf_append_bytes(&rows->key, tenant);
    redis_wire_word(&rows->keys, buf_view(&rows->key));
    enter_run(rows, 's', 0);
    add_word(rows, reference);
    add_word(rows, box);
    count_key(rows);
}

/* ---- the call ---------------------------------------------------------------------------- */

#define HEAD_WORDS 3 /* mode, life, fence or not */
#define FENCE_WORDS 7

static void append_fence(const struct redis_fence *fence, struct buf *out)
{
    const struct batch_fence *at = fence->at;
    redis_wire_number(out, at->epoch);
    redis_wire_number(out, at->start);
    redis_wire_number(out, at->end);
    redis_wire_number(out, at->redis_next);
    redis_wire_number(out, at->results_next);
    redis_wire_word(out, at->sequences.size ? at->sequences : BYTES_LITERAL("{}"));
    redis_wire_text(out, fence->in_doubt ? "1" : "0");
}

static size_t count_words(const struct redis_rows *rows, bool fenced)
{
    size_t keys = rows->key_count + fenced;
    return 3 + keys + HEAD_WORDS + (fenced ? FENCE_WORDS : 0) + rows->word_count;
}

bool redis_rows_append_call(const struct redis_rows *rows, char mode,
                            const struct redis_fence *fence, struct buf *out, size_t *words)
{
    *words = count_words(rows, fence != NULL);
    redis_wire_number(out, (int64_t)rows->key_count + (fence != NULL));
    if (fence) {
        struct buf key;
        buf_init(&key, 4096);
        redis_rows_append_checkpoint_key(&key, fence->at->group, fence->at->topic,
                                         fence->at->partition);
        redis_wire_word(out, buf_view(&key));
        buf_free(&key);
    }
    buf_append_bytes(out, buf_view(&rows->keys));
    redis_wire_word(out, bytes_of(&mode, 1));
    redis_wire_number(out, (int64_t)rows->life_ms);
    redis_wire_text(out, fence ? "1" : "0");
    if (fence)
        append_fence(fence, out);
    buf_append_bytes(out, buf_view(&rows->words));
    return !out->failed && !rows->keys.failed && !rows->words.failed;
}

bool redis_rows_is_whole(struct bytes sentinel, const char *run_id)
{
    const char *space = sentinel.size ? memchr(sentinel.data, ' ', sentinel.size) : NULL;
    if (!space || !run_id[0])
        return true;
    size_t size = (size_t)(sentinel.data + sentinel.size - (space + 1));
    return size == 0 || bytes_equal(bytes_of(space + 1, size), bytes_text(run_id));
}

bool redis_rows_ttl_fits(int64_t left_ms, uint64_t ttl_ms)
{
    return ttl_ms ? left_ms >= 0 && (uint64_t)left_ms <= ttl_ms : left_ms == -1;
}

/* ---- names of keys ------------------------------------------------------------------------ */

static const char *template_of(const struct mapping *mapping)
{
    return mapping->redis.key ? mapping->redis.key : DEFAULT_KEY;
}

/* The next part of a template: a literal, or a placeholder without its braces. */
static bool next_part(const char **at, struct bytes *part, bool *placeholder)
{
    const char *begin = *at;
    *placeholder = *begin == '{';
    if (*begin == '\0')
        return false;
    const char *end = *placeholder ? strchr(begin, '}') : strchr(begin, '{');
    if (!end) /* a brace that is never closed was refused when the mapping was read */
        end = begin + strlen(begin);
    *part = bytes_of(begin + *placeholder, (size_t)(end - begin) - *placeholder);
    *at = end + (*placeholder && *end == '}');
    return true;
}

static bool append_column(struct buf *out, const struct mapping *mapping, struct bytes name,
                          const struct cell *cells)
{
    for (size_t i = 0; i < mapping->key_count; i++) {
        const struct column *column = &mapping->columns[mapping->key[i]];
        const struct cell *cell = &cells[mapping->key[i]];
        struct buf text;
        if (!bytes_equal(bytes_text(column->name), name))
            continue;
        buf_init(&text, 64u << 10);
        bool ok = cell->size >= 0 && value_append_key(&column->type, *cell, &text);
        text_percent_encode(out, buf_view(&text));
        ok = ok && !text.failed;
        buf_free(&text);
        return ok;
    }
    return false;
}

bool redis_rows_append_key(struct buf *out, const struct mapping *mapping, struct bytes tenant,
                           struct bytes id, const struct cell *cells)
{
    struct bytes part;
    bool placeholder, ok = true;
    for (const char *at = template_of(mapping); ok && next_part(&at, &part, &placeholder);) {
        if (!placeholder)
            buf_append_bytes(out, part);
        else if (bytes_equal(part, BYTES_LITERAL("isolation_key")))
            buf_append_bytes(out, tenant); /* percent-encoded as it is; so is an id */
        else if (bytes_equal(part, BYTES_LITERAL("id")))
            buf_append_bytes(out, id);
        else if (bytes_equal(part, BYTES_LITERAL("entity")))
            text_percent_encode(out, bytes_text(mapping->entity));
        else
            ok = append_column(out, mapping, part, cells);
    }
    return ok && !out->failed;
}

void redis_rows_append_glob(struct buf *out, const struct mapping *mapping)
{
    struct bytes part;
    bool placeholder;
    for (const char *at = template_of(mapping); next_part(&at, &part, &placeholder);) {
        if (placeholder) {
            buf_append_char(out, '*');
            continue;
        }
        for (size_t i = 0; i < part.size; i++) {
            if (strchr("*?[]\\", part.data[i]))
                buf_append_char(out, '\\');
            buf_append_char(out, part.data[i]);
        }
    }
    buf_append_char(out, '*'); /* the meta beside it ends in :v */
}

void redis_rows_append_checkpoint_key(struct buf *out, const char *group, const char *topic,
                                      int32_t partition)
{
    buf_append_format(out, "drover:progress:%s:%s:%" PRId32, group, topic, partition);
}

void redis_rows_append_name(struct buf *out, const char *what, const char *migration)
{
    buf_append_format(out, "drover:%s:%s", what, migration);
}

/* ---- meta -------------------------------------------------------------------------------- */

void redis_meta_append(struct buf *out, const struct mapping *mapping, const struct row *row)
{
    static const struct digest NONE;
    char hex[33];
    digest_format(row->deleted ? &NONE : &row->digest, hex);
    char *version = buf_extend(out, VERSION_DIGITS);
    uint64_t bits = (uint64_t)row->version ^ (UINT64_C(1) << 63);
    for (int i = VERSION_DIGITS; version && i > 0; bits >>= 4)
        version[--i] = HEX_DIGITS[bits & 15];
    buf_append(out, hex, DIGEST_DIGITS);
    buf_append_char(out, row->generation ? row->deleted ? 'D' : 'U' : row->deleted ? 'd' : 'u');
    if (row->generation)
        buf_append_format(out, "%08" PRIx32, (uint32_t)row->generation);
    envelope_append_key(out, row->tenant, bytes_text(mapping->entity), row->id);
}

static bool parse_hex(struct bytes hex, uint64_t *bits)
{
    *bits = 0;
    for (size_t i = 0; i < hex.size; i++) {
        char c = hex.data[i];
        if (!(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'f'))
            return false;
        *bits = *bits << 4 | (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return true;
}

struct bytes redis_meta_owner(struct bytes text)
{
    size_t before = REDIS_META_MARK;
    bool later = text.size > before && (text.data[before] == 'U' || text.data[before] == 'D');
    before += later ? 1 + REDIS_META_GENERATION : 1;
    return text.size > before ? bytes_of(text.data + before, text.size - before)
                              : (struct bytes){0};
}

bool redis_meta_parse(struct bytes text, struct redis_meta *meta)
{
    uint64_t version, generation = 0;
    struct bytes owner = redis_meta_owner(text);
    const char *first = owner.size ? memchr(owner.data, '/', owner.size) : NULL;
    const char *end = owner.data + owner.size;
    const char *second = first ? memchr(first + 1, '/', (size_t)(end - first - 1)) : NULL;
    if (!second || !memchr("udUD", text.data[REDIS_META_MARK], 4))
        return false;
    char mark = text.data[REDIS_META_MARK];
    struct bytes hex = bytes_of(text.data + REDIS_META_MARK + 1, REDIS_META_GENERATION);
    if (!parse_hex(bytes_of(text.data, VERSION_DIGITS), &version) ||
        ((mark == 'U' || mark == 'D') && !parse_hex(hex, &generation)))
        return false;
    *meta = (struct redis_meta){
        .version = (int64_t)(version ^ (UINT64_C(1) << 63)),
        .generation = (int32_t)generation,
        .deleted = mark == 'd' || mark == 'D',
        .tenant = bytes_of(owner.data, (size_t)(first - owner.data)),
        .entity = bytes_of(first + 1, (size_t)(second - first - 1)),
        .id = bytes_of(second + 1, (size_t)(end - second - 1)),
    };
    return digest_parse(bytes_of(text.data + VERSION_DIGITS, DIGEST_DIGITS), &meta->digest);
}
