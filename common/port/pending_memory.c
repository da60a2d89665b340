/*
 * One turn does what PostgreSQL's sweep does in a pool thread (pg_sweep.c): the clock and the
 * mark, tries as long as one gets in, who is an orphan, what is told.
 */
#include "common/port/pending_memory.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/policy/apply/record_row.h"
#include "common/port/store_memory_children.h"

#define ASK_MS 1000     /* for the ends of all partitions */
#define GAP_MAX_MS 5000 /* of one gap between sweeps so much counts at most */
#define PAGE 500
#define TELL_MAX 1000
#define TELL_BYTES ((size_t)8 << 20)
#define TEXT_MAX ((size_t)512 << 20)

enum request {
    REQUEST_NONE,
    REQUEST_SWEEP,
    REQUEST_FORGET,
};

struct memory_pending {
    struct pending base;
    struct memory_pending_config config;
    struct memory_children *children;
    enum request request;
    bool is_last;
    struct memory_child **told; /* of the round; once forgotten, the port's own */
    size_t told_count;
    bool forgotten;
    struct mapping_work work;
    struct arena arena; /* rows read back */
    void (*on_closed)(void *owner);
};

static struct memory_pending *of(struct pending *base)
{
    return (struct memory_pending *)base;
}

/* ---- the clock and the mark -------------------------------------------------------------- */

/* True: some waits are over. */
static bool go_on(struct memory_pending *pending)
{
    struct memory_children *children = pending->children;
    uint64_t now_ms = clock_now_ms(pending->config.clock);
    uint64_t gap_ms = children->has_swept ? now_ms - children->swept_at_ms : 0;
    bool due = false;
    children->ran_ms += (int64_t)(gap_ms < GAP_MAX_MS ? gap_ms : GAP_MAX_MS);
    children->swept_at_ms = now_ms;
    children->has_swept = true;
    for (size_t i = 0; i < children->count; i++) {
        struct memory_child *child = children->items[i];
        if (!child->has_due)
            child->due_ms = children->ran_ms + (int64_t)pending->config.wait_ms;
        child->has_due = true;
        due = due || pending->is_last || child->due_ms <= children->ran_ms;
    }
    children->visits += children->count;
    return due;
}

static void drop_mark(struct memory_children *children)
{
    free(children->mark_ends);
    children->mark_ends = NULL;
}

static void take_mark(struct memory_pending *pending)
{
    const struct memory_pending_config *config = &pending->config;
    struct memory_children *children = pending->children;
    int64_t *ends = mem_zeroed((size_t)config->partitions + 1, sizeof *ends);
    drop_mark(children);
    if (config->read_to) {
        memcpy(ends, config->read_to, (size_t)config->partitions * sizeof *ends);
    } else if (!bus_ends(config->bus, config->topic, ends, config->partitions, ASK_MS)) {
        free(ends);
        return;
    }
    children->mark_ends = ends;
    children->mark_ms = children->ran_ms;
}

/* Messages between the checkpoints and the mark. */
static uint64_t count_behind(const struct memory_pending *pending)
{
    uint64_t behind = 0;
    for (int32_t i = 0; i < pending->config.partitions; i++) {
        const struct memory_checkpoint *checkpoint =
            memory_store_checkpoint(pending->config.store, i);
        int64_t next_offset = checkpoint ? checkpoint->next_offset : 0;
        int64_t end = pending->children->mark_ends[i];
        behind += end > next_offset ? (uint64_t)(end - next_offset) : 0;
    }
    return behind;
}

/* True: everything up to the mark is written. */
static bool reach_mark(struct memory_pending *pending)
{
    struct memory_children *children = pending->children;
    if (!go_on(pending))
        return false;
    /* what is produced last is behind an older mark */
    if (!children->mark_ends || pending->is_last)
        take_mark(pending);
    if (!children->mark_ends)
        return false;
    pending->base.result.behind = count_behind(pending);
    return pending->base.result.behind == 0;
}

/* ---- trying ------------------------------------------------------------------------------ */

