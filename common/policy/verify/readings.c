/* See the header. */
#include "common/policy/verify/readings.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/model/message/record.h"

#define ROOM_FIRST 32
#define CAPACITY_FIRST 128
#define NAMES_EACH 3 /* of a reading, at most */

/* Open addressing; an entry has two of them, its source's and its reading's, and each path one. */
struct readings_name {
    struct diff_key key; /* both 0: free */
    uint32_t at;         /* of the entry; of a path see has_named */
    bool is_stream;      /* of a path: */
    bool has_complete;
    bool has_named; /* a complete reading that tells its source: `at` is of the latest one */
};

void readings_init(struct readings *readings, size_t bytes_max)
{
    *readings = (struct readings){.bytes_max = bytes_max};
}

void readings_free(struct readings *readings)
{
    for (size_t i = 0; i < readings->count; i++) {
        free((char *)readings->items[i].uri.data);
        free((char *)readings->items[i].rejections.data);
        free((char *)readings->items[i].run_name.data);
        free((char *)readings->items[i].incomplete_name.data);
    }
    free(readings->items);
    free(readings->names);
    readings_init(readings, readings->bytes_max);
}

/* ---- names ------------------------------------------------------------------------------- */

static struct diff_key key_of_source(const struct diff_key *uri, const struct digest *source)
{
    char both[sizeof *uri + sizeof *source];
    memcpy(both, uri, sizeof *uri);
    memcpy(both + sizeof *uri, source, sizeof *source);
    return diff_key_of(bytes_of(both, sizeof both));
}

static struct diff_key key_of_run(const struct diff_key *uri, uint64_t run)
{
    return (struct diff_key){uri->high ^ run, ~uri->low};
}

/* What a follower tells of that source. */
static struct diff_key key_of_follower(const struct diff_key *uri, const struct digest *source)
{
    const struct diff_key key = key_of_source(uri, source);
    return (struct diff_key){~key.high, key.low};
}

static bool is_free(const struct readings_name *name)
{
    return name->key.high == 0 && name->key.low == 0;
}

static size_t home_of(const struct readings *readings, const struct diff_key *key)
{
    return (size_t)key->low & (readings->name_capacity - 1); /* which is 2^n */
}

static struct readings_name *place_of(const struct readings *readings, const struct diff_key *key)
{
    size_t at = home_of(readings, key);
    while (!is_free(&readings->names[at]) && !diff_key_equal(&readings->names[at].key, key))
        at = (at + 1) & (readings->name_capacity - 1);
    return &readings->names[at];
}

static struct readings_name *find(const struct readings *readings, const struct diff_key *key)
{
    struct readings_name *name = readings->name_count ? place_of(readings, key) : NULL;
    return name && !is_free(name) ? name : NULL;
}

/* There is room. */
static struct readings_name *put(struct readings *readings, const struct diff_key *key)
{
    struct readings_name *name = place_of(readings, key);
    readings->name_count += is_free(name);
    name->key = *key;
    return name;
}

/* Those behind it that would not be found any more move up. */
static void drop(struct readings *readings, struct readings_name *name)
{
    size_t last = readings->name_capacity - 1, hole = (size_t)(name - readings->names);
    for (size_t at = (hole + 1) & last; !is_free(&readings->names[at]); at = (at + 1) & last) {
        size_t home = home_of(readings, &readings->names[at].key);
        if (((at - home) & last) < ((at - hole) & last))
            continue;
        readings->names[hole] = readings->names[at];
        hole = at;
    }
    readings->names[hole] = (struct readings_name){0};
    readings->name_count--;
}

/* ---- room -------------------------------------------------------------------------------- */

static bool take_bytes(struct readings *readings, size_t more)
{
    if (more > readings->bytes_max - readings->bytes)
        return false;
    readings->bytes += more;
    return true;
}

static bool grow_names(struct readings *readings)
{
    struct readings bigger = *readings;
    bigger.name_capacity = readings->name_capacity ? readings->name_capacity * 2 : CAPACITY_FIRST;
    size_t more = bigger.name_capacity - readings->name_capacity;
    if (!take_bytes(&bigger, more * sizeof *bigger.names))
        return false;
    bigger.names = mem_zeroed(bigger.name_capacity, sizeof *bigger.names);
    for (size_t i = 0; i < readings->name_capacity; i++)
        if (!is_free(&readings->names[i]))
            *place_of(&bigger, &readings->names[i].key) = readings->names[i];
    free(readings->names);
    *readings = bigger;
    return true;
}

static bool make_room(struct readings *readings)
{
    size_t more = readings->room ? readings->room / 2 : ROOM_FIRST;
    bool names_full = (readings->name_count + NAMES_EACH) * 4 > readings->name_capacity * 3;
    if (names_full && !grow_names(readings))
        return false;
    if (readings->count < readings->room)
        return true;
    if (readings->count >= UINT32_MAX || !take_bytes(readings, more * sizeof *readings->items))
        return false;
    readings->room += more;
    readings->items = mem_resize(readings->items, readings->room, sizeof *readings->items);
    return true;
}

