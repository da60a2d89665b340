/* The verdict, the identity, and what a report may show. */

#include "common/policy/verify/verify_report.h"

#include "common/base/hash.h"
#include "common/model/json/json.h"
#include "common/policy/secrets/secret_key.h"
#include "common/policy/totals.h"
#include "common/policy/verify/verify_mask.h"
#include "common/policy/verify/verify_next.h"
#include "common/policy/verify/verify_text.h"
#include "tests/support/suite.h"

static struct verify_report report;
static struct buf text;

static void setup(void)
{
    verify_report_init(&report, 3, 50);
    report.migration = "m";
    report.group = "drover.m.worker";
    report.topic = "drover.m.source";
    verify_mask_draw_key(&report);
    report.passes = 1;
    buf_init(&text, 1u << 20);
}

static void teardown(void)
{
    verify_report_free(&report);
    buf_free(&text);
}

static void count(const char *tenant, enum verdict verdict, uint64_t number)
{
    uint32_t group = diff_groups_find(&report.groups, bytes_text(tenant), bytes_text("city"));
    report.groups.items[group].counts[verdict] += number;
    if (verdict < VERDICT_OUTSIDE)
        report.source_count += number;
    report.compared += number;
}

static const char *show_at(size_t width)
{
    const struct verify_text_options options = {
        .report_path = "/srv/x/report/report.html", .folder = "/srv/x", .width = width};
    buf_reset(&text);
    verify_text_append(&report, &options, &text);
    return buf_text(&text);
}

static const char *show(void)
{
    return show_at(1000);
}

START_TEST(a_full_match_matches)
{
    count("DE", VERDICT_MATCH, 171000);
    count("FR", VERDICT_SUPERSEDED, 75);
    ck_assert_int_eq(verify_report_result(&report), VERIFY_MATCH);
    ck_assert_ptr_nonnull(
        strstr(show(), "171 075 source records = 171 000 match + 75 superseded   (rec"));
    ck_assert_ptr_nonnull(strstr(show(), "(reconciled)"));
    ck_assert_ptr_nonnull(strstr(show(), "MATCH  "));
}
END_TEST

START_TEST(one_is_no_plural)
{
    count("DE", VERDICT_MATCH, 1);
    report.messages = 1;
    ck_assert_ptr_nonnull(strstr(show(), "1 source record = 1 match   (reconciled)"));
    count("DE", VERDICT_MISSING, 1);
    ck_assert_ptr_nonnull(strstr(show(), "1 message in the topic"));
    verify_side_checks_orphans(&report.side_checks, "child", "parent", 1);
    ck_assert_ptr_nonnull(strstr(show(), "1 row of child refers to a parent that is not there"));
    ck_assert_ptr_nonnull(strstr(show(), "1 missing, 1 orphan\n"));
}
END_TEST

START_TEST(nothing_compared_is_not_verified)
{
    ck_assert_int_eq(verify_report_result(&report), VERIFY_NOTHING);
    ck_assert_ptr_nonnull(strstr(show(), "NOT VERIFIED"));
    ck_assert_ptr_nonnull(strstr(show(), "DRV-Y002"));
    /* lagging records alone are nothing compared either */
    count("DE", VERDICT_LAGGING, 5);
    report.compared = 0;
    ck_assert_int_eq(verify_report_result(&report), VERIFY_NOTHING);
    /* what was refused is known without a look at the tables */
    count("DE", VERDICT_DEAD, 4);
    report.compared = 0;
    ck_assert_int_eq(verify_report_result(&report), VERIFY_DISCREPANCY);
    ck_assert_ptr_nonnull(strstr(show(), "NOT EQUAL  4 dead"));
}
END_TEST

START_TEST(every_problem_is_a_discrepancy)
{
    count("DE", VERDICT_MATCH, 100);
    count("DE", (enum verdict)_i, 1);
    enum verify_result expected =
        verdict_is_problem((enum verdict)_i) ? VERIFY_DISCREPANCY : VERIFY_MATCH;
    ck_assert_msg(verify_report_result(&report) == expected, "%s", verdict_name((enum verdict)_i));
}
END_TEST

START_TEST(what_does_not_add_up_comes_first)
{
    count("DE", VERDICT_MATCH, 100);
    report.source_count = 101;
    ck_assert_int_eq(verify_report_result(&report), VERIFY_DISCREPANCY);
    ck_assert_int_eq(strncmp(show(), "DRV-Y004: the classes do not add up", 35), 0);
    ck_assert_ptr_null(strstr(show(), "reconciled"));
}
END_TEST