/* What the worker made of it once; another answer now is one more reason to give it up. */
static void add_item(struct memory_pending *pending, struct batch *batch,
                     const struct memory_child *child, int64_t place)
{
    struct envelope message;
    struct record record;
    struct error err;
    struct batch_item *item = batch_add(batch, place);
    const struct mapping_set *mappings = memory_store_mappings(pending->config.store);
    memory_child_view(child, &message);
    enum outcome outcome = envelope_decode(&message, &record, &err);
    if (outcome == OUT_OK) {
        record.tenant = child->tenant;
        record.entity = child->entity;
        record.version = child->version;
        record.has_version = true;
        item->sealed = record.sealed;
        outcome = record_to_row(mappings, &record, record.version, &pending->work, &batch->arena,
                                &item->mapping, &item->row, &err);
    }
    if (outcome != OUT_OK)
        batch_reject(batch, item, &err);
}

/* True when it is decided by now. */
static bool take_verdict(struct memory_pending *pending, struct memory_child *child,
                         const struct batch_item *item)
{
    if (item->verdict == CLASS_WAITING) {
        struct diff_key missing_parent;
        if (memory_store_missing_parent(pending->config.store, item->mapping, &item->row,
                                        &missing_parent))
            child->missing_parent = missing_parent;
        return false;
    }
    child->decided = true;
    child->the_class = item->verdict;
    child->code = item->err ? item->err->code : ERR_NONE;
    return true;
}

/* Its parent came, or a later record of its key has overtaken it. */
static bool is_ready(const struct memory_store *store, const struct memory_child *child)
{
    const struct row row = {
        .version = child->version, .generation = child->generation, .digest = child->digest};
    return memory_store_has(store, &child->missing_parent) ||
           memory_store_holds(store, &child->own, &row);
}

/* The next ones from *at on that have something to wait for no more. */
static enum outcome try_page(struct memory_pending *pending, struct batch *batch, size_t *at,
                             size_t *got, struct error *err)
{
    struct memory_children *children = pending->children;
    struct memory_child *page[PAGE];
    size_t count = 0, bytes = 0;
    batch_reset(batch);
    for (; *at < children->count && count < PAGE && bytes < TELL_BYTES; (*at)++) {
        struct memory_child *child = children->items[*at];
        if (!is_ready(pending->config.store, child))
            continue;
        page[count] = child;
        bytes += child->size;
        add_item(pending, batch, child, (int64_t)count++);
    }
    batch_close(batch);
    enum outcome outcome = count ? memory_store_settle(pending->config.store, batch, err) : OUT_OK;
    for (size_t i = 0; i < count && outcome == OUT_OK; i++)
        *got += take_verdict(pending, page[i], &batch->items[i]);
    return outcome;
}

static enum outcome try_all(struct memory_pending *pending, struct error *err)
{
    enum outcome outcome = OUT_OK;
    struct batch *batch = batch_new(PAGE, TEXT_MAX);
    for (size_t got = 1; got && outcome == OUT_OK;) {
        size_t at = got = 0;
        while (at < pending->children->count && outcome == OUT_OK)
            outcome = try_page(pending, batch, &at, &got, err);
        pending->children->visits += at;
        memory_children_decide(pending->children);
    }
    batch_free(batch);
    return outcome;
}

/* ---- orphans ----------------------------------------------------------------------------- */

static bool is_parent(const struct mapping_set *mappings, struct bytes entity)
{
    for (size_t i = 0; i < mappings->count; i++)
        for (size_t r = 0; r < mappings->items[i]->reference_count; r++)
            if (bytes_equal(bytes_text(mappings->items[i]->references[r].entity), entity))
                return true;
    return false;
}

/* When the wait of the next one is over that may be another's parent. */
static int64_t next_parent_due(const struct memory_pending *pending)
{
    const struct memory_children *children = pending->children;
    const struct mapping_set *mappings = memory_store_mappings(pending->config.store);
    int64_t next_ms = INT64_MAX;
    for (size_t i = 0; i < children->count && !pending->is_last; i++) {
        const struct memory_child *child = children->items[i];
        if (child->due_ms > children->mark_ms && child->due_ms < next_ms &&
            is_parent(mappings, child->entity))
            next_ms = child->due_ms;
    }
    return next_ms;
}

/* One that is due is spared as long as another waits that may be its parent and became pending
 * within the wait after it: that one's own parent has time to come. */
