/*
 * What the topic has acknowledged, and what follows of it: rows of the manifest move, and the
 * readings of sources that are at their end are told. Served wherever the producer waits, and now
 * and then between records.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/stop.h"
#include "producer/producer.h"

#define MARK_RECORDS                                                                               \
    256              /* between marks: so many are sent again at most, besides what is on its way */
#define MARK_MS 50   /* of a source that is read slowly */
#define MARK_LOOK 16 /* records between two looks at the clock */
#define MARKS_MAX 64 /* on their way; a full queue has no more batches */
#define STORE_MS 50  /* between two moves of a row */
#define WAIT_MS 100  /* for room in the results' queue */

/* A mark in the order of sending. */
struct note {
    struct passage *passage;
    bool end;                    /* of the source: the passage is the note's */
    struct manifest_place place; /* of a source that is remembered */
};

/* ---- marks ---- */

static struct note *note_new(struct passage *passage, bool end)
{
    struct note *note = mem_new(sizeof *note);
    note->passage = passage;
    note->end = end;
    if (passage->remembered) {
        note->place.sequences = mem_zeroed((size_t)passage->row.partitions, sizeof(int64_t));
        manifest_place_copy(&note->place, &passage->row.place, passage->row.partitions);
    }
    return note;
}

static void note_free(struct note *note)
{
    if (!note)
        return;
    if (note->end)
        passage_free(note->passage);
    free(note->place.sequences);
    free(note);
}

/* Where the source being read is. */
static void take_place(const struct producer *producer, uint64_t at, struct manifest_place *place)
{
    const struct passage *passage = producer->passage;
    const struct byte_source *bytes = source_reading_bytes(producer->open.source);
    place->records = passage->records;
    place->bytes = byte_source_digest(bytes, &place->digest);
    place->at = byte_source_is_plain(bytes) && at && at < place->bytes ? at : place->bytes;
    place->clock = producer->file_clock.last;
    memcpy(place->sequences, passage->run->sequences,
           (size_t)passage->row.partitions * sizeof(int64_t));
}

static void mark(struct producer *producer, uint64_t at)
{
    struct passage *passage = producer->passage;
    passage->marked = passage->records;
    passage->marked_ms = clock_monotonic_ms();
    struct note *note = note_new(passage, false);
    take_place(producer, at, &note->place);
    acked_prefix_mark(&producer->acked, note);
}

void producer_mark_record(struct producer *producer)
{
    struct passage *passage = producer->passage;
    if (!passage || !passage->remembered || passage->records <= passage->replayed)
        return;
    uint64_t since = passage->records - passage->marked;
    bool due = since >= MARK_RECORDS ||
               (since % MARK_LOOK == 0 && clock_monotonic_ms() - passage->marked_ms >= MARK_MS);
    if (!due)
        return;
    if (acked_prefix_marks(&producer->acked) < MARKS_MAX)
        mark(producer, producer->open.at);
    producer_serve_marks(producer);
}

/* ---- what was acknowledged ---- */

/* Tips of a run move with its messages, whatever their order between partitions. */
void producer_note_stored(const struct sent *sent, int32_t partition, int64_t offset)
{
    struct producer_run *run = sent->passage ? sent->passage->run : NULL;
    if (!run || offset < run->tips[partition].offset)
        return;
    run->tips[partition] = (struct manifest_tip){offset, sent->sequence};
    run->moved = true;
}

/* ---- telling ---- */

bool producer_tell_reading(struct producer *producer, struct bytes run, struct bytes value)
{
    struct error err;
    struct envelope envelope = {
        .key = run,
        .value = value,
        .headers = {{BYTES_LITERAL(HEADER_RUN), run},
                    {BYTES_LITERAL(HEADER_CONTENT_TYPE), BYTES_LITERAL("application/json")}},
        .header_count = 2,
    };
    enum outcome outcome;
    while ((outcome = bus_sender_send(producer->results, -1, &envelope, NULL, &err)) == OUT_RETRY &&
           !producer_must_stop(producer))
        bus_sender_poll(producer->results, WAIT_MS);
    bus_sender_poll(producer->results, 0);
    if (outcome == OUT_REJECT || outcome == OUT_FATAL)
        producer_fail(producer, &err);
    return outcome == OUT_OK;
}

/* The source is at its end, or as far as it will get in this process, and all of that is
 * acknowledged. */
