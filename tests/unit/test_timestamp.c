/* Times: fault rows T01 to T05, and every day of the range there and back. */

#include <string.h>

#include "common/model/value/timestamp.h"
#include "tests/support/suite.h"

#define REQUIRED TIMESTAMP_ZONE_REQUIRED
#define NONE TIMESTAMP_ZONE_NONE

/* `printed` is what timestamp_append gives for it. */
static const struct {
    const char *text;
    enum timestamp_zone zone;
    int64_t micros;
    bool truncated;
    const char *printed;
} VALID[] = {
    {"2000-01-01T00:00:00Z", REQUIRED, 0, false, "2000-01-01T00:00:00.000Z"},
    {"2000-01-01T00:00:00.000Z", REQUIRED, 0, false, "2000-01-01T00:00:00.000Z"},
    {"1970-01-01T00:00:00.000Z", REQUIRED, -946684800000000, false, "1970-01-01T00:00:00.000Z"},
    {"2024-01-15T10:30:00.123Z", REQUIRED, 758629800123000, false, "2024-01-15T10:30:00.123Z"},
    {"2024-01-15T10:30:00.123456Z", REQUIRED, 758629800123456, false,
     "2024-01-15T10:30:00.123456Z"},
    {"2024-01-15T10:30:00.1Z", REQUIRED, 758629800100000, false, "2024-01-15T10:30:00.100Z"},
    {"2024-01-15T10:30:00.1234567Z", REQUIRED, 758629800123456, true,
     "2024-01-15T10:30:00.123456Z"},
    {"2024-01-15T10:30:00.9999999Z", REQUIRED, 758629800999999, true,
     "2024-01-15T10:30:00.999999Z"},
    {"2024-01-15T16:00:00.123+05:30", REQUIRED, 758629800123000, false, "2024-01-15T10:30:00.123Z"},
    {"2024-01-15T05:30:00.123-0500", REQUIRED, 758629800123000, false, "2024-01-15T10:30:00.123Z"},
    {"2024-01-15T16:23:28.123+05:53:28", REQUIRED, 758629800123000, false,
     "2024-01-15T10:30:00.123Z"},
    {"2024-01-15 10:30:00.123+00", REQUIRED, 758629800123000, false, "2024-01-15T10:30:00.123Z"},
    {"2024-01-15t10:30:00.123z", REQUIRED, 758629800123000, false, "2024-01-15T10:30:00.123Z"},
    {"2024-01-15T10:30Z", REQUIRED, 758629800000000, false, "2024-01-15T10:30:00.000Z"},
    {"2024-02-29T23:59:59Z", REQUIRED, 762566399000000, false, "2024-02-29T23:59:59.000Z"},
    {"1999-12-31T23:59:59.999999Z", REQUIRED, -1, false, "1999-12-31T23:59:59.999999Z"},
    {"0001-01-01T00:00:00Z", REQUIRED, -63082281600000000, false, "0001-01-01T00:00:00.000Z"},
    {"9999-12-31T23:59:59.999999Z", REQUIRED, 252455615999999999, false,
     "9999-12-31T23:59:59.999999Z"},
    {"2024-01-15T10:30:00.123", NONE, 758629800123000, false, "2024-01-15T10:30:00.123Z"},
    {"2024-01-15T10:30:00.123Z", NONE, 758629800123000, false, "2024-01-15T10:30:00.123Z"},
    {"2024-01-15", NONE, 758592000000000, false, "2024-01-15T00:00:00.000Z"},
};

START_TEST(valid_times)
{
    char memory[64];
    struct buf out = {.data = memory, .capacity = 63, .limit = 63};
    int64_t micros;
    bool truncated;
    struct bytes text = bytes_text(VALID[_i].text);
    ck_assert_msg(timestamp_parse(text, VALID[_i].zone, &micros, &truncated), "%s", VALID[_i].text);
    ck_assert_msg(micros == VALID[_i].micros, "%s: %lld", VALID[_i].text, (long long)micros);
    ck_assert_int_eq(truncated, VALID[_i].truncated);
    timestamp_append(&out, micros, true);
    ck_assert_str_eq(buf_text(&out), VALID[_i].printed);
    size_t zulu_size = out.size;
    buf_reset(&out);
    timestamp_append(&out, micros, false);
    ck_assert_uint_eq(out.size, zulu_size - 1);
}
END_TEST

