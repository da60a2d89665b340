/* The canonical form: equal content has equal bytes, different content has not (J09, J12, J13). */

#include <stdlib.h>
#include <string.h>

#include "common/model/json/canonical.h"
#include "common/model/json/json.h"
#include "tests/support/random_json.h"
#include "tests/support/suite.h"

#define COUNT(table) (int)(sizeof(table) / sizeof((table)[0]))

static yyjson_doc *parsed(const char *text)
{
    struct error err = {0};
    yyjson_doc *doc;
    enum outcome outcome = json_parse(bytes_text(text), JSON_UNICODE_REJECT, NULL, &doc, &err);
    ck_assert_msg(outcome == OUT_OK, "%s: %s", text, err.text);
    return doc;
}

static const struct {
    const char *text, *form;
} FORMS[] = {
    {"{}", "{}"},
    {"[]", "[]"},
    {"null", "null"},
    {" [ true , false ] ", "[true,false]"},
    {"{\"b\":1,\"a\":2,\"aa\":3,\"\":4,\"B\":5}", "{\"\":4,\"B\":5,\"a\":2,\"aa\":3,\"b\":1}"},
    {"{\"z\":{\"y\":1,\"x\":[{\"b\":1,\"a\":2}]}}", "{\"z\":{\"x\":[{\"a\":2,\"b\":1}],\"y\":1}}"},
    {"{\"abcdefgh2\":1,\"abcdefgh1\":2,\"abcdefgh\":3}",
     "{\"abcdefgh\":3,\"abcdefgh1\":2,\"abcdefgh2\":1}"},
    {"{\"\xC3\xA9\":1,\"z\":2}", "{\"z\":2,\"\xC3\xA9\":1}"}, /* unsigned bytes */
    {"[3,1,2]", "[3,1,2]"},
    {"\"\\u0041\\/\\\"\\\\\\n\\u001f\\u007f\"", "\"A/\\\"\\\\\\u000a\\u001f\x7f\""},
    {"[\"\\u00e9\",\"\\ud83d\\ude00\"]", "[\"\xC3\xA9\",\"\xF0\x9F\x98\x80\"]"},
    {"[0,-0,-0.0,0e5,0.000]", "[0,0,0,0,0]"},
    {"[1,1.0,1e0,10e-1,1.000]", "[1,1,1,1,1]"},
    {"[100,1e2,1E+2]", "[100,100,100]"},
    {"[-1.50,0.0010,123.456]", "[-1.5,0.001,123.456]"},
    {"9007199254740993", "9007199254740993"},
    {"1000000000000000000000000000000000000000", "1000000000000000000000000000000000000000"},
    {"1e300", "1e300"},
};

START_TEST(forms)
{
    struct buf out;
    buf_init(&out, 4096);
    yyjson_doc *doc = parsed(FORMS[_i].text);
    canonical_append(&out, yyjson_doc_get_root(doc));
    ck_assert_str_eq(buf_text(&out), FORMS[_i].form);
    yyjson_doc_free(doc);
    /* The form of the form is the form. */
    doc = parsed(FORMS[_i].form);
    buf_reset(&out);
    canonical_append(&out, yyjson_doc_get_root(doc));
    ck_assert_str_eq(buf_text(&out), FORMS[_i].form);
    yyjson_doc_free(doc);
    buf_free(&out);
}
END_TEST

static const struct {
    const char *a, *b;
    bool equal;
} PAIRS[] = {
    {"1", "1.0", true},
    {"1", "1e0", true},
    {"1.10", "1.1", true},
    {"0", "-0", true},
    {"-0.0", "0", true},
    {"1e2", "100", true},
    {"1e-2", "0.01", true},
    {"{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1.0}", true},
    {"\"\\u0041\"", "\"A\"", true},
    {"\"\\/\"", "\"/\"", true},
    {"9007199254740992", "9007199254740993", false},
    {"0.1", "0.10000000000000000555", false},
    {"18446744073709551615", "18446744073709551616", false},
    {"1", "\"1\"", false},
    {"1", "true", false},
    {"0", "false", false},
    {"null", "\"null\"", false},
    {"{}", "[]", false},
    {"{\"a\":null}", "{}", false},
    {"[1,2]", "[2,1]", false},
    {"[[1],2]", "[1,[2]]", false},
    {"\"a\"", "\"A\"", false},
    {"\"\xC3\xA9\"", "\"e\xCC\x81\"", false}, /* no Unicode normalisation */
    {"\"a \"", "\"a\"", false},
    {"{\"a\":\"b\"}", "{\"a\":\"c\"}", false},
};

