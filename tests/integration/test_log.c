/* What the log leaves out, and how it says so. */
#include <string.h>

#include "common/base/buf.h"
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
    tcase_add_loop_test(tcase, every_line_is_told_or_counted, 0, 10);
    tcase_add_test(tcase, who_is_watched_does_not_tell_of_outages);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(log_suite)
