/*
 * Columns whose members have something in common: the same member twice, one inside the other,
 * alternatives that another column takes. Generated mappings and records: what goes there comes
 * back, no member is invented, and a changed cell is seen, in the document or by mapping_check_row.
 *
 * What came back is also compared with the source directly, without mapping_expected: each member
 * of the source is there, and nothing else but below a default's pointer.
 *
 * OVERLAP_SEED and OVERLAP_MAPPINGS run others, or more (a million by hand).
 */

#include "common/model/mapping/mapping.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/model/json/canonical.h"
#include "tests/support/compile_mapping.h"
#include "tests/support/random_json.h"
#include "tests/support/suite.h"

#define RECORDS_A_MAPPING 12

static struct record record_of(struct bytes json)
{
    return (struct record){.tenant = BYTES_LITERAL("t1"),
                           .entity = BYTES_LITERAL("m"),
                           .version = 7,
                           .has_version = true,
                           .index = 3,
                           .source_key = BYTES_LITERAL("k/1"),
                           .user = BYTES_LITERAL("u"),
                           .localstorage_origin = BYTES_LITERAL("https://o"),
                           .payload = json};
}

/* ---- comparing without the program under test -------------------------------------------- */

/* Equal, or two strings that hold the same JSON (decode: json gives its canonical spelling). */
static bool same_or_respelled(yyjson_val *a, yyjson_val *b, bool respelled)
{
    yyjson_doc *left = NULL, *right = NULL;
    if (canonical_equal(a, b))
        return true;
    if (!respelled || !yyjson_is_str(a) || !yyjson_is_str(b))
        return false;
    bool same = json_parse(bytes_of(yyjson_get_str(a), yyjson_get_len(a)), JSON_UNICODE_REJECT,
                           NULL, &left, NULL) == OUT_OK &&
                json_parse(bytes_of(yyjson_get_str(b), yyjson_get_len(b)), JSON_UNICODE_REJECT,
                           NULL, &right, NULL) == OUT_OK &&
                canonical_equal(yyjson_doc_get_root(left), yyjson_doc_get_root(right));
    yyjson_doc_free(left);
    yyjson_doc_free(right);
    return same;
}

static bool below_a_default(const struct mapping *mapping, const char *path)
{
    size_t size = strlen(path);
    for (size_t i = 0; i < mapping->column_count; i++) {
        const struct column *column = &mapping->columns[i];
        if (!column->fill)
            continue;
        const char *pointer = column->pointers[0];
        size_t other = strlen(pointer), min = size < other ? size : other;
        if (memcmp(path, pointer, min) == 0)
            return true;
    }
    return false;
}

static void join(char out[256], const char *path, yyjson_val *key)
{
    struct buf text;
    buf_init(&text, 250);
    buf_append_text(&text, path);
    buf_append_char(&text, '/');
    for (size_t i = 0; i < yyjson_get_len(key); i++) {
        if (unsafe_yyjson_get_str(key)[i] == '/')
            buf_append_text(&text, "~1");
        else
            buf_append_char(&text, unsafe_yyjson_get_str(key)[i]);
    }
    snprintf(out, 256, "%s", buf_text(&text));
    buf_free(&text);
}

/* Each member of `source` is in `back` as it was; what `back` has besides is a default's. */
static bool holds(const struct mapping *mapping, yyjson_val *source, yyjson_val *back, bool decodes,
                  const char *path)
{
    char inner[256];
    if (!yyjson_is_obj(source) || !yyjson_is_obj(back))
        return same_or_respelled(source, back, decodes);
    yyjson_obj_iter each = yyjson_obj_iter_with(source);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&each));) {
        yyjson_val *other = yyjson_obj_getn(back, yyjson_get_str(key), yyjson_get_len(key));
        join(inner, path, key);
        if (!other || !holds(mapping, yyjson_obj_iter_get_val(key), other, decodes, inner))
            return false;
    }
    each = yyjson_obj_iter_with(back);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&each));) {
        join(inner, path, key);
        if (!yyjson_obj_getn(source, yyjson_get_str(key), yyjson_get_len(key)) &&
            !below_a_default(mapping, inner))
            return false;
    }
    return true;
}

