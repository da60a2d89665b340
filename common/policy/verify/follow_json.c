/* The report of a verification that follows, as JSON. */

#include "common/policy/verify/follow_report.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "common/base/error_json.h"
#include "common/base/json_document.h"
#include "common/base/json_out.h"
#include "common/policy/totals.h"
#include "common/policy/verify/readings_sum.h"

enum { RATE_DECIMALS = 9, MS_DECIMALS = 3, MINUTES_MAX = 1441 };

static void append_real(struct json_out *out, const char *name, double value, int decimals)
{
    if (isfinite(value))
        json_out_real(out, name, value, decimals);
    else
        json_out_null(out, name);
}

static void append_known(struct json_out *out, const char *name, int64_t value)
{
    if (value < 0)
        json_out_null(out, name);
    else
        json_out_int(out, name, value);
}

static double rate_of(const uint64_t *counts)
{
    uint64_t compared = follow_report_compared(counts);
    return compared ? (double)follow_report_wrong(counts) / (double)compared : NAN;
}

static void append_windows(const struct follow_report *report, struct json_out *out)
{
    static const char *const NAMES[] = {
        [FOLLOW_MINUTE] = "minute", [FOLLOW_FIVE_MINUTES] = "five_minutes",
        [FOLLOW_HOUR] = "hour",     [FOLLOW_DAY] = "day",
        [FOLLOW_TOTAL] = "total",
    };
    json_out_object(out, "windows");
    for (int i = 0; i < FOLLOW_WINDOWS; i++) {
        const struct follow_window *window = &report->windows[i];
        json_out_object(out, NAMES[i]);
        json_out_count(out, "compared", follow_report_compared(window->counts));
        json_out_count(out, "wrong", follow_report_wrong(window->counts));
        append_real(out, "rate", rate_of(window->counts), RATE_DECIMALS);
        append_real(out, "upper", window->upper, RATE_DECIMALS);
        totals_append_json_counts(out, &TOTALS_VERIFY, window->counts, i == FOLLOW_TOTAL);
        json_out_end(out);
    }
    json_out_end(out);
}

static void append_minutes(const struct follow_report *report, struct json_out *out)
{
    size_t from = report->minute_count > MINUTES_MAX ? report->minute_count - MINUTES_MAX : 0;
    json_out_list(out, "minutes");
    for (size_t i = from; i < report->minute_count; i++) {
        const struct follow_minute *minute = &report->minutes[i];
        json_out_object(out, NULL);
        json_out_time(out, "time", minute->unix_ms);
        append_known(out, "committed", minute->committed);
        append_known(out, "lag", minute->lag);
        append_known(out, "behind", minute->behind);
        json_out_count(out, "compared", minute->compared);
        json_out_count(out, "wrong", minute->wrong);
        append_real(out, "rate", minute->rate, RATE_DECIMALS);
        append_real(out, "upper", minute->upper, RATE_DECIMALS);
        append_real(out, "old_p50_ms", minute->old_p50_ms, MS_DECIMALS);
        append_real(out, "old_p99_ms", minute->old_p99_ms, MS_DECIMALS);
        append_real(out, "new_p50_ms", minute->new_p50_ms, MS_DECIMALS);
        append_real(out, "new_p99_ms", minute->new_p99_ms, MS_DECIMALS);
        json_out_end(out);
    }
    json_out_end(out);
}

static void append_partitions(const struct follow_report *report, struct json_out *out)
{
    json_out_list(out, "partitions");
    for (size_t i = 0; i < report->partition_count; i++) {
        json_out_object(out, NULL);
        json_out_int(out, "partition", report->partitions[i].partition);
        append_known(out, "verified", report->partitions[i].verified);
        append_known(out, "committed", report->partitions[i].committed);
        append_known(out, "end", report->partitions[i].end);
        json_out_end(out);
    }
    json_out_end(out);
}

static void append_groups(const struct follow_report *report, struct json_out *out)
{
    json_out_list(out, "groups");
    for (size_t i = 0; i < report->group_count; i++) {
        const struct follow_group *group = &report->groups[i];
        json_out_object(out, NULL);
        json_out_bytes(out, "tenant", group->tenant);
        json_out_bytes(out, "entity", group->entity);
        json_out_text(out, "operation", group->operation);
        totals_append_json_counts(out, &TOTALS_VERIFY, group->counts, false);
        json_out_end(out);
    }
    json_out_end(out);
}

static void append_value(struct json_out *out, const char *name, struct bytes value)
{
    if (value.size)
        json_out_bytes(out, name, value);
    else
        json_out_null(out, name);
}

static void append_fields(const struct follow_sample *sample, struct json_out *out)
{
    json_out_count(out, "fields_total", sample->field_total);
    json_out_list(out, "fields");
    for (size_t i = 0; i < sample->field_count; i++) {
        json_out_object(out, NULL);
        json_out_bytes(out, "path", sample->fields[i].path);
        append_value(out, "source", sample->fields[i].source);
        append_value(out, "stored", sample->fields[i].stored);
        json_out_end(out);
    }
    json_out_end(out);
}

