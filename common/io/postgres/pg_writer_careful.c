/*
 * The search for refused records. One transaction; parts of the batch under savepoints:
 *
 *   pass      every group as one part, in one exchange; the first refused group is halved until
 *             its poison stands alone; then the groups behind it
 *   aside     what was refused may have wanted what came behind it, or met a row that another
 *             session wrote meanwhile: again, one by one, until that brings nothing more, then all
 *             together
 *   promote   of keys whose records were refused or parked the next candidates: a pass of theirs
 *   end       the refused ones go to the dead letters; then COMMIT
 *
 * A part is: SAVEPOINT, the tenant, sealed boxes, the upsert, SET CONSTRAINTS ALL IMMEDIATE (what
 * would be checked at COMMIT is checked here, where the record is known) and back, RELEASE.
 *
 * Whose fault is a refusal? The SQLSTATE alone cannot say: a trigger may raise any of them for one
 * row. Classes 22, 23 and their like are the record's. For a state that tells of the server:
 *
 *   - a missing right, table, column, function: the same statement is tried without rows. Refused
 *     too: it is the table, and the partition halts. Taken: some row raises it, and is found by
 *     halving. (A RESTRICTIVE policy's 42501; 45000, PT409, P0002, 0A000 of a trigger.)
 *   - what may pass (40001, 57014, 55P03, 53100 …): the record must fail alone ALONE_TRIES times,
 * in attempts with the worker's pauses between, while the rest of its batch was taken. Where that
 *     is all the proof there is of a server in good order (out of a resource, of its connection),
 *     nothing is blamed unless another record of the batch was written in the same attempt.
 */

#include "common/io/postgres/pg_writer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/postgres/pg_vault.h"
#include "common/io/postgres/pg_wire.h"

/* A failing record is tried alone so often, when the failure may pass (FAULTS P22: three). */
#define ALONE_TRIES 3
/* Records set aside that are tried together at most: they go out in one exchange. */
#define TOGETHER_MOST 500

static size_t rows_of(const struct batch_group *group)
{
    return group->count - group->parked;
}

static struct batch_item *item_at(const struct writer *writer, size_t place)
{
    return &writer->batch->items[writer->batch->order[place]];
}

/* ---- parts ------------------------------------------------------------------------------- */

/* Places of the replies of a part, the first of them `0`. */
static int step_of_upsert(const struct writer *writer, size_t first, size_t count)
{
    return 2 + pg_vault_has(writer->batch, first, count);
}

static int steps_of_part(const struct writer *writer, size_t first, size_t count)
{
    return step_of_upsert(writer, first, count) + 4;
}

static void queue_rows(struct writer *writer, const struct batch_group *group, size_t first,
                       size_t count)
{
    pg_writer_set_tenant(writer, group->tenant);
    pg_vault_queue(writer, group, first, count);
    pg_writer_upsert(writer, group, first, count);
}

static void open_part(struct writer *writer)
{
    pg_writer_plain(writer, writer->undo ? "ROLLBACK TO SAVEPOINT part" : "SAVEPOINT part");
    writer->undo = false;
}

static void close_part(struct writer *writer)
{
    pg_writer_plain(writer, "SET CONSTRAINTS ALL IMMEDIATE");
    pg_writer_plain(writer, "SET CONSTRAINTS ALL DEFERRED");
    pg_writer_plain(writer, "RELEASE SAVEPOINT part");
}

static void queue_part(struct writer *writer, const struct batch_group *group, size_t first,
                       size_t count)
{
    open_part(writer);
    queue_rows(writer, group, first, count);
    close_part(writer);
}

/* ---- refusals ---------------------------------------------------------------------------- */

static bool is_passing(enum pg_action action)
{
    return action == PG_TX_RETRY || action == PG_RESOURCE || action == PG_REPREPARE ||
           action == PG_CONNECTION_LOST;
}

static bool is_record(enum pg_action action)
{
    return action == PG_RECORD || action == PG_QUARANTINE;
}

/* Reads a part's failure at its reply `step`. False when it is none of the rows': the attempt
 * ended. */
