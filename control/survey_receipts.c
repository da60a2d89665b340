/* Receipts and dead letters, each message once: every look goes on where the last one ended. */
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/io/kafka_client.h"
#include "common/io/kafka_reader.h"
#include "control/survey.h"

typedef void (*on_message)(struct survey *survey, const struct kafka_read_message *message);

static void settle(struct survey *survey, const struct settled_item *item)
{
    if (item->partition < 0 || item->partition >= survey->partition_count)
        return;
    struct survey_partition *partition = &survey->partitions[item->partition];
    partition->settled++;
    partition->counts[item->the_class]++;
    survey->counts[item->the_class]++;
}

/* Receipts of different partitions come in any order, so who still waits is known at the end. */
static void count_waiting(struct survey *survey)
{
    survey->counts[CLASS_WAITING] = 0;
    for (int32_t i = 0; i < survey->partition_count; i++) {
        struct survey_partition *partition = &survey->partitions[i];
        uint64_t left =
            partition->parked > partition->settled ? partition->parked - partition->settled : 0;
        partition->counts[CLASS_WAITING] = left;
        survey->counts[CLASS_WAITING] += left;
    }
}

/* They come in order, in one partition; one that was sent again has the round of the first. */
static void take_settled(struct survey *survey, struct bytes json)
{
    struct settled_receipt receipt;
    if (receipt_parse_settled(json, &receipt, NULL) != OUT_OK)
        return;
    for (size_t i = 0; i < receipt.count && receipt.round > survey->settled_round; i++)
        settle(survey, &receipt.items[i]);
    if (receipt.round > survey->settled_round)
        survey->settled_round = receipt.round;
    receipt_free_settled(&receipt);
}

/* A batch may have two receipts, as it is sent again when its acknowledgement was lost. Those of
 * one partition come in order, so one that covers nothing new says nothing new. */
static void take_receipt(struct survey *survey, const struct kafka_read_message *message)
{
    struct receipt_summary summary;
    if (receipt_parse(message->envelope.value, &summary, NULL) != OUT_OK)
        return;
    if (summary.is_settled) {
        take_settled(survey, message->envelope.value);
        return;
    }
    survey->rejected += summary.is_produce ? summary.counts[CLASS_REJECTED] : 0;
    survey->withheld += summary.is_produce ? summary.counts[CLASS_WITHHELD] : 0;
    if (summary.is_produce || summary.partition < 0 || summary.partition >= survey->partition_count)
        return;
    struct survey_partition *partition = &survey->partitions[summary.partition];
    if (summary.next <= partition->receipts_to)
        return;
    partition->receipts_to = summary.next;
    partition->parked += summary.counts[CLASS_WAITING];
    summary.counts[CLASS_WAITING] = 0;
    for (int i = 0; i < CLASS_COUNT; i++) {
        partition->counts[i] += summary.counts[i];
        survey->counts[i] += summary.counts[i];
    }
}

/* Remembers the id; false when it is known. */
static bool add_id(struct survey *survey, struct bytes id)
{
    uint64_t hash = hash64(id);
    size_t low = 0, high = survey->dead_id_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (survey->dead_ids[middle] < hash)
            low = middle + 1;
        else
            high = middle;
    }
    if (low < survey->dead_id_count && survey->dead_ids[low] == hash)
        return false;
    if (survey->dead_id_count == survey->dead_id_room) {
        survey->dead_id_room = survey->dead_id_room ? survey->dead_id_room * 2 : 256;
        survey->dead_ids =
            realloc(survey->dead_ids, survey->dead_id_room * sizeof(survey->dead_ids[0]));
        if (!survey->dead_ids)
            abort();
    }
    memmove(&survey->dead_ids[low + 1], &survey->dead_ids[low],
            (survey->dead_id_count - low) * sizeof(survey->dead_ids[0]));
    survey->dead_ids[low] = hash;
    survey->dead_id_count++;
    return true;
}

