/* See the header. */
#include "producer/follow/follow_send.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "producer/follow/follow_files.h"
#include "producer/follow/follow_grown.h"
#include "producer/follow/follow_problem.h"

#define VERSIONS_AHEAD (INT64_C(1) << 20) /* stored at once: one write of the state for many */
#define NS_PER_MS 1000000
#define CHANGES_MAX 2000 /* of a batch, so that what waits for Kafka is not much */
#define PENDING_MS 100   /* the first of a batch waits for the others no longer */

/* ---- versions ---- */

/* Versions of the clock are stored ahead of it. One that is above them, as a record's floor was, is
 * noted with its key (compare does), and the clock of all others stays. */
static enum outcome reserve(struct follow_reader *reader, int64_t version, bool clocked,
                            struct error *err)
{
    if (version <= follow_state_bound(reader->state)) {
        version_observe(&reader->producer->file_clock, version);
        return OUT_OK;
    }
    if (!clocked)
        return OUT_OK;
    bool room = version < INT64_MAX - VERSIONS_AHEAD;
    return follow_state_reserve(reader->state, room ? version + VERSIONS_AHEAD : INT64_MAX, err);
}

/* It is sent all the same: the worker says what became of it. */
static void say_behind(struct follow_reader *reader, struct bytes key, const struct record *record,
                       int64_t floor)
{
    struct error note;
    struct buf safe;
    char *path = strndup(record->origin.uri.data, record->origin.uri.size);
    struct origin place = {.uri = record->origin.uri};
    buf_init(&safe, 4096);
    text_append_safe(&safe, key, 150);
    error_set(&note, OUT_OK, ERR_NONE,
              "%s has version %" PRId64 ", and %" PRId64
              " was given for it before, to a change or a deletion: the stores keep that",
              buf_text(&safe), record->version, floor);
    progress_clear(&reader->producer->progress);
    rejects_note(&reader->producer->rejects, NOTE_RECORD, &place, &note);
    log_quoted(LOG_WARN, "follow.behind", "path", path ? path : "",
               "version=%" PRId64 " given=%" PRId64, record->version, floor);
    buf_free(&safe);
    free(path);
}

enum outcome follow_send_wanted(struct follow_reader *reader, const struct follow_seen *seen,
                                struct record *record, bool *send, struct error *err)
{
    struct follow_wanted wanted;
    if (follow_state_wants(reader->state, seen, &wanted, err) != OUT_OK)
        return OUT_FATAL;
    int64_t floor = wanted.floor;
    *send = wanted.send;
    if (wanted.refused) {
        error_set(err, OUT_REJECT, ERR_VALUE_CONFLICT,
                  "the record is back, but its version is not above its deletion");
        error_hint(err, "it stays deleted until its version grows");
        return OUT_REJECT;
    }
    if (!*send)
        return OUT_OK;
    if (!seen->own && record->version <= floor && floor == INT64_MAX) {
        if (follow_state_keep(reader->state, seen->key, err) != OUT_OK)
            return OUT_FATAL;
        error_set(err, OUT_REJECT, ERR_VERSION_LAST,
                  "the record has the greatest version there is, and nothing can follow it");
        return OUT_REJECT;
    }
    bool clocked = !seen->own && record->version > floor;
    if (!seen->own && !clocked)
        record->version = floor + 1;
    if (wanted.below || (seen->own && record->version < floor))
        say_behind(reader, seen->key, record, floor);
    enum outcome outcome = seen->own ? OUT_OK : reserve(reader, record->version, clocked, err);
    if (outcome == OUT_OK)
        outcome = follow_state_sent(reader->state, seen->key, record->version, err);
    reader->upserts += outcome == OUT_OK;
    return outcome;
}

/* ---- one pass over the file ---- */

