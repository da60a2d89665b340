/* The report of a verification that follows: its verdict is never better than its counts, what
 * comes from outside is text, and page and JSON say the same. */

#include "common/policy/verify/follow_report.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "common/base/mem.h"
#include "common/policy/totals.h"
#include "common/policy/verify/readings_sum.h"
#include "tests/support/html_parse.h"
#include "tests/support/random.h"
#include "tests/support/suite.h"

enum { ROUNDS = 40, MINUTES = 200 };

#define NOON 1700000000000

static struct follow_report report;
static struct follow_minute minutes[MINUTES];
static struct buf page, json;

static void setup(void)
{
    buf_init(&page, 8u << 20);
    buf_init(&json, 8u << 20);
    report = (struct follow_report){
        .migration = "m",
        .group = "drover.m.worker",
        .topic = "drover.m.source",
        .id = "host-1",
        .facts = {.run = "20261129T170255-0badcafe",
                  .who = "ana@host",
                  .began_ms = NOON,
                  .ended_ms = -1,
                  .written_ms = NOON + 3600000},
        .since_ms = NOON,
        .starts = 1,
        .rate_max = 0.0001,
        .share = 1,
        .full_pass = {.began_ms = -1, .next_ms = -1},
    };
    for (int i = 0; i < FOLLOW_WINDOWS; i++)
        report.windows[i].upper = NAN;
}

static void teardown(void)
{
    buf_free(&page);
    buf_free(&json);
}

static void count(enum verdict verdict, uint64_t number)
{
    report.windows[FOLLOW_HOUR].counts[verdict] += number;
    report.windows[FOLLOW_TOTAL].counts[verdict] += number;
}

static const char *show(void)
{
    buf_reset(&page);
    follow_report_append_html(&report, &page);
    ck_assert(!page.failed);
    struct html_parser parser = {.text = buf_view(&page)};
    bool whole = html_parse(&parser);
    size_t from = parser.at > 60 ? parser.at - 60 : 0;
    ck_assert_msg(whole && strlen(buf_text(&page)) == page.size, "seed %llu: %s: %.120s",
                  (unsigned long long)random_seed, parser.fault ? parser.fault : "it has a NUL",
                  page.data + from);
    return buf_text(&page);
}

static bool shows(const char *text)
{
    return strstr(show(), text) != NULL;
}

/* The document; the caller frees it. */
static yyjson_doc *document(void)
{
    buf_reset(&json);
    follow_report_append_document(&report, &json);
    ck_assert(!json.failed);
    yyjson_doc *doc = yyjson_read(json.data, json.size, 0);
    ck_assert_ptr_nonnull(doc);
    return doc;
}

static void says(const char *verdict, const char *word, const char *reason)
{
    struct buf text;
    char both[1024];
    yyjson_doc *doc = document();
    buf_init(&text, 4096);
    follow_report_append_reason(&report, &text);
    ck_assert_str_eq(yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "verdict")), verdict);
    ck_assert_str_eq(follow_report_verdict(&report), word);
    ck_assert_str_eq(buf_text(&text), reason);
    snprintf(both, sizeof both, "<p class=\"verdict\">%s</p>", word);
    ck_assert(shows(both));
    yyjson_doc_free(doc);
    buf_free(&text);
}

