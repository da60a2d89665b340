/* report.html: nothing that comes from outside is ever more than text, whatever it is and wherever
 * it stands; and its numbers are the report's. */

#include "common/policy/verify/verify_html.h"

#include <stdio.h>
#include <string.h>

#include "common/base/text.h"
#include "common/policy/html_out.h"
#include "common/policy/totals.h"
#include "common/policy/verify/readings.h"
#include "common/policy/verify/verify_mask.h"
#include "common/policy/verify/verify_reads.h"
#include "tests/support/html_parse.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"

enum { ROUNDS = 60 };

static struct verify_report report;
static struct readings readings;
static struct buf page;

static void setup(void)
{
    verify_report_init(&report, 3, 50);
    readings_init(&readings, 1u << 20);
    readings.keeps_names = true;
    report.migration = "m";
    report.group = "drover.m.worker";
    report.topic = "drover.m.source";
    report.readings = &readings;
    report.passes = 1;
    report.facts = (struct report_facts){.who = "ana@host", .storage = "database", .ended_ms = -1};
    verify_mask_draw_key(&report);
    buf_init(&page, 8u << 20);
}

static void teardown(void)
{
    verify_report_free(&report);
    readings_free(&readings);
    buf_free(&page);
}

static const char *show(void)
{
    buf_reset(&page);
    verify_html_append(&report, &page);
    ck_assert(!page.failed);
    return buf_text(&page);
}

static bool shows(const char *text)
{
    return strstr(show(), text) != NULL;
}

static void count(struct bytes tenant, struct bytes entity, enum verdict verdict, uint64_t number)
{
    uint32_t group = diff_groups_find(&report.groups, tenant, entity);
    report.groups.items[group].counts[verdict] += number;
    if (verdict < VERDICT_OUTSIDE)
        report.source_count += number;
    report.compared += number;
}

static void check_page(void)
{
    struct html_parser parser = {.text = bytes_text(show())};
    size_t bad;
    bool whole = html_parse(&parser);
    size_t from = parser.at > 60 ? parser.at - 60 : 0;
    ck_assert_msg(whole && parser.text.size == page.size, "seed %llu: %s: %.120s",
                  (unsigned long long)random_seed, parser.fault ? parser.fault : "it has a NUL",
                  parser.text.data + from);
    ck_assert_msg(text_is_utf8(parser.text, &bad), "seed %llu: no UTF-8 at %zu",
                  (unsigned long long)random_seed, bad);
    ck_assert_msg(!memmem(page.data, page.size, "\xe2\x80\xae", 3), "seed %llu: bidi override",
                  (unsigned long long)random_seed);
}

/* ---- hostile values ---------------------------------------------------------------------- */

static const char *const PIECES[] = {
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onload='alert(1)",
    "</style><style>*{display:none}",
    "<!--",
    "-->",
    "]]>",
    "<![CDATA[",
    "&lt;",
    "&#60;",
    "&",
    "<",
    ">",
    "\"",
    "'",
    "</bdi></td></table>",
    "<svg/onload=alert(1)>",
    "javascript:alert(1)",
    "\033[2J\033[31m",
    "\033]0;title\007",
    "\xe2\x80\xae"
    "fdp.exe",
    "\xe2\x81\xa6",
    "\xff\xfe",
    "\xed\xa0\x80",
    "\xc0\xbc",
    "\xf4\x90\x80\x80",
    "\x80",
    "\r\n",
    "\x7f",
    "\xc2\x85",
    "\xef\xbb\xbf",
    "Größe",
    "שלום",
    "漢字",
    "Z\xcc\xb6\xcd\x9d",
    "a",
    " ",
    "%s%n",
    "../../etc/passwd",
    "{{7*7}}",
    "${x}",
};

/* Of some pieces, NUL among them; lives as long as the report. */
static struct bytes hostile(void)
{
    struct buf text;
    buf_init(&text, 8192);
    size_t pieces = 1 + random_below(7);
    for (size_t i = 0; i < pieces; i++) {
        size_t piece = random_below(sizeof PIECES / sizeof *PIECES + 1);
        if (piece == sizeof PIECES / sizeof *PIECES)
            buf_append_char(&text, '\0');
        else
            buf_append_text(&text, PIECES[piece]);
    }
    struct bytes kept = verify_report_copy(&report, buf_view(&text));
    buf_free(&text);
    return kept;
}