void follow_send_read(struct follow_reader *reader, const struct source_file *source,
                      enum follow_pass pass)
{
    struct producer *producer = reader->producer;
    struct source_kind kind;
    struct error err;
    reader->sending = pass != FOLLOW_COMPARES;
    reader->gate.silent = pass != FOLLOW_SENDS;
    reader->unfinished = false;
    reader->rejected = 0;
    buf_reset(&reader->asked);
    passage_free(reader->refused);
    reader->refused = passage_new(source->path, false, producer->own);
    producer->gate = &reader->gate;
    /* a file that came later may be of no mapping: that is its own fault, not the run's end */
    if (!source->part.to &&
        source_reading_check(&producer->rules, source, &kind, &err) == OUT_FATAL)
        producer_reject_source(producer, source->path, &err);
    else
        producer_read_source(producer, source);
    producer->gate = NULL;
}

/* ---- sending ---- */

static enum outcome send_delete(struct follow_reader *reader, struct bytes key, int64_t last,
                                bool own, const char *path, struct error *err)
{
    struct producer *producer = reader->producer;
    const char *entity = memchr(key.data, '/', key.size);
    const char *id =
        entity ? memchr(entity + 1, '/', key.size - (size_t)(entity + 1 - key.data)) : NULL;
    assert(id); /* the state looked at it */
    int64_t clock_version = own ? 0 : version_next(&producer->file_clock, clock_unix_ms());
    struct record record = {
        .tenant = bytes_of(key.data, (size_t)(entity - key.data)),
        .entity = bytes_of(entity + 1, (size_t)(id - entity - 1)),
        .id = bytes_of(id + 1, key.size - (size_t)(id + 1 - key.data)),
        .version = follow_delete_version(own, last, clock_version),
        .has_version = true,
        .operation = OP_DELETE,
        .index = -1,
        .run = bytes_text(producer->run),
        .sequence = -1,
        .origin = {.uri = bytes_text(path)},
    };
    producer->open.path = "(deleted)"; /* should Kafka refuse it, after the file is forgotten */
    bool clocked = record.version == clock_version;
    enum outcome outcome = own ? OUT_OK : reserve(reader, record.version, clocked, err);
    if (outcome == OUT_OK)
        outcome = follow_state_sent(reader->state, key, record.version, err);
    if (outcome == OUT_OK)
        outcome = producer_send_record(producer, &record, err);
    reader->deletes += outcome == OUT_OK;
    return outcome;
}

/* Its version is the greatest there is: a delete could not be newer, and a stamped one could not
 * either. The row stays; said once, and then the follower knows the record no more. */
static enum outcome keep_last(struct follow_reader *reader, struct bytes key, const char *path,
                              struct error *err)
{
    struct error why;
    struct buf safe;
    struct origin place = {.uri = bytes_text(path)};
    buf_init(&safe, 4096);
    text_append_safe(&safe, key, 150);
    error_set(&why, OUT_REJECT, ERR_VERSION_LAST,
              "%s is gone from the source, and no delete can be newer than it", buf_text(&safe));
    buf_free(&safe);
    progress_clear(&reader->producer->progress);
    rejects_add(&reader->producer->rejects, &place, &why);
    log_quoted(LOG_WARN, "follow.kept", "path", path, "code=%s", error_code_id(why.code));
    return follow_state_keep(reader->state, key, err);
}

/* OUT_RETRY: the run must stop. */
static enum outcome send_deletes(struct follow_reader *reader, const char *path, struct error *err)
{
    for (;;) {
        struct bytes key;
        int64_t last;
        bool own;
        enum outcome outcome = follow_state_next_delete(reader->state, &key, &last, &own, err);
        if (outcome != OUT_OK || key.size == 0)
            return outcome;
        outcome = last == INT64_MAX ? keep_last(reader, key, path, err)
                                    : send_delete(reader, key, last, own, path, err);
        if (outcome != OUT_OK)
            return outcome;
    }
}

/* ---- a batch ---- */

static void say(struct follow_reader *reader, const struct follow_pending *pending)
{
    const struct follow_counts *counts = &pending->counts;
    if (!pending->gone && counts->upserts + counts->deletes <= pending->left)
        return;
    reader->last_change_ms = clock_unix_ms();
    log_quoted(LOG_INFO, pending->gone ? "follow.deleted" : "follow.produced", "path",
               pending->file->path,
               "records=%" PRIu64 " upserts=%" PRIu64 " deletes=%" PRIu64 " left=%" PRIu64,
               counts->seen, counts->upserts - pending->left, counts->deletes, pending->left);
}

