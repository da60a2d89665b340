/* The report as JSON: the members of a document of kind `verify`, names stable. */

#include "common/policy/verify/verify_report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error_json.h"
#include "common/base/json_document.h"
#include "common/policy/totals.h"
#include "common/policy/verify/verify_mask.h"
#include "common/policy/verify/verify_reads.h"
#include "common/policy/verify/verify_words.h"

#define NOT_WHOLE_MAX 2048

/* A member of the record by its path, or a column that no member names. */
static void append_path(struct json_out *out, struct bytes path)
{
    static const char COLUMN[] = "column ";
    const size_t size = sizeof COLUMN - 1;
    if (path.size > size && memcmp(path.data, COLUMN, size) == 0)
        json_out_bytes(out, "column", bytes_of(path.data + size, path.size - size));
    else
        json_out_bytes(out, "path", path);
}

static void append_value(const struct verify_report *report, struct json_out *out, const char *name,
                         struct bytes value)
{
    struct buf text;
    buf_init(&text, 16 * VERIFY_VALUE_MAX + 64);
    verify_mask_append_json(&text, report, value);
    json_out_raw(out, name, buf_view(&text));
    buf_free(&text);
}

static void append_fields(const struct verify_report *report, const struct verify_sample *sample,
                          struct json_out *out)
{
    json_out_count(out, "fields_total", sample->field_total);
    json_out_list(out, "fields");
    for (size_t i = 0; i < sample->field_count; i++) {
        const struct diff_field *field = &sample->fields[i];
        json_out_object(out, NULL);
        append_path(out, field->path);
        append_value(report, out, "source", field->expected);
        append_value(report, out, "stored", field->actual);
        if (field->rule) {
            json_out_object(out, "rule");
            json_out_text(out, "column", field->rule->name);
            json_out_real(out, "tolerance", field->rule->tolerance, 9);
            json_out_end(out);
        }
        json_out_end(out);
    }
    json_out_end(out);
}

static void append_places(struct json_out *out, const struct verify_sample *sample)
{
    if (sample->has_place) {
        json_out_int(out, "partition", sample->partition);
        json_out_int(out, "offset", sample->offset);
    }
    if (sample->origin.size)
        error_append_json_where(ERR_VERIFY_DIFFERENT, sample->origin, (struct bytes){0}, out,
                                "where");
    if (sample->has_expected)
        json_out_exact(out, "source_version", sample->expected_version);
    if (sample->has_actual)
        json_out_exact(out, "stored_version", sample->actual_version);
}

static void append_sample(const struct verify_report *report, const struct verify_sample *sample,
                          struct json_out *out)
{
    char text[32];
    json_out_object(out, NULL);
    json_out_text(out, "verdict", TOTALS_VERIFY.classes[sample->verdict].name);
    json_out_text(out, "code", sample->code == ERR_NONE ? NULL : error_code_id(sample->code));
    json_out_bytes(out, "tenant", sample->tenant);
    json_out_bytes(out, "entity", sample->entity);
    snprintf(text, sizeof text, "h:%016" PRIx64, verify_mask_hash_key(report, &sample->key));
    json_out_text(out, "key", text);
    if (report->show_values)
        json_out_bytes(out, "id", sample->id);
    if (sample->table)
        json_out_text(out, "table", sample->table);
    if (sample->file.size)
        json_out_bytes(out, "file", sample->file);
    /* a Redis key holds the id: it is shown as ids are */
    if (sample->name.size && (report->show_values || sample->name.data[0] == '/'))
        json_out_bytes(out, "name", sample->name);
    append_places(out, sample);
    if (sample->reason.size)
        json_out_bytes(out, "reason", sample->reason);
    if (sample->field_total)
        append_fields(report, sample, out);
    json_out_end(out);
}

static void append_list(const struct verify_report *report, int from, int to, const char *name,
                        struct json_out *out)
{
    json_out_list(out, name);
    for (int list = from; list < to; list++)
        for (size_t i = 0; i < report->sample_counts[list]; i++)
            append_sample(report, &report->samples[list][i], out);
    json_out_end(out);
}

static void append_problems(const struct verify_report *report, struct json_out *out)
{
    size_t count;
    struct verify_code *problems = verify_report_problems(report, &count);
    json_out_list(out, "problems");
    for (size_t i = 0; i < count; i++) {
        bool has_code = problems[i].code != ERR_NONE;
        json_out_object(out, NULL);
        json_out_text(out, "verdict", TOTALS_VERIFY.classes[problems[i].verdict].name);
        json_out_text(out, "code", has_code ? error_code_id(problems[i].code) : NULL);
        json_out_count(out, "count", problems[i].count);
        json_out_end(out);
    }
    json_out_end(out);
    free(problems);
}

static void append_sum(struct json_out *out, const char *name, const struct diff_groups_sum *sum)
{
    json_out_object(out, name);
    json_out_count(out, "groups", sum->groups);
    json_out_count(out, "source_records", totals_records(&TOTALS_VERIFY, sum->counts));
    totals_append_json_counts(out, &TOTALS_VERIFY, sum->counts, false);
    json_out_end(out);
}

