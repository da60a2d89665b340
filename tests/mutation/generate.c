#include "tests/mutation/generate.h"

#include <stdlib.h>
#include <string.h>

#include <yyjson.h>

#define COUNT(list) (sizeof(list) / sizeof((list)[0]))

static bool one_in(struct random *random, unsigned n)
{
    return random_below(random, n) == 0;
}

/* ---- mappings ---------------------------------------------------------------------------- */

struct kind {
    const char *sql;
    const char *fill;  /* a default, in YAML */
    const char *allow; /* a list of values, in YAML; NULL: none is tried */
    bool key;          /* may be a key */
};

static const struct kind KINDS[] = {
    {"text", "none", "[none, a, '', Zz]", true},
    {"varchar(12)", "'0'", NULL, true},
    {"bool", "true", NULL, true},
    {"int2", "7", "[7, 1, -1, 0]", true},
    {"int4", "-7", NULL, true},
    {"int8", "9007199254740993", NULL, true},
    {"float4", "0.5", NULL, false},
    {"float8", "0.1", NULL, false},
    {"numeric", "1.50", NULL, true},
    {"\"numeric(12,2)\"", "1.5", NULL, true},
    {"date", "2024-02-29", NULL, true},
    {"timestamp", "\"2024-02-29T01:02:03.000Z\"", NULL, true},
    {"timestamptz", "\"2024-02-29T01:02:03.000Z\"", NULL, true},
    {"uuid", "00000000-0000-4000-8000-00000000000a", NULL, true},
    {"jsonb", "plain", NULL, false},
    {"bytea", "\"AAE=\"", NULL, true},
    {"\"text[]\"", NULL, NULL, false},
    {"\"int4[]\"", NULL, NULL, false},
    {"\"int8[]\"", NULL, NULL, false},
    {"\"bool[]\"", NULL, NULL, false},
    {"\"float8[]\"", NULL, NULL, false},
    {"\"numeric[]\"", NULL, NULL, false},
    {"\"timestamptz[]\"", NULL, NULL, false},
    {"\"date[]\"", NULL, NULL, false},
    {"\"uuid[]\"", NULL, NULL, false},
    {"\"jsonb[]\"", NULL, NULL, false},
    {"\"bytea[]\"", NULL, NULL, false},
};

/* Pointers that lie inside one another, in arrays, and with names that need escapes. */
static const char *const POINTERS[] = {"/a",   "/b",        "/c", "/m",   "/m/a",   "/m/b",
                                       "/m/n", "/m/n/c",    "/l", "/l/0", "/l/0/a", "/x~1y",
                                       "/t~0", "/\xc3\xa4", "/e", "/e/a"};

static const char *const FORMS[] = {"string", "number", "loose", "epoch_s", "epoch_ms", "epoch_us"};

static void append_pointer(struct random *random, bool overlap, unsigned number, struct buf *yaml)
{
    if (overlap && random_below(random, 4))
        buf_append_text(yaml, POINTERS[random_below(random, COUNT(POINTERS))]);
    else
        buf_append_format(yaml, one_in(random, 4) ? "/own/p%u" : "/p%u", number);
}

static void append_from(struct random *random, bool overlap, unsigned number, struct buf *yaml)
{
    buf_append_text(yaml, ", from: ");
    if (random_below(random, 5)) {
        append_pointer(random, overlap, number, yaml);
        return;
    }
    buf_append_char(yaml, '[');
    append_pointer(random, overlap, number, yaml);
    for (unsigned i = 1 + random_below(random, 2); i > 0; i--) {
        buf_append_text(yaml, ", ");
        append_pointer(random, overlap, number * 10 + i, yaml);
    }
    buf_append_char(yaml, ']');
}

