#include "common/base/text.h"

#include <stdint.h>
#include <string.h>

#include "tests/support/suite.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define ROW(text) text, sizeof(text) - 1

static const struct {
    const char *name, *text;
    size_t size;
    int bad_at; /* -1: well-formed */
} UTF8[] = {
    {"nothing", ROW(""), -1},
    {"ASCII with NUL", ROW("a\0b"), -1},
    {"each length", ROW("aé€😀z"), -1},
    {"long ASCII then a bad byte", ROW("0123456789abcdef\xff"), 16},
    {"bad byte in the second word", ROW("01234567é1234\x80"), 14},
    {"smallest and largest of each length",
     ROW("\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80\xef\xbf\xbf\xf0"
         "\x90\x80\x80\xf4\x8f\xbf\xbf"),
     -1},
    {"overlong two", ROW("\xc0\x80"), 0},
    {"overlong two, largest", ROW("\xc1\xbf"), 0},
    {"overlong three", ROW("\xe0\x9f\xbf"), 0},
    {"overlong four", ROW("\xf0\x8f\xbf\xbf"), 0},
    {"first surrogate", ROW("a\xed\xa0\x80"), 1},
    {"last surrogate", ROW("\xed\xbf\xbf"), 0},
    {"before the surrogates", ROW("\xed\x9f\xbf"), -1},
    {"above U+10FFFF", ROW("\xf4\x90\x80\x80"), 0},
    {"no such lead", ROW("\xf5\x80\x80\x80"), 0},
    {"lone continuation", ROW("ab\x80"), 2},
    {"cut after one of two", ROW("a\xc3"), 1},
    {"cut after two of three", ROW("\xe2\x82"), 0},
    {"cut after three of four", ROW("\xf0\x9f\x98"), 0},
    {"a lead instead of a continuation", ROW("\xe2\xe2\x82"), 0},
    {"third byte bad", ROW("\xe2\x82g"), 0},
    {"fourth byte bad", ROW("\xf0\x9f\x98g"), 0},
};

START_TEST(knows_utf8)
{
    size_t at = 999;
    bool ok = text_is_utf8(bytes_of(UTF8[_i].text, UTF8[_i].size), &at);
    ck_assert_msg(ok == (UTF8[_i].bad_at < 0), "%s", UTF8[_i].name);
    ck_assert_msg(ok || at == (size_t)UTF8[_i].bad_at, "%s: at %zu", UTF8[_i].name, at);
    ck_assert(text_is_utf8(bytes_of(UTF8[_i].text, UTF8[_i].size), NULL) == ok);
}
END_TEST

static const struct {
    const char *name, *text;
    size_t size;
    const char *encoded;
} PERCENT[] = {
    {"nothing", ROW(""), ""},
    {"unreserved stays", ROW("azAZ09-._~"), "azAZ09-._~"},
    {"separators go", ROW("a:b/c%d"), "a%3Ab%2Fc%25d"},
    {"space, plus, star", ROW(" +*"), "%20%2B%2A"},
    {"any byte", ROW("\0\xff\n"), "%00%FF%0A"},
    {"UTF-8", ROW("é"), "%C3%A9"},
};

START_TEST(percent_encoding_goes_both_ways)
{
    struct buf buf, back;
    buf_init(&buf, 1000);
    buf_init(&back, 1000);
    struct bytes text = bytes_of(PERCENT[_i].text, PERCENT[_i].size);
    text_percent_encode(&buf, text);
    ck_assert_msg(strcmp(buf_text(&buf), PERCENT[_i].encoded) == 0, "%s: %s", PERCENT[_i].name,
                  buf_text(&buf));
    ck_assert(text_percent_decode(&back, buf_view(&buf)));
    ck_assert(bytes_equal(buf_view(&back), text));
    buf_free(&buf);
    buf_free(&back);
}
END_TEST

START_TEST(every_byte_survives_percent_encoding)
{
    char all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    struct buf buf, back;
    buf_init(&buf, 1000);
    buf_init(&back, 1000);
    text_percent_encode(&buf, bytes_of(all, sizeof(all)));
    ck_assert_uint_eq(buf.size, 66 + 3 * 190);
    ck_assert(text_percent_decode(&back, buf_view(&buf)));
    ck_assert(bytes_equal(buf_view(&back), bytes_of(all, sizeof(all))));
    buf_free(&buf);
    buf_free(&back);
}
END_TEST