/* ---- what a mapping and its records are made of -------------------------------------------- */

static const struct {
    const char *type;
    const char *fill;  /* YAML */
    const char *value; /* a JSON value it takes */
} TYPES[] = {{"text", "en", "\"x\""},
             {"text, as: loose", "\"7\"", "7"},
             {"int8", "7", "7"},
             {"int4, as: string", "\"7\"", "\"7\""},
             {"jsonb", "'{\"t\": 1}'", "{\"t\":1,\"u\":\"x\"}"},
             {"jsonb", "'[1]'", "{\"t\":\"2024-01-15T10:30:00+02:00\"}"},
             {"jsonb", "5", "\"x\""},
             {"jsonb, decode: json", "'{\"b\": 2, \"a\": 1}'", "\"{\\\"b\\\": 1, \\\"a\\\":[]}\""},
             {"jsonb, decode: json", "'[]'", "\"[1,2]\""},
             {"\"int4[]\"", "'[1,2]'", "[1,2,3]"},
             {"\"text[]\", decode: json", "'[\"a\"]'", "\"[ \\\"a\\\" ]\""},
             {"timestamptz", "\"2024-01-15T12:30:00+02:00\"", "\"2024-01-15T10:30:00.000Z\""},
             {"timestamptz", "\"2024-01-15T10:30:00.000Z\"", "\"2024-01-15T12:30:00+02:00\""},
             {"numeric", "1.50", "1.50"},
             {"float8", "0.5", "0.10000000000000000555"},
             {"bool", "true", "false"},
             {"varchar(8)", "x", "\"x\""}};

static const char *const POINTERS[] = {"/a",
                                       "/a",
                                       "/b",
                                       "/a/t",
                                       "/a/u",
                                       "/a/t/v",
                                       "/b/0",
                                       "/b/0/v",
                                       "/c",
                                       "/c/x/y",
                                       "/c/x",
                                       "/a~1b",
                                       "/"
                                       "d"};

static void add_pointer(struct random *random, struct buf *yaml)
{
    buf_append_text(yaml, POINTERS[random_below(random, RANDOM_COUNT(POINTERS))]);
}

static void add_column(struct random *random, unsigned number, bool plain, struct buf *yaml)
{
    const char *words[] = {"$key", "$index", "$user", "$origin"};
    unsigned kind = random_below(random, 20);
    buf_append_format(yaml, "  - { name: c%u, from: ", number);
    if (kind == 0) {
        unsigned word = random_below(random, 4);
        buf_append_format(yaml, "%s, type: %s }\n", words[word], word == 1 ? "int4" : "text");
        return;
    }
    if (kind == 1 || (kind == 2 && !plain)) {
        buf_append_format(yaml, "$value, type: jsonb }\n");
        return;
    }
    if (kind <= 4) {
        buf_append_format(yaml, "/s%u, type: text, %s: true }\n", kind,
                          kind == 3 ? "seal" : "withhold");
        return;
    }
    unsigned pointers = 1 + random_below(random, 3);
    buf_append_char(yaml, '[');
    for (unsigned i = 0; i < pointers; i++) {
        buf_append_text(yaml, i ? ", " : "");
        add_pointer(random, yaml);
    }
    unsigned type = random_below(random, RANDOM_COUNT(TYPES));
    while (plain && strstr(TYPES[type].type, "decode"))
        type = random_below(random, RANDOM_COUNT(TYPES));
    buf_append_format(yaml, "], type: %s", TYPES[type].type);
    if (!plain && random_below(random, 3) == 0)
        buf_append_format(yaml, ", default: %s", TYPES[type].fill);
    buf_append_text(yaml, " }\n");
}