START_TEST(an_evicted_begin_is_no_match)
{
    count("DE", VERDICT_MATCH, 100);
    report.evicted = 7;
    ck_assert_int_eq(verify_report_result(&report), VERIFY_DISCREPANCY);
    ck_assert_int_eq(strncmp(show(), "7 records at the begin", 22), 0);
    report.compared = 100;
    report.source_count = 100;
    report.given_up = 6;
    ck_assert_int_eq(verify_report_result(&report), VERIFY_DISCREPANCY);
    ck_assert_int_eq(strncmp(show(), "1 record at the begin of the source topic is gone:", 50), 0);
    report.given_up = 7; /* all of it */
    ck_assert_int_eq(verify_report_result(&report), VERIFY_MATCH);
    ck_assert_ptr_null(strstr(show(), "at the begin"));
    ck_assert_ptr_nonnull(strstr(show(), "MATCH  every source record is accounted for and stored "
                                         "as it should be, 7 offsets given up\n"));
}
END_TEST

static void add_sample(void)
{
    static struct diff_field fields[] = {
        {{"/mail", 5}, {"\"ana@secret.example\"", 20}, {"\"eve@secret.example\"", 20}, NULL},
        {{"/gone", 5}, {"1", 1}, {NULL, 0}, NULL},
    };
    struct verify_sample *sample = verify_report_sample(&report, VERDICT_DIFFERENT, ERR_NONE);
    ck_assert_ptr_nonnull(sample);
    sample->tenant = BYTES_LITERAL("DE");
    sample->entity = BYTES_LITERAL("city");
    sample->id = BYTES_LITERAL("secret-id");
    sample->has_place = true;
    sample->partition = 3;
    sample->offset = 88121;
    sample->origin = BYTES_LITERAL("cities\033[31m.json:12:3");
    sample->fields = fields;
    sample->field_count = sample->field_total = 2;
}

static void append_json(void)
{
    struct json_out out;
    json_out_init(&out, &text);
    json_out_object(&out, NULL);
    verify_json_append(&report, &out);
    json_out_end(&out);
}

/* Who has a report and a list of likely keys or values must not find out which they are. */
START_TEST(hashes_cannot_be_tried_against_guesses)
{
    struct secret_ring ring;
    struct diff_key key = diff_key_of(BYTES_LITERAL("acme/agent/a1"));
    uint64_t here = verify_mask_hash_key(&report, &key);
    ck_assert(here == verify_mask_hash_key(&report, &key));
    ck_assert(here != key.high && here != key.low);
    verify_mask_draw_key(&report);
    ck_assert(here != verify_mask_hash_key(&report, &key));

    secret_ring_generate(&ring);
    secret_ring_report_key(&ring, report.mask_key);
    here = verify_mask_hash_key(&report, &key);
    ck_assert(secret_ring_add(&ring)); /* rotated */
    secret_ring_report_key(&ring, report.mask_key);
    ck_assert(here == verify_mask_hash_key(&report, &key));
    ck_assert_int_ne(memcmp(report.mask_key, ring.identity, sizeof report.mask_key), 0);

    count("DE", VERDICT_DIFFERENT, 1);
    add_sample();
    report.samples[VERDICT_DIFFERENT][0].key = key;
    char shown[32];
    snprintf(shown, sizeof shown, "h:%08x", (unsigned)(here >> 32));
    ck_assert_ptr_nonnull(strstr(show(), shown));
    buf_reset(&text);
    append_json();
    snprintf(shown, sizeof shown, "\"h:%016llx\"", (unsigned long long)here);
    ck_assert_ptr_nonnull(strstr(buf_text(&text), shown));
    snprintf(shown, sizeof shown, "%016llx", (unsigned long long)key.high);
    ck_assert_ptr_null(strstr(buf_text(&text), shown));
}
END_TEST
START_TEST(values_are_masked_unless_asked_for)
{
    count("DE", VERDICT_DIFFERENT, 1);
    add_sample();
    ck_assert_ptr_null(strstr(show(), "secret"));
    ck_assert_ptr_nonnull(strstr(show(), "drover.m.source-3@88121"));
    ck_assert_ptr_nonnull(strstr(show(), "/mail  source string of 18 bytes h:"));
    ck_assert_ptr_nonnull(strstr(show(), "stored absent"));
    const struct bytes *mail = &report.samples[VERDICT_DIFFERENT][0].fields[0].expected;
    unsigned long long hash = verify_mask_hash(&report, *mail);
    char shown[64];
    snprintf(shown, sizeof shown, "string of 18 bytes h:%08llx, stored", hash >> 32);
    ck_assert_msg(strstr(show(), shown) != NULL, "%s: %s", shown, show());
    verify_report_warn(&report, "a file named \033[2J");
    ck_assert_ptr_null(strchr(show(), '\033'));
    buf_reset(&text);
    append_json();
    snprintf(shown, sizeof shown, "\"string of 18 bytes h:%016llx\"", hash);
    ck_assert_msg(strstr(buf_text(&text), shown) != NULL, "%s", buf_text(&text));
    ck_assert_ptr_null(strstr(buf_text(&text), "secret"));
    report.show_values = true;
    ck_assert_ptr_nonnull(strstr(show(), "ana@secret.example"));
    ck_assert_ptr_nonnull(strstr(show(), "secret-id"));
    ck_assert_ptr_null(strchr(show(), '\033'));
}
END_TEST