static const struct {
    const char *text;
    const char *decoded; /* NULL: refused */
} DECODES[] = {
    {"%3a%3A", "::"}, {"%", NULL}, {"a%2", NULL}, {"%g0", NULL},   {"%0g", NULL},
    {"%%41", NULL},   {"", ""},    {"+", "+"},    {"%4%31", NULL},
};

START_TEST(percent_decoding_refuses_what_is_cut)
{
    struct buf buf;
    buf_init(&buf, 1000);
    bool ok = text_percent_decode(&buf, bytes_text(DECODES[_i].text));
    ck_assert_msg(ok == (DECODES[_i].decoded != NULL), "%s", DECODES[_i].text);
    if (ok)
        ck_assert_str_eq(buf_text(&buf), DECODES[_i].decoded);
    buf_free(&buf);
}
END_TEST

enum number_kind { NUMBER_INT64, NUMBER_SIZE, NUMBER_MILLIS };

static const struct {
    enum number_kind kind;
    const char *text;
    bool ok;
    int64_t value;
} NUMBERS[] = {
    {NUMBER_INT64, "0", true, 0},
    {NUMBER_INT64, "-0", true, 0},
    {NUMBER_INT64, "007", true, 7},
    {NUMBER_INT64, "9223372036854775807", true, INT64_MAX},
    {NUMBER_INT64, "9223372036854775808", false, 0},
    {NUMBER_INT64, "-9223372036854775808", true, INT64_MIN},
    {NUMBER_INT64, "-9223372036854775809", false, 0},
    {NUMBER_INT64, "18446744073709551616", false, 0},
    {NUMBER_INT64, "99999999999999999999999", false, 0},
    {NUMBER_INT64, "", false, 0},
    {NUMBER_INT64, "-", false, 0},
    {NUMBER_INT64, "+1", false, 0},
    {NUMBER_INT64, " 1", false, 0},
    {NUMBER_INT64, "1 ", false, 0},
    {NUMBER_INT64, "1e3", false, 0},
    {NUMBER_INT64, "--1", false, 0},
    {NUMBER_SIZE, "64", true, 64},
    {NUMBER_SIZE, "64k", true, 65536},
    {NUMBER_SIZE, "64K", true, 65536},
    {NUMBER_SIZE, "1kb", true, 1024},
    {NUMBER_SIZE, "16MiB", true, 16 << 20},
    {NUMBER_SIZE, "2gib", true, 2ll << 30},
    {NUMBER_SIZE, "1g", true, 1ll << 30},
    {NUMBER_SIZE, "8589934591g", true, 8589934591ll << 30},
    {NUMBER_SIZE, "17179869184g", false, 0},
    {NUMBER_SIZE, "1.5 GB", false, 0},
    {NUMBER_SIZE, "1 k", false, 0},
    {NUMBER_SIZE, "1ki", false, 0},
    {NUMBER_SIZE, "1b", false, 0},
    {NUMBER_SIZE, "-1", false, 0},
    {NUMBER_SIZE, "k", false, 0},
    {NUMBER_SIZE, "", false, 0},
    {NUMBER_MILLIS, "250", true, 250},
    {NUMBER_MILLIS, "250ms", true, 250},
    {NUMBER_MILLIS, "10s", true, 10000},
    {NUMBER_MILLIS, "5m", true, 300000},
    {NUMBER_MILLIS, "24h", true, 86400000},
    {NUMBER_MILLIS, "7d", true, 604800000},
    {NUMBER_MILLIS, "7w", false, 0},
    {NUMBER_MILLIS, "5 m", false, 0},
    {NUMBER_MILLIS, "1h30m", false, 0},
    {NUMBER_MILLIS, "18446744073709551615s", false, 0},
    {NUMBER_MILLIS, "", false, 0},
};

START_TEST(reads_numbers)
{
    int64_t value = -7;
    uint64_t positive = (uint64_t)-7;
    struct bytes text = bytes_text(NUMBERS[_i].text);
    bool ok = false;
    switch (NUMBERS[_i].kind) {
    case NUMBER_INT64:
        ok = text_parse_int64(text, &value);
        break;
    case NUMBER_SIZE:
        ok = text_parse_size(text, &positive);
        break;
    case NUMBER_MILLIS:
        ok = text_parse_millis(text, &positive);
        break;
    }
    if (NUMBERS[_i].kind != NUMBER_INT64)
        value = (int64_t)positive;
    ck_assert_msg(ok == NUMBERS[_i].ok, "\"%s\"", NUMBERS[_i].text);
    ck_assert_msg(value == (ok ? NUMBERS[_i].value : -7), "\"%s\": %lld", NUMBERS[_i].text,
                  (long long)value);
}
END_TEST

