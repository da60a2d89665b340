#include "common/base/buf.h"

#include <stdint.h>
#include <string.h>

#include "tests/support/suite.h"

static bool holds(const struct buf *buf, const char *text, size_t size)
{
    return bytes_equal(buf_view(buf), bytes_of(text, size));
}

START_TEST(appends_in_order)
{
    struct buf buf;
    buf_init(&buf, 1 << 20);
    ck_assert_str_eq(buf_text(&buf), "");
    ck_assert_uint_eq(buf_view(&buf).size, 0);
    buf_append(&buf, NULL, 0);
    buf_append_text(&buf, "a");
    buf_append_char(&buf, '\0');
    buf_append_bytes(&buf, BYTES_LITERAL("bc"));
    buf_append_format(&buf, "%d-%s", 42, "x");
    buf_append_be16(&buf, 0x0102);
    buf_append_be32(&buf, 0x03040506);
    buf_append_be64(&buf, 0x0708090A0B0C0DFE);
    memcpy(buf_extend(&buf, 2), "yz", 2);
    static const char EXPECTED[] =
        "a\0bc42-x\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A\x0B\x0C\x0D\xFEyz";
    ck_assert(holds(&buf, EXPECTED, sizeof(EXPECTED) - 1));
    ck_assert_int_eq(buf_text(&buf)[buf.size], '\0');
    ck_assert(!buf.failed);
    size_t capacity = buf.capacity;
    buf_reset(&buf);
    ck_assert_str_eq(buf_text(&buf), "");
    ck_assert_uint_eq(buf.capacity, capacity);
    buf_free(&buf);
    buf_append_text(&buf, "again");
    ck_assert_str_eq(buf_text(&buf), "again");
    buf_free(&buf);
}
END_TEST

START_TEST(grows_byte_by_byte_and_in_leaps)
{
    struct buf buf;
    buf_init(&buf, 1 << 20);
    for (int i = 0; i < 5000; i++)
        buf_append_char(&buf, (char)('a' + i % 26));
    char *place = buf_extend(&buf, 300000);
    ck_assert_ptr_nonnull(place);
    memset(place, '.', 300000);
    ck_assert_uint_eq(buf.size, 305000);
    for (int i = 0; i < 5000; i++)
        ck_assert_int_eq(buf.data[i], 'a' + i % 26);
    ck_assert_uint_le(buf.capacity, buf.limit);
    buf_free(&buf);
}
END_TEST

/* Every append must stop at the limit, stick, and leave what was there. */
static void append_kind(struct buf *buf, int kind)
{
    switch (kind) {
    case 0:
        buf_append(buf, "12345678", 8);
        break;
    case 1:
        buf_append_text(buf, "12345678");
        break;
    case 2:
        buf_append_format(buf, "%08d", 12345678);
        break;
    case 3:
        buf_append_be64(buf, 0x3132333435363738);
        break;
    case 4:
        ck_assert_ptr_null(buf_extend(buf, 8));
        break;
    case 5:
        buf_append_json(buf, BYTES_LITERAL("123456"));
        break;
    case 6:
        buf_append_format(buf, "%0300d", 1);
        break;
    default:
        ck_assert_ptr_null(buf_extend(buf, SIZE_MAX));
        break;
    }
}

START_TEST(the_limit_sticks)
{
    struct buf buf;
    buf_init(&buf, 10);
    buf_append_text(&buf, "abc");
    append_kind(&buf, _i);
    ck_assert(buf.failed);
    size_t size = buf.size;
    buf_append_char(&buf, 'x');
    buf_append_be16(&buf, 1);
    buf_append_be32(&buf, 1);
    ck_assert_uint_eq(buf.size, size);
    ck_assert_uint_le(size, 10);
    ck_assert_int_eq(memcmp(buf_text(&buf), "abc", 3), 0);
    buf_reset(&buf);
    ck_assert(!buf.failed);
    buf_append_text(&buf, "1234567890");
    ck_assert(!buf.failed);
    ck_assert_str_eq(buf_text(&buf), "1234567890");
    buf_append_char(&buf, '1');
    ck_assert(buf.failed);
    buf_free(&buf);
}
END_TEST

START_TEST(long_formats_are_whole)
{
    struct buf buf;
    buf_init(&buf, 4096);
    for (int width = 250; width < 260; width++) {
        buf_reset(&buf);
        buf_append_format(&buf, "%0*d", width, 7);
        ck_assert_uint_eq(buf.size, (size_t)width);
        ck_assert_int_eq(buf_text(&buf)[width - 1], '7');
        ck_assert_int_eq(buf_text(&buf)[0], '0');
    }
    buf_free(&buf);
}
END_TEST

/* The versions of clang-format differ here. */
/* clang-format off */
#define JSON(name, in, out) {name, in, sizeof(in) - 1, out}
/* clang-format on */
static const struct {
    const char *name, *text;
    size_t size;
    const char *json;
} JSONS[] = {
    JSON("nothing", "", "\"\""),
    JSON("plain", "abc", "\"abc\""),
    JSON("quotes and backslashes", "a\"b\\c", "\"a\\\"b\\\\c\""),
    JSON("short escapes", "\n\r\t\b\f", "\"\\n\\r\\t\\b\\f\""),
    JSON("other controls", "\x01z\x1f", "\"\\u0001z\\u001f\""),
    JSON("NUL", "a\0b", "\"a\\u0000b\""),
    JSON("DEL stays", "\x7f", "\"\x7f\""),
    JSON("UTF-8 stays", "é€😀", "\"é€😀\""),
    JSON("invalid bytes are replaced one by one", "a\xff\xc3(", "\"a\uFFFD\uFFFD(\""),
    JSON("a surrogate", "\xed\xa0\x80", "\"\uFFFD\uFFFD\uFFFD\""),
    JSON("cut at the end", "x\xe2\x82", "\"x\uFFFD\uFFFD\""),
    JSON("slash stays", "a/b", "\"a/b\""),
};

START_TEST(json_strings)
{
    struct buf buf;
    buf_init(&buf, 4096);
    buf_append_json(&buf, bytes_of(JSONS[_i].text, JSONS[_i].size));
    ck_assert_msg(strcmp(buf_text(&buf), JSONS[_i].json) == 0, "%s: %s", JSONS[_i].name,
                  buf_text(&buf));
    buf_free(&buf);
}
END_TEST

START_TEST(json_of_no_bytes_at_all)
{
    struct buf buf;
    buf_init(&buf, 4096);
    buf_append_json(&buf, bytes_of(NULL, 0));
    ck_assert_str_eq(buf_text(&buf), "\"\"");
    buf_free(&buf);
}
END_TEST

static Suite *buf_suite(void)
{
    Suite *suite = suite_create("buf");
    TCase *tcase = tcase_create("buf");
    tcase_add_test(tcase, appends_in_order);
    tcase_add_test(tcase, grows_byte_by_byte_and_in_leaps);
    tcase_add_loop_test(tcase, the_limit_sticks, 0, 8);
    tcase_add_test(tcase, long_formats_are_whole);
    tcase_add_loop_test(tcase, json_strings, 0, sizeof(JSONS) / sizeof(JSONS[0]));
    tcase_add_test(tcase, json_of_no_bytes_at_all);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(buf_suite)