/* The same where a text ends at its NUL. */
static const char *hostile_text(void)
{
    struct bytes text = hostile();
    char ended[8192];
    snprintf(ended, sizeof ended, "%.*s", BYTES_ARGS(text));
    return verify_report_copy(&report, bytes_of(ended, strlen(ended) + 1)).data;
}

static struct bytes quoted(void)
{
    char text[8192];
    snprintf(text, sizeof text, "\"%s\"", hostile_text());
    return verify_report_copy(&report, bytes_text(text));
}

static void fill_sample(struct verify_sample *sample, struct diff_field *field)
{
    sample->tenant = hostile();
    sample->entity = hostile();
    sample->id = hostile();
    sample->name = hostile();
    sample->file = random_below(2) ? hostile() : (struct bytes){0};
    sample->table = hostile_text();
    sample->has_place = random_below(2);
    sample->origin = hostile();
    sample->reason = hostile();
    *field = (struct diff_field){hostile(), quoted(), quoted(), NULL};
    sample->fields = field;
    sample->field_count = 1;
    sample->field_total = 3;
}

static void fill_reading(int i)
{
    char run[32];
    snprintf(run, sizeof run, "run%d", i);
    const struct reading reading = {.run = bytes_text(run),
                                    .uri = hostile(),
                                    .complete = i % 3 != 0,
                                    .stream = i % 5 == 0,
                                    .records = 5,
                                    .produced = 3,
                                    .rejected = 2,
                                    .size = 12345,
                                    .has_digest = true,
                                    .finished_ms = 1000 + i};
    ck_assert(readings_add(&readings, &reading, (struct bytes){0}));
}

static void fill(struct diff_field *fields)
{
    report.migration = hostile_text();
    report.topic = hostile_text();
    report.group = hostile_text();
    report.only_tenant = hostile_text();
    report.facts.who = hostile_text();
    report.facts.storage = hostile_text();
    report.facts.run = hostile_text();
    report.facts.postgres = hostile_text();
    report.facts.redis = hostile_text();
    verify_report_warn(&report, "%s", hostile_text());
    for (int v = 0; v < VERDICT_COUNT; v++) {
        count(hostile(), hostile(), (enum verdict)v, 1 + random_below(1000));
        fill_sample(verify_report_sample(&report, (enum verdict)v, ERR_NONE), fields++);
    }
    for (int list = VERIFY_LIST_REDIS; list < VERIFY_LIST_COUNT; list++)
        fill_sample(verify_report_sample_side(&report, (enum verify_list)list, VERDICT_MISSING),
                    fields++);
    for (int i = 0; i < 8; i++)
        fill_reading(i);
}

START_TEST(hostile_values_are_text)
{
    struct diff_field fields[VERIFY_LIST_COUNT];
    random_begin(20261129 + (uint64_t)_i);
    fill(fields);
    report.show_values = _i % 2;
    check_page();
}
END_TEST

START_TEST(a_tag_of_the_data_is_seen_as_it_is)
{
    count(BYTES_LITERAL("<b>&\"'"), BYTES_LITERAL("city"), VERDICT_MISSING, 1);
    ck_assert(shows("<bdi>&lt;b&gt;&amp;&quot;&#39;</bdi>"));
    buf_reset(&page);
    html_append_outside(&page, BYTES_LITERAL("<<<<<<"), 3);
    ck_assert_str_eq(buf_text(&page), "<bdi>&lt;&lt;&lt;…</bdi>");
    buf_reset(&page);
    html_append_words(&page, BYTES_LITERAL("1 234 records <x> 5 match"));
    ck_assert_str_eq(buf_text(&page), "1&#160;234&#160;records &lt;x&gt; 5&#160;match");
}
END_TEST

/* ---- what it says ------------------------------------------------------------------------ */

