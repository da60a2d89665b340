#include "control/status/status_retention.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/model/message/offsets_gone.h"

#define DAY_MS INT64_C(86400000)
#define SETTINGS_MS 1500 /* asking for a topic's settings */
#define EDGE_PART 10

static const char *const NAMES[] = {"lost", "soon", "edge"};

static void add(struct retention *retention, struct retention_finding item)
{
    retention->items = mem_grown(retention->items, &retention->room, retention->count + 1,
                                 sizeof *retention->items);
    retention->items[retention->count++] = item;
}

/* Already gone, and not applied. */
static void find_lost(struct retention *retention, const struct status *status)
{
    for (int32_t i = 0; i < status->partition_count; i++) {
        const struct status_partition *partition = &status->partitions[i];
        int64_t next = partition->next_offset;
        if (next < partition->low)
            add(retention, (struct retention_finding){.kind = RETENTION_LOST,
                                                      .topic = TOPIC_SOURCE,
                                                      .partition = i,
                                                      .from = next,
                                                      .to = partition->low,
                                                      .count = (uint64_t)(partition->low - next)});
    }
}

static int64_t window_of(int64_t retention_ms)
{
    return retention_ms / 4 < DAY_MS ? retention_ms / 4 : DAY_MS;
}

/* Of the source topic what is not applied, of the others all that is there. */
static uint64_t count_before(const struct status *status, enum topic_kind kind,
                             const int64_t *offsets, const struct bus_range *ranges, int32_t count)
{
    uint64_t sum = 0;
    for (int32_t i = 0; i < count; i++) {
        int64_t first = ranges ? ranges[i].from : status->partitions[i].next_offset;
        if (kind == TOPIC_SOURCE && first < status->partitions[i].low)
            first = status->partitions[i].low;
        sum += offsets[i] > first ? (uint64_t)(offsets[i] - first) : 0;
    }
    return sum;
}

/* How many of the dead letters before `offsets` are open; counted once a reading of them. False: it
 * is not known. */
static bool count_open(struct retention *retention, struct status *status, const int64_t *offsets,
                       size_t count, uint64_t *open)
{
    struct error ignored;
    struct status_dead_letters *dead = &status->dead;
    if (status_read_dead_letters(status, &ignored) != OUT_OK || dead->why.code != ERR_NONE)
        return false;
    if (retention->dead_reading != dead->readings &&
        !status_dead_letters_count_before(dead, offsets, count, &retention->dead_open))
        return false;
    retention->dead_reading = dead->readings;
    *open = retention->dead_open;
    return true;
}

static void find_soon(struct retention *retention, struct status *status, enum topic_kind kind,
                      int64_t now_ms)
{
    int64_t limit_ms = retention->limits[kind].ms;
    const char *topic = status->topics[kind];
    struct bus_range *ranges = NULL;
    size_t count = (size_t)status->partition_count;
    struct error ignored;
    if (limit_ms < 0 || (kind != TOPIC_SOURCE && (bus_ranges(status->bus, topic, status->timeout_ms,
                                                             &ranges, &count, &ignored) != OUT_OK ||
                                                  count == 0)))
        return;
    int64_t *offsets = mem_zeroed(count, sizeof *offsets);
    int64_t window_ms = window_of(limit_ms);
    if (bus_offsets_at(status->bus, topic, now_ms + window_ms - limit_ms, offsets, (int32_t)count,
                       status->timeout_ms)) {
        uint64_t sum = count_before(status, kind, offsets, ranges, (int32_t)count);
        bool is_all = kind == TOPIC_DEAD_LETTERS && sum &&
                      !count_open(retention, status, offsets, count, &sum);
        if (sum)
            add(retention, (struct retention_finding){.kind = RETENTION_SOON,
                                                      .topic = kind,
                                                      .partition = -1,
                                                      .count = sum,
                                                      .within_ms = window_ms,
                                                      .is_all = is_all});
    }
    free(offsets);
    free(ranges);
}

/* Where retention by bytes eats already, and the workers are near its edge. */
static void find_edge(struct retention *retention, const struct status *status)
{
    if (retention->limits[TOPIC_SOURCE].bytes < 0)
        return;
    for (int32_t i = 0; i < status->partition_count; i++) {
        const struct status_partition *partition = &status->partitions[i];
        int64_t kept = partition->high - partition->low;
        int64_t ahead = partition->next_offset - partition->low;
        if (partition->low > 0 && partition->lag > 0 && ahead >= 0 && ahead < kept / EDGE_PART)
            add(retention, (struct retention_finding){.kind = RETENTION_EDGE,
                                                      .topic = TOPIC_SOURCE,
                                                      .partition = i,
                                                      .from = partition->next_offset,
                                                      .to = partition->high,
                                                      .count = (uint64_t)partition->lag});
    }
}

void retention_read(struct retention *retention, struct status *status, int64_t now_ms)
{
    retention->count = 0;
    if (!retention->asked)
        kafka_topics_retention(status->settings, SETTINGS_MS,
                               (char(*)[TOPIC_NAME_SIZE])status->topics, retention->limits);
    retention->asked = true;
    find_lost(retention, status);
    find_soon(retention, status, TOPIC_SOURCE, now_ms);
    find_edge(retention, status);
    find_soon(retention, status, TOPIC_DEAD_LETTERS, now_ms);
    find_soon(retention, status, TOPIC_RESULTS, now_ms);
}

void retention_free(struct retention *retention)
{
    free(retention->items);
    *retention = (struct retention){0};
}

