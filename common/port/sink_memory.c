#include "common/port/sink_memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PLACE_MOST 1024 /* entity, tenant and id: 63 + 255 + 512 bytes, and separators */
#define LANES_MOST 64

struct entry {
    char *place; /* NULL: free */
    size_t size;
    struct memory_row row;
};

struct progress {
    int32_t partition;
    int64_t next_offset, epoch;
};

struct memory_store {
    struct entry *entries; /* open addressing, a power of two */
    size_t capacity, used;
    struct progress *progress;
    size_t progress_count;
};

enum step {
    STEP_NONE,
    STEP_WRITE,
    STEP_WAIT, /* for sink_commit */
    STEP_COMMIT,
};

struct memory_sink {
    struct sink base;
    struct memory_store *store;
    bool (*refuses)(const struct batch_item *item);
    struct {
        struct batch *batch;
        enum step step;
    } lanes[LANES_MOST];
    int lane_count;
    bool was_full;
    void (*on_closed)(void *owner);
};

/* ---- store ------------------------------------------------------------------------------- */

struct memory_store *memory_store_new(void)
{
    struct memory_store *store = calloc(1, sizeof *store);
    if (!store)
        abort();
    return store;
}

void memory_store_free(struct memory_store *store)
{
    if (!store)
        return;
    for (size_t i = 0; i < store->capacity; i++)
        free(store->entries[i].place);
    free(store->entries);
    free(store->progress);
    free(store);
}

static struct progress *progress_of(struct memory_store *store, int32_t partition)
{
    for (size_t i = 0; i < store->progress_count; i++)
        if (store->progress[i].partition == partition)
            return &store->progress[i];
    store->progress =
        realloc(store->progress, (store->progress_count + 1) * sizeof *store->progress);
    if (!store->progress)
        abort();
    store->progress[store->progress_count] = (struct progress){.partition = partition};
    return &store->progress[store->progress_count++];
}

int64_t memory_store_claim(struct memory_store *store, int32_t partition, int64_t *next_offset)
{
    struct progress *progress = progress_of(store, partition);
    *next_offset = progress->next_offset;
    return ++progress->epoch;
}

static struct bytes place_of(const char *entity, struct bytes tenant, struct bytes id,
                             char out[PLACE_MOST])
{
    struct bytes parts[] = {bytes_text(entity), tenant, id};
    size_t used = 0;
    for (int i = 0; i < 3; i++) {
        assert(used + parts[i].size + 1 < PLACE_MOST);
        memcpy(out + used, parts[i].data, parts[i].size);
        used += parts[i].size;
        out[used++] = '/'; /* percent-encoded inside the parts */
    }
    return bytes_of(out, used);
}

static struct entry *slot_of(struct entry *entries, size_t capacity, struct bytes place)
{
    for (size_t at = hash64(place) & (capacity - 1);; at = (at + 1) & (capacity - 1)) {
        struct entry *entry = &entries[at];
        if (!entry->place || bytes_equal(bytes_of(entry->place, entry->size), place))
            return entry;
    }
}

static void grow(struct memory_store *store)
{
    size_t capacity = store->capacity ? store->capacity * 2 : 1024;
    struct entry *entries = calloc(capacity, sizeof *entries);
    if (!entries)
        abort();
    for (size_t i = 0; i < store->capacity; i++) {
        struct entry *old = &store->entries[i];
        if (old->place)
            *slot_of(entries, capacity, bytes_of(old->place, old->size)) = *old;
    }
    free(store->entries);
    store->entries = entries;
    store->capacity = capacity;
}

static struct entry *make_entry(struct memory_store *store, struct bytes place)
{
    if (store->used * 2 >= store->capacity)
        grow(store);
    struct entry *entry = slot_of(store->entries, store->capacity, place);
    if (entry->place)
        return entry;
    entry->place = malloc(place.size + 1);
    if (!entry->place)
        abort();
    memcpy(entry->place, place.data, place.size);
    entry->size = place.size;
    entry->row.version = INT64_MIN;
    store->used++;
    return entry;
}

const struct memory_row *memory_store_find(const struct memory_store *store, const char *entity,
                                           struct bytes tenant, struct bytes id)
{
    char text[PLACE_MOST];
    if (store->capacity == 0)
        return NULL;
    struct entry *entry =
        slot_of(store->entries, store->capacity, place_of(entity, tenant, id, text));
    return entry->place ? &entry->row : NULL;
}

/* ---- sink -------------------------------------------------------------------------------- */

static struct memory_sink *of(struct sink *sink)
{
    return (struct memory_sink *)sink;
}

static void write_item(struct memory_store *store, struct batch_item *item, bool only_look)
{
    char text[PLACE_MOST];
    struct entry *entry =
        make_entry(store, place_of(item->mapping->entity, item->row.tenant, item->row.id, text));
    struct memory_row *row = &entry->row;
    item->decided = true;
    if (only_look || row->version >= item->row.version) {
        item->verdict = batch_classify(&item->row, row->version,
                                       bytes_of(row->digest.bytes, sizeof row->digest.bytes));
        if (only_look && item->verdict == CLASS_UNCHANGED)
            item->verdict = CLASS_APPLIED;
        return;
    }
    row->version = item->row.version;
    row->digest = item->row.digest;
    row->deleted = item->row.deleted;
    row->writes++;
    item->verdict = CLASS_APPLIED;
}