START_TEST(verdict_and_sum_are_the_report_s)
{
    count(BYTES_LITERAL("DE"), BYTES_LITERAL("city"), VERDICT_MATCH, 171000);
    count(BYTES_LITERAL("FR"), BYTES_LITERAL("city"), VERDICT_DISCARDED, 2);
    ck_assert(shows("<p class=\"verdict\">MATCH</p>"));
    ck_assert(shows("stored as it should be, 2&#160;discarded</p>"));
    ck_assert(
        shows("171&#160;002&#160;source records = 171&#160;000&#160;match + 2&#160;discarded   "
              "(reconciled)</p>"));
    ck_assert(shows("99.99 %")); /* never 100 of what is not all */
    ck_assert(!shows("id=\"problems\""));
    count(BYTES_LITERAL("FR"), BYTES_LITERAL("city"), VERDICT_MISSING, 1);
    ck_assert(shows("<p class=\"verdict\">NOT EQUAL</p>"));
    ck_assert(shows("<p class=\"reason\">1&#160;missing</p>"));
    report.source_count++;
    ck_assert(shows("DRV-Y004: the classes do not add up"));
    ck_assert(shows("171&#160;004&#160;source records ≠ "));
}
END_TEST

START_TEST(every_class_of_the_sum_has_its_colour)
{
    char rule[64];
    for (int v = 0; v < VERDICT_OUTSIDE; v++) {
        snprintf(rule, sizeof rule, ".c-%s{", TOTALS_VERIFY.classes[v].name);
        ck_assert_msg(shows(rule), "%s", rule);
    }
}
END_TEST

START_TEST(nothing_compared_is_said_so)
{
    ck_assert(shows("<p class=\"verdict\">NOT VERIFIED</p>"));
    check_page();
}
END_TEST

START_TEST(a_problem_has_its_advice_and_its_sample)
{
    count(BYTES_LITERAL("DE"), BYTES_LITERAL("city"), VERDICT_DEAD, 40);
    verify_report_count_code(&report, VERDICT_DEAD, ERR_VALUE_LENGTH, 40);
    struct verify_sample *sample = verify_report_sample(&report, VERDICT_DEAD, ERR_VALUE_LENGTH);
    sample->tenant = BYTES_LITERAL("DE");
    sample->id = BYTES_LITERAL("secret-id");
    sample->origin = BYTES_LITERAL("/srv/a.json:3:1");
    sample->reason = BYTES_LITERAL("DRV-V004: a string is too long for the column at /name");
    ck_assert(shows("<h3>40 dead-lettered <code>DRV-V004</code></h3>"));
    ck_assert(shows("widen the column or use type: text"));
    ck_assert(shows("<bdi>/srv/a.json:3:1</bdi>"));
    ck_assert(shows("<bdi>at /name</bdi>"));
    ck_assert(shows("… and 39 more"));
    ck_assert(!shows("secret-id"));
    report.show_values = true;
    ck_assert(shows("secret-id"));
    ck_assert(shows("keep it as you keep the data"));
}
END_TEST

START_TEST(values_are_masked_as_in_the_json)
{
    struct diff_field field = {
        BYTES_LITERAL("/mail"), BYTES_LITERAL("\"ana@secret.example\""), {0}, NULL};
    struct buf json;
    char hash[64];
    buf_init(&json, 4096);
    count(BYTES_LITERAL("DE"), BYTES_LITERAL("city"), VERDICT_DIFFERENT, 1);
    struct verify_sample *sample = verify_report_sample(&report, VERDICT_DIFFERENT, ERR_NONE);
    sample->tenant = BYTES_LITERAL("DE");
    sample->fields = &field;
    sample->field_count = sample->field_total = 1;
    verify_mask_append_json(&json, &report, field.expected);
    snprintf(hash, sizeof hash, "<bdi>%.*s</bdi>", (int)json.size - 2, json.data + 1);
    ck_assert_msg(shows(hash), "%s", hash);
    ck_assert(shows("<td class=\"dim\"><bdi>absent</bdi></td>"));
    ck_assert(!shows("secret"));
    buf_free(&json);
}
END_TEST

