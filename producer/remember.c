/* Before the first byte is read: the manifest, who else reads the sources, and whether the topic
 * still holds what it has acknowledged. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/source/source_identity.h"
#include "common/model/message/envelope.h"
#include "producer/producer.h"

#define ASK_MS 10000
#define LOOKED_AT_MAX 64 /* partitions whose last message is read */

/* ---- the topic ---- */

static void note(struct producer *producer, const char *path, const char *text)
{
    struct origin place = {.uri = bytes_text(path)};
    struct error err;
    error_set(&err, OUT_OK, ERR_NONE, "%s", text);
    rejects_note(&producer->rejects, NOTE_SOURCE, &place, &err);
}

/* The last acknowledged message of each partition, as ranges to be read; false when the topic does
 * not reach so far in one, or begins behind it: all that was sent there is gone. */
static bool reaches(const struct manifest_last *last, struct bus_range *ranges, size_t count,
                    size_t *wanted)
{
    *wanted = 0;
    for (size_t i = 0; i < count; i++) {
        struct bus_range range = ranges[i];
        int64_t offset = last[range.partition].tip.offset;
        if (offset < 0)
            continue;
        if (offset >= range.to || offset < range.from)
            return false;
        if (*wanted < LOOKED_AT_MAX)
            ranges[(*wanted)++] = (struct bus_range){range.partition, offset, offset + 1};
    }
    return true;
}

static bool is_message_of(const struct bus_message *message, const struct manifest_last *last)
{
    struct bytes run = {0};
    int64_t sequence = envelope_sequence(&message->envelope, &run);
    return sequence == last->tip.sequence && bytes_equal(run, bytes_text(last->run));
}

/* A topic that was made anew, or another one, has other messages there. */
static enum outcome look_at(struct producer *producer, const char *topic,
                            const struct manifest_last *last, const struct bus_range *ranges,
                            size_t count, struct error *err)
{
    struct bus_reader *reader = NULL;
    const struct bus_message *message;
    enum outcome outcome =
        bus_open_reader(producer->bus, topic, ranges, count, ASK_MS, &reader, err);
    while (outcome == OUT_OK) {
        outcome = bus_reader_next(reader, ASK_MS, &message, err);
        if (outcome != OUT_OK || !message)
            break;
        if (!is_message_of(message, &last[message->partition]))
            producer->lost = true;
    }
    bus_reader_close(reader);
    return outcome;
}

static enum outcome compare(struct producer *producer, const char *topic,
                            const struct manifest_last *last, int32_t partitions, struct error *err)
{
    struct bus_range *ranges;
    size_t wanted;
    enum outcome outcome =
        bus_ranges_known(producer->bus, topic, (size_t)partitions, ASK_MS, &ranges, err);
    if (outcome != OUT_OK)
        return outcome;
    producer->lost = !reaches(last, ranges, (size_t)partitions, &wanted);
    if (!producer->lost && wanted)
        outcome = look_at(producer, topic, last, ranges, wanted, err);
    free(ranges);
    return outcome;
}

/* What is gone is sent again, all of it: what is kept of it would hide it. */
static enum outcome begin_anew(struct producer *producer, const char *topic, struct error *err)
{
    note(producer, topic,
         "the topic does not hold what it acknowledged (deleted, made anew, emptied, or another "
         "Kafka): all sources are sent anew");
    enum outcome outcome = manifest_begin(producer->manifest, err);
    if (outcome == OUT_OK)
        outcome = manifest_forget(producer->manifest, err);
    return outcome == OUT_OK ? manifest_commit(producer->manifest, err) : outcome;
}

static enum outcome check_topic(struct producer *producer, const char *topic, struct error *err)
{
    int32_t partitions = bus_sender_partitions(producer->sender);
    struct manifest_last *last = mem_zeroed((size_t)partitions, sizeof(*last));
    enum outcome outcome = manifest_find_last(producer->manifest, last, partitions, err);
    bool any = false;
    for (int32_t i = 0; i < partitions && outcome == OUT_OK; i++)
        any = any || last[i].tip.offset >= 0;
    if (any)
        outcome = compare(producer, topic, last, partitions, err);
    free(last);
    return outcome == OUT_OK && producer->lost ? begin_anew(producer, topic, err) : outcome;
}

/* ---- the sources ---- */

static enum outcome take_sources(struct producer *producer, struct error *err)
{
    struct scan_identity identity;
    for (size_t i = 0; i < producer->files.count; i++) {
        const struct source_file *file = &producer->files.items[i];
        if (file->problem || strcmp(file->path, "-") == 0 ||
            !source_identity_read(file->path, &identity))
            continue;
        if (manifest_take(producer->manifest, file->path, &identity, err) != OUT_OK)
            return OUT_FATAL;
    }
    return manifest_say_taken(producer->manifest, err);
}

static bool has_file(const struct producer *producer)
{
    for (size_t i = 0; i < producer->files.count; i++)
        if (strcmp(producer->files.items[i].path, "-") != 0)
            return true;
    return false;
}

enum outcome producer_remember(struct producer *producer, struct error *err)
{
    const struct settings *settings = producer->settings;
    char topic[TOPIC_NAME_SIZE], text[200], count[28];
    if (!has_file(producer))
        return OUT_OK;
    enum outcome outcome =
        topic_format(settings->prefix, settings->migration, TOPIC_SOURCE, topic, err);
    if (outcome == OUT_OK)
        outcome = manifest_open(settings->state_dir, topic, &producer->manifest, err);
    if (outcome == OUT_OK && manifest_lost(producer->manifest)) {
        snprintf(text, sizeof(text),
                 "the manifest lost its last %s writes (cut, restored, or the machine went down): "
                 "what was sent since is sent again",
                 text_format_count(manifest_lost(producer->manifest), count));
        note(producer, manifest_path(producer->manifest), text);
    }
    if (outcome == OUT_OK)
        outcome = take_sources(producer, err);
    return outcome == OUT_OK ? check_topic(producer, topic, err) : outcome;
}