static void append_options(struct random *random, const struct kind *kind, struct buf *yaml)
{
    bool number = strncmp(kind->sql, "int", 3) == 0 || strncmp(kind->sql, "float", 5) == 0 ||
                  strstr(kind->sql, "numeric") == kind->sql + (kind->sql[0] == '"');
    bool array = strstr(kind->sql, "[]") != NULL;
    if (one_in(random, 8))
        buf_append_text(yaml, ", required: true");
    if (kind->fill && one_in(random, 3))
        buf_append_format(yaml, ", default: %s", kind->fill);
    if (one_in(random, 6))
        buf_append_format(yaml, ", as: %s", FORMS[random_below(random, COUNT(FORMS))]);
    if (kind->allow && one_in(random, 4))
        buf_append_format(yaml, ", allow: %s", kind->allow);
    else if (number && !array && one_in(random, 5))
        buf_append_text(yaml, ", min: -1000000, max: 9007199254740994");
    else if (one_in(random, 6))
        buf_append_text(yaml, ", decode: json");
    if (number && !array && one_in(random, 5))
        buf_append_text(yaml, one_in(random, 2) ? ", tolerance: 0.01" : ", tolerance: 2");
}

static void append_column(struct random *random, bool overlap, unsigned number, struct buf *yaml)
{
    static const char *const WORDS[] = {
        "from: $key, type: text",           "from: $key_suffix, type: text",
        "from: $index, type: int4",         "from: $index1, type: int8",
        "from: $user, type: text",          "from: $origin, type: text",
        "from: $isolation_key, type: text", "from: $tenant_context, type: jsonb",
        "from: $index, type: text",         "from: $key, type: varchar(200)",
    };
    buf_append_format(yaml, "  - { name: c%u", number);
    if (one_in(random, 4)) {
        buf_append_format(yaml, ", %s", WORDS[random_below(random, COUNT(WORDS))]);
    } else if (one_in(random, 10)) {
        append_from(random, overlap, number, yaml);
        buf_append_text(yaml, one_in(random, 2) ? ", type: text, seal: true"
                                                : ", type: text, withhold: true");
    } else {
        const struct kind *kind = &KINDS[random_below(random, COUNT(KINDS))];
        append_from(random, overlap, number, yaml);
        buf_append_format(yaml, ", type: %s", kind->sql);
        append_options(random, kind, yaml);
    }
    buf_append_text(yaml, " }\n");
}

/* Up to three columns; the first tells records apart. */
static unsigned append_key(struct random *random, bool whole, struct buf *columns, struct buf *key)
{
    static const char *const WORDS[] = {"$key", "$key_suffix", "$user", "$origin",
                                        "$isolation_key"};
    unsigned count = 1 + random_below(random, 3);
    for (unsigned i = 0; i < count; i++) {
        const struct kind *kind;
        do
            kind = &KINDS[random_below(random, COUNT(KINDS))];
        while (!kind->key);
        buf_append_format(key, "%sk%u", i ? ", " : "", i);
        if (i == 0 && (whole || one_in(random, 4)))
            buf_append_format(columns, "  - { name: k%u, from: $key, type: text }\n", i);
        else if (i && one_in(random, 3))
            buf_append_format(columns, "  - { name: k%u, from: %s, type: text }\n", i,
                              WORDS[random_below(random, COUNT(WORDS))]);
        else if (i && one_in(random, 4))
            buf_append_format(columns, "  - { name: k%u, from: [/id%u, /old%u], type: %s }\n", i, i,
                              i, kind->sql);
        else
            buf_append_format(columns, "  - { name: k%u, from: /id%u, type: %s%s }\n", i, i,
                              i                   ? kind->sql
                              : one_in(random, 2) ? "int8"
                                                  : "text",
                              "");
    }
    return count;
}

