/*
 * One batch on one connection:
 *
 *   submit ─► (CHECK) ─► WRITE ─────────────────────────────────────────────────────► done OK
 *                          │ refused
 *                          ▼
 *                      ROLLBACK ─► search ─► waits for commit ─► (PENDING) ─► COMMIT ─► done OK
 *
 * WRITE is the usual case, one round trip: BEGIN, fence, for each table the tenants of its rows and
 * their upsert, COMMIT. A table that does not take several tenants at once (pg_tenants.h) has one
 * upsert a tenant, and records with boxes have too; of more than PG_WRITER_GROUPS statements it
 * takes several round trips. Each upsert tells which of its rows it did not write and what the
 * table holds instead, so every record has its verdict before COMMIT is sent, and what is committed
 * is what was told.
 *
 * The search does the same under savepoints and without COMMIT. It is where refusals lead, also
 * those that come at COMMIT only. A refusal that may pass (a lock, a deadlock, a resource) is first
 * answered by OUT_RETRY; when it comes again, one of the records may be what raises it.
 *
 * Tables that are being loaded get their rows by COPY instead, in one exchange that is like WRITE
 * (pg_bulk.h); the search appends where it would upsert.
 *
 * CHECK asks whether a COMMIT whose answer was lost took place; when it did, CLASSIFY classifies
 * what has no verdict yet. The first backend may still be at it: CHECK locks the checkpoint row, so
 * it waits for a transaction that has passed the fence; one that has not will be refused by the
 * fence, or pass it while our next attempt waits for its lock. Then the attempt gets DR002, which
 * after any COMMIT of ours means: check again.
 */
#include "common/io/postgres/pg_writer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/postgres/pg_pending_put.h"
#include "common/io/postgres/pg_vault.h"
#include "common/io/postgres/pg_wire.h"

/* ---- CLASSIFY: what an earlier attempt or another process has committed ---- */

/*
 * Classes of a batch that is committed but whose verdicts are not known: the COMMIT's answer was
 * lost together with those of the upserts, or another process wrote it before a crash. The table is
 * asked for each key, the pending children for each offset. What the answers prove:
 *
 *   the row has this version and content     applied: by this record, or by one that says the same
 *   this version, other content              conflict: the other one was first
 *   a greater version                        superseded (by now; it may have stood there a while)
 *   the offset is pending        waiting
 *   its table is being loaded    applied; dead when its offset is among the refused ones
 *   an older row, or none                    not in the store
 *
 * What is not in the store: a record whose dead letter this process sent is dead. In a batch of
 * this process, whose upserts all succeeded or COMMIT would not have, it was written, and somebody
 * removed it since: applied. Before a crash: dead-lettered, as no offset moves past a record that
 * is neither in the store nor waiting nor acknowledged by the dead letter topic; but a delete of a
 * mapping that removes its tombstones was applied.
 */

/* Undecided items of a group into subset; their number. A table that is being loaded cannot be
 * asked. */
static size_t gather(const struct writer *writer, const struct batch_group *group, uint32_t *subset)
{
    const struct batch *batch = writer->batch;
    size_t count = 0;
    if (pg_bulk_has(writer->sink->bulk, group->mapping))
        return 0;
    for (size_t i = 0; i < group->count; i++) {
        uint32_t at = batch->order[group->first + i];
        if (!batch->items[at].decided)
            subset[count++] = at;
    }
    return count;
}

/* Which of the batch's records are among the pending children. */
static void ask_waiting(struct writer *writer)
{
    const struct batch_fence *at = &writer->batch->fence;
    struct pg_wire wire;
    pg_wire_init(&wire);
    pg_wire_text(&wire, bytes_text(at->group));
    pg_wire_text(&wire, bytes_text(at->topic));
    pg_wire_int4(&wire, at->partition);
    pg_wire_int8(&wire, at->start);
    pg_wire_int8(&wire, at->end);
    pg_connection_query(writer->connection, "drover_waiting",
                        "SELECT \"offset\" FROM drover.waiting WHERE \"group\" = $1::text AND "
                        "topic = $2::text AND partition = $3::int4 AND \"offset\" >= $4::int8 AND "
                        "\"offset\" < $5::int8 AND state IS NULL",
                        wire.params, wire.count);
}

