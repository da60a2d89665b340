#include "common/policy/verify_text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/error.h"
#include "common/base/text.h"
#include "common/policy/verify_mask.h"

#define NAME_MOST 32     /* characters of a tenant or entity in the table */
#define WARNING_MOST 400 /* as verify_report.c keeps them */
#define COLUMNS 11
#define BIT(verdict) (1u << (verdict))

/* The table's columns: together they hold every verdict once, so that a row adds up. */
static const struct table_column {
    const char *title;
    unsigned verdicts;
    bool always;
} TABLE[COLUMNS] = {
    {"match", BIT(VERDICT_MATCH) | BIT(VERDICT_TOLERANCE), true},
    {"older", BIT(VERDICT_SUPERSEDED) | BIT(VERDICT_UNCHANGED), false},
    {"differ",
     BIT(VERDICT_DIFFERENT) | BIT(VERDICT_STALE) | BIT(VERDICT_NEWER) | BIT(VERDICT_OVERTAKEN),
     true},
    {"conflict", BIT(VERDICT_CONFLICT) | BIT(VERDICT_AMBIGUOUS), false},
    {"missing", BIT(VERDICT_MISSING) | BIT(VERDICT_UNUSABLE) | BIT(VERDICT_UNPRODUCED), true},
    {"dlq", BIT(VERDICT_DEAD), true},
    {"rejected", BIT(VERDICT_REJECTED) | BIT(VERDICT_WITHHELD), false},
    {"lagging", BIT(VERDICT_LAGGING) | BIT(VERDICT_WAITING), true},
    {"extra", BIT(VERDICT_EXTRA) | BIT(VERDICT_FOREIGN), true},
    {"gone", BIT(VERDICT_GONE), false},
    {"elsewhere", BIT(VERDICT_ELSEWHERE), false},
};

static uint64_t sum_of(const uint64_t counts[VERDICT_COUNT], unsigned verdicts)
{
    uint64_t sum = 0;
    for (int i = 0; i < VERDICT_COUNT; i++)
        if (verdicts & BIT(i))
            sum += counts[i];
    return sum;
}

static void append_count(struct buf *out, uint64_t count)
{
    char text[28];
    buf_append_text(out, text_format_count(count, text));
}

/* Appends `text` in a column of `width` characters. */
static void append_padded(struct buf *out, const char *text, size_t characters, size_t width,
                          bool right)
{
    if (right)
        for (size_t i = characters; i < width; i++)
            buf_append_char(out, ' ');
    buf_append_text(out, text);
    if (!right)
        for (size_t i = characters; i < width; i++)
            buf_append_char(out, ' ');
}

static size_t count_characters(const char *text)
{
    size_t count = 0;
    for (; *text; text++)
        count += ((unsigned char)*text & 0xC0) != 0x80;
    return count;
}

struct table {
    bool shown[COLUMNS];
    size_t widths[COLUMNS];
    size_t source_width;
    size_t tenant_width, entity_width;
};

static size_t count_width(uint64_t count)
{
    char text[28];
    return count_characters(text_format_count(count, text));
}

static void append_name(struct buf *out, struct bytes name, size_t width)
{
    struct buf safe;
    buf_init(&safe, 1024);
    text_append_safe(&safe, name, NAME_MOST);
    append_padded(out, buf_text(&safe), count_characters(buf_text(&safe)), width, false);
    buf_free(&safe);
}

static size_t name_width(struct bytes name)
{
    struct buf safe;
    buf_init(&safe, 1024);
    text_append_safe(&safe, name, NAME_MOST);
    size_t width = count_characters(buf_text(&safe));
    buf_free(&safe);
    return width;
}

static void lay_out(const struct verify_report *report, const uint64_t total[VERDICT_COUNT],
                    const uint32_t *order, size_t rows, struct table *table)
{
    uint64_t records = diff_counts_records(total);
    *table = (struct table){.source_width = count_width(records),
                            .tenant_width = sizeof "(total)" - 1,
                            .entity_width = sizeof "entity" - 1};
    if (table->source_width < sizeof "source" - 1)
        table->source_width = sizeof "source" - 1;
    for (int c = 0; c < COLUMNS; c++) {
        uint64_t sum = sum_of(total, TABLE[c].verdicts);
        table->shown[c] = TABLE[c].always || sum > 0;
        table->widths[c] = count_width(sum);
        if (table->widths[c] < count_characters(TABLE[c].title))
            table->widths[c] = count_characters(TABLE[c].title);
    }
    for (size_t i = 0; i < rows; i++) {
        const struct diff_group *group = &report->groups.items[order[i]];
        size_t tenant = name_width(group->tenant), entity = name_width(group->entity);
        table->tenant_width = tenant > table->tenant_width ? tenant : table->tenant_width;
        table->entity_width = entity > table->entity_width ? entity : table->entity_width;
    }
}

