/* The steps that every way of writing a batch is made of: statements sent, phases entered, ends. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/postgres/pg_pending_put.h"
#include "common/io/postgres/pg_wire.h"
#include "common/io/postgres/pg_writer.h"

/* Records kept in one exchange at most. */
#define PENDING_MAX 500

void pg_writer_plain(struct writer *writer, const char *sql)
{
    pg_connection_query(writer->connection, NULL, sql, NULL, 0);
}

void pg_writer_begin(struct writer *writer)
{
    pg_connection_query(writer->connection, "drover_begin", "BEGIN", NULL, 0);
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
    pg_connection_query(writer->connection, "drover_fence",
                        "SELECT drover.fence($1, $2, $3, $4, $5, $6, $7, $8, $9)", wire.params,
                        wire.count);
}

static void enter(struct writer *writer, struct bytes tenant, struct bytes tenants)
{
    struct pg_wire wire;
    pg_wire_init(&wire);
    pg_wire_text(&wire, tenant);
    pg_wire_text(&wire, tenants);
    pg_connection_query(writer->connection, "drover_enter", PG_UPSERT_ENTER, wire.params,
                        wire.count);
}

void pg_writer_set_tenant(struct writer *writer, struct bytes tenant)
{
    enter(writer, tenant, BYTES_LITERAL(""));
}

struct repeats *pg_writer_repeats(const struct writer *writer, const struct mapping *mapping)
{
    const struct pg_sink *sink = writer->sink;
    size_t i = 0;
    while (sink->mappings->items[i] != mapping)
        i++;
    return &sink->repeats[i];
}

void pg_writer_upsert_several(struct writer *writer, size_t group, size_t end)
{
    const struct batch *batch = writer->batch;
    const struct batch_group *first = &batch->groups[group], *last = &batch->groups[end - 1];
    struct buf *memory = &writer->sink->memory;
    buf_reset(memory);
    pg_upsert_append_tenants(memory, batch, group, end);
    enter(writer, BYTES_LITERAL(""), buf_view(memory));
    pg_upsert_queue(pg_upsert_of(writer->sink->mappings, writer->sink->upserts, first->mapping),
                    writer->connection, batch, batch->order + first->first,
                    last->first + last->count - first->first,
                    pg_writer_repeats(writer, first->mapping)->expected, memory);
}

void pg_writer_upsert(struct writer *writer, const struct batch_group *group, size_t first,
                      size_t count)
{
    struct batch *batch = writer->batch;
    if (pg_bulk_has(writer->sink->bulk, group->mapping)) {
        pg_bulk_queue_rows(writer, group, first, count);
        return;
    }
    pg_upsert_queue(pg_upsert_of(writer->sink->mappings, writer->sink->upserts, group->mapping),
                    writer->connection, batch, batch->order + first, count,
                    pg_writer_repeats(writer, group->mapping)->expected, &writer->sink->memory);
}

void pg_writer_enter(struct writer *writer, enum phase phase)
{
    writer->phase = phase;
    pg_connection_sync(writer->connection);
}

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

void pg_writer_roll_back(struct writer *writer, enum after after)
{
    writer->after = after;
    pg_writer_plain(writer, "ROLLBACK");
    pg_writer_enter(writer, PHASE_ROLLBACK);
}

void pg_writer_try_later(struct writer *writer, enum pg_action action)
{
    writer->failure.outcome = OUT_RETRY;
    if (action != PG_CONNECTION_LOST && action != PG_REPREPARE) {
        pg_writer_roll_back(writer, AFTER_FINISH);
        return;
    }
    /* a standby after a failover, statements that are gone: the next connection finds better */
    pg_connection_reconnect(writer->connection);
    writer->is_ready = false;
    pg_writer_finish(writer, OUT_RETRY, &writer->failure);
}

