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
            item->verdict = batch->second_look ? CLASS_DEAD : CLASS_APPLIED;
        }
    }
    pg_writer_finish(writer, OUT_OK, NULL);
}
