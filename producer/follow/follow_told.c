#include "producer/follow/follow_told.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/model/message/state_entry.h"
#include "producer/follow/follow_files.h"

#define BROKER_MS 10000
#define CLOSE_MS 2000

struct follow_told {
    struct producer *producer;
    struct bus_sender *sender; /* NULL: there is nobody to tell */
    char topic[TOPIC_NAME_SIZE];
    char host[64];
    struct buf key, value;
    struct bytes id; /* in key */
    int64_t started_ms;
    uint64_t due_ms;
};

/* A message that was not stored is not missed: another one follows. */
static void on_delivered(void *owner, void *item, enum outcome outcome, int32_t partition,
                         int64_t offset, const struct error *err)
{
    (void)owner, (void)item, (void)outcome, (void)partition, (void)offset, (void)err;
}

/* The same after a restart; of two followers on one host each has its own. */
static void make_key(struct follow_told *told)
{
    char *folder = follow_files_absolute(told->producer->settings->state_dir);
    struct buf id;
    buf_init(&id, STATE_ENTRY_ID_MAX);
    buf_append_format(&id, "%s-%08x", told->host, (unsigned)hash64(bytes_text(folder)));
    state_entry_append_key(&told->key, STATE_FOLLOW, buf_view(&id));
    told->id = bytes_of(told->key.data + told->key.size - id.size, id.size);
    buf_free(&id);
    free(folder);
}

static void open_sender(struct follow_told *told)
{
    struct error err;
    const struct settings *settings = told->producer->settings;
    enum outcome outcome =
        topic_format(settings->prefix, settings->migration, TOPIC_STATE, told->topic, &err);
    if (outcome == OUT_OK)
        outcome = bus_open_sender(told->producer->bus, told->topic, 0, BROKER_MS, on_delivered,
                                  told, &told->sender, &err);
    if (outcome == OUT_OK)
        return;
    told->sender = NULL;
    log_line(LOG_WARN, "follow.not_told", "topic=%s code=%s try=\"drover topics apply\"",
             told->topic, error_code_id(err.code));
}

struct follow_told *follow_told_open(struct producer *producer)
{
    struct follow_told *told = mem_zeroed(1, sizeof *told);
    told->producer = producer;
    told->started_ms = clock_unix_ms();
    buf_init(&told->key, 1024);
    buf_init(&told->value, STATE_ENTRY_BYTES_MAX);
    if (gethostname(told->host, sizeof told->host - 1) != 0)
        told->host[0] = '\0';
    make_key(told);
    open_sender(told);
    return told;
}

bool follow_told_is_due(const struct follow_told *told)
{
    return told->sender && clock_monotonic_ms() >= told->due_ms;
}

static void encode(struct follow_told *told, const struct follow_standing *standing)
{
    struct json_out out;
    buf_reset(&told->value);
    json_out_init(&out, &told->value);
    state_entry_begin(&out, STATE_FOLLOW, told->id, told->host, clock_unix_ms());
    json_out_verbatim(&out, "run", bytes_text(told->producer->run));
    json_out_time(&out, "started", told->started_ms);
    json_out_count(&out, "files", standing->files);
    json_out_count(&out, "records", standing->records);
    json_out_count(&out, "upserts", standing->upserts);
    json_out_count(&out, "deletes", standing->deletes);
    json_out_count(&out, "unread", standing->unread);
    json_out_count(&out, "problems", standing->problems);
    json_out_seconds(&out, "behind_seconds", standing->behind_ms);
    json_out_time(&out, "last_change", standing->last_change_ms);
    json_out_bool(&out, "ended", standing->ended);
    json_out_end(&out);
}

void follow_told_say(struct follow_told *told, const struct follow_standing *standing)
{
    static const struct header TYPE = {BYTES_LITERAL(HEADER_CONTENT_TYPE),
                                       BYTES_LITERAL("application/json")};
    struct error ignored;
    told->due_ms = clock_monotonic_ms() + STATE_ENTRY_EVERY_MS;
    if (!told->sender)
        return;
    bus_sender_poll(told->sender, 0);
    encode(told, standing);
    const struct message_view message = {.key = buf_view(&told->key),
                                         .value = buf_view(&told->value),
                                         .headers = &TYPE,
                                         .header_count = 1};
    (void)!bus_sender_send_message(told->sender, 0, &message, NULL, &ignored);
}

void follow_told_close(struct follow_told *told)
{
    if (!told)
        return;
    if (told->sender)
        (void)!bus_sender_flush(told->sender, CLOSE_MS);
    bus_sender_close(told->sender);
    buf_free(&told->key);
    buf_free(&told->value);
    free(told);
}