/* ---- what is said ------------------------------------------------------------------------ */

static void append_span(struct buf *out, int64_t ms)
{
    if (ms >= 2 * DAY_MS)
        buf_append_format(out, "%" PRId64 " days", ms / DAY_MS);
    else if (ms >= 2 * 3600000)
        buf_append_format(out, "%" PRId64 " hours", ms / 3600000);
    else
        buf_append_format(out, "%" PRId64 " seconds", ms / 1000);
}

static const char *what_of(const struct retention_finding *item)
{
    bool one = item->count == 1;
    switch (item->topic) {
    case TOPIC_SOURCE:
        return one ? "record that is not applied yet" : "records that are not applied yet";
    case TOPIC_DEAD_LETTERS:
        if (item->is_all)
            return one ? "dead letter" : "dead letters";
        return one ? "open dead letter" : "open dead letters";
    default:
        return one ? "receipt" : "receipts";
    }
}

void retention_append(struct buf *out, const struct retention_finding *item,
                      const struct retention *retention, const struct status *status)
{
    char number[28];
    const char *topic = status->topics[item->topic];
    text_format_count(item->count, number);
    if (item->kind == RETENTION_LOST) {
        buf_append_format(out,
                          "partition %" PRId32 ": offsets %" PRId64 " to %" PRId64
                          " are gone from %s, and were not applied (%s)",
                          item->partition, item->from, item->to - 1, topic, number);
    } else if (item->kind == RETENTION_EDGE) {
        buf_append_format(out,
                          "partition %" PRId32
                          ": retention.bytes of %s deletes what is old, and the "
                          "workers are behind: %s left, from offset %" PRId64,
                          item->partition, topic, number, item->from);
    } else {
        buf_append_format(out, "%s %s will be deleted from %s within ", number, what_of(item),
                          topic);
        append_span(out, item->within_ms);
        buf_append_text(out, " (retention.ms is ");
        append_span(out, retention->limits[item->topic].ms);
        buf_append_char(out, ')');
    }
}

void retention_fix(const struct retention_finding *item, const struct status *status, char fix[600])
{
    if (item->kind == RETENTION_LOST)
        snprintf(fix, 600, "drover resume %" PRId32 " --accept-gap --reason TEXT", item->partition);
    else
        snprintf(fix, 600,
                 "kafka-configs.sh --bootstrap-server %.100s --alter --topic %s --add-config "
                 "%s=-1",
                 status->settings->brokers, status->topics[item->topic],
                 item->kind == RETENTION_EDGE ? "retention.bytes" : "retention.ms");
}

void retention_append_lines(struct buf *out, const struct retention *retention,
                            const struct status *status)
{
    for (size_t i = 0; i < retention->count; i++) {
        char fix[600];
        const struct retention_finding *item = &retention->items[i];
        retention_fix(item, status, fix);
        buf_append_text(out, item->kind == RETENTION_LOST ? "lost: " : "warning: ");
        retention_append(out, item, retention, status);
        buf_append_format(out, "\n  %s%s\n",
                          item->kind == RETENTION_LOST
                              ? "drover produce --again SOURCE… (it is safe); then "
                              : "",
                          fix);
    }
}

void retention_append_json(struct json_out *out, const struct retention *retention,
                           const struct status *status)
{
    if (!retention->count)
        return;
    json_out_list(out, "retention");
    for (size_t i = 0; i < retention->count; i++) {
        const struct retention_finding *item = &retention->items[i];
        json_out_object(out, NULL);
        json_out_text(out, "finding", NAMES[item->kind]);
        json_out_text(out, "topic", status->topics[item->topic]);
        if (item->partition >= 0)
            json_out_int(out, "partition", item->partition);
        else
            json_out_null(out, "partition");
        if (item->kind == RETENTION_SOON) {
            json_out_null(out, "first");
            json_out_null(out, "last");
        } else {
            json_out_int(out, "first", item->from);
            json_out_int(out, "last", item->to - 1);
        }
        json_out_count(out, "count", item->count);
        if (item->kind == RETENTION_SOON)
            json_out_seconds(out, "within_seconds", (uint64_t)item->within_ms);
        else
            json_out_null(out, "within_seconds");
        json_out_end(out);
    }
    json_out_end(out);
}

enum outcome retention_lost(const struct retention *retention, const struct status *status,
                            struct error *err)
{
    uint64_t records = 0, partitions = 0;
    const struct retention_finding *first = NULL;
    for (size_t i = 0; i < retention->count; i++) {
        const struct retention_finding *item = &retention->items[i];
        if (item->kind != RETENTION_LOST)
            continue;
        first = first ? first : item;
        records += item->count;
        partitions++;
    }
    if (!first)
        return OUT_OK;
    if (partitions == 1)
        offsets_gone(err, first->from, first->to, OFFSETS_NOT_APPLIED);
    else
        error_set(err, OUT_FATAL, ERR_KAFKA_OFFSET,
                  "%" PRIu64 " offsets of %" PRIu64
                  " partitions are gone from the topic, and were not applied yet",
                  records, partitions);
    error_where(err, "%s-%" PRId32, status->topics[TOPIC_SOURCE], first->partition);
    error_hint(err,
               "drover produce --again SOURCE… (it is safe); then drover resume %s --accept-gap "
               "--reason TEXT goes on behind them",
               partitions == 1 ? "PARTITION" : "--all");
    return OUT_FATAL;
}