START_TEST(the_json_is_json)
{
    yyjson_doc *doc = NULL;
    struct error err = {0};
    count("D\"E", VERDICT_MATCH, 3);
    count("FR", VERDICT_DIFFERENT, 1);
    add_sample();
    verify_report_warn(&report, "one \"quoted\" %s", "warning");
    verify_report_warn(&report, "one \"quoted\" %s", "warning");
    ck_assert_uint_eq(report.warning_count, 1);
    append_json();
    ck_assert_msg(json_parse(buf_view(&text), JSON_UNICODE_REJECT, NULL, &doc, &err) == OUT_OK,
                  "%s %s", err.text, err.where);
    yyjson_val *root = yyjson_doc_get_root(doc);
    ck_assert_str_eq(yyjson_get_str(yyjson_obj_get(root, "verdict")), "discrepancy");
    ck_assert(yyjson_get_bool(yyjson_obj_get(root, "reconciled")));
    ck_assert_uint_eq(yyjson_arr_size(yyjson_obj_get(root, "groups")), 1);
    ck_assert_uint_eq(yyjson_arr_size(yyjson_obj_get(root, "samples")), 1);
    ck_assert_uint_eq(yyjson_arr_size(yyjson_obj_get(root, "warnings")), 1);
    yyjson_doc_free(doc);
}
END_TEST

static void add_dead(enum error_code code, const char *tenant)
{
    count(tenant, VERDICT_DEAD, 1);
    verify_report_count_code(&report, VERDICT_DEAD, code, 1);
    struct verify_sample *sample = verify_report_sample(&report, VERDICT_DEAD, code);
    if (!sample)
        return;
    sample->tenant = verify_report_copy(&report, bytes_text(tenant));
    sample->entity = BYTES_LITERAL("city");
    sample->reason = bytes_text(error_code_id(code));
    sample->origin = BYTES_LITERAL("/srv/x/data/a.json:1:2");
}

static void add_up(yyjson_val *object, uint64_t sums[VERDICT_COUNT])
{
    for (int v = 0; v < VERDICT_COUNT; v++) {
        const struct totals_class *class = &TOTALS_VERIFY.classes[v];
        yyjson_val *counts = yyjson_obj_get(object, class->outside ? "beside" : "counts");
        sums[v] += yyjson_get_uint(yyjson_obj_get(counts, class->name));
    }
}

/* Whatever the number of tenants: those with problems up to the bound, and sums of the others that
 * add up to the whole. */
START_TEST(the_json_stays_small_over_tenants)
{
    enum { TENANTS = 30000 };
    char name[32];
    for (int i = 0; i < TENANTS; i++) {
        snprintf(name, sizeof name, "tenant-%05d", i);
        count(name, VERDICT_MATCH, (uint64_t)i % 7 + 1);
        if (i % 100 == 0) {
            add_dead(ERR_VALUE_TYPE, name);
            count(name, VERDICT_EXTRA, 2);
        }
    }
    append_json();
    ck_assert_uint_lt(text.size, 40000);
    yyjson_doc *doc = yyjson_read(text.data, text.size, 0);
    ck_assert_ptr_nonnull(doc);
    yyjson_val *root = yyjson_doc_get_root(doc), *group;
    size_t at, size;
    uint64_t whole[VERDICT_COUNT] = {0}, parts[VERDICT_COUNT] = {0};
    yyjson_val *groups = yyjson_obj_get(root, "groups");
    ck_assert_uint_eq(yyjson_arr_size(groups), 50);
    yyjson_arr_foreach(groups, at, size, group) add_up(group, parts);
    add_up(yyjson_obj_get(root, "groups_matching"), parts);
    add_up(yyjson_obj_get(root, "groups_left_out"), parts);
    add_up(root, whole);
    ck_assert_mem_eq(whole, parts, sizeof whole);
    ck_assert_uint_eq(whole[VERDICT_DEAD], TENANTS / 100);
    ck_assert_uint_eq(
        yyjson_get_uint(yyjson_obj_get(yyjson_obj_get(root, "groups_left_out"), "groups")),
        TENANTS / 100 - 50);
    yyjson_val *problem = yyjson_arr_get(yyjson_obj_get(root, "problems"), 0);
    ck_assert_str_eq(yyjson_get_str(yyjson_obj_get(problem, "code")), "DRV-V002");
    ck_assert_uint_eq(yyjson_get_uint(yyjson_obj_get(problem, "count")), TENANTS / 100);
    yyjson_doc_free(doc);
}
END_TEST

