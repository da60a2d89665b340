/* A terminal that takes nothing, as one held by Ctrl-S: its writer goes on. */

#include "common/io/terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/io/terminal_live.h"
#include "tests/support/suite.h"

static int outer, inner; /* what a user sees and types on; what the program has */

static void setup(void)
{
    ck_assert_int_eq(openpty(&outer, &inner, NULL, NULL, NULL), 0);
    ck_assert_int_eq(fcntl(inner, F_SETFL, O_RDWR | O_NONBLOCK), 0);
}

static void teardown(void)
{
    close(inner);
    close(outer);
}

/* The line discipline takes what is typed a moment later. */
static void set_held(bool held)
{
    const char key = held ? 'S' & 0x1F : 'Q' & 0x1F;
    struct pollfd output = {.fd = inner, .events = POLLOUT};
    struct pollfd pause = {.fd = -1};
    uint64_t end_ms = clock_monotonic_ms() + 10000;
    ck_assert_int_eq(write(outer, &key, 1), 1);
    while ((poll(&output, 1, 0) == 0) != held) {
        ck_assert(clock_monotonic_ms() < end_ms);
        poll(&pause, 1, 5);
    }
}

static uint64_t cpu_ms(void)
{
    return (uint64_t)clock() * 1000 / CLOCKS_PER_SEC;
}

/* All that was written, to `last` in it. */
static const char *seen(const char *last)
{
    static char text[8192];
    size_t size = 0;
    struct pollfd input = {.fd = outer, .events = POLLIN};
    text[0] = '\0';
    while (!strstr(text, last)) {
        ck_assert_msg(poll(&input, 1, 10000) == 1, "%s is not in: %s", last, text);
        ssize_t count = read(outer, text + size, sizeof text - 1 - size);
        ck_assert_int_gt(count, 0);
        size += (size_t)count;
        text[size] = '\0';
    }
    return text;
}

START_TEST(a_held_terminal_is_given_up)
{
    set_held(true);
    uint64_t began_ms = clock_monotonic_ms(), cpu = cpu_ms();
    ck_assert_uint_eq(terminal_write(inner, BYTES_LITERAL("lost\n")), 0);
    uint64_t first_ms = clock_monotonic_ms() - began_ms;
    ck_assert_msg(first_ms >= 900 && first_ms < 5000, "%lu ms", (unsigned long)first_ms);
    began_ms = clock_monotonic_ms();
    for (int i = 0; i < 20; i++)
        ck_assert_uint_eq(terminal_write(inner, BYTES_LITERAL("lost\n")), 0);
    ck_assert_uint_lt(clock_monotonic_ms() - began_ms, 900); /* it is not waited for again */
    ck_assert_msg(cpu_ms() - cpu < 500, "%lu ms of the processor", (unsigned long)(cpu_ms() - cpu));
    set_held(false);
    ck_assert_uint_eq(terminal_write(inner, BYTES_LITERAL("seen\n")), 5);
    ck_assert_ptr_null(strstr(seen("seen"), "lost"));
}
END_TEST

START_TEST(what_was_not_shown_is_said)
{
    struct terminal_live live;
    terminal_live_open(&live, inner);
    terminal_live_draw(&live, BYTES_LITERAL("one\ntwo\n"));
    seen("two");
    set_held(true);
    terminal_live_print(&live, BYTES_LITERAL("news"));
    terminal_live_print(&live, BYTES_LITERAL("more news"));
    terminal_live_draw(&live, BYTES_LITERAL("one\ntwo\nthree\n"));
    set_held(false);
    terminal_live_draw(&live, BYTES_LITERAL("one\ntwo\nthree\n"));
    const char *text = seen("three");
    ck_assert_msg(strstr(text, "\033[2A") != NULL, "not back by the two lines drawn: %s", text);
    ck_assert_msg(strstr(text, "2 lines were not shown") != NULL, "%s", text);
    terminal_live_close(&live);
}
END_TEST

static Suite *terminal_suite(void)
{
    Suite *suite = suite_create("terminal");
    TCase *tcase = tcase_create("held");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_held_terminal_is_given_up);
    tcase_add_test(tcase, what_was_not_shown_is_said);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(terminal_suite)
