/*
 * One batch on one lane:
 *
 *   submit ─► (CHECK) ─► WRITE ─────────────► (LOOK) ─► done OK
 *                          │ a record refused
 *                          ▼
 *                      ROLLBACK ─► CAREFUL ◄─► HALVE ─► waits for commit ─► COMMIT ─► (LOOK) ─► done OK
 *
 * WRITE is the usual case, one round trip: BEGIN, fence, for each tenant set_config + upsert, COMMIT.
 * CAREFUL does the same under savepoints and without COMMIT; it stops at the first refused group,
 * which HALVE narrows down to the refused records. LOOK classifies rows the upserts did not write.
 * CHECK asks whether a COMMIT whose answer was lost took place. Every other failure: ROLLBACK, done.
 */

#include "common/io/pg_sink.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/pg_error.h"
#include "common/io/pg_upsert.h"
#include "common/io/pg_wire.h"
#include "common/policy/bisect.h"

#define MEMORY_MOST (512u << 20)
#define LANES_MOST 64

enum phase {
    PHASE_FREE,
    PHASE_CHECK,
    PHASE_WRITE,
    PHASE_ROLLBACK,
    PHASE_CAREFUL,
    PHASE_HALVE,
    PHASE_WAIT, /* refused records are on their way to the dead letters */
    PHASE_COMMIT,
    PHASE_LOOK,
};

struct pg_sink;

struct writer {
    struct pg_sink *sink;
    struct pg_lane *lane;
    enum phase phase;
    struct batch *batch;
    int64_t transaction;  /* ours, to know our rows again; -1 unknown */
    bool commit_sent;
    bool retry_careful;   /* what follows ROLLBACK */
    struct error failure; /* what ROLLBACK reports when it does not go on */
    size_t group;         /* CAREFUL: first group not yet written; HALVE: the refused one */
    int head;             /* CAREFUL: queries before the first group's */
    struct bisect bisect;
    bool undo;            /* a savepoint must be rolled back first */
    size_t part_first, part_count;
    uint32_t *subset; /* LOOK: undecided items, group by group */
    bool is_ready;
};

struct pg_sink {
    struct sink base;
    const struct mapping_set *mappings;
    struct pg_upsert **upserts; /* by position in mappings */
    struct writer *writers;
    int writer_count, open_lanes;
    struct buf memory;
    bool lost;
    void (*on_closed)(void *owner);
    bool closing;
};

static struct pg_sink *of(struct sink *sink)
{
    return (struct pg_sink *)sink;
}

static const struct pg_upsert *upsert_of(const struct pg_sink *sink, const struct mapping *mapping)
{
    for (size_t i = 0; i < sink->mappings->count; i++)
        if (sink->mappings->items[i] == mapping)
            return sink->upserts[i];
    assert(!"a batch holds a mapping the sink does not know");
    return NULL;
}

/* ---- queries of an exchange -------------------------------------------------------------- */

static void plain(struct writer *writer, const char *sql)
{
    pg_lane_query(writer->lane, NULL, sql, NULL, 0);
}

static void begin(struct writer *writer)
{
    pg_lane_query(writer->lane, "drover_begin", "BEGIN", NULL, 0);
}

static void fence(struct writer *writer)
{
    const struct batch_fence *at = &writer->batch->fence;
    struct pg_wire wire;
    struct buf *json = &writer->sink->memory;
    buf_reset(json);
    buf_append_char(json, 1);
    buf_append_bytes(json, at->sequences.size ? at->sequences : BYTES_LITERAL("{}"));
    pg_wire_init(&wire);
    pg_wire_text(&wire, bytes_text(at->group));
    pg_wire_text(&wire, bytes_text(at->topic));
    pg_wire_int4(&wire, at->partition);
    pg_wire_int8(&wire, at->epoch);
    pg_wire_int8(&wire, at->start);
    pg_wire_int8(&wire, at->end);
    pg_wire_int8(&wire, at->redis_next);
    pg_wire_int8(&wire, at->results_next);
    pg_wire_text(&wire, buf_view(json));
    pg_lane_query(writer->lane, "drover_fence",
                  "SELECT drover.fence($1, $2, $3, $4, $5, $6, $7, $8, $9), "
                  "pg_catalog.pg_current_xact_id()::text::int8",
                  wire.params, wire.count);
}

