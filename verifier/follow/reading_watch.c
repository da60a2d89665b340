/* See the header. */
#include "verifier/follow/reading_watch.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/model/message/decision.h"
#include "common/model/message/topic.h"
#include "verifier/follow/book_reading.h"

#define ASK_MS 1000
#define RETRY_MS 5000
#define SLICE_MS 100                      /* of reading, in one turn */
#define WAIT_MS 2000                      /* for a broker */
#define SAVE_MS 10000                     /* of positions alone */
#define READINGS_BYTES ((size_t)16 << 20) /* about fifty thousand sources */
#define KEPT_MAX 256                      /* readings in one transaction */

struct reading_watch {
    struct bus *bus;
    struct book *book;
    char results[TOPIC_NAME_SIZE], control[TOPIC_NAME_SIZE];
    struct readings readings;
    struct readings_sum sum;
    int64_t *next, *low; /* by partition of the results: what is read next; where it begins */
    size_t count;
    int64_t control_next;
    struct bus_reader *reader; /* NULL: what was there is read */
    struct bus_range *ranges;  /* of it */
    size_t range_count;
    struct reading kept[KEPT_MAX]; /* to be written, */
    struct book_reading places[KEPT_MAX];
    size_t kept_count;
    bool moved;                /* so are positions */
    uint64_t ask_ms, saved_ms; /* monotonic: not before; the last time */
};

/* ---- what is known ----------------------------------------------------------------------- */

static bool add(struct reading_watch *watch, const struct reading *reading)
{
    if (readings_add(&watch->readings, reading, (struct bytes){0}))
        return true;
    if (watch->sum.beyond++ == 0)
        log_line(LOG_WARN, "follow.sources_beyond",
                 "sources=%zu effect=\"what is rejected of others is not known\"",
                 watch->readings.count);
    return false;
}

static void take_known(void *owner, struct bytes json)
{
    struct reading reading;
    if (reading_parse(json, &reading, NULL) == OUT_OK)
        (void)add(owner, &reading);
    reading_free(&reading);
}

/* All of the book; decisions are read anew. */
static enum outcome load(struct reading_watch *watch, struct error *err)
{
    readings_free(&watch->readings);
    watch->sum.beyond = 0;
    watch->control_next = 0;
    watch->sum.is_known = false;
    enum outcome outcome = book_visit_readings(watch->book, take_known, watch, err);
    readings_sum_of(&watch->readings, &watch->sum);
    return outcome;
}

static void drop_kept(struct reading_watch *watch)
{
    for (size_t i = 0; i < watch->kept_count; i++)
        reading_free(&watch->kept[i]);
    watch->kept_count = 0;
}

/* What had no room is read again by the next process. */
static enum outcome save(struct reading_watch *watch, struct error *err)
{
    int64_t *next = mem_zeroed(watch->count, sizeof *next);
    for (size_t i = 0; i < watch->count; i++)
        next[i] = watch->sum.beyond ? -1 : watch->next[i];
    enum outcome outcome =
        book_keep_readings(watch->book, watch->places, watch->kept_count, next, watch->count, err);
    free(next);
    drop_kept(watch);
    watch->moved = false;
    watch->saved_ms = clock_monotonic_ms();
    return outcome;
}

static void take(struct reading_watch *watch, const struct bus_message *message)
{
    struct reading reading;
    watch->moved = true;
    if ((size_t)message->partition < watch->count)
        watch->next[message->partition] = message->offset + 1;
    if (!reading_is_one(message->envelope.value))
        return;
    if (reading_parse(message->envelope.value, &reading, NULL) != OUT_OK || !add(watch, &reading)) {
        reading_free(&reading);
        return;
    }
    watch->kept[watch->kept_count] = reading;
    watch->places[watch->kept_count] =
        (struct book_reading){&watch->kept[watch->kept_count], message->partition, message->offset};
    watch->kept_count++;
}

/* ---- the control topic ------------------------------------------------------------------- */

static void take_decision(struct reading_watch *watch, const struct bus_message *message)
{
    struct decision decision;
    watch->control_next = message->offset + 1;
    if (decision_parse(message->envelope.value, &decision, NULL) == OUT_OK &&
        decision.kind == DECISION_SOURCE && !readings_decide(&watch->readings, &decision))
        watch->sum.beyond++;
    decision_free(&decision);
}

