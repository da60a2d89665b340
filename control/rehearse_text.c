/* What a rehearsal found: lines for people, JSON for machines. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/text.h"
#include "control/rehearse.h"

enum { COLUMNS = 9, NAME_MOST = 32, GROUPS_SHOWN = 20 };

#define BIT(verdict) (1u << (verdict))
#define ORPHANS 0u /* not a verdict: from the list beside */

static const struct {
    const char *title, *name; /* for people, in JSON */
    unsigned verdicts;
} TABLE[COLUMNS] = {
    {"to write", "to_write",
     BIT(VERDICT_MATCH) | BIT(VERDICT_TOLERANCE) | BIT(VERDICT_DIFFERENT) | BIT(VERDICT_MISSING) |
         BIT(VERDICT_STALE) | BIT(VERDICT_NEWER)},
    {"superseded", "superseded", BIT(VERDICT_SUPERSEDED)},
    {"unchanged", "unchanged", BIT(VERDICT_UNCHANGED)},
    {"conflict", "conflict", BIT(VERDICT_CONFLICT)},
    {"ambiguous", "ambiguous", BIT(VERDICT_AMBIGUOUS)},
    {"dead", "dead", BIT(VERDICT_DEAD) | BIT(VERDICT_UNUSABLE)},
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
    return sum;
}

static uint64_t sum_orphans(const struct rehearsal *rehearsal, const uint64_t *orphans)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < rehearsal->report.groups.count; i++)
        sum += orphans[i];
    return sum;
}

/* ---- for people -------------------------------------------------------------------------- */