/* Plain: nothing is filled in or respelled, so the very source comes back. */
static void make_mapping(struct random *random, bool plain, bool rest, struct buf *yaml)
{
    buf_reset(yaml);
    buf_append_format(yaml,
                      "entity: m\ntable: m\nkey: [id]\n%scolumns:\n"
                      "  - { name: id, from: /id, type: int8 }\n",
                      rest ? "rest: extra\n" : "");
    for (unsigned i = 0, count = 2 + random_below(random, 5); i < count; i++) {
        size_t before = yaml->size;
        add_column(random, i, plain, yaml);
        if (!rest && strstr(buf_text(yaml) + before, "withhold"))
            yaml->size = before; /* its mark needs rest */
    }
}

static void add_value(struct random *random, unsigned depth, struct buf *json)
{
    static const char *const NAMES[] = {"t", "u", "v", "x", "y", "0", "w"};
    unsigned kind = random_below(random, 10);
    if (kind < 2 && depth < 3) {
        bool first = true;
        buf_append_char(json, '{');
        for (unsigned i = 0; i < RANDOM_COUNT(NAMES); i++) {
            if (random_below(random, 3))
                continue;
            buf_append_format(json, "%s\"%s\":", first ? "" : ",", NAMES[i]);
            add_value(random, depth + 1, json);
            first = false;
        }
        buf_append_char(json, '}');
    } else if (kind == 2 && depth < 3) {
        buf_append_char(json, '[');
        add_value(random, depth + 1, json);
        buf_append_char(json, ']');
    } else if (kind == 3) {
        buf_append_text(json, "null");
    } else if (kind == 4) {
        random_string(random, json);
    } else {
        buf_append_text(json, TYPES[random_below(random, RANDOM_COUNT(TYPES))].value);
    }
}

static void make_record(struct random *random, struct buf *json)
{
    static const char *const NAMES[] = {"a", "b", "c", "a/b", "d", "e"};
    buf_reset(json);
    buf_append_text(json, "{\"id\":42");
    for (unsigned i = 0; i < RANDOM_COUNT(NAMES); i++) {
        if (random_below(random, 5) < 2)
            continue;
        buf_append_format(json, ",\"%s\":", NAMES[i]);
        add_value(random, 0, json);
    }
    if (random_below(random, 2))
        buf_append_text(json, ",\"s3\":{\"$sealed\":\"sec_00000000000000000000000000000000\"}");
    if (random_below(random, 2))
        buf_append_text(json, ",\"s4\":{\"$withheld\":\"token\"}");
    buf_append_char(json, '}');
}

/* ---- cells ---------------------------------------------------------------------------------- */

/* jsonb and arrays in the spelling of somebody who sorts members and prints numbers anew. */
static struct cell respell(const struct column *column, struct cell cell, struct arena *arena)
{
    if (cell.size < 0 || (column->type.base != VALUE_JSONB && !column->type.array))
        return cell;
    struct buf text;
    buf_init(&text, 1u << 20);
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *val = value_decode(&column->type, cell, doc);
    yyjson_doc *frozen = val ? yyjson_mut_val_imut_copy(val, NULL) : NULL;
    ck_assert_ptr_nonnull(frozen);
    buf_append_char(&text, 1);
    canonical_append(&text, yyjson_doc_get_root(frozen));
    struct bytes copy = arena_copy(arena, buf_view(&text));
    yyjson_doc_free(frozen);
    yyjson_mut_doc_free(doc);
    buf_free(&text);
    return (struct cell){copy.data, (int32_t)copy.size};
}

