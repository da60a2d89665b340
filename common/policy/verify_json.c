/* The report as JSON: one object, stable names (report.json's schema 1). */

#include "common/policy/verify_report.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/policy/verify_mask.h"

/* "dead-lettered" -> dead_lettered */
static void append_name(struct buf *out, enum verdict verdict)
{
    for (const char *at = verdict_name(verdict); *at; at++)
        buf_append_char(out, *at == ' ' || *at == '-' ? '_' : *at);
}

static void append_counts(struct buf *out, const uint64_t counts[VERDICT_COUNT])
{
    buf_append_format(out, "{\"source\":%" PRIu64, diff_counts_records(counts));
    for (int i = 0; i < VERDICT_COUNT; i++) {
        buf_append_text(out, ",\"");
        append_name(out, (enum verdict)i);
        buf_append_format(out, "\":%" PRIu64, counts[i]);
    }
    buf_append_char(out, '}');
}

static void append_member(struct buf *out, const char *name, struct bytes text)
{
    buf_append_format(out, ",\"%s\":", name);
    buf_append_json(out, text);
}

static void append_fields(const struct verify_report *report, const struct verify_sample *sample,
                          struct buf *out)
{
    buf_append_format(out, ",\"fields_total\":%zu,\"fields\":[", sample->field_total);
    for (size_t i = 0; i < sample->field_count; i++) {
        const struct diff_field *field = &sample->fields[i];
        buf_append_text(out, i ? ",{\"path\":" : "{\"path\":");
        buf_append_json(out, field->path);
        buf_append_text(out, ",\"source\":");
        verify_mask_append_json(out, report, field->expected);
        buf_append_text(out, ",\"stored\":");
        verify_mask_append_json(out, report, field->actual);
        if (field->rule)
            buf_append_format(out, ",\"rule\":\"%s ±%g\"", field->rule->name,
                              field->rule->tolerance);
        buf_append_char(out, '}');
    }
    buf_append_char(out, ']');
}

/* A Redis key holds the id: it is shown as ids are. */
static void append_name_of(const struct verify_report *report, const struct verify_sample *sample,
                           struct buf *out)
{
    if (report->show_values || sample->name.data[0] == '/')
        append_member(out, "name", sample->name);
}

static void append_sample(const struct verify_report *report, const struct verify_sample *sample,
                          struct buf *out)
{
    buf_append_text(out, "{\"verdict\":\"");
    append_name(out, sample->verdict);
    buf_append_char(out, '"');
    append_member(out, "tenant", sample->tenant);
    append_member(out, "entity", sample->entity);
    buf_append_format(out, ",\"key\":\"h:%016" PRIx64 "\"",
                      verify_mask_hash_key(report, &sample->key));
    if (report->show_values)
        append_member(out, "id", sample->id);
    if (sample->table)
        append_member(out, "table", bytes_text(sample->table));
    if (sample->name.size)
        append_name_of(report, sample, out);
    if (sample->has_place)
        buf_append_format(out, ",\"partition\":%d,\"offset\":%" PRId64, sample->partition,
                          sample->offset);
    if (sample->origin.size)
        append_member(out, "origin", sample->origin);
    if (sample->has_expected)
        buf_append_format(out, ",\"source_version\":\"%" PRId64 "\"", sample->expected_version);
    if (sample->has_actual)
        buf_append_format(out, ",\"stored_version\":\"%" PRId64 "\"", sample->actual_version);
    if (sample->reason.size)
        append_member(out, "reason", sample->reason);
    if (sample->field_total)
        append_fields(report, sample, out);
    buf_append_char(out, '}');
}

static void append_list(const struct verify_report *report, int from, int to, const char *name,
                        struct buf *out)
{
    bool first = true;
    buf_append_format(out, ",\"%s\":[", name);
    for (int list = from; list < to; list++) {
        for (size_t i = 0; i < report->sample_counts[list]; i++) {
            if (!first)
                buf_append_char(out, ',');
            first = false;
            append_sample(report, &report->samples[list][i], out);
        }
    }
    buf_append_char(out, ']');
}

