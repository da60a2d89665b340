#include "common/policy/verify/verify_reads.h"

#include <stdio.h>

#include "common/base/plural.h"
#include "common/base/text.h"
#include "common/policy/text_line.h"

#define WORDS_MAX 4096

const double VERIFY_READS_PERCENTS[READS_PERCENTILES] = {50, 95, 99};

static const char *const PERCENTILE_NAMES[READS_PERCENTILES] = {"p50", "p95", "p99"};

double verify_reads_ratio(const struct verify_reads *reads, size_t store,
                          enum verify_reads_percentile percentile)
{
    uint64_t old_ns = reads->stores[0].ns[percentile], new_ns = reads->stores[store].ns[percentile];
    return old_ns ? (double)new_ns / (double)old_ns : 0;
}

static bool is_endless(const struct verify_reads *reads)
{
    return reads->for_ms == 0;
}

static bool tells(const struct verify_reads *reads, const struct verify_reads_store *store)
{
    uint64_t gone_max = is_endless(reads) ? VERIFY_READS_GONE_MAX : VERIFY_READS_UNANSWERED_MAX;
    uint64_t without = store->refused + store->errors + store->late;
    uint64_t all = store->reads + store->not_found + store->refused + store->errors;
    without += is_endless(reads) ? 0 : store->not_found;
    return store->reads >= VERIFY_READS_MIN && without * VERIFY_READS_UNANSWERED_MAX <= all &&
           store->not_found * gone_max <= all;
}

static bool is_slower(const struct verify_reads *reads, size_t store)
{
    for (int i = 0; i < READS_PERCENTILES; i++)
        if (verify_reads_ratio(reads, store, (enum verify_reads_percentile)i) > reads->limit)
            return true;
    return false;
}

enum verify_reads_verdict verify_reads_verdict(const struct verify_reads *reads)
{
    bool slower = false, known = reads->count > 1;
    for (size_t i = 0; i < reads->count; i++) {
        known = known && tells(reads, &reads->stores[i]);
        slower = slower || (i > 0 && is_slower(reads, i));
    }
    return !known ? READS_UNKNOWN : slower ? READS_SLOWER : READS_HOLD;
}

/* ---- words ------------------------------------------------------------------------------- */

void verify_reads_append_time(uint64_t ns, struct buf *out)
{
    double ms = (double)ns / 1e6;
    buf_append_format(out,
                      ms < 0.1   ? "%.3f ms"
                      : ms < 10  ? "%.2f ms"
                      : ms < 100 ? "%.1f ms"
                                 : "%.0f ms",
                      ms);
}

/* "PostgreSQL at p95 (1.31), p99 (2.02)" */
static void append_slower(const struct verify_reads *reads, struct buf *out)
{
    const char *between = "";
    for (size_t i = 1; i < reads->count; i++) {
        if (!is_slower(reads, i))
            continue;
        buf_append_format(out, "%s%s at", between, reads->stores[i].name);
        between = "";
        for (int p = 0; p < READS_PERCENTILES; p++) {
            double ratio = verify_reads_ratio(reads, i, (enum verify_reads_percentile)p);
            if (ratio <= reads->limit)
                continue;
            buf_append_format(out, "%s %s (%.2f)", between, PERCENTILE_NAMES[p], ratio);
            between = ",";
        }
        between = "; ";
    }
}

void verify_reads_append_verdict(const struct verify_reads *reads, struct buf *out)
{
    switch (verify_reads_verdict(reads)) {
    case READS_HOLD:
        buf_append_format(out, "within %g times the old at p50, p95 and p99", reads->limit);
        break;
    case READS_SLOWER:
        buf_append_format(out, "slower than %g times the old: ", reads->limit);
        append_slower(reads, out);
        break;
    case READS_UNKNOWN:
        buf_append_format(out,
                          "whether they are within %g times the old is not known: each store has "
                          "to answer %d reads, and 99 of 100 in time%s",
                          reads->limit, VERIFY_READS_MIN,
                          is_endless(reads) ? ", and to find 9 of 10 records" : "");
        break;
    }
}