static bool see_refusal(struct writer *writer, const PGresult *result, int step, int upsert,
                        enum pg_action *action)
{
    if (step < 2 || step > upsert + 1) {
        pg_writer_fail(writer, result);
        return false;
    }
    *action = pg_error_from_result(result, &writer->failure);
    writer->put_off = step == upsert + 1;
    writer->undo = true;
    /* A row that another session wrote at the same instant is not seen by the statement that had to
     * wait for it (DR003); the next statement sees it. */
    bool unseen = writer->failure.code == ERR_PG_SKIPPED;
    writer->deferred = writer->deferred || writer->put_off || unseen;
    writer->sure = is_record(*action) && !writer->put_off && !unseen;
    return true;
}

static bool can_park(const struct writer *writer)
{
    return writer->failure.code == ERR_PG_PARENT && writer->sink->base.events.view_message;
}

/* The record at `place` of order was refused alone. False when the attempt ended. */
static bool refuse(struct writer *writer, size_t place, enum pg_action action)
{
    struct batch_item *item = item_at(writer, place);
    if (can_park(writer)) { /* its parent went, or stands in the same statement: it may come yet */
        item->decided = true;
        item->verdict = CLASS_WAITING;
        return true;
    }
    if (is_passing(action)) {
        writer->system = writer->system || action == PG_RESOURCE || action == PG_CONNECTION_LOST;
        if (++item->suspicions < ALONE_TRIES) {
            pg_writer_try_later(writer, action);
            return false;
        }
    }
    struct error err = writer->failure;
    pg_error_blame_record(&err);
    batch_reject(writer->batch, item, &err);
    item->aside = true;
    item->put_off = writer->put_off;
    return true;
}

/* ---- pass -------------------------------------------------------------------------------- */

static void pass_done(struct writer *writer);

static void start_pass(struct writer *writer)
{
    struct batch *batch = writer->batch;
    size_t g = writer->group;
    bool any = writer->head > 0;
    for (; g < batch->group_count && g < writer->group + PG_WRITER_GROUPS; g++) {
        const struct batch_group *group = &batch->groups[g];
        if (rows_of(group) == 0)
            continue;
        queue_part(writer, group, group->first, rows_of(group));
        any = true;
    }
    writer->group_end = g;
    if (any)
        pg_writer_enter(writer, PHASE_CAREFUL);
    else
        pass_done(writer);
}

void pg_writer_begin_careful(struct writer *writer)
{
    batch_rewind(writer->batch);
    writer->group = writer->written = 0;
    writer->lack_asked = writer->probed = writer->undo = false;
    writer->deferred = writer->system = false;
    pg_writer_begin(writer);
    pg_writer_fence(writer);
    writer->head = 2;
    start_pass(writer);
}

static void next_part(struct writer *writer, enum pg_action action);

static void start_halving(struct writer *writer, enum pg_action action)
{
    const struct batch_group *group = &writer->batch->groups[writer->group];
    bisect_init(&writer->bisect, group->first, rows_of(group));
    writer->part_first = group->first;
    writer->part_count = rows_of(group);
    next_part(writer, action);
}

/* Without rows: only what is wrong with the table or the rights is refused. */
static void probe(struct writer *writer)
{
    struct batch *batch = writer->batch;
    const struct batch_group *group = &batch->groups[writer->group];
    pg_writer_plain(writer, "ROLLBACK TO SAVEPOINT part");
    pg_writer_set_tenant(writer, group->tenant);
    pg_writer_upsert(writer, group, group->first, 0);
    pg_writer_enter(writer, PHASE_PROBE);
}

/* Replies: ROLLBACK TO, tenant, upsert. */
void pg_writer_on_probed(struct writer *writer, const struct pg_reply *reply)
{
    if (reply->failed < 0) {
        writer->probed = true;
        start_halving(writer, PG_HALT);
        return;
    }
    const PGresult *result = reply->results[reply->failed];
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    /* "cached plan must not change result type": once, on a connection that has no plans yet */
    if (state && strcmp(state, "0A000") == 0 && writer->batch->attempts == 0) {
        pg_error_from_result(result, &writer->failure);
        pg_writer_try_later(writer, PG_REPREPARE);
        return;
    }
    pg_writer_fail(writer, result);
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
    writer->undo = true; /* the savepoint still stands */
    writer->head = 0;
    start_pass(writer);
}