static void tell(struct producer *producer, struct passage *passage, bool complete)
{
    struct buf text;
    struct bytes kept;
    buf_init(&text, 1 << 20);
    passage_append_reading(passage, complete, clock_unix_ms(), &text);
    kept = buf_view(&text);
    (void)producer_tell_reading(producer, bytes_text(passage->run->name), kept);
    if (passage->remembered && complete) {
        const struct reading *reading = &passage->reading;
        struct manifest_source *row = &passage->row;
        free((void *)row->reading.data);
        row->reading = bytes_of(mem_text_part(kept.data, kept.size), kept.size);
        row->complete = true;
        row->produced = reading->produced;
        row->rejected = reading->rejected;
        row->withheld = reading->withheld;
        row->finished_ms = reading->finished_ms;
    }
    buf_free(&text);
}

/* ---- the manifest ---- */

static enum outcome store_tips(struct producer *producer, struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < producer->run_count && outcome == OUT_OK; i++) {
        struct producer_run *run = producer->runs[i];
        if (run->moved)
            outcome = manifest_store_tips(producer->manifest, run->name, run->tips,
                                          bus_sender_partitions(producer->sender), err);
        run->moved = false;
    }
    return outcome;
}

/* Of places of one source the last counts, and none goes back: a source that is damaged now may be
 * read less far than before. Nobody goes on where a message was refused: its number would come
 * behind later ones, and be taken for a repeat. */
static void move(struct passage *passage, const struct manifest_place *place)
{
    if (passage->refused)
        passage->row.place.records = 0;
    else if (place->records >= passage->row.place.records)
        manifest_place_copy(&passage->row.place, place, passage->row.partitions);
}

/* All notes that are reached, as one commit. */
static enum outcome take_notes(struct producer *producer, struct error *err)
{
    struct note *note;
    struct passage *moved = NULL;
    enum outcome outcome = OUT_OK;
    while (outcome == OUT_OK && (note = acked_prefix_take(&producer->acked))) {
        struct passage *passage = note->passage;
        moved = passage->remembered && !note->end ? passage : NULL;
        if (passage->remembered)
            move(passage, &note->place);
        if (note->end)
            tell(producer, passage, !passage->broken && !passage->refused);
        if (note->end && passage->remembered)
            outcome = manifest_store(producer->manifest, passage->path, &passage->row, err);
        note_free(note);
    }
    if (outcome == OUT_OK && moved)
        outcome = manifest_store(producer->manifest, moved->path, &moved->row, err);
    return outcome == OUT_OK && producer->manifest ? store_tips(producer, err) : outcome;
}

static void store(struct producer *producer)
{
    struct error err;
    enum outcome outcome = producer->manifest ? manifest_begin(producer->manifest, &err) : OUT_OK;
    if (outcome == OUT_OK)
        outcome = take_notes(producer, &err);
    if (outcome == OUT_OK && producer->manifest)
        outcome = manifest_commit(producer->manifest, &err);
    if (outcome != OUT_OK)
        producer_fail(producer, &err);
}

void producer_serve_marks(struct producer *producer)
{
    uint64_t now_ms = clock_monotonic_ms();
    if (acked_prefix_marks(&producer->acked) == 0 || now_ms < producer->store_ms ||
        !acked_prefix_is_reached(&producer->acked))
        return;
    producer->store_ms = now_ms + STORE_MS;
    store(producer);
}

/* ---- the end of a source ---- */

void producer_end_passage(struct producer *producer)
{
    struct passage *passage = producer->passage;
    const struct byte_source *bytes =
        producer->open.source ? source_reading_bytes(producer->open.source) : NULL;
    if (bytes)
        passage->reading.size = byte_source_digest(bytes, &passage->reading.digest);
    if (producer_must_stop(producer)) {
        if (passage->remembered && bytes && passage->records > passage->replayed)
            mark(producer, producer->open.at); /* what is acknowledged of it by the end is kept */
        return;
    }
    struct note *note = note_new(passage, true);
    passage->reading.has_digest = bytes && !passage->broken;
    if (passage->remembered && bytes)
        take_place(producer, 0, &note->place);
    acked_prefix_mark(&producer->acked, note);
    producer->passage = NULL;
    producer_serve_marks(producer);
}

/* What will not be acknowledged any more in this process is sent again by the next one. */
void producer_end_marks(struct producer *producer)
{
    struct passage *passage = producer->passage;
    struct note *note;
    if (acked_prefix_marks(&producer->acked) > 0)
        store(producer);
    bool all = bus_sender_pending(producer->sender) == 0 && !producer->failed;
    if (passage && all)
        tell(producer, passage, false);
    while ((note = acked_prefix_drop(&producer->acked)))
        note_free(note);
    passage_free(passage);
    producer->passage = NULL;
}