static void append_row(const struct table *table, struct bytes tenant, struct bytes entity,
                       const uint64_t counts[VERDICT_COUNT], struct buf *out)
{
    char text[28];
    append_name(out, tenant, table->tenant_width);
    buf_append_text(out, "  ");
    append_name(out, entity, table->entity_width);
    buf_append_text(out, "  ");
    text_format_count(diff_counts_records(counts), text);
    append_padded(out, text, count_characters(text), table->source_width, true);
    for (int c = 0; c < COLUMNS; c++) {
        if (!table->shown[c])
            continue;
        buf_append_text(out, "  ");
        text_format_count(sum_of(counts, TABLE[c].verdicts), text);
        append_padded(out, text, count_characters(text), table->widths[c], true);
    }
    buf_append_char(out, '\n');
}

static void append_table(const struct verify_report *report, const uint64_t total[VERDICT_COUNT],
                         struct buf *out)
{
    struct table table;
    size_t count;
    uint32_t *order = diff_groups_order(&report->groups, &count);
    size_t rows = count < VERIFY_TEXT_GROUPS ? count : VERIFY_TEXT_GROUPS;
    lay_out(report, total, order, rows, &table);
    append_padded(out, "tenant", 6, table.tenant_width, false);
    buf_append_text(out, "  ");
    append_padded(out, "entity", 6, table.entity_width, false);
    buf_append_text(out, "  ");
    append_padded(out, "source", 6, table.source_width, true);
    for (int c = 0; c < COLUMNS; c++) {
        if (!table.shown[c])
            continue;
        buf_append_text(out, "  ");
        append_padded(out, TABLE[c].title, count_characters(TABLE[c].title), table.widths[c], true);
    }
    buf_append_char(out, '\n');
    append_row(&table, BYTES_LITERAL("(total)"), BYTES_LITERAL(""), total, out);
    for (size_t i = 0; i < rows; i++) {
        const struct diff_group *group = &report->groups.items[order[i]];
        append_row(&table, group->tenant, group->entity, group->counts, out);
    }
    if (rows < count) {
        buf_append_text(out, "… and ");
        append_count(out, count - rows);
        buf_append_text(out, " more tenants and entities in report.json\n");
    }
    free(order);
}

static void append_fields(const struct verify_report *report, const struct verify_sample *sample,
                          struct buf *out)
{
    for (size_t i = 0; i < sample->field_count; i++) {
        const struct diff_field *field = &sample->fields[i];
        buf_append_text(out, "      ");
        text_append_safe(out, field->path, 120);
        buf_append_text(out, "  source ");
        verify_mask_append(out, report, field->expected);
        buf_append_text(out, ", stored ");
        verify_mask_append(out, report, field->actual);
        if (field->rule)
            buf_append_format(out, "  (%s ±%g)", field->rule->name, field->rule->tolerance);
        buf_append_char(out, '\n');
    }
    if (sample->field_total > sample->field_count)
        buf_append_format(out, "      … and %zu more members\n",
                          sample->field_total - sample->field_count);
}

static void append_versions(const struct verify_sample *sample, struct buf *out)
{
    if (sample->has_expected && sample->has_actual &&
        sample->expected_version != sample->actual_version)
        buf_append_format(out, "      source version %" PRId64 ", stored version %" PRId64 "\n",
                          sample->expected_version, sample->actual_version);
}