bool pg_writer_ask_loads_again(struct writer *writer, const PGresult *result)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const struct batch *batch = writer->batch;
    bool writes = !batch->redelivered && !batch->outcome_unknown;
    if (!writes || writer->was_denied || !state || strcmp(state, "42501") != 0)
        return false;
    writer->was_denied = true;
    writer->undo = false;
    pg_writer_roll_back(writer, AFTER_ASK_TABLES);
    return true;
}

void pg_writer_fail(struct writer *writer, const PGresult *result)
{
    struct batch *batch = writer->batch;
    enum pg_action action = pg_error_from_result(result, &writer->failure);
    if (pg_writer_ask_loads_again(writer, result))
        return;
    if (writer->failure.code == ERR_PG_LOADING)
        pg_bulk_forget(writer->sink->bulk); /* it is over, or will be soon */
    if (writer->phase == PHASE_CLASSIFY)
        batch->outcome_unknown = true; /* it is committed: never write it again */
    if (action == PG_FENCED && writer->failure.code == ERR_CHECKPOINT && batch->commit_lost) {
        batch->outcome_unknown = true; /* it was perhaps ourselves who moved it */
        action = PG_TX_RETRY;
    }
    if (action == PG_TX_RETRY || action == PG_RESOURCE || action == PG_CONNECTION_LOST ||
        action == PG_REPREPARE) {
        pg_writer_try_later(writer, action);
        return;
    }
    if (action == PG_RECORD || action == PG_QUARANTINE)
        writer->failure.outcome = OUT_FATAL; /* not in an upsert: no record can be blamed */
    pg_writer_roll_back(writer, AFTER_FINISH);
}

void pg_writer_take(struct writer *writer, size_t first, size_t count, const PGresult *result)
{
    struct batch *batch = writer->batch;
    for (int row = 0; row < PQntuples(result); row++) {
        int64_t ordinal = pg_wire_get_int8(result, row, 0);
        if (ordinal < 1 || (uint64_t)ordinal > count)
            continue;
        batch_decide_stored(&batch->items[batch->order[first + (size_t)ordinal - 1]],
                            pg_wire_get_int8(result, row, 1),
                            (int32_t)pg_wire_get_int8(result, row, 3),
                            pg_wire_get_bytes(result, row, 2));
    }
    for (size_t i = first; i < first + count; i++) {
        struct batch_item *item = &batch->items[batch->order[i]];
        if (!item->decided)
            item->verdict = CLASS_APPLIED;
        item->decided = true;
    }
    writer->written += count;
}

/* Records whose parents are missing go to the pending children with their batch, as they came. */
static size_t put_some_pending(struct writer *writer)
{
    struct batch *batch = writer->batch;
    const struct sink *sink = &writer->sink->base;
    size_t pending = 0;
    for (; writer->pending_at < batch->count && pending < PENDING_MAX; writer->pending_at++) {
        const struct batch_item *item = &batch->items[writer->pending_at];
        struct envelope message;
        if (!item->decided || item->verdict != CLASS_WAITING)
            continue;
        sink->events.view_message(sink->owner, item, &message);
        pg_pending_put(writer->connection, &batch->fence, item, &message, &writer->sink->memory);
        pending++;
    }
    return pending;
}

void pg_writer_put_pending_or_commit(struct writer *writer)
{
    if (put_some_pending(writer) == PENDING_MAX) {
        pg_writer_enter(writer, PHASE_PENDING);
        return;
    }
    (void)pg_bulk_queue_count(writer);
    pg_bulk_queue_refused(writer);
    pg_writer_plain(writer, "COMMIT");
    writer->commit_sent = true;
    pg_writer_enter(writer, PHASE_COMMIT);
}

void pg_writer_start_commit(struct writer *writer)
{
    writer->pending_at = 0;
    if (writer->undo)
        pg_writer_plain(writer, "ROLLBACK TO SAVEPOINT part");
    writer->undo = false;
    pg_writer_put_pending_or_commit(writer);
}
