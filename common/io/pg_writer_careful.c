/*
 * The search for refused records: every group again under a savepoint, in one exchange; the first
 * refused group is halved until its poison stands alone; then the groups behind it. A
 * group refused for want of parents is first asked which rows those are: they are parked.
 */

#include "common/io/pg_writer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/pg_error.h"
#include "common/io/pg_vault.h"
#include "common/io/pg_wire.h"

static size_t rows_of(const struct batch_group *group)
{
    return group->count - group->parked;
}

static void start_careful(struct writer *writer)
{
    struct batch *batch = writer->batch;
    for (size_t g = writer->group; g < batch->group_count; g++) {
        pg_writer_plain(writer, "SAVEPOINT part");
        pg_writer_upsert(writer, &batch->groups[g], batch->groups[g].first,
                         rows_of(&batch->groups[g]));
        pg_writer_plain(writer, "RELEASE SAVEPOINT part");
    }
    pg_writer_enter(writer, PHASE_CAREFUL);
}

void pg_writer_begin_careful(struct writer *writer)
{
    writer->group = 0;
    writer->lack_asked = false;
    pg_writer_begin(writer);
    pg_writer_fence(writer);
    writer->head = 2 + pg_vault_queue(writer);
    start_careful(writer);
}

/* All groups are written or their refused records known. */
static void careful_done(struct writer *writer)
{
    struct batch *batch = writer->batch;
    bool refused = false;
    for (size_t i = 0; i < batch->order_count; i++)
        refused = refused || (batch->items[batch->order[i]].decided &&
                              batch->items[batch->order[i]].verdict == CLASS_DEAD);
    if (!refused) {
        pg_writer_start_commit(writer);
        return;
    }
    writer->phase = PHASE_WAIT;
    writer->sink->base.events.on_rejected(writer->sink->base.owner, batch);
}

static void next_part(struct writer *writer);

static bool can_park(const struct writer *writer)
{
    return writer->failure.code == ERR_PG_PARENT && writer->sink->base.events.view_message;
}

static void ask_lack(struct writer *writer)
{
    struct batch *batch = writer->batch;
    const struct batch_group *group = &batch->groups[writer->group];
    const struct pg_upsert *upsert = pg_writer_upsert_of(writer->sink, group->mapping);
    struct pg_param params[PG_LANE_PARAMS_MOST];
    writer->lack_asked = true;
    pg_writer_plain(writer, "ROLLBACK TO SAVEPOINT part");
    pg_writer_set_tenant(writer, group->tenant);
    int count = pg_upsert_lack_params(upsert, batch, group->tenant, batch->order + group->first,
                                      rows_of(group), &writer->sink->memory, params);
    pg_lane_query(writer->lane, upsert->lack_name, upsert->lack_sql, params, count);
    pg_writer_enter(writer, PHASE_LACK);
}

static void start_halving(struct writer *writer)
{
    const struct batch_group *group = &writer->batch->groups[writer->group];
    bisect_init(&writer->bisect, group->first, rows_of(group));
    writer->undo = true;
    next_part(writer);
}

/* Replies: (BEGIN, fence, the vault's | ROLLBACK TO)? then SAVEPOINT, tenant, upsert, RELEASE per
 * group. */
void pg_writer_on_careful(struct writer *writer, const struct pg_reply *reply)
{
    struct batch *batch = writer->batch;
    int head = writer->head;
    int failed = reply->failed < 0 ? reply->count : reply->failed;
    if (reply->failed >= 0 && failed < head) {
        pg_writer_fail(writer, reply->results[failed]);
        return;
    }
    if (head >= 2)
        pg_writer_take_transaction(writer, reply->results[1]);
    size_t first = writer->group;
    size_t written = (size_t)(failed - head) / 4;
    for (size_t i = 0; i < written; i++) {
        struct batch_group *group = &batch->groups[first + i];
        pg_writer_note_count(group, reply->results[head + 4 * (int)i + 2], rows_of(group));
    }
    writer->group = first + written;
    if (reply->failed < 0) {
        careful_done(writer);
        return;
    }
    enum pg_action action = pg_error_from_result(reply->results[failed], &writer->failure);
    if (action != PG_RECORD && action != PG_QUARANTINE) {
        pg_writer_fail(writer, reply->results[failed]);
        return;
    }
    if (written)
        writer->lack_asked = false;
    if (can_park(writer) && !writer->lack_asked)
        ask_lack(writer);
    else
        start_halving(writer);
}

/* Replies: ROLLBACK TO, tenant, ordinals. */
void pg_writer_on_lacked(struct writer *writer, const struct pg_reply *reply)
{
    struct batch_group *group = &writer->batch->groups[writer->group];
    if (reply->failed >= 0) {
        pg_writer_fail(writer, reply->results[reply->failed]);
        return;
    }
    const PGresult *result = reply->results[2];
    bool *lacking = calloc(group->count + 1, sizeof *lacking);
    if (!lacking)
        abort();
    for (int row = 0; row < PQntuples(result); row++) {
        int64_t ordinal = pg_wire_get_int8(result, row, 0);
        if (ordinal >= 1 && (uint64_t)ordinal <= group->count)
            lacking[ordinal - 1] = true;
    }
    batch_park(writer->batch, group, lacking);
    free(lacking);
    writer->undo = false;
    writer->head = 0;
    start_careful(writer);
}

static void refuse(struct writer *writer, size_t at)
{
    struct batch *batch = writer->batch;
    struct error err = writer->failure;
    if (can_park(writer)) { /* its parent went, or stands in the same statement: it may come yet */
        batch->items[batch->order[at]].decided = true;
        batch->items[batch->order[at]].verdict = CLASS_WAITING;
        return;
    }
    err.outcome = OUT_REJECT;
    batch_reject(batch, &batch->items[batch->order[at]], &err);
}

static void group_done(struct writer *writer)
{
    writer->group++;
    writer->lack_asked = false;
    writer->head = writer->undo;
    if (!writer->undo && writer->group == writer->batch->group_count) {
        careful_done(writer);
        return;
    }
    if (writer->undo)
        pg_writer_plain(writer, "ROLLBACK TO SAVEPOINT part");
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
    pg_writer_plain(writer, writer->undo ? "ROLLBACK TO SAVEPOINT part" : "SAVEPOINT part");
    writer->undo = false;
    pg_writer_upsert(writer, &writer->batch->groups[writer->group], first, count);
    pg_writer_plain(writer, "RELEASE SAVEPOINT part");
    pg_writer_enter(writer, PHASE_HALVE);
}

/* Replies: SAVEPOINT or ROLLBACK TO, tenant, upsert, RELEASE. */
void pg_writer_on_halved(struct writer *writer, const struct pg_reply *reply)
{
    if (reply->failed < 0) {
        pg_writer_note_count(&writer->batch->groups[writer->group], reply->results[2],
                             writer->part_count);
        bisect_tell(&writer->bisect, true);
        next_part(writer);
        return;
    }
    enum pg_action action = pg_error_from_result(reply->results[reply->failed], &writer->failure);
    if (action != PG_RECORD && action != PG_QUARANTINE) {
        pg_writer_fail(writer, reply->results[reply->failed]);
        return;
    }
    writer->undo = true;
    bisect_tell(&writer->bisect, false);
    next_part(writer);
}
