/* Reads of the old store and the new one in report.html: a row a store, and whether the limit
 * holds. */

#include "common/policy/verify/verify_html_internal.h"

#include "common/policy/html_out.h"
#include "common/policy/verify/verify_reads.h"

static void append_number(struct buf *out, uint64_t count)
{
    buf_append_text(out, "<td class=\"n\">");
    html_append_count(out, count);
    buf_append_text(out, "</td>");
}

/* The time, and behind it how many times the old one's it is. */
static void append_time(const struct verify_reads *reads, size_t store,
                        enum verify_reads_percentile percentile, struct buf *out)
{
    double ratio = verify_reads_ratio(reads, store, percentile);
    buf_append_text(out, "<td class=\"n\">");
    if (reads->stores[store].reads)
        verify_reads_append_time(reads->stores[store].ns[percentile], out);
    if (reads->stores[store].reads && store > 0 && ratio > 0)
        buf_append_format(out, " (×%.2f)", ratio);
    buf_append_text(out, "</td>");
}

static void append_store(const struct verify_reads *reads, size_t at, struct buf *out)
{
    const struct verify_reads_store *store = &reads->stores[at];
    buf_append_format(out, "<tr><td>%s%s</td>", at ? "" : "old: ", store->name);
    append_number(out, store->reads);
    for (int i = 0; i < READS_PERCENTILES; i++)
        append_time(reads, at, (enum verify_reads_percentile)i, out);
    append_number(out, store->not_found);
    append_number(out, store->refused + store->errors);
    append_number(out, store->late);
    buf_append_text(out, "</tr>\n");
}

static void append_errors(const struct verify_reads *reads, struct buf *out)
{
    for (size_t i = 0; i < reads->count; i++) {
        const struct verify_reads_store *store = &reads->stores[i];
        if (!store->error[0])
            continue;
        buf_append_format(out, "<p class=\"note\">%s: ", store->name);
        html_append_outside(out, bytes_text(store->error), VERIFY_HTML_TEXT_MAX);
        buf_append_text(out, "</p>\n");
    }
}

void verify_html_append_reads(const struct verify_reads *reads, struct buf *out)
{
    struct buf words;
    if (!reads)
        return;
    buf_init(&words, 1024);
    verify_reads_append_verdict(reads, &words);
    buf_append_text(out, "<section id=\"reads\">\n<h2>Reads of the old store and the new one</h2>\n"
                         "<p>");
    html_append_words(out, buf_view(&words));
    buf_append_text(
        out, ".</p>\n<div class=\"wide\">\n<table>\n<tr><th>store</th><th class=\"n\">reads</th>"
             "<th class=\"n\">p50</th><th class=\"n\">p95</th><th class=\"n\">p99</th>"
             "<th class=\"n\">not found</th><th class=\"n\">errors</th>"
             "<th class=\"n\">late</th></tr>\n");
    for (size_t i = 0; i < reads->count; i++)
        append_store(reads, i, out);
    buf_append_text(out, "</table>\n</div>\n");
    append_errors(reads, out);
    buf_append_text(out, "<p>");
    html_append_count(out, reads->keys);
    buf_append_text(out, reads->for_ms
                             ? " keys, a sample of those that are right in the store, were "
                               "read, "
                             : " keys, the latest that were found right in the store, are "
                               "read, ");
    html_append_count(out, reads->per_second);
    buf_append_text(out, " a second from each store over ");
    html_append_count(out, reads->connections);
    buf_append_text(out, " connections. Latencies are of reads that found their record, from when "
                         "each was to begin; behind those of the new store, how many times the old "
                         "one's they are.</p>\n</section>\n");
    buf_free(&words);
}