void verify_reads_append_line(const struct verify_reads *reads, struct buf *out)
{
    static const char *const WORDS[] = {
        [READS_HOLD] = "within", [READS_SLOWER] = "slower than", [READS_UNKNOWN] = ""};
    enum verify_reads_verdict verdict = verify_reads_verdict(reads);
    const char *between = "reads p99: ";
    for (size_t i = 0; i < reads->count; i++) {
        const struct verify_reads_store *store = &reads->stores[i];
        if (!store->reads)
            continue;
        buf_append_format(out, "%s%s ", between, store->name);
        verify_reads_append_time(store->ns[READS_P99], out);
        between = ", ";
    }
    if (verdict != READS_UNKNOWN)
        buf_append_format(out, " (%s %g times)", WORDS[verdict], reads->limit);
}

/* Right-aligned in a column behind two spaces. */
static void append_cell(struct buf *out, const char *text)
{
    buf_append_format(out, "  %9s", text);
}

static void append_count(struct buf *out, uint64_t count)
{
    char text[28];
    append_cell(out, text_format_count(count, text));
}

static void append_time(struct buf *out, uint64_t reads, uint64_t ns)
{
    struct buf text;
    buf_init(&text, 64);
    if (reads)
        verify_reads_append_time(ns, &text);
    append_cell(out, reads ? buf_text(&text) : "-");
    buf_free(&text);
}

static void append_store(const struct verify_reads *reads, size_t at, struct buf *out)
{
    const struct verify_reads_store *store = &reads->stores[at];
    char name[32];
    snprintf(name, sizeof name, at ? "%s" : "old %s", store->name);
    buf_append_format(out, "  %-12s", name);
    append_count(out, store->reads);
    for (int i = 0; i < READS_PERCENTILES; i++)
        append_time(out, store->reads, store->ns[i]);
    append_time(out, store->reads, store->max_ns);
    buf_append_char(out, '\n');
}

static void append_ratios(const struct verify_reads *reads, size_t at, struct buf *out)
{
    char text[32];
    buf_append_format(out, "  %-12s", "  ratio");
    append_cell(out, "");
    for (int i = 0; i < READS_PERCENTILES; i++) {
        double ratio = verify_reads_ratio(reads, at, (enum verify_reads_percentile)i);
        snprintf(text, sizeof text, "%.2f", ratio);
        append_cell(out, ratio > 0 && reads->stores[at].reads ? text : "-");
    }
    buf_append_char(out, '\n');
}

static void append_part(struct buf *out, uint64_t count, const char *what, bool *first)
{
    char number[28];
    if (!count)
        return;
    buf_append_format(out, "%s%s %s", *first ? " " : ", ", text_format_count(count, number), what);
    *first = false;
}

static void append_line(const struct buf *words, size_t width, struct buf *out)
{
    buf_append_text(out, "  ");
    struct text_line line = text_line_begin(out, 4, width);
    text_line_words(&line, buf_view(words));
    text_line_end(&line);
}

/* What else became of reads, and the first error. */
static void append_rest(const struct verify_reads_store *store, size_t width, struct buf *out)
{
    bool first = true;
    struct buf words;
    if (!store->not_found && !store->refused && !store->errors && !store->late)
        return;
    buf_init(&words, WORDS_MAX);
    buf_append_format(&words, "%s:", store->name);
    append_part(&words, store->not_found, "not found", &first);
    append_part(&words, store->refused, "refused", &first);
    append_part(&words, store->errors, "without an answer", &first);
    append_part(&words, store->late, "not begun in time", &first);
    if (store->error[0]) {
        buf_append_text(&words, "; ");
        text_append_safe(&words, bytes_text(store->error), sizeof store->error);
    }
    append_line(&words, width, out);
    buf_free(&words);
}

