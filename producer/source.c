/* One source from its first byte to its last. What is wrong with it is listed, and the run goes on
 * with the next; only the disk, Kafka and signals end the run. */
#include "common/io/clock.h"
#include "producer/producer.h"

/* A source that yields nothing and is not an empty list was probably not meant to. */
static void check_not_empty(struct producer *producer, uint64_t records)
{
    struct error err;
    if (records > 0 || source_reading_may_be_empty(producer->reading.source))
        return;
    error_set(&err, OUT_REJECT, ERR_SOURCE_EMPTY, "the source is empty");
    producer_reject_source(producer, producer->reading.path, &err);
}

static void withhold(struct producer *producer, const struct source_record *found)
{
    struct error err;
    if (producer->gate && producer->gate->silent)
        return;
    produce_counters_withhold(&producer->counters);
    error_set(&err, OUT_OK, ERR_NONE, "a token is withheld: %.*s", BYTES_ARGS(found->name));
    progress_clear(&producer->progress);
    rejects_note(&producer->rejects, &found->origin, &err);
}

static void note(struct producer *producer, const struct source_record *found,
                 const struct error *err)
{
    if (producer->gate && producer->gate->silent)
        return;
    progress_clear(&producer->progress);
    rejects_note(&producer->rejects, &found->origin, err);
}

/* A followed file that is of no mapping, or names no tenant, when it is read was fine when it was
 * looked at: it is just being written. That is its own fault, not the run's end. */
static void end_run(struct producer *producer, struct error *err)
{
    if (err->where[0] == '\0')
        error_where(err, "%s", producer->reading.path);
    if (producer->gate && err->code != ERR_SOURCE_READ)
        producer_reject_source(producer, producer->reading.path, err);
    else
        producer_fail(producer, err);
}

static void read_records(struct producer *producer)
{
    struct source_record found;
    struct error err;
    uint64_t records = 0;
    bool broken = false;
    for (;;) {
        enum source_result result = source_reading_next(producer->reading.source, &found, &err);
        switch (result) {
        case SOURCE_RECORD:
            records++;
            if (!producer_take_record(producer, &found))
                return;
            break;
        case SOURCE_REJECTED:
            records++;
            producer_refuse_record(producer, &found, &err);
            break;
        case SOURCE_WITHHELD:
            records++;
            withhold(producer, &found);
            break;
        case SOURCE_NOTE:
            note(producer, &found, &err);
            break;
        case SOURCE_TURN:
            producer_breathe(producer, 0);
            if (producer_must_stop(producer))
                return;
            break;
        case SOURCE_BROKEN:
            broken = true;
            producer_reject_source(producer, producer->reading.path, &err);
            break;
        case SOURCE_END:
            if (!broken)
                check_not_empty(producer, records);
            return;
        case SOURCE_FATAL:
            end_run(producer, &err);
            return;
        }
    }
}

static enum outcome open_reading(struct producer *producer, const struct source_file *file,
                                 struct error *err)
{
    struct reading *reading = &producer->reading;
    *reading = (struct reading){.path = file->path};
    enum outcome outcome = source_reading_open(&producer->rules, file, &reading->source, err);
    if (outcome != OUT_OK)
        return outcome;
    const struct byte_source *bytes = source_reading_bytes(reading->source);
    reading->stream = byte_source_is_stream(bytes);
    int64_t now_ms = clock_unix_ms();
    reading->modified_ms = byte_source_modified_ms(bytes);
    if (reading->modified_ms >
        now_ms) /* a clock that was wrong must not make versions of the future */
        reading->modified_ms = now_ms;
    if (reading->modified_ms < 0)
        reading->modified_ms = 0;
    return OUT_OK;
}

void producer_read_source(struct producer *producer, const struct source_file *file)
{
    struct error err;
    struct reading *reading = &producer->reading;
    enum outcome outcome = open_reading(producer, file, &err);
    producer->counters.sources += !producer->gate || !producer->gate->silent;
    if (outcome == OUT_OK)
        read_records(producer);
    else if (outcome == OUT_REJECT)
        producer_reject_source(producer, file->path, &err);
    else
        end_run(producer, &err);
    if (reading->source)
        producer->source_bytes += byte_source_done(source_reading_bytes(reading->source));
    source_reading_close(reading->source);
    reading->source = NULL;
}