static void set_tenant(struct writer *writer, struct bytes tenant)
{
    struct pg_wire wire;
    pg_wire_init(&wire);
    pg_wire_text(&wire, tenant);
    pg_lane_query(writer->lane, "drover_tenant",
                  "SELECT pg_catalog.set_config('app.current_tenant_key', $1, true)", wire.params,
                  wire.count);
}

static void upsert(struct writer *writer, const struct batch_group *group, size_t first,
                   size_t count)
{
    struct batch *batch = writer->batch;
    set_tenant(writer, group->tenant);
    pg_upsert_queue(upsert_of(writer->sink, group->mapping), writer->lane, batch, group->tenant,
                    batch->order + first, count, &writer->sink->memory);
}

static void enter(struct writer *writer, enum phase phase)
{
    writer->phase = phase;
    pg_lane_sync(writer->lane);
}

/* ---- endings ----------------------------------------------------------------------------- */

static void finish(struct writer *writer, enum outcome outcome, const struct error *err)
{
    struct batch *batch = writer->batch;
    struct sink *sink = &writer->sink->base;
    free(writer->subset);
    writer->subset = NULL;
    writer->batch = NULL;
    writer->phase = PHASE_FREE;
    assert(outcome != OUT_OK || batch_is_decided(batch));
    sink->events.on_done(sink->owner, batch, outcome, err);
    if (sink_can_submit(sink))
        sink->events.on_ready(sink->owner);
}

static void roll_back(struct writer *writer, bool careful)
{
    writer->retry_careful = careful;
    plain(writer, "ROLLBACK");
    enter(writer, PHASE_ROLLBACK);
}

/* What a failed query means for the batch, outside of the search for refused records. */
static void fail(struct writer *writer, const PGresult *result)
{
    enum pg_action action = pg_error_from_result(result, &writer->failure);
    if (action == PG_RECORD || action == PG_QUARANTINE) {
        /* not in an upsert: a constraint that is checked at COMMIT cannot be blamed on a record */
        writer->failure.outcome = OUT_FATAL;
    }
    if (writer->phase == PHASE_LOOK)
        writer->batch->outcome_unknown = true; /* it is committed: never write it again */
    if (action == PG_REPREPARE) {
        pg_lane_reconnect(writer->lane);
        writer->is_ready = false;
        finish(writer, OUT_RETRY, &writer->failure);
        return;
    }
    roll_back(writer, false);
}

/* ---- LOOK -------------------------------------------------------------------------------- */

static bool needs_look(const struct batch *batch, const struct batch_group *group)
{
    return group->incomplete || batch->second_look || batch->outcome_unknown;
}

/* Undecided items of a group into subset; their number. */
static size_t gather(const struct batch *batch, const struct batch_group *group, uint32_t *subset)
{
    size_t count = 0;
    for (size_t i = 0; i < group->count; i++) {
        uint32_t at = batch->order[group->first + i];
        if (!batch->items[at].decided)
            subset[count++] = at;
    }
    return count;
}

static void start_look(struct writer *writer)
{
    struct batch *batch = writer->batch;
    bool any = false;
    for (size_t g = 0; g < batch->group_count; g++) {
        struct batch_group *group = &batch->groups[g];
        bool look = needs_look(batch, group);
        any = any || look;
        for (size_t i = 0; i < group->count && !look; i++) {
            struct batch_item *item = &batch->items[batch->order[group->first + i]];
            if (!item->decided)
                item->verdict = CLASS_APPLIED;
            item->decided = true;
        }
    }
    if (!any) {
        finish(writer, OUT_OK, NULL);
        return;
    }
    writer->subset = calloc(batch->order_count + 1, sizeof *writer->subset);
    if (!writer->subset)
        abort();
    plain(writer, "BEGIN READ ONLY");
    for (size_t g = 0; g < batch->group_count; g++) {
        struct batch_group *group = &batch->groups[g];
        uint32_t *subset = writer->subset + group->first;
        size_t count = needs_look(batch, group) ? gather(batch, group, subset) : 0;
        if (count == 0)
            continue;
        set_tenant(writer, group->tenant);
        pg_upsert_queue_look(upsert_of(writer->sink, group->mapping), writer->lane, batch,
                             group->tenant, subset, count, &writer->sink->memory);
    }
    plain(writer, "COMMIT");
    enter(writer, PHASE_LOOK);
}

