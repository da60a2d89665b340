#include "common/policy/totals.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/text.h"
#include "tests/support/suite.h"

#define ROUNDS 3000
#define ROWS_MAX 9

static uint64_t state;

static uint64_t random_below(uint64_t limit)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % limit;
}

static void seed(void)
{
    const char *given = getenv("DROVER_TEST_SEED");
    state = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    printf("seed %llu\n", (unsigned long long)state);
    fflush(stdout);
}

static const struct totals_set *random_set(void)
{
    static const struct totals_set *const SETS[] = {&TOTALS_PRODUCE, &TOTALS_WORK, &TOTALS_VERIFY};
    return SETS[random_below(3)];
}

static void random_counts(const struct totals_set *set, uint64_t *counts)
{
    static const uint64_t SIZES[] = {2, 10, 1000, 100000, 3000000000u};
    memset(counts, 0, TOTALS_CLASSES_MAX * sizeof *counts);
    for (size_t i = 0; i < set->count; i++)
        if (random_below(3) == 0)
            counts[i] = random_below(SIZES[random_below(5)]);
}

/* A number with groups of three digits; *at stands behind it. */
static bool read_number(const char **at, uint64_t *number)
{
    const char *start = *at;
    *number = 0;
    for (;; (*at)++) {
        bool group = **at == ' ' && *at > start && (*at)[1] >= '0' && (*at)[1] <= '9';
        if (**at >= '0' && **at <= '9')
            *number = *number * 10 + (uint64_t)(**at - '0');
        else if (!group)
            return *at > start;
    }
}

static size_t characters_of(const char *line, size_t size)
{
    size_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += ((unsigned char)line[i] & 0xC0) != 0x80;
    return count;
}

static void check_widths(const char *text, size_t width)
{
    while (*text) {
        size_t size = strcspn(text, "\n");
        ck_assert_msg(characters_of(text, size) <= width, "wider than %zu: %.*s", width, (int)size,
                      text);
        text += size + (text[size] == '\n');
    }
}

/* Sum of the numbers behind "=" or "≠" up to what is beside or the end. */
static uint64_t sum_of_sentence(const char *text, uint64_t *records)
{
    uint64_t sum = 0, number;
    char joined[8192];
    size_t size = 0;
    for (const char *at = text; *at && size < sizeof joined - 1; at++) /* lines joined */
        if (*at != '\n')
            joined[size++] = *at;
        else
            joined[size++] = ' ';
    joined[size] = '\0';
    const char *at = joined;
    ck_assert(read_number(&at, records));
    char *outside = strstr(joined, "; besides");
    if (outside)
        *outside = '\0';
    at = strstr(joined, "= ");
    at = at ? at + 2 : strstr(joined, "≠ ") + strlen("≠ ");
    while (at) {
        at += strspn(at, " ");
        ck_assert_msg(read_number(&at, &number), "no number at '%s' of '%s'", at, text);
        sum += number;
        at = strstr(at, "+ ");
        at = at ? at + 2 : NULL;
    }
    return sum;
}

START_TEST(identities_add_up_at_every_width)
{
    seed();
    for (int round = 0; round < ROUNDS; round++) {
        struct buf out;
        uint64_t counts[TOTALS_CLASSES_MAX], shown = 0;
        const struct totals_set *set = random_set();
        size_t width = 50 + random_below(150), indent = random_below(12);
        random_counts(set, counts);
        bool wrong = random_below(4) == 0;
        uint64_t records = totals_records(set, counts) + wrong;
        buf_init(&out, 1u << 16);
        totals_append_identity(&out, set, counts, records, "source records", indent, width);
        check_widths(buf_text(&out), width);
        ck_assert_uint_eq(sum_of_sentence(buf_text(&out), &shown), totals_records(set, counts));
        ck_assert_uint_eq(shown, records);
        ck_assert_int_eq(strstr(buf_text(&out), "(reconciled)") == NULL, wrong);
        ck_assert_int_eq(strstr(buf_text(&out), "≠") != NULL, wrong);
        buf_free(&out);
    }
}
END_TEST

/* The numbers of a table's line: behind its first name, two spaces or more apart. */
static size_t numbers_of(const char *line, size_t size, uint64_t *numbers)
{
    size_t count = 0;
    const char *at = line + strcspn(line, " ");
    while (at < line + size) {
        at += strspn(at, " ");
        if (at >= line + size || !read_number(&at, &numbers[count]))
            break;
        count++;
    }
    return count;
}