/* Behind the results: a decision is made about a reading that was told. */
static enum outcome read_decisions(struct reading_watch *watch, struct error *err)
{
    struct bus_range *ranges = NULL;
    struct bus_reader *reader = NULL;
    const struct bus_message *message = NULL;
    size_t count = 0;
    enum outcome outcome = bus_ranges(watch->bus, watch->control, WAIT_MS, &ranges, &count, err);
    bool any = outcome == OUT_OK && count > 0 && ranges[0].to > watch->control_next;
    if (any && ranges[0].from < watch->control_next)
        ranges[0].from = watch->control_next;
    any = any && ranges[0].from < ranges[0].to;
    if (any)
        outcome = bus_open_reader(watch->bus, watch->control, ranges, 1, WAIT_MS, &reader, err);
    while (any && outcome == OUT_OK) {
        outcome = bus_reader_next(reader, WAIT_MS, &message, err);
        if (outcome != OUT_OK || !message)
            break;
        take_decision(watch, message);
    }
    if (any && outcome == OUT_OK)
        watch->control_next = ranges[0].to;
    bus_reader_close(reader);
    free(ranges);
    return outcome;
}

/* ---- the results topic ------------------------------------------------------------------- */

static void end_reader(struct reading_watch *watch)
{
    bus_reader_close(watch->reader);
    watch->reader = NULL;
    free(watch->ranges);
    watch->ranges = NULL;
    watch->range_count = 0;
}

static enum outcome know_partitions(struct reading_watch *watch, size_t count, struct error *err)
{
    enum outcome outcome = OUT_OK;
    if (count <= watch->count)
        return OUT_OK;
    watch->next = mem_resize(watch->next, count, sizeof *watch->next);
    watch->low = mem_resize(watch->low, count, sizeof *watch->low);
    for (; watch->count < count && outcome == OUT_OK; watch->count++) {
        watch->low[watch->count] = -1;
        outcome =
            book_readings_next(watch->book, (int32_t)watch->count, &watch->next[watch->count], err);
    }
    return outcome;
}

/* What lay below the begin is gone; all of it where the topic was made anew. */
static enum outcome forget_gone(struct reading_watch *watch, struct error *err)
{
    bool any = false, some;
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < watch->range_count && outcome == OUT_OK; i++) {
        const struct bus_range *range = &watch->ranges[i];
        bool is_other = watch->next[i] > range->to;
        if (is_other)
            watch->next[i] = -1;
        if (!is_other && range->from == watch->low[i])
            continue;
        watch->low[i] = range->from;
        outcome = book_drop_readings(watch->book, range->partition,
                                     is_other ? INT64_MAX : range->from, &some, err);
        any = any || some;
    }
    if (outcome != OUT_OK || !any)
        return outcome;
    for (size_t i = 0; watch->sum.beyond && i < watch->count; i++)
        watch->next[i] = -1; /* there is room now */
    return load(watch, err);
}

/* *any: there is something to be read. */
static enum outcome ask(struct reading_watch *watch, bool *any, struct error *err)
{
    *any = false;
    enum outcome outcome =
        bus_ranges(watch->bus, watch->results, WAIT_MS, &watch->ranges, &watch->range_count, err);
    if (outcome == OUT_OK)
        outcome = know_partitions(watch, watch->range_count, err);
    if (outcome == OUT_OK)
        outcome = forget_gone(watch, err);
    for (size_t i = 0; i < watch->range_count && outcome == OUT_OK; i++) {
        struct bus_range *range = &watch->ranges[i];
        if (range->from < watch->next[i])
            range->from = watch->next[i];
        *any = *any || range->from < range->to;
    }
    return outcome;
}

static enum outcome begin(struct reading_watch *watch, struct error *err)
{
    bool any = false;
    enum outcome outcome = ask(watch, &any, err);
    if (outcome == OUT_OK && any)
        outcome = bus_open_reader(watch->bus, watch->results, watch->ranges, watch->range_count,
                                  WAIT_MS, &watch->reader, err);
    return outcome;
}

