/* Which class rows belong to that the upserts did not write: a second query, after the commit. */

#include "common/io/pg_writer.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/pg_error.h"
#include "common/io/pg_wire.h"

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

void pg_writer_start_look(struct writer *writer)
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
        pg_writer_finish(writer, OUT_OK, NULL);
        return;
    }
    writer->subset = calloc(batch->order_count + 1, sizeof *writer->subset);
    if (!writer->subset)
        abort();
    pg_writer_plain(writer, "BEGIN READ ONLY");
    for (size_t g = 0; g < batch->group_count; g++) {
        struct batch_group *group = &batch->groups[g];
        uint32_t *subset = writer->subset + group->first;
        size_t count = needs_look(batch, group) ? gather(batch, group, subset) : 0;
        if (count == 0)
            continue;
        pg_writer_set_tenant(writer, group->tenant);
        pg_upsert_queue_look(pg_writer_upsert_of(writer->sink, group->mapping), writer->lane, batch,
                             group->tenant, subset, count, &writer->sink->memory);
    }
    if (batch->second_look || batch->outcome_unknown)
        ask_waiting(writer);
    pg_writer_plain(writer, "COMMIT");
    pg_writer_enter(writer, PHASE_LOOK);
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
        if (item)
            item->verdict = CLASS_WAITING;
    }
}

void pg_writer_on_look(struct writer *writer, const struct pg_reply *reply)
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
            item->decided =
                true; /* no row: refused before a crash, or deleted by a stranger since */
            bool refused = batch->second_look || item->dead_lettered;
            item->verdict = refused ? CLASS_DEAD : CLASS_APPLIED;
        }
    }
    if (batch->second_look || batch->outcome_unknown)
        note_waiting(batch, reply->results[at]);
    pg_writer_finish(writer, OUT_OK, NULL);
}