/* Another value of the column's type, or NULL. */
static struct cell another(struct random *random, const struct column *column, struct arena *arena)
{
    static const char *const ODD[] = {"\"z\"", "8",    "\"8\"", "{\"t\":2}",
                                      "[9]",   "true", "null",  "\"2025-01-15T10:30:00.000Z\"",
                                      "{}"};
    struct cell cell = CELL_NULL;
    bool exact;
    if (random_below(random, 5) == 0)
        return cell;
    for (unsigned tries = 0; tries < 40; tries++) {
        const char *text = random_below(random, 2)
                               ? ODD[random_below(random, RANDOM_COUNT(ODD))]
                               : TYPES[random_below(random, RANDOM_COUNT(TYPES))].value;
        yyjson_doc *doc = NULL;
        ck_assert_int_eq(json_parse(bytes_text(text), JSON_UNICODE_REJECT, NULL, &doc, NULL),
                         OUT_OK);
        enum outcome outcome =
            value_encode(&column->type, yyjson_doc_get_root(doc), arena, &cell, &exact, NULL);
        yyjson_doc_free(doc);
        if (outcome == OUT_OK)
            return cell;
    }
    return CELL_NULL;
}

struct trial {
    struct random random;
    struct mapping *mapping;
    struct mapping_work work;
    struct arena arena;
    struct row row;
    yyjson_doc *expected;
    const char *yaml, *json;
    uint64_t records, edits, by_check, of_filled;
};

static void show(const struct trial *trial, yyjson_doc *back, const char *what)
{
    struct buf text;
    buf_init(&text, 1u << 20);
    if (back)
        json_append(&text, yyjson_doc_get_root(back));
    ck_abort_msg("%s\n%s%s\n-> %s", what, trial->yaml, trial->json, buf_text(&text));
}

/* The row as it was written, in whichever spelling: it gives the record back, and no cell is odd.
 */
static void check_unchanged(struct trial *trial, yyjson_val *source, bool decodes)
{
    struct error err = {0};
    yyjson_doc *back = NULL;
    for (int spelled = 0; spelled < 2; spelled++) {
        if (mapping_inverse(trial->mapping, &trial->row, &trial->work, &back, &err) != OUT_OK)
            show(trial, NULL, err.text);
        yyjson_val *root = yyjson_doc_get_root(back);
        if (!canonical_equal(root, yyjson_doc_get_root(trial->expected)))
            show(trial, back, "not what mapping_expected says");
        if (!holds(trial->mapping, source, root, decodes, ""))
            show(trial, back, "a member is lost, changed or invented");
        if (mapping_check_row(trial->mapping, &trial->row, root, &trial->work, &err) != OUT_OK) {
            fprintf(stderr, "%s: %s\n", err.path, err.text);
            show(trial, back, "a row as it was written is called odd");
        }
        yyjson_doc_free(back);
        for (size_t i = 0; i < trial->mapping->column_count; i++)
            trial->row.cells[i] =
                respell(&trial->mapping->columns[i], trial->row.cells[i], &trial->arena);
    }
}

static bool is_seen(struct trial *trial)
{
    struct error err;
    yyjson_doc *back = NULL;
    bool seen = mapping_inverse(trial->mapping, &trial->row, &trial->work, &back, &err) != OUT_OK ||
                !canonical_equal(yyjson_doc_get_root(back), yyjson_doc_get_root(trial->expected));
    if (!seen) {
        seen = mapping_check_row(trial->mapping, &trial->row, yyjson_doc_get_root(back),
                                 &trial->work, &err) != OUT_OK;
        trial->by_check += seen;
    }
    yyjson_doc_free(back);
    return seen;
}

/* The declared exception: the record with its defaults filled in is a record of its own, and the
 * changed row is what it gives. */
static bool is_of_filled(struct trial *trial)
{
    struct buf json;
    struct row row;
    struct error err;
    buf_init(&json, 1u << 20);
    json_append(&json, yyjson_doc_get_root(trial->expected));
    struct record record = record_of(buf_view(&json));
    bool same =
        mapping_forward(trial->mapping, &record, &trial->work, &trial->arena, &row, &err) == OUT_OK;
    for (size_t i = 0; same && i < trial->mapping->column_count; i++)
        same = mapping_same_cell(&trial->mapping->columns[i], row.cells[i], trial->row.cells[i]);
    buf_free(&json);
    trial->of_filled += same;
    return same;
}

static bool is_outside(enum column_source source)
{
    return source == FROM_KEY || source == FROM_INDEX || source == FROM_USER ||
           source == FROM_ORIGIN;
}

