/*
 * One record's way from the source's bytes to the local queue. The payload is sent as it was read;
 * the mapping is asked only who it is: tenant, id, version.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/io/clock.h"
#include "common/model/message/envelope.h"
#include "common/model/json/json_scan.h"
#include "producer/producer.h"

#define POLL_EVERY 64    /* reports served soon leave their memory warm for the next records */
#define FULL_WAIT_MS 100 /* at most; a report ends the wait */

static struct sent *sent_new(struct producer *producer, const struct origin *origin)
{
    struct sent *sent = producer->free_sent;
    if (sent)
        producer->free_sent = sent->next;
    else
        sent = arena_alloc(&producer->sents, sizeof(*sent));
    if (!sent)
        abort();
    sent->origin = *origin; /* of a delete, the file's name goes before it is acknowledged */
    sent->origin.uri = bytes_text(producer->open.path);
    sent->passage = producer->passage;
    return sent;
}

static void sent_free(struct producer *producer, struct sent *sent)
{
    sent->next = producer->free_sent;
    producer->free_sent = sent;
}

void producer_on_delivered(void *owner, void *item, enum outcome outcome, int32_t partition,
                           int64_t offset, const struct error *err)
{
    struct producer *producer = owner;
    struct sent *sent = item;
    if (outcome == OUT_OK) {
        produce_counters_store(&producer->counters);
        producer_note_stored(sent, partition, offset);
    } else if (outcome == OUT_REJECT) {
        if (sent->passage)
            passage_refuse(sent->passage, &sent->origin, err->code);
        else if (producer->on_late)
            producer->on_late(producer->breath_owner, &sent->origin, err->code);
        produce_counters_refuse(&producer->counters, err->code);
        progress_clear(&producer->progress);
        rejects_add(&producer->rejects, &sent->origin, err);
    } else {
        producer_fail(producer, err);
    }
    if (sent->passage && outcome != OUT_FATAL) /* refused: its passage goes no further, others do */
        acked_prefix_acknowledge(&producer->acked, sent->span);
    sent_free(producer, sent);
}

/* Every piece takes a version when the mapping has none, rejected ones too: so a mapping that
 * takes more of the same file later gives the others the versions they had. */
static enum outcome stamp(struct producer *producer, int64_t *version, struct error *err)
{
    const struct open_source *open = &producer->open;
    if (!open->stream) {
        *version = version_next(&producer->file_clock, open->modified_ms);
        return OUT_OK;
    }
    int64_t now_ms = clock_unix_ms();
    enum outcome outcome = OUT_OK;
    if (!producer->clock_file.path)
        outcome = clock_file_open(&producer->clock_file, producer->settings->state_dir,
                                  producer->settings->migration, &producer->stream_clock, err);
    if (outcome == OUT_OK)
        outcome = clock_file_reserve(&producer->clock_file, &producer->stream_clock, now_ms, err);
    if (outcome == OUT_OK)
        *version = version_next(&producer->stream_clock, now_ms);
    return outcome;
}

static struct producer_run *run_of(const struct producer *producer)
{
    return producer->passage ? producer->passage->run : producer->own;
}

/* Fills all but the sequence. Where the mapping has no version it is the time of reading. */
static enum outcome identify(struct producer *producer, const struct source_record *found,
                             struct record *record, struct error *err)
{
    int64_t stamped = 0;
    if (found->mapping->version_source == VERSION_STAMPED &&
        stamp(producer, &stamped, err) != OUT_OK)
        return OUT_FATAL;
    enum outcome outcome = source_intake_record(producer->intake, found, stamped, record, err);
    record->run = bytes_text(run_of(producer)->name);
    return outcome;
}

/* Where the mapping has no version, a key that comes again, written otherwise, is worth a word. The
 * follower reads a source many times, and knows its keys itself. */
static void find_key(struct producer *producer, const struct mapping *mapping,
                     const struct record *record)
{
    struct error err;
    struct produce_counters *counters = &producer->counters;
    if (mapping->version_source != VERSION_STAMPED || producer->gate)
        return;
    buf_reset(&producer->headers);
    envelope_append_key(&producer->headers, record->tenant, record->entity, record->id);
    enum key_seen_result result = key_seen_add(&producer->keys, buf_view(&producer->headers),
                                               record->payload, (uint32_t)counters->sources);
    counters->keys_full = producer->keys.full || counters->skipped > 0;
    counters->twice += result == KEY_TWICE;
    counters->overlap += result == KEY_OVERLAP;
    if (result != KEY_TWICE && result != KEY_OVERLAP)
        return;
    error_set(&err, OUT_OK, ERR_NONE, "its key came before in %s, written otherwise",
              result == KEY_TWICE ? "this source" : "another source");
    progress_clear(&producer->progress);
    rejects_note(&producer->rejects, NOTE_RECORD, &record->origin, &err);
}

/* With a tenant given from outside: is it for this record, or does it name its own? */
static void count_tenant(struct producer *producer, const struct source_record *found)
{
    bool asked, named = source_intake_names_tenant(producer->intake, found, &asked);
    producer->counters.tenant_named += asked && named;
    producer->counters.tenant_given += asked && !named;
}

/* Secrets and tokens leave the payload here, before anything is queued. */
static enum outcome protect(struct producer *producer, const struct mapping *mapping,
                            struct record *record, struct error *err)
{
    struct guarded guarded;
    enum outcome outcome = source_guard_apply(&producer->guard, &producer->rules,
                                              source_reading_form(producer->open.source), mapping,
                                              record, &guarded, err);
    if (outcome != OUT_OK)
        return outcome;
    producer->counters.sealed_fields += guarded.sealed_count;
    producer->counters.withheld_fields += guarded.withheld_count;
    return OUT_OK;
}