void generate_mapping(struct random *random, struct buf *yaml)
{
    static const char *const VERSIONS[] = {"", "version: { from: /rev, as: number }\n",
                                           "version: { from: /at, as: timestamp }\n"};
    struct buf columns, key;
    buf_init(&columns, 1 << 16);
    buf_init(&key, 4096);
    bool overlap = one_in(random, 2), whole = one_in(random, 8);
    append_key(random, whole, &columns, &key);
    unsigned count = random_below(random, 9);
    for (unsigned i = 0; i < count; i++)
        append_column(random, overlap, i, &columns);
    if (whole)
        buf_append_format(&columns, "  - { name: whole, from: $value, type: jsonb%s }\n",
                          one_in(random, 4) ? ", decode: json" : "");
    if (one_in(random, 4))
        buf_append_text(&columns, "  - { name: rev, from: /rev, type: int8 }\n");
    if (one_in(random, 3))
        buf_append_text(&columns, "  - { name: made, type: timestamptz, generated: on_write }\n");
    bool soft = one_in(random, 4);
    if (soft)
        buf_append_text(&columns, "  - { name: state, from: /state, type: text, default: open }\n");
    buf_append_text(yaml,
                    "entity: thing\ntable: thing\ncollect: { local_storage: [\"item_*\"] }\n");
    buf_append_format(yaml, "key: [%s]\n", buf_text(&key));
    buf_append_text(yaml, VERSIONS[random_below(random, COUNT(VERSIONS))]);
    if (one_in(random, 5))
        buf_append_text(yaml, "tenant: { from: /tenant }\n");
    if (one_in(random, 6))
        buf_append_text(yaml, "on_invalid_unicode: replace\n");
    if (soft)
        buf_append_text(yaml, "on_delete: { column: state, value: gone }\n");
    else if (one_in(random, 4))
        buf_append_text(yaml, "on_delete: hard\n");
    bool rest = random_below(random, 5) != 0;
    if (rest)
        buf_append_text(yaml, "rest: extra\n");
    if (rest && one_in(random, 6))
        buf_append_text(yaml, "seal: [/secret, /m/b]\n");
    if (rest && one_in(random, 6))
        buf_append_text(yaml, "withhold: [/token]\n");
    buf_append_text(yaml, "columns:\n");
    buf_append_bytes(yaml, buf_view(&columns));
    buf_free(&columns);
    buf_free(&key);
}

/* ---- values ------------------------------------------------------------------------------ */

static void append_integer(struct random *random, enum value_base base, struct buf *out)
{
    static const char *const EDGES[3][4] = {
        {"32767", "-32768", "0", "1e2"},
        {"2147483647", "-2147483648", "-0", "1.0"},
        {"9223372036854775807", "-9223372036854775808", "9007199254740993", "1e3"},
    };
    if (one_in(random, 4))
        buf_append_text(out, EDGES[base - VALUE_INT2][random_below(random, 4)]);
    else
        buf_append_format(out, "%d", (int)random_below(random, 2000) - 1000);
}

static void append_number(struct random *random, const struct value_type *type, struct buf *out)
{
    static const char *const FLOATS[] = {
        "0.1",      "1e300", "-1.5e-300", "3.14159265358979323846", "0.30000000000000004",
        "16777217", "-0",    "1E-7"};
    static const char *const NUMERICS[] = {
        "123456789012345678901234567890.5", "0.10", "-0.00", "1e20", "99999.99",
        "0.000000000000000000001"};
    if (type->base >= VALUE_INT2 && type->base <= VALUE_INT8)
        append_integer(random, type->base, out);
    else if (type->base == VALUE_NUMERIC && type->precision)
        buf_append_format(out, "%d.%02u", (int)random_below(random, 2000) - 1000,
                          random_below(random, 100));
    else if (one_in(random, 2))
        buf_append_format(out, "%d.%u", (int)random_below(random, 2000) - 1000,
                          random_below(random, 10000));
    else if (type->base == VALUE_NUMERIC)
        buf_append_text(out, NUMERICS[random_below(random, COUNT(NUMERICS))]);
    else if (type->base == VALUE_FLOAT4)
        buf_append_text(out, one_in(random, 2) ? "16777217" : "0.1");
    else
        buf_append_text(out, FLOATS[random_below(random, COUNT(FLOATS))]);
}