/* The clock of what is about to be sent goes into the transaction of the intents. */
static enum outcome reserve_ahead(struct follow_reader *reader, struct error *err)
{
    int64_t now_ms = clock_unix_ms(), latest_ms = 0;
    for (size_t i = 0; i < reader->pending_count; i++) {
        int64_t modified_ms = reader->pending[i].known.identity.modified_ns / NS_PER_MS;
        if (modified_ms <= now_ms && modified_ms > latest_ms)
            latest_ms = modified_ms;
    }
    int64_t bound = (latest_ms + 1) << VERSION_COUNTER_BITS;
    return bound > follow_state_bound(reader->state)
               ? follow_state_reserve(reader->state, bound + VERSIONS_AHEAD, err)
               : OUT_OK;
}

/* Only the second pass sees all: what was to be sent may be refused on its way. */
static void take_refused(struct follow_reader *reader, struct follow_pending *pending)
{
    if (reader->unfinished)
        return; /* it changed meanwhile, and is read again */
    passage_free(pending->refused);
    pending->refused = reader->refused;
    reader->refused = NULL;
}

static enum outcome send_one(struct follow_reader *reader, struct follow_pending *pending,
                             struct error *err)
{
    const char *path = pending->source ? pending->source->path : pending->file->path;
    bool refused = pending->rejected + pending->counts.behind > 0;
    bool silent = pending->counts.upserts == 0 && pending->file->refusals_listed;
    follow_state_turn(reader->state, &pending->known);
    if (pending->source && (pending->counts.upserts > 0 || refused)) {
        rejects_begin_source(&reader->producer->rejects, !pending->file->has_rejects);
        follow_send_read(reader, pending->source, silent ? FOLLOW_SENDS_SILENTLY : FOLLOW_SENDS);
        rejects_begin_source(&reader->producer->rejects, false);
        pending->file->refusals_listed = true;
        if (producer_must_stop(reader->producer))
            return OUT_RETRY;
        take_refused(reader, pending);
    }
    return send_deletes(reader, path, err);
}

/* As long as something of the content is left to do it is read whole. */
static enum outcome store_growth(struct follow_reader *reader, struct follow_pending *pending,
                                 struct error *err)
{
    struct follow_growth *growth = &pending->growth;
    if (!growth->is_known || pending->counts.waiting > 0 || !pending->source ||
        !follow_grown_prove(pending->source->path, &growth->grown))
        return OUT_OK;
    return follow_state_store_grown(reader->state, &growth->grown, growth->parts,
                                    growth->part_count, growth->anew, err);
}

static enum outcome store_refused(struct follow_reader *reader, struct follow_pending *pending,
                                  struct error *err)
{
    if (!pending->refused)
        return follow_rejected_gone(reader->rejections, pending->file->path, err);
    if (pending->late)
        passage_join(pending->refused, &pending->late->reading);
    enum outcome outcome =
        follow_rejected_store(reader->rejections, pending->file->path, pending->source,
                              pending->refused, pending->growth.reach != REACH_ALL, err);
    bool has_rejects = pending->refused->reading.rejected > 0;
    if (pending->file->has_rejects && !has_rejects)
        follow_problem_over(reader->producer, pending->file->path,
                            "nothing of the source is rejected any more");
    pending->file->has_rejects = has_rejects;
    return outcome;
}