static void end(struct memory_sink *sink, int lane, enum outcome outcome, const struct error *err)
{
    struct batch *batch = sink->lanes[lane].batch;
    sink->lanes[lane].batch = NULL;
    sink->lanes[lane].step = STEP_NONE;
    sink->base.events.on_done(sink->base.owner, batch, outcome, err);
    if (sink->was_full) {
        sink->was_full = false;
        sink->base.events.on_ready(sink->base.owner);
    }
}

static bool check_fence(struct memory_sink *sink, const struct batch *batch, struct error *err)
{
    const struct progress *progress = progress_of(sink->store, batch->fence.partition);
    if (progress->epoch != batch->fence.epoch)
        error_set(err, OUT_FATAL, ERR_FENCED, "another worker has taken the partition over");
    else if (progress->next_offset != batch->fence.start)
        error_set(err, OUT_FATAL, ERR_PROGRESS,
                  "the batch does not begin where the last one ended");
    else
        return true;
    return false;
}

static void do_commit(struct memory_sink *sink, int lane)
{
    struct batch *batch = sink->lanes[lane].batch;
    struct error err;
    if (!batch->second_look && !check_fence(sink, batch, &err)) {
        end(sink, lane, OUT_FATAL, &err);
        return;
    }
    for (size_t i = 0; i < batch->order_count; i++) {
        struct batch_item *item = &batch->items[batch->order[i]];
        if (!item->decided)
            write_item(sink->store, item, batch->second_look);
    }
    if (!batch->second_look)
        progress_of(sink->store, batch->fence.partition)->next_offset = batch->fence.end;
    end(sink, lane, OUT_OK, NULL);
}

static void do_write(struct memory_sink *sink, int lane)
{
    struct batch *batch = sink->lanes[lane].batch;
    struct error err;
    bool refused = false;
    if (!batch->second_look && !check_fence(sink, batch, &err)) {
        end(sink, lane, OUT_FATAL, &err);
        return;
    }
    error_set(&err, OUT_REJECT, ERR_PG_DATA, "the store refused the record");
    for (size_t i = 0; i < batch->order_count && sink->refuses && !batch->second_look; i++) {
        struct batch_item *item = &batch->items[batch->order[i]];
        if (!sink->refuses(item))
            continue;
        batch_reject(batch, item, &err);
        refused = true;
    }
    sink->lanes[lane].step = refused ? STEP_WAIT : STEP_COMMIT;
    if (refused)
        sink->base.events.on_rejected(sink->base.owner, batch);
}

bool memory_sink_turn(struct sink *base)
{
    struct memory_sink *sink = of(base);
    bool any = false;
    for (int i = 0; i < sink->lane_count; i++) {
        enum step step = sink->lanes[i].step;
        any = any || step == STEP_WRITE || step == STEP_COMMIT;
        if (step == STEP_WRITE)
            do_write(sink, i);
        else if (step == STEP_COMMIT)
            do_commit(sink, i);
    }
    if (!any && sink->on_closed) {
        void (*on_closed)(void *) = sink->on_closed;
        void *owner = base->owner;
        free(sink);
        on_closed(owner);
        return false;
    }
    return any;
}

static int free_lane(const struct memory_sink *sink)
{
    for (int i = 0; i < sink->lane_count; i++)
        if (!sink->lanes[i].batch)
            return i;
    return -1;
}

static bool can_submit(struct sink *base)
{
    bool can = free_lane(of(base)) >= 0;
    of(base)->was_full = of(base)->was_full || !can;
    return can;
}

static void submit(struct sink *base, struct batch *batch)
{
    int lane = free_lane(of(base));
    assert(lane >= 0 && "submit without can_submit");
    of(base)->lanes[lane].batch = batch;
    of(base)->lanes[lane].step = STEP_WRITE;
}

static void commit(struct sink *base, struct batch *batch)
{
    for (int i = 0; i < of(base)->lane_count; i++)
        if (of(base)->lanes[i].batch == batch && of(base)->lanes[i].step == STEP_WAIT)
            of(base)->lanes[i].step = STEP_COMMIT;
}

static void close_sink(struct sink *base, void (*on_closed)(void *owner))
{
    struct memory_sink *sink = of(base);
    struct error err;
    error_set(&err, OUT_RETRY, ERR_PG_TRANSIENT, "the sink was closed");
    sink->on_closed = on_closed;
    for (int i = 0; i < sink->lane_count; i++)
        if (sink->lanes[i].batch)
            end(sink, i, OUT_RETRY, &err);
}

struct sink *memory_sink_new(struct memory_store *store, int lanes,
                             bool (*refuses)(const struct batch_item *item),
                             const struct sink_events *events, void *owner)
{
    static const struct sink_ops OPS = {can_submit, submit, commit, close_sink};
    assert(lanes >= 1 && lanes <= LANES_MOST);
    struct memory_sink *sink = calloc(1, sizeof *sink);
    if (!sink)
        abort();
    sink->base = (struct sink){.ops = &OPS, .events = *events, .owner = owner};
    sink->store = store;
    sink->refuses = refuses;
    sink->lane_count = lanes;
    return &sink->base;
}