static void decide_seen(struct writer *writer, struct batch_item *item, const PGresult *result,
                        int row)
{
    struct batch *batch = writer->batch;
    int64_t version = pg_wire_get_int8(result, row, 1);
    struct bytes digest = bytes_of(PQgetvalue(result, row, 2), (size_t)PQgetlength(result, row, 2));
    int64_t transaction = pg_wire_get_int8(result, row, 3);
    bool ours = writer->transaction >= 0 && transaction == (writer->transaction & 0xffffffff);
    item->decided = true;
    item->verdict = ours ? CLASS_APPLIED : batch_classify(&item->row, version, digest);
    /* after a crash nobody knows who wrote an equal row: it was this record, or one like it */
    bool unsure = batch->second_look || batch->outcome_unknown;
    if (unsure && item->verdict == CLASS_UNCHANGED)
        item->verdict = CLASS_APPLIED;
    if (unsure && version < item->row.version)
        item->verdict = CLASS_DEAD; /* was refused before the crash */
}

static void on_look(struct writer *writer, const struct pg_reply *reply)
{
    struct batch *batch = writer->batch;
    int at = 1;
    for (size_t g = 0; g < batch->group_count; g++) {
        struct batch_group *group = &batch->groups[g];
        uint32_t *subset = writer->subset + group->first;
        size_t count = needs_look(batch, group) ? gather(batch, group, subset) : 0;
        if (count == 0)
            continue;
        const PGresult *result = reply->results[at + 1];
        at += 2;
        for (int row = 0; row < PQntuples(result); row++) {
            int64_t ordinal = pg_wire_get_int8(result, row, 0);
            if (ordinal >= 1 && (size_t)ordinal <= count)
                decide_seen(writer, &batch->items[subset[ordinal - 1]], result, row);
        }
        for (size_t i = 0; i < count; i++) {
            struct batch_item *item = &batch->items[subset[i]];
            if (item->decided)
                continue;
            item->decided = true; /* no row: refused before a crash, or deleted by a stranger since */
            item->verdict = batch->second_look ? CLASS_DEAD : CLASS_APPLIED;
        }
    }
    finish(writer, OUT_OK, NULL);
}

/* ---- WRITE ------------------------------------------------------------------------------- */

static void start_write(struct writer *writer)
{
    struct batch *batch = writer->batch;
    begin(writer);
    fence(writer);
    for (size_t g = 0; g < batch->group_count; g++)
        upsert(writer, &batch->groups[g], batch->groups[g].first, batch->groups[g].count);
    pg_lane_query(writer->lane, "drover_commit", "COMMIT", NULL, 0);
    writer->commit_sent = true;
    enter(writer, PHASE_WRITE);
}

static void take_transaction(struct writer *writer, const PGresult *fenced)
{
    writer->transaction = PQntuples(fenced) ? pg_wire_get_int8(fenced, 0, 1) : -1;
}

static void note_count(struct batch_group *group, const PGresult *result, size_t sent)
{
    if (strtoull(PQcmdTuples((PGresult *)result), NULL, 10) < sent)
        group->incomplete = true;
}

/* Replies: BEGIN, fence, (tenant, upsert) per group, COMMIT. */
static void on_written(struct writer *writer, const struct pg_reply *reply)
{
    struct batch *batch = writer->batch;
    if (reply->failed >= 0) {
        const PGresult *result = reply->results[reply->failed];
        enum pg_action action = pg_error_from_result(result, &writer->failure);
        bool in_upsert = reply->failed >= 2 && (size_t)reply->failed < 2 + 2 * batch->group_count;
        writer->commit_sent = false; /* the pipeline was aborted before it */
        if (in_upsert && (action == PG_RECORD || action == PG_QUARANTINE))
            roll_back(writer, true);
        else
            fail(writer, result);
        return;
    }
    take_transaction(writer, reply->results[1]);
    for (size_t g = 0; g < batch->group_count; g++)
        note_count(&batch->groups[g], reply->results[3 + 2 * g], batch->groups[g].count);
    start_look(writer);
}

