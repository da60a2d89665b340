/*
 * One batch on one lane:
 *
 *   submit ─► (CHECK) ─► WRITE ─────────────► (LOOK) ─► done OK
 *                          │ a record refused
 *                          ▼
 *                      ROLLBACK ─► CAREFUL ◄─► HALVE ─► waits for commit ─► COMMIT ─► (LOOK) ─►
 * done OK
 *
 * WRITE is the usual case, one round trip: BEGIN, fence, for each tenant set_config + upsert,
 * COMMIT. CAREFUL does the same under savepoints and without COMMIT; it stops at the first refused
 * group, which HALVE narrows down to the refused records.
 * LACK asks which rows of a refused group have no parent yet: those are parked. LOOK classifies
 * rows the upserts did not write. CHECK asks whether a COMMIT whose answer was lost took place.
 * Every other failure: ROLLBACK, done.
 */

#include "common/io/pg_writer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/pg_error.h"
#include "common/io/pg_parents_park.h"
#include "common/io/pg_vault.h"
#include "common/io/pg_wire.h"

const struct pg_upsert *pg_writer_upsert_of(const struct pg_sink *sink,
                                            const struct mapping *mapping)
{
    for (size_t i = 0; i < sink->mappings->count; i++)
        if (sink->mappings->items[i] == mapping)
            return sink->upserts[i];
    assert(!"a batch holds a mapping the sink does not know");
    return NULL;
}

/* ---- queries of an exchange -------------------------------------------------------------- */

void pg_writer_plain(struct writer *writer, const char *sql)
{
    pg_lane_query(writer->lane, NULL, sql, NULL, 0);
}

void pg_writer_begin(struct writer *writer)
{
    pg_lane_query(writer->lane, "drover_begin", "BEGIN", NULL, 0);
}

void pg_writer_fence(struct writer *writer)
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

void pg_writer_set_tenant(struct writer *writer, struct bytes tenant)
{
    struct pg_wire wire;
    pg_wire_init(&wire);
    pg_wire_text(&wire, tenant);
    pg_lane_query(writer->lane, "drover_tenant",
                  "SELECT pg_catalog.set_config('app.current_tenant_key', $1, true)", wire.params,
                  wire.count);
}

void pg_writer_upsert(struct writer *writer, const struct batch_group *group, size_t first,
                      size_t count)
{
    struct batch *batch = writer->batch;
    pg_writer_set_tenant(writer, group->tenant);
    pg_upsert_queue(pg_writer_upsert_of(writer->sink, group->mapping), writer->lane, batch,
                    group->tenant, batch->order + first, count, &writer->sink->memory);
}

void pg_writer_enter(struct writer *writer, enum phase phase)
{
    writer->phase = phase;
    pg_lane_sync(writer->lane);
}

/* ---- endings ----------------------------------------------------------------------------- */

void pg_writer_finish(struct writer *writer, enum outcome outcome, const struct error *err)
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
    pg_writer_plain(writer, "ROLLBACK");
    pg_writer_enter(writer, PHASE_ROLLBACK);
}

void pg_writer_give_up(struct writer *writer)
{
    error_set(&writer->failure, OUT_RETRY, ERR_PG_TRANSIENT, "the batch was given up");
    roll_back(writer, false);
}

/* What a failed query means for the batch, outside of the search for refused records. */
void pg_writer_fail(struct writer *writer, const PGresult *result)
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
        pg_writer_finish(writer, OUT_RETRY, &writer->failure);
        return;
    }
    roll_back(writer, false);
}

/* ---- WRITE ------------------------------------------------------------------------------- */

static void start_write(struct writer *writer)
{
    struct batch *batch = writer->batch;
    pg_writer_begin(writer);
    pg_writer_fence(writer);
    writer->vault = pg_vault_queue(writer);
    for (size_t g = 0; g < batch->group_count; g++)
        pg_writer_upsert(writer, &batch->groups[g], batch->groups[g].first, batch->groups[g].count);
    pg_lane_query(writer->lane, "drover_commit", "COMMIT", NULL, 0);
    writer->commit_sent = true;
    pg_writer_enter(writer, PHASE_WRITE);
}

void pg_writer_take_transaction(struct writer *writer, const PGresult *fenced)
{
    writer->transaction = PQntuples(fenced) ? pg_wire_get_int8(fenced, 0, 1) : -1;
}

void pg_writer_note_count(struct batch_group *group, const PGresult *result, size_t sent)
{
    if (strtoull(PQcmdTuples((PGresult *)result), NULL, 10) < sent)
        group->incomplete = true;
}

