#include "common/port/sink_memory.h"

#include <assert.h>
#include <stdlib.h>

#define LANES_MOST 64

enum step {
    STEP_NONE,
    STEP_WRITE,
    STEP_WAIT, /* for sink_commit */
    STEP_COMMIT,
    STEP_GIVE_UP,
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

static struct memory_sink *of(struct sink *sink)
{
    return (struct memory_sink *)sink;
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

static void do_commit(struct memory_sink *sink, int lane)
{
    struct batch *batch = sink->lanes[lane].batch;
    struct error err;
    enum outcome outcome = memory_store_admit(sink->store, batch, &err);
    if (outcome == OUT_OK)
        memory_store_write(sink->store, batch);
    end(sink, lane, outcome, outcome == OUT_OK ? NULL : &err);
}

static void do_give_up(struct memory_sink *sink, int lane)
{
    struct error err;
    error_set(&err, OUT_RETRY, ERR_PG_TRANSIENT, "the batch was given up");
    end(sink, lane, OUT_RETRY, &err);
}

static void do_write(struct memory_sink *sink, int lane)
{
    struct batch *batch = sink->lanes[lane].batch;
    struct error err;
    bool refused = false;
    if (memory_store_admit(sink->store, batch, &err) != OUT_OK) {
        end(sink, lane, OUT_FATAL, &err);
        return;
    }
    error_set(&err, OUT_REJECT, ERR_PG_DATA, "the store refused the record");
    size_t i = 0;
    do {
        for (; i < batch->order_count && sink->refuses && !batch->second_look; i++) {
            struct batch_item *item = &batch->items[batch->order[i]];
            if (item->decided || !sink->refuses(item))
                continue;
            batch_reject(batch, item, &err);
            refused = true;
        }
    } while (!batch->second_look && batch_promote(batch));
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
        any = any || (step != STEP_NONE && step != STEP_WAIT);
        if (step == STEP_WRITE)
            do_write(sink, i);
        else if (step == STEP_COMMIT)
            do_commit(sink, i);
        else if (step == STEP_GIVE_UP)
            do_give_up(sink, i);
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

static void give_up(struct sink *base, struct batch *batch)
{
    for (int i = 0; i < of(base)->lane_count; i++)
        if (of(base)->lanes[i].batch == batch && of(base)->lanes[i].step == STEP_WAIT)
            of(base)->lanes[i].step = STEP_GIVE_UP;
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
    static const struct sink_ops OPS = {can_submit, submit, commit, give_up, close_sink};
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