/* ---- readings ---------------------------------------------------------------------------- */

/* The entry of that key; NULL when there is no room. */
static struct readings_entry *make(struct readings *readings, const struct diff_key *key,
                                   struct bytes uri)
{
    struct readings_name *name = find(readings, key);
    if (name)
        return &readings->items[name->at];
    if (!take_bytes(readings, uri.size))
        return NULL;
    put(readings, key)->at = (uint32_t)readings->count;
    readings->items[readings->count] = (struct readings_entry){
        .uri = {mem_text_part(uri.data, uri.size), uri.size},
        .finished_ms = INT64_MIN,
        .incomplete_ms = INT64_MIN,
    };
    return &readings->items[readings->count++];
}

static void drop_text(struct readings *readings, struct bytes *text)
{
    readings->bytes -= text->size;
    free((char *)text->data);
    *text = (struct bytes){0};
}

/* One that has no room is left out. */
static void keep_text(struct readings *readings, struct bytes *text, struct bytes now)
{
    drop_text(readings, text);
    if (now.size && take_bytes(readings, now.size))
        *text = (struct bytes){mem_text_part(now.data, now.size), now.size};
}

/* The messages of the entry's reading are no records any more. */
static void forget_run(struct readings *readings, const struct readings_entry *entry,
                       const struct diff_key *uri)
{
    const struct diff_key key = key_of_run(uri, entry->run);
    struct readings_name *name = find(readings, &key);
    if (name && &readings->items[name->at] == entry)
        drop(readings, name);
}

/* False: a later one of the path, which tells its source, replaces this one, which does not. */
static bool note_path(struct readings *readings, const struct diff_key *uri,
                      const struct reading *reading, const struct readings_entry *entry)
{
    struct readings_name *path = put(readings, uri);
    bool is_later =
        !path->has_named || reading->finished_ms > readings->items[path->at].finished_ms;
    path->is_stream = path->is_stream || reading->stream;
    path->has_complete = path->has_complete || reading->complete;
    if (!reading->has_source && !reading->stream)
        return is_later;
    if (reading->complete && reading->has_source && is_later) {
        path->at = (uint32_t)(entry - readings->items);
        path->has_named = true;
    }
    return true;
}

/* What was told without a source, by a version of Drover that took all of a path for one: the next
 * complete reading of any source of the path replaces it, as it did there. */
static void replace_nameless(struct readings *readings, const struct diff_key *uri)
{
    static const struct digest NONE;
    const struct diff_key key = key_of_source(uri, &NONE);
    const struct readings_name *path = find(readings, uri), *name = find(readings, &key);
    if (!path->has_named || !name)
        return;
    struct readings_entry *entry = &readings->items[name->at];
    int64_t named_ms = readings->items[path->at].finished_ms;
    if (entry->incomplete_ms <= named_ms)
        entry->incomplete_ms = INT64_MIN;
    if (!entry->complete || entry->finished_ms > named_ms)
        return;
    forget_run(readings, entry, uri);
    drop_text(readings, &entry->rejections);
    entry->complete = false;
    entry->finished_ms = INT64_MIN;
    entry->produced = entry->rejected = entry->withheld = 0;
    entry->told_rejected = entry->told_withheld = 0;
}

static void take_complete(struct readings *readings, struct readings_entry *entry,
                          const struct diff_key *uri, const struct reading *reading,
                          struct bytes json)
{
    uint64_t run = hash64(reading->run);
    if (entry->complete && (reading->finished_ms < entry->finished_ms ||
                            (reading->finished_ms == entry->finished_ms && run < entry->run)))
        return;
    if (entry->complete && entry->run != run && !entry->follows)
        forget_run(readings, entry, uri);
    const struct diff_key now = key_of_run(uri, run);
    if (!entry->follows)
        put(readings, &now)->at = (uint32_t)(entry - readings->items);
    entry->complete = true;
    entry->run = run;
    entry->finished_ms = reading->finished_ms;
    entry->read_ms = reading->read_ms ? reading->read_ms : reading->finished_ms;
    entry->produced = reading->produced;
    entry->told_rejected = reading->rejected;
    entry->told_withheld = reading->withheld;
    entry->size = reading->size;
    entry->has_digest = reading->has_digest;
    entry->digest = reading->digest;
    keep_text(readings, &entry->rejections, reading->rejected ? json : (struct bytes){0});
    if (readings->keeps_names)
        keep_text(readings, &entry->run_name, reading->run);
}

static void take_incomplete(struct readings *readings, struct readings_entry *entry,
                            const struct reading *reading)
{
    if (reading->finished_ms <= entry->incomplete_ms)
        return;
    entry->incomplete_ms = reading->finished_ms;
    entry->incomplete_run = hash64(reading->run);
    if (readings->keeps_names)
        keep_text(readings, &entry->incomplete_name, reading->run);
}

static struct readings_entry *entry_of(const struct readings *readings, const struct diff_key *key)
{
    const struct readings_name *name = find(readings, key);
    return name ? &readings->items[name->at] : NULL;
}

