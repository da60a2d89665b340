/* One source from its first byte to its last. What is wrong with it is listed, and the run goes on
 * with the next; only the disk, Kafka and signals end the run. */
#include <string.h>

#include "common/io/clock.h"
#include "common/io/files.h"
#include "common/io/source/source_identity.h"
#include "producer/producer.h"

#define NS_PER_MS 1000000

#define PASSAGES_MAX 4096 /* on their way, of sources without messages too */
#define WAIT_MS 100

/* A source that yields nothing and is not an empty list was probably not meant to. */
static void check_not_empty(struct producer *producer, uint64_t records)
{
    struct error err;
    if (records > 0 || producer->open.is_part || source_reading_may_be_empty(producer->open.source))
        return;
    error_set(&err, OUT_REJECT, ERR_SOURCE_EMPTY, "the source is empty");
    producer_reject_source(producer, producer->open.path, &err);
}

static void withhold(struct producer *producer, const struct source_record *found)
{
    struct error err;
    if (producer->gate)
        producer->gate->withhold(producer->gate->owner);
    if (producer->gate && producer->gate->silent)
        return;
    produce_counters_withhold(&producer->counters);
    if (producer->passage)
        producer->passage->reading.withheld++;
    error_set(&err, OUT_OK, ERR_NONE, "a token is withheld: %.*s", BYTES_ARGS(found->name));
    progress_clear(&producer->progress);
    rejects_note(&producer->rejects, NOTE_RECORD, &found->origin, &err);
}

static void note(struct producer *producer, const struct source_record *found,
                 const struct error *err)
{
    if (producer->gate && producer->gate->silent)
        return;
    progress_clear(&producer->progress);
    rejects_note(&producer->rejects, NOTE_RECORD, &found->origin, err);
}

/* A followed file that is of no mapping, or names no tenant, when it is read was fine when it was
 * looked at: it is just being written. That is its own fault, not the run's end. */
static void end_run(struct producer *producer, struct error *err)
{
    if (err->where[0] == '\0')
        error_where(err, "%s", producer->open.path);
    if (producer->gate && err->code != ERR_SOURCE_READ)
        producer_reject_source(producer, producer->open.path, err);
    else
        producer_fail(producer, err);
}

/* What is sent from here on must get the numbers it would have got then. Settings, mappings and the
 * bytes are the same: another drover may read them in another way. */
static void check_numbers(struct producer *producer)
{
    const struct passage *passage = producer->passage;
    const struct manifest_source *row = &passage->row;
    struct error err;
    if (producer->file_clock.last == row->place.clock &&
        memcmp(passage->run->sequences, row->place.sequences,
               (size_t)row->partitions * sizeof(int64_t)) == 0)
        return;
    error_set(&err, OUT_FATAL, ERR_STATE_FILE,
              "the source does not come to the numbers of the run that was interrupted");
    error_where(&err, "%s", passage->path);
    error_cause(&err, "another drover began to send it, or the topic's limits were changed");
    error_hint(&err, "--again sends all of it in a new run; that is safe");
    producer_fail(producer, &err);
}

/* A record was sent, rejected or withheld. */
static void step(struct producer *producer, const struct source_record *found)
{
    struct passage *passage = producer->passage;
    producer->open.at = found->origin.byte + found->payload.size;
    if (!passage)
        return;
    passage->records++;
    if (passage->replayed && passage->records == passage->replayed)
        check_numbers(producer);
    producer_mark_record(producer);
}

static void read_records(struct producer *producer)
{
    struct source_record found;
    struct error err;
    uint64_t records = 0;
    bool broken = false;
    for (;;) {
        enum source_result result = source_reading_next(producer->open.source, &found, &err);
        switch (result) {
        case SOURCE_RECORD:
            records++;
            if (!producer_take_record(producer, &found))
                return;
            step(producer, &found);
            if (producer->failed)
                return;
            break;
        case SOURCE_REJECTED:
            records++;
            producer_refuse_record(producer, &found, &err);
            step(producer, &found);
            break;
        case SOURCE_WITHHELD:
            records++;
            withhold(producer, &found);
            step(producer, &found);
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
            producer_reject_source(producer, producer->open.path, &err);
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

/* A clock that was wrong must not make versions of the future; who goes on gives the same ones. */
static int64_t latest_modified_ms(const struct producer *producer)
{
    const struct passage *passage = producer->passage;
    bool remembered = passage && passage->remembered;
    return remembered ? passage->row.looked_ns / NS_PER_MS : clock_unix_ms();
}

static enum outcome open_reading(struct producer *producer, const struct source_file *file,
                                 struct error *err)
{
    struct open_source *open = &producer->open;
    *open = (struct open_source){.path = file->path, .is_part = file->part.to != 0};
    enum outcome outcome = source_reading_open(&producer->rules, file, &open->source, err);
    if (outcome != OUT_OK)
        return outcome;
    const struct byte_source *bytes = source_reading_bytes(open->source);
    open->stream = byte_source_is_stream(bytes);
    int64_t latest_ms = latest_modified_ms(producer);
    open->modified_ms = byte_source_modified_ms(bytes);
    if (open->modified_ms > latest_ms)
        open->modified_ms = latest_ms;
    if (open->modified_ms < 0)
        open->modified_ms = 0;
    return OUT_OK;
}

/* The file read is the one that was looked at, and is still there: a rename puts another in its
 * place without a change of either. */
static void check_same(struct producer *producer)
{
    struct passage *passage = producer->passage;
    struct scan_identity now;
    struct error err;
    if (!passage->remembered || passage->broken || producer_must_stop(producer))
        return;
    if (files_is_folder(passage->path)) /* a profile: what was read is a copy, of one moment */
        return;
    if (source_identity_read(passage->path, &now) &&
        scan_identity_equal(&now, &passage->row.identity))
        return;
    error_set(&err, OUT_REJECT, ERR_SOURCE_CHANGED, "the source changed while it was read");
    error_cause(&err, "it is another file now, or other times are set");
    producer_reject_source(producer, passage->path, &err);
}

void producer_read_source(struct producer *producer, const struct source_file *file)
{
    struct error err;
    struct open_source *open = &producer->open;
    enum outcome outcome = open_reading(producer, file, &err);
    producer->counters.sources += !producer->gate || !producer->gate->silent;
    if (outcome == OUT_OK)
        read_records(producer);
    else if (outcome == OUT_REJECT)
        producer_reject_source(producer, file->path, &err);
    else
        end_run(producer, &err);
    if (producer->passage) {
        check_same(producer);
        producer_end_passage(producer);
    }
    while (acked_prefix_marks(&producer->acked) > PASSAGES_MAX && !producer_must_stop(producer))
        producer_breathe(producer, WAIT_MS);
    if (open->source && producer->gate)
        producer->gate->end(producer->gate->owner, open->source);
    if (open->source)
        producer->source_bytes +=
            byte_source_done(source_reading_bytes(open->source)) - file->part.from;
    source_reading_close(open->source);
    open->source = NULL;
}
