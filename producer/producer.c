/* What all parts of a producer use: stopping, failing, refusing. */

#include "producer/producer.h"

#include "common/io/stop.h"

bool producer_must_stop(const struct producer *producer)
{
    return producer->failed || stop_signal() != 0;
}

void producer_fail(struct producer *producer, const struct error *err)
{
    if (producer->failed)
        return;
    producer->failed = true;
    producer->failure = *err;
}

/* Tells the follower; true when nobody else is to be told. Of a source as a whole the follower
 * tells itself: it looks again first. */
static bool is_silent(struct producer *producer, const struct source_record *found,
                      const struct error *err)
{
    if (producer->gate)
        producer->gate->refuse(producer->gate->owner, found, err);
    return producer->gate && (producer->gate->silent || !found);
}

void producer_reject_source(struct producer *producer, const char *path, const struct error *err)
{
    struct origin place = {.uri = bytes_text(path)};
    if (is_silent(producer, NULL, err))
        return;
    if (producer->passage)
        producer->passage->broken = true;
    produce_counters_fail_source(&producer->counters, err->code);
    progress_clear(&producer->progress);
    rejects_add_source(&producer->rejects, &place, err);
}

void producer_reject_record(struct producer *producer, const struct source_record *found,
                            const struct error *err)
{
    const struct mapping *mapping = found->mapping;
    if (is_silent(producer, found, err))
        return;
    if (producer->passage)
        passage_reject(producer->passage, &found->origin,
                       mapping ? bytes_text(mapping->entity) : (struct bytes){0}, err->code);
    produce_counters_reject(&producer->counters, err->code);
    progress_clear(&producer->progress);
    rejects_add(&producer->rejects, &found->origin, err);
}
