/* Every poison is found, every good record written once, and one poison costs few tries. */

#include "common/policy/apply/bisect.h"

#include <string.h>

#include "tests/support/suite.h"

#define MAX 2000

static bool poison[MAX];
static int written[MAX], refused[MAX];

static int search(size_t count)
{
    struct bisect bisect;
    size_t first, part;
    int tries = 0;
    enum bisect_step step;
    memset(written, 0, sizeof written);
    memset(refused, 0, sizeof refused);
    bisect_init(&bisect, 0, count);
    while ((step = bisect_next(&bisect, &first, &part)) != BISECT_END) {
        if (step == BISECT_POISON) {
            refused[first]++;
            continue;
        }
        bool ok = true;
        tries++;
        for (size_t i = first; i < first + part; i++)
            ok = ok && !poison[i];
        for (size_t i = first; ok && i < first + part; i++)
            written[i]++;
        bisect_tell(&bisect, ok);
    }
    return tries;
}

static void check(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        ck_assert_int_eq(written[i], poison[i] ? 0 : 1);
        ck_assert_int_eq(refused[i], poison[i] ? 1 : 0);
    }
}

START_TEST(one_poison_anywhere)
{
    for (size_t at = 0; at < MAX; at += 37) {
        memset(poison, 0, sizeof poison);
        poison[at] = true;
        int tries = search(MAX);
        check(MAX);
        ck_assert_int_le(tries, 12); /* fault row P07; ceil(log2(2000)) = 11 */
    }
}
END_TEST

START_TEST(many_poisons)
{
    for (size_t count = 1; count <= 64; count++) {
        for (size_t every = 1; every <= 9; every++) {
            memset(poison, 0, sizeof poison);
            for (size_t i = every - 1; i < count; i += every)
                poison[i] = true;
            if (!memchr(poison, true, count))
                continue; /* it was refused, so there is at least one */
            search(count);
            check(count);
        }
    }
}
END_TEST

START_TEST(ten_poisons_in_two_thousand)
{
    memset(poison, 0, sizeof poison);
    for (int i = 0; i < 10; i++)
        poison[i * 197 + 13] = true;
    ck_assert_int_le(search(MAX), 120);
    check(MAX);
}
END_TEST

static Suite *bisect_suite(void)
{
    Suite *suite = suite_create("bisect");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, one_poison_anywhere);
    tcase_add_test(tcase, many_poisons);
    tcase_add_test(tcase, ten_poisons_in_two_thousand);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(bisect_suite)