static void check_changes(struct trial *trial)
{
    for (size_t i = 0; i < trial->mapping->column_count; i++) {
        const struct column *column = &trial->mapping->columns[i];
        struct cell before = trial->row.cells[i];
        trial->row.cells[i] = another(&trial->random, column, &trial->arena);
        if (!is_outside(column->source) &&
            !mapping_same_cell(column, before, trial->row.cells[i])) {
            trial->edits++;
            if (!is_seen(trial) && !is_of_filled(trial)) {
                fprintf(stderr, "column %s, %d bytes, was %d\n", column->name,
                        (int)trial->row.cells[i].size, (int)before.size);
                show(trial, NULL, "a changed cell is not seen");
            }
        }
        trial->row.cells[i] = before;
    }
}

static void run_record(struct trial *trial, bool decodes)
{
    struct error err;
    struct record record = record_of(bytes_text(trial->json));
    arena_init(&trial->arena, 1u << 24);
    if (mapping_forward(trial->mapping, &record, &trial->work, &trial->arena, &trial->row, &err) ==
        OUT_OK) {
        yyjson_doc *source = NULL;
        trial->records++;
        ck_assert_int_eq(
            mapping_expected(trial->mapping, &record, &trial->work, &trial->expected, &err),
            OUT_OK);
        yyjson_doc *kept = trial->expected; /* it may live in the work's pool: a copy of its own */
        yyjson_mut_doc *copy = yyjson_doc_mut_copy(kept, NULL);
        trial->expected = yyjson_mut_doc_imut_copy(copy, NULL);
        yyjson_mut_doc_free(copy);
        yyjson_doc_free(kept);
        ck_assert_int_eq(json_parse(record.payload, JSON_UNICODE_REJECT, NULL, &source, NULL),
                         OUT_OK);
        check_unchanged(trial, yyjson_doc_get_root(source), decodes);
        check_changes(trial);
        yyjson_doc_free(source);
        yyjson_doc_free(trial->expected);
    }
    arena_free(&trial->arena);
}

static uint64_t number_from(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    return text ? strtoull(text, NULL, 10) : otherwise;
}

START_TEST(what_overlaps_comes_back_and_is_watched)
{
    struct trial trial = {.random = {number_from("OVERLAP_SEED", 20261128) + (uint64_t)_i}};
    uint64_t mappings = number_from("OVERLAP_MAPPINGS", 150);
    struct buf yaml, json;
    buf_init(&yaml, 1u << 16);
    buf_init(&json, 1u << 16);
    mapping_work_init(&trial.work);
    printf("seed %llu\n", (unsigned long long)trial.random.state);
    for (uint64_t m = 0; m < mappings; m++) {
        bool plain = random_below(&trial.random, 2) == 0;
        make_mapping(&trial.random, plain, random_below(&trial.random, 5) != 0, &yaml);
        trial.yaml = buf_text(&yaml);
        trial.mapping = compile(trial.yaml);
        for (int r = 0; r < RECORDS_A_MAPPING; r++) {
            make_record(&trial.random, &json);
            trial.json = buf_text(&json);
            run_record(&trial, !plain);
        }
        mapping_free(trial.mapping);
    }
    printf("%llu records, %llu changed cells, %llu of them seen by mapping_check_row alone, %llu "
           "those of the filled record\n",
           (unsigned long long)trial.records, (unsigned long long)trial.edits,
           (unsigned long long)trial.by_check, (unsigned long long)trial.of_filled);
    ck_assert_uint_gt(trial.records, mappings / 2);
    ck_assert_uint_gt(trial.edits, mappings);
    mapping_work_free(&trial.work);
    buf_free(&json);
    buf_free(&yaml);
}
END_TEST

/* ---- cases that were wrong ------------------------------------------------------------------ */

#define HEAD "entity: m\ntable: m\nkey: [id]\nrest: extra\ncolumns:\n"
#define ID "  - { name: id, from: /id, type: int8 }\n"

