#include "common/io/state_teller.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/model/message/topic.h"

#define BROKER_MS 10000
#define CLOSE_MS 2000

struct state_teller {
    struct bus_sender *sender; /* NULL: there is nobody to tell */
    enum state_kind kind;
    char id[STATE_ENTRY_ID_MAX + 1];
    char topic[TOPIC_NAME_SIZE];
    char host[64];
    struct buf key, value;
    struct json_out out;
    int64_t started_ms;
    uint64_t due_ms;
};

/* One that did not arrive is made good by the next. */
static void on_delivered(void *owner, void *item, enum outcome outcome, int32_t partition,
                         int64_t offset, const struct error *err)
{
    (void)owner, (void)item, (void)outcome, (void)partition, (void)offset, (void)err;
}

void state_teller_host(char *host, size_t size)
{
    host[size - 1] = '\0';
    if (gethostname(host, size - 1) != 0)
        host[0] = '\0';
}

struct state_teller *state_teller_open(const struct settings *settings, struct bus *bus,
                                       enum state_kind kind, const char *id)
{
    struct error err;
    struct state_teller *teller = mem_zeroed(1, sizeof *teller);
    teller->kind = kind;
    snprintf(teller->id, sizeof teller->id, "%s", id);
    teller->started_ms = clock_unix_ms();
    state_teller_host(teller->host, sizeof teller->host);
    buf_init(&teller->key, 1024);
    buf_init(&teller->value, STATE_ENTRY_BYTES_MAX);
    state_entry_append_key(&teller->key, kind, bytes_text(teller->id));
    enum outcome outcome =
        topic_format(settings->prefix, settings->migration, TOPIC_STATE, teller->topic, &err);
    if (outcome == OUT_OK)
        outcome = bus_open_sender(bus, teller->topic, 0, BROKER_MS, on_delivered, teller,
                                  &teller->sender, &err);
    if (outcome == OUT_OK)
        return teller;
    teller->sender = NULL;
    log_line(LOG_WARN, "follow.not_told", "topic=%s code=%s try=\"drover topics apply\"",
             teller->topic, error_code_id(err.code));
    return teller;
}

bool state_teller_is_due(const struct state_teller *teller)
{
    return teller->sender && clock_monotonic_ms() >= teller->due_ms;
}

struct json_out *state_teller_begin(struct state_teller *teller)
{
    buf_reset(&teller->value);
    json_out_init(&teller->out, &teller->value);
    state_entry_begin(&teller->out, teller->kind, bytes_text(teller->id), teller->host,
                      clock_unix_ms());
    json_out_time(&teller->out, "started", teller->started_ms);
    return &teller->out;
}

void state_teller_send(struct state_teller *teller)
{
    static const struct header TYPE = {BYTES_LITERAL(HEADER_CONTENT_TYPE),
                                       BYTES_LITERAL("application/json")};
    struct error ignored;
    json_out_end(&teller->out);
    teller->due_ms = clock_monotonic_ms() + STATE_ENTRY_EVERY_MS;
    if (!teller->sender)
        return;
    bus_sender_poll(teller->sender, 0);
    const struct message_view message = {.key = buf_view(&teller->key),
                                         .value = buf_view(&teller->value),
                                         .headers = &TYPE,
                                         .header_count = 1};
    (void)!bus_sender_send_message(teller->sender, 0, &message, NULL, &ignored);
}

void state_teller_close(struct state_teller *teller)
{
    if (!teller)
        return;
    if (teller->sender)
        (void)!bus_sender_flush(teller->sender, CLOSE_MS);
    bus_sender_close(teller->sender);
    buf_free(&teller->key);
    buf_free(&teller->value);
    free(teller);
}