static void count_code(struct survey *survey, struct bytes code)
{
    size_t most = sizeof(survey->codes) / sizeof(survey->codes[0]);
    enum error_code known;
    char text[16] = "";
    if (code.size < sizeof(text))
        memcpy(text, code.data, code.size);
    if (!error_code_find(text, &known)) /* a foreign letter: its header is not for our terminal */
        memcpy(text, "other", sizeof("other"));
    for (size_t i = 0; i < survey->code_count; i++) {
        if (strcmp(survey->codes[i].code, text) == 0) {
            survey->codes[i].count++;
            return;
        }
    }
    if (survey->code_count == most)
        return;
    memcpy(survey->codes[survey->code_count].code, text, sizeof(text));
    survey->codes[survey->code_count++].count = 1;
}

static void take_letter(struct survey *survey, const struct kafka_read_message *message)
{
    struct bytes code = {0}, id = {0};
    for (size_t i = 0; i < message->envelope.header_count; i++) {
        const struct header *header = &message->envelope.headers[i];
        if (bytes_equal(header->name, BYTES_LITERAL("drover-error-code")))
            code = header->value;
        else if (bytes_equal(header->name, BYTES_LITERAL("drover-dlq-id")))
            id = header->value;
    }
    if (id.size == 0 || add_id(survey, id))
        count_code(survey, code);
}

/* What came since the last look; `read` are the offsets it goes on from. */
static enum outcome find_new(struct survey *survey, const char *topic, const int64_t *read,
                             struct kafka_range *ranges, bool *any, struct error *err)
{
    *any = false;
    int32_t count = 0;
    enum outcome outcome =
        kafka_partition_count(survey->client, topic, survey->timeout_ms, &count, err);
    for (int32_t i = 0; i < survey->partition_count; i++) {
        ranges[i] = (struct kafka_range){.partition = i};
        if (outcome != OUT_OK || i >= count)
            continue;
        outcome = kafka_watermarks(survey->client, topic, i, survey->timeout_ms, &ranges[i].from,
                                   &ranges[i].to, err);
        if (ranges[i].from < read[i])
            ranges[i].from = read[i];
        *any = *any || ranges[i].from < ranges[i].to;
    }
    return outcome;
}

static enum outcome read_ranges(struct survey *survey, const char *topic,
                                const struct kafka_range *ranges, on_message take,
                                struct error *err)
{
    struct kafka_reader *reader = NULL;
    const struct kafka_read_message *message = NULL;
    enum outcome outcome =
        kafka_reader_open(survey->settings, topic, ranges, (size_t)survey->partition_count,
                          survey->timeout_ms, &reader, err);
    if (outcome != OUT_OK)
        return outcome;
    while ((outcome = kafka_reader_next(reader, survey->timeout_ms, &message, err)) == OUT_OK &&
           message)
        take(survey, message);
    kafka_reader_close(reader);
    return outcome;
}

static enum outcome read_topic(struct survey *survey, enum topic_kind kind, int64_t *read,
                               on_message take, struct error *err)
{
    const char *topic = survey->topics[kind];
    struct kafka_range *ranges = calloc((size_t)survey->partition_count, sizeof(ranges[0]));
    if (!ranges)
        abort();
    bool any;
    enum outcome outcome = find_new(survey, topic, read, ranges, &any, err);
    if (outcome == OUT_OK && any)
        outcome = read_ranges(survey, topic, ranges, take, err);
    for (int32_t i = 0; outcome == OUT_OK && i < survey->partition_count; i++)
        if (ranges[i].to > read[i])
            read[i] = ranges[i].to;
    free(ranges);
    return outcome;
}

enum outcome survey_read_receipts(struct survey *survey, struct error *err)
{
    enum outcome outcome =
        read_topic(survey, TOPIC_RESULTS, survey->results_read, take_receipt, err);
    count_waiting(survey);
    if (outcome == OUT_OK)
        outcome = read_topic(survey, TOPIC_DLQ, survey->dead_read, take_letter, err);
    return outcome;
}