static void append_sample(const struct follow_sample *sample, struct json_out *out)
{
    char key[32];
    snprintf(key, sizeof key, "h:%016" PRIx64, sample->key_hash);
    json_out_object(out, NULL);
    json_out_text(out, "verdict", TOTALS_VERIFY.classes[sample->verdict].name);
    json_out_text(out, "code", sample->code == ERR_NONE ? NULL : error_code_id(sample->code));
    json_out_bytes(out, "tenant", sample->tenant);
    json_out_bytes(out, "entity", sample->entity);
    json_out_text(out, "key", key);
    if (sample->partition >= 0) {
        json_out_int(out, "partition", sample->partition);
        json_out_int(out, "offset", sample->offset);
    }
    if (sample->origin.size)
        error_append_json_where(ERR_VERIFY_DIFFERENT, sample->origin, (struct bytes){0}, out,
                                "where");
    if (sample->has_versions) {
        json_out_exact(out, "source_version", sample->source_version);
        json_out_exact(out, "stored_version", sample->stored_version);
    }
    if (sample->reason.size)
        json_out_bytes(out, "reason", sample->reason);
    json_out_time(out, "first_seen", sample->first_ms);
    json_out_time(out, "last_seen", sample->last_ms);
    json_out_count(out, "seen", sample->seen);
    json_out_bool(out, "is_over", sample->is_over);
    if (sample->field_total)
        append_fields(sample, out);
    json_out_end(out);
}

static void append_samples(const struct follow_sample *samples, size_t count, struct json_out *out)
{
    json_out_list(out, "samples");
    for (size_t i = 0; i < count; i++)
        append_sample(&samples[i], out);
    json_out_end(out);
}

static void append_full_pass(const struct follow_report *report, struct json_out *out)
{
    const struct follow_full_pass *pass = &report->full_pass;
    json_out_object(out, "full_pass");
    json_out_time(out, "began", pass->began_ms);
    json_out_seconds(out, "duration_seconds", pass->duration_ms);
    json_out_count(out, "problems", pass->problems);
    if (pass->failure.size)
        json_out_bytes(out, "failure", pass->failure);
    else
        json_out_null(out, "failure");
    if (pass->not_whole.size)
        json_out_bytes(out, "not_whole", pass->not_whole);
    else
        json_out_null(out, "not_whole");
    if (pass->report.size)
        json_out_bytes(out, "report", pass->report);
    else
        json_out_null(out, "report");
    json_out_time(out, "next", pass->next_ms);
    totals_append_json_counts(out, &TOTALS_VERIFY, pass->counts, false);
    append_samples(report->full_samples, report->full_sample_count, out);
    json_out_end(out);
}

static void append_members(const struct follow_report *report, struct json_out *out)
{
    static const char *const RESULTS[] = {
        [FOLLOW_MATCH] = "match",
        [FOLLOW_INCONCLUSIVE] = "inconclusive",
        [FOLLOW_DISCREPANCY] = "discrepancy",
        [FOLLOW_TOO_SLOW] = "discrepancy",
        [FOLLOW_NOTHING] = "not_verified",
    };
    json_out_text(out, "verdict", RESULTS[follow_report_result(report)]);
    json_out_text(out, "migration", report->migration);
    json_out_text(out, "topic", report->topic);
    json_out_text(out, "group", report->group);
    json_out_text(out, "verifier", report->id);
    json_out_time(out, "since", report->since_ms);
    json_out_count(out, "starts", report->starts);
    json_out_time(out, "started", report->facts.began_ms);
    report_facts_append_json(&report->facts, out);
    append_real(out, "rate_limit", report->rate_max > 0 ? report->rate_max : NAN, RATE_DECIMALS);
    append_windows(report, out);
    append_real(out, "share", report->share, RATE_DECIMALS);
    json_out_count(out, "not_compared", report->not_compared);
    json_out_count(out, "not_rechecked", report->not_rechecked);
    json_out_count(out, "open_suspects", report->open_suspects);
    json_out_seconds(out, "waited_seconds", report->waited_ms);
    append_full_pass(report, out);
    if (report->sources)
        readings_sum_append_json(report->sources, out);
    write_latency_append_json(&report->writes, out);
    if (report->reads)
        verify_reads_append_json(report->reads, out);
    append_partitions(report, out);
    json_out_list(out, "warnings");
    for (size_t i = 0; i < report->warning_count; i++)
        json_out_bytes(out, NULL, report->warnings[i]);
    json_out_end(out);
    append_groups(report, out);
    append_samples(report->samples, report->sample_count, out);
    append_minutes(report, out);
}

void follow_report_append_document(const struct follow_report *report, struct buf *buf)
{
    struct json_out out;
    int code = follow_report_is_right(report) ? EXIT_OK : EXIT_DISCREPANCY;
    json_out_init(&out, buf);
    json_document_begin(&out, "follow_report", report->facts.written_ms);
    append_members(report, &out);
    json_document_end(&out, NULL, report->facts.ended_ms < 0 ? NULL : &code);
    buf_append_char(buf, '\n');
}