START_TEST(pairs)
{
    struct buf scratch;
    struct digest digest_a, digest_b;
    buf_init(&scratch, 4096);
    yyjson_doc *a = parsed(PAIRS[_i].a), *b = parsed(PAIRS[_i].b);
    bool equal = canonical_equal(yyjson_doc_get_root(a), yyjson_doc_get_root(b));
    ck_assert_msg(equal == PAIRS[_i].equal, "%s and %s", PAIRS[_i].a, PAIRS[_i].b);
    ck_assert(canonical_digest(yyjson_doc_get_root(a), &scratch, &digest_a));
    ck_assert(canonical_digest(yyjson_doc_get_root(b), &scratch, &digest_b));
    ck_assert_int_eq(digest_equal(&digest_a, &digest_b), equal);
    yyjson_doc_free(a);
    yyjson_doc_free(b);
    buf_free(&scratch);
}
END_TEST

/* All orders of members, around the size where the sort changes its way. */
START_TEST(any_order_of_members)
{
    struct buf text, first, form;
    buf_init(&text, 65536);
    buf_init(&first, 65536);
    buf_init(&form, 65536);
    for (unsigned size = 1; size < 80; size += 3) {
        buf_reset(&first);
        for (unsigned step = 0; step < 7; step++) {
            buf_reset(&text);
            /* 79 is prime, so each k * step mod 79 is another number */
            for (unsigned i = 0; i < 79; i++) {
                unsigned name = (i * (step * 9 + 1)) % 79;
                if (name < size)
                    buf_append_format(&text, "%s\"member-%u\":%u", text.size ? "," : "{", name,
                                      name);
            }
            buf_append_char(&text, '}');
            yyjson_doc *doc = parsed(buf_text(&text));
            buf_reset(&form);
            canonical_append(&form, yyjson_doc_get_root(doc));
            yyjson_doc_free(doc);
            if (step == 0)
                buf_append_bytes(&first, buf_view(&form));
            ck_assert_str_eq(buf_text(&form), buf_text(&first));
        }
    }
    buf_free(&text);
    buf_free(&first);
    buf_free(&form);
}
END_TEST

/* Keys of 0 to 12 bytes, of few letters so that they share their beginnings. */
START_TEST(members_ascend)
{
    unsigned seed = 5;
    struct buf text, form;
    buf_init(&text, 65536);
    buf_init(&form, 65536);
    for (int round = 0; round < 2000; round++) {
        buf_reset(&text);
        for (int member = 0; member < 1 + round % 40; member++) {
            buf_append_text(&text, member ? ",\"" : "{\"");
            seed = seed * 1103515245 + 12345;
            for (unsigned left = (seed >> 16) % 13; left > 0; left--) {
                seed = seed * 1103515245 + 12345;
                buf_append_text(&text, (const char *[]){"a", "b", "\xC3\xA9"}[(seed >> 16) % 3]);
            }
            buf_append_text(&text, "\":0");
        }
        buf_append_char(&text, '}');
        yyjson_doc *doc, *sorted;
        if (json_parse(buf_view(&text), JSON_UNICODE_REJECT, NULL, &doc, NULL) != OUT_OK)
            continue; /* the same key twice */
        buf_reset(&form);
        canonical_append(&form, yyjson_doc_get_root(doc));
        ck_assert_uint_eq(form.size, text.size);
        sorted = parsed(buf_text(&form));
        struct bytes before = {0};
        yyjson_obj_iter iter = yyjson_obj_iter_with(yyjson_doc_get_root(sorted));
        for (yyjson_val *key; (key = yyjson_obj_iter_next(&iter));) {
            struct bytes name = bytes_of(yyjson_get_str(key), yyjson_get_len(key));
            ck_assert_msg(!before.data || bytes_compare(before, name) < 0, "%s", buf_text(&form));
            before = name;
        }
        yyjson_doc_free(doc);
        yyjson_doc_free(sorted);
    }
    buf_free(&text);
    buf_free(&form);
}
END_TEST

