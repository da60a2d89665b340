/* See the header. */
#include "verifier/follow/follow_view.h"

#include <inttypes.h>

#include "common/base/plural.h"
#include "common/policy/totals.h"
#include "common/policy/verify/readings_sum.h"

uint64_t follow_numbers_wrong(const struct follow_numbers *numbers)
{
    return follow_report_wrong(numbers->rolling->total);
}

static uint64_t compared_by(const struct follow_numbers *numbers)
{
    return follow_report_compared(numbers->rolling->total);
}

void follow_numbers_report(const struct follow_numbers *numbers, struct follow_report *report)
{
    const uint64_t *total = numbers->rolling->total;
    for (int kind = 0; kind < FOLLOW_WINDOWS; kind++)
        rolling_window(numbers->rolling, (enum follow_window_kind)kind, &report->windows[kind]);
    report->share = numbers->share;
    report->not_compared = total[ROLLING_NOT_COMPARED];
    report->not_rechecked = total[ROLLING_NOT_RECHECKED];
    report->open_suspects = numbers->suspects;
    report->full_pass = *numbers->full;
    report->writes = numbers->writes;
    report->reads = numbers->reads;
    report->sources = numbers->sources;
}

static void append_latencies(struct buf *out, const struct follow_numbers *numbers)
{
    struct buf part;
    buf_init(&part, 512);
    write_latency_append_line(&numbers->writes, &part);
    if (part.size)
        buf_append_format(out, " · %s", buf_text(&part));
    buf_reset(&part);
    if (numbers->reads)
        verify_reads_append_line(numbers->reads, &part);
    if (part.size)
        buf_append_format(out, " · %s", buf_text(&part));
    buf_free(&part);
}

static void append_sources(struct buf *out, const struct readings_sum *sources)
{
    if (!sources)
        return;
    if (sources->rejected)
        buf_append_format(out, " · %" PRIu64 " rejected", sources->rejected);
    if (sources->incomplete)
        buf_append_format(out, " · %" PRIu64 " source%s not complete", sources->incomplete,
                          sources->incomplete == 1 ? "" : "s");
}

void follow_view_append_line(struct buf *out, const struct follow_numbers *numbers)
{
    struct follow_window window;
    const uint64_t *total = numbers->rolling->total;
    uint64_t wrong = follow_numbers_wrong(numbers);
    rolling_window(numbers->rolling, FOLLOW_TOTAL, &window);
    buf_append_format(out, "compared %" PRIu64, compared_by(numbers));
    buf_append_format(out, " · %" PRIu64 " discrepanc%s", wrong, wrong == 1 ? "y" : "ies");
    if (compared_by(numbers))
        buf_append_format(out, " · below %.3g %% (95 %%)", 100 * window.upper);
    for (unsigned class = 0; class < VERDICT_COUNT; class ++)
        if (follow_report_is_wrong((enum verdict) class) && total[class])
            buf_append_format(out, " · %" PRIu64 " %s", total[class],
                              verdict_name((enum verdict) class));
    static const enum verdict BESIDE[] = {VERDICT_SUPERSEDED, VERDICT_OVERTAKEN, VERDICT_DEAD,
                                          VERDICT_WAITING, VERDICT_CONFLICT};
    for (size_t i = 0; i < sizeof BESIDE / sizeof *BESIDE; i++)
        if (total[BESIDE[i]])
            buf_append_format(out, " · %" PRIu64 " %s", total[BESIDE[i]], verdict_name(BESIDE[i]));
    if (total[ROLLING_NOT_COMPARED])
        buf_append_format(out, " · %" PRIu64 " not compared", total[ROLLING_NOT_COMPARED]);
    if (total[ROLLING_NOT_RECHECKED])
        buf_append_format(out, " · %" PRIu64 " not looked at again", total[ROLLING_NOT_RECHECKED]);
    buf_append_format(out, " · behind %" PRIu64, numbers->backlog);
    if (numbers->suspects)
        buf_append_format(out, " · %" PRIu64 " looked at again", numbers->suspects);
    if (numbers->share < 1)
        buf_append_format(out, " · %.4g %% of the keys", 100 * numbers->share);
    if (numbers->full->began_ms >= 0)
        buf_append_format(out, " · full pass: %" PRIu64 " problem%s%s", numbers->full->problems,
                          plural_end(numbers->full->problems),
                          numbers->full->not_whole.size ? ", not whole" : "");
    append_sources(out, numbers->sources);
    append_latencies(out, numbers);
    for (int service = 0; service < OUTAGE_SERVICES; service++)
        if (numbers->outages->of[service].is_on)
            buf_append_format(out, " · %s is away", outage_title((enum outage_service)service));
}