START_TEST(test_the_verdict_is_the_counts)
{
    says("not_verified", "NOT VERIFIED", "nothing was compared");
    count(VERDICT_SUPERSEDED, 9);
    says("not_verified", "NOT VERIFIED", "nothing was compared");
    count(VERDICT_MATCH, 100);
    report.windows[FOLLOW_TOTAL].upper = 0.0295;
    says("inconclusive", "INCONCLUSIVE",
         "no discrepancy, but too few comparisons to say so: 100 comparisons; with 95 % confidence "
         "the rate is at most 2.95 %, the limit is 0.01 %");
    report.windows[FOLLOW_TOTAL].upper = 0.0001; /* must be below it */
    ck_assert_int_eq(follow_report_result(&report), FOLLOW_INCONCLUSIVE);
    report.windows[FOLLOW_TOTAL].upper = NAN;
    ck_assert_int_eq(follow_report_result(&report), FOLLOW_INCONCLUSIVE);
    report.windows[FOLLOW_TOTAL].upper = 0.00005;
    report.not_compared = 7;
    says("match", "MATCH",
         "no discrepancy in 100 comparisons, a sample: 7 were left out; with 95 % confidence the "
         "rate is at most 0.005 %, the limit is 0.01 %");
    report.full_pass = (struct follow_full_pass){
        .began_ms = NOON, .next_ms = -1, .not_whole = BYTES_LITERAL("a.json was cut")};
    says("inconclusive", "INCONCLUSIVE",
         "no discrepancy, but the last full pass was not whole: 100 comparisons, a sample: 7 were "
         "left out; with 95 % confidence the rate is at most 0.005 %, the limit is 0.01 %");
    ck_assert(shows("may be there: <bdi>a.json was cut</bdi></p>"));
    ck_assert(shows("; it was not whole.</p>"));
    report.full_pass = (struct follow_full_pass){.began_ms = NOON, .problems = 1, .next_ms = -1};
    says("discrepancy", "NOT EQUAL", "the last full pass found 1 problem");
    count(VERDICT_MISSING, 2);
    report.windows[FOLLOW_TOTAL].upper = 0.06;
    says("discrepancy", "NOT EQUAL",
         "2 missing in 102 comparisons, a sample: 7 were left out; with 95 % confidence the rate "
         "is at most 6 %, the limit is 0.01 %; the last full pass found 1 problem");
}
END_TEST

START_TEST(test_one_is_no_plural)
{
    count(VERDICT_MATCH, 1);
    report.windows[FOLLOW_TOTAL].upper = 0.95;
    report.not_compared = 1;
    says("inconclusive", "INCONCLUSIVE",
         "no discrepancy, but too few comparisons to say so: 1 comparison, a sample: 1 was left "
         "out; with 95 % confidence the rate is at most 95 %, the limit is 0.01 %");
    ck_assert(shows("1&#160;key version judged ="));
}
END_TEST

static struct readings readings;
static struct readings_sum sources;

static void tell(uint64_t rejected, bool complete, int64_t at_ms)
{
    const struct reading reading = {.run = BYTES_LITERAL("r-follow"),
                                    .uri = BYTES_LITERAL("<b>.json"),
                                    .has_source = true,
                                    .complete = complete,
                                    .records = rejected,
                                    .rejected = rejected,
                                    .finished_ms = at_ms};
    ck_assert(readings_add(&readings, &reading, (struct bytes){0}));
    readings_sum_of(&readings, &sources);
}

/* As drover verify has it: what is rejected, or cannot be read whole, is not equal; what is put
 * right is. What is not known is no match. */
START_TEST(test_how_the_sources_stand)
{
    readings_init(&readings, 1u << 20);
    sources = (struct readings_sum){.is_known = true};
    report.sources = &sources;
    report.rate_max = 0;
    tell(2, true, 1);
    says("discrepancy", "NOT EQUAL", "2 records of <b>.json are rejected");
    count(VERDICT_MATCH, 100);
    says("discrepancy", "NOT EQUAL", "2 records of <b>.json are rejected");
    ck_assert(!follow_report_is_right(&report));
    ck_assert(shows("&lt;b&gt;.json") && shows(": 2 rejected</li>"));
    tell(0, true, 2);
    says("match", "MATCH", "no discrepancy in 100 comparisons");
    ck_assert(follow_report_is_right(&report) && !shows("id=\"sources\""));
    tell(0, false, 3);
    says("discrepancy", "NOT EQUAL", "the reading of <b>.json is not complete");
    report.full_pass = (struct follow_full_pass){.began_ms = NOON, .problems = 1, .next_ms = -1};
    says("discrepancy", "NOT EQUAL",
         "the last full pass found 1 problem; the reading of <b>.json is not complete");
    report.full_pass.problems = 0;
    tell(0, true, 4);
    sources.is_known = false;
    says("inconclusive", "INCONCLUSIVE",
         "no discrepancy, but what is rejected of the sources was not read yet: 100 comparisons");
    ck_assert(!follow_report_is_right(&report));
    sources.is_known = true;
    sources.beyond = 1;
    ck_assert(!follow_report_is_right(&report));
    readings_free(&readings);
}
END_TEST