/* Replies: (BEGIN, fence)? then a part per group that has rows. */
void pg_writer_on_careful(struct writer *writer, const struct pg_reply *reply)
{
    struct batch *batch = writer->batch;
    int at = writer->head;
    enum pg_action action;
    if (reply->failed >= 0 && reply->failed < at) {
        pg_writer_fail(writer, reply->results[reply->failed]);
        return;
    }
    for (; writer->group < writer->group_end; writer->group++) {
        const struct batch_group *group = &batch->groups[writer->group];
        size_t rows = rows_of(group);
        if (rows == 0)
            continue;
        int upsert = step_of_upsert(writer, group->first, rows);
        int steps = steps_of_part(writer, group->first, rows);
        if (reply->failed >= 0 && reply->failed < at + steps) {
            if (!see_refusal(writer, reply->results[reply->failed], reply->failed - at, upsert,
                             &action))
                return;
            if (can_park(writer) && !writer->lack_asked)
                ask_lack(writer);
            else if (!is_record(action) && !is_passing(action) && !writer->probed)
                probe(writer);
            else
                start_halving(writer, action);
            return;
        }
        pg_writer_take(writer, group->first, rows, reply->results[at + upsert]);
        writer->lack_asked = writer->probed = false;
        at += steps;
    }
    writer->head = 0;
    if (writer->group < batch->group_count)
        start_pass(writer);
    else
        pass_done(writer);
}

/* ---- halving ----------------------------------------------------------------------------- */

static void group_done(struct writer *writer)
{
    writer->group++;
    writer->lack_asked = writer->probed = false;
    writer->head = 0;
    if (writer->group < writer->batch->group_count)
        start_pass(writer);
    else
        pass_done(writer);
}

/* A record is only refused for having been refused alone, unless its refusal is one that cannot
 * depend on the others of its part. */
static bool was_alone(const struct writer *writer, size_t place)
{
    return writer->part_first == place && writer->part_count == 1;
}

static void next_part(struct writer *writer, enum pg_action action)
{
    size_t first, count;
    enum bisect_step step;
    while ((step = bisect_next(&writer->bisect, &first, &count)) == BISECT_POISON) {
        if (!writer->sure && !was_alone(writer, first)) {
            count = 1;
            break;
        }
        if (!refuse(writer, first, action))
            return;
    }
    if (step == BISECT_END) {
        group_done(writer);
        return;
    }
    writer->part_first = first;
    writer->part_count = count;
    queue_part(writer, &writer->batch->groups[writer->group], first, count);
    pg_writer_enter(writer, PHASE_HALVE);
}

/* Replies: a part's. */
void pg_writer_on_halved(struct writer *writer, const struct pg_reply *reply)
{
    size_t first = writer->part_first, count = writer->part_count;
    int upsert = step_of_upsert(writer, first, count);
    bool confirming = writer->bisect.current.known_bad; /* a poison, tried alone for once */
    enum pg_action action = PG_RECORD;
    if (reply->failed < 0) {
        pg_writer_take(writer, first, count, reply->results[upsert]);
    } else {
        if (!see_refusal(writer, reply->results[reply->failed], reply->failed, upsert, &action))
            return;
        if (confirming && !refuse(writer, first, action))
            return;
    }
    if (!confirming)
        bisect_tell(&writer->bisect, reply->failed < 0);
    next_part(writer, action);
}

/* ---- aside ------------------------------------------------------------------------------- */

static void careful_done(struct writer *writer);

static void aside_done(struct writer *writer)
{
    struct batch *batch = writer->batch;
    for (size_t i = 0; i < batch->order_count; i++)
        item_at(writer, i)->aside = false;
    writer->deferred = false;
    if (!batch_promote(batch)) {
        careful_done(writer);
        return;
    }
    writer->head = 0;
    start_pass(writer); /* from the first new group on */
}

static struct batch_group group_of(const struct batch_item *item)
{
    return (struct batch_group){.mapping = item->mapping, .tenant = item->row.tenant};
}

static bool goes_together(const struct batch_item *item)
{
    return item->aside && item->put_off;
}

static size_t count_together(const struct writer *writer)
{
    size_t count = 0;
    for (size_t i = 0; i < writer->batch->order_count; i++)
        count += goes_together(item_at(writer, i));
    return count;
}

/* Rows that refer to each other pass together or not at all. (Those of a circle fail with any other
 * row whose check can wait and that is refused: which of them is at fault cannot be asked.) */
