/* What all parts of a producer use: stopping, failing, refusing, and time for Kafka and the screen.
 */

#include "producer/producer.h"

#include "common/io/clock.h"
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

struct produce_state producer_state(const struct producer *producer)
{
    const struct source_reading *source = producer->open.source;
    const struct byte_source *bytes = source ? source_reading_bytes(source) : NULL;
    return (struct produce_state){
        .run = producer->run,
        .source_bytes = producer->source_bytes + (bytes ? byte_source_done(bytes) : 0),
        .total_bytes = producer->settings->follow ? 0 : producer->files.total_bytes,
        .elapsed_ms = clock_monotonic_ms() - producer->started_ms,
        .stopped = stop_signal() != 0 || producer->failed,
    };
}

void producer_breathe(struct producer *producer, int wait_ms)
{
    bus_sender_poll(producer->sender, wait_ms);
    producer_serve_marks(producer);
    struct produce_state state = producer_state(producer);
    progress_tick(&producer->progress, &producer->counters, &state, clock_monotonic_ms());
}

bool producer_settle(struct producer *producer)
{
    while (bus_sender_pending(producer->sender) > 0 && !producer_must_stop(producer)) {
        bus_sender_flush(producer->sender, 100);
        producer_breathe(producer, 0);
    }
    return bus_sender_pending(producer->sender) == 0 && !producer->failed;
}

/* Tells the follower; true when nobody else is to be told. */
static bool is_silent(struct producer *producer, const struct error *err, bool whole)
{
    if (producer->gate)
        producer->gate->refuse(producer->gate->owner, err, whole);
    return producer->gate && producer->gate->silent;
}

void producer_reject_source(struct producer *producer, const char *path, const struct error *err)
{
    struct origin place = {.uri = bytes_text(path)};
    if (is_silent(producer, err, true))
        return;
    if (producer->passage)
        producer->passage->broken = true;
    produce_counters_fail_source(&producer->counters, err->code);
    progress_clear(&producer->progress);
    rejects_add(&producer->rejects, &place, err);
}

void producer_reject_record(struct producer *producer, const struct source_record *found,
                            const struct error *err)
{
    const struct mapping *mapping = found->mapping;
    if (is_silent(producer, err, false))
        return;
    if (producer->passage)
        passage_reject(producer->passage, &found->origin,
                       mapping ? bytes_text(mapping->entity) : (struct bytes){0}, err->code, false);
    produce_counters_reject(&producer->counters, err->code);
    progress_clear(&producer->progress);
    rejects_add(&producer->rejects, &found->origin, err);
}
