/*
 * One batch on one lane:
 *
 *   submit ─► (CHECK) ─► WRITE ─────────────────────────────────────────────────────► done OK
 *                          │ refused
 *                          ▼
 *                      ROLLBACK ─► search (pg_writer_careful.c) ─► waits for commit ─► (PARK) ─►
 *                                  COMMIT ─► done OK
 *
 * WRITE is the usual case, one round trip: BEGIN, fence, for each tenant set_config + upsert,
 * COMMIT (several, for batches of more than PG_WRITER_GROUPS statements). Each upsert tells which
 * of its rows it did not write and what the table holds instead, so every record has its verdict
 * before COMMIT is sent, and what is committed is what was told.
 *
 * The search does the same under savepoints and without COMMIT. It is where refusals lead, also
 * those that come at COMMIT only. A refusal that may pass (a lock, a deadlock, a resource) is first
 * answered by OUT_RETRY; when it comes again, one of the records may be what raises it.
 *
 * CHECK asks whether a COMMIT whose answer was lost took place; when it did, LOOK classifies what
 * has no verdict yet (pg_writer_look.c). The first backend may still be at it: CHECK locks the
 * progress row, so it waits for a transaction that has passed the fence; one that has not will be
 * refused by the fence, or pass it while our next attempt waits for its lock. Then the attempt gets
 * DR002, which after any COMMIT of ours means: check again.
 */

#include "common/io/postgres/pg_writer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/postgres/pg_parents_park.h"
#include "common/io/postgres/pg_vault.h"
#include "common/io/postgres/pg_wire.h"

/* Attempts that a refusal which may pass gets before its batch is searched. */
#define PLAIN_TRIES 2

/* ---- queries of an exchange -------------------------------------------------------------- */

/* ---- endings ----------------------------------------------------------------------------- */

void pg_writer_give_up(struct writer *writer)
{
    error_set(&writer->failure, OUT_RETRY, ERR_PG_TRANSIENT, "the batch was given up");
    pg_writer_roll_back(writer, AFTER_FINISH);
}

/* ---- WRITE ------------------------------------------------------------------------------- */

static void write_groups(struct writer *writer)
{
    struct batch *batch = writer->batch;
    writer->group_end = writer->group + PG_WRITER_GROUPS < batch->group_count
                            ? writer->group + PG_WRITER_GROUPS
                            : batch->group_count;
    for (size_t g = writer->group; g < writer->group_end; g++) {
        const struct batch_group *group = &batch->groups[g];
        pg_writer_set_tenant(writer, group->tenant);
        pg_vault_queue(writer, group, group->first, group->count);
        pg_writer_upsert(writer, group, group->first, group->count);
    }
    if (writer->group_end == batch->group_count) {
        pg_lane_query(writer->lane, "drover_commit", "COMMIT", NULL, 0);
        writer->commit_sent = true;
    }
    pg_writer_enter(writer, PHASE_WRITE);
}

static void start_write(struct writer *writer)
{
    struct batch *batch = writer->batch;
    if (batch->refusals > PLAIN_TRIES) {
        pg_writer_begin_careful(writer);
        return;
    }
    while (batch_promote(batch)) /* soft deletes, after the records they leave */
        ;
    pg_writer_begin(writer);
    pg_writer_fence(writer);
    writer->head = 2;
    writer->group = 0;
    write_groups(writer);
}

/* By an upsert, or by a check that waited for COMMIT. */
static void on_refused(struct writer *writer, const PGresult *result)
{
    struct batch *batch = writer->batch;
    enum pg_action action = pg_error_from_result(result, &writer->failure);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool passing = action == PG_TX_RETRY || action == PG_RESOURCE || action == PG_REPREPARE ||
                   action == PG_CONNECTION_LOST;
    bool slow = state && strcmp(state, "57014") == 0; /* half of it takes half the time */
    if (passing && !slow && batch->refusals < PLAIN_TRIES) {
        batch->refusals++;
        pg_writer_try_later(writer, action);
        return;
    }
    batch->refusals = PLAIN_TRIES + 1;
    pg_writer_roll_back(writer, AFTER_CAREFUL);
}

/* Replies: (BEGIN, fence)? then tenant, (vault), upsert per group, (COMMIT)? */
static void on_written(struct writer *writer, const struct pg_reply *reply)
{
    struct batch *batch = writer->batch;
    int at = writer->head;
    if (reply->failed >= 0)
        writer->commit_sent = false; /* the pipeline was aborted before it, or by it */
    if (reply->failed >= 0 && reply->failed < at) {
        pg_writer_fail(writer, reply->results[reply->failed]);
        return;
    }
    if (reply->failed >= 0) {
        on_refused(writer, reply->results[reply->failed]);
        return;
    }
    for (size_t g = writer->group; g < writer->group_end; g++) {
        const struct batch_group *group = &batch->groups[g];
        at += 1 + pg_vault_has(batch, group->first, group->count);
        pg_writer_take(writer, group->first, group->count, reply->results[at++]);
    }
    writer->group = writer->group_end;
    writer->head = 0;
    if (writer->group < batch->group_count) {
        write_groups(writer);
        return;
    }
    batch_settle(batch);
    pg_writer_finish(writer, OUT_OK, NULL);
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
                  "WHERE \"group\" = $1::text AND topic = $2::text AND \"partition\" = $3::int4 "
                  "FOR UPDATE",
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
    /* with our epoch only this batch can have moved it there */
    if (pg_wire_get_int8(result, 0, 0) == batch->fence.end) {
        pg_writer_start_look(writer);
        return;
    }
    batch->outcome_unknown = false;
    batch_rewind(batch);
    start_write(writer);
}

static void on_parked(struct writer *writer, const struct pg_reply *reply)
{
    if (reply->failed >= 0)
        pg_writer_fail(writer, reply->results[reply->failed]);
    else
        pg_writer_park_or_commit(writer);
}

static void on_rolled_back(struct writer *writer, const struct pg_reply *reply)
{
    (void)
        reply; /* outside a transaction ROLLBACK is a warning; nothing else can go wrong with it */
    if (writer->after == AFTER_CAREFUL)
        pg_writer_begin_careful(writer);
    else
        pg_writer_finish(writer, writer->failure.outcome, &writer->failure);
}

static void on_committed(struct writer *writer, const struct pg_reply *reply)
{
    if (reply->failed < 0) {
        pg_writer_finish(writer, OUT_OK, NULL);
        return;
    }
    writer->commit_sent = false; /* the pipeline was aborted before it, or by it */
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
    case PHASE_PROBE:
        pg_writer_on_probed(writer, reply);
        break;
    case PHASE_LACK:
        pg_writer_on_lacked(writer, reply);
        break;
    case PHASE_HALVE:
        pg_writer_on_halved(writer, reply);
        break;
    case PHASE_ASIDE:
        pg_writer_on_aside(writer, reply);
        break;
    case PHASE_PARK:
        on_parked(writer, reply);
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
        writer->batch->outcome_unknown = writer->batch->commit_lost = true;
    struct error lost = *err;
    lost.outcome = OUT_RETRY;
    pg_writer_finish(writer, OUT_RETRY, &lost);
}

void pg_writer_start(struct writer *writer)
{
    struct batch *batch = writer->batch;
    writer->commit_sent = false;
    writer->undo = false;
    writer->written = 0;
    if (batch->second_look)
        pg_writer_start_look(writer);
    else if (batch->outcome_unknown)
        start_check(writer);
    else
        start_write(writer);
}

const struct pg_lane_events PG_WRITER_EVENTS = {on_lane_ready, on_reply, on_lane_lost};