static void append_time(struct random *random, bool zoned, struct buf *out)
{
    static const char *const ZONES[] = {"Z", "+02:00", "-05:30"};
    static const char *const PARTS[] = {".000", ".120", ".123456", "", ".5"};
    buf_append_format(out, "\"%u-%02u-%02uT%02u:%02u:%02u%s%s\"", 1970 + random_below(random, 80),
                      1 + random_below(random, 12), 1 + random_below(random, 28),
                      random_below(random, 24), random_below(random, 60), random_below(random, 60),
                      one_in(random, 2) ? ".000" : PARTS[random_below(random, COUNT(PARTS))],
                      zoned ? (one_in(random, 3) ? ZONES[random_below(random, COUNT(ZONES))] : "Z")
                            : (one_in(random, 2) ? "Z" : ""));
}

static void append_short_text(struct random *random, int32_t max, struct buf *out)
{
    static const char *const TEXTS[] = {"\"\"",
                                        "\"a\"",
                                        "\"Zz\"",
                                        "\"none\"",
                                        "\"\xc3\xa4\xe2\x82\xac\"",
                                        "\"\xf0\x9f\x98\x80\"",
                                        "\"\\\"\\\\\"",
                                        "\" \"",
                                        "\"null\"",
                                        "\"gone\"",
                                        "\"{\\\"a\\\":1}\"",
                                        "\"\\u0001\"",
                                        "\"%2F:/\"",
                                        "\"e\\u0301\"",
                                        "\"1\""};
    if (max == 0 && one_in(random, 3))
        random_string(random, out);
    else
        buf_append_text(out, TEXTS[random_below(random, COUNT(TEXTS))]);
}

static void append_epoch(struct random *random, enum value_form form, struct buf *out)
{
    uint64_t seconds = 1000000000u + random_below(random, 900000000u);
    if (form == FORM_EPOCH_S)
        buf_append_format(out, "%llu", (unsigned long long)seconds);
    else if (form == FORM_EPOCH_MS || form == FORM_LOOSE)
        buf_append_format(out, "%llu",
                          (unsigned long long)seconds * 1000 + random_below(random, 1000));
    else
        buf_append_format(out, "%llu",
                          (unsigned long long)seconds * 1000000 + random_below(random, 1000000));
}

static void append_natural(struct random *random, const struct value_type *type, struct buf *out)
{
    static const char *const BYTES[] = {"\"\"", "\"AAE=\"", "\"/////w==\"", "\"aGVsbG8=\""};
    switch (type->base) {
    case VALUE_TEXT:
    case VALUE_VARCHAR:
        append_short_text(random, type->base == VALUE_VARCHAR ? 12 : 0, out);
        break;
    case VALUE_BOOL:
        buf_append_text(out, one_in(random, 2) ? "true" : "false");
        break;
    case VALUE_DATE:
        buf_append_format(out, "\"%u-%02u-%02u\"", 1900 + random_below(random, 200),
                          1 + random_below(random, 12), 1 + random_below(random, 28));
        break;
    case VALUE_TIMESTAMP:
        append_time(random, false, out);
        break;
    case VALUE_TIMESTAMPTZ:
        append_time(random, true, out);
        break;
    case VALUE_UUID:
        buf_append_format(out, "\"%08x-0000-4000-8000-%012x\"", random_below(random, 5),
                          random_below(random, 9));
        break;
    case VALUE_JSONB:
        random_value(random, 2, out);
        break;
    case VALUE_BYTEA:
        buf_append_text(out, BYTES[random_below(random, COUNT(BYTES))]);
        break;
    default:
        append_number(random, type, out);
    }
}

/* One element, or the value of a column that is no array. */
static void append_one(struct random *random, const struct value_type *type, struct buf *out)
{
    bool time = type->base == VALUE_TIMESTAMP || type->base == VALUE_TIMESTAMPTZ;
    bool other = type->form == FORM_LOOSE && one_in(random, 2);
    if (type->form == FORM_NUMBER || (other && type->base == VALUE_TEXT)) {
        buf_append_format(out, "%d", (int)random_below(random, 2000) - 1000);
    } else if (time && (type->form == FORM_EPOCH_S || type->form == FORM_EPOCH_MS ||
                        type->form == FORM_EPOCH_US || other)) {
        append_epoch(random, type->form, out);
    } else if ((type->form == FORM_STRING || other) && type->base >= VALUE_BOOL &&
               type->base <= VALUE_NUMERIC) {
        buf_append_char(out, '"');
        append_natural(random, type, out);
        buf_append_char(out, '"');
    } else {
        append_natural(random, type, out);
    }
}