static void check_table(const char *text, size_t rows)
{
    uint64_t numbers[TOTALS_CLASSES_MAX + 1], sums[TOTALS_CLASSES_MAX + 1] = {0};
    size_t columns = 0;
    text += strcspn(text, "\n") + 1; /* the head */
    for (size_t row = 0; row < rows + (rows > 1); row++) {
        size_t size = strcspn(text, "\n"), count = numbers_of(text, size, numbers);
        uint64_t sum = 0;
        ck_assert_msg(count > 1 && (row == 0 || count == columns), "row %zu: %.*s", row, (int)size,
                      text);
        columns = count;
        for (size_t i = 1; i < count; i++)
            sum += numbers[i];
        ck_assert_msg(sum == numbers[0], "a row does not add up: %.*s", (int)size, text);
        for (size_t i = 0; i < count; i++) {
            if (row < rows)
                sums[i] += numbers[i];
            else
                ck_assert_msg(sums[i] == numbers[i], "a column does not add up: %.*s", (int)size,
                              text);
        }
        text += size + 1;
    }
    ck_assert_str_eq(text, "");
}

START_TEST(tables_add_up_in_rows_and_columns)
{
    static uint64_t counts[ROWS_MAX][TOTALS_CLASSES_MAX];
    static char names[ROWS_MAX][32];
    seed();
    for (int round = 0; round < ROUNDS; round++) {
        struct totals_row rows[ROWS_MAX];
        struct buf out;
        size_t count = 1 + random_below(ROWS_MAX);
        struct totals_table table = {.set = random_set(),
                                     .name_titles = {"name"},
                                     .records_title = "records",
                                     .width = 60 + random_below(200)};
        for (size_t r = 0; r < count; r++) {
            random_counts(table.set, counts[r]);
            for (size_t i = 0; i < table.set->count; i++) /* these are of no record */
                if (table.set->classes[i].outside)
                    counts[r][i] = 0;
            snprintf(names[r], sizeof names[r], "t%zu%s", r, random_below(2) ? "é…" : "");
            rows[r] = (struct totals_row){.names = {bytes_text(names[r])}, .counts = counts[r]};
        }
        buf_init(&out, 1u << 16);
        totals_append_table(&out, &table, rows, count);
        check_widths(buf_text(&out), table.width);
        if (strncmp(buf_text(&out), "name", 4) == 0) {
            check_table(buf_text(&out), count);
        } else {
            uint64_t shown, sum = sum_of_sentence(strchr(buf_text(&out), ' ') + 1, &shown);
            ck_assert_uint_eq(shown, totals_records(table.set, counts[0]));
            ck_assert_uint_ge(sum, shown);
        }
        buf_free(&out);
    }
}
END_TEST

START_TEST(wide_names_take_two_columns_a_character)
{
    uint64_t counts[WORK_COUNT] = {[WORK_APPLIED] = 3};
    struct totals_row rows[] = {{.names = {BYTES_LITERAL("通訳")}, .counts = counts},
                                {.names = {BYTES_LITERAL("abc")}, .counts = counts}};
    struct totals_table table = {
        .set = &TOTALS_WORK, .name_titles = {"x"}, .records_title = "n", .width = 80};
    struct buf out;
    buf_init(&out, 4096);
    totals_append_table(&out, &table, rows, 2);
    ck_assert_str_eq(buf_text(&out), "x      n  applied\n"
                                     "通訳   3        3\n"
                                     "abc    3        3\n"
                                     "total  6        6\n");
    buf_free(&out);
}
END_TEST

START_TEST(columns_that_are_zero_everywhere_are_left_out)
{
    uint64_t counts[WORK_COUNT] = {[WORK_APPLIED] = 3, [WORK_PENDING] = 1};
    struct totals_row row = {.names = {BYTES_LITERAL("0")}, .counts = counts};
    struct totals_table table = {
        .set = &TOTALS_WORK, .name_titles = {"part"}, .records_title = "records", .width = 80};
    struct buf out;
    buf_init(&out, 4096);
    totals_append_table(&out, &table, &row, 1);
    ck_assert_str_eq(buf_text(&out), "part  records  applied  pending\n"
                                     "0           4        3        1\n");
    buf_free(&out);
}
END_TEST

