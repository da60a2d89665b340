/* Wherever the producer waits, and between chunks: time for Kafka's reports, what follows of them,
 * and the screen. */
#include "common/io/clock.h"
#include "common/io/stop.h"
#include "producer/producer.h"

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

static void say_rejects(struct producer *producer, uint64_t now_ms)
{
    if (!rejects_is_due(&producer->rejects, now_ms))
        return;
    progress_clear(&producer->progress);
    rejects_begin_minute(&producer->rejects, now_ms);
}

void producer_breathe(struct producer *producer, int wait_ms)
{
    bus_sender_poll(producer->sender, wait_ms);
    producer_serve_marks(producer);
    struct produce_state state = producer_state(producer);
    uint64_t now_ms = clock_monotonic_ms();
    progress_tick(&producer->progress, &producer->counters, &state, now_ms);
    say_rejects(producer, now_ms);
    if (producer->on_breath)
        producer->on_breath(producer->breath_owner);
}

void producer_rest(struct producer *producer)
{
    uint64_t now_ms = clock_monotonic_ms();
    struct produce_state state = producer_state(producer);
    bus_sender_poll(producer->sender, 0);
    progress_rest(&producer->progress, &producer->counters, &state, now_ms);
    say_rejects(producer, now_ms);
}

bool producer_settle(struct producer *producer)
{
    while (bus_sender_pending(producer->sender) > 0 && !producer_must_stop(producer)) {
        bus_sender_flush(producer->sender, 100);
        producer_breathe(producer, 0);
    }
    return bus_sender_pending(producer->sender) == 0 && !producer->failed;
}
