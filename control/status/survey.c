#include "control/status/survey.h"

#include <stdlib.h>

#include "common/io/kafka/kafka_bus.h"
#include "common/io/kafka/kafka_topics.h"

/* Offsets that are read to find out whether any is a message: two markers a transaction. */
#define MARKERS_MAX 1000

static enum outcome open_kafka(struct survey *survey, struct error *err)
{
    survey->bus = kafka_bus_new(survey->settings, NULL);
    kafka_bus_answer_within(survey->bus, survey->timeout_ms);
    enum outcome outcome = bus_partition_count(survey->bus, survey->topics[TOPIC_SOURCE],
                                               survey->timeout_ms, &survey->partition_count, err);
    if (outcome == OUT_OK && survey->partition_count == 0)
        outcome = kafka_topics_no_migration(survey->settings, err);
    return outcome;
}

enum outcome survey_open(const struct settings *settings, int timeout_ms, unsigned rests,
                         struct survey *survey, struct error *err)
{
    *survey = (struct survey){.settings = settings, .timeout_ms = timeout_ms, .rests = rests};
    enum outcome outcome = OUT_OK;
    for (int kind = 0; kind < 3 && outcome == OUT_OK; kind++)
        outcome = topic_format(settings->prefix, settings->migration, (enum topic_kind)kind,
                               survey->topics[kind], err);
    if (outcome == OUT_OK)
        outcome = open_kafka(survey, err);
    if (outcome != OUT_OK) {
        survey_close(survey);
        return outcome;
    }
    size_t count = (size_t)survey->partition_count;
    survey->partitions = calloc(count, sizeof(survey->partitions[0]));
    survey->results_read = calloc(count, sizeof(survey->results_read[0]));
    survey->dead_read = calloc(count, sizeof(survey->dead_read[0]));
    if (!survey->partitions || !survey->results_read || !survey->dead_read)
        abort();
    return OUT_OK;
}

void survey_close(struct survey *survey)
{
    PQfinish(survey->connection);
    kafka_bus_free(survey->bus);
    free(survey->partitions);
    free(survey->results_read);
    free(survey->dead_read);
    free(survey->dead_ids);
    *survey = (struct survey){0};
}

enum outcome survey_look_at_ends(struct survey *survey, struct error *err)
{
    struct bus_range *ranges = NULL;
    size_t count = 0;
    const char *topic = survey->topics[TOPIC_SOURCE];
    enum outcome outcome = bus_ranges(survey->bus, topic, survey->timeout_ms, &ranges, &count, err);
    if (outcome == OUT_OK && count < (size_t)survey->partition_count) {
        outcome = error_set(err, OUT_FATAL, ERR_KAFKA_TOPIC, "the topic is gone");
        error_where(err, "%s", topic);
    }
    for (int32_t i = 0; i < survey->partition_count && outcome == OUT_OK; i++) {
        survey->partitions[i].low = ranges[i].from;
        survey->partitions[i].high = ranges[i].to;
    }
    free(ranges);
    return outcome;
}

static void sum_up(struct survey *survey)
{
    survey->total = survey->committed = survey->lag = 0;
    for (int32_t i = 0; i < survey->partition_count; i++) {
        struct survey_partition *partition = &survey->partitions[i];
        int64_t next = partition->next_offset;
        next = next < partition->low ? partition->low : next;
        next = next > partition->high ? partition->high : next;
        partition->lag = partition->high - next;
        survey->total += (uint64_t)(partition->high - partition->low);
        survey->committed += (uint64_t)(next - partition->low);
        survey->lag += (uint64_t)partition->lag;
    }
}

/* ---- offsets that are no messages -------------------------------------------------------- */

/* Whether there is a message between what is committed and the end. */
static enum outcome ask_for_messages(struct survey *survey, int32_t at, struct error *err)
{
    struct survey_partition *partition = &survey->partitions[at];
    const struct bus_range range = {at, partition->high - partition->lag, partition->high};
    struct bus_reader *reader = NULL;
    const struct bus_message *message = NULL;
    enum outcome outcome = bus_open_reader(survey->bus, survey->topics[TOPIC_SOURCE], &range, 1,
                                           survey->timeout_ms, &reader, err);
    if (outcome == OUT_OK)
        outcome = bus_reader_next(reader, survey->timeout_ms, &message, err);
    partition->nothing_left = outcome == OUT_OK && !message;
    bus_reader_close(reader);
    return outcome;
}

/* A partition whose last offsets are markers of transactions never gets to its end, as nobody
 * commits a marker. Asked once for each place where it rests, when few offsets are left. */
static enum outcome leave_out_markers(struct survey *survey, struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (int32_t i = 0; i < survey->partition_count && outcome == OUT_OK; i++) {
        struct survey_partition *partition = &survey->partitions[i];
        bool moved = partition->seen_next != partition->next_offset ||
                     partition->seen_high != partition->high;
        partition->seen_next = partition->next_offset;
        partition->seen_high = partition->high;
        partition->rested = moved ? 0 : partition->rested + 1;
        partition->nothing_left = partition->nothing_left && !moved;
        if (partition->rested == survey->rests && partition->lag > 0 &&
            partition->lag <= MARKERS_MAX)
            outcome = ask_for_messages(survey, i, err);
        if (!partition->nothing_left)
            continue;
        survey->lag -= (uint64_t)partition->lag;
        survey->committed += (uint64_t)partition->lag;
        partition->lag = 0;
    }
    return outcome;
}

enum outcome survey_look(struct survey *survey, struct error *err)
{
    /* Progress first: ends read later are never behind it. */
    enum outcome outcome = survey_read_progress(survey, err);
    if (outcome == OUT_OK)
        outcome = survey_look_at_ends(survey, err);
    if (outcome == OUT_OK)
        sum_up(survey);
    return outcome == OUT_OK ? leave_out_markers(survey, err) : outcome;
}
