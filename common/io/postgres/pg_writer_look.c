/*
 * Classes of a batch that is committed but whose verdicts are not known: the COMMIT's answer was
 * lost together with those of the upserts, or another process wrote it before a crash (second
 * look). The table is asked for each key, the waiting room for each offset. What the answers prove:
 *
 *   the row has this version and content     applied: by this record, or by one that says the same
 *   this version, other content              conflict: the other one was first
 *   a greater version                        superseded (by now; perhaps it stood there for a
 * while) the offset is in the waiting room        waiting an older row, or none not in the store. A
 * record whose dead letter this process sent: dead. A batch of this process, whose upserts all
 * succeeded or COMMIT would not have: it was written, and somebody removed it since: applied.
 * Before a crash: dead-lettered, as no offset moves past a record that is neither in the store nor
 * waiting nor acknowledged by the dead letter topic; but a delete of a mapping that removes its
 * tombstones was applied.
 */

#include "common/io/postgres/pg_writer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/postgres/pg_wire.h"

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

/* Which of the batch's records are in the waiting room. */
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
    pg_lane_query(writer->lane, "drover_waiting",
                  "SELECT \"offset\" FROM drover.waiting WHERE \"group\" = $1::text AND "
                  "topic = $2::text AND partition = $3::int4 AND \"offset\" >= $4::int8 AND "
                  "\"offset\" < $5::int8 AND state IS NULL",
                  wire.params, wire.count);
}

static void look_at_groups(struct writer *writer)
{
    struct batch *batch = writer->batch;
    size_t g = writer->group;
    for (; g < batch->group_count && g < writer->group + PG_WRITER_GROUPS; g++) {
        struct batch_group *group = &batch->groups[g];
        uint32_t *subset = writer->subset + group->first;
        size_t count = gather(batch, group, subset);
        if (count == 0)
            continue;
        pg_writer_set_tenant(writer, group->tenant);
        pg_upsert_queue_look(pg_writer_upsert_of(writer->sink, group->mapping), writer->lane, batch,
                             group->tenant, subset, count, &writer->sink->memory);
    }
    writer->group_end = g;
    if (g == batch->group_count) {
        ask_waiting(writer);
        pg_writer_plain(writer, "COMMIT");
    }
    pg_writer_enter(writer, PHASE_LOOK);
}

void pg_writer_start_look(struct writer *writer)
{
    struct batch *batch = writer->batch;
    writer->subset = calloc(batch->order_count + 1, sizeof *writer->subset);
    if (!writer->subset)
        abort();
    writer->group = 0;
    writer->head = 1;
    pg_writer_plain(writer, "BEGIN READ ONLY");
    look_at_groups(writer);
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

static void decide(const struct batch *batch, struct batch_item *item)
{
    bool purged = item->row.deleted && item->mapping->on_delete == DELETE_HARD;
    item->decided = true;
    if (item->seen == SEEN_ROW && item->stored_version >= item->row.version) {
        struct bytes digest = bytes_of(item->stored_digest.bytes, sizeof item->stored_digest.bytes);
        item->verdict = batch_classify(&item->row, item->stored_version, digest);
        if (item->verdict == CLASS_UNCHANGED)
            item->verdict = CLASS_APPLIED;
    } else if (item->dead_lettered || (batch->second_look && !purged)) {
        item->verdict = CLASS_DEAD;
    } else {
        item->verdict = CLASS_APPLIED;
    }
}

/* The candidates of a key one after the other, as they were tried: what is in the store is at or
 * below the first one that is not dead. */
static void decide_all(struct batch *batch)
{
    size_t first = 0;
    do {
        for (; first < batch->order_count; first++) {
            struct batch_item *item = &batch->items[batch->order[first]];
            if (!item->decided)
                decide(batch, item);
        }
    } while (batch_promote(batch));
    batch_settle(batch);
}

static void take_seen(struct batch_item *item, const PGresult *result, int row)
{
    struct bytes digest = bytes_of(PQgetvalue(result, row, 2), (size_t)PQgetlength(result, row, 2));
    batch_decide_stored(item, pg_wire_get_int8(result, row, 1), digest);
    item->decided = false; /* decide() knows more */
}

/* Replies: (BEGIN)? then tenant, look-up per group with undecided records, (the waiting room,
 * COMMIT)? */
void pg_writer_on_look(struct writer *writer, const struct pg_reply *reply)
{
    struct batch *batch = writer->batch;
    int at = writer->head;
    for (; writer->group < writer->group_end; writer->group++) {
        struct batch_group *group = &batch->groups[writer->group];
        uint32_t *subset = writer->subset + group->first;
        size_t count = gather(batch, group, subset);
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
        look_at_groups(writer);
        return;
    }
    note_waiting(batch, reply->results[at]);
    decide_all(batch);
    pg_writer_finish(writer, OUT_OK, NULL);
}