static const struct {
    const char *text;
    enum timestamp_zone zone;
} BAD[] = {
    {"", REQUIRED},
    {"2024-01-15", REQUIRED}, /* T01: no zone */
    {"2024-01-15T10:30:00", REQUIRED},
    {"2024-01-15T10:30:00.123", REQUIRED},
    {"2024-01-15T10:30:00+01:00", NONE}, /* a zone where the column has none */
    {"2024-01-15T10:30:00+00:00", NONE},
    {"2024-01-15T10:30:00.123ZZ", NONE},
    {"2024-02-30T00:00:00Z", REQUIRED}, /* T03 */
    {"2023-02-29T00:00:00Z", REQUIRED},
    {"1900-02-29T00:00:00Z", REQUIRED},
    {"2024-04-31T00:00:00Z", REQUIRED},
    {"2024-00-15T00:00:00Z", REQUIRED},
    {"2024-13-15T00:00:00Z", REQUIRED},
    {"2024-01-00T00:00:00Z", REQUIRED},
    {"2024-01-15T24:00:00Z", REQUIRED},
    {"2024-01-15T10:60:00Z", REQUIRED},
    {"2016-12-31T23:59:60Z", REQUIRED},
    {"0000-01-01T00:00:00Z", REQUIRED},
    {"-0001-01-01T00:00:00Z", REQUIRED},
    {"+002024-01-15T10:30:00Z", REQUIRED},
    {"10000-01-01T00:00:00Z", REQUIRED},
    {"infinity", REQUIRED},
    {"0001-01-01T00:00:00+01:00", REQUIRED}, /* year 0 in UTC */
    {"9999-12-31T23:59:59-01:00", REQUIRED}, /* year 10000 in UTC */
    {"2024-01-15T10:30:00.Z", REQUIRED},
    {"2024-01-15T10:30:00,5Z", REQUIRED},
    {"2024-01-15T10:30:00 Z", REQUIRED},
    {"2024-01-15T10:30:00+24:00", REQUIRED},
    {"2024-01-15T10:30:00+05:60", REQUIRED},
    {"2024-01-15T10:30:00+5", REQUIRED},
    {"2024-01-15T10:30:00+0530:28", REQUIRED},
    {"2024-01-15T10:30:00+05:30:60", REQUIRED},
    {"2024-01-15T10:30:00+05:30:", REQUIRED},
    {"2024-01-15T10:30:00+05:30x", REQUIRED},
    {"2024-01-15T10:30:00 Europe/Berlin", REQUIRED}, /* T04: names need a rule */
    {"2024-01-15  10:30:00Z", REQUIRED},
    {"2024-01-15T10Z", REQUIRED},
    {"2024-1-15T10:30:00Z", REQUIRED},
    {"24-01-15T10:30:00Z", REQUIRED},
    {"2024-01-15X10:30:00Z", REQUIRED},
    {" 2024-01-15T10:30:00Z", REQUIRED},
    {"2024-01-15T10:30:00Z ", REQUIRED},
};

START_TEST(bad_times)
{
    int64_t micros;
    bool truncated;
    ck_assert_msg(!timestamp_parse(bytes_text(BAD[_i].text), BAD[_i].zone, &micros, &truncated),
                  "accepted: %s", BAD[_i].text);
}
END_TEST

/* Every day of the 400 years that the calendar repeats, every 37th of the rest. */
START_TEST(days_there_and_back)
{
    enum { ERA_FROM = -36524, ERA_TO = 109573 }; /* 1900 to 2299 */
    char memory[32], before[32] = "";
    int32_t days = DATE_MIN;
    while (days <= DATE_MAX) {
        struct buf out = {.data = memory, .capacity = 31, .limit = 31};
        int32_t back;
        timestamp_append_date(&out, days);
        if (out.size != 10 || strcmp(before, buf_text(&out)) >= 0 ||
            !timestamp_parse_date(buf_view(&out), &back) || back != days)
            ck_abort_msg("day %d: %s after %s", days, buf_text(&out), before);
        memcpy(before, buf_text(&out), 11);
        int32_t step = days >= ERA_FROM && days < ERA_TO ? 1 : 37;
        days = days < DATE_MAX && days + step > DATE_MAX ? DATE_MAX : days + step;
    }
    ck_assert_str_eq(before, "9999-12-31");
}
END_TEST