static void classify_groups(struct writer *writer)
{
    struct batch *batch = writer->batch;
    size_t g = writer->group;
    for (; g < batch->group_count && g < writer->group + PG_WRITER_GROUPS; g++) {
        struct batch_group *group = &batch->groups[g];
        uint32_t *subset = writer->subset + group->first;
        size_t count = gather(writer, group, subset);
        if (count == 0)
            continue;
        pg_writer_set_tenant(writer, group->tenant);
        pg_upsert_queue_classify(
            pg_upsert_of(writer->sink->mappings, writer->sink->upserts, group->mapping),
            writer->connection, batch, group->tenant, subset, count, &writer->sink->memory);
    }
    writer->group_end = g;
    if (g == batch->group_count) {
        ask_waiting(writer);
        (void)pg_bulk_queue_ask_refused(writer);
        pg_writer_plain(writer, "COMMIT");
    }
    pg_writer_enter(writer, PHASE_CLASSIFY);
}

static void start_classify(struct writer *writer)
{
    struct batch *batch = writer->batch;
    writer->subset = mem_zeroed(batch->order_count + 1, sizeof *writer->subset);
    writer->group = 0;
    writer->head = 1;
    pg_writer_plain(writer, "BEGIN READ ONLY");
    classify_groups(writer);
}

static int by_offset(const void *offset, const void *item)
{
    int64_t wanted = *(const int64_t *)offset, has = ((const struct batch_item *)item)->offset;
    return (wanted > has) - (wanted < has);
}

static void note_waiting(struct batch *batch, const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        int64_t offset = pg_wire_get_int8(result, row, 0);
        struct batch_item *item =
            bsearch(&offset, batch->items, batch->count, sizeof *batch->items, by_offset);
        if (!item)
            continue;
        item->decided = item->tried = true;
        item->verdict = CLASS_WAITING;
    }
}

static void decide(const struct writer *writer, struct batch_item *item)
{
    const struct batch *batch = writer->batch;
    bool purged = item->row.deleted && item->mapping->on_delete == DELETE_HARD;
    bool loading = pg_bulk_has(writer->sink->bulk, item->mapping);
    item->decided = true;
    if (item->seen == SEEN_ROW && item->stored_version >= item->row.version) {
        struct bytes digest = bytes_of(item->stored_digest.bytes, sizeof item->stored_digest.bytes);
        item->verdict =
            batch_classify(&item->row, item->stored_version, item->stored_generation, digest);
        if (item->verdict == CLASS_UNCHANGED)
            item->verdict = CLASS_APPLIED;
    } else if (item->dead_lettered || (batch->redelivered && !purged && !loading)) {
        item->verdict = CLASS_DEAD;
    } else {
        item->verdict = CLASS_APPLIED;
    }
}

/* The candidates of a key one after the other, as they were tried: what is in the store is at or
 * below the first one that is not dead. */
static void decide_all(struct writer *writer)
{
    struct batch *batch = writer->batch;
    size_t first = 0;
    do {
        for (; first < batch->order_count; first++) {
            struct batch_item *item = &batch->items[batch->order[first]];
            if (!item->decided)
                decide(writer, item);
        }
    } while (batch_promote(batch));
    batch_settle(batch);
}

static void take_seen(struct batch_item *item, const PGresult *result, int row)
{
    batch_decide_stored(item, pg_wire_get_int8(result, row, 1),
                        (int32_t)pg_wire_get_int8(result, row, 3),
                        pg_wire_get_bytes(result, row, 2));
    item->decided = false; /* decide() knows more */
}

/* Replies: (BEGIN)? then tenant, look-up per group with undecided records, (the pending children,
 * COMMIT)? */