static void append_sample(const struct verify_report *report, const struct verify_sample *sample,
                          struct buf *out)
{
    buf_append_text(out, "    ");
    text_append_safe(out, sample->tenant, NAME_MOST);
    buf_append_char(out, '/');
    text_append_safe(out, sample->entity, NAME_MOST);
    buf_append_format(out, " key h:%08x",
                      (unsigned)(verify_mask_hash_key(report, &sample->key) >> 32));
    if (report->show_values && sample->id.size) {
        buf_append_text(out, " id=");
        text_append_safe(out, sample->id, VERIFY_VALUE_MOST);
    }
    if (sample->has_place)
        buf_append_format(out, "  %s-%d@%" PRId64, report->topic, sample->partition,
                          sample->offset);
    if (sample->origin.size) {
        buf_append_text(out, "  from ");
        text_append_safe(out, sample->origin, VERIFY_VALUE_MOST);
    }
    if (sample->name.size && (report->show_values || sample->name.data[0] == '/')) {
        buf_append_text(out, " name=");
        text_append_safe(out, sample->name, VERIFY_VALUE_MOST);
    }
    if (!sample->has_place && sample->table)
        buf_append_format(out, "  table %s", sample->table);
    if (sample->reason.size) {
        buf_append_text(out, "\n      ");
        text_append_safe(out, sample->reason, 300);
    }
    buf_append_char(out, '\n');
    append_versions(sample, out);
    append_fields(report, sample, out);
}

static void append_samples(const struct verify_report *report, const uint64_t total[VERDICT_COUNT],
                           struct buf *out)
{
    for (int v = 0; v < VERDICT_COUNT; v++) {
        size_t count = report->sample_counts[v];
        size_t shown = count < VERIFY_TEXT_SAMPLES ? count : VERIFY_TEXT_SAMPLES;
        if (!shown || !verdict_is_problem((enum verdict)v))
            continue;
        buf_append_format(out, "  %s:\n", verdict_name((enum verdict)v));
        for (size_t i = 0; i < shown; i++)
            append_sample(report, &report->samples[v][i], out);
        if (total[v] > shown) {
            buf_append_text(out, "    … and ");
            append_count(out, total[v] - shown);
            buf_append_format(out, " more%s\n",
                              count > shown ? ", some of them in report.json" : "");
        }
        if ((v == VERDICT_EXTRA || v == VERDICT_FOREIGN) && !report->show_values)
            buf_append_text(out, "    (their ids are shown with --show-values)\n");
    }
}

/* Below the line that counts them. */
static void append_beside(const struct verify_report *report, struct buf *out)
{
    static const char *const TITLES[] = {"redis", "sealed fields"};
    for (int list = VERIFY_LIST_REDIS; list < VERIFY_LIST_COUNT; list++) {
        size_t count = report->sample_counts[list];
        size_t shown = count < VERIFY_TEXT_SAMPLES ? count : VERIFY_TEXT_SAMPLES;
        if (shown)
            buf_append_format(out, "  %s:\n", TITLES[list - VERIFY_LIST_REDIS]);
        for (size_t i = 0; i < shown; i++) {
            const struct verify_sample *sample = &report->samples[list][i];
            buf_append_format(out, "    %s:", verdict_name(sample->verdict));
            append_sample(report, sample, out);
        }
        if (count > shown)
            buf_append_format(out, "    … and more in report.json\n");
    }
}

/* 48 112 = 48 106 match + 4 dead-lettered + 2 missing (reconciled) */
static void append_identity(const struct verify_report *report, const uint64_t total[VERDICT_COUNT],
                            struct buf *out)
{
    bool first = true;
    append_count(out, report->source_count);
    buf_append_text(out, verify_report_adds_up(report) ? " = " : " ≠ ");
    for (int v = 0; v < VERDICT_COUNT; v++) {
        bool shown = v == VERDICT_MATCH || v == VERDICT_DIFFERENT || v == VERDICT_MISSING ||
                     v == VERDICT_DEAD || v == VERDICT_LAGGING || total[v];
        if (!shown || v >= VERDICT_BESIDE)
            continue;
        buf_append_text(out, first ? "" : " + ");
        first = false;
        append_count(out, total[v]);
        buf_append_format(out, " %s", verdict_name((enum verdict)v));
    }
    for (int v = VERDICT_BESIDE; v < VERDICT_COUNT; v++) {
        if (!total[v])
            continue;
        buf_append_text(out, "; besides, ");
        append_count(out, total[v]);
        buf_append_format(out, " %s", verdict_name((enum verdict)v));
    }
    buf_append_text(out, verify_report_adds_up(report) ? "   (reconciled)\n" : "\n");
}