/* Every verdict is either compared, or named among what was not, or a problem. */
START_TEST(test_every_verdict_counts_somewhere)
{
    count((enum verdict)_i, 3);
    bool compared = follow_report_compared(report.windows[FOLLOW_TOTAL].counts) == 3;
    bool wrong = follow_report_wrong(report.windows[FOLLOW_TOTAL].counts) == 3;
    ck_assert(compared || !wrong);
    ck_assert_int_eq(follow_report_result(&report), wrong      ? FOLLOW_DISCREPANCY
                                                    : compared ? FOLLOW_INCONCLUSIVE
                                                               : FOLLOW_NOTHING);
    ck_assert_int_eq(shows("id=\"problems\""), wrong);
    char words[80];
    snprintf(words, sizeof words, "3&#160;%s", TOTALS_VERIFY.classes[_i].title);
    ck_assert_msg(shows(words), "%s", words);
}
END_TEST

static void fill_minutes(void)
{
    for (int i = 0; i < MINUTES; i++)
        minutes[i] = (struct follow_minute){.unix_ms = NOON + i * 60000,
                                            .committed = 600 * i,
                                            .lag = i % 7,
                                            .behind = -1,
                                            .compared = 100,
                                            .rate = 0,
                                            .upper = 1.0 / (i + 1),
                                            .old_p50_ms = NAN,
                                            .old_p99_ms = NAN,
                                            .new_p50_ms = 1.5,
                                            .new_p99_ms = i % 2 ? 9 : NAN};
    report.minutes = minutes;
    report.minute_count = MINUTES;
}

START_TEST(test_plots)
{
    count(VERDICT_MATCH, 5);
    ck_assert(!shows("<figure"));
    fill_minutes();
    ck_assert(shows("id=\"plot-rate\""));
    ck_assert(shows("id=\"plot-throughput\""));
    ck_assert(shows("records committed a second: lowest 0, highest 1&#160;990"));
    ck_assert(shows("id=\"plot-lag\""));
    ck_assert(shows("messages the verifier is behind them: not known."));
    ck_assert(shows("id=\"plot-latency\""));
    yyjson_doc *doc = document();
    yyjson_val *list = yyjson_obj_get(yyjson_doc_get_root(doc), "minutes");
    ck_assert_uint_eq(yyjson_arr_size(list), MINUTES);
    yyjson_val *third = yyjson_arr_get(list, 3);
    ck_assert_int_eq(yyjson_get_sint(yyjson_obj_get(third, "committed")), 1800);
    ck_assert(yyjson_is_null(yyjson_obj_get(third, "behind")));
    ck_assert(yyjson_is_null(yyjson_obj_get(third, "old_p50_ms")));
    yyjson_doc_free(doc);
    for (int i = 0; i < MINUTES; i++)
        minutes[i].committed = minutes[i].lag = -1;
    ck_assert(!shows("id=\"plot-throughput\"") && !shows("id=\"plot-lag\""));
}
END_TEST

START_TEST(test_what_was_not_compared)
{
    count(VERDICT_MATCH, 5);
    ck_assert(shows("There was no full pass yet"));
    report.share = 0.125;
    report.not_compared = 4321;
    report.open_suspects = 2;
    count(VERDICT_OVERTAKEN, 6);
    ck_assert(shows("a sample of 12.5&#160;% of the keys"));
    ck_assert(shows("<td class=\"n\">4&#160;321</td><td>left out</td>"));
    ck_assert(shows("<td class=\"n\">2</td><td>suspects</td>"));
    ck_assert(shows("<td class=\"n\">6</td><td>overtaken</td>"));
}
END_TEST

/* Slower at p95 alone. */
static const struct verify_reads READS = {
    .per_second = 200,
    .connections = 4,
    .keys = 30,
    .limit = 1.1,
    .count = 2,
    .stores = {
        {.name = "file", .reads = 1000, .ns = {2000000, 4000000, 20000000}, .max_ns = 30000000},
        {.name = "PostgreSQL",
         .reads = 1000,
         .ns = {1000000, 8000000, 20000000},
         .max_ns = 20000000,
         .error = "<b>it went away</b>"}}};

