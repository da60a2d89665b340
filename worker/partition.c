/* A partition's batches: made, recycled, dropped; and its end when something is wrong with it. */

#include "worker/partition.h"

#include "common/io/log.h"
#include "worker/worker.h"

/* A batch's rows: payloads at most batch_bytes + one record of 16 MiB, grown by escapes and jsonb.
 */
#define BATCH_MEMORY(settings) ((settings)->batch_bytes * 4 + (settings)->record_bytes * 4)

struct batch *partition_new_batch(struct worker *worker)
{
    struct batch *batch = worker->spare;
    if (batch) {
        worker->spare = batch->next;
        batch->next = NULL;
        return batch;
    }
    batch = batch_new(worker->settings->batch_records, BATCH_MEMORY(worker->settings));
    batch->next_made = worker->made;
    worker->made = batch;
    return batch;
}

static void release_messages(const struct worker *worker, struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        if (batch->items[i].message)
            bus_release(worker->bus, batch->items[i].message);
        batch->items[i].message = NULL;
    }
}

void partitions_let_go(struct worker *worker)
{
    for (struct batch *batch = worker->made; batch; batch = batch->next_made)
        release_messages(worker, batch);
}

void partition_recycle(struct worker *worker, struct batch *batch)
{
    release_messages(worker, batch);
    worker->in_flight_bytes -= batch->held;
    batch_reset(batch);
    batch->next = worker->spare;
    worker->spare = batch;
}

bool partitions_are_busy(const struct worker *worker)
{
    for (int32_t i = 0; i < worker->partition_total; i++)
        if (worker->held[i] && worker->partitions[i].current &&
            worker->partitions[i].current->in_sink)
            return true;
    return false;
}

void partition_drop(struct partition *partition)
{
    struct worker *worker = partition->worker;
    if (partition->open)
        partition_recycle(worker, partition->open);
    partition->open = NULL;
    while (partition->queue_first) {
        struct batch *batch = partition->queue_first;
        partition->queue_first = batch->next;
        partition_recycle(worker, batch);
    }
    partition->queue_last = NULL;
    if (!partition->current)
        return;
    partition->current->owner = NULL;
    partition_orphan(worker, partition->current);
    partition->current = NULL;
}

void partition_orphan(struct worker *worker, struct batch *batch)
{
    if (!batch->in_sink && batch->dead_letters_pending == 0)
        partition_recycle(worker, batch);
}

void partition_halt(struct partition *partition, const struct error *err)
{
    struct worker *worker = partition->worker;
    log_error(LOG_ERROR, "partition.halted", err);
    partition_drop(partition);
    partition->state = PARTITION_HALTED;
    bus_consumer_pause(worker->consumer, &partition->number, 1);
    if (worker->failure.code == ERR_NONE)
        worker->failure = *err;
    for (int32_t i = 0; i < worker->partition_total; i++)
        if (worker->held[i] && worker->partitions[i].state != PARTITION_HALTED)
            return; /* the others go on; status shows this one's lag */
    worker_fail(worker, err);
}

int64_t partition_redis_next(const struct partition *partition, int64_t next)
{
    if (partition->worker->stage)
        return partition->redis_next;
    return partition->worker->store->has_tables ? 0 : next;
}
