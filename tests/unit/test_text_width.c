/* How wide text is on a terminal. */

#include <locale.h>
#include <string.h>
#include <wchar.h>

#include "common/base/text_width.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"

static const struct {
    const char *text;
    int width;
} ROWS[] = {
    /* The versions of clang-format differ here. */
    /* clang-format off */
    {"", 0},      {"plain", 5},     {"grün", 4},  {"通訳", 4},
    {"a😀b", 4},   {"e\xCC\x81", 1}, {"█▌··", 4},  {"\033[31mred\033[0m", 3},
    {"\xFFx", 2}, {"\xE9\x80", 2},  {"\033[", 0}, {"\xEF\xBC\xA1", 2},
    /* clang-format on */
};

START_TEST(width_of)
{
    struct bytes text = bytes_text(ROWS[_i].text);
    ck_assert_msg(text_width(text) == ROWS[_i].width, "%s: %d", ROWS[_i].text, text_width(text));
}
END_TEST

static size_t encode(uint32_t code, char out[5])
{
    size_t size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char FIRST[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = size; i-- > 1; code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)(FIRST[size] | code);
    out[size] = '\0';
    return size;
}

/* The C library knows the characters of its own Unicode: none is wider than we say. */
START_TEST(no_character_is_wider)
{
    if (!setlocale(LC_CTYPE, "C.UTF-8"))
        return;
    for (uint32_t code = 0x20; code < 0x30000; code++) {
        char text[5];
        if (code >= 0xD800 && code < 0xE000)
            continue;
        size_t size = encode(code, text);
        int theirs = wcwidth((wchar_t)code);
        ck_assert_msg(text_width(bytes_of(text, size)) >= theirs, "U+%04X is %d wide", code,
                      theirs);
    }
}
END_TEST

static void append_random(struct buf *out)
{
    static const char *const PARTS[] = {"a",
                                        " ",
                                        "ü",
                                        "通",
                                        "😀",
                                        "\xCC\x81",
                                        "\033[1;31m",
                                        "\033[0m",
                                        "█",
                                        "\xFF",
                                        "127.0.0.1:5432"};
    for (uint64_t left = random_below(40); left > 0; left--)
        buf_append_text(out, PARTS[random_below(sizeof PARTS / sizeof PARTS[0])]);
}

START_TEST(what_fits_fits)
{
    struct buf text, cut;
    random_begin((uint64_t)_i + 1);
    buf_init(&text, 4096);
    buf_init(&cut, 4096);
    append_random(&text);
    int all = text_width(buf_view(&text));
    for (int width = 0; width <= all + 1; width++) {
        buf_reset(&cut);
        text_append_fit(&cut, buf_view(&text), width);
        ck_assert_msg(text_width(buf_view(&cut)) <= width, "seed %lu, %d columns: %s",
                      (unsigned long)random_seed, width, buf_text(&cut));
        size_t size = text_width_fit(buf_view(&text), width);
        ck_assert(size <= text.size && (width < all || size == text.size));
        if (width >= all)
            ck_assert(bytes_equal(buf_view(&cut), buf_view(&text)));
    }
    buf_free(&text);
    buf_free(&cut);
}
END_TEST

static Suite *text_width_suite(void)
{
    Suite *suite = suite_create("text_width");
    TCase *tcase = tcase_create("width");
    tcase_add_loop_test(tcase, width_of, 0, (int)(sizeof ROWS / sizeof ROWS[0]));
    tcase_add_test(tcase, no_character_is_wider);
    tcase_add_loop_test(tcase, what_fits_fits, 0, 50);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(text_width_suite)