START_TEST(test_latencies)
{
    ck_assert(!shows("id=\"reads\""));
    report.reads = &READS;
    ck_assert(
        shows("<td>old: file</td><td class=\"n\">1&#160;000</td><td class=\"n\">2.00 ms</td>"));
    ck_assert(shows("<td class=\"n\">1.00 ms (×0.50)</td><td class=\"n\">8.00 ms (×2.00)</td>"));
    ck_assert(shows("30 keys, the latest that were found right in the store, are read"));
    ck_assert(!shows("id=\"writes\""));
    report.writes.total[WRITE_COMMITTED] = (struct write_latency_stage){7, 31, 40, 50, 1200};
    ck_assert(
        shows("<td>committed</td><td>all</td><td class=\"n\">7</td><td class=\"n\">31&#160;ms"));
    yyjson_doc *doc = document();
    yyjson_val *root = yyjson_doc_get_root(doc);
    yyjson_val *reads = yyjson_obj_get(root, "reads_compared");
    ck_assert_str_eq(yyjson_get_str(yyjson_obj_get(reads, "verdict")), "slower");
    ck_assert(yyjson_is_null(yyjson_obj_get(reads, "for_seconds")));
    ck_assert_ptr_nonnull(yyjson_obj_get(root, "write_latency"));
    yyjson_doc_free(doc);
}
END_TEST

/* compare.enforce: a limit that is not held is exit code 5; what is not known yet is not, before
 * the end. What is wrong goes before it. */
START_TEST(test_reads_may_be_too_slow)
{
    struct verify_reads reads = READS;
    report.reads = &reads;
    count(VERDICT_MATCH, 50000);
    report.windows[FOLLOW_TOTAL].upper = 0.00006;
    ck_assert_int_eq(follow_report_result(&report), FOLLOW_MATCH);
    reads.enforced = true;
    says("discrepancy", "TOO SLOW",
         "no discrepancy in 50 000 comparisons; with 95 % confidence the rate is at most 0.006 %, "
         "the "
         "limit is 0.01 %; reads: slower than 1.1 times the old: PostgreSQL at p95 (2.00)");
    reads.stores[1].ns[READS_P95] = 1;
    ck_assert_int_eq(follow_report_result(&report), FOLLOW_MATCH);
    reads.stores[1].errors = 500;
    ck_assert_int_eq(follow_report_result(&report), FOLLOW_MATCH);
    report.facts.ended_ms = NOON + 1;
    ck_assert_int_eq(follow_report_result(&report), FOLLOW_TOO_SLOW);
    yyjson_doc *doc = document();
    ck_assert_int_eq(yyjson_get_int(yyjson_obj_get(yyjson_doc_get_root(doc), "exit_code")), 5);
    yyjson_doc_free(doc);
    report.full_pass.not_whole =
        BYTES_LITERAL("it was ended"); /* that the records are right goes first */
    says("inconclusive", "INCONCLUSIVE",
         "no discrepancy, but the last full pass was not whole: 50 000 comparisons; with 95 % "
         "confidence "
         "the rate is at most 0.006 %, the limit is 0.01 %; reads: whether they are within 1.1 "
         "times the "
         "old is not known: each store has to answer 100 reads, and 99 of 100 in time, and to find "
         "9 of "
         "10 records");
    doc = document();
    ck_assert_int_eq(yyjson_get_int(yyjson_obj_get(yyjson_doc_get_root(doc), "exit_code")), 5);
    yyjson_doc_free(doc);
    count(VERDICT_STALE, 1);
    ck_assert_int_eq(follow_report_result(&report), FOLLOW_DISCREPANCY);
}
END_TEST

/* ---- hostile texts ----------------------------------------------------------------------- */

static const char *const HOSTILE[] = {
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "\"><svg/onload=alert(1)>",
    "' onmouseover='alert(1)",
    "--><!--",
    "&lt;b&gt;",
    "]]>",
    "<![CDATA[",
    "</title>",
    "\xe2\x80\xae reversed",
    "\x1b[2J\x1b[31mred",
    "\xc2\x85",
    "\xff\xfe<b>",
    "a\0b",
    "\n\r\t",
    "%00%0a%s%n",
    "javascript:alert(1)",
    "{{7*7}}",
    "\xf0\x9f\x98\x80\xcc\x81\xcc\x82\xcc\x83",
    "",
};

