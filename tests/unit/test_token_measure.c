/* The limits of detection: at least 98 of 100 secrets of the documented kinds are found, at most
 * one of 960 ordinary values is taken. The values are always the same; DROVER_TEST_FULL takes lines
 * of the licences that every Debian has as well. */

#include <dirent.h>

#include "tests/support/suite.h"
#include "tests/support/token_measure.h"

START_TEST(nearly_all_secrets_are_found)
{
    size_t values = 0, found = 0, kinds = 0;
    for (size_t i = 0; i < TOKEN_KIND_COUNT; i++) {
        struct measured measured = measure_kind(&TOKEN_KINDS[i], stderr);
        values += measured.values;
        found += measured.hits;
        kinds += measured.hits * 2 > measured.values;
    }
    ck_assert_uint_ge(TOKEN_KIND_COUNT, 120);
    ck_assert_uint_eq(kinds, TOKEN_KIND_COUNT);
    ck_assert_msg(found * 100 >= values * 98, "%zu of %zu found", found, values);
}
END_TEST

START_TEST(nearly_no_ordinary_value_is_taken)
{
    size_t values = 0, taken = 0;
    for (size_t i = 0; i < ORDINARY_COUNT; i++) {
        struct measured measured = measure_row(&ORDINARY[i], stderr);
        values += measured.values;
        taken += measured.hits;
    }
    ck_assert_uint_ge(values, 2000);
    ck_assert_msg(taken * 960 <= values, "%zu of %zu taken", taken, values);
}
END_TEST

static void count_lines(const char *path, size_t *lines, size_t *taken)
{
    char line[4096];
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        ++*lines;
        if (token_shape_of_member(BYTES_LITERAL("text"), bytes_text(line)) == SHAPE_PLAIN)
            continue;
        ++*taken;
        fprintf(stderr, "taken: %s: %s", path, line);
    }
    if (file)
        fclose(file);
}

/* Text that people wrote: Debian's licences, where there are any. */
START_TEST(texts_of_the_system_stay)
{
    static const char FOLDER[] = "/usr/share/common-licenses";
    size_t lines = 0, taken = 0;
    DIR *folder = opendir(FOLDER);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s", FOLDER, entry->d_name);
        count_lines(path, &lines, &taken);
    }
    if (folder)
        closedir(folder);
    ck_assert_msg(taken * 960 <= lines, "%zu of %zu lines", taken, lines);
}
END_TEST

static Suite *suite(void)
{
    Suite *made = suite_create("token_measure");
    TCase *tests = tcase_create("limits");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, nearly_all_secrets_are_found);
    tcase_add_test(tests, nearly_no_ordinary_value_is_taken);
    tcase_add_test(tests, texts_of_the_system_stay);
    suite_add_tcase(made, tests);
    return made;
}

SUITE_MAIN(suite)
