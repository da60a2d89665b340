#include "common/policy/apply/batch_gate.h"

#include <inttypes.h>

static enum outcome refuse(const struct batch *batch, int64_t offset, const char *what,
                           struct error *err)
{
    error_set(err, OUT_FATAL, ERR_BATCH, "%s", what);
    error_where(err, "%s-%d@%" PRId64, batch->fence.topic ? batch->fence.topic : "?",
                batch->fence.partition, offset);
    return OUT_FATAL;
}

/* The first dead record without its dead letter; NULL when there is none. */
static const struct batch_item *find_unsafe(const struct batch *batch)
{
    if (batch->redelivered)
        return NULL;
    for (size_t i = 0; i < batch->count; i++) {
        const struct batch_item *item = &batch->items[i];
        if (item->decided && item->verdict == CLASS_DEAD && !item->dead_lettered)
            return item;
    }
    return NULL;
}

static enum outcome ask_dead_letters(const struct batch *batch, const char *what, struct error *err)
{
    const struct batch_item *unsafe = find_unsafe(batch);
    if (batch->dead_letters_pending)
        return OUT_RETRY;
    return unsafe ? refuse(batch, unsafe->offset, what, err) : OUT_OK;
}

enum outcome batch_gate_submit(const struct batch *batch, struct error *err)
{
    return ask_dead_letters(batch, "a refused record has no dead letter: its batch is not written",
                            err);
}

enum outcome batch_gate_commit(const struct batch *batch, struct error *err)
{
    return ask_dead_letters(batch,
                            "a refused record has no dead letter: its batch is not committed", err);
}

/* The classes a batch's record can end in; the others are the producer's. */
static bool is_of_a_batch(enum record_class verdict)
{
    return verdict <= CLASS_DEAD || verdict == CLASS_WAITING;
}

enum outcome batch_gate_written(const struct batch *batch, struct error *err)
{
    int64_t next = batch->fence.start;
    const struct batch_item *unsafe = find_unsafe(batch);
    for (size_t i = 0; i < batch->count; i++) {
        const struct batch_item *item = &batch->items[i];
        if (item->offset < next || item->offset >= batch->fence.end)
            return refuse(batch, item->offset, "a record lies outside of its batch", err);
        if (!item->decided || !is_of_a_batch(item->verdict))
            return refuse(batch, item->offset, "a record of a batch ended in no class", err);
        next = item->offset + 1;
    }
    if (next != batch->fence.end && !batch->passed_over)
        return refuse(batch, next, "a batch says it ends where no record of it does", err);
    return unsafe ? refuse(batch, unsafe->offset,
                           "a dead record was written without its dead letter", err)
                  : OUT_OK;
}
