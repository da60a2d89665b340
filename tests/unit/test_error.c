#include "common/base/error.h"

#include <stdio.h>
#include <string.h>

#include "common/base/bytes.h"
#include "common/base/text.h"
#include "tests/support/suite.h"

static const struct {
    const char *name;
    enum error_code code;
    const char *text, *where, *cause, *hint, *path;
    const char *lines;
} FORMATS[] = {
    {"a suggestion stands beside its place", ERR_CONF_UNKNOWN,
     "unknown key \"retension\" under topics.source", "drover.yaml:14:5", "",
     "did you mean \"retention\"?", "",
     "error[DRV-C007]: unknown key \"retension\" under topics.source\n"
     "  where: drover.yaml:14:5      did you mean \"retention\"?"},
    {"a suggestion without a place", ERR_USAGE, "unknown flag --tpic", "", "",
     "did you mean --topic?", "",
     "error[DRV-C001]: unknown flag --tpic\n  try:   did you mean --topic?"},
    {"all parts, a hint of its own", ERR_PG_DATA, "PostgreSQL refused 1 row",
     "drover.shop.source-3@88121", "22001 value too long", "widen the column", "/currency",
     "error[DRV-P110]: PostgreSQL refused 1 row\n  cause: 22001 value too long\n"
     "  where: drover.shop.source-3@88121 at /currency\n  try:   widen the column"},
    {"the code's advice when there is no hint", ERR_KAFKA_TOPIC, "topic drover.a is missing", "",
     "", "", "", "error[DRV-K003]: topic drover.a is missing\n  try:   drover topics apply"},
    {"only a path", ERR_JSON_NUL, "NUL in a string", "", "", "x", "/a",
     "error[DRV-J003]: NUL in a string\n  where: /a\n  try:   x"},
    {"the meaning when there is no text, no advice", ERR_NONE, "", "", "", "", "",
     "error[DRV-0000]: no error"},
    {"lines and escapes of the other side are flattened", ERR_PG_DATA, "a\nb", "",
     "ERROR: x\n\x1b[31mDETAIL\r\n", "h", "",
     "error[DRV-P110]: a b\n  cause: ERROR: x  [31mDETAIL\n  try:   h"},
    {"what turns the reading direction is shown", ERR_SOURCE_OPEN, "no file", "a\u202E.json", "",
     "h", "", "error[DRV-S001]: no file\n  where: a\\u{202E}.json\n  try:   h"},
};

START_TEST(formats_the_lines_people_see)
{
    struct error err;
    enum outcome outcome = error_set(&err, OUT_FATAL, FORMATS[_i].code, "%s", FORMATS[_i].text);
    ck_assert_int_eq(outcome, OUT_FATAL);
    error_where(&err, "%s", FORMATS[_i].where);
    error_cause(&err, "%s", FORMATS[_i].cause);
    error_hint(&err, "%s", FORMATS[_i].hint);
    error_path(&err, "%s", FORMATS[_i].path);
    char lines[2048];
    size_t length = error_format(&err, lines, sizeof(lines));
    ck_assert_msg(strcmp(lines, FORMATS[_i].lines) == 0, "%s:\n%s", FORMATS[_i].name, lines);
    ck_assert_uint_eq(length, strlen(lines));
}
END_TEST

START_TEST(cuts_at_a_character)
{
    /* Shift the cut through all positions inside two- to four-byte characters. */
    static const char *const CHARACTERS[] = {"é", "€", "😀"};
    const char *character = CHARACTERS[_i];
    for (size_t lead = 0; lead < 4; lead++) {
        char long_text[400] = "";
        memset(long_text, 'x', lead);
        long_text[lead] = '\0';
        while (strlen(long_text) + 4 < sizeof(long_text))
            strcat(long_text, character);
        struct error err;
        error_set(&err, OUT_REJECT, ERR_JSON_SIZE, "%s", long_text);
        error_path(&err, "%s", long_text);
        size_t length = strlen(err.text);
        ck_assert(length > sizeof(err.text) - 5 && length < sizeof(err.text));
        ck_assert(text_is_utf8(bytes_text(err.text), NULL));
        ck_assert(text_is_utf8(bytes_text(err.path), NULL));
        for (size_t size = 1; size < 40; size++) {
            char small[64];
            size_t written = error_format(&err, small, size);
            ck_assert(written < size && small[written] == '\0');
            ck_assert(text_is_utf8(bytes_text(small), NULL));
        }
    }
}
END_TEST