static void on_classified(struct writer *writer, const struct pg_reply *reply)
{
    struct batch *batch = writer->batch;
    int at = writer->head;
    for (; writer->group < writer->group_end; writer->group++) {
        struct batch_group *group = &batch->groups[writer->group];
        uint32_t *subset = writer->subset + group->first;
        size_t count = gather(writer, group, subset);
        if (count == 0)
            continue;
        const PGresult *result = reply->results[at + 1];
        at += 2;
        for (size_t i = 0; i < count; i++)
            batch->items[subset[i]].seen = SEEN_NOTHING;
        for (int row = 0; row < PQntuples(result); row++) {
            int64_t ordinal = pg_wire_get_int8(result, row, 0);
            if (ordinal >= 1 && (size_t)ordinal <= count)
                take_seen(&batch->items[subset[ordinal - 1]], result, row);
        }
    }
    writer->head = 0;
    if (writer->group < batch->group_count) {
        classify_groups(writer);
        return;
    }
    note_waiting(batch, reply->results[at]);
    bool asked_refused = at + 2 < reply->count;
    if (asked_refused && !pg_bulk_take_refused(writer, reply->results[at + 1])) {
        pg_bulk_forget(writer->sink->bulk);
        batch->outcome_unknown = true; /* it is committed: never write it again */
        error_set(&writer->failure, OUT_RETRY, ERR_PG_LOADING, "the table is loaded by now");
        pg_writer_finish(writer, OUT_RETRY, &writer->failure);
        return;
    }
    decide_all(writer);
    pg_writer_finish(writer, OUT_OK, NULL);
}

/* ---- the search for refused records ---- */

/*
 * The search for refused records. One transaction; parts of the batch under savepoints:
 *
 *   pass      every group as one part, in one exchange; the first refused group is bisected until
 *             its poison stands alone; then the groups behind it
 *   aside     what was refused may have wanted what came behind it, or met a row that another
 *             session wrote meanwhile: again, one by one, until that brings nothing more, then all
 *             together
 *   promote   of keys whose records were refused or pending the next candidates: a pass of theirs
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
 *     bisection. (A RESTRICTIVE policy's 42501; 45000, PT409, P0002, 0A000 of a trigger.)
 *   - what may pass (40001, 57014, 55P03, 53100 …): the record must fail alone ALONE_TRIES times,
 *     in attempts with the worker's pauses between, while the rest of its batch was taken. Where
 *     that is all the proof there is of a server in good order (out of a resource, of its
 *     connection), nothing is blamed unless another record of the batch was written in the same
 *     attempt.
 */

/* A failing record is tried alone so often, when the failure may pass (FAULTS P22: three). */
#define ALONE_TRIES 3
/* Records set aside that are tried together at most: they go out in one exchange. */
#define TOGETHER_MAX 500

static size_t rows_of(const struct batch_group *group)
{
    return group->count - group->pending;
}

static struct batch_item *item_at(const struct writer *writer, size_t place)
{
    return &writer->batch->items[writer->batch->order[place]];
}

/* ---- parts ---- */

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

/* ---- refusals ---- */

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

static bool can_keep_pending(const struct writer *writer)
{
    return writer->failure.code == ERR_PG_PARENT && writer->sink->base.events.view_message;
}