static void append_windows(struct json_out *out, const struct rolling *rolling)
{
    static const char *const NAMES[FOLLOW_WINDOWS] = {"minute", "five_minutes", "hour", "day",
                                                      "total"};
    json_out_list(out, "windows");
    for (int kind = 0; kind < FOLLOW_WINDOWS; kind++) {
        struct follow_window window;
        rolling_window(rolling, (enum follow_window_kind)kind, &window);
        uint64_t compared = follow_report_compared(window.counts);
        uint64_t wrong = follow_report_wrong(window.counts);
        json_out_object(out, NULL);
        json_out_text(out, "window", NAMES[kind]);
        json_out_count(out, "compared", compared);
        json_out_count(out, "discrepancies", wrong);
        if (compared) {
            json_out_real(out, "rate", (double)wrong / (double)compared, 9);
            json_out_real(out, "upper", window.upper, 9);
        } else {
            json_out_null(out, "rate");
            json_out_null(out, "upper");
        }
        json_out_end(out);
    }
    json_out_end(out);
}

static void append_full_pass(struct json_out *out, const struct follow_full_pass *full)
{
    if (full->began_ms < 0) {
        json_out_null(out, "full_pass");
        return;
    }
    json_out_object(out, "full_pass");
    json_out_time(out, "began", full->began_ms);
    json_out_seconds(out, "duration_seconds", full->duration_ms);
    json_out_count(out, "problems", full->problems);
    json_out_bool(out, "failed", full->failure.size > 0);
    if (full->not_whole.size)
        json_out_bytes(out, "not_whole", full->not_whole);
    else
        json_out_null(out, "not_whole");
    json_out_end(out);
}

void follow_view_append_json(struct json_out *out, const struct follow_numbers *numbers)
{
    const uint64_t *total = numbers->rolling->total;
    json_out_count(out, "compared", compared_by(numbers));
    json_out_count(out, "discrepancies", follow_numbers_wrong(numbers));
    append_windows(out, numbers->rolling);
    json_out_list(out, "verdicts");
    for (unsigned class = 0; class < VERDICT_COUNT; class ++) {
        if (!total[class])
            continue;
        json_out_object(out, NULL);
        json_out_text(out, "verdict", TOTALS_VERIFY.classes[class].name);
        json_out_count(out, "count", total[class]);
        json_out_end(out);
    }
    json_out_end(out);
    json_out_count(out, "not_compared", total[ROLLING_NOT_COMPARED]);
    json_out_count(out, "not_rechecked", total[ROLLING_NOT_RECHECKED]);
    json_out_count(out, "behind", numbers->backlog);
    json_out_count(out, "suspects", numbers->suspects);
    json_out_real(out, "share", numbers->share, 6);
    json_out_count(out, "partitions", numbers->partitions);
    append_full_pass(out, numbers->full);
    if (numbers->sources)
        readings_sum_append_json(numbers->sources, out);
    write_latency_append_json(&numbers->writes, out);
    if (numbers->reads)
        verify_reads_append_json(numbers->reads, out);
    json_out_list(out, "outages");
    for (int service = 0; service < OUTAGE_SERVICES; service++)
        if (numbers->outages->of[service].is_on)
            json_out_text(out, NULL, outage_word((enum outage_service)service));
    json_out_end(out);
}
