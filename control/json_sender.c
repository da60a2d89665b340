#include "control/json_sender.h"

#include <stdlib.h>

#include "common/base/mem.h"

enum { FULL_WAIT_MS = 100 };

struct json_sender {
    struct bus_sender *sender;
    const char *topic;
    struct error failure; /* of the first that could not be stored */
};

static void on_delivered(void *owner, void *item, enum outcome outcome, int32_t partition,
                         int64_t offset, const struct error *err)
{
    struct json_sender *sender = owner;
    (void)item;
    (void)partition;
    (void)offset;
    if (outcome != OUT_OK && sender->failure.outcome == OUT_OK)
        sender->failure = *err;
}

enum outcome json_sender_open(struct bus *bus, const char *topic, int timeout_ms,
                              struct json_sender **sender, struct error *err)
{
    struct json_sender *opened = mem_zeroed(1, sizeof *opened);
    opened->topic = topic;
    *sender = opened;
    enum outcome outcome =
        bus_open_sender(bus, topic, 0, timeout_ms, on_delivered, opened, &opened->sender, err);
    if (outcome == OUT_OK)
        return OUT_OK;
    json_sender_close(opened);
    *sender = NULL;
    return outcome;
}

static enum outcome tell_failure(const struct json_sender *sender, struct error *err)
{
    if (sender->failure.outcome != OUT_OK)
        *err = sender->failure;
    return sender->failure.outcome;
}

enum outcome json_sender_send(struct json_sender *sender, struct bytes key, struct bytes value,
                              struct error *err)
{
    static const struct header TYPE = {BYTES_LITERAL(HEADER_CONTENT_TYPE),
                                       BYTES_LITERAL("application/json")};
    const struct message_view message = {
        .key = key, .value = value, .headers = &TYPE, .header_count = 1};
    enum outcome outcome;
    while ((outcome = bus_sender_send_message(sender->sender, 0, &message, NULL, err)) ==
               OUT_RETRY &&
           sender->failure.outcome == OUT_OK)
        bus_sender_poll(sender->sender, FULL_WAIT_MS);
    return sender->failure.outcome == OUT_OK ? outcome : tell_failure(sender, err);
}

enum outcome json_sender_flush(struct json_sender *sender, int wait_ms, const char *late,
                               struct error *err)
{
    if (bus_sender_flush(sender->sender, wait_ms))
        return tell_failure(sender, err);
    error_set(err, OUT_RETRY, ERR_KAFKA_UNREACHABLE, "%s", late);
    error_where(err, "%s", sender->topic);
    return OUT_RETRY;
}

void json_sender_close(struct json_sender *sender)
{
    if (!sender)
        return;
    bus_sender_close(sender->sender);
    free(sender);
}