/* The record at `place` of order was refused alone. False when the attempt ended. */
static bool refuse(struct writer *writer, size_t place, enum pg_action action)
{
    struct batch_item *item = item_at(writer, place);
    if (can_keep_pending(
            writer)) { /* its parent went, or stands in the same statement: it may come yet */
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

/* ---- pass ---- */

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
        pg_writer_enter(writer, PHASE_SAVEPOINT);
    else
        pass_done(writer);
}

static void begin_savepoint_pass(struct writer *writer)
{
    batch_rewind(writer->batch);
    batch_promote_equals(writer->batch, pg_bulk_has, writer->sink->bulk);
    writer->group = writer->written = 0;
    writer->missing_parent_asked = writer->probed = writer->undo = false;
    writer->deferred = writer->system = false;
    pg_writer_begin(writer);
    pg_writer_fence(writer);
    writer->head = 2 + pg_bulk_queue_fence(writer);
    start_pass(writer);
}

static void next_part(struct writer *writer, enum pg_action action);

static void start_bisect(struct writer *writer, enum pg_action action)
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
static void on_probed(struct writer *writer, const struct pg_reply *reply)
{
    if (reply->failed < 0) {
        writer->probed = true;
        start_bisect(writer, PG_HALT);
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

static void ask_missing_parent(struct writer *writer)
{
    struct batch *batch = writer->batch;
    const struct batch_group *group = &batch->groups[writer->group];
    const struct pg_upsert *upsert =
        pg_upsert_of(writer->sink->mappings, writer->sink->upserts, group->mapping);
    struct pg_param params[PG_CONNECTION_PARAMS_MAX];
    writer->missing_parent_asked = true;
    pg_writer_plain(writer, "ROLLBACK TO SAVEPOINT part");
    pg_writer_set_tenant(writer, group->tenant);
    int count =
        pg_upsert_missing_parent_params(upsert, batch, group->tenant, batch->order + group->first,
                                        rows_of(group), &writer->sink->memory, params);
    pg_connection_query(writer->connection, upsert->missing_parent_name, upsert->missing_parent_sql,
                        params, count);
    pg_writer_enter(writer, PHASE_MISSING_PARENT);
}

/* Replies: ROLLBACK TO, tenant, ordinals. */
static void on_missing_parent(struct writer *writer, const struct pg_reply *reply)
{
    struct batch_group *group = &writer->batch->groups[writer->group];
    if (reply->failed >= 0) {
        pg_writer_fail(writer, reply->results[reply->failed]);
        return;
    }
    const PGresult *result = reply->results[2];
    bool *missing_parent = mem_zeroed(group->count + 1, sizeof *missing_parent);
    for (int row = 0; row < PQntuples(result); row++) {
        int64_t ordinal = pg_wire_get_int8(result, row, 0);
        if (ordinal >= 1 && (uint64_t)ordinal <= group->count)
            missing_parent[ordinal - 1] = true;
    }
    batch_set_pending(writer->batch, group, missing_parent);
    free(missing_parent);
    writer->undo = true; /* the savepoint still stands */
    writer->head = 0;
    start_pass(writer);
}

/* Replies: (BEGIN, fence)? then a part per group that has rows. */
static void on_savepoint_pass(struct writer *writer, const struct pg_reply *reply)
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
            if (can_keep_pending(writer) && !writer->missing_parent_asked)
                ask_missing_parent(writer);
            else if (!is_record(action) && !is_passing(action) && !writer->probed)
                probe(writer);
            else
                start_bisect(writer, action);
            return;
        }
        pg_writer_take(writer, group->first, rows, reply->results[at + upsert]);
        writer->missing_parent_asked = writer->probed = false;
        at += steps;
    }
    writer->head = 0;
    if (writer->group < batch->group_count)
        start_pass(writer);
    else
        pass_done(writer);
}

/* ---- bisection ---- */

static void group_done(struct writer *writer)
{
    writer->group++;
    writer->missing_parent_asked = writer->probed = false;
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
    pg_writer_enter(writer, PHASE_BISECT);
}

/* Replies: a part's. */
static void on_bisected(struct writer *writer, const struct pg_reply *reply)
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

/* ---- aside ---- */

static void savepoint_pass_done(struct writer *writer);