START_TEST(invalid_text_is_cut_too)
{
    char continuations[400];
    memset(continuations, 0xBF, sizeof(continuations) - 1);
    continuations[sizeof(continuations) - 1] = '\0';
    struct error err;
    error_set(&err, OUT_REJECT, ERR_JSON_UNICODE, "%s", continuations);
    ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
    char lines[4096];
    error_format(&err, lines, sizeof(lines));
    ck_assert(text_is_utf8(bytes_text(lines), NULL));
}
END_TEST

START_TEST(setting_again_clears_the_parts_and_may_quote_itself)
{
    struct error err;
    error_set(&err, OUT_RETRY, ERR_PG_TRANSIENT, "first");
    error_where(&err, "here");
    error_cause(&err, "because");
    error_hint(&err, "wait");
    error_path(&err, "/x");
    error_set(&err, OUT_FATAL, ERR_INTERNAL, "%s at %s: %s", err.text, err.where, err.cause);
    ck_assert_str_eq(err.text, "first at here: because");
    ck_assert_int_eq(err.outcome, OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_INTERNAL);
    ck_assert_str_eq(err.where, "");
    ck_assert_str_eq(err.cause, "");
    ck_assert_str_eq(err.hint, "");
    ck_assert_str_eq(err.path, "");
    error_cause(&err, "%s again", err.text);
    ck_assert_str_eq(err.cause, "first at here: because again");
}
END_TEST

START_TEST(nobody_needs_to_listen)
{
    ck_assert_int_eq(error_set(NULL, OUT_RETRY, ERR_PG_TRANSIENT, "x"), OUT_RETRY);
    error_where(NULL, "x");
    error_cause(NULL, "x");
    error_hint(NULL, "x");
    error_path(NULL, "x");
    struct error err;
    error_set(&err, OUT_FATAL, ERR_INTERNAL, "x");
    ck_assert_uint_eq(error_format(&err, NULL, 0), 0);
}
END_TEST

START_TEST(every_code_is_documented_once)
{
    enum error_code codes[] = {
#define X(name, id, exit_code, meaning, advice) name,
        ERROR_CODES(X)
#undef X
    };
    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        const char *id = error_code_id(codes[i]);
        ck_assert_uint_eq(strlen(id), 8);
        enum error_code found;
        ck_assert_msg(error_code_find(id, &found) && found == codes[i], "%s is used twice", id);
        ck_assert_msg(error_code_meaning(codes[i])[0], "%s has no meaning", id);
        ck_assert_msg(i == 0 || error_code_advice(codes[i])[0], "%s has no advice", id);
        ck_assert_int_le(error_code_exit(codes[i]), EXIT_STOPPED);
    }
}
END_TEST

START_TEST(codes_are_found_in_any_case)
{
    enum error_code code = ERR_NONE;
    ck_assert(error_code_find("drv-j002", &code));
    ck_assert_int_eq(code, ERR_JSON_UNICODE);
    ck_assert(!error_code_find("DRV-Z999", &code));
    ck_assert(!error_code_find("", &code));
    ck_assert_int_eq(error_code_exit(ERR_USAGE), EXIT_USAGE);
    ck_assert_str_eq(error_code_id((enum error_code)9999), "DRV-X999");
}
END_TEST

static Suite *error_suite(void)
{
    Suite *suite = suite_create("error");
    TCase *tcase = tcase_create("error");
    tcase_add_loop_test(tcase, formats_the_lines_people_see, 0,
                        sizeof(FORMATS) / sizeof(FORMATS[0]));
    tcase_add_loop_test(tcase, cuts_at_a_character, 0, 3);
    tcase_add_test(tcase, invalid_text_is_cut_too);
    tcase_add_test(tcase, setting_again_clears_the_parts_and_may_quote_itself);
    tcase_add_test(tcase, nobody_needs_to_listen);
    tcase_add_test(tcase, every_code_is_documented_once);
    tcase_add_test(tcase, codes_are_found_in_any_case);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(error_suite)
