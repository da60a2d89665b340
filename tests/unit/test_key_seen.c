#include "common/policy/collect/key_seen.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "tests/support/suite.h"

enum { KEYS = 400, STEPS = 20000, SOURCES = 5 };

/* Random readings against a plain table. */
START_TEST(it_knows_what_came_before_and_where)
{
    static int texts[KEYS], sources[KEYS];
    struct key_seen seen;
    unsigned state = (unsigned)time(NULL);
    printf("seed %u\n", state);
    key_seen_init(&seen, 1 << 20);
    for (int i = 0; i < KEYS; i++)
        sources[i] = -1;
    for (int step = 0; step < STEPS; step++) {
        char key[16], text[16];
        state = state * 1103515245u + 12345u;
        int k = (int)(state >> 8) % KEYS, source = step * SOURCES / STEPS;
        int t = (int)(state >> 20) % 3;
        int key_size = snprintf(key, sizeof key, "k%d", k),
            size = snprintf(text, sizeof text, "%d", t);
        enum key_seen_result expected = sources[k] < 0         ? KEY_NEW
                                        : texts[k] == t        ? KEY_AGAIN
                                        : sources[k] == source ? KEY_TWICE
                                                               : KEY_OVERLAP;
        ck_assert_int_eq(key_seen_add(&seen, bytes_of(key, (size_t)key_size),
                                      bytes_of(text, (size_t)size), (uint32_t)source),
                         expected);
        texts[k] = t;
        sources[k] = source;
    }
    ck_assert(!seen.full);
    ck_assert_uint_le(seen.used, KEYS);
    key_seen_free(&seen);
}
END_TEST

START_TEST(it_keeps_to_its_bound_and_says_so)
{
    struct key_seen seen;
    key_seen_init(&seen, 4096);
    for (int i = 0; i < 5000; i++) {
        char key[16];
        int size = snprintf(key, sizeof key, "k%d", i);
        ck_assert_int_eq(key_seen_add(&seen, bytes_of(key, (size_t)size), BYTES_LITERAL("x"), 0),
                         KEY_NEW);
    }
    ck_assert(seen.full);
    ck_assert_uint_le(seen.capacity * sizeof *seen.entries, 4096);
    ck_assert_int_eq(key_seen_add(&seen, BYTES_LITERAL("k3"), BYTES_LITERAL("y"), 0), KEY_TWICE);
    key_seen_free(&seen);
}
END_TEST

static Suite *key_seen_suite(void)
{
    Suite *suite = suite_create("key_seen");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, it_knows_what_came_before_and_where);
    tcase_add_test(tcase, it_keeps_to_its_bound_and_says_so);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(key_seen_suite)
