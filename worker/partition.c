/* A partition's batches: made, recycled, dropped; and its end when something is wrong with it. */

#include "worker/partition.h"

#include <stdlib.h>

#include "common/io/log.h"

/* A batch's rows: payloads at most batch_bytes + one record of 16 MiB, grown by escapes and jsonb.
 */
#define BATCH_MEMORY(settings) ((settings)->batch_bytes * 4 + (settings)->record_bytes * 4)

struct partition *partitions_next(const struct partitions *all, const struct partition *partition)
{
    int32_t number = partition ? partition->number + 1 : 0;
    for (; number < all->config->partition_total; number++)
        if (all->items[number].state != PARTITION_AWAY)
            return &all->items[number];
    return NULL;
}

struct partition *partitions_find(const struct partitions *all, int32_t number)
{
    bool exists = number >= 0 && number < all->config->partition_total;
    return exists && all->items[number].state != PARTITION_AWAY ? &all->items[number] : NULL;
}

struct batch *partition_new_batch(struct partitions *all)
{
    const struct settings *settings = all->config->settings;
    struct batch *batch = all->spare;
    if (batch) {
        all->spare = batch->next;
        batch->next = NULL;
        return batch;
    }
    batch = batch_new(settings->batch_records, BATCH_MEMORY(settings));
    batch->next_made = all->made;
    all->made = batch;
    return batch;
}

static void release_messages(const struct partitions *all, struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->items[i].message)
            bus_release(all->config->bus, batch->items[i].message);
        batch->items[i].message = NULL;
    }
}

void partitions_let_go(struct partitions *all)
{
    for (struct batch *batch = all->made; batch; batch = batch->next_made)
        release_messages(all, batch);
}

void partitions_free(struct partitions *all)
{
    partitions_let_go(all);
    while (all->made) {
        struct batch *batch = all->made;
        all->made = batch->next_made;
        batch_free(batch);
    }
    free(all->items);
}

void partition_recycle(struct partitions *all, struct batch *batch)
{
    release_messages(all, batch);
    all->state->in_flight_bytes -= batch->held;
    batch_reset(batch);
    batch->next = all->spare;
    all->spare = batch;
}

bool partitions_are_busy(const struct partitions *all)
{
    for (struct partition *next = NULL; (next = partitions_next(all, next));)
        if (next->current && next->current->in_sink)
            return true;
    return false;
}

void partition_drop(struct partition *partition)
{
    if (partition->open)
        partition_recycle(partition->all, partition->open);
    partition->open = NULL;
    while (partition->queue_first) {
        struct batch *batch = partition->queue_first;
        partition->queue_first = batch->next;
        partition_recycle(partition->all, batch);
    }
    partition->queue_last = NULL;
    if (!partition->current)
        return;
    partition->current->owner = NULL;
    partition_orphan(partition->all, partition->current);
    partition->current = NULL;
}

void partition_orphan(struct partitions *all, struct batch *batch)
{
    if (!batch->in_sink && batch->dead_letters_pending == 0)
        partition_recycle(all, batch);
}

bool partition_has_work(const struct partition *partition)
{
    return partition->current || partition->queue_first ||
           (partition->open && partition->open->count);
}

static void halt(struct partition *partition)
{
    struct partitions *all = partition->all;
    const struct error *err = &partition->halt.err;
    log_error(LOG_ERROR, "partition.halted", err);
    partition_drop(partition);
    partition->state = PARTITION_HALTED;
    bus_consumer_pause(all->consumer, &partition->number, 1);
    if (all->state->failure.code == ERR_NONE)
        all->state->failure = *err;
    for (struct partition *next = NULL; (next = partitions_next(all, next));)
        if (next->state != PARTITION_HALTED)
            return; /* the others go on; status shows this one's lag */
    state_fail(all->state, err);
}

void partition_halt(struct partition *partition, const struct error *err)
{
    partition->halt = (struct partition_halt){.err = *err, .expected = -1, .found = -1};
    halt(partition);
}

void partition_check_halting(struct partition *partition)
{
    if (partition->state == PARTITION_HALTING && !partition_has_work(partition))
        halt(partition);
}

void partition_halt_behind(struct partition *partition, const struct partition_halt *why)
{
    partition->halt = *why;
    partition->state = PARTITION_HALTING;
    partition_check_halting(partition);
}

int64_t partition_redis_next(const struct partition *partition, int64_t next)
{
    const struct store *store = partition->all->config->store;
    if (store->has_stage)
        return partition->redis_next;
    return store->has_tables ? 0 : next;
}