/* Replies: BEGIN, fence, the vault's, (tenant, upsert) per group, COMMIT. */
static void on_written(struct writer *writer, const struct pg_reply *reply)
{
    struct batch *batch = writer->batch;
    if (reply->failed >= 0) {
        const PGresult *result = reply->results[reply->failed];
        enum pg_action action = pg_error_from_result(result, &writer->failure);
        int upserts = 2 + writer->vault;
        bool in_upsert =
            reply->failed >= upserts && (size_t)(reply->failed - upserts) < 2 * batch->group_count;
        writer->commit_sent = false; /* the pipeline was aborted before it */
        if (in_upsert && (action == PG_RECORD || action == PG_QUARANTINE))
            roll_back(writer, true);
        else
            pg_writer_fail(writer, result);
        return;
    }
    pg_writer_take_transaction(writer, reply->results[1]);
    for (size_t g = 0; g < batch->group_count; g++)
        pg_writer_note_count(&batch->groups[g], reply->results[3 + writer->vault + 2 * (int)g],
                             batch->groups[g].count);
    pg_writer_start_look(writer);
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
    pg_writer_enter(writer, PHASE_CHECK);
}

static void on_checked(struct writer *writer, const struct pg_reply *reply)
{
    struct batch *batch = writer->batch;
    if (reply->failed >= 0) {
        pg_writer_fail(writer, reply->results[reply->failed]);
        return;
    }
    const PGresult *result = reply->results[0];
    if (PQntuples(result) != 1 || pg_wire_get_int8(result, 0, 1) != batch->fence.epoch) {
        error_set(&writer->failure, OUT_FATAL, ERR_FENCED,
                  "another worker has taken the partition over");
        pg_writer_finish(writer, OUT_FATAL, &writer->failure);
        return;
    }
    if (pg_wire_get_int8(result, 0, 0) == batch->fence.end) {
        pg_writer_start_look(
            writer); /* it was committed: outcome_unknown makes it look at every row */
        return;
    }
    batch->outcome_unknown = false;
    start_write(writer);
}

/* Records whose parents are missing go to the waiting room with their batch, as they came. */
static void park_waiting(struct writer *writer)
{
    struct batch *batch = writer->batch;
    const struct sink *sink = &writer->sink->base;
    for (size_t i = 0; i < batch->count; i++) {
        const struct batch_item *item = &batch->items[i];
        struct envelope message;
        if (!item->decided || item->verdict != CLASS_WAITING)
            continue;
        sink->events.view_message(sink->owner, item, &message);
        pg_parents_park(writer->lane, &batch->fence, item, &message, &writer->sink->memory);
    }
}

void pg_writer_start_commit(struct writer *writer)
{
    park_waiting(writer);
    pg_writer_plain(writer, "COMMIT");
    writer->commit_sent = true;
    pg_writer_enter(writer, PHASE_COMMIT);
}

static void on_rolled_back(struct writer *writer, const struct pg_reply *reply)
{
    (void)
        reply; /* outside a transaction ROLLBACK is a warning; nothing else can go wrong with it */
    if (writer->retry_careful)
        pg_writer_begin_careful(writer);
    else
        pg_writer_finish(writer, writer->failure.outcome, &writer->failure);
}

static void on_committed(struct writer *writer, const struct pg_reply *reply)
{
    if (reply->failed < 0) {
        pg_writer_start_look(writer);
        return;
    }
    if (reply->failed + 1 < reply->count)
        writer->commit_sent = false; /* the pipeline was aborted before it */
    pg_writer_fail(writer, reply->results[reply->failed]);
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
        pg_writer_on_careful(writer, reply);
        break;
    case PHASE_LACK:
        pg_writer_on_lacked(writer, reply);
        break;
    case PHASE_HALVE:
        pg_writer_on_halved(writer, reply);
        break;
    case PHASE_COMMIT:
        on_committed(writer, reply);
        break;
    case PHASE_LOOK:
        if (reply->failed >= 0)
            pg_writer_fail(writer, reply->results[reply->failed]);
        else
            pg_writer_on_look(writer, reply);
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
    pg_writer_finish(writer, OUT_RETRY, &lost);
}

void pg_writer_start(struct writer *writer)
{
    struct batch *batch = writer->batch;
    writer->transaction = -1;
    writer->commit_sent = false;
    writer->undo = false;
    if (batch->second_look)
        pg_writer_start_look(writer);
    else if (batch->outcome_unknown)
        start_check(writer);
    else
        start_write(writer);
}

const struct pg_lane_events PG_WRITER_EVENTS = {on_lane_ready, on_reply, on_lane_lost};