static const struct {
    const char *columns, *json, *back;
} CASES[] = {
    /* the shipped agent, llm_config and mcp_server have this form */
    {"  - { name: id, from: [/id, /name], type: text, as: loose }\n"
     "  - { name: name, from: /name, type: text }\n",
     "{\"name\":\"x\",\"role\":\"r\"}", NULL},
    {ID "  - { name: a, from: /a, type: jsonb }\n  - { name: t, from: /a/t, type: timestamptz }\n",
     "{\"id\":1,\"a\":{\"t\":\"2024-01-01T00:00:00+02:00\"}}", NULL},
    {ID "  - { name: t, from: /a/t, type: text }\n  - { name: a, from: [/b, /a], type: jsonb }\n",
     "{\"id\":1,\"a\":{\"t\":\"x\"}}", NULL},
    /* decode: json that is kept comes back as it was */
    {ID "  - { name: j, from: [/a, /b], type: jsonb, decode: json }\n",
     "{\"id\":1,\"b\":\"{\\\"a\\\": 1}\"}", NULL},
    {ID "  - { name: j, from: [/a, /b], type: jsonb, decode: json }\n",
     "{\"id\":3,\"a\":\"[1, 2]\",\"b\":\"[3]\"}", NULL},
    {ID "  - { name: j, from: [/a, /b], type: jsonb, decode: json }\n",
     "{\"id\":2,\"a\":\"{\\\"a\\\": 1}\"}", "{\"id\":2,\"a\":\"{\\\"a\\\":1}\"}"},
    {ID "  - { name: j, from: /a, type: timestamptz, decode: json }\n",
     "{\"id\":2,\"a\":\"\\\"2024-01-15T12:30:00+02:00\\\"\"}", NULL},
    /* a default where it has no place, below another column, and in another spelling */
    {ID "  - { name: lang, from: /prefs/lang, type: text, default: en }\n",
     "{\"id\":1,\"prefs\":\"none\"}", NULL},
    {ID "  - { name: lang, from: /prefs/lang, type: text, default: en }\n"
        "  - { name: prefs, from: /prefs, type: jsonb }\n",
     "{\"id\":1,\"prefs\":{\"x\":1}}", NULL},
    {ID "  - { name: at, from: /at, type: timestamptz, default: \"2024-01-15T12:30:00+02:00\" }\n",
     "{\"id\":1}", "{\"id\":1,\"at\":\"2024-01-15T10:30:00.000Z\"}"},
    {ID "  - { name: j, from: /j, type: jsonb, decode: json, default: '{\"b\": 2, \"a\": 1}' }\n",
     "{\"id\":1}", "{\"id\":1,\"j\":\"{\\\"a\\\":1,\\\"b\\\":2}\"}"},
    {ID "  - { name: v, from: $value, type: jsonb }\n", "{\"id\":1,\"a\":[{}]}", NULL},
};

static void forward_and_back(struct trial *trial, struct record *record, yyjson_doc **back)
{
    struct error err = {0};
    ck_assert_msg(mapping_forward(trial->mapping, record, &trial->work, &trial->arena, &trial->row,
                                  &err) == OUT_OK,
                  "%s", err.text);
    ck_assert_msg(mapping_inverse(trial->mapping, &trial->row, &trial->work, back, &err) == OUT_OK,
                  "%s", err.text);
    ck_assert_int_eq(mapping_expected(trial->mapping, record, &trial->work, &trial->expected, &err),
                     OUT_OK);
}