static void append_first_lines(const struct verify_report *report,
                               const uint64_t total[VERDICT_COUNT], struct buf *out)
{
    if (!verify_report_adds_up(report)) {
        buf_append_format(out, "%s: the classes do not add up to the source count:\n  ",
                          error_code_id(ERR_VERIFY_COUNTS));
        append_identity(report, total, out);
    }
    if (report->evicted) {
        append_count(out, report->evicted);
        buf_append_text(out, " records at the begin of the source topic are gone: the source could "
                             "not be read in full\n");
    }
    for (size_t i = 0; i < report->warning_count; i++) {
        buf_append_text(out, "warning: ");
        text_append_safe(out, bytes_text(report->warnings[i]), WARNING_MOST);
        buf_append_char(out, '\n');
    }
}

static void append_problem(struct buf *out, uint64_t count, const char *what, bool *first)
{
    if (!count)
        return;
    buf_append_text(out, *first ? "" : ", ");
    *first = false;
    append_count(out, count);
    buf_append_format(out, " %s", what);
}

static void append_problems(const struct verify_report *report, const uint64_t total[VERDICT_COUNT],
                            struct buf *out)
{
    bool first = true;
    for (int v = 0; v < VERDICT_COUNT; v++) {
        if (verdict_is_problem((enum verdict)v))
            append_problem(out, total[v], verdict_name((enum verdict)v), &first);
    }
    append_problem(out, verify_beside_redis_problems(&report->beside), "wrong in Redis", &first);
    append_problem(out, report->beside.sealed.missing + report->beside.sealed.different,
                   "wrong in the vault", &first);
    append_problem(out, verify_beside_orphan_rows(&report->beside), "orphans", &first);
    if (first)
        buf_append_text(out, "see the first lines");
}

static void append_last_word(const struct verify_report *report,
                             const uint64_t total[VERDICT_COUNT], bool colour, struct buf *out)
{
    enum verify_result result = verify_report_result(report);
    const char *on = !colour ? "" : result == VERIFY_MATCH ? "\033[32m" : "\033[31m";
    const char *off = colour ? "\033[0m" : "";
    if (result == VERIFY_MATCH) {
        buf_append_format(out,
                          "%sMATCH%s  every source record is accounted for and stored as it "
                          "should be\n",
                          on, off);
        return;
    }
    if (result == VERIFY_NOTHING) {
        buf_append_format(out, "%sNOT VERIFIED%s  %s: nothing was compared\n", on, off,
                          error_code_id(ERR_VERIFY_NOTHING));
        buf_append_format(out, "  try: %s\n", error_code_advice(ERR_VERIFY_NOTHING));
        return;
    }
    buf_append_format(out, "%sNOT EQUAL%s  ", on, off);
    append_problems(report, total, out);
    buf_append_char(out, '\n');
}

static void append_run(const struct verify_report *report, const char *report_path, struct buf *out)
{
    buf_append_format(out, "%" PRIu64 ".%" PRIu64 " s, ", report->duration_ms / 1000,
                      report->duration_ms % 1000 / 100);
    append_count(out, report->rows);
    buf_append_text(out, report->rows == 1 ? " row read" : " rows read");
    if (report->passes > 1)
        buf_append_format(out, " in each of %u passes", report->passes);
    if (report->changed) {
        buf_append_text(out, "; ");
        append_count(out, report->changed);
        buf_append_text(out, " changed while verifying and were looked at again");
    }
    if (report->not_looked) {
        buf_append_text(out, "; ");
        append_count(out, report->not_looked);
        buf_append_text(out, " differences were counted without naming their members");
    }
    buf_append_char(out, '\n');
    if (report_path)
        buf_append_format(out, "Report: %s\n", report_path);
}

void verify_text_append(const struct verify_report *report, const char *report_path, bool colour,
                        struct buf *out)
{
    uint64_t total[VERDICT_COUNT];
    diff_groups_total(&report->groups, total);
    append_first_lines(report, total, out);
    append_table(report, total, out);
    append_samples(report, total, out);
    if (verify_report_adds_up(report))
        append_identity(report, total, out);
    verify_beside_append_text(&report->beside, out);
    append_beside(report, out);
    append_run(report, report_path, out);
    append_last_word(report, total, colour, out);
}