/* ---- CAREFUL and HALVE ------------------------------------------------------------------- */

static void start_careful(struct writer *writer)
{
    struct batch *batch = writer->batch;
    for (size_t g = writer->group; g < batch->group_count; g++) {
        plain(writer, "SAVEPOINT part");
        upsert(writer, &batch->groups[g], batch->groups[g].first, batch->groups[g].count);
        plain(writer, "RELEASE SAVEPOINT part");
    }
    enter(writer, PHASE_CAREFUL);
}

static void begin_careful(struct writer *writer)
{
    writer->group = 0;
    writer->head = 2;
    begin(writer);
    fence(writer);
    start_careful(writer);
}

static void start_commit(struct writer *writer)
{
    plain(writer, "COMMIT");
    writer->commit_sent = true;
    enter(writer, PHASE_COMMIT);
}

/* All groups are written or their refused records known. */
static void careful_done(struct writer *writer)
{
    struct batch *batch = writer->batch;
    bool refused = false;
    for (size_t i = 0; i < batch->order_count; i++)
        refused = refused || batch->items[batch->order[i]].decided;
    if (!refused) {
        start_commit(writer);
        return;
    }
    writer->phase = PHASE_WAIT;
    writer->sink->base.events.on_rejected(writer->sink->base.owner, batch);
}

static void next_part(struct writer *writer);

/* Replies: (BEGIN, fence | ROLLBACK TO)? then SAVEPOINT, tenant, upsert, RELEASE per group. */
static void on_careful(struct writer *writer, const struct pg_reply *reply)
{
    struct batch *batch = writer->batch;
    int head = writer->head;
    int failed = reply->failed < 0 ? reply->count : reply->failed;
    if (reply->failed >= 0 && failed < head) {
        fail(writer, reply->results[failed]);
        return;
    }
    if (head == 2)
        take_transaction(writer, reply->results[1]);
    size_t first = writer->group;
    size_t written = (size_t)(failed - head) / 4;
    for (size_t i = 0; i < written; i++) {
        struct batch_group *group = &batch->groups[first + i];
        note_count(group, reply->results[head + 4 * (int)i + 2], group->count);
    }
    writer->group = first + written;
    if (reply->failed < 0) {
        careful_done(writer);
        return;
    }
    enum pg_action action = pg_error_from_result(reply->results[failed], &writer->failure);
    if (action != PG_RECORD && action != PG_QUARANTINE) {
        fail(writer, reply->results[failed]);
        return;
    }
    struct batch_group *group = &batch->groups[writer->group];
    bisect_init(&writer->bisect, group->first, group->count);
    writer->undo = true;
    next_part(writer);
}

static void refuse(struct writer *writer, size_t at)
{
    struct batch *batch = writer->batch;
    struct error err = writer->failure;
    err.outcome = OUT_REJECT;
    batch_reject(batch, &batch->items[batch->order[at]], &err);
}

static void group_done(struct writer *writer)
{
    writer->group++;
    writer->head = writer->undo;
    if (!writer->undo && writer->group == writer->batch->group_count) {
        careful_done(writer);
        return;
    }
    if (writer->undo)
        plain(writer, "ROLLBACK TO SAVEPOINT part");
    writer->undo = false;
    start_careful(writer); /* also with no group left: it carries the ROLLBACK TO */
}

static void next_part(struct writer *writer)
{
    size_t first, count;
    enum bisect_step step;
    while ((step = bisect_next(&writer->bisect, &first, &count)) == BISECT_POISON)
        refuse(writer, first);
    if (step == BISECT_END) {
        group_done(writer);
        return;
    }
    writer->part_first = first;
    writer->part_count = count;
    plain(writer, writer->undo ? "ROLLBACK TO SAVEPOINT part" : "SAVEPOINT part");
    writer->undo = false;
    upsert(writer, &writer->batch->groups[writer->group], first, count);
    plain(writer, "RELEASE SAVEPOINT part");
    enter(writer, PHASE_HALVE);
}

