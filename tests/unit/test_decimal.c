/* Exact decimals: limits, canonical uniqueness, PostgreSQL's numeric against known vectors. */

#include <stdio.h>
#include <string.h>

#include "common/model/value/decimal.h"
#include "tests/support/suite.h"

static struct bytes hex_to(const char *hex, char *out)
{
    size_t size = 0;
    for (; hex[0] && hex[1]; hex += hex[2] == ' ' ? 3 : 2) {
        unsigned byte;
        ck_assert_int_eq(sscanf(hex, "%2x", &byte), 1);
        out[size++] = (char)byte;
    }
    return bytes_of(out, size);
}

static struct decimal parsed(const char *text)
{
    struct decimal decimal;
    ck_assert_msg(decimal_parse(bytes_text(text), &decimal), "refused: %s", text);
    return decimal;
}

/* Text, canonical form, plain form with its scale. */
static const struct {
    const char *text, *canonical, *plain;
} FORMS[] = {
    {"0", "0", "0"},
    {"-0", "0", "0"},
    {"-0.00", "0", "0.00"},
    {"0e5", "0", "0"},
    {"0e-5", "0", "0.00000"},
    {"1", "1", "1"},
    {"1.0", "1", "1.0"},
    {"1e0", "1", "1"},
    {"1.10", "1.1", "1.10"},
    {"-12.50e3", "-12500", "-12500"},
    {"100", "100", "100"},
    {"1e2", "100", "100"},
    {"1E+2", "100", "100"},
    {"100e-2", "1", "1.00"},
    {"0.005", "0.005", "0.005"},
    {"5e-3", "0.005", "0.005"},
    {"12345.678", "12345.678", "12345.678"},
    {"42.50000", "42.5", "42.50000"},
    {"9007199254740992", "9007199254740992", "9007199254740992"},
    {"9007199254740993", "9007199254740993", "9007199254740993"},
    {"18446744073709551616", "18446744073709551616", "18446744073709551616"},
    {"1234567890123456789012345678901234567891", "1234567890123456789012345678901234567891",
     "1234567890123456789012345678901234567891"},
    {"1e40", "10000000000000000000000000000000000000000",
     "10000000000000000000000000000000000000000"},
    {"10000000000000000000000000000000000000000", "10000000000000000000000000000000000000000",
     "10000000000000000000000000000000000000000"},
    {"1e41", "1e41", "100000000000000000000000000000000000000000"},
    {"1.5e41", "1.5e41", "150000000000000000000000000000000000000000"},
    {"1e-40", "0.0000000000000000000000000000000000000001",
     "0.0000000000000000000000000000000000000001"},
    {"-15e-42", "-1.5e-41", "-0.000000000000000000000000000000000000000015"},
    {"1e-41", "1e-41", "0.00000000000000000000000000000000000000001"},
};

START_TEST(forms)
{
    char memory[4096];
    struct buf out = {.data = memory, .capacity = sizeof(memory) - 1, .limit = sizeof(memory) - 1};
    struct decimal decimal = parsed(FORMS[_i].text);
    decimal_append_canonical(&out, &decimal);
    ck_assert_str_eq(buf_text(&out), FORMS[_i].canonical);
    buf_reset(&out);
    decimal_append_plain(&out, &decimal);
    ck_assert_str_eq(buf_text(&out), FORMS[_i].plain);
    struct decimal again = parsed(FORMS[_i].canonical);
    ck_assert_int_eq(decimal_compare(&decimal, &again), 0);
}
END_TEST

#define FIFTY "12345678901234567890123456789012345678901234567890"
#define ZEROS "00000000000000000000000000000000000000000000000000"

static const char *const REFUSED[] = {
    "",
    "-",
    "+1",
    "01",
    "-01",
    "00",
    "1.",
    ".5",
    "1e",
    "1e+",
    "1e-",
    "e5",
    "0x10",
    "1_000",
    " 1",
    "1 ",
    "1.2.3",
    "--1",
    "NaN",
    "Infinity",
    "1,5",
    "1e400",
    "1e309",
    "-1e309",
    "1e131071",
    "1e999999999",
    "1e-309",
    "1e-999999999",
    "1e99999999999999999999",
    "0e400",
    FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY "1234567891e-5",   /* 310 digits */
    "1." ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS "0000000001", /* 310 significant by zeros inside */
    FIFTY FIFTY FIFTY FIFTY FIFTY FIFTY "1234567891",
};