START_TEST(samples_and_warnings_are_bounded)
{
    for (int i = 0; i < 10; i++)
        ck_assert((verify_report_sample(&report, VERDICT_MISSING, ERR_NONE) != NULL) == (i < 3));
    for (int i = 0; i < 1000; i++)
        verify_report_warn(&report, "warning %d", i);
    ck_assert_uint_eq(report.warning_count, VERIFY_WARNINGS_MAX);
    ck_assert_ptr_nonnull(strstr(report.warnings[VERIFY_WARNINGS_MAX - 1], "left out"));
}
END_TEST

/* Whatever the order and the number of samples, each code has one as long as there is room. */
START_TEST(many_of_one_code_do_not_hide_another)
{
    static const enum error_code CODES[] = {ERR_VALUE_RANGE, ERR_VALUE_TYPE, ERR_PG_DATA};
    for (int i = 0; i < 1000; i++)
        add_dead(ERR_VALUE_RANGE, "t01");
    add_dead(ERR_VALUE_TYPE, "t02");
    for (int i = 0; i < 50; i++)
        add_dead(ERR_VALUE_TYPE, "t02");
    add_dead(ERR_PG_DATA, "t03");
    ck_assert_uint_eq(report.sample_counts[VERDICT_DEAD], 3);
    const char *shown = show();
    for (size_t i = 0; i < 3; i++) {
        bool found = false;
        for (size_t s = 0; s < 3; s++)
            found = found || report.samples[VERDICT_DEAD][s].code == CODES[i];
        ck_assert_msg(found, "%s", error_code_id(CODES[i]));
        ck_assert_ptr_nonnull(strstr(shown, error_code_id(CODES[i])));
    }
    ck_assert_ptr_nonnull(strstr(shown, "1 000 dead-lettered: DRV-V003"));
    ck_assert_ptr_nonnull(strstr(shown, "\n  51 dead-lettered: DRV-V002"));
    ck_assert_ptr_nonnull(strstr(shown, "\n  1 dead-lettered: DRV-P110"));
    ck_assert_ptr_nonnull(strstr(shown, "from data/a.json:1:2"));
    ck_assert_ptr_nonnull(strstr(shown, "Report: report/report.html (+ .json)"));
}
END_TEST

/* Problems first; those of no problem are a sum. */
START_TEST(problems_come_before_tenants_and_those_before_the_sums)
{
    char name[16];
    for (int i = 0; i < 500; i++) {
        snprintf(name, sizeof name, "good%03d", i);
        count(name, VERDICT_MATCH, 7);
    }
    for (int i = 0; i < 25; i++) {
        snprintf(name, sizeof name, "bad%02d", i);
        count(name, VERDICT_MATCH, 2);
        add_dead(ERR_VALUE_TYPE, name);
    }
    const char *shown = show(), *problem = strstr(shown, "dead-lettered: DRV-V002"),
               *tenant = strstr(shown, "\ntenant "), *more = strstr(shown, "5 more with problems"),
               *ok = strstr(shown, "500 without a problem"), *sum = strstr(shown, "source records");
    ck_assert(problem && tenant && more && ok && sum);
    ck_assert(problem < tenant && tenant < more && more < ok && ok < sum);
    ck_assert_ptr_null(strstr(shown, "good0"));
    ck_assert_ptr_null(strstr(shown, "missing")); /* a column of zeros */
}
END_TEST

/* No line is wider than the screen but for what cannot be broken, of which there is none here. */
static const char *next(void)
{
    buf_reset(&text);
    verify_next_append(&report, &text);
    return buf_text(&text);
}

