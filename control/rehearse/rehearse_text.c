/* What a rehearsal found: lines for people, JSON for machines. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/error_json.h"
#include "common/base/text.h"
#include "control/rehearse/rehearse_text.h"

enum { COLUMNS = 9, NAME_BYTES_MAX = 32, GROUPS_SHOWN = 20 };

#define BIT(verdict) (1u << (verdict))
#define ORPHANS 0u /* not a verdict: those of the dead ones that have no parent */

static const struct {
    const char *title, *name; /* for people, in JSON */
    unsigned verdicts;
} TABLE[COLUMNS] = {
    {"to write", "to_write",
     BIT(VERDICT_MATCH) | BIT(VERDICT_TOLERANCE) | BIT(VERDICT_DIFFERENT) | BIT(VERDICT_MISSING) |
         BIT(VERDICT_BY_MAPPING) | BIT(VERDICT_STALE) | BIT(VERDICT_TARGET_NEWER)},
    {"superseded", "superseded", BIT(VERDICT_SUPERSEDED)},
    {"unchanged", "unchanged", BIT(VERDICT_UNCHANGED)},
    {"conflict", "conflict", BIT(VERDICT_CONFLICT)},
    {"ambiguous", "ambiguous", BIT(VERDICT_AMBIGUOUS)},
    {"dead", "dead_lettered", BIT(VERDICT_DEAD) | BIT(VERDICT_UNUSABLE)},
    {"rejected", "rejected", BIT(VERDICT_REJECTED)},
    {"withheld", "withheld", BIT(VERDICT_WITHHELD)},
    {"no parent", "without_parent", ORPHANS},
};

static uint64_t count_of(const uint64_t counts[VERDICT_COUNT], int column, uint64_t orphans)
{
    uint64_t sum = TABLE[column].verdicts == ORPHANS ? orphans : 0;
    for (unsigned v = 0; v < VERDICT_COUNT; v++)
        if (TABLE[column].verdicts & BIT(v))
            sum += counts[v];
    return TABLE[column].verdicts & BIT(VERDICT_DEAD) ? sum - orphans : sum;
}

/* Records without a parent in the sources, of one group of the report. */
static uint64_t orphans_of(const struct rehearse_findings *findings, size_t group)
{
    return group < findings->orphan_groups ? findings->orphans[group] : 0;
}

static uint64_t sum_orphans(const struct rehearse_findings *findings)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < findings->report->groups.count; i++)
        sum += orphans_of(findings, i);
    return sum;
}

/* ---- for people -------------------------------------------------------------------------- */

static void append_name(struct buf *out, struct bytes name)
{
    struct buf safe;
    buf_init(&safe, 1024);
    text_append_safe(&safe, name, NAME_BYTES_MAX);
    buf_append_format(out, "%-22s  ", buf_text(&safe));
    buf_free(&safe);
}

/* Columns that are nothing but zeros are left out, but the first and what went wrong. */
static bool is_shown(const uint64_t total[VERDICT_COUNT], int column, uint64_t orphans)
{
    bool always =
        column == 0 || (TABLE[column].verdicts & (BIT(VERDICT_DEAD) | BIT(VERDICT_REJECTED)));
    return always || count_of(total, column, orphans) > 0;
}

static void append_row(struct buf *out, const bool shown[COLUMNS], const struct diff_group *group,
                       uint64_t orphans)
{
    char text[28];
    const uint64_t *counts = group->counts;
    append_name(out, group->tenant);
    append_name(out, group->entity);
    buf_append_format(out, "%10s", text_format_count(diff_counts_records(counts), text));
    for (int c = 0; c < COLUMNS; c++)
        if (shown[c])
            buf_append_format(out, "  %10s", text_format_count(count_of(counts, c, orphans), text));
    buf_append_char(out, '\n');
}

static void append_table(const struct rehearse_findings *findings, struct buf *out)
{
    size_t count;
    bool shown[COLUMNS];
    struct diff_group total = {.tenant = BYTES_LITERAL("(total)")};
    uint64_t all_orphans = sum_orphans(findings);
    const struct diff_groups *groups = &findings->report->groups;
    uint32_t *order = diff_groups_order(groups, &count);
    diff_groups_total(groups, total.counts);
    buf_append_format(out, "%-22s  %-22s  %10s", "tenant", "entity", "records");
    for (int c = 0; c < COLUMNS; c++) {
        shown[c] = is_shown(total.counts, c, all_orphans);
        if (shown[c])
            buf_append_format(out, "  %10s", TABLE[c].title);
    }
    buf_append_char(out, '\n');
    append_row(out, shown, &total, all_orphans);
    for (size_t i = 0; i < count && i < GROUPS_SHOWN; i++)
        append_row(out, shown, &groups->items[order[i]], orphans_of(findings, order[i]));
    if (count > GROUPS_SHOWN)
        buf_append_format(out, "… and %zu more tenants and entities (--json has all)\n",
                          count - GROUPS_SHOWN);
    free(order);
}