static struct bytes hostile(struct buf *kept)
{
    size_t from = kept->size;
    for (uint64_t i = random_below(4); i > 0; i--) {
        const char *text = HOSTILE[random_below(sizeof HOSTILE / sizeof *HOSTILE)];
        buf_append(kept, text, strcmp(text, "a") == 0 ? 3 : strlen(text));
    }
    for (uint64_t i = random_below(20); i > 0; i--)
        buf_append_char(kept, (char)random_below(256));
    return bytes_of(kept->data + from, kept->size - from);
}

static char *hostile_text(void)
{
    struct buf kept;
    buf_init(&kept, 4096);
    buf_append_text(&kept, HOSTILE[random_below(sizeof HOSTILE / sizeof *HOSTILE)]);
    char *text = mem_format("%s", buf_text(&kept));
    buf_free(&kept);
    return text;
}

START_TEST(test_hostile_texts_are_text)
{
    struct buf kept;
    struct follow_sample samples[VERDICT_COUNT];
    struct follow_sample_field fields[2];
    struct follow_group groups[3];
    struct follow_partition partition = {2147483647, -1, INT64_MAX, -1};
    struct bytes warnings[2];
    random_begin((uint64_t)_i);
    buf_init(&kept, 1u << 20);
    buf_extend(&kept, 600000); /* its memory stays where it is */
    kept.size = 0;
    char *texts[] = {hostile_text(), hostile_text(), hostile_text(), hostile_text(),
                     hostile_text()};
    report.migration = texts[0];
    report.topic = texts[1];
    report.id = texts[2];
    report.facts.who = texts[3];
    report.facts.postgres = texts[4];
    fill_minutes();
    for (int i = 0; i < 2; i++) {
        fields[i] = (struct follow_sample_field){hostile(&kept), hostile(&kept), hostile(&kept)};
        warnings[i] = hostile(&kept);
    }
    for (int v = 0; v < VERDICT_COUNT; v++) {
        count((enum verdict)v, random_below(3) ? random_any() >> 12 : 0);
        samples[v] = (struct follow_sample){.verdict = (enum verdict)v,
                                            .tenant = hostile(&kept),
                                            .entity = hostile(&kept),
                                            .key_hash = random_any(),
                                            .partition = (int32_t)random_below(3) - 1,
                                            .offset = INT64_MAX,
                                            .origin = hostile(&kept),
                                            .reason = hostile(&kept),
                                            .has_versions = true,
                                            .source_version = INT64_MIN,
                                            .stored_version = INT64_MAX,
                                            .first_ms = random_below(2) ? NOON : INT64_MAX,
                                            .last_ms = random_below(2) ? NOON : INT64_MIN,
                                            .seen = random_below(4),
                                            .fields = fields,
                                            .field_count = 2,
                                            .field_total = 9};
    }
    for (int i = 0; i < 3; i++)
        groups[i] = (struct follow_group){hostile(&kept), hostile(&kept), i ? "delete" : NULL, {0}};
    report.samples = samples;
    report.sample_count = VERDICT_COUNT;
    report.full_samples = samples;
    report.full_sample_count = random_below(VERDICT_COUNT + 1);
    report.groups = groups;
    report.group_count = 3;
    report.partitions = &partition;
    report.partition_count = 1;
    report.warnings = warnings;
    report.warning_count = 2;
    report.full_pass.failure = hostile(&kept);
    report.full_pass.report = hostile(&kept);
    report.full_pass.not_whole = hostile(&kept);
    report.full_pass.problems = random_below(2);
    for (int i = 0; i < MINUTES; i++)
        minutes[i].old_p99_ms = random_below(2) ? INFINITY : -1e300;
    show();
    yyjson_doc *doc = document();
    ck_assert_str_eq(yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "kind")),
                     "follow_report");
    yyjson_doc_free(doc);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]);
    buf_free(&kept);
}
END_TEST

/* ---- to be looked at --------------------------------------------------------------------- */

static void write_to(const char *folder, const char *name, const struct buf *content)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(content->data, 1, content->size, file), content->size);
    fclose(file);
}