static void append_head(const struct verify_reads *reads, struct buf *out)
{
    char number[28];
    buf_append_format(out, "reads compared: %s key%s at %llu/s",
                      text_format_count(reads->keys, number), plural_end(reads->keys),
                      (unsigned long long)reads->per_second);
    if (reads->for_ms)
        buf_append_format(out, " for %g s", (double)reads->for_ms / 1000);
    buf_append_format(out, ", %llu connection%s to each store\n",
                      (unsigned long long)reads->connections, plural_end(reads->connections));
    buf_append_format(out, "  %-12s", "");
    append_cell(out, "reads");
    for (int i = 0; i < READS_PERCENTILES; i++)
        append_cell(out, PERCENTILE_NAMES[i]);
    append_cell(out, "max");
    buf_append_char(out, '\n');
}

void verify_reads_append_text(const struct verify_reads *reads, size_t width, struct buf *out)
{
    struct buf verdict;
    append_head(reads, out);
    for (size_t i = 0; i < reads->count; i++) {
        append_store(reads, i, out);
        if (i > 0)
            append_ratios(reads, i, out);
    }
    for (size_t i = 0; i < reads->count; i++)
        append_rest(&reads->stores[i], width, out);
    buf_init(&verdict, WORDS_MAX);
    verify_reads_append_verdict(reads, &verdict);
    append_line(&verdict, width, out);
    buf_free(&verdict);
}

/* ---- JSON -------------------------------------------------------------------------------- */

static void append_seconds(struct json_out *out, const char *name, uint64_t reads, double ns)
{
    if (reads)
        json_out_real(out, name, ns / 1e9, 9);
    else
        json_out_null(out, name);
}

static void append_json_store(const struct verify_reads *reads, size_t at, struct json_out *out)
{
    static const char *const SECONDS[] = {"p50_seconds", "p95_seconds", "p99_seconds"};
    static const char *const RATIOS[] = {"ratio_p50", "ratio_p95", "ratio_p99"};
    const struct verify_reads_store *store = &reads->stores[at];
    json_out_object(out, NULL);
    json_out_text(out, "side", at ? "new" : "old");
    json_out_text(out, "store", store->name);
    json_out_count(out, "reads", store->reads);
    json_out_count(out, "not_found", store->not_found);
    json_out_count(out, "refused", store->refused);
    json_out_count(out, "errors", store->errors);
    json_out_count(out, "late", store->late);
    json_out_text(out, "first_error", store->error[0] ? store->error : NULL);
    for (int i = 0; i < READS_PERCENTILES; i++)
        append_seconds(out, SECONDS[i], store->reads, (double)store->ns[i]);
    append_seconds(out, "max_seconds", store->reads, (double)store->max_ns);
    append_seconds(out, "mean_seconds", store->reads, store->mean_ns);
    for (int i = 0; at && i < READS_PERCENTILES; i++) {
        double ratio = verify_reads_ratio(reads, at, (enum verify_reads_percentile)i);
        if (ratio > 0)
            json_out_real(out, RATIOS[i], ratio, 3);
        else
            json_out_null(out, RATIOS[i]);
    }
    json_out_end(out);
}

void verify_reads_append_json(const struct verify_reads *reads, struct json_out *out)
{
    static const char *const VERDICTS[] = {"holds", "slower", "unknown"};
    json_out_object(out, "reads_compared");
    json_out_text(out, "verdict", VERDICTS[verify_reads_verdict(reads)]);
    json_out_real(out, "limit", reads->limit, 3);
    json_out_bool(out, "enforced", reads->enforced);
    json_out_count(out, "reads_per_second", reads->per_second);
    if (is_endless(reads))
        json_out_null(out, "for_seconds");
    else
        json_out_seconds(out, "for_seconds", reads->for_ms);
    json_out_count(out, "connections", reads->connections);
    json_out_count(out, "keys", reads->keys);
    json_out_list(out, "stores");
    for (size_t i = 0; i < reads->count; i++)
        append_json_store(reads, i, out);
    json_out_end(out);
    json_out_end(out);
}