static void aside_done(struct writer *writer)
{
    struct batch *batch = writer->batch;
    for (size_t i = 0; i < batch->order_count; i++)
        item_at(writer, i)->aside = false;
    writer->deferred = false;
    if (!batch_promote(batch)) {
        savepoint_pass_done(writer);
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
    if (writer->aside_at == batch->order_count && writer->aside_moved) {
        writer->aside_moved = false;
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
    if (!writer->aside_together && count > 1 && count <= TOGETHER_MAX)
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
    writer->aside_moved = false;
    if (reply->failed < 0)
        next_aside(writer); /* the others may have wanted these */
    else
        aside_done(writer);
}

/* Replies: a part's; or SAVEPOINT, then tenant, (vault), upsert of each, and the part's end. */
static void on_aside(struct writer *writer, const struct pg_reply *reply)
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
        writer->aside_moved = true;
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
    writer->aside_moved = writer->aside_together = false;
    if (writer->deferred)
        next_aside(writer);
    else
        aside_done(writer);
}

/* ---- end ---- */

/* All candidates are written or refused. */
static void savepoint_pass_done(struct writer *writer)
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

/* Attempts that a refusal which may pass gets before its batch is searched. */
#define PLAIN_TRIES 2

void pg_writer_give_up(struct writer *writer)
{
    error_set(&writer->failure, OUT_RETRY, ERR_PG_TRANSIENT, "the batch was given up");
    pg_writer_roll_back(writer, AFTER_FINISH);
}

/* ---- WRITE ---- */

/* The first group behind `group` that does not go with it in one statement. */
static size_t end_of_statement(const struct writer *writer, size_t group)
{
    const struct batch *batch = writer->batch;
    const struct pg_sink *sink = writer->sink;
    const struct mapping *mapping = batch->groups[group].mapping;
    if (!pg_tenants_has(sink->tenants, mapping) || pg_bulk_has(sink->bulk, mapping))
        return group + 1;
    size_t end = pg_upsert_span(batch, group);
    for (size_t g = group; g < end; g++)
        if (pg_vault_has(batch, batch->groups[g].first, batch->groups[g].count))
            return g > group ? g : group + 1;
    return end;
}

static void write_groups(struct writer *writer)
{
    struct batch *batch = writer->batch;
    size_t g = writer->group;
    for (int count = 0; g < batch->group_count && count < PG_WRITER_GROUPS; count++) {
        struct batch_group *group = &batch->groups[g];
        size_t end = end_of_statement(writer, g);
        group->together = end - g;
        if (end > g + 1) {
            pg_writer_upsert_several(writer, g, end);
        } else {
            pg_writer_set_tenant(writer, group->tenant);
            pg_vault_queue(writer, group, group->first, group->count);
            pg_writer_upsert(writer, group, group->first, group->count);
        }
        g = end;
    }
    writer->group_end = g;
    if (writer->group_end == batch->group_count) {
        pg_connection_query(writer->connection, "drover_commit", "COMMIT", NULL, 0);
        writer->commit_sent = true;
    }
    pg_writer_enter(writer, PHASE_WRITE);
}

/*
 * A prepared statement keeps its plan until somebody analyses the table. One that was made while
 * the table was empty probes by whatever index comes first, which may be one of the tenant alone
 * (measured: 4,000,000 rows of it read for 2,000 keys in 2,000 rows). So plans are made anew with
 * the 2nd, 4th, 8th … batch of a connection: none is ever used for a table that has grown by much
 * more than twice. Returns its replies.
 */
static int queue_replan(struct writer *writer)
{
    size_t age = ++writer->plans_age;
    if (age < 2 || (age & (age - 1)))
        return 0;
    pg_writer_plain(writer, "DISCARD PLANS");
    return 1;
}

static void start_write(struct writer *writer)
{
    struct batch *batch = writer->batch;
    if (batch->refusals > PLAIN_TRIES) { /* as an earlier attempt found */
        writer->was_copy = pg_bulk_can_copy(writer);
        begin_savepoint_pass(writer);
        return;
    }
    batch_promote_equals(batch, pg_bulk_has, writer->sink->bulk);
    pg_writer_tell_ways(writer);
    if (pg_bulk_can_copy(writer)) {
        pg_bulk_copy(writer);
        writer->phase = PHASE_COPY;
        writer->commit_sent = true;
        return;
    }
    while (batch_promote(batch)) /* soft deletes, after the records they leave */
        ;
    writer->head = 2 + queue_replan(writer);
    pg_writer_begin(writer);
    pg_writer_fence(writer);
    writer->head += pg_bulk_queue_fence(writer);
    writer->head += pg_bulk_queue_count(writer);
    writer->group = 0;
    write_groups(writer);
}

/* By an upsert, or by a check that waited for COMMIT. */
static void on_refused(struct writer *writer, const struct pg_reply *reply)
{
    struct batch *batch = writer->batch;
    const PGresult *result = reply->results[reply->failed];
    enum pg_action action = pg_error_from_result(result, &writer->failure);
    bool passing = is_passing(action);
    pg_writer_note_refusal(writer, reply->failed, passing);
    if (pg_writer_ask_loads_again(writer, result))
        return;
    pg_tenants_forget(writer->sink->tenants); /* a policy of one's own, since they were asked? */
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    bool slow = state && strcmp(state, "57014") == 0; /* half of it takes half the time */
    if (passing && !slow && batch->refusals < PLAIN_TRIES) {
        batch->refusals++;
        pg_writer_try_later(writer, action);
        return;
    }
    batch->refusals = PLAIN_TRIES + 1;
    pg_writer_roll_back(writer, AFTER_SAVEPOINT);
}

/* Replies: ((DISCARD)? BEGIN, fence)? then tenants, (vault), upsert per statement, (COMMIT)? */
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
        on_refused(writer, reply);
        return;
    }
    while (writer->group < writer->group_end) {
        const struct batch_group *group = &batch->groups[writer->group];
        const struct batch_group *last = group + group->together - 1;
        at += 1 + pg_vault_has(batch, group->first, group->count);
        size_t count = last->first + last->count - group->first;
        pg_writer_take(writer, group->first, count, reply->results[at]);
        repeats_note(pg_writer_repeats(writer, group->mapping), count,
                     (size_t)PQntuples(reply->results[at++]));
        writer->group += group->together;
    }
    writer->head = 0;
    if (writer->group < batch->group_count) {
        write_groups(writer);
        return;
    }
    batch_settle(batch);
    pg_writer_finish(writer, OUT_OK, NULL);
}

