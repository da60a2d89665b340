#include "control/dlq/dead_letter_picks.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/stop.h"
#include "control/topic_messages.h"

enum { ID_LIMIT = 1024 };

void dead_letter_picks_add(struct dead_letter_picks *picks, const struct dead_letter_row *row)
{
    picks->items = mem_grown(picks->items, &picks->room, picks->count + 1, sizeof *picks->items);
    picks->items[picks->count++] = (struct dead_letter_pick){.id = row->fact.id,
                                                             .at_offset = row->at_offset,
                                                             .at_partition = row->at_partition,
                                                             .at_topic = (uint8_t)row->at_topic,
                                                             .family = (uint8_t)row->family};
}

static enum outcome choose(void *owner, const struct dead_letter_row *row, struct error *err)
{
    (void)err;
    dead_letter_picks_add(owner, row);
    return OUT_OK;
}

static int by_place(const void *left, const void *right)
{
    const struct dead_letter_pick *a = left, *b = right;
    if (a->at_topic != b->at_topic)
        return a->at_topic < b->at_topic ? -1 : 1;
    if (a->at_partition != b->at_partition)
        return a->at_partition < b->at_partition ? -1 : 1;
    return (a->at_offset > b->at_offset) - (a->at_offset < b->at_offset);
}

void dead_letter_picks_sort(struct dead_letter_picks *picks)
{
    if (picks->count)
        qsort(picks->items, picks->count, sizeof *picks->items, by_place);
}

enum outcome dead_letter_picks_choose(struct dead_letter_picks *picks,
                                      struct dead_letter_register *dead_letters,
                                      const struct dead_letter_filter *filter, struct error *err)
{
    enum outcome outcome = dead_letter_cache_each(&dead_letters->cache, filter, choose, picks, err);
    dead_letter_picks_sort(picks);
    return outcome;
}

enum outcome dead_letter_picks_refuse(const struct dead_letter_register *dead_letters,
                                      const char *id, struct error *err)
{
    const struct dead_letter_index *index = &dead_letters->index;
    const struct digest name = digest_of(bytes_text(id));
    uint32_t number = dead_letter_index_find(index, &name);
    error_set(err, OUT_FATAL, ERR_DEAD_LETTER_UNKNOWN, "there is no such dead letter");
    if (number != DEAD_LETTER_NONE) {
        const char *word = dead_letter_state_word(dead_letter_index_state(index, number));
        error_set(err, OUT_FATAL, ERR_DEAD_LETTER_UNKNOWN,
                  "no dead letter of this id is chosen: it is %s", word);
        error_hint(err, "drover dlq show %s says why; --state %s chooses it all the same", id,
                   word);
    }
    error_where(err, "%s", id);
    return OUT_FATAL;
}

void dead_letter_picks_free(struct dead_letter_picks *picks)
{
    free(picks->items);
    *picks = (struct dead_letter_picks){0};
}

/* ---- reading ---- */

/* One topic's: a range and a cursor for each partition. */
struct partition_picks {
    size_t next, end; /* in the picks */
};

struct picks_reading {
    struct dead_letter_register *dead_letters;
    const struct dead_letter_picks *picks;
    bool (*is_wanted)(const struct dead_letter_pick *pick);
    picks_on_message on_message;
    void *owner;
    uint64_t *missing;
    struct bus_range *ranges;
    struct partition_picks *cursors; /* by range */
    size_t count;
    struct buf id;
};

static bool wants(const struct picks_reading *reading, size_t at)
{
    return !reading->is_wanted || reading->is_wanted(&reading->picks->items[at]);
}

static struct bytes name_of(struct picks_reading *reading, const struct picked_message *picked)
{
    const struct dead_letter_reading *said = &picked->reading;
    const struct dead_letter_pick *pick = picked->pick;
    struct bytes topic = said->topic;
    if (said->id.size)
        return said->id;
    if (!said->has_place)
        topic = bytes_text(dead_letter_register_topic(reading->dead_letters, pick->at_topic));
    buf_reset(&reading->id);
    buf_append_bytes(&reading->id, topic);
    buf_append_format(&reading->id, "-%d-%" PRId64,
                      said->has_place ? said->partition : pick->at_partition,
                      said->has_place ? said->offset : pick->at_offset);
    return buf_view(&reading->id);
}

static enum outcome tell(struct picks_reading *reading, size_t at,
                         const struct bus_message *message, struct error *err)
{
    struct header *headers;
    struct picked_message picked = {.pick = &reading->picks->items[at], .message = message};
    bus_view_whole(reading->dead_letters->bus, message->held, &headers, &picked.view);
    picked.reading = dead_letter_read_all(picked.view.headers, picked.view.header_count);
    picked.id = name_of(reading, &picked);
    picked.chain = picked.reading.replayed_from.size ? picked.reading.replayed_from : picked.id;
    enum outcome outcome = reading->on_message(reading->owner, &picked, err);
    free(headers);
    return outcome;
}