START_TEST(documents_built_in_memory)
{
    struct buf out;
    buf_init(&out, 4096);
    yyjson_mut_doc *made = yyjson_mut_doc_new(NULL);
    yyjson_mut_val *root = yyjson_mut_obj(made);
    yyjson_mut_doc_set_root(made, root);
    yyjson_mut_obj_add_int(made, root, "n", -5);
    yyjson_mut_obj_add_uint(made, root, "big", UINT64_MAX);
    yyjson_mut_obj_add_str(made, root, "a", "x\"y");
    yyjson_doc *doc = yyjson_mut_doc_imut_copy(made, NULL);
    canonical_append(&out, yyjson_doc_get_root(doc));
    ck_assert_str_eq(buf_text(&out), "{\"a\":\"x\\\"y\",\"big\":18446744073709551615,\"n\":-5}");
    yyjson_doc_free(doc);
    yyjson_mut_doc_free(made);
    buf_free(&out);
}
END_TEST

/* Stays the same for ever: digests are compared with those of earlier runs. */
START_TEST(a_known_digest)
{
    struct buf scratch;
    struct digest digest;
    char hex[33];
    buf_init(&scratch, 4096);
    yyjson_doc *doc = parsed("{\"b\":[1.0,\"x\"],\"a\":null}");
    ck_assert(canonical_digest(yyjson_doc_get_root(doc), &scratch, &digest));
    ck_assert_str_eq(buf_text(&scratch), "{\"a\":null,\"b\":[1,\"x\"]}");
    digest_format(&digest, hex);
    ck_assert_str_eq(hex, "61291ba4713e810dabca083088397e0c");
    yyjson_doc_free(doc);
    buf_free(&scratch);
}
END_TEST

START_TEST(a_form_too_large_for_the_scratch)
{
    struct buf scratch;
    struct digest digest;
    buf_init(&scratch, 8);
    yyjson_doc *doc = parsed("\"0123456789\"");
    ck_assert(!canonical_digest(yyjson_doc_get_root(doc), &scratch, &digest));
    yyjson_doc_free(doc);
    doc = parsed("\"012345\"");
    ck_assert(canonical_digest(yyjson_doc_get_root(doc), &scratch, &digest));
    yyjson_doc_free(doc);
    buf_free(&scratch);
}
END_TEST

/* ---- without a document ------------------------------------------------------------------- */

/* The members of an object stand in its form as they are told, whatever order the text before had;
 * what is no object has none. */
static void check_members(struct bytes text, const struct buf *form)
{
    static struct canonical_order order;
    struct canonical_member members[CANONICAL_MEMBERS_MAX];
    struct buf again, joined;
    size_t count = 0;
    buf_init(&again, 1 << 20);
    buf_init(&joined, 1 << 20);
    bool told = canonical_append_members(&again, text, &order, members, &count);
    ck_assert_int_eq(told, form->data[0] == '{');
    ck_assert(told || again.size == 0);
    for (size_t i = 0; i < count; i++) {
        buf_append_text(&joined, i ? ",\"" : "{\"");
        buf_append_bytes(&joined, members[i].name);
        buf_append_text(&joined, "\":");
        buf_append_bytes(&joined, members[i].value);
    }
    buf_append_text(&joined, count ? "}" : "{}");
    ck_assert(!told || bytes_equal(buf_view(&joined), buf_view(form)));
    buf_free(&again);
    buf_free(&joined);
}