START_TEST(sources_beyond_the_table_are_a_sum)
{
    enum { SOURCES = 500 };
    char name[32];
    for (int i = 0; i < SOURCES; i++) {
        snprintf(name, sizeof name, "s%04d", i);
        const struct reading reading = {.run = BYTES_LITERAL("run"),
                                        .uri = bytes_text(name),
                                        .complete = i != 7,
                                        .records = 3,
                                        .produced = 3,
                                        .size = 1024,
                                        .finished_ms = 1};
        ck_assert(readings_add(&readings, &reading, (struct bytes){0}));
    }
    const char *text = show(), *cut = strstr(text, "not complete"), *other = strstr(text, "s0000");
    ck_assert(cut && other && cut < other);
    ck_assert(shows("<td>300 more</td><td class=\"n\">300.0 KiB</td><td class=\"n\">900</td>"));
    ck_assert(
        shows("<td>500 sources</td><td class=\"n\">499.0 KiB</td><td class=\"n\">1&#160;497"));
    check_page();
}
END_TEST

START_TEST(throughput_and_lag_are_shown_when_there_is_enough_of_them)
{
    count(bytes_text("t"), bytes_text("e"), VERDICT_MATCH, 3);
    ck_assert(!shows("id=\"flow\""));
    time_buckets_add(&report.flow, 1700000000000, 3, 2);
    ck_assert(shows("tell of 3 records"));
    ck_assert(shows("too short a time for a plot"));
    ck_assert(!shows("<figure"));
    for (int i = 1; i < 20; i++)
        time_buckets_add(&report.flow, 1700000000000 + i * 1000, (uint64_t)i * 10, -1);
    check_page();
    ck_assert(shows("id=\"plot-throughput\""));
    ck_assert(shows("highest 190&#160;at 22:13:39, last 190."));
    ck_assert(shows("id=\"plot-lag\"")); /* of one point */
}
END_TEST

START_TEST(reads_have_a_section_and_may_be_too_slow)
{
    struct verify_reads reads = {
        .per_second = 200,
        .connections = 4,
        .keys = 12,
        .limit = 1.1,
        .count = 2,
        .stores = {{.name = "http", .reads = 500, .ns = {1000000, 2000000, 3000000}, .refused = 2},
                   {.name = "PostgreSQL", .reads = 500, .ns = {1500000, 2000000, 3000000}}}};
    snprintf(reads.stores[0].error, sizeof reads.stores[0].error, "<script>1</script>");
    count(BYTES_LITERAL("DE"), BYTES_LITERAL("city"), VERDICT_MATCH, 7);
    ck_assert(!shows("id=\"reads\""));
    report.reads = &reads;
    ck_assert(shows("id=\"reads\""));
    ck_assert(shows("1.50 ms (×1.50)"));
    ck_assert(shows("slower&#160;than") || shows("slower than"));
    ck_assert(!shows("<script>"));
    ck_assert(!shows("TOO SLOW"));
    reads.enforced = true;
    ck_assert(shows("TOO SLOW"));
    ck_assert_int_eq(verify_report_result(&report), VERIFY_DISCREPANCY);
    check_page();
    reads.limit = 2;
    ck_assert_int_eq(verify_report_result(&report), VERIFY_MATCH);
}
END_TEST

static Suite *verify_html_suite(void)
{
    Suite *suite = suite_create("verify_html");
    TCase *tcase = tcase_create("page");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, hostile_values_are_text, 0, ROUNDS);
    tcase_add_test(tcase, a_tag_of_the_data_is_seen_as_it_is);
    tcase_add_test(tcase, verdict_and_sum_are_the_report_s);
    tcase_add_test(tcase, every_class_of_the_sum_has_its_colour);
    tcase_add_test(tcase, nothing_compared_is_said_so);
    tcase_add_test(tcase, throughput_and_lag_are_shown_when_there_is_enough_of_them);
    tcase_add_test(tcase, a_problem_has_its_advice_and_its_sample);
    tcase_add_test(tcase, values_are_masked_as_in_the_json);
    tcase_add_test(tcase, sources_beyond_the_table_are_a_sum);
    tcase_add_test(tcase, reads_have_a_section_and_may_be_too_slow);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(verify_html_suite)
