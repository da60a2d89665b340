/* See the header. */
#include "common/policy/verify/readings.h"

#include <stdlib.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/model/message/record.h"

#define CAPACITY_FIRST 64

void readings_init(struct readings *readings, size_t bytes_max)
{
    *readings = (struct readings){.bytes_max = bytes_max};
}

void readings_free(struct readings *readings)
{
    for (size_t i = 0; i < readings->capacity; i++) {
        free((char *)readings->items[i].uri.data);
        free((char *)readings->items[i].rejections.data);
    }
    free(readings->items);
    readings_init(readings, readings->bytes_max);
}

static bool is_free(const struct readings_entry *entry)
{
    return entry->key.high == 0 && entry->key.low == 0;
}

static struct readings_entry *place_of(const struct readings *readings, const struct diff_key *key)
{
    size_t at = (size_t)key->low & (readings->capacity - 1); /* the capacity is 2^n */
    while (!is_free(&readings->items[at]) && !diff_key_equal(&readings->items[at].key, key))
        at = (at + 1) & (readings->capacity - 1);
    return &readings->items[at];
}

static struct readings_entry *find(const struct readings *readings, const struct diff_key *key)
{
    struct readings_entry *entry = readings->count ? place_of(readings, key) : NULL;
    return entry && !is_free(entry) ? entry : NULL;
}

static bool grow(struct readings *readings)
{
    struct readings bigger = *readings;
    bigger.capacity = readings->capacity ? readings->capacity * 2 : CAPACITY_FIRST;
    size_t more = (bigger.capacity - readings->capacity) * sizeof *readings->items;
    if (readings->bytes + more > readings->bytes_max)
        return false;
    bigger.items = mem_zeroed(bigger.capacity, sizeof *bigger.items);
    bigger.bytes += more;
    for (size_t i = 0; i < readings->capacity; i++)
        if (!is_free(&readings->items[i]))
            *place_of(&bigger, &readings->items[i].key) = readings->items[i];
    free(readings->items);
    *readings = bigger;
    return true;
}

/* Of one reading of a stream. */
static struct diff_key stream_key(const struct diff_key *uri, uint64_t run)
{
    return (struct diff_key){uri->high ^ run, ~uri->low};
}

/* NULL when there is no room. */
static struct readings_entry *make(struct readings *readings, const struct diff_key *key,
                                   struct bytes uri)
{
    struct readings_entry *entry = find(readings, key);
    if (entry)
        return entry;
    bool is_full = (readings->count + 1) * 4 > readings->capacity * 3;
    if (readings->bytes + uri.size > readings->bytes_max || (is_full && !grow(readings)))
        return NULL;
    entry = place_of(readings, key);
    *entry = (struct readings_entry){
        .key = *key,
        .uri = {mem_text_part(uri.data, uri.size), uri.size},
        .finished_ms = INT64_MIN,
        .incomplete_ms = INT64_MIN,
    };
    readings->bytes += uri.size;
    readings->count++;
    return entry;
}

static void keep_rejections(struct readings *readings, struct readings_entry *entry,
                            const struct reading *reading, struct bytes json)
{
    readings->bytes -= entry->rejections.size;
    free((char *)entry->rejections.data);
    entry->rejections = (struct bytes){0};
    if (!reading->rejected || !json.size || readings->bytes + json.size > readings->bytes_max)
        return;
    entry->rejections = (struct bytes){mem_text_part(json.data, json.size), json.size};
    readings->bytes += json.size;
}

bool readings_add(struct readings *readings, const struct reading *reading, struct bytes json)
{
    uint64_t run = hash64(reading->run);
    struct diff_key key = diff_key_of(reading->uri);
    struct readings_entry *entry = make(readings, &key, reading->uri);
    if (entry && reading->stream) {
        entry->is_mark = true;
        key = stream_key(&key, run);
        entry = make(readings, &key, reading->uri);
    }
    if (!entry)
        return false;
    entry->stream = reading->stream;
    if (!reading->complete) {
        if (reading->finished_ms > entry->incomplete_ms)
            entry->incomplete_ms = reading->finished_ms;
        return true;
    }
    if (entry->complete && (reading->finished_ms < entry->finished_ms ||
                            (reading->finished_ms == entry->finished_ms && run < entry->run)))
        return true;
    entry->complete = true;
    entry->run = run;
    entry->finished_ms = reading->finished_ms;
    entry->produced = reading->produced;
    entry->rejected = reading->rejected;
    entry->withheld = reading->withheld;
    keep_rejections(readings, entry, reading, json);
    return true;
}

bool readings_is_earlier(const struct readings *readings, const struct diff_key *uri, uint64_t run,
                         struct readings_entry **entry)
{
    struct readings_entry *found = find(readings, uri);
    *entry = NULL;
    if (!found)
        return false;
    if (found->is_mark) {
        struct diff_key key = stream_key(uri, run);
        found = find(readings, &key);
        *entry = found && found->complete ? found : NULL;
        return false;
    }
    *entry = found->complete && found->run == run ? found : NULL;
    return found->complete && *entry == NULL;
}

bool readings_is_history(const struct readings *readings, struct bytes uri, struct bytes run,
                         struct readings_entry **entry)
{
    *entry = NULL;
    if (record_run_follows(run))
        return true;
    if (!readings->count || !uri.size || !run.size)
        return false;
    struct diff_key key = diff_key_of(uri);
    return readings_is_earlier(readings, &key, hash64(run), entry);
}

bool readings_is_incomplete(const struct readings_entry *entry)
{
    return entry->incomplete_ms != INT64_MIN &&
           (!entry->complete || entry->incomplete_ms > entry->finished_ms);
}

struct readings_entry *readings_next(const struct readings *readings, size_t *at)
{
    while (*at < readings->capacity) {
        struct readings_entry *entry = &readings->items[(*at)++];
        if (!is_free(entry) && !entry->is_mark)
            return entry;
    }
    return NULL;
}
