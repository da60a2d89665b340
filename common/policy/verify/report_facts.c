/* How a report came about, for machines and for people. */

#include "common/policy/verify/report_facts.h"

#include "common/base/text.h"
#include "common/policy/html_out.h"

#define TEXT_MAX 400

static const char *or_null(const char *text)
{
    return text && text[0] ? text : NULL;
}

void report_facts_append_json(const struct report_facts *facts, struct json_out *out)
{
    json_out_text(out, "run", or_null(facts->run));
    json_out_text(out, "by", or_null(facts->who));
    json_out_text(out, "storage", or_null(facts->storage));
    json_out_text(out, "settings", or_null(facts->settings));
    json_out_object(out, "versions");
    json_out_text(out, "drover", DROVER_VERSION);
    json_out_text(out, "postgres", or_null(facts->postgres));
    json_out_text(out, "redis", or_null(facts->redis));
    json_out_text(out, "kafka_client", or_null(facts->kafka));
    json_out_end(out);
    json_out_time(out, "ended", facts->ended_ms);
}

static void append_text(struct buf *out, const char *title, const char *text)
{
    if (!or_null(text))
        return;
    buf_append_format(out, "<dt>%s</dt><dd>", title);
    html_append_outside(out, bytes_text(text), TEXT_MAX);
    buf_append_text(out, "</dd>\n");
}

static void append_time(struct buf *out, const char *title, int64_t unix_ms)
{
    if (unix_ms < 0)
        return;
    buf_append_format(out, "<dt>%s</dt><dd>", title);
    html_append_time(out, unix_ms);
    buf_append_text(out, "</dd>\n");
}

void report_facts_append_html(const struct report_facts *facts, struct buf *out)
{
    append_text(out, "run", facts->run);
    append_text(out, "by", facts->who);
    append_time(out, "began", facts->began_ms);
    append_time(out, "ended", facts->ended_ms);
    append_text(out, "store", facts->storage);
    append_text(out, "settings digest", facts->settings);
    append_text(out, "Drover", DROVER_VERSION);
    append_text(out, "PostgreSQL", facts->postgres);
    append_text(out, "Redis", facts->redis);
    append_text(out, "Kafka client", facts->kafka);
}