/* The key decides the partition, and only then the sequence is known, which is a header. */
static enum outcome encode(struct producer *producer, struct record *record, int32_t *partition,
                           struct envelope *envelope, struct error *err)
{
    buf_reset(&producer->headers);
    envelope_append_key(&producer->headers, record->tenant, record->entity, record->id);
    *partition =
        hash_partition(buf_view(&producer->headers), bus_sender_partitions(producer->sender));
    record->sequence = run_of(producer)->sequences[*partition];
    return envelope_encode_keyed(record, &producer->headers, envelope, err);
}

/* OUT_RETRY: the run must stop, and the record is still here. */
static enum outcome queue_message(struct producer *producer, const struct origin *origin,
                                  int32_t partition, const struct envelope *envelope,
                                  struct error *err)
{
    struct sent *sent = sent_new(producer, origin);
    enum outcome outcome;
    sent->sequence = run_of(producer)->sequences[partition];
    if (sent->passage)
        sent->span = acked_prefix_send(&producer->acked);
    while ((outcome = bus_sender_send(producer->sender, partition, envelope, sent, err)) ==
               OUT_RETRY &&
           !producer_must_stop(producer))
        producer_breathe(producer, FULL_WAIT_MS);
    if (outcome == OUT_OK)
        return OUT_OK;
    if (sent->passage)
        acked_prefix_acknowledge(&producer->acked, sent->span);
    sent_free(producer, sent);
    return outcome;
}

static bool is_replayed(const struct producer *producer)
{
    return producer->passage && producer->passage->records < producer->passage->replayed;
}

/* What is acknowledged already goes all of its way but the last step, so that whoever was sent or
 * rejected then is now: keys, versions and numbers of what follows depend on it. */
static enum outcome pass_by(const struct producer *producer, const struct envelope *envelope,
                            struct error *err)
{
    struct message_view message = message_of(envelope);
    return message_check_size(&message, bus_sender_message_max(producer->sender), err);
}

enum outcome producer_send_record(struct producer *producer, struct record *record,
                                  struct error *err)
{
    struct envelope envelope;
    int32_t partition = 0;
    enum outcome outcome = encode(producer, record, &partition, &envelope, err);
    bool replayed = is_replayed(producer);
    if (outcome == OUT_OK)
        outcome = replayed ? pass_by(producer, &envelope, err)
                           : queue_message(producer, &record->origin, partition, &envelope, err);
    if (outcome != OUT_OK)
        return outcome;
    run_of(producer)->sequences[partition]++;
    if (producer->passage)
        producer->passage->reading.produced++;
    if (replayed)
        produce_counters_replay(&producer->counters, record->payload.size);
    else
        produce_counters_queue(&producer->counters, record->payload.size);
    if (producer->counters.read % POLL_EVERY == 0)
        bus_sender_poll(producer->sender, 0);
    return OUT_OK;
}

static enum outcome take(struct producer *producer, const struct source_record *found,
                         struct error *err)
{
    struct record record;
    bool send = true;
    enum outcome outcome = identify(producer, found, &record, err);
    if (outcome == OUT_OK) {
        count_tenant(producer, found);
        find_key(producer, found->mapping, &record);
    }
    if (outcome == OUT_OK && producer->gate)
        outcome = producer->gate->ask(producer->gate->owner, found, &record, &send, err);
    if (outcome == OUT_OK && send)
        outcome = protect(producer, found->mapping, &record, err);
    if (outcome == OUT_OK && send)
        outcome = producer_send_record(producer, &record, err);
    return outcome;
}

/* The JSON reader says "byte N" of the record: for people it becomes a place in the source, where
 * the record stands there as it was read, or the record's name. */
static void locate_in_source(const struct source_record *found, struct error *err)
{
    size_t at;
    if (found->name.size) {
        char path[sizeof(err->path)];
        memcpy(path, err->path, sizeof(path));
        error_path(err, "%.*s%s%s", BYTES_ARGS(found->name), path[0] ? " " : "", path);
        if (strncmp(err->where, "byte ", 5) == 0 && err->cause[0])
            err->where[0] = '\0';
        return;
    }
    if (sscanf(err->where, "byte %zu", &at) != 1 || at > found->payload.size)
        return;
    size_t last = 0;
    size_t lines = json_scan_lines(bytes_of(found->payload.data, at), &last);
    uint64_t column = lines ? at - last + 1 : found->origin.column + at;
    err->where[0] = '\0';
    if (!err->cause[0])
        error_cause(err, "seen at line %" PRIu64 ", column %" PRIu64 " (byte %" PRIu64 ")",
                    found->origin.line + lines, column, found->origin.byte + at);
}

void producer_refuse_record(struct producer *producer, const struct source_record *found,
                            struct error *err)
{
    if (found->name.size)
        locate_in_source(found, err);
    producer_reject_record(producer, found, err);
}

bool producer_take_record(struct producer *producer, const struct source_record *found)
{
    struct error err;
    switch (take(producer, found, &err)) {
    case OUT_OK:
        return true;
    case OUT_REJECT:
        locate_in_source(found, &err);
        producer_reject_record(producer, found, &err);
        return true;
    case OUT_FATAL:
        producer_fail(producer, &err);
        return false;
    case OUT_RETRY:
        break;
    }
    return false;
}