START_TEST(cases_that_were_wrong)
{
    struct buf yaml;
    struct error err;
    struct trial trial = {.json = CASES[_i].json};
    yyjson_doc *back = NULL, *wanted = NULL;
    buf_init(&yaml, 1u << 16);
    buf_append_text(&yaml, HEAD);
    buf_append_text(&yaml, CASES[_i].columns);
    trial.yaml = buf_text(&yaml);
    trial.mapping = compile(trial.yaml);
    mapping_work_init(&trial.work);
    arena_init(&trial.arena, 1u << 20);
    struct record record = record_of(bytes_text(trial.json));
    forward_and_back(&trial, &record, &back);
    ck_assert_int_eq(json_parse(bytes_text(CASES[_i].back ? CASES[_i].back : CASES[_i].json),
                                JSON_UNICODE_REJECT, NULL, &wanted, NULL),
                     OUT_OK);
    if (!canonical_equal(yyjson_doc_get_root(back), yyjson_doc_get_root(wanted)))
        show(&trial, back, "not the record");
    if (!canonical_equal(yyjson_doc_get_root(trial.expected), yyjson_doc_get_root(wanted)))
        show(&trial, trial.expected, "mapping_expected is not the record");
    ck_assert_int_eq(
        mapping_check_row(trial.mapping, &trial.row, yyjson_doc_get_root(back), &trial.work, &err),
        OUT_OK);
    yyjson_doc_free(wanted);
    yyjson_doc_free(trial.expected);
    yyjson_doc_free(back);
    arena_free(&trial.arena);
    mapping_work_free(&trial.work);
    mapping_free(trial.mapping);
    buf_free(&yaml);
}
END_TEST

/* $value: decode: json over a bare string, and a rest beside a record that is no object. */
START_TEST(whole_records)
{
    static const struct {
        const char *columns, *json, *back;
    } WHOLE[] = {
        {"  - { name: v, from: $value, type: jsonb, decode: json }\n", "\"{\\\"b\\\": 1}\"",
         "\"{\\\"b\\\":1}\""},
        {"  - { name: v, from: $value, type: jsonb, decode: json }\n"
         "  - { name: w, from: $value, type: jsonb }\n",
         "\"{\\\"b\\\": 1}\"", NULL},
        {"  - { name: v, from: $value, type: jsonb }\n", "[1,2]", NULL},
        {"  - { name: v, from: $value, type: jsonb }\n", "null", NULL},
    };
    for (size_t i = 0; i < sizeof WHOLE / sizeof *WHOLE; i++) {
        struct buf yaml;
        struct error err;
        struct trial trial = {.json = WHOLE[i].json};
        yyjson_doc *back = NULL, *wanted = NULL;
        buf_init(&yaml, 1u << 16);
        buf_append_text(&yaml, "entity: m\ntable: m\nkey: [k]\nrest: extra\ncolumns:\n"
                               "  - { name: k, from: $key, type: text }\n");
        buf_append_text(&yaml, WHOLE[i].columns);
        trial.yaml = buf_text(&yaml);
        trial.mapping = compile(trial.yaml);
        mapping_work_init(&trial.work);
        arena_init(&trial.arena, 1u << 20);
        struct record record = record_of(bytes_text(trial.json));
        forward_and_back(&trial, &record, &back);
        ck_assert_int_eq(trial.row.cells[trial.mapping->rest_at].size, -1);
        ck_assert_int_eq(json_parse(bytes_text(WHOLE[i].back ? WHOLE[i].back : WHOLE[i].json),
                                    JSON_UNICODE_REJECT, NULL, &wanted, NULL),
                         OUT_OK);
        if (!canonical_equal(yyjson_doc_get_root(back), yyjson_doc_get_root(wanted)))
            show(&trial, back, "not the record");
        if (!canonical_equal(yyjson_doc_get_root(trial.expected), yyjson_doc_get_root(wanted)))
            show(&trial, trial.expected, "mapping_expected is not the record");
        ck_assert_int_eq(mapping_check_row(trial.mapping, &trial.row, yyjson_doc_get_root(back),
                                           &trial.work, &err),
                         OUT_OK);
        yyjson_doc_free(wanted);
        yyjson_doc_free(trial.expected);
        yyjson_doc_free(back);
        arena_free(&trial.arena);
        mapping_work_free(&trial.work);
        mapping_free(trial.mapping);
        buf_free(&yaml);
    }
}
END_TEST

