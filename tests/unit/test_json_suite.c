/*
 * JSONTestSuite: what the reader, the mapping and the splitter make of its 318 cases (fault rows
 * J01, J02, J19). The outcomes stand in tests/data/json_suite.tsv; that PostgreSQL takes what is
 * accepted here is shown by the integration test of the same name.
 */

#include <stdio.h>
#include <string.h>

#include "common/model/json/canonical.h"
#include "common/model/json/json_stream.h"
#include "common/model/mapping/mapping.h"
#include "tests/support/json_cases.h"
#include "tests/support/suite.h"

static struct json_cases cases;

static void set_up(void)
{
    json_cases_load(&cases);
}

static void tear_down(void)
{
    json_cases_free(&cases);
}

static const char *outcome_of(struct bytes text, enum json_unicode unicode)
{
    struct error err = {0};
    yyjson_doc *doc;
    if (json_parse(text, unicode, NULL, &doc, &err) != OUT_OK)
        return error_code_id(err.code);
    yyjson_doc_free(doc);
    return "ok";
}

START_TEST(outcomes_are_those_of_the_table)
{
    for (size_t i = 0; i < cases.count; i++) {
        const struct json_case *item = &cases.items[i];
        const char *strict = outcome_of(buf_view(&item->text), JSON_UNICODE_REJECT);
        const char *replaced = outcome_of(buf_view(&item->text), JSON_UNICODE_REPLACE);
        ck_assert_msg(strcmp(strict, item->strict) == 0, "%s: %s", item->name, strict);
        ck_assert_msg(strcmp(replaced, item->replaced) == 0, "%s replaced: %s", item->name,
                      replaced);
    }
}
END_TEST

static bool is_one_of(const char *outcome, const char *all)
{
    return strstr(all, outcome) != NULL;
}

/* The table itself: nothing valid is called broken, nothing broken is taken. A valid text is
 * refused only for what a record may not hold: NUL (J03), duplicate members (J14). */
START_TEST(the_table_keeps_the_promise)
{
    int yes = 0, no = 0, either = 0, refused = 0;
    for (size_t i = 0; i < cases.count; i++) {
        const struct json_case *item = &cases.items[i];
        bool taken = strcmp(item->strict, "ok") == 0;
        yes += item->name[0] == 'y';
        no += item->name[0] == 'n';
        either += item->name[0] == 'i';
        if (item->name[0] == 'y' && !taken) {
            refused++;
            ck_assert_msg(is_one_of(item->strict, "DRV-J003 DRV-J005"), "%s", item->name);
        }
        if (item->name[0] == 'n') {
            ck_assert_msg(!taken, "%s", item->name);
            ck_assert_msg(strcmp(item->replaced, "ok") != 0, "%s", item->name);
        }
    }
    ck_assert_int_eq(yes, 95);
    ck_assert_int_eq(no, 188);
    ck_assert_int_eq(either, 35);
    ck_assert_int_eq(refused, 4);
}
END_TEST

#define WHOLE                                                                                      \
    "entity: w\ntable: w\nkey: [id]\n"                                                             \
    "columns:\n  - { name: id, from: $key, type: text }\n"                                         \
    "  - { name: whole, from: $value, type: jsonb }\n"
#define REST                                                                                       \
    "entity: r\ntable: r\nkey: [id]\nrest: extra\n"                                                \
    "columns:\n  - { name: id, from: /id, type: text }\n"

static struct mapping *compile(const char *yaml, const char *unicode)
{
    char text[512];
    struct error err;
    struct mapping *mapping = NULL;
    snprintf(text, sizeof(text), "%son_invalid_unicode: %s\n", yaml, unicode);
    enum outcome outcome = mapping_parse("m.yaml", bytes_text(text), &mapping, &err);
    ck_assert_msg(outcome == OUT_OK, "%s at %s", err.text, err.where);
    return mapping;
}

/* Forward and back; the outcome. What was accepted comes back canonically equal. */
static const char *through(const struct mapping *mapping, struct bytes payload, const char *name)
{
    struct error err = {0};
    struct arena arena;
    struct mapping_work work;
    struct row row;
    struct record record = {.tenant = BYTES_LITERAL("t"),
                            .version = 1,
                            .has_version = true,
                            .index = -1,
                            .source_key = BYTES_LITERAL("k"),
                            .payload = payload};
    arena_init(&arena, 1u << 22);
    mapping_work_init(&work);
    const char *said = "ok";
    if (mapping_forward(mapping, &record, &work, &arena, &row, &err) == OUT_OK) {
        yyjson_doc *back = NULL, *expected = NULL;
        ck_assert_int_eq(mapping_inverse(mapping, &row, &work, &back, &err), OUT_OK);
        ck_assert_int_eq(mapping_expected(mapping, &record, &work, &expected, &err), OUT_OK);
        ck_assert_msg(canonical_equal(yyjson_doc_get_root(back), yyjson_doc_get_root(expected)),
                      "%s came back as something else", name);
        yyjson_doc_free(back);
        yyjson_doc_free(expected);
    } else {
        said = error_code_id(err.code);
    }
    mapping_work_free(&work);
    arena_free(&arena);
    return said;
}