START_TEST(no_bytes_are_no_number)
{
    int64_t value;
    uint64_t positive;
    ck_assert(!text_parse_int64(bytes_of(NULL, 0), &value));
    ck_assert(!text_parse_size(bytes_of(NULL, 0), &positive));
    ck_assert(!text_parse_millis(bytes_of(NULL, 0), &positive));
    /* a view that ends inside a longer number */
    ck_assert(text_parse_int64(bytes_of("-123", 3), &value));
    ck_assert_int_eq(value, -12);
}
END_TEST

static const struct {
    const char *a, *b;
    unsigned distance;
} DISTANCES[] = {
    {"", "", 0},
    {"abc", "abc", 0},
    {"", "abc", 3},
    {"retension", "retention", 1},
    {"ab", "ba", 1},
    {"abcd", "acbd", 1},
    {"kitten", "sitting", 3},
    {"broker", "brokers", 1},
    {"ca", "abc", 3}, /* optimal string alignment: no edit inside a swap */
    {"0123456789012345678901234567890123456789012345678901234567890123", "", 64},
    {"01234567890123456789012345678901234567890123456789012345678901234", "", 255},
    {"a", "01234567890123456789012345678901234567890123456789012345678901234", 255},
};

START_TEST(counts_edits)
{
    const char *a = DISTANCES[_i].a, *b = DISTANCES[_i].b;
    ck_assert_msg(text_distance(a, b) == DISTANCES[_i].distance, "%s %s: %u", a, b,
                  text_distance(a, b));
    ck_assert_uint_eq(text_distance(b, a), DISTANCES[_i].distance);
}
END_TEST

START_TEST(suggests_only_what_is_near)
{
    static const char *const KEYS[] = {"partitions", NULL, "retention", "brokers", "broker"};
    static const struct {
        const char *word, *nearest;
    } WORDS[] = {
        {"retension", "retention"}, {"partition", "partitions"},
        {"brokesr", "brokers"},     {"brokr", "broker"},
        {"colour", NULL},           {"", NULL},
        {"broker", "broker"},
    };
    for (size_t i = 0; i < COUNT(WORDS); i++) {
        const char *nearest = text_nearest(WORDS[i].word, KEYS, COUNT(KEYS));
        ck_assert_msg(nearest == WORDS[i].nearest ||
                          (nearest && WORDS[i].nearest && !strcmp(nearest, WORDS[i].nearest)),
                      "%s: %s", WORDS[i].word, nearest ? nearest : "-");
    }
    ck_assert_ptr_null(text_nearest("x", NULL, 0));
}
END_TEST

START_TEST(shows_counts)
{
    static const struct {
        uint64_t value;
        const char *text;
    } ROWS[] = {
        {0, "0"},
        {7, "7"},
        {999, "999"},
        {1000, "1 000"},
        {12345, "12 345"},
        {100000, "100 000"},
        {1234567, "1 234 567"},
        {UINT64_MAX, "18 446 744 073 709 551 615"},
    };
    char out[28];
    for (size_t i = 0; i < COUNT(ROWS); i++)
        ck_assert_str_eq(text_format_count(ROWS[i].value, out), ROWS[i].text);
}
END_TEST

START_TEST(shows_sizes)
{
    static const struct {
        uint64_t value;
        const char *text;
    } ROWS[] = {
        {0, "0 B"},
        {1023, "1023 B"},
        {1024, "1.0 KiB"},
        {1536, "1.5 KiB"},
        {1024 * 1024 - 1, "1.0 MiB"},
        {1992294, "1.9 MiB"},
        {(1ull << 30) - (1 << 16), "1023.9 MiB"},
        {1ull << 30, "1.0 GiB"},
        {3ull << 50, "3.0 PiB"},
        {UINT64_MAX, "16.0 EiB"},
    };
    char out[16];
    for (size_t i = 0; i < COUNT(ROWS); i++)
        ck_assert_str_eq(text_format_size(ROWS[i].value, out), ROWS[i].text);
}
END_TEST