START_TEST(refused)
{
    struct decimal decimal;
    ck_assert_msg(!decimal_parse(bytes_text(REFUSED[_i]), &decimal), "accepted: %s", REFUSED[_i]);
}
END_TEST

/* Fault row J11: a million zeros are one number, not a million digits. */
START_TEST(zeros_cost_nothing)
{
    static char text[1000003];
    memset(text, '0', sizeof(text));
    text[0] = '1';
    text[1] = '.';
    struct decimal decimal;
    ck_assert(!decimal_parse(bytes_of(text, sizeof(text)), &decimal)); /* scale beyond 1000 */
    ck_assert(decimal_parse(bytes_of(text, 1002), &decimal));
    ck_assert_int_eq(decimal.scale, 1000);
    ck_assert_int_eq(decimal.count, 1);
    ck_assert(!decimal_parse(bytes_of(text, 1003), &decimal));
    text[1] = '0';
    ck_assert(decimal_parse(bytes_of(text, 309), &decimal)); /* 1e308 written out */
    ck_assert_int_eq(decimal.exponent, 308);
    ck_assert(!decimal_parse(bytes_of(text, 310), &decimal));
}
END_TEST

/* numeric_send of PostgreSQL 15: select encode(numeric_send('…'), 'hex'). */
static const struct {
    const char *text, *hex;
} NUMERICS[] = {
    {"0", "0000 0000 0000 0000"},
    {"0.00", "0000 0000 0000 0002"},
    {"1", "0001 0000 0000 0000 0001"},
    {"-1", "0001 0000 4000 0000 0001"},
    {"9999", "0001 0000 0000 0000 270f"},
    {"10000", "0001 0001 0000 0000 0001"},
    {"0.0001", "0001 ffff 0000 0004 0001"},
    {"0.00001", "0001 fffe 0000 0005 03e8"},
    {"12345.678", "0003 0001 0000 0003 0001 0929 1a7c"},
    {"1e20", "0001 0005 0000 0000 0001"},
    {"42.53176", "0003 0000 0000 0005 002a 14c5 1770"},
    {"42.50000", "0002 0000 0000 0005 002a 1388"},
    {"1.10", "0002 0000 0000 0002 0001 03e8"},
    {"-0.5", "0001 ffff 4000 0001 1388"},
};

static struct bytes numeric_hex(const char *hex, char *out)
{
    char tight[256];
    size_t size = 0;
    for (; *hex; hex++) {
        if (*hex != ' ')
            tight[size++] = *hex;
    }
    tight[size] = '\0';
    return hex_to(tight, out);
}

START_TEST(numeric_vectors)
{
    char expected_memory[128], memory[128];
    struct bytes expected = numeric_hex(NUMERICS[_i].hex, expected_memory);
    struct buf out = {.data = memory, .capacity = 127, .limit = 127};
    struct decimal decimal = parsed(NUMERICS[_i].text);
    decimal_append_numeric(&out, &decimal);
    ck_assert_msg(bytes_equal(buf_view(&out), expected), "%s", NUMERICS[_i].text);
    struct decimal back;
    ck_assert(decimal_from_numeric(expected, &back));
    ck_assert_int_eq(decimal_compare(&back, &decimal), 0);
    ck_assert_int_eq(back.scale, decimal.scale);
}
END_TEST

static const char *const BAD_NUMERICS[] = {
    "",
    "0001 0000 0000",
    "0001 0000 0000 0000",           /* short */
    "0001 0000 0000 0000 0001 0001", /* long */
    "0001 0000 0000 0000 2710",      /* a digit of 10000 */
    "0000 0000 c000 0000",
    "0000 0000 d000 0020",
    "0000 0000 f000 0020",      /* NaN, inf, -inf */
    "0001 7fff 0000 0000 0001", /* 1e131068 */
    "0000 0000 0000 03e9",      /* scale 1001 */
};

START_TEST(bad_numerics)
{
    char memory[128];
    struct decimal decimal;
    struct bytes binary = numeric_hex(BAD_NUMERICS[_i], memory);
    ck_assert_msg(!decimal_from_numeric(binary, &decimal), "%s", BAD_NUMERICS[_i]);
}
END_TEST

