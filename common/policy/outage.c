#include "common/policy/outage.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/text.h"
#include "common/base/text_width.h"

enum { CAUSE_MIN = 12 }; /* columns: a cause cut to less says nothing */

static const struct {
    const char *title, *word;
    const char *away, *back; /* names of events */
    char letter;             /* of its error codes */
} SERVICES[OUTAGE_SERVICES] = {
    [OUTAGE_KAFKA] = {"Kafka", "kafka", "kafka.away", "kafka.back", 'K'},
    [OUTAGE_POSTGRES] = {"PostgreSQL", "postgres", "postgres.away", "postgres.back", 'P'},
    [OUTAGE_REDIS] = {"Redis", "redis", "redis.away", "redis.back", 'R'},
};

enum outage_service outage_service_of(enum error_code code)
{
    const char *id = error_code_id(code);
    int at = 0;
    while (at < OUTAGE_SERVICES && (strncmp(id, "DRV-", 4) != 0 || id[4] != SERVICES[at].letter))
        at++;
    return (enum outage_service)at;
}

const char *outage_title(enum outage_service service)
{
    return SERVICES[service].title;
}

const char *outage_word(enum outage_service service)
{
    return SERVICES[service].word;
}

const char *outage_event(enum outage_service service, enum outage_change change)
{
    return change == OUTAGE_BEGAN ? SERVICES[service].away : SERVICES[service].back;
}

enum outage_service outage_find(const char *word)
{
    int at = 0;
    while (at < OUTAGE_SERVICES && strcmp(SERVICES[at].word, word) != 0)
        at++;
    return (enum outage_service)at;
}

enum outage_change outage_see(struct outages *outages, enum outage_service service, bool is_away,
                              const char *code, const char *cause, uint64_t now_ms)
{
    struct outage *outage = &outages->of[service];
    bool was_away = outage->is_on;
    outage->is_on = is_away;
    if (is_away && !was_away)
        *outage = (struct outage){.is_on = true, .since_ms = now_ms};
    if (is_away && code[0])
        snprintf(outage->code, sizeof(outage->code), "%s", code);
    if (is_away && cause[0])
        snprintf(outage->cause, sizeof(outage->cause), "%s", cause);
    if (is_away == was_away)
        return OUTAGE_SAME;
    return is_away ? OUTAGE_BEGAN : OUTAGE_ENDED;
}

/* ---- the cause in a few words */

/* What lies between two marks; empty when one of them is missing. */
static struct bytes between(const char *text, const char *before, const char *after)
{
    const char *start = strstr(text, before);
    if (!start)
        return (struct bytes){0};
    start += strlen(before);
    size_t size = strcspn(start, after);
    return start[size] ? bytes_of(start, size) : (struct bytes){0};
}

/* libpq: connection to server at "H", port N failed: REASON
 * librdkafka: …: Connect to ipv4#H:N failed: REASON (after …) */
static void append_place(struct buf *out, const char *text)
{
    struct bytes host = between(text, "server at \"", "\"");
    struct bytes port = between(text, "port ", " ");
    struct bytes both = between(text, "Connect to ", " ");
    const char *hash = both.size ? memchr(both.data, '#', both.size) : NULL;
    if (hash)
        both = bytes_of(hash + 1, both.size - (size_t)(hash + 1 - both.data));
    if (host.size && port.size)
        buf_append_format(out, " %.*s:%.*s", BYTES_ARGS(host), BYTES_ARGS(port));
    else if (both.size)
        buf_append_format(out, " %.*s", BYTES_ARGS(both));
}

void outage_append_cause(struct buf *out, const struct error *err)
{
    static const char FAILED[] = " failed: ";
    static const char *const ENDS[] = {" (after ", "Is the server running"}; /* no reasons */
    struct buf words;
    const char *text = err->cause[0] ? err->cause : err->text;
    const char *reason = strstr(text, FAILED);
    const char *start = reason ? reason + sizeof(FAILED) - 1 : text;
    size_t size = strcspn(start, "\n");
    for (size_t i = 0; i < sizeof(ENDS) / sizeof(ENDS[0]); i++) {
        const char *end = strstr(start, ENDS[i]);
        if (end && (size_t)(end - start) < size)
            size = (size_t)(end - start);
    }
    while (size && start[size - 1] == ' ')
        size--;
    buf_init(&words, 1024);
    bool is_word = size > 1 && islower((unsigned char)start[1]);
    if (size)
        buf_append_char(&words, is_word ? (char)tolower((unsigned char)start[0]) : start[0]);
    if (size > 1)
        buf_append(&words, start + 1, size - 1);
    if (reason)
        append_place(&words, text);
    text_append_safe(out, buf_view(&words), OUTAGE_CAUSE_SIZE - 40);
    buf_free(&words);
}

void outage_append_time(struct buf *out, uint64_t span_ms)
{
    uint64_t seconds = span_ms / 1000;
    if (seconds >= 3600)
        buf_append_format(out, "%" PRIu64 ":%02" PRIu64 ":%02" PRIu64, seconds / 3600,
                          seconds / 60 % 60, seconds % 60);
    else
        buf_append_format(out, "%" PRIu64 ":%02" PRIu64, seconds / 60, seconds % 60);
}

void outage_append_line(struct buf *out, const struct outages *outages, enum outage_service service,
                        uint64_t now_ms, const char *indent, int width)
{
    static const char CALM[] = "; nothing is lost";
    const struct outage *outage = &outages->of[service];
    struct buf part;
    buf_init(&part, 1024);
    buf_append_format(&part, "%s%s away ", indent, outage_title(service));
    outage_append_time(&part, now_ms - outage->since_ms);
    text_append_fit(out, buf_view(&part), width);
    int room = width - text_width(buf_view(out)) - (int)strlen(CALM) - 2;
    if (outage->cause[0] && room >= CAUSE_MIN) {
        buf_append_text(out, ", ");
        text_append_fit(out, bytes_text(outage->cause), room);
    }
    if (text_width(buf_view(out)) + (int)strlen(CALM) <= width)
        buf_append_text(out, CALM);
    buf_free(&part);
}

void outage_append_json(struct json_out *out, const struct outages *outages, uint64_t now_ms)
{
    json_out_list(out, "away");
    for (int service = 0; service < OUTAGE_SERVICES; service++) {
        const struct outage *outage = &outages->of[service];
        if (!outage->is_on)
            continue;
        json_out_object(out, NULL);
        json_out_text(out, "service", outage_word((enum outage_service)service));
        json_out_text(out, "code", outage->code[0] ? outage->code : NULL);
        json_out_text(out, "cause", outage->cause[0] ? outage->cause : NULL);
        json_out_seconds(out, "away_seconds", now_ms - outage->since_ms);
        json_out_end(out);
    }
    json_out_end(out);
}
