/* See the header. */
#include "verifier/follow/standing.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/model/message/state_entry.h"
#include "common/model/message/topic.h"

#define BROKER_MS 10000
#define CLOSE_MS 1000

struct standing {
    struct bus_sender *sender; /* NULL: there is nobody to tell */
    const char *id;
    char topic[TOPIC_NAME_SIZE];
    char host[64];
    struct buf key, value;
    int64_t started_ms;
    uint64_t due_ms;
};

/* A message that was not stored is not missed: another one follows. */
static void on_delivered(void *owner, void *item, enum outcome outcome, int32_t partition,
                         int64_t offset, const struct error *err)
{
    (void)owner, (void)item, (void)outcome, (void)partition, (void)offset, (void)err;
}

struct standing *standing_open(const struct settings *settings, struct bus *bus, const char *id)
{
    struct error err;
    struct standing *standing = mem_zeroed(1, sizeof *standing);
    standing->id = id;
    standing->started_ms = clock_unix_ms();
    buf_init(&standing->key, 1024);
    buf_init(&standing->value, STATE_ENTRY_BYTES_MAX);
    state_entry_append_key(&standing->key, STATE_VERIFY, bytes_text(id));
    if (gethostname(standing->host, sizeof standing->host - 1) != 0)
        standing->host[0] = '\0';
    enum outcome outcome =
        topic_format(settings->prefix, settings->migration, TOPIC_STATE, standing->topic, &err);
    if (outcome == OUT_OK)
        outcome = bus_open_sender(bus, standing->topic, 0, BROKER_MS, on_delivered, standing,
                                  &standing->sender, &err);
    if (outcome == OUT_OK)
        return standing;
    standing->sender = NULL;
    log_line(LOG_WARN, "follow.not_told", "topic=%s code=%s try=\"drover topics apply\"",
             standing->topic, error_code_id(err.code));
    return standing;
}

bool standing_is_due(const struct standing *standing)
{
    return standing->sender && clock_monotonic_ms() >= standing->due_ms;
}

static void append_rate(struct json_out *out, const struct follow_numbers *numbers)
{
    struct follow_window window;
    rolling_window(numbers->rolling, FOLLOW_TOTAL, &window);
    uint64_t compared = follow_report_compared(window.counts);
    if (compared == 0) {
        json_out_null(out, "discrepancy_rate");
        json_out_null(out, "discrepancy_upper");
        return;
    }
    json_out_real(out, "discrepancy_rate",
                  (double)follow_report_wrong(window.counts) / (double)compared, 9);
    json_out_real(out, "discrepancy_upper", window.upper, 9);
}

static void encode(struct standing *standing, const struct follow_numbers *numbers, bool ended)
{
    struct json_out out;
    buf_reset(&standing->value);
    json_out_init(&out, &standing->value);
    state_entry_begin(&out, STATE_VERIFY, bytes_text(standing->id), standing->host,
                      clock_unix_ms());
    json_out_time(&out, "started", standing->started_ms);
    append_rate(&out, numbers);
    json_out_count(&out, "behind_messages", numbers->backlog);
    json_out_seconds(&out, "behind_seconds", numbers->behind_ms);
    follow_view_append_json(&out, numbers);
    json_out_bool(&out, "ended", ended);
    json_out_end(&out);
}

void standing_tell(struct standing *standing, const struct follow_numbers *numbers, bool ended)
{
    static const struct header TYPE = {BYTES_LITERAL(HEADER_CONTENT_TYPE),
                                       BYTES_LITERAL("application/json")};
    struct error ignored;
    standing->due_ms = clock_monotonic_ms() + STATE_ENTRY_EVERY_MS;
    if (!standing->sender)
        return;
    bus_sender_poll(standing->sender, 0);
    encode(standing, numbers, ended);
    const struct message_view message = {.key = buf_view(&standing->key),
                                         .value = buf_view(&standing->value),
                                         .headers = &TYPE,
                                         .header_count = 1};
    (void)!bus_sender_send_message(standing->sender, 0, &message, NULL, &ignored);
}

void standing_close(struct standing *standing)
{
    if (!standing)
        return;
    if (standing->sender)
        (void)!bus_sender_flush(standing->sender, CLOSE_MS);
    bus_sender_close(standing->sender);
    buf_free(&standing->key);
    buf_free(&standing->value);
    free(standing);
}