static void check_mappings(const char *unicode, bool replace)
{
    struct mapping *whole = compile(WHOLE, unicode), *rest = compile(REST, unicode);
    struct buf wrapped;
    buf_init(&wrapped, 1 << 20);
    for (size_t i = 0; i < cases.count; i++) {
        const struct json_case *item = &cases.items[i];
        const char *want = replace ? item->replaced : item->strict;
        const char *said = through(whole, buf_view(&item->text), item->name);
        ck_assert_msg(strcmp(said, want) == 0, "%s as a value: %s", item->name, said);
        buf_reset(&wrapped);
        buf_append_text(&wrapped, "{\"id\":\"x\",\"v\":");
        buf_append_bytes(&wrapped, buf_view(&item->text));
        buf_append_char(&wrapped, '}');
        said = through(rest, buf_view(&wrapped), item->name);
        /* inside of an object a broken text may be broken in another way, and some cut ones are
         * completed by what follows; what is taken must be so in both */
        if (strcmp(want, "ok") == 0)
            ck_assert_msg(strcmp(said, "ok") == 0, "%s as a member: %s", item->name, said);
        else
            ck_assert_msg(strcmp(said, "ok") != 0 || item->name[0] == 'n', "%s", item->name);
    }
    buf_free(&wrapped);
    mapping_free(whole);
    mapping_free(rest);
}

START_TEST(mappings_take_what_the_reader_takes)
{
    check_mappings("reject", false);
    check_mappings("replace", true);
}
END_TEST

static void describe(struct buf *out, enum json_stream_result result,
                     const struct json_record_text *record_text, const struct error *err)
{
    buf_append_format(out, "\n%zu:%zu@%zu#%zu ", (size_t)record_text->line,
                      (size_t)record_text->column, (size_t)record_text->byte,
                      (size_t)record_text->ordinal);
    if (result == JSON_STREAM_REJECTED)
        buf_append_text(out, error_code_id(err->code));
    else
        buf_append_bytes(out, record_text->text);
}

/* All the splitter says, the text fed in two chunks. */
static void split_said(struct bytes text, size_t split, struct buf *out)
{
    struct json_stream *stream = json_stream_new(JSON_SHAPE_DETECT, 1 << 20);
    struct bytes chunks[] = {{text.data, split}, {text.data + split, text.size - split}};
    struct json_record_text record_text;
    struct error err;
    size_t fed = 0;
    buf_reset(out);
    for (;;) {
        enum json_stream_result result = json_stream_next(stream, &record_text, &err);
        if (result == JSON_STREAM_END)
            break;
        if (result != JSON_STREAM_MORE) {
            describe(out, result, &record_text, &err);
            continue;
        }
        while (fed < 2 && chunks[fed].size == 0)
            fed++;
        if (fed < 2)
            json_stream_feed(stream, chunks[fed++]);
        else
            json_stream_finish(stream);
    }
    json_stream_free(stream);
}

/* J19 over the suite: each file of up to 4 KiB, split at every byte. */
START_TEST(the_splitter_says_the_same_at_every_split)
{
    struct buf whole, parts;
    buf_init(&whole, 1 << 20);
    buf_init(&parts, 1 << 20);
    for (size_t i = 0; i < cases.count; i++) {
        struct bytes text = buf_view(&cases.items[i].text);
        split_said(text, text.size, &whole);
        for (size_t at = 0; at < text.size && text.size <= 4096; at++) {
            split_said(text, at, &parts);
            ck_assert_msg(bytes_equal(buf_view(&whole), buf_view(&parts)), "%s split at %zu",
                          cases.items[i].name, at);
        }
    }
    buf_free(&whole);
    buf_free(&parts);
}
END_TEST

static Suite *json_suite_suite(void)
{
    Suite *suite = suite_create("json_suite");
    TCase *tcase = tcase_create("json_suite");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, outcomes_are_those_of_the_table);
    tcase_add_test(tcase, the_table_keeps_the_promise);
    tcase_add_test(tcase, mappings_take_what_the_reader_takes);
    tcase_add_test(tcase, the_splitter_says_the_same_at_every_split);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(json_suite_suite)