/* Of each problem what helps, and nothing that does not. */
START_TEST(what_is_next_fits_the_verdict)
{
    count("DE", VERDICT_MATCH, 3);
    ck_assert_str_eq(next(), "");
    count("DE", VERDICT_DIFFERENT, 1);
    ck_assert_str_eq(next(), "Next:  drover verify --show-values\n");
    report.show_values = true;
    ck_assert_str_eq(next(), "");
    count("DE", VERDICT_LAGGING, 1);
    ck_assert_int_eq(strncmp(next(), "Next:  drover status (it names halted", 37), 0);
    count("DE", VERDICT_REJECTED, 2);
    report.rejected_of_streams = 2;
    ck_assert_int_eq(strncmp(next(), "Next:  drover dlq discard --source - --reason TEXT ", 51), 0);
    ck_assert_ptr_null(strstr(next(), "run again"));
    count("DE", VERDICT_REJECTED, 1);
    ck_assert_int_eq(
        strncmp(next(), "Next:  drover explain CODE for the codes named, fix, run", 56), 0);
    ck_assert_ptr_null(strstr(next(), "dlq replay"));
    count("DE", VERDICT_DEAD, 1);
    ck_assert_ptr_nonnull(strstr(next(), "fix it, drover schema apply, drover dlq replay beside"));
    ck_assert_ptr_nonnull(strstr(next(), "not wanted: drover dlq discard --reason TEXT\n"));
    ck_assert_ptr_nonnull(strstr(next(), "\n       drover status (it names halted"));
}
END_TEST

START_TEST(every_line_fits)
{
    static const size_t WIDTHS[] = {60, 80, 100, 200};
    char name[16];
    for (int v = 0; v < VERDICT_COUNT; v++) {
        for (int i = 0; i < 4; i++) {
            snprintf(name, sizeof name, "t%02d", i);
            count(name, (enum verdict)v, (uint64_t)(v * 1000 + i));
        }
        struct verify_sample *sample = verify_report_sample(&report, (enum verdict)v, ERR_NONE);
        sample->tenant = sample->entity = sample->id = BYTES_LITERAL("name");
        sample->has_place = sample->has_expected = sample->has_actual = true;
        sample->expected_version = INT64_MIN;
        sample->actual_version = INT64_MAX;
        sample->reason = BYTES_LITERAL("a reason of many words that says at some length what it is "
                                       "that is wrong with this record, and why nobody saw it");
    }
    verify_report_warn(&report, "a warning of many words that says at some length what it is that "
                                "nobody should rely upon when they read all of this report");
    const uint64_t many = 1234567890123456;
    report.evicted = report.source_count = many; /* and so the classes do not add up */
    report.side_checks = (struct verify_side_checks){
        .redis = {true, many, many, many, many, many, many, many, many, true},
        .sealed = {many, many, many, many},
        .files = {true, many, many, many, many, many, many}};
    verify_side_checks_orphans(&report.side_checks, "a_child_with_a_name", "a_parent_with_a_name",
                               many);
    for (size_t w = 0; w < sizeof WIDTHS / sizeof *WIDTHS; w++) {
        const char *line = show_at(WIDTHS[w]);
        while (*line) {
            size_t size = strcspn(line, "\n"), characters = 0;
            for (size_t i = 0; i < size; i++)
                characters += ((unsigned char)line[i] & 0xC0) != 0x80;
            bool verdict = strncmp(line, "NOT EQUAL", 9) == 0;
            ck_assert_msg(verdict || characters <= WIDTHS[w], "%zu: %.*s", WIDTHS[w], (int)size,
                          line);
            line += size + (line[size] == '\n');
        }
    }
}
END_TEST

static Suite *verify_report_suite(void)
{
    Suite *suite = suite_create("verify_report");
    TCase *tcase = tcase_create("report");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_full_match_matches);
    tcase_add_test(tcase, one_is_no_plural);
    tcase_add_test(tcase, nothing_compared_is_not_verified);
    tcase_add_loop_test(tcase, every_problem_is_a_discrepancy, 0, VERDICT_COUNT);
    tcase_add_test(tcase, what_does_not_add_up_comes_first);
    tcase_add_test(tcase, an_evicted_begin_is_no_match);
    tcase_add_test(tcase, hashes_cannot_be_tried_against_guesses);
    tcase_add_test(tcase, values_are_masked_unless_asked_for);
    tcase_add_test(tcase, the_json_is_json);
    tcase_add_test(tcase, the_json_stays_small_over_tenants);
    tcase_add_test(tcase, samples_and_warnings_are_bounded);
    tcase_add_test(tcase, many_of_one_code_do_not_hide_another);
    tcase_add_test(tcase, problems_come_before_tenants_and_those_before_the_sums);
    tcase_add_test(tcase, what_is_next_fits_the_verdict);
    tcase_add_test(tcase, every_line_fits);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(verify_report_suite)