static void append_name(struct buf *out, struct bytes name)
{
    struct buf safe;
    buf_init(&safe, 1024);
    text_append_safe(&safe, name, NAME_MOST);
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

static void append_table(const struct rehearsal *rehearsal, const uint64_t *orphans,
                         struct buf *out)
{
    size_t count;
    bool shown[COLUMNS];
    struct diff_group total = {.tenant = BYTES_LITERAL("(total)")};
    uint64_t all_orphans = sum_orphans(rehearsal, orphans);
    const struct diff_groups *groups = &rehearsal->report.groups;
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
        append_row(out, shown, &groups->items[order[i]], orphans[order[i]]);
    if (count > GROUPS_SHOWN)
        buf_append_format(out, "… and %zu more tenants and entities (--json has all)\n",
                          count - GROUPS_SHOWN);
    free(order);
}

static void append_rejected(const struct rehearsal *rehearsal, struct buf *out)
{
    char text[28];
    bool first = true;
    for (size_t code = 0; code < PRODUCE_CODES_MOST; code++) {
        uint64_t count = rehearsal->ledger.by_code[code];
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

static void append_dead(const struct rehearsal *rehearsal, struct buf *out)
{
    char text[28];
    bool first = true;
    for (size_t code = 0; code < PRODUCE_CODES_MOST; code++) {
        const struct rehearse_dead *dead = &rehearsal->dead[code];
        if (!dead->count)
            continue;
        buf_append_text(out, first ? "dead letters there would be:\n" : "");
        first = false;
        buf_append_format(out, "  %10s × %s  %s\n", text_format_count(dead->count, text),
                          error_code_id((enum error_code)code),
                          error_code_meaning((enum error_code)code));
        for (size_t i = 0; i < dead->place_count; i++) {
            buf_append_text(out, "               ");
            text_append_safe(out, dead->places[i], 300);
            buf_append_char(out, '\n');
        }
        if (dead->count > dead->place_count)
            buf_append_format(out, "               … and %s more\n",
                              text_format_count(dead->count - dead->place_count, text));
    }
}

/* Two records of one source under one key: which of them counts is nobody's word. */
static void append_ambiguous(const struct rehearsal *rehearsal, struct buf *out)
{
    const struct verify_report *report = &rehearsal->report;
    size_t count = report->sample_counts[VERDICT_AMBIGUOUS];
    if (count)
        buf_append_text(out,
                        "ambiguous, give the mapping a version or a key that tells the records "
                        "apart:\n");
    for (size_t i = 0; i < count && i < REHEARSE_PLACES; i++) {
        const struct verify_sample *sample = &report->samples[VERDICT_AMBIGUOUS][i];
        buf_append_text(out, "  ");
        text_append_safe(out, sample->tenant, NAME_MOST);
        buf_append_char(out, '/');
        text_append_safe(out, sample->entity, NAME_MOST);
        buf_append_text(out, " at ");
        text_append_safe(out, sample->origin, 300);
        buf_append_text(out, ": ");
        text_append_safe(out, sample->reason, 300);
        buf_append_char(out, '\n');
    }
}

static void append_secrets(const struct rehearsal *rehearsal, struct buf *out)
{
    char text[2][28];
    const struct produce_ledger *ledger = &rehearsal->ledger;
    if (ledger->withheld || ledger->withheld_fields)
        buf_append_format(out, "tokens withheld: %s records, %s members\n",
                          text_format_count(ledger->withheld, text[0]),
                          text_format_count(ledger->withheld_fields, text[1]));
    if (ledger->sealed_fields)
        buf_append_format(out, "secrets sealed: %s members%s\n",
                          text_format_count(ledger->sealed_fields, text[0]),
                          rehearsal->settings->key_file
                              ? ""
                              : " (with a key of this rehearsal: a run needs --key-file)");
}

static void append_verdict(const struct rehearsal *rehearsal, uint64_t orphans, struct buf *out)
{
    char text[2][28];
    uint64_t total[VERDICT_COUNT];
    diff_groups_total(&rehearsal->report.groups, total);
    uint64_t good = total[VERDICT_MATCH] + total[VERDICT_TOLERANCE];
    uint64_t to_write = count_of(total, 0, 0);
    buf_append_format(out, "%s of %s rows give their record back as it was\n",
                      text_format_count(good, text[0]), text_format_count(to_write, text[1]));
    if (!verify_report_adds_up(&rehearsal->report))
        buf_append_format(out, "%s: the classes do not add up to the records read\n",
                          error_code_id(ERR_VERIFY_COUNTS));
    if (orphans)
        buf_append_format(out,
                          "without a parent in these sources: %s; such a record waits for it, and "
                          "ends as %s if it never comes\n",
                          text_format_count(orphans, text[0]), error_code_id(ERR_PG_PARENT));
    if (rehearsal->report.source_count == 0 && rehearsal->ledger.failed_sources == 0) {
        buf_append_text(out, "NOTHING TO DO  the sources hold no record; no server was touched\n");
        return;
    }
    bool fine = verify_report_result(&rehearsal->report) == VERIFY_MATCH && !orphans;
    buf_append_text(out, fine ? "FINE  nothing would be rejected or dead-lettered; no server was "
                                "touched\nNext:  drover run\n"
                              : "NOT ALL FINE  see above; no server was touched\n"
                                "Next:  drover explain CODE, mend, rehearse again\n");
}

void rehearse_text_append(const struct rehearsal *rehearsal, const uint64_t *orphans,
                          struct buf *out)
{
    buf_append_text(out, "tenant: ");
    buf_append_bytes(out, buf_view(&rehearsal->tenant_from));
    buf_append_char(out, '\n');
    append_table(rehearsal, orphans, out);
    append_rejected(rehearsal, out);
    append_dead(rehearsal, out);
    append_ambiguous(rehearsal, out);
    append_secrets(rehearsal, out);
    for (size_t i = 0; i < rehearsal->report.warning_count; i++)
        buf_append_format(out, "warning: %s\n", rehearsal->report.warnings[i]);
    append_verdict(rehearsal, sum_orphans(rehearsal, orphans), out);
}

/* ---- for machines ------------------------------------------------------------------------ */

static void append_counts(struct buf *out, const uint64_t counts[VERDICT_COUNT], uint64_t orphans)
{
    buf_append_format(out, "\"records\":%" PRIu64, diff_counts_records(counts));
    for (int c = 0; c < COLUMNS; c++)
        buf_append_format(out, ",\"%s\":%" PRIu64, TABLE[c].name, count_of(counts, c, orphans));
    buf_append_format(out, ",\"give_back\":%" PRIu64,
                      counts[VERDICT_MATCH] + counts[VERDICT_TOLERANCE]);
}

static void append_groups(const struct rehearsal *rehearsal, const uint64_t *orphans,
                          struct buf *out)
{
    size_t count;
    const struct diff_groups *groups = &rehearsal->report.groups;
    uint32_t *order = diff_groups_order(groups, &count);
    buf_append_text(out, ",\"groups\":[");
    for (size_t i = 0; i < count; i++) {
        const struct diff_group *group = &groups->items[order[i]];
        buf_append_text(out, i ? ",{\"tenant\":" : "{\"tenant\":");
        buf_append_json(out, group->tenant);
        buf_append_text(out, ",\"entity\":");
        buf_append_json(out, group->entity);
        buf_append_char(out, ',');
        append_counts(out, group->counts, orphans[order[i]]);
        buf_append_char(out, '}');
    }
    buf_append_char(out, ']');
    free(order);
}

static void append_codes(const struct rehearsal *rehearsal, struct buf *out)
{
    bool first = true;
    buf_append_text(out, ",\"rejected_by_code\":{");
    for (size_t code = 0; code < PRODUCE_CODES_MOST; code++) {
        if (!rehearsal->ledger.by_code[code])
            continue;
        buf_append_format(out, "%s\"%s\":%" PRIu64, first ? "" : ",",
                          error_code_id((enum error_code)code), rehearsal->ledger.by_code[code]);
        first = false;
    }
    first = true;
    buf_append_text(out, "},\"dead_by_code\":{");
    for (size_t code = 0; code < PRODUCE_CODES_MOST; code++) {
        const struct rehearse_dead *dead = &rehearsal->dead[code];
        if (!dead->count)
            continue;
        buf_append_format(out, "%s\"%s\":{\"count\":%" PRIu64 ",\"first\":[", first ? "" : ",",
                          error_code_id((enum error_code)code), dead->count);
        for (size_t i = 0; i < dead->place_count; i++) {
            buf_append_text(out, i ? "," : "");
            buf_append_json(out, dead->places[i]);
        }
        buf_append_text(out, "]}");
        first = false;
    }
    buf_append_char(out, '}');
}

void rehearse_json_append(const struct rehearsal *rehearsal, const uint64_t *orphans,
                          struct buf *out)
{
    uint64_t total[VERDICT_COUNT], orphan_count = sum_orphans(rehearsal, orphans);
    const struct produce_ledger *ledger = &rehearsal->ledger;
    diff_groups_total(&rehearsal->report.groups, total);
    bool fine = verify_report_result(&rehearsal->report) == VERIFY_MATCH && !orphan_count;
    buf_append_format(out, "{\"schema_version\":1,\"fine\":%s,\"reconciled\":%s,\"total\":{",
                      fine ? "true" : "false",
                      verify_report_adds_up(&rehearsal->report) ? "true" : "false");
    append_counts(out, total, orphan_count);
    buf_append_format(out,
                      "},\"sources\":%" PRIu64 ",\"sources_failed\":%" PRIu64
                      ",\"withheld_members\":%" PRIu64 ",\"sealed_members\":%" PRIu64,
                      ledger->sources, ledger->failed_sources, ledger->withheld_fields,
                      ledger->sealed_fields);
    buf_append_text(out, ",\"tenant_from\":");
    buf_append_json(out, buf_view(&rehearsal->tenant_from));
    append_codes(rehearsal, out);
    append_groups(rehearsal, orphans, out);
    buf_append_text(out, "}\n");
}