/* Three hours with an outage, a discrepancy that went away, and hostile names. */
START_TEST(test_a_page_to_be_looked_at)
{
    const struct follow_sample_field fields[] = {
        {BYTES_LITERAL("/total"), BYTES_LITERAL("number of 4 bytes h:9f2c11d04b1a0c77"),
         BYTES_LITERAL("number of 4 bytes h:02e1aa3c9d8870f1")},
        {BYTES_LITERAL("/note"), BYTES_LITERAL("string of 12 bytes h:77aa11d04b1a0c70"), {0}}};
    const struct follow_sample samples[] = {
        {.verdict = VERDICT_DIFFERENT,
         .tenant = BYTES_LITERAL("south"),
         .entity = BYTES_LITERAL("order"),
         .key_hash = 0x26266496f741fba3,
         .partition = 3,
         .offset = 120331,
         .origin = BYTES_LITERAL("/srv/shop/<img src=x onerror=alert(1)>.json"),
         .first_ms = NOON + 5000000,
         .last_ms = NOON + 5060000,
         .seen = 4,
         .fields = fields,
         .field_count = 2,
         .field_total = 2},
        {.verdict = VERDICT_MISSING,
         .tenant = BYTES_LITERAL("\xe2\x80\xaenorth<b>"),
         .entity = BYTES_LITERAL("order"),
         .key_hash = 0x17,
         .partition = 0,
         .offset = 7,
         .reason = BYTES_LITERAL("no row"),
         .first_ms = NOON,
         .last_ms = NOON,
         .seen = 1,
         .is_over = true},
        {.verdict = VERDICT_MISSING,
         .tenant = BYTES_LITERAL("east"),
         .entity = BYTES_LITERAL("user"),
         .key_hash = 0x18,
         .partition = -1,
         .first_ms = NOON,
         .last_ms = NOON,
         .seen = 1},
    };
    const struct follow_group groups[] = {
        {BYTES_LITERAL("south"),
         BYTES_LITERAL("order"),
         "upsert",
         {[VERDICT_MATCH] = 50100, [VERDICT_DIFFERENT] = 1, [VERDICT_SUPERSEDED] = 420}},
        {BYTES_LITERAL("\xe2\x80\xaenorth<b>"),
         BYTES_LITERAL("order"),
         "delete",
         {[VERDICT_MATCH] = 40, [VERDICT_MISSING] = 1}},
        {BYTES_LITERAL("(others)"), BYTES_LITERAL("user"), "upsert", {[VERDICT_MATCH] = 30003}}};
    const struct follow_partition partitions[] = {{0, 51200, 51210, 51210},
                                                  {3, 120400, 120512, -1}};
    const struct bytes warnings[] = {BYTES_LITERAL("the state topic drover.shop.state is missing")};
    const char *folder = getenv("DROVER_TEST_PAGE");
    fill_minutes();
    for (int i = 0; i < 180; i++) {
        bool outage = i >= 90 && i < 104;
        minutes[i] = (struct follow_minute){
            .unix_ms = NOON + i * 60000,
            .committed = outage ? -1 : 18000 + (i * 7919) % 9000,
            .lag = outage                ? -1
                   : i >= 104 && i < 112 ? (112 - i) * 30000
                                         : (i * 31) % 900,
            .behind = outage ? -1 : (i * 17) % 300,
            .compared = 450,
            .rate = i > 120 ? 0.0000371 : 0,
            .upper = i > 120 ? 0.000176 : 3.0 / (450.0 * (i < 60 ? i + 1 : 60)),
            .old_p50_ms = outage ? NAN : 2.1 + i % 5 * 0.1,
            .old_p99_ms = outage ? NAN : 11 + i % 13,
            .new_p50_ms = outage ? NAN : 0.8 + i % 7 * 0.05,
            .new_p99_ms = outage ? NAN : 5 + i % 11};
    }
    report.minute_count = 180;
    report.migration = "shop";
    report.facts.ended_ms = report.facts.written_ms = NOON + 180 * 60000;
    report.facts.storage = "hybrid";
    report.facts.settings = "0123456789abcdef0123456789abcdef";
    report.facts.postgres = "15.8 (Debian 15.8-0+deb12u1)";
    report.facts.redis = "7.0.15";
    report.facts.kafka = "2.0.2";
    report.starts = 2;
    count(VERDICT_MATCH, 80143);
    count(VERDICT_SUPERSEDED, 420);
    count(VERDICT_OVERTAKEN, 31);
    count(VERDICT_DEAD, 12);
    count(VERDICT_DIFFERENT, 1);
    count(VERDICT_MISSING, 2);
    report.windows[FOLLOW_HOUR].counts[VERDICT_MATCH] = 26950;
    report.windows[FOLLOW_DAY] = report.windows[FOLLOW_TOTAL];
    report.windows[FOLLOW_MINUTE].counts[VERDICT_MATCH] = 450;
    report.windows[FOLLOW_FIVE_MINUTES].counts[VERDICT_MATCH] = 2250;
    const double uppers[] = {0.00664, 0.00133, 0.000288, 0.0000968, 0.0000968};
    for (int i = 0; i < FOLLOW_WINDOWS; i++)
        report.windows[i].upper = uppers[i];
    report.share = 0.25;
    report.not_compared = 31044;
    report.open_suspects = 2;
    report.waited_ms = 812000;
    report.full_pass = (struct follow_full_pass){.began_ms = NOON + 3600000,
                                                 .duration_ms = 42300,
                                                 .counts = {[VERDICT_MATCH] = 1000000},
                                                 .next_ms = NOON + 7 * 3600000};
    report.reads = &READS;
    report.writes = (struct write_latency){.follows_redis = true,
                                           .recent = {{2250, 31, 48, 60, 230},
                                                      {2250, 400, 700, 900, 1200},
                                                      {2250, 620, 900, 1100, 1400}},
                                           .total = {{80146, 33, 52, 91, 61000},
                                                     {80146, 410, 720, 960, 62000},
                                                     {80143, 640, 950, 1200, 62500}},
                                           .ahead = 3};
    report.partitions = partitions;
    report.partition_count = 2;
    report.groups = groups;
    report.group_count = 3;
    report.samples = samples;
    report.sample_count = 3;
    report.warnings = warnings;
    report.warning_count = 1;
    show();
    yyjson_doc_free(document());
    if (!folder)
        return;
    write_to(folder, "report.html", &page);
    write_to(folder, "report.json", &json);
}
END_TEST