/* Replies: SAVEPOINT or ROLLBACK TO, tenant, upsert, RELEASE. */
static void on_halved(struct writer *writer, const struct pg_reply *reply)
{
    if (reply->failed < 0) {
        note_count(&writer->batch->groups[writer->group], reply->results[2], writer->part_count);
        bisect_tell(&writer->bisect, true);
        next_part(writer);
        return;
    }
    enum pg_action action = pg_error_from_result(reply->results[reply->failed], &writer->failure);
    if (action != PG_RECORD && action != PG_QUARANTINE) {
        fail(writer, reply->results[reply->failed]);
        return;
    }
    writer->undo = true;
    bisect_tell(&writer->bisect, false);
    next_part(writer);
}

/* ---- CHECK, ROLLBACK, COMMIT ------------------------------------------------------------- */

static void start_check(struct writer *writer)
{
    const struct batch_fence *at = &writer->batch->fence;
    struct pg_wire wire;
    pg_wire_init(&wire);
    pg_wire_text(&wire, bytes_text(at->group));
    pg_wire_text(&wire, bytes_text(at->topic));
    pg_wire_int4(&wire, at->partition);
    pg_lane_query(writer->lane, NULL,
                  "SELECT next_offset, epoch FROM drover.partition_progress "
                  "WHERE \"group\" = $1::text AND topic = $2::text AND \"partition\" = $3::int4",
                  wire.params, wire.count);
    enter(writer, PHASE_CHECK);
}

static void on_checked(struct writer *writer, const struct pg_reply *reply)
{
    struct batch *batch = writer->batch;
    if (reply->failed >= 0) {
        fail(writer, reply->results[reply->failed]);
        return;
    }
    const PGresult *result = reply->results[0];
    if (PQntuples(result) != 1 || pg_wire_get_int8(result, 0, 1) != batch->fence.epoch) {
        error_set(&writer->failure, OUT_FATAL, ERR_FENCED,
                  "another worker has taken the partition over");
        finish(writer, OUT_FATAL, &writer->failure);
        return;
    }
    if (pg_wire_get_int8(result, 0, 0) == batch->fence.end) {
        start_look(writer); /* it was committed: outcome_unknown makes it look at every row */
        return;
    }
    batch->outcome_unknown = false;
    start_write(writer);
}

static void on_rolled_back(struct writer *writer, const struct pg_reply *reply)
{
    (void)reply; /* outside a transaction ROLLBACK is a warning; nothing else can go wrong with it */
    if (writer->retry_careful)
        begin_careful(writer);
    else
        finish(writer, writer->failure.outcome, &writer->failure);
}

static void on_committed(struct writer *writer, const struct pg_reply *reply)
{
    if (reply->failed >= 0)
        fail(writer, reply->results[reply->failed]);
    else
        start_look(writer);
}

static void on_reply(void *owner, struct pg_lane *lane, const struct pg_reply *reply)
{
    struct writer *writer = owner;
    (void)lane;
    switch (writer->phase) {
    case PHASE_CHECK:
        on_checked(writer, reply);
        break;
    case PHASE_WRITE:
        on_written(writer, reply);
        break;
    case PHASE_ROLLBACK:
        on_rolled_back(writer, reply);
        break;
    case PHASE_CAREFUL:
        on_careful(writer, reply);
        break;
    case PHASE_HALVE:
        on_halved(writer, reply);
        break;
    case PHASE_COMMIT:
        on_committed(writer, reply);
        break;
    case PHASE_LOOK:
        if (reply->failed >= 0)
            fail(writer, reply->results[reply->failed]);
        else
            on_look(writer, reply);
        break;
    case PHASE_FREE:
    case PHASE_WAIT:
        assert(!"a reply nobody asked for");
    }
}

static void on_lane_ready(void *owner, struct pg_lane *lane)
{
    struct writer *writer = owner;
    struct sink *sink = &writer->sink->base;
    (void)lane;
    writer->is_ready = true;
    if (writer->sink->lost) {
        writer->sink->lost = false;
        sink->events.on_state(sink->owner, NULL);
    }
    sink->events.on_ready(sink->owner);
}