static void name_orphans(struct memory_pending *pending)
{
    struct memory_children *children = pending->children;
    int64_t parent_ms = next_parent_due(pending), wait_ms = (int64_t)pending->config.wait_ms;
    for (size_t i = 0; i < children->count; i++) {
        struct memory_child *child = children->items[i];
        bool over = child->due_ms <= children->mark_ms && parent_ms - wait_ms >= child->due_ms;
        if (!over && !pending->is_last)
            continue;
        child->decided = true;
        child->the_class = CLASS_DEAD;
        child->code = ERR_PG_PARENT;
    }
    children->visits += 2 * children->count; /* and for next_parent_due */
    memory_children_decide(children);
    drop_mark(children);
}

/* ---- telling ----------------------------------------------------------------------------- */

/* How many the open round has: what a crash kept from being forgotten is told first, as it was.
 * Else a new one of the next that are decided. */
static size_t open_round(struct memory_children *children)
{
    size_t count = 0, bytes = 0;
    struct memory_child *child = children->decided;
    bool is_new = child && !child->round;
    children->round += is_new;
    for (; child && (is_new ? count < TELL_MAX : child->round != 0); child = child->next) {
        if (is_new && count && bytes + child->size > TELL_BYTES)
            break;
        if (is_new)
            child->round = children->round;
        bytes += child->size;
        count++;
    }
    return count;
}

/* A row as the store has it now: what became pending may be older than what is there. */
static void read_row(struct memory_pending *pending, struct store_reader *reader,
                     struct pending_applied *applied)
{
    struct stored_record stored;
    bool found = false;
    bool wanted = applied->mapping && applied->mapping->redis.form != REDIS_NONE;
    if (wanted &&
        reader->ops->find(reader, applied->mapping, applied->tenant, applied->id, &stored, &found,
                          NULL) == OUT_OK &&
        found && stored.cells)
        pending_keep_row(applied, &stored, &pending->arena);
}

static void tell_orphan(const struct memory_child *child, struct pending_orphan *orphan)
{
    *orphan = (struct pending_orphan){.partition = child->partition,
                                      .offset = child->offset,
                                      .version = child->version,
                                      .tenant = child->tenant,
                                      .entity = child->entity};
    memory_child_view(child, &orphan->message);
    error_set(&orphan->err, OUT_REJECT, child->code, "%s", error_code_meaning(child->code));
    error_where(&orphan->err, "entity %.*s", BYTES_ARGS(child->entity));
}

static void tell_applied(struct memory_pending *pending, const struct memory_child *child,
                         struct pending_applied *applied)
{
    struct envelope message;
    struct record record;
    *applied = (struct pending_applied){
        .the_class = child->the_class,
        .mapping = mapping_set_find(memory_store_mappings(pending->config.store), child->entity),
        .tenant = child->tenant,
        .version = child->version,
        .partition = child->partition,
        .offset = child->offset};
    memory_child_view(child, &message);
    if (envelope_decode(&message, &record, NULL) == OUT_OK)
        applied->id = record.id;
}

static void tell(struct memory_pending *pending)
{
    struct memory_children *children = pending->children;
    struct pending_result *result = &pending->base.result;
    const struct memory_child *child = children->decided;
    size_t count = pending->told_count = open_round(children);
    result->waiting = children->count;
    result->round = count ? child->round : 0;
    pending->told = mem_zeroed(count + 1, sizeof(struct memory_child *));
    result->applied = mem_zeroed(count + 1, sizeof *result->applied);
    result->orphans = mem_zeroed(count + 1, sizeof *result->orphans);
    for (size_t i = 0; i < count; i++, child = child->next)
        if (child->the_class == CLASS_DEAD)
            tell_orphan(child, &result->orphans[result->orphan_count++]);
        else
            tell_applied(pending, child, &result->applied[result->applied_count++]);
    result->more = child != NULL;
    children->visits += 2 * count;
}

static void read_rows(struct memory_pending *pending)
{
    struct pending_result *result = &pending->base.result;
    if (!pending->config.wants_rows || !result->applied_count ||
        !memory_store_keeps_rows(pending->config.store))
        return;
    struct store_reader *reader = memory_store_reader_open(pending->config.store);
    for (size_t i = 0; i < result->applied_count; i++)
        read_row(pending, reader, &result->applied[i]);
    reader->ops->close(reader);
}

/* ---- a round ----------------------------------------------------------------------------- */

static void end_round(struct pending *base);

