#include "control/replay/replay_ranges.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/clock.h"
#include "common/model/message/offsets_gone.h"
#include "control/moment.h"
#include "control/partition_words.h"

/* By partition. */
struct asked {
    bool *chosen;
    int64_t *from, *to;     /* from -1: wherever the topic begins */
    int64_t *workers;       /* where they are */
    int64_t from_ms, to_ms; /* -1: no time is asked for, but an offset */
    bool by_time;           /* `from` is the first message of a time that has been */
};

static int64_t min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static int64_t max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* An offset, or a time: then the first message of each partition that is not older. */
static enum outcome take_place(struct replay *replay, const char *flag, const char *text,
                               int64_t *offsets, int64_t *at_ms, struct error *err)
{
    int64_t offset;
    *at_ms = -1;
    if (text_parse_int64(bytes_text(text), &offset) && offset >= 0) {
        for (int32_t i = 0; i < replay->partition_count; i++)
            offsets[i] = offset;
        return OUT_OK;
    }
    if (!moment_parse(text, at_ms)) {
        error_set(err, OUT_FATAL, ERR_USAGE, "%s takes an offset, or a time", flag);
        error_where(err, "%.60s", text);
        error_hint(err, "an offset, or " MOMENT_FORMS);
        return OUT_FATAL;
    }
    if (bus_offsets_at(replay->bus, replay->topics[TOPIC_SOURCE], *at_ms, offsets,
                       replay->partition_count, REPLAY_SERVER_MS))
        return OUT_OK;
    return error_set(err, OUT_RETRY, ERR_KAFKA_UNREACHABLE,
                     "Kafka did not say which messages are of that time");
}

static enum outcome read_workers(struct replay *replay, int64_t *workers, struct error *err)
{
    struct checkpoint_image image;
    enum outcome outcome = OUT_OK;
    checkpoint_image_init(&image);
    for (int32_t i = 0; i < replay->partition_count && outcome == OUT_OK; i++) {
        const struct checkpoint_place place = {replay->settings->group,
                                               replay->topics[TOPIC_SOURCE], i};
        outcome = checkpoint_editor_read(replay->editor, &place, &image, err);
        workers[i] = image.next_offset;
    }
    checkpoint_image_free(&image);
    return outcome;
}

/* What the workers have taken, unless it is said how far. */
static enum outcome take_places(struct replay *replay, struct asked *asked, struct error *err)
{
    const struct settings *settings = replay->settings;
    const char *from = settings->replay_from;
    enum outcome outcome = partition_words_choose(&settings->replay_partitions, "--partition ",
                                                  asked->chosen, replay->partition_count, err);
    for (int32_t i = 0; i < replay->partition_count; i++)
        asked->from[i] = -1;
    asked->from_ms = asked->to_ms = -1;
    if (outcome == OUT_OK && from && strcmp(from, "earliest") != 0)
        outcome = take_place(replay, "--from", from, asked->from, &asked->from_ms, err);
    asked->by_time = asked->from_ms >= 0 && asked->from_ms <= clock_wall_ms(&CLOCK_MACHINE);
    if (outcome == OUT_OK)
        outcome = read_workers(replay, asked->workers, err);
    if (outcome == OUT_OK && settings->replay_to)
        return take_place(replay, "--to", settings->replay_to, asked->to, &asked->to_ms, err);
    if (outcome == OUT_OK)
        memcpy(asked->to, asked->workers, (size_t)replay->partition_count * sizeof *asked->to);
    return outcome;
}

/* The topic begins at `low`. Which messages of a time are gone nobody knows: when its first one is
 * the topic's, there may be some before. Behind the workers' place all is needed, as they need it:
 * there the numbers of the runs are seen. */