static void try_together(struct writer *writer)
{
    writer->aside_together = true;
    open_part(writer);
    for (size_t i = 0; i < writer->batch->order_count; i++) {
        struct batch_group group = group_of(item_at(writer, i));
        if (goes_together(item_at(writer, i)))
            queue_rows(writer, &group, i, 1);
    }
    close_part(writer);
    pg_writer_enter(writer, PHASE_ASIDE);
}

static void next_aside(struct writer *writer)
{
    const struct batch *batch = writer->batch;
    while (writer->aside_at < batch->order_count && !item_at(writer, writer->aside_at)->aside)
        writer->aside_at++;
    if (writer->aside_at == batch->order_count && writer->aside_progress) {
        writer->aside_progress = false;
        writer->aside_at = 0;
        next_aside(writer); /* once: what is aside now is fewer */
        return;
    }
    if (writer->aside_at < batch->order_count) {
        struct batch_group group = group_of(item_at(writer, writer->aside_at));
        queue_part(writer, &group, writer->aside_at, 1);
        pg_writer_enter(writer, PHASE_ASIDE);
        return;
    }
    size_t count = count_together(writer);
    if (!writer->aside_together && count > 1 && count <= TOGETHER_MOST)
        try_together(writer);
    else
        aside_done(writer);
}

static void take_aside(struct writer *writer, size_t place, const PGresult *result)
{
    struct batch_item *item = item_at(writer, place);
    item->decided = item->aside = false;
    pg_writer_take(writer, place, 1, result);
}

static void on_together(struct writer *writer, const struct pg_reply *reply)
{
    int at = 1;
    writer->undo = reply->failed >= 0;
    for (size_t i = 0; i < writer->batch->order_count && reply->failed < 0; i++) {
        if (!goes_together(item_at(writer, i)))
            continue;
        int upsert = step_of_upsert(writer, i, 1) - 1; /* no SAVEPOINT of its own */
        take_aside(writer, i, reply->results[at + upsert]);
        at += upsert + 1;
    }
    writer->aside_at = 0;
    writer->aside_progress = false;
    if (reply->failed < 0)
        next_aside(writer); /* the others may have wanted these */
    else
        aside_done(writer);
}

/* Replies: a part's; or SAVEPOINT, then tenant, (vault), upsert of each, and the part's end. */
void pg_writer_on_aside(struct writer *writer, const struct pg_reply *reply)
{
    size_t place = writer->aside_at;
    enum pg_action action;
    if (writer->aside_together && place == writer->batch->order_count) {
        on_together(writer, reply);
        return;
    }
    int upsert = step_of_upsert(writer, place, 1);
    if (reply->failed < 0) {
        take_aside(writer, place, reply->results[upsert]);
        writer->aside_progress = true;
    } else {
        if (!see_refusal(writer, reply->results[reply->failed], reply->failed, upsert, &action) ||
            !refuse(writer, place, action))
            return;
        if (item_at(writer, place)->verdict == CLASS_WAITING)
            item_at(writer, place)->aside = false;
    }
    writer->aside_at++;
    next_aside(writer);
}

static void pass_done(struct writer *writer)
{
    writer->aside_at = 0;
    writer->aside_progress = writer->aside_together = false;
    if (writer->deferred)
        next_aside(writer);
    else
        aside_done(writer);
}

/* ---- end --------------------------------------------------------------------------------- */

/* All candidates are written or refused. */
static void careful_done(struct writer *writer)
{
    struct batch *batch = writer->batch;
    bool refused = false;
    if (writer->system && writer->written == 0) { /* nothing shows that the server is well */
        error_set(&writer->failure, OUT_RETRY, ERR_PG_RESOURCE,
                  "PostgreSQL takes no record of the batch");
        pg_writer_try_later(writer, PG_RESOURCE);
        return;
    }
    batch_settle(batch);
    for (size_t i = 0; i < batch->order_count; i++)
        refused = refused || item_at(writer, i)->verdict == CLASS_DEAD;
    if (!refused) {
        pg_writer_start_commit(writer);
        return;
    }
    writer->phase = PHASE_WAIT;
    writer->sink->base.events.on_rejected(writer->sink->base.owner, batch);
}