/* A report stays small whatever the number of tenants. */
static void append_groups(const struct verify_report *report, struct json_out *out)
{
    struct diff_groups_split split;
    diff_groups_split(&report->groups, report->groups_max, &split);
    json_out_list(out, "groups");
    for (size_t i = 0; i < split.listed_count; i++) {
        const struct diff_group *group = split.listed[i];
        json_out_object(out, NULL);
        json_out_bytes(out, "tenant", group->tenant);
        json_out_bytes(out, "entity", group->entity);
        json_out_count(out, "source_records", totals_records(&TOTALS_VERIFY, group->counts));
        totals_append_json_counts(out, &TOTALS_VERIFY, group->counts, false);
        json_out_end(out);
    }
    json_out_end(out);
    append_sum(out, "groups_matching", &split.matching);
    append_sum(out, "groups_left_out", &split.left_out);
    diff_groups_split_free(&split);
}

static void append_partitions(const struct verify_report *report, struct json_out *out)
{
    json_out_list(out, "partitions");
    for (size_t i = 0; i < report->partition_count; i++) {
        const struct verify_partition *at = &report->partitions[i];
        json_out_object(out, NULL);
        json_out_int(out, "partition", at->partition);
        json_out_int(out, "low", at->low);
        json_out_int(out, "cut", at->snapshot_end);
        json_out_int(out, "high", at->high);
        json_out_end(out);
    }
    json_out_end(out);
}

static void append_run(const struct verify_report *report, struct json_out *out)
{
    json_out_text(out, "migration", report->migration);
    json_out_text(out, "topic", report->topic);
    json_out_text(out, "group", report->group);
    json_out_text(out, "only_tenant", report->only_tenant);
    json_out_time(out, "started", report->started_ms);
    json_out_seconds(out, "duration_seconds", report->duration_ms);
    json_out_count(out, "passes", report->passes);
    json_out_count(out, "memory_bytes", report->memory_bytes);
    json_out_count(out, "rows", report->rows);
    json_out_count(out, "compared", report->compared);
    json_out_count(out, "evicted", report->evicted);
    json_out_count(out, "given_up", report->given_up);
    json_out_count(out, "changed", report->changed);
    json_out_count(out, "not_looked", report->not_rechecked);
    report_facts_append_json(&report->facts, out);
}

/* What the receipts tell, by time. */
static void append_flow(const struct verify_report *report, struct json_out *out)
{
    const struct time_buckets *flow = &report->flow;
    if (!flow->used) {
        json_out_null(out, "flow");
        return;
    }
    json_out_object(out, "flow");
    json_out_time(out, "begin", time_buckets_begin(flow, 0));
    json_out_seconds(out, "bucket_seconds", (uint64_t)flow->width_ms);
    json_out_list(out, "records");
    for (size_t i = 0; i < flow->used; i++)
        json_out_count(out, NULL, flow->items[i].count);
    json_out_end(out);
    json_out_list(out, "lag");
    for (size_t i = 0; i < flow->used; i++)
        if (flow->items[i].level < 0)
            json_out_null(out, NULL);
        else
            json_out_int(out, NULL, flow->items[i].level);
    json_out_end(out);
    json_out_end(out);
}

static void append_whole(const struct verify_report *report, struct json_out *out)
{
    struct buf why;
    bool is_whole = verify_report_is_whole(report);
    buf_init(&why, NOT_WHOLE_MAX);
    verify_words_append_not_whole(report, &why);
    json_out_bool(out, "whole", is_whole);
    json_out_bool(out, "whole_beside_readings", verify_report_is_whole_beside(report));
    if (is_whole)
        json_out_null(out, "not_whole");
    else
        json_out_bytes(out, "not_whole", buf_view(&why));
    buf_free(&why);
}

void verify_json_append(const struct verify_report *report, struct json_out *out)
{
    static const char *const RESULTS[] = {
        [VERIFY_MATCH] = "match",
        [VERIFY_DISCREPANCY] = "discrepancy",
        [VERIFY_NOTHING] = "not_verified",
    };
    uint64_t counts[VERDICT_COUNT];
    diff_groups_total(&report->groups, counts);
    json_out_text(out, "verdict", RESULTS[verify_report_result(report)]);
    json_out_bool(out, "reconciled", verify_report_adds_up(report));
    append_whole(report, out);
    append_run(report, out);
    json_out_count(out, "source_records", report->source_count);
    json_out_count(out, "messages", report->messages);
    totals_append_json_counts(out, &TOTALS_VERIFY, counts, true);
    append_problems(report, out);
    append_partitions(report, out);
    append_flow(report, out);
    json_out_list(out, "warnings");
    for (size_t i = 0; i < report->warning_count; i++)
        json_out_text(out, NULL, report->warnings[i]);
    json_out_end(out);
    append_groups(report, out);
    append_list(report, 0, VERDICT_COUNT, "samples", out);
    append_list(report, VERIFY_LIST_REDIS, VERIFY_LIST_REDIS + 1, "redis_samples", out);
    append_list(report, VERIFY_LIST_SEALED, VERIFY_LIST_SEALED + 1, "sealed_samples", out);
    append_list(report, VERIFY_LIST_FILES, VERIFY_LIST_FILES + 1, "file_samples", out);
    verify_side_checks_append_json(&report->side_checks, out);
    if (report->reads)
        verify_reads_append_json(report->reads, out);
}

void verify_json_append_document(const struct verify_report *report, struct buf *buf)
{
    struct json_out out;
    int code = verify_report_result(report) == VERIFY_MATCH ? EXIT_OK : EXIT_DISCREPANCY;
    json_out_init(&out, buf);
    json_document_begin(&out, "verify", report->facts.written_ms);
    verify_json_append(report, &out);
    json_document_end(&out, NULL, &code);
    buf_append_char(buf, '\n');
}