START_TEST(dates_are_strict)
{
    static const char *const ROWS[] = {"2024-02-30", "2024-01-15T00:00:00Z", "2024-01-15 ",
                                       "",           "0000-01-01",           "20240115",
                                       "2024-1-5"};
    int32_t days;
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++)
        ck_assert_msg(!timestamp_parse_date(bytes_text(ROWS[i]), &days), "%s", ROWS[i]);
}
END_TEST

static const struct {
    int64_t value, units;
    bool ok;
    const char *printed;
} EPOCHS[] = {
    {0, 1, true, "1970-01-01T00:00:00.000Z"},
    {1705314600, 1, true, "2024-01-15T10:30:00.000Z"},
    {1705314600123, 1000, true, "2024-01-15T10:30:00.123Z"},
    {1705314600123456, 1000000, true, "2024-01-15T10:30:00.123456Z"},
    {-1, 1000, true, "1969-12-31T23:59:59.999Z"},
    {253402300799, 1, true, "9999-12-31T23:59:59.000Z"},
    {253402300800, 1, false, NULL},
    {-62135596800, 1, true, "0001-01-01T00:00:00.000Z"},
    {-62135596801, 1, false, NULL},
    {1705314600123, 1, false, NULL}, /* T02: milliseconds taken for seconds */
    {INT64_MAX, 1, false, NULL},
    {INT64_MIN, 1000, false, NULL},
    {INT64_MAX, 1000000, false, NULL},
};

START_TEST(epochs)
{
    char memory[64];
    struct buf out = {.data = memory, .capacity = 63, .limit = 63};
    int64_t micros;
    bool exact;
    bool ok = timestamp_from_epoch(EPOCHS[_i].value, EPOCHS[_i].units, &micros);
    ck_assert_int_eq(ok, EPOCHS[_i].ok);
    if (!ok)
        return;
    timestamp_append(&out, micros, true);
    ck_assert_str_eq(buf_text(&out), EPOCHS[_i].printed);
    ck_assert_int_eq(timestamp_to_epoch(micros, EPOCHS[_i].units, &exact), EPOCHS[_i].value);
    ck_assert(exact);
}
END_TEST

/* With a zone, and never later than what was said. */
START_TEST(unix_milliseconds)
{
    int64_t ms;
    ck_assert(timestamp_parse_ms(BYTES_LITERAL("2024-01-15T10:30:00.123999Z"), &ms));
    ck_assert_int_eq(ms, INT64_C(1705314600123));
    ck_assert(timestamp_parse_ms(BYTES_LITERAL("1969-12-31T23:59:59.9995Z"), &ms));
    ck_assert_int_eq(ms, -1);
    ck_assert(!timestamp_parse_ms(BYTES_LITERAL("2024-01-15T10:30:00"), &ms));
}
END_TEST

START_TEST(epochs_that_lose_digits)
{
    bool exact;
    int64_t micros;
    ck_assert(timestamp_from_epoch(-1, 1000000, &micros));
    ck_assert_int_eq(timestamp_to_epoch(micros, 1, &exact), -1);
    ck_assert(!exact);
    ck_assert(!timestamp_is_usable(INT64_MAX)); /* 'infinity' */
    ck_assert(!timestamp_is_usable(INT64_MIN));
}
END_TEST

#define COUNT(table) (int)(sizeof(table) / sizeof((table)[0]))

static Suite *timestamp_suite(void)
{
    Suite *suite = suite_create("timestamp");
    TCase *tcase = tcase_create("timestamp");
    tcase_add_loop_test(tcase, valid_times, 0, COUNT(VALID));
    tcase_add_loop_test(tcase, bad_times, 0, COUNT(BAD));
    tcase_add_test(tcase, days_there_and_back);
    tcase_add_test(tcase, dates_are_strict);
    tcase_add_loop_test(tcase, epochs, 0, COUNT(EPOCHS));
    tcase_add_test(tcase, epochs_that_lose_digits);
    tcase_add_test(tcase, unix_milliseconds);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(timestamp_suite)