static void append_typed(struct random *random, const struct value_type *type, struct buf *out)
{
    if (!type->array) {
        append_one(random, type, out);
        return;
    }
    buf_append_char(out, '[');
    for (unsigned i = random_below(random, 4); i > 0; i--) {
        if (one_in(random, 6))
            buf_append_text(out, "null");
        else
            append_one(random, type, out);
        buf_append_text(out, i > 1 ? "," : "");
    }
    buf_append_char(out, ']');
}

void generate_value(struct random *random, const struct column *column, bool free, struct buf *out)
{
    struct buf inner;
    if (column->allow && !free) {
        yyjson_val *val = yyjson_arr_get(
            column->allow, random_below(random, (unsigned)yyjson_arr_size(column->allow)));
        json_append(out, val);
        return;
    }
    if (!column->decode_json || free) {
        append_typed(random, &column->type, out);
        return;
    }
    buf_init(&inner, 1 << 16);
    append_typed(random, &column->type, &inner);
    buf_append_json(out, buf_view(&inner));
    buf_free(&inner);
}

/* ---- records ----------------------------------------------------------------------------- */

/* Puts JSON text at a pointer, making what is on the way; where a value is in the way nothing is
 * put. An array is made for the pointers into one. */
static void put_text(yyjson_mut_doc *doc, const char *pointer, struct bytes text)
{
    yyjson_doc *parsed = NULL;
    if (json_parse(text, JSON_UNICODE_REPLACE, NULL, &parsed, NULL) != OUT_OK)
        return;
    if (strncmp(pointer, "/l/0", 4) == 0 && !yyjson_mut_doc_ptr_get(doc, "/l")) {
        yyjson_mut_val *list = yyjson_mut_arr(doc);
        yyjson_mut_arr_add_val(list, yyjson_mut_obj(doc));
        yyjson_mut_doc_ptr_set(doc, "/l", list);
    }
    yyjson_mut_doc_ptr_setn(doc, pointer, strlen(pointer),
                            yyjson_val_mut_copy(doc, yyjson_doc_get_root(parsed)));
    yyjson_doc_free(parsed);
}

static void put_column(struct random *random, const struct column *column, const char *pointer,
                       yyjson_mut_doc *doc, struct buf *text)
{
    unsigned choice = random_below(random, 40);
    if (choice < (column->required ? 1u : 5u))
        return;
    buf_reset(text);
    if (choice == 6 && !column->required)
        buf_append_text(text, "null");
    else if (choice == 7)
        random_value(random, 2, text);
    else if (column->seal || column->withhold)
        random_value(random, 1, text);
    else
        generate_value(random, column, false, text);
    put_text(doc, pointer, buf_view(text));
}

static void put_columns(struct random *random, const struct mapping *mapping, bool key,
                        yyjson_mut_doc *doc, struct buf *text)
{
    size_t first =
        mapping->column_count ? random_below(random, (unsigned)mapping->column_count) : 0;
    for (size_t i = 0; i < mapping->column_count; i++) {
        const struct column *column = &mapping->columns[(first + i) % mapping->column_count];
        if ((column->key_at >= 0) != key || column->source != FROM_POINTERS)
            continue;
        size_t chosen = random_below(random, (unsigned)column->pointer_count);
        for (size_t p = 0; p < column->pointer_count; p++)
            if (key ? p == chosen : (p == chosen || one_in(random, 3)))
                put_column(random, column, column->pointers[p], doc, text);
    }
}

