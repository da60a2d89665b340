#include "common/policy/totals.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/text.h"
#include "common/base/text_width.h"
#include "common/policy/text_line.h"

#define NAME_MAX_BYTES 32 /* of a tenant or an entity in a table */
#define GAP 2             /* spaces between columns */
#define SHORT_LIMIT 4096  /* bytes of a sum in one line */

static const struct totals_class PRODUCE[PRODUCE_COUNT] = {
    [PRODUCE_PRODUCED] = {"produced", "produced", "produced", true, false, false},
    [PRODUCE_REJECTED] = {"rejected", "rejected", "rejected", false, false, false},
    [PRODUCE_WITHHELD] = {"withheld", "withheld", "withheld", false, false, true},
    [PRODUCE_SENT_BEFORE] = {"sent_before", "sent before", "sent before", false, false, true},
    [PRODUCE_ON_WAY] = {"not_acknowledged", "not acknowledged", "on the way", false, false, true},
};

static const struct totals_class WORK[WORK_COUNT] = {
    [WORK_APPLIED] = {"applied", "applied", "applied", true, false, false},
    [WORK_UNCHANGED] = {"unchanged", "unchanged", "unchanged", false, false, true},
    [WORK_SUPERSEDED] = {"superseded", "superseded", "superseded", false, false, true},
    [WORK_RECOVERED] = {"recovered", "recovered", "recovered", false, false, true},
    [WORK_CONFLICT] = {"conflict", "conflict", "conflict", false, false, false},
    [WORK_DEAD] = {"dead_lettered", "dead-lettered", "dead", false, false, false},
    [WORK_PENDING] = {"pending", "pending", "pending", false, false, false},
    [WORK_NO_RECEIPT] = {"no_receipt", "without a receipt yet", "no receipt", false, false, true},
    [WORK_TO_DO] = {"to_do", "to do", "to do", false, false, true},
    [WORK_REJECTED] = {"rejected", "rejected", "rejected", false, false, false},
    [WORK_WITHHELD] = {"withheld", "withheld", "withheld", false, false, true},
};

static const struct totals_class VERIFY[VERDICT_COUNT] = {
    [VERDICT_MATCH] = {"match", "match", "match", true, false, false},
    [VERDICT_TOLERANCE] = {"within_tolerance", "within tolerance", "tolerated", false, false, true},
    [VERDICT_SUPERSEDED] = {"superseded", "superseded", "superseded", false, false, true},
    [VERDICT_UNCHANGED] = {"unchanged", "unchanged", "unchanged", false, false, true},
    [VERDICT_DIFFERENT] = {"different", "different", "different", false, false, false},
    [VERDICT_BY_MAPPING] = {"stale_by_mapping", "stale by mapping", "by-mapping", false, false,
                            false},
    [VERDICT_STALE] = {"stale", "stale", "stale", false, false, false},
    [VERDICT_TARGET_NEWER] = {"target_newer", "target newer", "target newer", false, false, false},
    [VERDICT_MISSING] = {"missing", "missing", "missing", false, false, false},
    [VERDICT_UNUSABLE] = {"unusable", "unusable", "unusable", false, false, false},
    [VERDICT_CONFLICT] = {"conflict", "conflict", "conflict", false, false, false},
    [VERDICT_AMBIGUOUS] = {"ambiguous", "ambiguous", "ambiguous", false, false, false},
    [VERDICT_DEAD] = {"dead_lettered", "dead-lettered", "dead", false, false, false},
    [VERDICT_REJECTED] = {"rejected", "rejected", "rejected", false, false, false},
    [VERDICT_WITHHELD] = {"withheld", "withheld", "withheld", false, false, true},
    [VERDICT_UNPRODUCED] = {"not_produced", "not produced", "not produced", false, false, false},
    [VERDICT_OVERTAKEN] = {"overtaken", "overtaken", "overtaken", false, true, false},
    [VERDICT_DISCARDED] = {"discarded", "discarded", "discarded", false, false, false},
    [VERDICT_LAGGING] = {"lagging", "lagging", "lagging", false, false, false},
    [VERDICT_WAITING] = {"pending", "pending", "pending", false, false, false},
    [VERDICT_EXTRA] = {"extra", "extra", "extra", false, true, false},
    [VERDICT_UNEXPECTED_TENANT] = {"unexpected_tenant", "unexpected tenant", "unexpected", false,
                                   true, false},
    [VERDICT_GONE] = {"gone_from_the_source", "gone from the source", "gone", false, true, false},
    [VERDICT_ELSEWHERE] = {"of_other_sources", "of other sources", "elsewhere", false, true, false},
    [VERDICT_RESOLVED] = {"resolved", "resolved", "resolved", false, true, false},
};

