#include "control/status/status.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/kafka/kafka_bus.h"
#include "common/io/kafka/kafka_topics.h"

/* Offsets that are read to find out whether any is a message: two markers a transaction. */
#define MARKERS_MAX 1000
#define READINGS_BYTES (32u << 20) /* about a hundred thousand sources */

static enum outcome open_kafka(struct status *status, struct error *err)
{
    status->bus = kafka_bus_new(status->settings, NULL);
    kafka_bus_answer_within(status->bus, status->timeout_ms);
    enum outcome outcome = bus_partition_count(status->bus, status->topics[TOPIC_SOURCE],
                                               status->timeout_ms, &status->partition_count, err);
    if (outcome == OUT_OK && status->partition_count == 0)
        outcome = kafka_topics_no_migration(status->settings, err);
    return outcome;
}

static void take_checkpoint(struct store_status *store, int32_t number,
                            const struct checkpoint_row *row, const char *holder)
{
    struct status *status = (struct status *)((char *)store - offsetof(struct status, store));
    struct status_partition *partition = &status->partitions[number];
    partition->next_offset = row->next_offset;
    partition->redis_next = row->redis_next;
    partition->results_next = row->results_next;
    partition->epoch = row->epoch;
    snprintf(partition->owner, sizeof(partition->owner), "%s", holder);
}

enum outcome status_open(const struct settings *settings, int timeout_ms, unsigned rests,
                         struct status *status, struct error *err)
{
    *status = (struct status){.settings = settings, .timeout_ms = timeout_ms, .rests = rests};
    enum outcome outcome =
        topic_format_all(settings->prefix, settings->migration, status->topics, err);
    if (outcome == OUT_OK)
        outcome = open_kafka(status, err);
    if (outcome != OUT_OK) {
        status_close(status);
        return outcome;
    }
    size_t count = (size_t)status->partition_count;
    status->partitions = mem_zeroed(count, sizeof(status->partitions[0]));
    status->results_read = mem_zeroed(count, sizeof(status->results_read[0]));
    status->halts = mem_zeroed(count, sizeof(status->halts[0]));
    status->oldest_ms = -1;
    readings_init(&status->readings, READINGS_BYTES);
    status->store = (struct store_status){.settings = settings,
                                          .topic = status->topics[TOPIC_SOURCE],
                                          .partitions = status->partition_count,
                                          .timeout_ms = timeout_ms,
                                          .tell = take_checkpoint};
    return OUT_OK;
}

void status_close(struct status *status)
{
    if (status->store.session)
        store_of(status->settings)->end_status(&status->store);
    status_dead_letters_free(&status->dead);
    status_followers_free(&status->followers);
    kafka_bus_free(status->bus);
    free(status->partitions);
    free(status->results_read);
    free(status->halts);
    readings_free(&status->readings);
    *status = (struct status){0};
}

enum outcome status_read_followers(struct status *status, struct error *err)
{
    return status_followers_read(&status->followers, status->bus, status->topics[TOPIC_STATE],
                                 status->timeout_ms, err);
}

enum outcome status_read_ends(struct status *status, struct error *err)
{
    struct bus_range *ranges = NULL;
    enum outcome outcome =
        bus_ranges_known(status->bus, status->topics[TOPIC_SOURCE], (size_t)status->partition_count,
                         status->timeout_ms, &ranges, err);
    for (int32_t i = 0; i < status->partition_count && outcome == OUT_OK; i++) {
        status->partitions[i].low = ranges[i].from;
        status->partitions[i].high = ranges[i].to;
    }
    free(ranges);
    return outcome;
}

static void sum_up(struct status *status)
{
    status->total = status->committed = status->lag = 0;
    for (int32_t i = 0; i < status->partition_count; i++) {
        struct status_partition *partition = &status->partitions[i];
        int64_t next = partition->next_offset;
        next = next < partition->low ? partition->low : next;
        next = next > partition->high ? partition->high : next;
        partition->lag = partition->high - next;
        status->total += (uint64_t)(partition->high - partition->low);
        status->committed += (uint64_t)(next - partition->low);
        status->lag += (uint64_t)partition->lag;
    }
}

/* ---- offsets that are no messages -------------------------------------------------------- */

/* Whether there is a message between what is committed and the end. */
static enum outcome ask_for_messages(struct status *status, int32_t at, struct error *err)
{
    struct status_partition *partition = &status->partitions[at];
    const struct bus_range range = {at, partition->high - partition->lag, partition->high};
    struct bus_reader *reader = NULL;
    const struct bus_message *message = NULL;
    enum outcome outcome = bus_open_reader(status->bus, status->topics[TOPIC_SOURCE], &range, 1,
                                           status->timeout_ms, &reader, err);
    if (outcome == OUT_OK)
        outcome = bus_reader_next(reader, status->timeout_ms, &message, err);
    partition->nothing_left = outcome == OUT_OK && !message;
    bus_reader_close(reader);
    return outcome;
}

/* A partition whose last offsets are markers of transactions never gets to its end, as nobody
 * commits a marker. Asked once for each place where it rests, when few offsets are left. */
static enum outcome leave_out_markers(struct status *status, struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (int32_t i = 0; i < status->partition_count && outcome == OUT_OK; i++) {
        struct status_partition *partition = &status->partitions[i];
        bool moved = partition->seen_next != partition->next_offset ||
                     partition->seen_high != partition->high;
        partition->seen_next = partition->next_offset;
        partition->seen_high = partition->high;
        partition->rested = moved ? 0 : partition->rested + 1;
        partition->nothing_left = partition->nothing_left && !moved;
        if (partition->rested == status->rests && partition->lag > 0 &&
            partition->lag <= MARKERS_MAX)
            outcome = ask_for_messages(status, i, err);
        if (!partition->nothing_left)
            continue;
        status->lag -= (uint64_t)partition->lag;
        status->committed += (uint64_t)partition->lag;
        partition->lag = 0;
    }
    return outcome;
}

enum outcome status_read(struct status *status, struct error *err)
{
    /* Checkpoint first: ends read later are never behind it. */
    const struct store *store = store_of(status->settings);
    if (!store->read_status)
        return error_set(err, OUT_FATAL, ERR_USAGE,
                         "storage memory ends with the run that filled it");
    enum outcome outcome = store->read_status(&status->store, err);
    if (outcome == OUT_OK)
        outcome = status_read_ends(status, err);
    if (outcome == OUT_OK)
        sum_up(status);
    return outcome == OUT_OK ? leave_out_markers(status, err) : outcome;
}