/* Every length and alignment of digits through text, numeric, and back. */
START_TEST(round_trips)
{
    char memory[2048], binary_memory[256];
    unsigned seed = 1;
    for (int round = 0; round < 20000; round++) {
        char text[400];
        size_t size = 0;
        seed = seed * 1103515245 + 12345;
        int digits = 1 + (int)(seed >> 16) % DECIMAL_DIGITS_MAX;
        if (round & 1)
            text[size++] = '-';
        for (int i = 0; i < digits; i++) {
            seed = seed * 1103515245 + 12345;
            char digit = (char)('0' + (seed >> 16) % 10);
            text[size++] = i == 0 && digit == '0' ? '7' : digit;
        }
        int exponent = round % (2 * DECIMAL_EXPONENT_MAX + 1) - DECIMAL_EXPONENT_MAX - (digits - 1);
        size += (size_t)snprintf(text + size, sizeof(text) - size, "e%d", exponent);
        struct decimal decimal = parsed(text), back;
        struct buf out = {.data = memory, .capacity = 2047, .limit = 2047};
        struct buf binary = {.data = binary_memory, .capacity = 255, .limit = 255};
        decimal_append_numeric(&binary, &decimal);
        ck_assert(decimal_from_numeric(buf_view(&binary), &back));
        ck_assert_int_eq(decimal_compare(&decimal, &back), 0);
        decimal_append_plain(&out, &back);
        ck_assert(decimal_parse(buf_view(&out), &back));
        ck_assert_int_eq(decimal_compare(&decimal, &back), 0);
        ck_assert_int_eq(back.scale, decimal.scale);
        buf_reset(&out);
        decimal_append_canonical(&out, &decimal);
        ck_assert(decimal_parse(buf_view(&out), &back));
        ck_assert_int_eq(decimal_compare(&decimal, &back), 0);
    }
}
END_TEST

static const struct {
    const char *text;
    bool fits;
    int64_t value;
} INTEGERS[] = {
    {"0", true, 0},
    {"-0", true, 0},
    {"1e2", true, 100},
    {"1.0", true, 1},
    {"1.5", false, 0},
    {"9223372036854775807", true, INT64_MAX},
    {"9223372036854775808", false, 0},
    {"-9223372036854775808", true, INT64_MIN},
    {"-9223372036854775809", false, 0},
    {"9999999999999999999", false, 0},
    {"18446744073709551616", false, 0},
    {"1e19", false, 0},
    {"1e300", false, 0},
    {"9007199254740993", true, 9007199254740993},
};

START_TEST(integers)
{
    struct decimal decimal = parsed(INTEGERS[_i].text);
    int64_t value = 0;
    ck_assert_msg(decimal_to_int64(&decimal, &value) == INTEGERS[_i].fits, "%s", INTEGERS[_i].text);
    ck_assert_int_eq(value, INTEGERS[_i].value);
}
END_TEST

/* Ascending. */
static const char *const ORDER[] = {
    "-1e300", "-100", "-12", "-11.5", "-11", "-0.1", "-1e-300", "0",  "1e-300", "0.09",
    "0.1",    "0.11", "9",   "10",    "11",  "11.5", "12",      "99", "100",    "1e300",
};

START_TEST(order)
{
    for (size_t i = 0; i < sizeof(ORDER) / sizeof(ORDER[0]); i++) {
        for (size_t j = 0; j < sizeof(ORDER) / sizeof(ORDER[0]); j++) {
            struct decimal a = parsed(ORDER[i]), b = parsed(ORDER[j]);
            ck_assert_msg(decimal_compare(&a, &b) == (i > j) - (i < j), "%s %s", ORDER[i],
                          ORDER[j]);
        }
    }
}
END_TEST

#define COUNT(table) (int)(sizeof(table) / sizeof((table)[0]))

static Suite *decimal_suite(void)
{
    Suite *suite = suite_create("decimal");
    TCase *tcase = tcase_create("decimal");
    tcase_add_loop_test(tcase, forms, 0, COUNT(FORMS));
    tcase_add_loop_test(tcase, refused, 0, COUNT(REFUSED));
    tcase_add_test(tcase, zeros_cost_nothing);
    tcase_add_loop_test(tcase, numeric_vectors, 0, COUNT(NUMERICS));
    tcase_add_loop_test(tcase, bad_numerics, 0, COUNT(BAD_NUMERICS));
    tcase_add_test(tcase, round_trips);
    tcase_add_loop_test(tcase, integers, 0, COUNT(INTEGERS));
    tcase_add_test(tcase, order);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(decimal_suite)