static void find_gone(struct replay_part *part, const struct asked *asked, int64_t low)
{
    const int32_t number = part->range.partition;
    int64_t from = asked->from[number], end = min(low, asked->to[number]);
    int64_t workers = asked->workers[number];
    if (asked->by_time && from <= low)
        replay_part_lost(part, 0, end, "perhaps of the time asked for");
    else if (!asked->by_time && from >= 0 && from < end)
        replay_part_lost(part, from, end, "asked for");
    else if (workers < asked->to[number])
        replay_part_lost(part, workers, end, OFFSETS_NOT_APPLIED);
}

static void add_part(struct replay *replay, int32_t number, const struct asked *asked)
{
    const struct bus_range *topic = &replay->topic[number];
    struct replay_part *part = &replay->parts[replay->count++];
    int64_t from = max(asked->from[number], topic->from), to = min(asked->to[number], topic->to);
    *part = (struct replay_part){.range = {number, from, to, asked->workers[number]},
                                 .next_offset = from};
    find_gone(part, asked, topic->from);
}

/* Of all partitions that are chosen; one that has something to read is read. */
static bool is_of_all(const struct replay *replay, const struct asked *asked,
                      bool (*is_so)(const struct asked *asked, const struct bus_range *topic))
{
    for (int32_t i = 0; i < replay->partition_count; i++)
        if (asked->chosen[i] && !is_so(asked, &replay->topic[i]))
            return false;
    return true;
}

static bool is_backwards(const struct asked *asked, const struct bus_range *topic)
{
    return asked->from[topic->partition] > asked->to[topic->partition];
}

static bool is_behind_end(const struct asked *asked, const struct bus_range *topic)
{
    return asked->from[topic->partition] >= topic->to;
}

static bool is_behind_workers(const struct asked *asked, const struct bus_range *topic)
{
    return max(asked->from[topic->partition], topic->from) >= asked->workers[topic->partition];
}

static bool is_empty(const struct asked *asked, const struct bus_range *topic)
{
    (void)asked;
    return topic->from >= topic->to;
}

static bool ends_before_it_begins(const struct replay *replay, const struct asked *asked)
{
    if (!replay->settings->replay_from || !replay->settings->replay_to)
        return false;
    if (asked->from_ms >= 0 && asked->to_ms >= 0)
        return asked->from_ms > asked->to_ms;
    return is_of_all(replay, asked, is_backwards);
}

/* An end that is before the beginning is a mistake; a place that nothing has come to is not. */
static enum outcome check_order(struct replay *replay, const struct asked *asked, struct error *err)
{
    const struct settings *settings = replay->settings;
    if (ends_before_it_begins(replay, asked)) {
        error_set(err, OUT_FATAL, ERR_USAGE, "--from is behind --to");
        error_where(err, "--from %.60s --to %.60s", settings->replay_from, settings->replay_to);
        error_hint(err, "--from is where to begin, --to where to end, itself left out");
        return OUT_FATAL;
    }
    if (settings->replay_from && is_of_all(replay, asked, is_behind_end))
        replay->nothing = REPLAY_NOTHING_YET;
    else if (!settings->replay_to && !is_of_all(replay, asked, is_empty) &&
             is_of_all(replay, asked, is_behind_workers))
        replay->nothing = REPLAY_NOTHING_TAKEN;
    return OUT_OK;
}

enum outcome replay_ranges_plan(struct replay *replay, struct error *err)
{
    size_t count = (size_t)replay->partition_count;
    struct asked asked = {.chosen = mem_zeroed(count, sizeof *asked.chosen),
                          .from = mem_zeroed(count, sizeof *asked.from),
                          .to = mem_zeroed(count, sizeof *asked.to),
                          .workers = mem_zeroed(count, sizeof *asked.workers)};
    enum outcome outcome = take_places(replay, &asked, err);
    if (outcome == OUT_OK)
        outcome = check_order(replay, &asked, err);
    for (size_t i = 0; i < count && outcome == OUT_OK; i++)
        if (asked.chosen[i])
            add_part(replay, (int32_t)i, &asked);
    free(asked.chosen);
    free(asked.from);
    free(asked.to);
    free(asked.workers);
    return outcome;
}