static void append_groups(const struct verify_report *report, struct buf *out)
{
    size_t count;
    uint32_t *order = diff_groups_order(&report->groups, &count);
    buf_append_text(out, ",\"groups\":[");
    for (size_t i = 0; i < count; i++) {
        const struct diff_group *group = &report->groups.items[order[i]];
        buf_append_text(out, i ? ",{\"tenant\":" : "{\"tenant\":");
        buf_append_json(out, group->tenant);
        append_member(out, "entity", group->entity);
        buf_append_text(out, ",\"counts\":");
        append_counts(out, group->counts);
        buf_append_char(out, '}');
    }
    buf_append_char(out, ']');
    free(order);
}

static void append_partitions(const struct verify_report *report, struct buf *out)
{
    buf_append_text(out, ",\"partitions\":[");
    for (size_t i = 0; i < report->partition_count; i++) {
        const struct verify_partition *at = &report->partitions[i];
        buf_append_format(out,
                          "%s{\"partition\":%d,\"low\":%" PRId64 ",\"cut\":%" PRId64
                          ",\"high\":%" PRId64 "}",
                          i ? "," : "", at->partition, at->low, at->cut, at->high);
    }
    buf_append_char(out, ']');
}

static void append_run(const struct verify_report *report, struct buf *out)
{
    append_member(out, "migration", bytes_text(report->migration));
    append_member(out, "topic", bytes_text(report->topic));
    append_member(out, "group", bytes_text(report->group));
    append_member(out, "drover", bytes_text(report->version));
    if (report->only_tenant)
        append_member(out, "only_tenant", bytes_text(report->only_tenant));
    buf_append_format(
        out,
        ",\"started_ms\":%" PRId64 ",\"duration_ms\":%" PRIu64
        ",\"passes\":%u,\"memory_bytes\":%" PRIu64 ",\"rows\":%" PRIu64 ",\"compared\":%" PRIu64
        ",\"evicted\":%" PRIu64 ",\"changed\":%" PRIu64 ",\"not_looked\":%" PRIu64,
        report->started_ms, report->duration_ms, report->passes, report->memory_bytes, report->rows,
        report->compared, report->evicted, report->changed, report->not_looked);
}

void verify_json_append(const struct verify_report *report, struct buf *out)
{
    static const char *const RESULTS[] = {
        [VERIFY_MATCH] = "match",
        [VERIFY_DISCREPANCY] = "discrepancy",
        [VERIFY_NOTHING] = "not verified",
    };
    uint64_t counts[VERDICT_COUNT];
    diff_groups_total(&report->groups, counts);
    buf_append_format(out, "{\"schema\":%d,\"verdict\":\"%s\",\"reconciled\":%s",
                      VERIFY_SCHEMA_VERSION, RESULTS[verify_report_result(report)],
                      verify_report_adds_up(report) ? "true" : "false");
    append_run(report, out);
    buf_append_format(out, ",\"source_count\":%" PRIu64 ",\"counts\":", report->source_count);
    append_counts(out, counts);
    append_partitions(report, out);
    buf_append_text(out, ",\"warnings\":[");
    for (size_t i = 0; i < report->warning_count; i++) {
        if (i)
            buf_append_char(out, ',');
        buf_append_json(out, bytes_text(report->warnings[i]));
    }
    buf_append_char(out, ']');
    append_groups(report, out);
    append_list(report, 0, VERDICT_COUNT, "samples", out);
    append_list(report, VERIFY_LIST_REDIS, VERIFY_LIST_REDIS + 1, "redis_samples", out);
    append_list(report, VERIFY_LIST_SEALED, VERIFY_LIST_SEALED + 1, "sealed_samples", out);
    verify_beside_append_json(&report->beside, out);
    buf_append_text(out, "}\n");
}