/* What no document shows is named by its column. */
static const struct {
    const char *columns, *json;
    size_t at;           /* the cell changed */
    const char *literal; /* to this jsonb, or text */
    const char *named;
} ODD[] = {
    {ID "  - { name: a, from: /x, type: text }\n  - { name: b, from: /x, type: text }\n",
     "{\"id\":1,\"x\":\"hello\"}", 1, "edited", "a"},
    {ID "  - { name: n_in, from: /n/v, type: text }\n  - { name: n, from: /n, type: jsonb }\n",
     "{\"id\":1,\"n\":{\"v\":\"1\",\"w\":2}}", 2, "\x01{\"v\":\"2\",\"w\":2}", "n"},
    {ID "  - { name: a, from: /x, type: text }\n", "{\"id\":1,\"x\":\"hello\"}", 2,
     "\x01{\"x\":\"other\"}", "extra"},
    {ID "  - { name: a, from: /x, type: text }\n", "{\"id\":1,\"x\":\"hello\"}", 2,
     "\x01{\"x\":\"hello\"}", "extra"},
    {ID "  - { name: a, from: /x, type: jsonb }\n", "{\"id\":1,\"x\":null}", 1, "\x01null", "a"},
    {ID "  - { name: a, from: /x, type: jsonb }\n", "{\"id\":1,\"x\":5}", 2, "\x01{}", "extra"},
    {ID "  - { name: a, from: /p/x, type: text, default: en }\n", "{\"id\":1,\"p\":\"none\"}", 1,
     "fr", "a"},
    {ID "  - { name: x, from: /x, type: text }\n  - { name: v, from: $value, type: jsonb }\n",
     "{\"id\":1,\"x\":\"a\"}", 2, "\x01{\"id\":1,\"x\":\"b\"}", "v"},
};

START_TEST(a_cell_that_no_document_shows_is_named)
{
    struct buf yaml;
    struct error err = {0};
    struct trial trial = {.json = ODD[_i].json};
    yyjson_doc *back = NULL;
    buf_init(&yaml, 1u << 16);
    buf_append_text(&yaml, HEAD);
    buf_append_text(&yaml, ODD[_i].columns);
    trial.yaml = buf_text(&yaml);
    trial.mapping = compile(trial.yaml);
    mapping_work_init(&trial.work);
    arena_init(&trial.arena, 1u << 20);
    struct record record = record_of(bytes_text(trial.json));
    forward_and_back(&trial, &record, &back);
    yyjson_doc_free(back);
    trial.row.cells[ODD[_i].at] = (struct cell){ODD[_i].literal, (int32_t)strlen(ODD[_i].literal)};
    ck_assert_int_eq(mapping_inverse(trial.mapping, &trial.row, &trial.work, &back, &err), OUT_OK);
    enum outcome outcome =
        canonical_equal(yyjson_doc_get_root(back), yyjson_doc_get_root(trial.expected))
            ? mapping_check_row(trial.mapping, &trial.row, yyjson_doc_get_root(back), &trial.work,
                                &err)
            : OUT_REJECT;
    ck_assert_msg(outcome == OUT_REJECT, "the change is not seen");
    if (err.path[0])
        ck_assert_str_eq(err.path, ODD[_i].named);
    yyjson_doc_free(trial.expected);
    yyjson_doc_free(back);
    arena_free(&trial.arena);
    mapping_work_free(&trial.work);
    mapping_free(trial.mapping);
    buf_free(&yaml);
}
END_TEST

static Suite *suite(void)
{
    Suite *suite = suite_create("mapping_overlap");
    TCase *all = tcase_create("all");
    tcase_add_loop_test(all, what_overlaps_comes_back_and_is_watched, 0, 4);
    tcase_add_loop_test(all, cases_that_were_wrong, 0, sizeof CASES / sizeof *CASES);
    tcase_add_test(all, whole_records);
    tcase_add_loop_test(all, a_cell_that_no_document_shows_is_named, 0, sizeof ODD / sizeof *ODD);
    suite_add_tcase(suite, all);
    return suite;
}

SUITE_MAIN(suite)