static void append_rejected(const struct rehearse_findings *findings, struct buf *out)
{
    char text[28];
    bool first = true;
    for (size_t code = 0; code < PRODUCE_CODES_MAX; code++) {
        uint64_t count = findings->counters.by_code[code];
        if (!count)
            continue;
        buf_append_text(out,
                        first ? "rejected at the source (the first ones are listed above):\n" : "");
        first = false;
        buf_append_format(out, "  %10s × %s  %s\n", text_format_count(count, text),
                          error_code_id((enum error_code)code),
                          error_code_meaning((enum error_code)code));
    }
}

/* "acme/city at exports/acme.json:3:1, /name" */
static void append_place(const struct rehearse_place *place, struct buf *out)
{
    buf_append_text(out, "               ");
    text_append_safe(out, place->tenant, 100);
    buf_append_char(out, '/');
    text_append_safe(out, place->entity, 100);
    buf_append_text(out, place->where.size ? " at " : "");
    text_append_safe(out, place->where, 300);
    buf_append_text(out, place->path.size ? ", " : "");
    text_append_safe(out, place->path, 120);
    buf_append_char(out, '\n');
}

static void append_dead(const struct rehearse_findings *findings, struct buf *out)
{
    char text[28];
    bool first = true;
    for (size_t code = 0; code < PRODUCE_CODES_MAX; code++) {
        const struct rehearse_dead *dead = &findings->dead[code];
        if (!dead->count)
            continue;
        buf_append_text(out, first ? "dead letters there would be:\n" : "");
        first = false;
        buf_append_format(out, "  %10s × %s  %s\n", text_format_count(dead->count, text),
                          error_code_id((enum error_code)code),
                          error_code_meaning((enum error_code)code));
        for (size_t i = 0; i < dead->place_count; i++) {
            append_place(&dead->places[i], out);
        }
        if (dead->count > dead->place_count)
            buf_append_format(out, "               … and %s more\n",
                              text_format_count(dead->count - dead->place_count, text));
    }
}

/* Two records of one source under one key: which of them counts is nobody's word. */
static void append_ambiguous(const struct rehearse_findings *findings, struct buf *out)
{
    const struct verify_report *report = findings->report;
    size_t count = report->sample_counts[VERDICT_AMBIGUOUS];
    if (count)
        buf_append_text(out,
                        "ambiguous, give the mapping a version or a key that tells the records "
                        "apart:\n");
    for (size_t i = 0; i < count && i < REHEARSE_PLACES; i++) {
        const struct verify_sample *sample = &report->samples[VERDICT_AMBIGUOUS][i];
        buf_append_text(out, "  ");
        text_append_safe(out, sample->tenant, NAME_BYTES_MAX);
        buf_append_char(out, '/');
        text_append_safe(out, sample->entity, NAME_BYTES_MAX);
        buf_append_text(out, " at ");
        text_append_safe(out, sample->origin, 300);
        buf_append_text(out, ": ");
        text_append_safe(out, sample->reason, 300);
        buf_append_char(out, '\n');
    }
}

static void append_secrets(const struct rehearse_findings *findings, struct buf *out)
{
    char text[2][28];
    const struct produce_counters *counters = &findings->counters;
    if (counters->withheld || counters->withheld_fields)
        buf_append_format(out, "tokens withheld: %s records, %s members\n",
                          text_format_count(counters->withheld, text[0]),
                          text_format_count(counters->withheld_fields, text[1]));
    if (counters->sealed_fields)
        buf_append_format(
            out, "secrets sealed: %s members%s\n",
            text_format_count(counters->sealed_fields, text[0]),
            findings->has_key ? "" : " (with a key of this rehearsal: a run needs --key-file)");
}

static void append_verdict(const struct rehearse_findings *findings, uint64_t orphans,
                           struct buf *out)
{
    char text[2][28];
    uint64_t total[VERDICT_COUNT];
    diff_groups_total(&findings->report->groups, total);
    uint64_t ok = total[VERDICT_MATCH] + total[VERDICT_TOLERANCE];
    uint64_t to_write = count_of(total, 0, 0);
    buf_append_format(out, "%s of %s rows give their record back as it was\n",
                      text_format_count(ok, text[0]), text_format_count(to_write, text[1]));
    if (!verify_report_adds_up(findings->report))
        buf_append_format(out, "%s: the classes do not add up to the records read\n",
                          error_code_id(ERR_VERIFY_COUNTS));
    if (orphans)
        buf_append_format(out,
                          "without a parent in these sources: %s; such a record waits for it, and "
                          "ends as %s if it never comes\n",
                          text_format_count(orphans, text[0]), error_code_id(ERR_PG_PARENT));
    if (findings->report->source_count == 0 && findings->counters.failed_sources == 0) {
        buf_append_text(out, "NOTHING TO DO  the sources hold no record; no server was touched\n");
        return;
    }
    bool pass = verify_report_result(findings->report) == VERIFY_MATCH;
    buf_append_text(out, pass ? "PASS  nothing would be rejected or dead-lettered; no server was "
                                "touched\nNext:  drover run\n"
                              : "FAIL  see above; no server was touched\n"
                                "Next:  drover explain CODE, fix, rehearse again\n");
}

