#include "common/policy/verify/write_latency.h"

#include "common/policy/html_out.h"
#include "common/policy/plot/plot_scale.h"

static bool is_shown(const struct write_latency *latency, int stage)
{
    return stage != WRITE_IN_REDIS || latency->follows_redis;
}

void write_latency_append_line(const struct write_latency *latency, struct buf *out)
{
    static const char *const WORDS[WRITE_STAGES] = {"committed", "seen in Redis", "verified"};
    const char *between = "p99 of 5 min: ";
    for (int stage = 0; stage < WRITE_STAGES; stage++) {
        const struct write_latency_stage *recent = &latency->recent[stage];
        if (!is_shown(latency, stage) || !recent->count)
            continue;
        buf_append_format(out, "%s%s ", between, WORDS[stage]);
        plot_append_value(out, PLOT_MS, (double)recent->p99_ms);
        between = ", ";
    }
}

/* ---- JSON -------------------------------------------------------------------------------- */

static void append_seconds(struct json_out *out, const char *name, uint64_t count, uint64_t ms)
{
    if (count)
        json_out_seconds(out, name, ms);
    else
        json_out_null(out, name);
}

static void append_stages(const struct write_latency *latency, const char *name,
                          const struct write_latency_stage *stages, struct json_out *out)
{
    static const char *const NAMES[WRITE_STAGES] = {"committed", "seen_in_redis", "verified"};
    json_out_object(out, name);
    for (int i = 0; i < WRITE_STAGES; i++) {
        const struct write_latency_stage *stage = &stages[i];
        if (!is_shown(latency, i)) {
            json_out_null(out, NAMES[i]);
            continue;
        }
        json_out_object(out, NAMES[i]);
        json_out_count(out, "count", stage->count);
        append_seconds(out, "p50_seconds", stage->count, stage->p50_ms);
        append_seconds(out, "p95_seconds", stage->count, stage->p95_ms);
        append_seconds(out, "p99_seconds", stage->count, stage->p99_ms);
        append_seconds(out, "max_seconds", stage->count, stage->max_ms);
        json_out_end(out);
    }
    json_out_end(out);
}

void write_latency_append_json(const struct write_latency *latency, struct json_out *out)
{
    json_out_object(out, "write_latency");
    append_stages(latency, "five_minutes", latency->recent, out);
    append_stages(latency, "since_start", latency->total, out);
    json_out_count(out, "clock_ahead", latency->ahead);
    json_out_end(out);
}

/* ---- the page ---------------------------------------------------------------------------- */

static void append_time(struct buf *out, uint64_t ms)
{
    struct buf text;
    buf_init(&text, 64);
    plot_append_value(&text, PLOT_MS, (double)ms);
    buf_append_text(out, "<td class=\"n\">");
    html_append_words(out, buf_view(&text));
    buf_append_text(out, "</td>");
    buf_free(&text);
}

static void append_row(const char *title, const char *window,
                       const struct write_latency_stage *stage, struct buf *out)
{
    buf_append_format(out, "<tr><td>%s</td><td>%s</td><td class=\"n\">", title, window);
    html_append_count(out, stage->count);
    buf_append_text(out, "</td>");
    const uint64_t times[] = {stage->p50_ms, stage->p95_ms, stage->p99_ms, stage->max_ms};
    for (size_t i = 0; i < sizeof times / sizeof *times; i++)
        if (stage->count)
            append_time(out, times[i]);
        else
            buf_append_text(out, "<td class=\"n dim\">–</td>");
    buf_append_text(out, "</tr>\n");
}

static void append_notes(const struct write_latency *latency, struct buf *out)
{
    buf_append_text(out, "<p>Of each message that was compared, from the time that it has in the "
                         "source topic: until the commit that its receipt tells");
    if (latency->follows_redis)
        buf_append_text(out, "; until the first snapshot of this verifier that says that Redis has "
                             "followed, which is some time after it had");
    buf_append_text(out, "; until it was found right here. All is since this process "
                         "began.</p>\n");
    if (!latency->ahead)
        return;
    buf_append_text(out, "<p class=\"note\">");
    html_append_count(out, latency->ahead);
    buf_append_text(out, " messages are later than their commits, by the clocks of two hosts; they "
                         "count as 0.</p>\n");
}

void write_latency_append_html(const struct write_latency *latency, struct buf *out)
{
    static const char *const TITLES[WRITE_STAGES] = {"committed", "seen in Redis", "found right"};
    bool any = false;
    for (int i = 0; i < WRITE_STAGES; i++)
        any = any || latency->total[i].count;
    if (!any)
        return;
    buf_append_text(out,
                    "<section id=\"writes\">\n<h2>Write latency</h2>\n<div class=\"wide\">\n"
                    "<table>\n<tr><th class=\"name\">produced until</th><th>of</th>"
                    "<th class=\"n\">messages</th><th class=\"n\">p50</th><th class=\"n\">p95</th>"
                    "<th class=\"n\">p99</th><th class=\"n\">max</th></tr>\n");
    for (int i = 0; i < WRITE_STAGES; i++) {
        if (!is_shown(latency, i))
            continue;
        append_row(TITLES[i], "the last five minutes", &latency->recent[i], out);
        append_row(TITLES[i], "all", &latency->total[i], out);
    }
    buf_append_text(out, "</table>\n</div>\n");
    append_notes(latency, out);
    buf_append_text(out, "</section>\n");
}