START_TEST(a_rate_is_that_of_the_figures_shown)
{
    seed();
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t records = random_below(1000000), elapsed_ms = random_below(1000000);
        struct buf out;
        double seconds = 0;
        uint64_t rate = 0;
        buf_init(&out, 4096);
        totals_append_pace(&out, records, elapsed_ms);
        const char *text = buf_text(&out), *at = strstr(text, ", ");
        ck_assert_int_eq(sscanf(text, "%lf s", &seconds), 1);
        ck_assert_int_eq(at != NULL, seconds > 0);
        if (at) {
            at += 2;
            ck_assert(read_number(&at, &rate));
            double exact = (double)records / seconds;
            ck_assert_msg((double)rate <= exact + 0.51 && (double)rate >= exact - 0.51,
                          "%s of %llu", text, (unsigned long long)records);
        }
        buf_free(&out);
    }
}
END_TEST

START_TEST(every_class_has_its_words)
{
    const struct totals_set *const sets[] = {&TOTALS_PRODUCE, &TOTALS_WORK, &TOTALS_VERIFY};
    for (size_t s = 0; s < 3; s++) {
        ck_assert_uint_le(sets[s]->count, TOTALS_CLASSES_MAX);
        for (size_t i = 0; i < sets[s]->count; i++) {
            const struct totals_class *class = &sets[s]->classes[i];
            ck_assert(class->name && class->title && class->column);
            ck_assert_uint_eq(strspn(class->name, "abcdefghijklmnopqrstuvwxyz_"),
                              strlen(class->name));
        }
    }
    for (int i = 0; i < VERDICT_COUNT; i++)
        ck_assert_str_eq(TOTALS_VERIFY.classes[i].title, verdict_name((enum verdict)i));
    for (int i = 0; i < VERDICT_COUNT; i++)
        ck_assert_int_eq(TOTALS_VERIFY.classes[i].outside, i >= VERDICT_OUTSIDE);
}
END_TEST

/* In any width: it fits, its terms sum to the records, and one that asks for something is summed up
 * with others only when all minor ones are. */
START_TEST(a_short_sum_adds_up)
{
    uint64_t counts[TOTALS_CLASSES_MAX];
    struct buf out;
    seed();
    buf_init(&out, 4096);
    for (int round = 0; round < ROUNDS; round++) {
        const struct totals_set *set = random_set();
        int width = (int)random_below(160);
        uint64_t sum = 0, number = 0;
        random_counts(set, counts);
        buf_reset(&out);
        totals_append_short(&out, set, counts, "taken", width);
        const char *text = buf_text(&out);
        ck_assert_msg((int)out.size <= width, "%d columns: %s", width, text);
        for (const char *at = text; *at;) {
            const char *next = strstr(at, " + ");
            ck_assert_msg(read_number(&at, &number), "no number: %s", text);
            sum += number;
            at = next ? next + 3 : at + strlen(at);
        }
        ck_assert_msg(!out.size || sum == totals_records(set, counts), "%s", text);
        bool folded = strstr(text, " other") != NULL;
        bool minor_shown = false, serious_left = false;
        for (size_t i = 1; i < set->count; i++) {
            const struct totals_class *class = &set->classes[i];
            char term[64], count[28];
            snprintf(term, sizeof term, " + %s %s", text_format_count(counts[i], count),
                     class->column);
            bool shown = strstr(text, term) != NULL;
            minor_shown |= class->minor && shown;
            serious_left |= !class->minor && !class->outside && counts[i] && !shown &&
                            strncmp(text, term + 3, strlen(term + 3)) != 0;
        }
        ck_assert_msg(!folded || !minor_shown || !serious_left, "%s", text);
    }
    buf_free(&out);
}
END_TEST

static Suite *totals_suite(void)
{
    Suite *suite = suite_create("totals");
    TCase *tcase = tcase_create("all");
    tcase_add_test(tcase, a_short_sum_adds_up);
    tcase_add_test(tcase, identities_add_up_at_every_width);
    tcase_add_test(tcase, tables_add_up_in_rows_and_columns);
    tcase_add_test(tcase, wide_names_take_two_columns_a_character);
    tcase_add_test(tcase, columns_that_are_zero_everywhere_are_left_out);
    tcase_add_test(tcase, a_rate_is_that_of_the_figures_shown);
    tcase_add_test(tcase, every_class_has_its_words);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(totals_suite)
