/*
 * The promise of `exact`, on generated values of every type and form: called exact, a value comes
 * back canonically equal; called inexact, it does not.
 */

#include <string.h>

#include "common/model/json/canonical.h"
#include "common/model/json/json.h"
#include "common/model/value/value.h"
#include "tests/support/suite.h"

#define COUNT(table) (int)(sizeof(table) / sizeof((table)[0]))

static struct arena arena;

static void set_up(void)
{
    arena_init(&arena, 16 * 1024 * 1024);
}

static void tear_down(void)
{
    arena_free(&arena);
}

static struct value_type type_of(const char *name, enum value_form form)
{
    struct value_type type;
    ck_assert_msg(value_type_parse(bytes_text(name), &type), "%s", name);
    type.form = form;
    ck_assert_msg(value_form_fits(&type), "%s", name);
    return type;
}

static yyjson_doc *parsed(const char *text)
{
    struct error err = {0};
    yyjson_doc *doc;
    enum outcome outcome = json_parse(bytes_text(text), JSON_UNICODE_REJECT, NULL, &doc, &err);
    ck_assert_msg(outcome == OUT_OK, "%s: %s", text, err.text);
    return doc;
}

static enum error_code encode(const struct value_type *type, const char *json, struct cell *cell,
                              bool *exact)
{
    struct error err = {0};
    yyjson_doc *doc = parsed(json);
    enum outcome outcome = value_encode(type, yyjson_doc_get_root(doc), &arena, cell, exact, &err);
    yyjson_doc_free(doc);
    ck_assert(outcome == OUT_OK || outcome == OUT_REJECT);
    return outcome == OUT_OK ? ERR_NONE : err.code;
}

/* Decodes and writes as JSON text into `out`; false for a malformed cell. */
static bool decode(const struct value_type *type, struct cell cell, struct buf *out)
{
    yyjson_mut_doc *made = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *val = value_decode(type, cell, made);
    buf_reset(out);
    if (val) {
        yyjson_mut_doc_set_root(made, val);
        yyjson_doc *doc = yyjson_mut_doc_imut_copy(made, NULL);
        json_append(out, yyjson_doc_get_root(doc));
        yyjson_doc_free(doc);
    }
    yyjson_mut_doc_free(made);
    return val != NULL;
}

#define NAT FORM_NATURAL
#define STR FORM_STRING
#define NUM FORM_NUMBER

static unsigned next_random(unsigned *seed)
{
    *seed = *seed * 1103515245 + 12345;
    return *seed >> 16;
}

static void random_number(struct buf *out, unsigned *seed)
{
    unsigned digits = 1 + next_random(seed) % 20;
    buf_append_text(out, next_random(seed) % 3 ? "" : "-");
    buf_append_format(out, "%u", 1 + next_random(seed) % 9);
    for (unsigned i = 1; i < digits; i++)
        buf_append_format(out, "%u", next_random(seed) % 10);
    if (next_random(seed) % 2)
        buf_append_format(out, ".%0*u", (int)(1 + next_random(seed) % 9), next_random(seed));
    if (next_random(seed) % 4 == 0)
        buf_append_format(out, "e%d", (int)(next_random(seed) % 60) - 30);
}

static void random_time(struct buf *out, unsigned *seed)
{
    static const char *const ZONES[] = {"Z", "Z", "Z", "+05:30", "-0800", "z", ""};
    buf_append_format(out, "%04u-%02u-%02uT%02u:%02u:%02u", 1 + next_random(seed) % 9999,
                      1 + next_random(seed) % 12, 1 + next_random(seed) % 28,
                      next_random(seed) % 24, next_random(seed) % 60, next_random(seed) % 60);
    unsigned digits = next_random(seed) % 9;
    buf_append_text(out, digits ? "." : "");
    for (unsigned i = 0; i < digits; i++)
        buf_append_format(out, "%u", next_random(seed) % 10);
    buf_append_text(out, ZONES[next_random(seed) % COUNT(ZONES)]);
}

static void random_value(const struct value_type *type, struct buf *out, unsigned *seed)
{
    bool quoted = type->form == STR || type->base >= VALUE_DATE;
    if (type->form >= NUM)
        quoted = false;
    buf_append_text(out, quoted ? "\"" : "");
    if (type->form >= FORM_EPOCH_S)
        buf_append_format(out, "%u%05u.%u", next_random(seed) % 99999, next_random(seed) % 99999,
                          next_random(seed));
    else if (type->base == VALUE_TIMESTAMP || type->base == VALUE_TIMESTAMPTZ)
        random_time(out, seed);
    else
        random_number(out, seed);
    buf_append_text(out, quoted ? "\"" : "");
}

static const struct {
    const char *type;
    enum value_form form;
    int exact_min; /* of 2,000, so that the test looks at something */
} PROPERTIES[] = {
    {"int2", NAT, 8},
    {"int4", NAT, 40},
    {"int8", NAT, 200},
    {"int8", STR, 200},
    {"float4", NAT, 80},
    {"float8", NAT, 800},
    {"float8", STR, 400},
    {"numeric", NAT, 1960},
    {"numeric", STR, 1200},
    {"numeric(20,9)", NAT, 360},
    {"numeric(20,9)", STR, 20},
    {"text", NUM, 1960},
    {"timestamptz", NAT, 120},
    {"timestamp", NAT, 40},
    {"timestamptz", FORM_EPOCH_S, 1600},
    {"timestamptz", FORM_EPOCH_MS, 60},
    {"timestamptz", FORM_EPOCH_US, 1},
};

START_TEST(exact_values_come_back)
{
    struct value_type type = type_of(PROPERTIES[_i].type, PROPERTIES[_i].form);
    struct buf json, out;
    unsigned seed = 42 + (unsigned)_i;
    int exact_count = 0;
    buf_init(&json, 4096);
    buf_init(&out, 4096);
    for (int round = 0; round < 2000; round++) {
        struct cell cell, again;
        bool exact, exact_again;
        buf_reset(&json);
        random_value(&type, &json, &seed);
        if (encode(&type, buf_text(&json), &cell, &exact) != ERR_NONE)
            continue;
        ck_assert_msg(decode(&type, cell, &out), "%s", buf_text(&json));
        yyjson_doc *source = parsed(buf_text(&json)), *back = parsed(buf_text(&out));
        bool equal = canonical_equal(yyjson_doc_get_root(source), yyjson_doc_get_root(back));
        ck_assert_msg(equal == exact, "%s: %s gave %s, exact %d", PROPERTIES[_i].type,
                      buf_text(&json), buf_text(&out), exact);
        /* What came back is always exact, and the same cell. */
        ck_assert_int_eq(encode(&type, buf_text(&out), &again, &exact_again), ERR_NONE);
        ck_assert_msg(exact_again, "%s gave %s", buf_text(&json), buf_text(&out));
        if (type.base != VALUE_NUMERIC || type.form == STR) /* whose scale may change */
            ck_assert(bytes_equal(bytes_of(again.data, (size_t)again.size),
                                  bytes_of(cell.data, (size_t)cell.size)));
        exact_count += exact;
        yyjson_doc_free(source);
        yyjson_doc_free(back);
    }
    ck_assert_msg(exact_count >= PROPERTIES[_i].exact_min, "%s %d: only %d", PROPERTIES[_i].type,
                  type.form, exact_count);
    buf_free(&json);
    buf_free(&out);
}
END_TEST

static Suite *value_exact_suite(void)
{
    Suite *suite = suite_create("value_exact");
    TCase *tcase = tcase_create("value_exact");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, exact_values_come_back, 0, COUNT(PROPERTIES));
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(value_exact_suite)