/* What json_parse refuses is refused; else the form is that of the document, or there is none. */
static bool told_from_text(struct bytes text, struct buf *by_text, struct buf *by_document)
{
    yyjson_doc *doc = NULL;
    buf_reset(by_text);
    buf_reset(by_document);
    bool told = canonical_append_text(by_text, text);
    bool is_json = json_parse(text, JSON_UNICODE_REJECT, NULL, &doc, NULL) == OUT_OK;
    if (is_json)
        canonical_append(by_document, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    ck_assert_msg(!told || is_json, "no JSON: %.*s", BYTES_ARGS(text));
    ck_assert_msg(!told || bytes_equal(buf_view(by_text), buf_view(by_document)),
                  "%.*s\n by text     %s\n by document %s", BYTES_ARGS(text), buf_text(by_text),
                  buf_text(by_document));
    ck_assert(told || by_text->size == 0);
    if (told)
        check_members(text, by_text);
    return told;
}

static const struct {
    const char *text, *form; /* NULL: it is left to the document */
} TEXTS[] = {
    {"{}", "{}"},
    {" { } ", "{}"},
    {"[ ]", "[]"},
    {"{\"b\":1,\"a\":{\"y\":[1, 2],\"x\":null}}", "{\"a\":{\"x\":null,\"y\":[1,2]},\"b\":1}"},
    {"{\"a\":1,\"a\":2}", NULL},
    {"{\"b\":1,\"a\":2,\"b\":3}", NULL},
    {"{\"a\":1,}", NULL},
    {"{\"a\" 1}", NULL},
    {"{\"a\":1", NULL},
    {"[1,]", NULL},
    {"[1 2]", NULL},
    {"01", NULL},
    {"-0", "0"},
    {"-0.00", "0"},
    {"-0.50", "-0.5"},
    {"-", NULL},
    {"1.", NULL},
    {".5", NULL},
    {"1.5.2", NULL},
    {"1e2", NULL},
    {"123456789012345678", "123456789012345678"},
    {"12345678901234567890", NULL},
    {"\"a\\n\\\"\\/\\\\\"", "\"a\\u000a\\\"/\\\\\""},
    {"\"\\u0041\"", NULL},
    {"\"a", NULL},
    {"\"\t\"", NULL},
    {"\"\xff\"", NULL},
    {"\"\xed\xa0\x80\"", NULL},
    {"\"\xc3\xa4\"", "\"\xc3\xa4\""},
    {"tru", NULL},
    {"true false", NULL},
    {"", NULL},
    {"[[[[[[[[[1]]]]]]]]]", NULL},
};

START_TEST(texts)
{
    struct buf by_text, by_document;
    buf_init(&by_text, 4096);
    buf_init(&by_document, 4096);
    struct bytes text = bytes_text(TEXTS[_i].text);
    bool told = told_from_text(text, &by_text, &by_document);
    ck_assert_msg(told == (TEXTS[_i].form != NULL), "%s", TEXTS[_i].text);
    if (told)
        ck_assert_str_eq(buf_text(&by_text), TEXTS[_i].form);
    buf_free(&by_text);
    buf_free(&by_document);
}
END_TEST

/* CANONICAL_SEED runs another. */
START_TEST(random_texts)
{
    const char *given = getenv("CANONICAL_SEED");
    struct random random = {given ? strtoull(given, NULL, 10) : 20261129};
    struct buf text, by_text, by_document;
    unsigned told = 0, broken = 0;
    printf("seed %" PRIu64 "\n", random.state);
    buf_init(&text, 1u << 20);
    buf_init(&by_text, 1u << 20);
    buf_init(&by_document, 1u << 20);
    for (unsigned i = 0; i < 40000; i++) {
        static const char ODD[] = "{}[]\",:\\ u0-.eE\x01\x80\xc3";
        buf_reset(&text);
        random_value(&random, 4, &text);
        bool breaks = random_below(&random, 3) == 0;
        for (unsigned n = breaks ? 1 + random_below(&random, 3) : 0; n > 0; n--)
            text.data[random_below(&random, (unsigned)text.size)] =
                ODD[random_below(&random, sizeof ODD - 1)];
        bool it = told_from_text(buf_view(&text), &by_text, &by_document);
        told += it && !breaks;
        broken += it && breaks;
    }
    ck_assert_msg(told > 4000 && broken > 400, "%u and %u", told, broken);
    buf_free(&text);
    buf_free(&by_text);
    buf_free(&by_document);
}
END_TEST

static Suite *canonical_suite(void)
{
    Suite *suite = suite_create("canonical");
    TCase *tcase = tcase_create("canonical");
    tcase_add_loop_test(tcase, forms, 0, COUNT(FORMS));
    tcase_add_loop_test(tcase, pairs, 0, COUNT(PAIRS));
    tcase_add_loop_test(tcase, texts, 0, COUNT(TEXTS));
    tcase_add_test(tcase, random_texts);
    tcase_add_test(tcase, any_order_of_members);
    tcase_add_test(tcase, members_ascend);
    tcase_add_test(tcase, documents_built_in_memory);
    tcase_add_test(tcase, a_known_digest);
    tcase_add_test(tcase, a_form_too_large_for_the_scratch);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(canonical_suite)