const struct totals_set TOTALS_PRODUCE = {PRODUCE, PRODUCE_COUNT};
const struct totals_set TOTALS_WORK = {WORK, WORK_COUNT};
const struct totals_set TOTALS_VERIFY = {VERIFY, VERDICT_COUNT};

void totals_add_receipt(uint64_t counts[WORK_COUNT], const uint64_t classes[CLASS_COUNT])
{
    static const enum work_class OF[CLASS_COUNT] = {
        [CLASS_APPLIED] = WORK_APPLIED,     [CLASS_SUPERSEDED] = WORK_SUPERSEDED,
        [CLASS_UNCHANGED] = WORK_UNCHANGED, [CLASS_CONFLICT] = WORK_CONFLICT,
        [CLASS_DEAD] = WORK_DEAD,           [CLASS_REJECTED] = WORK_REJECTED,
        [CLASS_WITHHELD] = WORK_WITHHELD,   [CLASS_WAITING] = WORK_PENDING,
        [CLASS_RECOVERED] = WORK_RECOVERED,
    };
    for (int i = 0; i < CLASS_COUNT; i++)
        counts[OF[i]] += classes[i];
}

uint64_t totals_records(const struct totals_set *set, const uint64_t *counts)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < set->count; i++)
        sum += set->classes[i].outside ? 0 : counts[i];
    return sum;
}

/* ---- text in columns --------------------------------------------------------------------- */