/* Replies: BEGIN, the fences, a COPY for each run of groups, COMMIT; none behind a failure. */
static void on_copied(struct writer *writer, const struct pg_reply *reply)
{
    struct batch *batch = writer->batch;
    if (reply->failed >= 0)
        writer->commit_sent = false;
    if (reply->failed >= 0 && reply->failed < PG_BULK_HEAD) {
        pg_writer_fail(writer, reply->results[reply->failed]);
        return;
    }
    if (reply->failed >= 0) {
        on_refused(writer, reply);
        return;
    }
    for (size_t g = 0; g < batch->group_count; g++)
        pg_writer_take(writer, batch->groups[g].first, batch->groups[g].count, NULL);
    batch_settle(batch);
    pg_writer_finish(writer, OUT_OK, NULL);
}

/* ---- CHECK, ROLLBACK, COMMIT ---- */

static void start_check(struct writer *writer)
{
    const struct batch_fence *at = &writer->batch->fence;
    struct pg_wire wire;
    pg_wire_init(&wire);
    pg_wire_text(&wire, bytes_text(at->group));
    pg_wire_text(&wire, bytes_text(at->topic));
    pg_wire_int4(&wire, at->partition);
    pg_connection_query(
        writer->connection, NULL,
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
        start_classify(writer);
        return;
    }
    batch->outcome_unknown = false;
    batch_rewind(batch);
    start_write(writer);
}

static void on_pending_put(struct writer *writer, const struct pg_reply *reply)
{
    if (reply->failed >= 0)
        pg_writer_fail(writer, reply->results[reply->failed]);
    else
        pg_writer_put_pending_or_commit(writer);
}

static void ask_tables(struct writer *writer)
{
    pg_bulk_queue_ask(writer);
    pg_tenants_queue_ask(writer->sink->tenants, writer->connection);
    pg_writer_enter(writer, PHASE_ASK_TABLES);
}

static void on_rolled_back(struct writer *writer, const struct pg_reply *reply)
{
    (void)
        reply; /* outside a transaction ROLLBACK is a warning; nothing else can go wrong with it */
    if (writer->after == AFTER_SAVEPOINT)
        begin_savepoint_pass(writer);
    else if (writer->after == AFTER_ASK_TABLES)
        ask_tables(writer);
    else
        pg_writer_finish(writer, writer->failure.outcome, &writer->failure);
}

static void on_committed(struct writer *writer, const struct pg_reply *reply)
{
    if (reply->failed < 0) {
        pg_writer_tell_search(writer);
        pg_writer_finish(writer, OUT_OK, NULL);
        return;
    }
    writer->commit_sent = false; /* the pipeline was aborted before it, or by it */
    pg_writer_fail(writer, reply->results[reply->failed]);
}

static void start_known(struct writer *writer)
{
    struct batch *batch = writer->batch;
    const char *group = "";
    const struct mapping *other = pg_bulk_find_other_load(writer->sink->bulk, batch, &group);
    writer->loads_seen = pg_bulk_generation(writer->sink->bulk);
    if (other) { /* its rows are not in the table yet, and nobody may write it */
        pg_bulk_forget(writer->sink->bulk);
        error_set(&writer->failure, OUT_RETRY, ERR_PG_LOADING,
                  "another group loads the table; its records wait until that is finished");
        error_where(&writer->failure, "%s.%s", other->schema, other->table);
        error_cause(&writer->failure, "group %s loads it", group);
        error_hint(&writer->failure, "drover load finish, or abort, with the --migration of that "
                                     "group");
        pg_writer_finish(writer, OUT_RETRY, &writer->failure);
        return;
    }
    if (batch->redelivered)
        start_classify(writer);
    else if (batch->outcome_unknown)
        start_check(writer);
    else
        start_write(writer);
}