START_TEST(test_samples_of_a_full_pass)
{
    const struct follow_sample sample = {.verdict = VERDICT_EXTRA,
                                         .tenant = BYTES_LITERAL("south"),
                                         .entity = BYTES_LITERAL("order"),
                                         .key_hash = 0x26266496f741fba3,
                                         .partition = -1,
                                         .first_ms = NOON,
                                         .last_ms = NOON,
                                         .seen = 1};
    report.full_pass = (struct follow_full_pass){.began_ms = NOON, .problems = 1, .next_ms = -1};
    report.full_samples = &sample;
    report.full_sample_count = 1;
    show();
    ck_assert(shows("found by the last full pass"));
    ck_assert(shows("<p><b>extra</b></p>"));
    ck_assert(shows("h:26266496f741fba3"));
    yyjson_doc *doc = document();
    yyjson_val *pass = yyjson_obj_get(yyjson_doc_get_root(doc), "full_pass");
    yyjson_val *shown = yyjson_arr_get_first(yyjson_obj_get(pass, "samples"));
    ck_assert_str_eq(yyjson_get_str(yyjson_obj_get(shown, "verdict")), "extra");
    ck_assert_str_eq(yyjson_get_str(yyjson_obj_get(shown, "key")), "h:26266496f741fba3");
    yyjson_doc_free(doc);
}
END_TEST

static Suite *follow_report_suite(void)
{
    Suite *suite = suite_create("follow_report");
    TCase *tcase = tcase_create("report");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_the_verdict_is_the_counts);
    tcase_add_test(tcase, test_one_is_no_plural);
    tcase_add_loop_test(tcase, test_every_verdict_counts_somewhere, 0, VERDICT_COUNT);
    tcase_add_test(tcase, test_samples_of_a_full_pass);
    tcase_add_test(tcase, test_how_the_sources_stand);
    tcase_add_test(tcase, test_plots);
    tcase_add_test(tcase, test_what_was_not_compared);
    tcase_add_test(tcase, test_latencies);
    tcase_add_test(tcase, test_reads_may_be_too_slow);
    tcase_add_test(tcase, test_a_page_to_be_looked_at);
    tcase_add_loop_test(tcase, test_hostile_texts_are_text, 0, ROUNDS);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(follow_report_suite)