static enum outcome store_one(struct follow_reader *reader, struct follow_pending *pending,
                              struct error *err)
{
    struct follow_known *known = &pending->known;
    const struct follow_counts *counts = &pending->counts;
    bool racy = scan_is_racy(&known->identity, pending->file->read_ns);
    const struct follow_growth *growth = &pending->growth;
    bool rest = growth->is_known && growth->grown.end < known->identity.size;
    bool unproven = growth->reach == REACH_PART && !growth->anew; /* a scan looks when it rests */
    known->done = !racy && !rest && !unproven &&
                  (counts->waiting == 0 || (pending->rejected > 0 && pending->settled));
    if (counts->waiting > 0 && !known->done && pending->before.inode != 0)
        known->identity = pending->before;
    if (counts->waiting > 0 && pending->rejected > 0)
        log_quoted(LOG_WARN, "follow.deletes_withheld", "path", pending->file->path,
                   "records=%" PRIu64 " unidentified=%" PRIu64, counts->waiting, pending->rejected);
    follow_state_turn(reader->state, known);
    if (follow_state_unsent(reader->state, &pending->left, err) != OUT_OK)
        return OUT_FATAL;
    if (pending->left > 0)
        return follow_state_commit_sent(reader->state, err);
    enum outcome outcome = follow_state_commit(reader->state, known, pending->gone, err);
    if (outcome == OUT_OK)
        outcome = store_refused(reader, pending, err);
    return outcome == OUT_OK ? store_growth(reader, pending, err) : outcome;
}

/* *sent: so many of the batch, from its begin, are acknowledged. */
static enum outcome send_all(struct follow_reader *reader, size_t *sent, struct error *err)
{
    enum outcome outcome = reserve_ahead(reader, err);
    if (outcome == OUT_OK)
        outcome = follow_state_intend(reader->state, err);
    while (outcome == OUT_OK && *sent < reader->pending_count) {
        outcome = send_one(reader, &reader->pending[*sent], err);
        *sent += outcome == OUT_OK;
    }
    return outcome;
}

/* What a signal cut off is not stored: the next follower looks whether it was sent. */
static enum outcome store_all(struct follow_reader *reader, size_t sent, struct error *err)
{
    if (!producer_settle(reader->producer))
        return OUT_RETRY;
    enum outcome outcome = follow_state_begin_store(reader->state, err);
    for (size_t i = 0; i < sent && outcome == OUT_OK; i++)
        outcome = store_one(reader, &reader->pending[i], err);
    if (outcome == OUT_OK)
        outcome = follow_state_end_store(reader->state, err);
    for (size_t i = 0; i < sent && outcome == OUT_OK; i++) {
        struct follow_pending *pending = &reader->pending[i];
        say(reader, pending);
        pending->file->unread |= pending->left > 0; /* it changed while it was sent */
        reader->unread += pending->left > 0;
    }
    return outcome;
}

enum outcome follow_send_pending(struct follow_reader *reader)
{
    struct error err = {0};
    size_t sent = 0;
    if (reader->pending_count == 0)
        return OUT_OK;
    enum outcome outcome = send_all(reader, &sent, &err);
    if (outcome == OUT_OK || outcome == OUT_RETRY) {
        enum outcome stored = store_all(reader, sent, &err);
        outcome = outcome == OUT_OK ? stored : outcome;
    }
    for (size_t i = 0; i < sent && outcome == OUT_OK; i++)
        outcome = reader->pending[i].left > 0 ? OUT_RETRY : OUT_OK;
    for (size_t i = 0; i < reader->pending_count; i++) {
        passage_free(reader->pending[i].refused);
        passage_free(reader->pending[i].late);
    }
    reader->pending_count = 0;
    reader->pending_changes = 0;
    follow_state_abandon(reader->state);
    if (outcome == OUT_FATAL || outcome == OUT_REJECT)
        producer_fail(reader->producer, &err);
    return outcome;
}

void follow_send_later(struct follow_reader *reader, const struct follow_pending *pending)
{
    assert(reader->pending_count < FOLLOW_PENDING_MAX);
    if (reader->pending_count == 0)
        reader->pending_ms = clock_monotonic_ms();
    struct follow_pending *kept = &reader->pending[reader->pending_count++];
    *kept = *pending;
    if (kept->growth.reach == REACH_PART)
        kept->source = &kept->part;
    reader->pending_changes += pending->counts.upserts + pending->counts.deletes;
}

bool follow_send_is_due(const struct follow_reader *reader)
{
    return reader->pending_count == FOLLOW_PENDING_MAX || reader->pending_changes >= CHANGES_MAX ||
           (reader->pending_count > 0 && clock_monotonic_ms() - reader->pending_ms >= PENDING_MS);
}