static void do_sweep(struct memory_pending *pending, enum memory_fate fate)
{
    struct pending *base = &pending->base;
    struct memory_children *children = pending->children;
    struct error err;
    enum outcome outcome = OUT_OK;
    base->result.busy = children->sweeper && children->sweeper != pending;
    if (!base->result.busy) {
        memory_children_sort(children);
        bool reached = reach_mark(pending);
        outcome = try_all(pending, &err);
        if (outcome == OUT_OK && reached)
            name_orphans(pending);
        if (outcome == OUT_OK) {
            tell(pending);
            read_rows(pending);
        }
        children->sweeper = base->result.round ? pending : NULL;
    }
    if (fate == FATE_ANSWER_LOST) { /* what it decided stays, and is told by a later one */
        end_round(base);
        outcome =
            error_set(&err, OUT_RETRY, ERR_PG_UNREACHABLE, "the answer of the sweep was lost");
    }
    base->events.on_swept(base->owner, outcome, outcome == OUT_OK ? NULL : &err);
}

static void do_forget(struct memory_pending *pending, enum memory_fate fate)
{
    struct pending *base = &pending->base;
    size_t removed = 0;
    if (base->result.round && !pending->forgotten)
        removed = memory_children_take(pending->children, base->result.round, pending->told);
    pending->forgotten = pending->forgotten || removed > 0;
    struct error err;
    if (fate == FATE_DONE)
        base->events.on_forgotten(base->owner, removed, OUT_OK, NULL);
    else
        base->events.on_forgotten(
            base->owner, 0, error_set(&err, OUT_RETRY, ERR_PG_UNREACHABLE, "the answer was lost"),
            &err);
}

static void end_round(struct pending *base)
{
    struct memory_pending *pending = of(base);
    for (size_t i = 0; i < pending->told_count && pending->forgotten; i++)
        free(pending->told[i]);
    free(pending->told);
    free(base->result.applied);
    free(base->result.orphans);
    base->result = (struct pending_result){0};
    arena_reset(&pending->arena);
    pending->told = NULL;
    pending->told_count = 0;
    pending->forgotten = false;
    if (pending->children->sweeper == pending)
        pending->children->sweeper = NULL;
}

static void ask(struct pending *base, enum request request)
{
    assert(of(base)->request == REQUEST_NONE);
    of(base)->request = request;
}

static void sweep(struct pending *base, bool is_last)
{
    ask(base, REQUEST_SWEEP);
    of(base)->is_last = is_last;
}

static void forget(struct pending *base)
{
    ask(base, REQUEST_FORGET);
}

void memory_pending_abandon(struct pending *base)
{
    struct memory_pending *pending = of(base);
    end_round(base);
    mapping_work_free(&pending->work);
    arena_free(&pending->arena);
    free(pending);
}

/* Nothing of it was done. */
static void fail(struct pending *base, enum request request)
{
    struct error err;
    error_set(&err, OUT_RETRY, ERR_PG_UNREACHABLE, "the store is away");
    if (request == REQUEST_SWEEP)
        base->events.on_swept(base->owner, OUT_RETRY, &err);
    else
        base->events.on_forgotten(base->owner, 0, OUT_RETRY, &err);
}

bool memory_pending_turn(struct pending *base, enum memory_fate fate)
{
    struct memory_pending *pending = of(base);
    enum request request = pending->request;
    pending->request = REQUEST_NONE;
    if (pending->on_closed) {
        void (*on_closed)(void *) = pending->on_closed;
        void *owner = base->owner;
        memory_pending_abandon(base);
        on_closed(owner);
        return true;
    }
    if (fate == FATE_FAILED && request != REQUEST_NONE)
        fail(base, request);
    else if (request == REQUEST_SWEEP)
        do_sweep(pending, fate);
    else if (request == REQUEST_FORGET)
        do_forget(pending, fate);
    return request != REQUEST_NONE;
}

static void close_pending(struct pending *base, void (*on_closed)(void *owner))
{
    of(base)->on_closed = on_closed;
}

struct pending *memory_pending_new(const struct memory_pending_config *config,
                                   const struct pending_events *events, void *owner)
{
    static const struct pending_ops OPS = {sweep, forget, end_round, close_pending};
    struct memory_pending *pending = mem_new(sizeof *pending);
    assert(memory_store_mappings(config->store) && "the store knows no mappings");
    pending->base = (struct pending){.ops = &OPS, .events = *events, .owner = owner};
    pending->config = *config;
    pending->children = memory_store_children(config->store);
    mapping_work_init(&pending->work);
    arena_init(&pending->arena, TEXT_MAX);
    return &pending->base;
}