static const struct {
    const char *name, *text;
    size_t size, max;
    const char *shown;
} SAFE[] = {
    {"plain", ROW("abc é€😀"), 100, "abc é€😀"},
    {"nothing", ROW(""), 100, ""},
    {"controls", ROW("a\nb\x1b[31m\x7f"), 100, "a\\x0Ab\\x1B[31m\\x7F"},
    {"NUL", ROW("a\0b"), 100, "a\\x00b"},
    {"C1", ROW("\xc2\x85x\xc2\x9b"), 100, "\\u{85}x\\u{9B}"},
    {"no-break space stays", ROW("\xc2\xa0"), 100, "\xc2\xa0"},
    {"bidirectional override", ROW("a\u202Eb\u2066c"), 100, "a\\u{202E}b\\u{2066}c"},
    {"direction marks", ROW("\u061C\u200E\u200F\uFEFF"), 100,
     "\\u{61C}\\u{200E}\\u{200F}\\u{FEFF}"},
    {"line separator", ROW("\u2028"), 100, "\\u{2028}"},
    {"invalid", ROW("a\xff\xc3("), 100, "a\\xFF\\xC3("},
    {"cut", ROW("abcdef"), 3, "abc…"},
    {"cut exactly at the end", ROW("abc"), 3, "abc"},
    {"cut inside a character", ROW("ab€"), 4, "ab…"},
    {"cut to nothing", ROW("ab"), 0, "…"},
};

START_TEST(shows_text_safely)
{
    struct buf buf;
    buf_init(&buf, 1000);
    text_append_safe(&buf, bytes_of(SAFE[_i].text, SAFE[_i].size), SAFE[_i].max);
    ck_assert_msg(strcmp(buf_text(&buf), SAFE[_i].shown) == 0, "%s: %s", SAFE[_i].name,
                  buf_text(&buf));
    buf_free(&buf);
}
END_TEST

static const struct {
    const char *pattern, *text;
    bool match;
} GLOBS[] = {
    {"", "", true},
    {"", "a", false},
    {"*", "", true},
    {"*", "anything", true},
    {"abc", "abc", true},
    {"abc", "abcd", false},
    {"abcd", "abc", false},
    {"chat_session_*", "chat_session_42", true},
    {"chat_session_*", "chat_session_", true},
    {"chat_session_*", "chat_session", false},
    {"*_meta", "a_meta_meta", true},
    {"a*b*c", "axxbxxbc", true},
    {"a*b*c", "axxbxxb", false},
    {"?", "", false},
    {"?", "a", true},
    {"?", "€", true},
    {"a?c", "abc", true},
    {"?\?\?", "ab", false},
    {"[a]", "a", false},
    {"**a**", "bab", true},
    {"*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
};

START_TEST(matches_patterns)
{
    ck_assert_msg(text_glob(GLOBS[_i].pattern, bytes_text(GLOBS[_i].text)) == GLOBS[_i].match,
                  "%s on %s", GLOBS[_i].pattern, GLOBS[_i].text);
}
END_TEST

START_TEST(a_pattern_does_not_match_past_a_nul)
{
    ck_assert(!text_glob("a", bytes_of("a\0b", 3)));
    ck_assert(text_glob("a*", bytes_of("a\0b", 3)));
    ck_assert(!text_glob("a*c", bytes_of("a\0b", 3)));
    ck_assert(text_glob("*", bytes_of(NULL, 0)));
}
END_TEST

START_TEST(a_pointer_holds_any_name)
{
    struct buf out;
    buf_init(&out, 100);
    text_append_pointer_name(&out, BYTES_LITERAL("a/b~c~1"));
    ck_assert_str_eq(buf_text(&out), "a~1b~0c~01");
    buf_free(&out);
}
END_TEST

static Suite *text_suite(void)
{
    Suite *suite = suite_create("text");
    TCase *tcase = tcase_create("text");
    tcase_add_loop_test(tcase, knows_utf8, 0, COUNT(UTF8));
    tcase_add_loop_test(tcase, percent_encoding_goes_both_ways, 0, COUNT(PERCENT));
    tcase_add_test(tcase, every_byte_survives_percent_encoding);
    tcase_add_loop_test(tcase, percent_decoding_refuses_what_is_cut, 0, COUNT(DECODES));
    tcase_add_loop_test(tcase, reads_numbers, 0, COUNT(NUMBERS));
    tcase_add_test(tcase, no_bytes_are_no_number);
    tcase_add_loop_test(tcase, counts_edits, 0, COUNT(DISTANCES));
    tcase_add_test(tcase, suggests_only_what_is_near);
    tcase_add_test(tcase, shows_counts);
    tcase_add_test(tcase, shows_sizes);
    tcase_add_loop_test(tcase, shows_text_safely, 0, COUNT(SAFE));
    tcase_add_loop_test(tcase, matches_patterns, 0, COUNT(GLOBS));
    tcase_add_test(tcase, a_pattern_does_not_match_past_a_nul);
    tcase_add_test(tcase, a_pointer_holds_any_name);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(text_suite)