static enum outcome take(void *owner, const struct bus_message *message, struct error *err)
{
    struct picks_reading *reading = owner;
    enum outcome outcome = OUT_OK;
    if (stop_signal())
        return error_set(err, OUT_RETRY, ERR_KAFKA_CLIENT, "the reading was stopped");
    for (size_t i = 0; i < reading->count && outcome == OUT_OK; i++) {
        struct partition_picks *cursor = &reading->cursors[i];
        if (reading->ranges[i].partition != message->partition)
            continue;
        for (; cursor->next < cursor->end && outcome == OUT_OK; cursor->next++) {
            const struct dead_letter_pick *pick = &reading->picks->items[cursor->next];
            if (pick->at_offset > message->offset)
                break;
            if (!wants(reading, cursor->next))
                continue;
            if (pick->at_offset == message->offset)
                outcome = tell(reading, cursor->next, message, err);
            else
                ++*reading->missing;
        }
    }
    return outcome;
}

/* Ranges of the partitions of the picks [first, end), which are of one topic. */
static void make_ranges(struct picks_reading *reading, size_t first, size_t end)
{
    const struct dead_letter_pick *items = reading->picks->items;
    reading->count = 0;
    for (size_t at = first; at < end;) {
        size_t last = at;
        while (last + 1 < end && items[last + 1].at_partition == items[at].at_partition)
            last++;
        size_t begin = at, stop = last + 1;
        while (begin < stop && !wants(reading, begin))
            begin++;
        while (stop > begin && !wants(reading, stop - 1))
            stop--;
        if (begin < stop) {
            reading->ranges[reading->count] = (struct bus_range){
                items[at].at_partition, items[begin].at_offset, items[stop - 1].at_offset + 1};
            reading->cursors[reading->count++] = (struct partition_picks){begin, stop};
        }
        at = last + 1;
    }
}

/* What retention took meanwhile is missing, and the rest is read. */
static enum outcome leave_out_gone(struct picks_reading *reading, const char *topic,
                                   struct error *err)
{
    struct bus_range *now = NULL;
    size_t count = 0;
    enum outcome outcome = bus_ranges(reading->dead_letters->bus, topic,
                                      reading->dead_letters->timeout_ms, &now, &count, err);
    for (size_t i = 0; i < reading->count && outcome == OUT_OK; i++)
        for (size_t j = 0; j < count; j++)
            if (now[j].partition == reading->ranges[i].partition &&
                now[j].from > reading->ranges[i].from)
                reading->ranges[i].from = now[j].from;
    free(now);
    return outcome;
}

static enum outcome read_one(struct picks_reading *reading, size_t first, size_t end,
                             struct error *err)
{
    struct dead_letter_register *dead_letters = reading->dead_letters;
    const struct dead_letter_pick *pick = &reading->picks->items[first];
    const char *topic = dead_letter_register_topic(dead_letters, pick->at_topic);
    reading->ranges = mem_zeroed(end - first, sizeof *reading->ranges);
    reading->cursors = mem_zeroed(end - first, sizeof *reading->cursors);
    make_ranges(reading, first, end);
    enum outcome outcome = reading->count ? leave_out_gone(reading, topic, err) : OUT_OK;
    if (outcome == OUT_OK && reading->count)
        outcome = topic_messages_each(dead_letters->bus, topic, reading->ranges, reading->count,
                                      dead_letters->timeout_ms, take, reading, err);
    for (size_t i = 0; i < reading->count && outcome == OUT_OK; i++)
        for (; reading->cursors[i].next < reading->cursors[i].end; reading->cursors[i].next++)
            *reading->missing += wants(reading, reading->cursors[i].next);
    free(reading->ranges);
    free(reading->cursors);
    return outcome;
}

enum outcome dead_letter_picks_read(const struct dead_letter_picks *picks,
                                    struct dead_letter_register *dead_letters,
                                    bool (*is_wanted)(const struct dead_letter_pick *pick),
                                    picks_on_message on_message, void *owner, uint64_t *missing,
                                    struct error *err)
{
    struct picks_reading reading = {.dead_letters = dead_letters,
                                    .picks = picks,
                                    .is_wanted = is_wanted,
                                    .on_message = on_message,
                                    .owner = owner,
                                    .missing = missing};
    enum outcome outcome = OUT_OK;
    *missing = 0;
    buf_init(&reading.id, ID_LIMIT);
    for (size_t first = 0; first < picks->count && outcome == OUT_OK;) {
        size_t end = first + 1;
        while (end < picks->count && picks->items[end].at_topic == picks->items[first].at_topic)
            end++;
        outcome = read_one(&reading, first, end, err);
        first = end;
    }
    buf_free(&reading.id);
    return outcome;
}