void rehearse_text_append(const struct rehearse_findings *findings, struct buf *out)
{
    buf_append_text(out, "tenant: ");
    buf_append_bytes(out, buf_view(&findings->tenant_from));
    buf_append_char(out, '\n');
    append_table(findings, out);
    append_rejected(findings, out);
    append_dead(findings, out);
    append_ambiguous(findings, out);
    append_secrets(findings, out);
    for (size_t i = 0; i < findings->report->warning_count; i++)
        buf_append_format(out, "warning: %s\n", findings->report->warnings[i]);
    append_verdict(findings, sum_orphans(findings), out);
}

/* ---- for machines ------------------------------------------------------------------------ */

static void append_counts(struct json_out *out, const uint64_t counts[VERDICT_COUNT],
                          uint64_t orphans)
{
    json_out_count(out, "source_records", diff_counts_records(counts));
    for (int c = 0; c < COLUMNS; c++)
        json_out_count(out, TABLE[c].name, count_of(counts, c, orphans));
    json_out_count(out, "give_back", counts[VERDICT_MATCH] + counts[VERDICT_TOLERANCE]);
}

static void append_groups(const struct rehearse_findings *findings, struct json_out *out)
{
    size_t count;
    const struct diff_groups *groups = &findings->report->groups;
    uint32_t *order = diff_groups_order(groups, &count);
    json_out_list(out, "groups");
    for (size_t i = 0; i < count; i++) {
        const struct diff_group *group = &groups->items[order[i]];
        json_out_object(out, NULL);
        json_out_bytes(out, "tenant", group->tenant);
        json_out_bytes(out, "entity", group->entity);
        append_counts(out, group->counts, orphans_of(findings, order[i]));
        json_out_end(out);
    }
    json_out_end(out);
    free(order);
}

static void append_dead_samples(const struct rehearse_findings *findings, struct json_out *out)
{
    json_out_list(out, "dead_letter_samples");
    for (size_t code = 0; code < PRODUCE_CODES_MAX; code++) {
        const struct rehearse_dead *dead = &findings->dead[code];
        for (size_t i = 0; i < dead->place_count; i++) {
            const struct rehearse_place *place = &dead->places[i];
            json_out_object(out, NULL);
            json_out_text(out, "code", error_code_id((enum error_code)code));
            json_out_bytes(out, "tenant", place->tenant);
            json_out_bytes(out, "entity", place->entity);
            error_append_json_where((enum error_code)code, place->where, place->path, out, "where");
            json_out_end(out);
        }
    }
    json_out_end(out);
}

static void append_ambiguous_samples(const struct rehearse_findings *findings, struct json_out *out)
{
    const struct verify_report *report = findings->report;
    json_out_list(out, "ambiguous_samples");
    for (size_t i = 0; i < report->sample_counts[VERDICT_AMBIGUOUS] && i < REHEARSE_PLACES; i++) {
        const struct verify_sample *sample = &report->samples[VERDICT_AMBIGUOUS][i];
        json_out_object(out, NULL);
        json_out_bytes(out, "tenant", sample->tenant);
        json_out_bytes(out, "entity", sample->entity);
        error_append_json_where(ERR_VERIFY_DIFFERENT, sample->origin, (struct bytes){0}, out,
                                "where");
        json_out_bytes(out, "reason", sample->reason);
        json_out_end(out);
    }
    json_out_end(out);
}

static void append_codes(const struct rehearse_findings *findings, struct json_out *out)
{
    produce_counters_append_json_codes(out, &findings->counters, "rejected_by_code");
    json_out_object(out, "dead_letters_by_code");
    for (size_t code = 0; code < PRODUCE_CODES_MAX; code++)
        if (findings->dead[code].count)
            json_out_count(out, error_code_id((enum error_code)code), findings->dead[code].count);
    json_out_end(out);
}

void rehearse_json_append(const struct rehearse_findings *findings, struct json_out *out)
{
    uint64_t total[VERDICT_COUNT], orphan_count = sum_orphans(findings);
    const struct produce_counters *counters = &findings->counters;
    diff_groups_total(&findings->report->groups, total);
    bool pass = verify_report_result(findings->report) == VERIFY_MATCH;
    json_out_bool(out, "pass", pass);
    json_out_bool(out, "reconciled", verify_report_adds_up(findings->report));
    json_out_object(out, "total");
    append_counts(out, total, orphan_count);
    json_out_end(out);
    json_out_count(out, "sources", counters->sources);
    json_out_count(out, "sources_failed", counters->failed_sources);
    json_out_count(out, "withheld_members", counters->withheld_fields);
    json_out_count(out, "sealed_members", counters->sealed_fields);
    json_out_bytes(out, "tenant_from", buf_view(&findings->tenant_from));
    append_codes(findings, out);
    append_groups(findings, out);
    append_dead_samples(findings, out);
    append_ambiguous_samples(findings, out);
    json_out_list(out, "warnings");
    for (size_t i = 0; i < findings->report->warning_count; i++)
        json_out_text(out, NULL, findings->report->warnings[i]);
    json_out_end(out);
}