static void on_tables(struct writer *writer, const struct pg_reply *reply)
{
    if (reply->failed >= 0) {
        pg_writer_fail(writer, reply->results[reply->failed]);
        return;
    }
    pg_bulk_take_answer(writer->sink->bulk, reply->results[0]);
    pg_tenants_take_answer(writer->sink->tenants, reply->results[1]);
    bool is_same = writer->loads_seen == pg_bulk_generation(writer->sink->bulk);
    if (writer->was_denied && is_same) { /* so it is the table, or a record */
        writer->batch->refusals = PLAIN_TRIES + 1;
        begin_savepoint_pass(writer);
        return;
    }
    if (writer->was_denied)
        batch_rewind(writer->batch);
    start_known(writer);
}

static void on_reply(void *owner, struct pg_connection *connection, const struct pg_reply *reply)
{
    struct writer *writer = owner;
    (void)connection;
    switch (writer->phase) {
    case PHASE_ASK_TABLES:
        on_tables(writer, reply);
        break;
    case PHASE_CHECK:
        on_checked(writer, reply);
        break;
    case PHASE_WRITE:
        on_written(writer, reply);
        break;
    case PHASE_COPY:
        on_copied(writer, reply);
        break;
    case PHASE_ROLLBACK:
        on_rolled_back(writer, reply);
        break;
    case PHASE_SAVEPOINT:
        on_savepoint_pass(writer, reply);
        break;
    case PHASE_PROBE:
        on_probed(writer, reply);
        break;
    case PHASE_MISSING_PARENT:
        on_missing_parent(writer, reply);
        break;
    case PHASE_BISECT:
        on_bisected(writer, reply);
        break;
    case PHASE_ASIDE:
        on_aside(writer, reply);
        break;
    case PHASE_PENDING:
        on_pending_put(writer, reply);
        break;
    case PHASE_COMMIT:
        on_committed(writer, reply);
        break;
    case PHASE_CLASSIFY:
        if (reply->failed >= 0)
            pg_writer_fail(writer, reply->results[reply->failed]);
        else
            on_classified(writer, reply);
        break;
    case PHASE_FREE:
    case PHASE_WAIT:
        assert(!"a reply nobody asked for");
    }
}

static void on_connection_ready(void *owner, struct pg_connection *connection)
{
    struct writer *writer = owner;
    struct sink *sink = &writer->sink->base;
    (void)connection;
    writer->is_ready = true;
    writer->plans_age = 0;
    pg_tenants_forget(writer->sink->tenants);
    if (writer->sink->lost) {
        writer->sink->lost = false;
        sink->events.on_state(sink->owner, NULL);
    }
    sink->events.on_ready(sink->owner);
}

static void on_connection_lost(void *owner, struct pg_connection *connection,
                               const struct error *err)
{
    struct writer *writer = owner;
    struct sink *sink = &writer->sink->base;
    (void)connection;
    writer->is_ready = false;
    writer->sink->lost = true;
    sink->events.on_state(sink->owner, err);
    if (!writer->batch)
        return;
    /* CLASSIFY comes after COMMIT: it was committed for sure, and is classified */
    if (writer->commit_sent || writer->phase == PHASE_CLASSIFY)
        writer->batch->outcome_unknown = writer->batch->commit_lost = true;
    struct error lost = *err;
    lost.outcome = OUT_RETRY;
    pg_writer_finish(writer, OUT_RETRY, &lost);
}

void pg_writer_start(struct writer *writer)
{
    writer->commit_sent = false;
    writer->undo = false;
    writer->written = 0;
    writer->was_denied = writer->was_copy = false;
    writer->refused = (struct error){0};
    /* what is classified may have been written by somebody who knew of a load that began since */
    bool classifies = writer->batch->redelivered || writer->batch->outcome_unknown;
    if (pg_bulk_is_known(writer->sink->bulk) && pg_tenants_is_known(writer->sink->tenants) &&
        !classifies)
        start_known(writer);
    else
        ask_tables(writer);
}

const struct pg_connection_events PG_WRITER_EVENTS = {on_connection_ready, on_reply,
                                                      on_connection_lost};