/* Everything that was there is taken. */
static enum outcome end(struct reading_watch *watch, struct error *err)
{
    for (size_t i = 0; i < watch->range_count; i++)
        if (watch->ranges[i].to > watch->next[i])
            watch->next[i] = watch->ranges[i].to;
    end_reader(watch);
    enum outcome outcome = read_decisions(watch, err);
    watch->sum.is_known = watch->sum.is_known || outcome == OUT_OK; /* for good: later is news */
    return outcome;
}

/* For a while, or until everything is taken or the transaction is full. */
static enum outcome go_on(struct reading_watch *watch, struct error *err)
{
    const struct bus_message *message = NULL;
    enum outcome outcome = OUT_OK;
    uint64_t until_ms = clock_monotonic_ms() + SLICE_MS;
    bool is_end = watch->reader == NULL;
    while (!is_end && watch->kept_count < KEPT_MAX && clock_monotonic_ms() < until_ms) {
        outcome = bus_reader_next(watch->reader, WAIT_MS, &message, err);
        is_end = outcome != OUT_OK || !message;
        if (outcome == OUT_OK && message)
            take(watch, message);
    }
    if (outcome == OUT_OK && is_end)
        outcome = end(watch, err);
    return outcome;
}

/* What was taken is kept, whatever came then. */
static enum outcome settle(struct reading_watch *watch, enum outcome outcome, struct error *err)
{
    struct error why = {0};
    uint64_t now_ms = clock_monotonic_ms();
    bool is_due = watch->kept_count || (watch->moved && now_ms >= watch->saved_ms + SAVE_MS);
    readings_sum_of(&watch->readings, &watch->sum);
    if (outcome != OUT_OK)
        end_reader(watch);
    if (!watch->reader)
        watch->ask_ms = now_ms + (outcome == OUT_OK ? ASK_MS : RETRY_MS);
    if (outcome != OUT_OK && err->code == ERR_KAFKA_OFFSET)
        outcome = OUT_OK; /* gone meanwhile: asked for again */
    if (is_due && save(watch, &why) != OUT_OK) {
        *err = why;
        return OUT_FATAL;
    }
    return outcome;
}

enum outcome reading_watch_turn(struct reading_watch *watch, struct error *err)
{
    enum outcome outcome = OUT_OK;
    if (!watch->reader && clock_monotonic_ms() < watch->ask_ms)
        return OUT_OK;
    if (!watch->reader)
        outcome = begin(watch, err);
    if (outcome == OUT_OK)
        outcome = go_on(watch, err);
    return settle(watch, outcome, err);
}

enum outcome reading_watch_finish(struct reading_watch *watch, uint64_t wait_ms, struct error *err)
{
    enum outcome outcome = OUT_OK;
    uint64_t until_ms = clock_monotonic_ms() + wait_ms;
    bool was_reading = watch->reader != NULL;
    for (int round = 0; round <= was_reading && outcome == OUT_OK; round++) {
        watch->ask_ms = 0;
        do
            outcome = reading_watch_turn(watch, err);
        while (outcome == OUT_OK && watch->reader && clock_monotonic_ms() < until_ms);
    }
    watch->sum.is_known = watch->sum.is_known && outcome == OUT_OK && !watch->reader;
    return outcome;
}

const struct readings_sum *reading_watch_sum(const struct reading_watch *watch)
{
    return &watch->sum;
}

/* ---- begin and end ----------------------------------------------------------------------- */

enum outcome reading_watch_open(const struct settings *settings, struct bus *bus, struct book *book,
                                struct reading_watch **watch, struct error *err)
{
    struct reading_watch *made = mem_zeroed(1, sizeof *made);
    *watch = made;
    made->bus = bus;
    made->book = book;
    readings_init(&made->readings, READINGS_BYTES);
    enum outcome outcome =
        topic_format(settings->prefix, settings->migration, TOPIC_RESULTS, made->results, err);
    if (outcome == OUT_OK)
        outcome =
            topic_format(settings->prefix, settings->migration, TOPIC_CONTROL, made->control, err);
    return outcome == OUT_OK ? load(made, err) : outcome;
}

void reading_watch_close(struct reading_watch *watch)
{
    if (!watch)
        return;
    end_reader(watch);
    drop_kept(watch);
    readings_free(&watch->readings);
    free(watch->next);
    free(watch->low);
    free(watch);
}