static void count_rejected(struct readings_entry *entry, bool is_last)
{
    if (!entry)
        return;
    entry->rejected = is_last ? entry->told_rejected : 0;
    entry->withheld = is_last ? entry->told_withheld : 0;
}

/* Of what a producer and a follower told of one source the later says what is rejected of it. */
static void settle(const struct readings *readings, const struct diff_key *uri,
                   const struct digest *source)
{
    const struct diff_key keys[] = {key_of_source(uri, source), key_of_follower(uri, source)};
    struct readings_entry *read = entry_of(readings, &keys[0]);
    struct readings_entry *followed = entry_of(readings, &keys[1]);
    bool is_read = read && read->complete, is_followed = followed && followed->complete;
    bool read_last = is_read && (!is_followed || read->finished_ms > followed->finished_ms);
    count_rejected(read, read_last);
    count_rejected(followed, !read_last);
}

static struct diff_key key_of_entry(const struct diff_key *uri, const struct reading *reading)
{
    if (reading->stream)
        return key_of_run(uri, hash64(reading->run));
    return record_run_follows(reading->run) ? key_of_follower(uri, &reading->source)
                                            : key_of_source(uri, &reading->source);
}

bool readings_add(struct readings *readings, const struct reading *reading, struct bytes json)
{
    struct diff_key uri = diff_key_of(reading->uri);
    struct diff_key key = key_of_entry(&uri, reading);
    struct readings_entry *entry = make_room(readings) ? make(readings, &key, reading->uri) : NULL;
    if (!entry)
        return false;
    entry->stream = reading->stream;
    entry->follows = !reading->stream && record_run_follows(reading->run);
    entry->has_source = reading->has_source;
    entry->source = reading->source;
    if (!entry->follows && !note_path(readings, &uri, reading, entry))
        return true;
    if (reading->complete)
        take_complete(readings, entry, &uri, reading, json);
    else
        take_incomplete(readings, entry, reading);
    if (reading->stream)
        count_rejected(entry, true);
    else
        settle(readings, &uri, &reading->source);
    if (!entry->follows)
        replace_nameless(readings, &uri);
    return true;
}

bool readings_decide(struct readings *readings, const struct decision *decision)
{
    const struct decision_source *about = &decision->about;
    uint64_t run = decision->run.size ? hash64(decision->run) : 0;
    uint64_t unfinished = about->unfinished.size ? hash64(about->unfinished) : 0;
    struct diff_key uri = diff_key_of(about->uri);
    struct diff_key key = about->stream ? key_of_run(&uri, unfinished ? unfinished : run)
                          : record_run_follows(unfinished ? about->unfinished : decision->run)
                              ? key_of_follower(&uri, &about->source)
                              : key_of_source(&uri, &about->source);
    struct readings_entry *entry = make_room(readings) ? make(readings, &key, about->uri) : NULL;
    if (!entry)
        return false;
    entry->given_up = run;
    entry->given_up_end = unfinished;
    entry->given_up_ms = about->until_ms;
    return true;
}

static bool is_earlier(const struct readings *readings, const struct diff_key *uri, uint64_t run,
                       struct readings_entry **entry)
{
    const struct diff_key key = key_of_run(uri, run);
    const struct readings_name *path = find(readings, uri);
    const struct readings_name *name = path ? find(readings, &key) : NULL;
    *entry = name && readings->items[name->at].complete ? &readings->items[name->at] : NULL;
    return path && !path->is_stream && path->has_complete && *entry == NULL;
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
    return is_earlier(readings, &key, hash64(run), entry);
}

static bool did_not_end(const struct readings_entry *entry)
{
    return entry->incomplete_ms != INT64_MIN &&
           (!entry->complete || entry->incomplete_ms > entry->finished_ms);
}

/* One that goes on does so in its run: what is told later is not meant. */
static bool end_is_given_up(const struct readings_entry *entry)
{
    return entry->given_up_end && entry->incomplete_run == entry->given_up_end &&
           entry->incomplete_ms <= entry->given_up_ms;
}

bool readings_is_incomplete(const struct readings_entry *entry)
{
    return did_not_end(entry) && !end_is_given_up(entry);
}

bool readings_is_given_up(const struct readings_entry *entry)
{
    return did_not_end(entry) && end_is_given_up(entry);
}

bool readings_is_discarded(const struct readings_entry *entry)
{
    return entry->complete && entry->given_up && entry->run == entry->given_up &&
           (!entry->follows || entry->finished_ms <= entry->given_up_ms);
}

struct readings_entry *readings_next(const struct readings *readings, size_t *at)
{
    while (*at < readings->count) {
        struct readings_entry *entry = &readings->items[(*at)++];
        bool is_told = entry->complete || entry->incomplete_ms != INT64_MIN; /* not replaced */
        bool is_quiet = entry->follows && !entry->rejected && !entry->withheld;
        if (is_told && (!is_quiet || did_not_end(entry)))
            return entry;
    }
    return NULL;
}
