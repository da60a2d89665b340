/* What the log leaves out, and how it says so. */
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/text.h"
#include "common/io/log.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"

static struct buf printed;

static void keep(void *owner, struct bytes line)
{
    ck_assert_ptr_eq(owner, &printed);
    const char *event = memmem(line.data, line.size, "event=", 6); /* behind the time */
    ck_assert_ptr_nonnull(event);
    buf_append(&printed, event, (size_t)(line.data + line.size - event));
    buf_append_char(&printed, '\n');
}

/* ---- secrets: the same line in every format ---- */

static const enum log_format FORMATS[] = {LOG_PRETTY, LOG_LOGFMT, LOG_JSON};
#define FORMAT_COUNT ((int)(sizeof FORMATS / sizeof FORMATS[0]))

static void keep_whole(void *owner, struct bytes line)
{
    buf_append(owner, line.data, line.size);
    buf_append_char(owner, '\n');
}

static void begin_format(int format)
{
    log_setup("test", LOG_INFO, FORMATS[format]);
    log_print_through(keep_whole, &printed);
}

/* A token: "ghp_" and drawn letters. */
static void draw_token(char *out, size_t size)
{
    static const char LETTERS[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    strcpy(out, "ghp_");
    for (size_t i = 4; i + 1 < size; i++)
        out[i] = LETTERS[random_below(sizeof LETTERS - 1)];
    out[size - 1] = '\0';
}

/* No eight letters of it, wherever they stand. */
static void never_printed(const char *token, const char *what)
{
    for (size_t i = 4; i + 8 <= strlen(token); i++)
        ck_assert_msg(!memmem(printed.data, printed.size, token + i, 8), "seed %lu, %s: %s",
                      (unsigned long)random_seed, what, buf_text(&printed));
}

START_TEST(a_secret_is_masked_by_its_name_in_every_format)
{
    begin_format(_i);
    log_line(LOG_WARN, "login", "user=ann password=%s count=3", "tr0ub4dor-and-3");
    ck_assert_ptr_null(strstr(buf_text(&printed), "tr0ub4dor"));
    ck_assert_ptr_nonnull(strstr(buf_text(&printed), "***"));
    ck_assert_ptr_nonnull(
        strstr(buf_text(&printed), FORMATS[_i] == LOG_JSON ? "\"count\":3" : "count=3"));
}
END_TEST

START_TEST(a_secret_as_a_name_is_masked_in_every_format)
{
    char token[41];
    random_begin((uint64_t)_i + 1);
    draw_token(token, sizeof token);
    begin_format(_i);
    log_line(LOG_WARN, "named", "%s=1 n=2", token);
    never_printed(token, "a name");
}
END_TEST

/* Wherever in a line a secret stands: before, on and behind each place where a line is cut. */
START_TEST(no_part_of_a_secret_is_left_by_a_cut)
{
    static char path[8192];
    char token[41];
    random_begin((uint64_t)_i + 1);
    begin_format(_i % FORMAT_COUNT);
    for (int round = 0; round < 60; round++) {
        static const size_t CUTS[] = {512, 1024, 2048, 4096};
        size_t before = CUTS[random_below(4)] - random_below(80);
        bool folders = random_below(2);
        path[0] = '/';
        for (size_t i = 1; i < before; i++)
            path[i] = i % 30 ? 'a' : folders ? '/' : ' ';
        path[before] = folders ? '/' : ' ';
        draw_token(token, sizeof token);
        strcpy(path + before + 1, token);
        log_each(LOG_WARN, "each", "n=%d text=\"%s\"", round, path);
        log_quoted(LOG_WARN, "left.out", "path", path, "n=%d", round);
        log_quoted(LOG_WARN, "left.out", "path", path, "n=%d", -round);
        log_finish();
        never_printed(token, folders ? "a path" : "a text");
        buf_reset(&printed);
    }
}
END_TEST

/* A path with blanks and quotes is one value. */
START_TEST(a_quoted_value_stays_one)
{
    begin_format(_i);
    log_quoted(LOG_WARN, "file", "path", "/in/a b=c \"d\".json", "n=%d", 7);
    const char *path = FORMATS[_i] == LOG_JSON ? "\"path\":\"/in/a b=c 'd'.json\",\"n\":7"
                                               : "path=\"/in/a b=c 'd'.json\" n=7";
    ck_assert_msg(strstr(buf_text(&printed), path) != NULL, "%s", buf_text(&printed));
}
END_TEST

/* A line that is left out is cut between two characters. */
START_TEST(what_is_left_out_is_still_utf8)
{
    char text[3000] = "";
    begin_format(_i);
    for (size_t i = 0; i < 700; i++)
        strcat(text, i ? "\xE2\x82\xAC" : _i ? "x" : "xy");
    for (int i = 0; i < 3; i++)
        log_line(LOG_WARN, "euros", "n=%d text=%s", i, text);
    log_finish();
    ck_assert(text_is_utf8(buf_view(&printed), NULL));
    ck_assert_ptr_null(strstr(buf_text(&printed), "\xEF\xBF\xBD"));
}
END_TEST

static void begin(void)
{
    buf_init(&printed, 1 << 20);
    log_setup("test", LOG_INFO, LOG_LOGFMT);
    log_print_through(keep, &printed);
}

static void end(void)
{
    log_print_through(NULL, NULL);
    buf_free(&printed);
}

START_TEST(what_is_repeated_is_said_with_its_fields)
{
    for (int i = 0; i < 5; i++)
        log_line(LOG_WARN, "same", "place=%s", "here");
    ck_assert_str_eq(buf_text(&printed), "event=same place=here\n");
    log_finish();
    ck_assert_str_eq(buf_text(&printed),
                     "event=same place=here\nevent=same place=here repeated=4\n");
}
END_TEST

START_TEST(one_line_left_out_is_said_as_it_was)
{
    log_line(LOG_WARN, "other", "place=%s", "here");
    log_line(LOG_WARN, "other", "place=%s", "there");
    log_finish();
    ck_assert_str_eq(buf_text(&printed), "event=other place=here\nevent=other place=there\n");
}
END_TEST

/* What is said of one of several leaves out nothing of another, and is summarised by itself. */
START_TEST(each_of_several_is_told)
{
    for (int round = 0; round < 3; round++) {
        for (uint64_t key = 1; key <= 4; key++)
            log_quoted_of(LOG_WARN, "several", key, "cause", "away", "n=%d", (int)key);
        if (round == 0)
            ck_assert_str_eq(buf_text(&printed), "event=several cause=\"away\" n=1\n"
                                                 "event=several cause=\"away\" n=2\n"
                                                 "event=several cause=\"away\" n=3\n"
                                                 "event=several cause=\"away\" n=4\n");
    }
    log_finish();
    unsigned told[5] = {0};
    for (const char *at = buf_text(&printed); *at; at = strchr(at, '\n') + 1) {
        unsigned key = 0, repeated = 1;
        ck_assert_int_ge(
            sscanf(at, "event=several cause=\"away\" n=%u repeated=%u", &key, &repeated), 1);
        ck_assert(key >= 1 && key <= 4);
        told[key] += repeated;
    }
    for (int key = 1; key <= 4; key++)
        ck_assert_uint_eq(told[key], 3);
}
END_TEST

/* Whatever is logged: nothing is lost of the count, and no line is a count alone. */
START_TEST(every_line_is_told_or_counted)
{
    static const char *const EVENTS[] = {"a", "b", "c"};
    unsigned said[3] = {0}, told[3] = {0};
    random_begin((uint64_t)_i + 1);
    for (int i = 0; i < 500; i++) {
        int event = (int)random_below(3);
        said[event]++;
        log_line((enum log_level)random_below(3), EVENTS[event], "n=%u", (unsigned)random_below(4));
        if (random_below(50) == 0)
            log_flush();
    }
    log_finish();
    for (const char *at = buf_text(&printed); *at; at = strchr(at, '\n') + 1) {
        const char *line_end = strchr(at, '\n');
        const char *count = memmem(at, (size_t)(line_end - at), "repeated=", 9);
        ck_assert_msg(memmem(at, (size_t)(line_end - at), " n=", 3) != NULL, "seed %lu: %.*s",
                      (unsigned long)random_seed, (int)(line_end - at), at);
        told[at[6] - 'a'] += count ? (unsigned)strtoul(count + 9, NULL, 10) : 1;
    }
    for (int i = 0; i < 3; i++)
        ck_assert_msg(told[i] == said[i], "seed %lu: %u of %u lines of %s",
                      (unsigned long)random_seed, told[i], said[i], EVENTS[i]);
}
END_TEST

START_TEST(who_is_watched_does_not_tell_of_outages)
{
    struct error err;
    error_set(&err, OUT_RETRY, ERR_PG_UNREACHABLE, "away");
    log_watched(true);
    log_away("postgres.away", &err);
    log_back("postgres.back", "waited=yes");
    ck_assert_str_eq(buf_text(&printed), "");
    log_watched(false);
    log_away("postgres.away", &err);
    ck_assert_str_eq(buf_text(&printed), "event=postgres.away code=DRV-P001 error=\"away\"\n");
}
END_TEST

static Suite *log_suite(void)
{
    Suite *suite = suite_create("log");
    TCase *tcase = tcase_create("log");
    tcase_add_checked_fixture(tcase, begin, end);
    tcase_add_test(tcase, what_is_repeated_is_said_with_its_fields);
    tcase_add_test(tcase, one_line_left_out_is_said_as_it_was);
    tcase_add_test(tcase, each_of_several_is_told);
    tcase_add_loop_test(tcase, every_line_is_told_or_counted, 0, 10);
    tcase_add_test(tcase, who_is_watched_does_not_tell_of_outages);
    tcase_add_loop_test(tcase, a_secret_is_masked_by_its_name_in_every_format, 0, FORMAT_COUNT);
    tcase_add_loop_test(tcase, a_secret_as_a_name_is_masked_in_every_format, 0, FORMAT_COUNT);
    tcase_add_loop_test(tcase, no_part_of_a_secret_is_left_by_a_cut, 0, 2 * FORMAT_COUNT);
    tcase_add_loop_test(tcase, a_quoted_value_stays_one, 0, FORMAT_COUNT);
    tcase_add_loop_test(tcase, what_is_left_out_is_still_utf8, 0, FORMAT_COUNT);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(log_suite)