static void put_others(struct random *random, yyjson_mut_doc *doc, unsigned rev, struct buf *text)
{
    static const char *const NAMES[] = {"/zoo", "/m/z", "/own/z", "/secret", "/token", "/", "/own"};
    for (unsigned i = random_below(random, 3); i > 0; i--) {
        buf_reset(text);
        random_value(random, 2, text);
        put_text(doc, NAMES[random_below(random, COUNT(NAMES))], buf_view(text));
    }
    buf_reset(text);
    buf_append_format(text, one_in(random, 4) ? "\"%u\"" : "%u", rev);
    put_text(doc, "/rev", buf_view(text));
    buf_reset(text);
    buf_append_format(text, "\"2024-01-01T%02u:%02u:%02u.000Z\"", rev / 3600, rev / 60 % 60,
                      rev % 60);
    put_text(doc, "/at", buf_view(text));
    put_text(doc, "/tenant", one_in(random, 2) ? BYTES_LITERAL("\"acme\"") : BYTES_LITERAL("12"));
}

static void append_document(yyjson_mut_doc *doc, struct buf *out)
{
    size_t size = 0;
    char *text = yyjson_mut_write(doc, YYJSON_WRITE_NOFLAG, &size);
    if (text)
        buf_append(out, text, size);
    free(text);
}

void generate_payload(struct random *random, const struct mapping *mapping, uint64_t identity,
                      unsigned rev, struct buf *out)
{
    struct buf text;
    struct random of_key = {identity};
    bool whole = false, decode = false;
    for (size_t i = 0; i < mapping->column_count; i++) {
        whole = whole || mapping->columns[i].source == FROM_VALUE;
        decode =
            decode || (mapping->columns[i].source == FROM_VALUE && mapping->columns[i].decode_json);
    }
    buf_init(&text, 1 << 18);
    if (whole && (decode || one_in(random, 4))) {
        random_value(random, 3, &text);
        if (decode)
            buf_append_json(out, buf_view(&text));
        else
            buf_append_bytes(out, buf_view(&text));
        buf_free(&text);
        return;
    }
    yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
    yyjson_mut_doc_set_root(doc, yyjson_mut_obj(doc));
    put_columns(random, mapping, false, doc, &text);
    put_others(random, doc, rev, &text);
    put_columns(&of_key, mapping, true, doc, &text);
    append_document(doc, out);
    yyjson_mut_doc_free(doc);
    buf_free(&text);
}

static bool is_pointed_at(const char *pointer, struct bytes name)
{
    return pointer && bytes_equal(bytes_text(pointer + 1), name);
}

static bool is_wanted(const struct mapping *mapping, bool identity, struct bytes name)
{
    if (identity && (is_pointed_at(mapping->tenant_pointer, name) ||
                     is_pointed_at(mapping->version_pointer, name)))
        return true;
    for (size_t i = 0; i < mapping->column_count; i++)
        if (mapping->columns[i].source == FROM_POINTERS &&
            is_pointed_at(mapping->columns[i].pointers[0], name))
            return true;
    return false;
}

void generate_stripped(const struct mapping *mapping, bool identity, struct bytes payload,
                       struct buf *out)
{
    yyjson_doc *doc = yyjson_read(payload.data, payload.size, YYJSON_READ_NUMBER_AS_RAW);
    yyjson_mut_doc *kept = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(kept);
    yyjson_obj_iter each = yyjson_obj_iter_with(yyjson_doc_get_root(doc));
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&each));)
        if (is_wanted(mapping, identity, bytes_of(yyjson_get_str(key), yyjson_get_len(key))))
            yyjson_mut_obj_add(root, yyjson_val_mut_copy(kept, key),
                               yyjson_val_mut_copy(kept, yyjson_obj_iter_get_val(key)));
    yyjson_mut_doc_set_root(kept, root);
    if (yyjson_is_obj(yyjson_doc_get_root(doc)))
        append_document(kept, out);
    yyjson_mut_doc_free(kept);
    yyjson_doc_free(doc);
}
