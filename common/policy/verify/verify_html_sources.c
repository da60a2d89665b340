/* The sources of report.html, as their producers told of them: of each its latest complete reading.
 * Those that are not whole first, then those that lost records, then by name. */

#include "common/policy/verify/verify_html_internal.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/policy/html_out.h"
#include "common/policy/verify/readings.h"

static int rank_of(const struct readings_entry *entry)
{
    if (readings_is_incomplete(entry))
        return 0;
    if (readings_is_given_up(entry))
        return 1;
    return entry->rejected ? 2 : 3;
}

static int compare_entries(const void *left, const void *right)
{
    const struct readings_entry *a = *(struct readings_entry *const *)left;
    const struct readings_entry *b = *(struct readings_entry *const *)right;
    int order = rank_of(a) - rank_of(b);
    return order ? order : bytes_compare(a->uri, b->uri);
}

static uint64_t records_of(const struct readings_entry *entry)
{
    return entry->produced + entry->rejected + entry->withheld;
}

static void append_number(struct buf *out, uint64_t number)
{
    buf_append_text(out, "<td class=\"n\">");
    html_append_count(out, number);
    buf_append_text(out, "</td>");
}

static void append_state(struct buf *out, const struct readings_entry *entry)
{
    buf_append_text(out, "<td class=\"word\">");
    if (readings_is_incomplete(entry))
        buf_append_text(out, "<span class=\"state bad\">not complete</span>");
    else if (readings_is_given_up(entry))
        buf_append_text(out, "<span class=\"state\">not complete, discarded</span>");
    else if (entry->rejected && readings_is_discarded(entry))
        buf_append_text(out, "<span class=\"state\">rejected ones discarded</span>");
    else
        buf_append_text(out, entry->stream    ? "complete, a stream"
                             : entry->follows ? "followed"
                                              : "complete");
    buf_append_text(out, "</td></tr>\n");
}

/* Without a complete reading nothing but its name is known. */
static void append_source(const struct verify_html *page, const struct readings_entry *entry)
{
    struct buf *out = page->out;
    char size[16], digest[33];
    buf_append_text(out, "<tr><td><span class=\"mono\">");
    html_append_outside(out, entry->uri, VERIFY_HTML_TEXT_MAX);
    buf_append_text(out, "</span>");
    if (entry->complete && entry->has_digest) {
        digest_format(&entry->digest, digest);
        buf_append_format(out, "<br /><code class=\"dim\">xxh3:%s</code>", digest);
    }
    buf_append_text(out, "</td>");
    if (entry->complete) {
        buf_append_format(out, "<td class=\"n\">%s</td>",
                          entry->follows ? "–" : text_format_size(entry->size, size));
        append_number(out, records_of(entry));
        append_number(out, entry->produced);
        append_number(out, entry->rejected);
        append_number(out, entry->withheld);
    } else {
        for (int i = 0; i < 5; i++)
            buf_append_text(out, "<td class=\"n dim\">–</td>");
    }
    append_state(out, entry);
}

struct sum {
    uint64_t sources, bytes, records, produced, rejected, withheld;
};

static void add(struct sum *sum, const struct readings_entry *entry)
{
    sum->sources++;
    sum->bytes += entry->complete ? entry->size : 0;
    sum->records += records_of(entry);
    sum->produced += entry->produced;
    sum->rejected += entry->rejected;
    sum->withheld += entry->withheld;
}

static void append_sum(struct buf *out, const struct sum *sum, const char *class, const char *what)
{
    char size[16];
    if (!sum->sources)
        return;
    buf_append_format(out, "<tr class=\"%s\"><td>", class);
    html_append_count(out, sum->sources);
    buf_append_format(out, " %s</td><td class=\"n\">%s</td>", what,
                      text_format_size(sum->bytes, size));
    append_number(out, sum->records);
    append_number(out, sum->produced);
    append_number(out, sum->rejected);
    append_number(out, sum->withheld);
    buf_append_text(out, "<td></td></tr>\n");
}

static struct readings_entry **sorted(const struct readings *readings, size_t *count)
{
    size_t at = 0;
    struct readings_entry **entries = mem_zeroed(readings->count + 1, sizeof *entries);
    *count = 0;
    for (struct readings_entry *entry; (entry = readings_next(readings, &at));)
        entries[(*count)++] = entry;
    qsort(entries, *count, sizeof *entries, compare_entries);
    return entries;
}

void verify_html_append_sources(const struct verify_html *page)
{
    struct sum all = {0}, more = {0};
    size_t count = 0;
    if (!page->report->readings)
        return;
    struct readings_entry **entries = sorted(page->report->readings, &count);
    if (count)
        buf_append_text(page->out,
                        "<section id=\"sources\">\n<h2>Sources</h2>\n<p class=\"dim\">What the "
                        "producers told of each source when they had read it last; of standard "
                        "input, of each reading.</p>\n<div class=\"wide\">\n<table>\n"
                        "<tr><th class=\"name\">source</th><th class=\"n\">size</th>"
                        "<th class=\"n\">records</th><th class=\"n\">produced</th>"
                        "<th class=\"n\">rejected</th><th class=\"n\">withheld</th>"
                        "<th>reading</th></tr>\n");
    for (size_t i = 0; i < count; i++) {
        add(&all, entries[i]);
        if (i < VERIFY_HTML_SOURCES_MAX)
            append_source(page, entries[i]);
        else
            add(&more, entries[i]);
    }
    append_sum(page->out, &more, "sum", "more");
    append_sum(page->out, &all, "total", all.sources == 1 ? "source" : "sources");
    if (count)
        buf_append_text(page->out, "</table>\n</div>\n</section>\n");
    free(entries);
}