static void on_lane_lost(void *owner, struct pg_lane *lane, const struct error *err)
{
    struct writer *writer = owner;
    struct sink *sink = &writer->sink->base;
    (void)lane;
    writer->is_ready = false;
    writer->sink->lost = true;
    sink->events.on_state(sink->owner, err);
    if (!writer->batch)
        return;
    /* LOOK comes after COMMIT: it was committed for sure, and is looked at again */
    if (writer->commit_sent || writer->phase == PHASE_LOOK)
        writer->batch->outcome_unknown = true;
    struct error lost = *err;
    lost.outcome = OUT_RETRY;
    finish(writer, OUT_RETRY, &lost);
}

/* ---- the contract's calls ---------------------------------------------------------------- */

static struct writer *free_writer(struct pg_sink *sink)
{
    for (int i = 0; i < sink->writer_count; i++)
        if (sink->writers[i].phase == PHASE_FREE && sink->writers[i].is_ready)
            return &sink->writers[i];
    return NULL;
}

static bool can_submit(struct sink *base)
{
    return !of(base)->closing && free_writer(of(base)) != NULL;
}

static void submit(struct sink *base, struct batch *batch)
{
    struct writer *writer = free_writer(of(base));
    assert(writer && "submit without can_submit");
    batch->sink_state = writer;
    writer->batch = batch;
    writer->transaction = -1;
    writer->commit_sent = false;
    writer->undo = false;
    if (batch->second_look)
        start_look(writer);
    else if (batch->outcome_unknown)
        start_check(writer);
    else
        start_write(writer);
}

static void commit(struct sink *base, struct batch *batch)
{
    struct writer *writer = batch->sink_state;
    (void)base;
    if (writer && writer->batch == batch && writer->phase == PHASE_WAIT)
        start_commit(writer);
}

static void free_sink(struct pg_sink *sink)
{
    for (size_t i = 0; i < sink->mappings->count; i++)
        pg_upsert_free(sink->upserts[i]);
    free(sink->upserts);
    free(sink->writers);
    buf_free(&sink->memory);
    free(sink);
}

static void on_lane_closed(void *owner)
{
    struct writer *writer = owner;
    struct pg_sink *sink = writer->sink;
    if (--sink->open_lanes)
        return;
    void (*on_closed)(void *) = sink->on_closed;
    void *base_owner = sink->base.owner;
    free_sink(sink);
    on_closed(base_owner);
}

/* A batch still in flight ends as one whose outcome nobody knows; its transaction ends with the
 * connection. */
static void close_sink(struct sink *base, void (*on_closed)(void *owner))
{
    struct pg_sink *sink = of(base);
    struct error err;
    sink->closing = true;
    sink->on_closed = on_closed;
    error_set(&err, OUT_RETRY, ERR_PG_TRANSIENT, "the sink was closed");
    for (int i = 0; i < sink->writer_count; i++) {
        struct writer *writer = &sink->writers[i];
        if (writer->batch) {
            writer->batch->outcome_unknown = true;
            finish(writer, OUT_RETRY, &err);
        }
        pg_lane_close(writer->lane, on_lane_closed);
    }
}

struct sink *pg_sink_new(uv_loop_t *loop, const struct pg_lane_config *config, int lanes,
                         const struct mapping_set *mappings, const struct sink_events *events,
                         void *owner)
{
    static const struct sink_ops OPS = {can_submit, submit, commit, close_sink};
    static const struct pg_lane_events LANE_EVENTS = {on_lane_ready, on_reply, on_lane_lost};
    assert(lanes >= 1 && lanes <= LANES_MOST);
    struct pg_sink *sink = calloc(1, sizeof *sink);
    if (!sink)
        abort();
    sink->base = (struct sink){.ops = &OPS, .events = *events, .owner = owner};
    sink->mappings = mappings;
    sink->upserts = calloc(mappings->count + 1, sizeof *sink->upserts);
    sink->writers = calloc((size_t)lanes, sizeof *sink->writers);
    if (!sink->upserts || !sink->writers)
        abort();
    for (size_t i = 0; i < mappings->count; i++)
        sink->upserts[i] = pg_upsert_new(mappings->items[i], (int)i);
    buf_init(&sink->memory, MEMORY_MOST);
    sink->writer_count = sink->open_lanes = lanes;
    for (int i = 0; i < lanes; i++) {
        sink->writers[i].sink = sink;
        sink->writers[i].lane = pg_lane_new(loop, config, &LANE_EVENTS, &sink->writers[i]);
    }
    return &sink->base;
}
