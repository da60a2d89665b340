/* The worker's part of a rehearsal: the same decisions as worker/intake.c, over the memory sink. */
#include <stdlib.h>
#include <string.h>

#include "common/io/stores.h"
#include "common/policy/apply/record_row.h"
#include "common/policy/version.h"
#include "control/rehearse/rehearse.h"

#define ARENA_MOST ((size_t)512 << 20)

static void on_rejected(void *owner, struct batch *batch)
{
    struct rehearsal *rehearsal = owner;
    sink_commit(rehearsal->sink, batch);
}

static void on_done(void *owner, struct batch *batch, enum outcome outcome, const struct error *err)
{
    struct rehearsal *rehearsal = owner;
    (void)batch;
    rehearsal->batch_done = true;
    if (outcome != OUT_OK)
        rehearse_fail(rehearsal, err);
}

static void on_ready(void *owner)
{
    (void)owner;
}

static void on_state(void *owner, const struct error *err)
{
    (void)owner;
    (void)err;
}

static void on_closed(void *owner)
{
    (void)owner;
}

void rehearse_work_open(struct rehearsal *rehearsal)
{
    static const struct sink_events EVENTS = {on_rejected, on_done, on_ready, on_state};
    mapping_work_init(&rehearsal->work);
    rehearsal->batch = batch_new((size_t)rehearsal->settings->batch_records, ARENA_MOST);
    rehearsal->sink = memory_sink_new(rehearsal->store, 1, NULL, &EVENTS, rehearsal);
    if (store_of(rehearsal->settings)->has_tables)
        rehearsal->unique = memory_unique_new(&rehearsal->mappings);
    for (int32_t i = 0; i < REHEARSE_PARTITIONS; i++)
        rehearsal->epochs[i] = memory_store_claim(rehearsal->store, i, &rehearsal->starts[i]);
}

void rehearse_work_close(struct rehearsal *rehearsal)
{
    if (rehearsal->sink) {
        sink_close(rehearsal->sink, on_closed);
        while (memory_sink_turn(rehearsal->sink))
            ; /* the call that says false has freed it */
    }
    batch_free(rehearsal->batch);
    memory_unique_free(rehearsal->unique);
    mapping_work_free(&rehearsal->work);
}

/* The place in the source: "exports/acme.json:3:1" */
static void append_where(struct buf *out, const struct record *record)
{
    if (record->origin.uri.size)
        buf_append_bytes(out, record->origin.uri);
    if (record->origin.line)
        buf_append_format(out, ":%llu:%llu", (unsigned long long)record->origin.line,
                          (unsigned long long)record->origin.column);
}

static void note_place(struct rehearsal *rehearsal, struct rehearse_dead *dead,
                       const struct record *record, const struct error *err)
{
    struct buf where;
    struct arena *arena = &rehearsal->arena;
    buf_init(&where, 2048);
    append_where(&where, record);
    const struct rehearse_place place = {.tenant = arena_copy(arena, record->tenant),
                                         .entity = arena_copy(arena, record->entity),
                                         .where = arena_copy(arena, buf_view(&where)),
                                         .path = arena_copy(arena, bytes_text(err->path))};
    if (place.tenant.data && place.entity.data && place.where.data && place.path.data)
        dead->places[dead->place_count++] = place;
    buf_free(&where);
}

static void bury(struct rehearsal *rehearsal, const struct record *record, const struct error *err)
{
    struct rehearse_dead *dead = &rehearsal->dead[err->code];
    dead->count++;
    if (dead->place_count < REHEARSE_PLACES)
        note_place(rehearsal, dead, record, err);
}

static enum outcome make_row(struct rehearsal *rehearsal, const struct bus_message *message,
                             struct record *record, struct batch_item *item, struct error *err)
{
    *record = (struct record){0};
    enum outcome outcome = envelope_decode(&message->envelope, record, err);
    if (outcome != OUT_OK)
        return outcome;
    int64_t log_version = 0;
    if (!record->has_version)
        log_version = version_in_log(&rehearsal->clocks[message->partition], message->timestamp_ms,
                                     message->offset);
    item->sealed = record->sealed;
    outcome = record_to_row(&rehearsal->mappings, record, log_version, &rehearsal->work,
                            &rehearsal->batch->arena, &item->mapping, &item->row, err);
    return outcome == OUT_OK ? memory_unique_take(rehearsal->unique, item->mapping, &item->row, err)
                             : outcome;
}

void rehearse_work_take(struct rehearsal *rehearsal, const struct bus_message *message, bool *dead)
{
    struct error err;
    struct record record;
    struct batch *batch = rehearsal->batch;
    bool full = batch->count == batch->capacity || batch->bytes >= rehearsal->settings->batch_bytes;
    if (full || (batch->count && batch->fence.partition != message->partition))
        rehearse_work_flush(rehearsal);
    batch->fence.partition = message->partition;
    struct batch_item *item = batch_add(batch, message->offset);
    *dead = make_row(rehearsal, message, &record, item, &err) != OUT_OK;
    if (*dead && batch->arena.refused && batch->count > 1) {
        batch->count--; /* it did not fit beside the others */
        rehearse_work_flush(rehearsal);
        rehearse_work_take(rehearsal, message, dead);
        return;
    }
    if (*dead) {
        batch_reject(batch, item, &err);
        bury(rehearsal, &record, &err);
    }
    batch->bytes += message->envelope.key.size + message->envelope.value.size;
}

void rehearse_work_flush(struct rehearsal *rehearsal)
{
    struct batch *batch = rehearsal->batch;
    if (batch->count == 0)
        return;
    int32_t partition = batch->fence.partition;
    batch->fence.group = rehearsal->settings->group;
    batch->fence.topic = rehearsal->source_topic;
    batch->fence.epoch = rehearsal->epochs[partition];
    batch->fence.start = rehearsal->starts[partition];
    batch->fence.end = batch->items[batch->count - 1].offset + 1;
    batch_close(batch);
    rehearsal->batch_done = false;
    sink_submit(rehearsal->sink, batch);
    while (!rehearsal->batch_done)
        memory_sink_turn(rehearsal->sink);
    rehearsal->starts[partition] = batch->fence.end;
    for (int c = 0; c < CLASS_COUNT; c++)
        rehearsal->classes[c] += batch_count(batch, (enum record_class)c);
    batch_reset(batch);
}