static size_t count_width(uint64_t count)
{
    char text[28];
    return strlen(text_format_count(count, text));
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void append_spaces(struct buf *out, size_t count)
{
    for (size_t i = 0; i < count; i++)
        buf_append_char(out, ' ');
}

static void append_right(struct buf *out, struct bytes text, size_t width)
{
    size_t size = (size_t)text_width(text);
    append_spaces(out, size < width ? width - size : 0);
    buf_append_bytes(out, text);
}

static void append_number(struct buf *out, uint64_t count, size_t width)
{
    char text[28];
    append_right(out, bytes_text(text_format_count(count, text)), width);
}

static void make_safe(struct buf *safe, struct bytes name)
{
    buf_reset(safe);
    text_append_safe(safe, name, NAME_MAX_BYTES);
}

/* ---- a sentence -------------------------------------------------------------------------- */

static void line_put_count(struct text_line *line, const char *before, uint64_t count,
                           const char *what)
{
    char number[28];
    text_line_format(line, "%s%s %s", before, text_format_count(count, number), what);
}

static void put_classes(struct text_line *line, const struct totals_set *set,
                        const uint64_t *counts)
{
    bool first = true;
    for (size_t i = 0; i < set->count; i++) {
        const struct totals_class *class = &set->classes[i];
        if (class->outside || (!counts[i] && !class->always))
            continue;
        line_put_count(line, first ? " " : " + ", counts[i], class->title);
        first = false;
    }
    if (first)
        text_line_put(line, BYTES_LITERAL(" 0"));
}

static void put_outside(struct text_line *line, const struct totals_set *set,
                        const uint64_t *counts)
{
    bool first = true;
    for (size_t i = 0; i < set->count; i++) {
        if (!set->classes[i].outside || !counts[i])
            continue;
        if (first)
            text_line_put(line, BYTES_LITERAL("; besides"));
        line_put_count(line, first ? " " : ", ", counts[i], set->classes[i].title);
        first = false;
    }
}

void totals_append_identity(struct buf *out, const struct totals_set *set, const uint64_t *counts,
                            uint64_t records, const char *unit, size_t indent, size_t width)
{
    bool sums = totals_records(set, counts) == records;
    struct text_line line = text_line_begin(out, indent, width);
    line_put_count(&line, "", records, unit);
    text_line_put(&line, bytes_text(sums ? " =" : " ≠"));
    put_classes(&line, set, counts);
    put_outside(&line, set, counts);
    if (sums)
        text_line_put(&line, BYTES_LITERAL("   (reconciled)"));
    buf_append_char(out, '\n');
}

/* ---- a sum in little room ---------------------------------------------------------------- */

static void append_terms(struct buf *out, const struct totals_set *set, const uint64_t *counts,
                         const bool *shown)
{
    char text[28];
    uint64_t other = totals_records(set, counts);
    const char *between = "";
    for (size_t i = 0; i < set->count; i++) {
        if (!shown[i])
            continue;
        buf_append_format(out, "%s%s %s", between, text_format_count(counts[i], text),
                          set->classes[i].column);
        other -= counts[i];
        between = " + ";
    }
    if (other)
        buf_append_format(out, "%s%s other", between, text_format_count(other, text));
}

/* Leaves out the last one, a minor one when there is one; false when only the first is left. */
static bool leave_one_out(const struct totals_set *set, bool *shown)
{
    size_t first = 0, last = set->count, minor = set->count;
    while (first < set->count && !shown[first])
        first++;
    for (size_t i = first + 1; i < set->count; i++) {
        if (shown[i])
            last = i;
        if (shown[i] && set->classes[i].minor)
            minor = i;
    }
    if (last == set->count)
        return false;
    shown[minor < set->count ? minor : last] = false;
    return true;
}

void totals_append_short(struct buf *out, const struct totals_set *set, const uint64_t *counts,
                         const char *unit, int width)
{
    bool shown[TOTALS_CLASSES_MAX] = {false};
    struct buf terms;
    char text[28];
    buf_init(&terms, SHORT_LIMIT);
    for (size_t i = 0; i < set->count; i++)
        shown[i] = !set->classes[i].outside && (counts[i] || set->classes[i].always);
    append_terms(&terms, set, counts, shown);
    while (text_width(buf_view(&terms)) > width && leave_one_out(set, shown)) {
        buf_reset(&terms);
        append_terms(&terms, set, counts, shown);
    }
    if (text_width(buf_view(&terms)) > width) {
        buf_reset(&terms);
        buf_append_format(&terms, "%s %s", text_format_count(totals_records(set, counts), text),
                          unit);
    }
    if (text_width(buf_view(&terms)) <= width)
        buf_append_bytes(out, buf_view(&terms));
    buf_free(&terms);
}

void totals_append_fields(struct buf *out, const struct totals_set *set, const uint64_t *counts)
{
    for (size_t i = 0; i < set->count; i++)
        if (counts[i] || set->classes[i].always)
            buf_append_format(out, " %s=%" PRIu64, set->classes[i].name, counts[i]);
}

/* ---- a table ----------------------------------------------------------------------------- */

struct layout {
    size_t names[2];
    size_t records;
    size_t columns[TOTALS_CLASSES_MAX]; /* 0: left out */
    size_t tail;
};

static void sum_rows(const struct totals_table *table, const struct totals_row *rows, size_t count,
                     uint64_t *sums)
{
    memset(sums, 0, TOTALS_CLASSES_MAX * sizeof *sums);
    for (size_t r = 0; r < count; r++)
        for (size_t i = 0; i < table->set->count; i++)
            sums[i] += rows[r].counts[i];
}

/* The table's width. */
static size_t lay_out(const struct totals_table *table, const struct totals_row *rows, size_t count,
                      const uint64_t *sums, struct layout *layout)
{
    struct buf safe;
    buf_init(&safe, 1024);
    *layout = (struct layout){.records = larger(strlen(table->records_title),
                                                count_width(totals_records(table->set, sums)))};
    size_t width = 0;
    for (int n = 0; n < 2; n++) {
        if (!table->name_titles[n])
            continue;
        layout->names[n] = strlen(table->name_titles[n]);
        for (size_t r = 0; r < count; r++) {
            make_safe(&safe, rows[r].names[n]);
            layout->names[n] = larger(layout->names[n], (size_t)text_width(buf_view(&safe)));
        }
        if (n == 0 && count > 1)
            layout->names[n] = larger(layout->names[n], strlen("total"));
        width += layout->names[n] + GAP;
    }
    for (size_t i = 0; i < table->set->count; i++) {
        const struct totals_class *class = &table->set->classes[i];
        if (!sums[i] && !class->always)
            continue;
        layout->columns[i] = larger(strlen(class->column), count_width(sums[i]));
        width += GAP + layout->columns[i];
    }
    for (size_t r = 0; r < count && table->tail_title; r++)
        layout->tail = larger(layout->tail, (size_t)text_width(rows[r].tail));
    if (layout->tail)
        layout->tail = larger(layout->tail, strlen(table->tail_title));
    buf_free(&safe);
    return width + layout->records + (layout->tail ? GAP + layout->tail : 0);
}

static void append_name(struct buf *out, const struct layout *layout, int n, struct bytes name)
{
    struct buf safe;
    if (!layout->names[n])
        return;
    buf_init(&safe, 1024);
    make_safe(&safe, name);
    size_t size = (size_t)text_width(buf_view(&safe));
    buf_append_bytes(out, buf_view(&safe));
    append_spaces(out, layout->names[n] - size + GAP);
    buf_free(&safe);
}

static void append_row(struct buf *out, const struct totals_table *table,
                       const struct layout *layout, const struct totals_row *row)
{
    append_name(out, layout, 0, row->names[0]);
    append_name(out, layout, 1, row->names[1]);
    append_number(out, totals_records(table->set, row->counts), layout->records);
    for (size_t i = 0; i < table->set->count; i++)
        if (layout->columns[i])
            append_number(out, row->counts[i], layout->columns[i] + GAP);
    if (layout->tail && row->tail.size) {
        append_spaces(out, GAP);
        buf_append_bytes(out, row->tail);
    }
    buf_append_char(out, '\n');
}

static void append_head(struct buf *out, const struct totals_table *table,
                        const struct layout *layout)
{
    for (int n = 0; n < 2; n++)
        if (layout->names[n])
            append_name(out, layout, n, bytes_text(table->name_titles[n]));
    append_right(out, bytes_text(table->records_title), layout->records);
    for (size_t i = 0; i < table->set->count; i++)
        if (layout->columns[i])
            append_right(out, bytes_text(table->set->classes[i].column), layout->columns[i] + GAP);
    if (layout->tail) {
        append_spaces(out, GAP);
        buf_append_text(out, table->tail_title);
    }
    buf_append_char(out, '\n');
}

/* Too wide for a table: "t01 event: 300 records = 200 match + 100 different". */
static void append_sentence(struct buf *out, const struct totals_table *table,
                            const struct totals_row *row)
{
    struct buf safe;
    buf_init(&safe, 1024);
    for (int n = 0; n < 2; n++) {
        if (!table->name_titles[n] || !row->names[n].size)
            continue;
        make_safe(&safe, row->names[n]);
        buf_append_format(out, "%s%s", n ? " " : "", buf_text(&safe));
    }
    buf_append_text(out, ": ");
    struct text_line line = text_line_begin(out, 4, table->width);
    line_put_count(&line, "", totals_records(table->set, row->counts), table->records_title);
    text_line_put(&line, BYTES_LITERAL(" ="));
    put_classes(&line, table->set, row->counts);
    put_outside(&line, table->set, row->counts);
    if (table->tail_title && row->tail.size) {
        buf_reset(&safe);
        buf_append_format(&safe, "  %s %.*s", table->tail_title, BYTES_ARGS(row->tail));
        text_line_put(&line, buf_view(&safe));
    }
    buf_append_char(out, '\n');
    buf_free(&safe);
}

void totals_append_table(struct buf *out, const struct totals_table *table,
                         const struct totals_row *rows, size_t row_count)
{
    struct layout layout;
    uint64_t sums[TOTALS_CLASSES_MAX];
    sum_rows(table, rows, row_count, sums);
    size_t width = lay_out(table, rows, row_count, sums, &layout);
    const struct totals_row total = {.names = {BYTES_LITERAL("total"), BYTES_LITERAL("")},
                                     .counts = sums};
    bool fits = width <= table->width;
    if (fits)
        append_head(out, table, &layout);
    for (size_t r = 0; r < row_count + (row_count > 1); r++) {
        const struct totals_row *row = r < row_count ? &rows[r] : &total;
        if (fits)
            append_row(out, table, &layout, row);
        else
            append_sentence(out, table, row);
    }
}

/* ---- machines ---------------------------------------------------------------------------- */

static void append_members(struct json_out *out, const struct totals_set *set,
                           const uint64_t *counts, bool outside, bool zeros)
{
    json_out_object(out, outside ? "beside" : "counts");
    for (size_t i = 0; i < set->count; i++)
        if (set->classes[i].outside == outside && (counts[i] || zeros))
            json_out_count(out, set->classes[i].name, counts[i]);
    json_out_end(out);
}

void totals_append_json_counts(struct json_out *out, const struct totals_set *set,
                               const uint64_t *counts, bool zeros)
{
    bool any = false;
    for (size_t i = 0; i < set->count; i++)
        any = any || (set->classes[i].outside && (counts[i] || zeros));
    append_members(out, set, counts, false, zeros);
    if (any)
        append_members(out, set, counts, true, zeros);
}

void totals_append_json(struct json_out *out, const struct totals_set *set, const uint64_t *counts)
{
    json_out_count(out, "source_records", totals_records(set, counts));
    totals_append_json_counts(out, set, counts, true);
}

const struct work_metric_row WORK_METRIC[METRIC_COUNT] = {
#define X(metric, name, shown) {name, shown},
    WORK_METRICS(X)
#undef X
};

void totals_append_metrics(struct json_out *out, const uint64_t metrics[METRIC_COUNT], int shown)
{
    for (int i = 0; i < METRIC_COUNT; i++)
        if (WORK_METRIC[i].shown & shown)
            json_out_count(out, WORK_METRIC[i].name, metrics[i]);
}

/* ---- pace -------------------------------------------------------------------------------- */

static uint64_t tenths(uint64_t elapsed_ms)
{
    return (elapsed_ms + 50) / 100;
}

uint64_t totals_rate(uint64_t records, uint64_t elapsed_ms)
{
    uint64_t shown = tenths(elapsed_ms);
    return shown ? (uint64_t)((double)records * 10.0 / (double)shown + 0.5) : 0;
}

void totals_append_pace(struct buf *out, uint64_t records, uint64_t elapsed_ms)
{
    char text[28];
    uint64_t shown = tenths(elapsed_ms);
    buf_append_format(out, "%" PRIu64 ".%" PRIu64 " s", shown / 10, shown % 10);
    if (shown)
        buf_append_format(out, ", %s records/s",
                          text_format_count(totals_rate(records, elapsed_ms), text));
}
