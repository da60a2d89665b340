/* See the header. Failures of the state end the run: without it deletes would be guesses. */
#include "producer/follow/follow_read.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "common/base/text.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/io/source/source_identity.h"
#include "common/model/json/canonical.h"
#include "common/model/message/envelope.h"
#include "producer/follow/follow_files.h"
#include "producer/follow/follow_grown.h"
#include "producer/follow/follow_moves.h"
#include "producer/follow/follow_problem.h"
#include "producer/follow/follow_send.h"

#define IDENTITY_BYTES (1u << 20)

#define VERIFY_MS 600000 /* a file that grows all the time is compared whole so often, */
#define VERIFY_BYTES_A_MS                                                                          \
    16384 /* and one that rests, so that it takes a small share of the time                        \
           */

/* ---- one record ---- */

static void append_part(struct buf *out, struct bytes part)
{
    buf_append_be32(out, (uint32_t)part.size);
    buf_append_bytes(out, part);
}

/* Everything of the record that ends in its row: content in canonical form, so that a file written
 * in another layout is the same; and the mapping, so that a changed one produces all again. */
static struct digest digest_record(struct follow_reader *reader, const struct source_record *found,
                                   const struct record *record)
{
    struct buf *scratch = &reader->producer->work.scratch;
    struct digest content = digest_of(record->payload);
    yyjson_doc *doc;
    if (json_parse(record->payload, found->mapping->unicode, NULL, &doc, NULL) == OUT_OK) {
        if (!canonical_digest(yyjson_doc_get_root(doc), scratch, &content))
            content = digest_of(record->payload);
        yyjson_doc_free(doc);
    }
    struct buf all;
    buf_init(&all, IDENTITY_BYTES);
    append_part(&all, bytes_of(content.bytes, sizeof(content.bytes)));
    append_part(&all, bytes_of(found->mapping->fingerprint.bytes, sizeof(content.bytes)));
    append_part(&all, record->source_key);
    append_part(&all, record->user);
    append_part(&all, record->localstorage_origin);
    buf_append_be64(&all, (uint64_t)record->index);
    struct digest digest = digest_of(buf_view(&all));
    buf_free(&all);
    return digest;
}

static enum outcome on_record(void *owner, const struct source_record *found, struct record *record,
                              bool *send, struct error *err)
{
    struct follow_reader *reader = owner;
    struct buf key;
    buf_init(&key, IDENTITY_BYTES);
    envelope_append_key(&key, record->tenant, record->entity, record->id);
    struct follow_seen seen = {.key = buf_view(&key),
                               .digest = digest_record(reader, found, record),
                               .version = record->version,
                               .ordinal = found->origin.ordinal,
                               .own = found->mapping->version_source != VERSION_STAMPED};
    *send = false;
    buf_reset(&reader->asked);
    enum outcome outcome = reader->sending ? follow_send_wanted(reader, &seen, record, send, err)
                                           : follow_state_see(reader->state, &seen, err);
    if (*send)
        buf_append_bytes(&reader->asked, seen.key);
    reader->asked_ordinal = seen.ordinal;
    buf_free(&key);
    return outcome;
}

/* A cut record, and whatever is wrong with the source as a whole, may be a file half-written. */
static void on_refused(void *owner, const struct source_record *found, const struct error *err)
{
    struct follow_reader *reader = owner;
    struct error why;
    bool cut = !found || err->code == ERR_JSON_TRUNCATED;
    if (cut && !reader->unfinished)
        reader->why = *err;
    reader->unfinished |= cut;
    reader->rejected += !cut;
    if (cut)
        return;
    passage_reject(reader->refused, &found->origin,
                   found->mapping ? bytes_text(found->mapping->entity) : (struct bytes){0},
                   err->code);
    bool was_asked = reader->asked.size && found->origin.ordinal == reader->asked_ordinal;
    if (was_asked && follow_state_refused(reader->state, buf_view(&reader->asked), &why) != OUT_OK)
        producer_fail(reader->producer, &why);
}

static void on_withheld(void *owner)
{
    struct follow_reader *reader = owner;
    reader->refused->reading.withheld++;
}

void follow_read_late(struct follow_reader *reader, const struct origin *origin,
                      enum error_code code)
{
    struct error err;
    for (size_t i = 0; i < reader->pending_count; i++) {
        struct follow_pending *pending = &reader->pending[i];
        if (!pending->source || pending->source->path != origin->uri.data)
            continue;
        if (!pending->late)
            pending->late = passage_new(pending->source->path, false, reader->producer->own);
        passage_reject(pending->late, origin, (struct bytes){0}, code);
        if (follow_state_refused_late(reader->state, &pending->known, origin->ordinal, &err) !=
            OUT_OK)
            producer_fail(reader->producer, &err);
    }
}

static void on_end(void *owner, const struct source_reading *reading)
{
    struct follow_reader *reader = owner;
    if (reader->sending)
        return;
    reader->ended_lines = source_reading_ended_at(reading, &reader->line_start);
    reader->read_bytes = byte_source_digest(source_reading_bytes(reading), &reader->read_digest);
}

void follow_reader_init(struct follow_reader *reader, struct producer *producer,
                        struct follow_state *state, struct follow_rejected *rejections)
{
    *reader = (struct follow_reader){
        .producer = producer,
        .state = state,
        .rejections = rejections,
        .scan_ms = producer->settings->scan_ms,
        .last_change_ms = -1,
        .gate = {.ask = on_record, .end = on_end, .refuse = on_refused, .withhold = on_withheld}};
    reader->gate.owner = reader;
    buf_init(&reader->asked, IDENTITY_BYTES);
}

void follow_reader_free(struct follow_reader *reader)
{
    passage_free(reader->refused);
    buf_free(&reader->asked);
}

/* ---- one pass over the file ---- */

static int64_t unix_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* The first pass. The clock is put back: the second pass stamps the records as plain producing
 * would. */
static void compare_pass(struct follow_reader *reader, const struct source_file *source,
                         const struct scan_identity *identity)
{
    struct version_clock clock = reader->producer->file_clock;
    struct scan_identity after;
    reader->ended_lines = false;
    follow_send_read(reader, source, FOLLOW_COMPARES);
    reader->producer->file_clock = clock;
    if (source->part.to) /* what is appended meanwhile changes nothing of it */
        return;
    bool same = source_identity_read(source->path, &after) && scan_identity_equal(identity, &after);
    if (same || reader->unfinished)
        return;
    reader->unfinished = true;
    error_set(&reader->why, OUT_REJECT, ERR_SOURCE_CHANGED, "the source changed while it was read");
}

/* ---- scans ---- */

static void finish_scan(struct follow_reader *reader, enum outcome outcome, const struct error *err)
{
    follow_state_abandon(reader->state);
    if (outcome == OUT_FATAL || outcome == OUT_REJECT)
        producer_fail(reader->producer, err);
}

/* What this process saw of the identity at hand. */
static void note_identity(const struct follow_reader *reader, struct followed *file,
                          const struct scan_identity *identity)
{
    if (file->identified && scan_identity_equal(&file->identity, identity))
        return;
    file->identity = *identity;
    file->identified = true;
    file->placed = false; /* the next scan of who has moved asks */
    file->done_at = 0;
    file->since_ms = reader->scan_began_ms;
    file->failed_same = 0;
    file->refusals_listed = false;
}

static void set_unread(struct follow_reader *reader, struct followed *file, bool unread)
{
    file->unread = unread;
    reader->unread += unread;
}

/* Nothing to be done with the file now; `why` is said when its time has come. */
static void put_off(struct follow_reader *reader, struct followed *file,
                    const struct source_file *source, enum scan_verdict verdict, bool scan)
{
    file->failed_same += scan;
    file->failed += scan;
    /* also when what it held before was said to be broken */
    set_unread(reader, file, verdict != SCAN_REPORT);
    if (verdict != SCAN_REPORT)
        return;
    error_hint(&reader->why, "what was produced of it before stays as it is; it is looked at again "
                             "by itself, at each produce.scan and when it changes");
    follow_problem_begin(reader->producer, file, source->path, &reader->why);
    file->broken = true;
}

/* A scan that began at least `produce.scan` before this one saw the same. What was made while that
 * one was at work is in this one's list. */
static bool is_settled(const struct follow_reader *reader, const struct followed *file)
{
    return reader->scan_began_ms - file->since_ms >= reader->scan_ms;
}

static bool must_wait(const struct follow_reader *reader)
{
    return reader->unread > 0 && !reader->waited;
}

/* A key that another file of the batch has goes on from where that one is. */
static enum outcome make_room(struct follow_reader *reader, const struct follow_known *known,
                              bool alone, struct error *err)
{
    bool clashes = alone;
    if (reader->pending_count == 0)
        return OUT_OK;
    if (!alone && follow_state_clashes(reader->state, &clashes, err) != OUT_OK)
        return OUT_FATAL;
    if (!clashes)
        return OUT_OK;
    follow_state_set_aside(reader->state);
    (void)follow_send_pending(reader);
    return producer_must_stop(reader->producer) ? OUT_RETRY
                                                : follow_state_resume(reader->state, known, err);
}

/* ---- files that grow ---- */

static bool go_on(void *owner)
{
    struct follow_reader *reader = owner;
    producer_breathe(reader->producer, 0);
    return !producer_must_stop(reader->producer);
}

/* All of what was read is looked at when nothing else is to be done, and from time to time. */
static bool is_verification_due(const struct follow_grown *grown, uint64_t size)
{
    int64_t since_ms = clock_unix_ms() - grown->verified_ms;
    return size == grown->end || grown->parts >= FOLLOW_PARTS_MAX - 1 || since_ms < 0 ||
           since_ms >= VERIFY_MS;
}

/* Whether what was read of the file is still its begin. */
static bool is_begin(struct follow_reader *reader, const struct source_file *source, int64_t id,
                     uint64_t size, struct follow_growth *growth)
{
    struct digest whole;
    struct follow_grown *grown = &growth->grown;
    if (size < grown->end)
        return false;
    if (!is_verification_due(grown, size))
        return follow_grown_is_begin(source->path, grown);
    if (!follow_grown_is_same(reader->state, id, source->path, grown, go_on, reader, &whole))
        return false;
    grown->verified_ms = clock_unix_ms();
    growth->parts[growth->part_count++] = (struct follow_part){grown->end, whole};
    growth->anew = true;
    return true;
}

/* *part is what is to be read of the file. OUT_RETRY: nothing yet, it ends within a line. */
static enum outcome find_growth(struct follow_reader *reader, const struct source_file *source,
                                const struct follow_known *known,
                                const struct scan_identity *identity, struct follow_growth *growth,
                                struct source_file *part, struct error *err)
{
    bool found = false;
    *growth = (struct follow_growth){.reach = REACH_ALL};
    *part = *source;
    if (!known->id || !follow_same_place(&known->identity, identity))
        return OUT_OK;
    if (follow_state_find_grown(reader->state, known->id, &growth->grown, &found, err) != OUT_OK)
        return OUT_FATAL;
    if (!found || !is_begin(reader, source, known->id, identity->size, growth)) {
        *growth = (struct follow_growth){.reach = REACH_ALL};
        return OUT_OK;
    }
    growth->reach = identity->size == growth->grown.end ? REACH_NONE : REACH_PART;
    if (growth->reach == REACH_NONE)
        return OUT_OK;
    if (!follow_grown_find_lines(source->path, &growth->grown, identity->size,
                                 reader->producer->settings->record_bytes, &part->part)) {
        growth->reach = REACH_ALL;
        *part = *source;
        return OUT_OK;
    }
    return part->part.to ? OUT_OK : OUT_RETRY;
}

/* What the first pass read, for the next time. */
static void note_growth(const struct follow_reader *reader, const struct scan_identity *identity,
                        struct follow_growth *growth)
{
    struct follow_grown *grown = &growth->grown;
    bool part = growth->reach == REACH_PART;
    growth->is_known = growth->reach == REACH_NONE;
    grown->size = identity->size;
    grown->changed_ns = identity->changed_ns;
    if (growth->reach == REACH_NONE)
        return;
    uint64_t from = part ? grown->end : 0;
    growth->is_known = reader->ended_lines &&
                       reader->line_start.byte == from + reader->read_bytes &&
                       (part || reader->line_start.byte == identity->size);
    if (!part) {
        grown->verified_ms = clock_unix_ms();
        growth->part_count = 0;
        growth->anew = true;
    }
    grown->end = reader->line_start.byte;
    grown->line = reader->line_start.line;
    grown->ordinal = reader->line_start.ordinal;
    growth->parts[growth->part_count++] = (struct follow_part){grown->end, reader->read_digest};
}

/* Half a line was appended, and nothing more yet. */
static void wait_for_line(struct follow_reader *reader, struct followed *file,
                          const struct source_file *source, bool scan)
{
    const struct scan seen = {.failed_same = file->failed_same, .failed = file->failed};
    reader->unfinished = true;
    error_set(&reader->why, OUT_REJECT, ERR_JSON_TRUNCATED, "the last line has no end");
    put_off(reader, file, source, scan_judge(&seen), scan);
}

/* The caller's: what the first pass rejected. */
static struct passage *take_refused(struct follow_reader *reader, const struct source_file *source,
                                    const struct follow_growth *growth)
{
    struct passage *refused = growth->reach == REACH_NONE ? NULL : reader->refused;
    if (!refused)
        return passage_new(source->path, false, reader->producer->own);
    reader->refused = NULL;
    return refused;
}

static void take_reading(struct follow_reader *reader, struct followed *file,
                         const struct source_file *source, const struct follow_known *known,
                         const struct scan_identity *before, struct follow_growth *growth,
                         bool scan)
{
    struct error err = {0};
    bool whole = growth->reach == REACH_ALL;
    struct scan seen = {.whole = !reader->unfinished,
                        .rejected = reader->rejected,
                        .settled = is_settled(reader, file),
                        .others_unread = must_wait(reader),
                        .failed_same = file->failed_same,
                        .failed = file->failed};
    enum scan_verdict verdict = scan_judge(&seen);
    if (verdict == SCAN_WAIT || verdict == SCAN_REPORT) {
        put_off(reader, file, source, verdict, scan);
        finish_scan(reader, OUT_OK, NULL);
        return;
    }
    file->failed_same = file->failed = 0;
    file->broken = file->unread = false;
    follow_problem_end(reader->producer, file, "the source can be read again");
    struct follow_pending pending = {.file = file,
                                     .source = source,
                                     .settled = seen.settled,
                                     .known = *known,
                                     .before = *before,
                                     .refused = take_refused(reader, source, growth),
                                     .rejected = seen.rejected};
    note_growth(reader, &known->identity, growth);
    pending.growth = *growth;
    if (growth->reach == REACH_PART)
        pending.part = *source;
    bool alone = verdict == SCAN_ALL && whole; /* what it lost another file may have, or get */
    enum outcome outcome = make_room(reader, known, alone, &err);
    if (outcome == OUT_OK)
        outcome = follow_state_compare(reader->state, alone, !whole, &pending.counts, &err);
    if (outcome != OUT_OK) {
        passage_free(pending.refused);
        finish_scan(reader, outcome, &err);
        return;
    }
    follow_send_later(reader, &pending);
    if (alone || follow_send_is_due(reader))
        (void)follow_send_pending(reader);
}

void follow_read_end(struct follow_reader *reader)
{
    uint64_t began_ms = clock_monotonic_ms();
    (void)follow_send_pending(reader);
    reader->reading_ms += clock_monotonic_ms() - began_ms;
}

/* A file that was not to be seen is there: false when the state cannot be used. */
static bool come_back(struct follow_reader *reader, struct followed *file)
{
    struct error err = {0};
    struct follow_known known;
    if (!file->absent)
        return true;
    enum outcome outcome = follow_state_find(reader->state, file->path, &known, &err);
    if (outcome == OUT_OK)
        outcome = follow_state_follow(reader->state, known.id, &err);
    file->absent = outcome != OUT_OK;
    follow_problem_end(reader->producer, file, "the source is there again");
    if (outcome != OUT_OK)
        finish_scan(reader, outcome, &err);
    return outcome == OUT_OK;
}

/* What the state has of the file that has this name now. */
static enum outcome find_known(struct follow_reader *reader, struct followed *file,
                               const struct scan_identity *identity, struct follow_known *known,
                               struct error *err)
{
    enum outcome outcome = follow_state_find(reader->state, file->path, known, err);
    if (outcome != OUT_OK || follow_same_place(&known->identity, identity))
        return outcome;
    bool moved = false;
    outcome = follow_moves_has_one(reader->state, &reader->producer->settings->sources, file,
                                   &moved, err);
    if (outcome != OUT_OK || !moved)
        return outcome;
    (void)follow_send_pending(reader); /* what moves may be of a file of the batch */
    outcome = follow_moves_keep_one(reader->state, &reader->producer->settings->sources, file, err);
    return outcome == OUT_OK ? follow_state_find(reader->state, file->path, known, err) : outcome;
}

/* What was appended is read, and all of it is to be looked at when it rests; that time is not yet.
 */
static bool rests_unproven(struct follow_reader *reader, const struct follow_known *known,
                           const struct scan_identity *identity, bool scan)
{
    struct error err = {0};
    struct follow_grown grown = {0};
    bool found = false;
    if (!scan_identity_equal(&known->identity, identity))
        return false;
    if (follow_state_find_grown(reader->state, known->id, &grown, &found, &err) != OUT_OK)
        finish_scan(reader, OUT_FATAL, &err);
    int64_t since_ms = clock_unix_ms() - grown.verified_ms;
    int64_t every_ms = (int64_t)(grown.end / VERIFY_BYTES_A_MS);
    if (!found || grown.end != identity->size)
        return false;
    return !scan || (since_ms >= 0 && since_ms < every_ms && since_ms < VERIFY_MS);
}

/* Another file has the name now, and where the one before went is not listed yet: what is known of
 * it goes there first (follow_moves.h). Whoever is seen under a name came after the one before had
 * left it, so that was noticed by now, where the system tells. */
static bool waits_for_listing(struct follow_reader *reader, struct followed *file,
                              const struct follow_known *known,
                              const struct scan_identity *identity)
{
    if (!known->id || follow_same_place(&known->identity, identity) ||
        !reader->names_came(reader->owner))
        return false;
    set_unread(reader, file, true);
    file->identified = false;
    return true;
}

/* All of it is known; also of one that was broken meanwhile. */
static void end_news(struct follow_reader *reader, struct followed *file, uint64_t generation)
{
    file->broken = file->unread = false;
    file->done_at = generation;
    follow_problem_end(reader->producer, file, "the source is as it was before");
}

void follow_read_file(struct follow_reader *reader, struct followed *file,
                      const struct source_file *source, enum scan_turn turn, bool scan)
{
    struct error err = {0};
    struct scan_identity identity;
    struct follow_known known;
    file->away_scans = 0;
    if (!come_back(reader, file))
        return;
    if (source->problem || !source_identity_read(source->path, &identity))
        identity = (struct scan_identity){0};
    bool again = file->identified && scan_identity_equal(&file->identity, &identity);
    note_identity(reader, file, &identity);
    bool losses = again && is_settled(reader, file);
    if (turn == TURN_LOSSES && !again) {
        set_unread(reader, file, true);
        file->identified = false; /* changed since the first turn: news for the next scan */
    }
    if (losses != (turn == TURN_LOSSES))
        return;
    uint64_t generation = follow_state_generation(reader->state);
    if (again && file->done_at == generation) {
        file->unread = false;
        return;
    }
    if (find_known(reader, file, &identity, &known, &err) != OUT_OK) {
        finish_scan(reader, OUT_FATAL, &err);
        return;
    }
    if (waits_for_listing(reader, file, &known, &identity))
        return;
    /* it is there: whatever kept it from being followed at the start */
    if (known.id && !again && follow_state_follow(reader->state, known.id, &err) != OUT_OK) {
        finish_scan(reader, OUT_FATAL, &err);
        return;
    }
    bool news = !known.done || !scan_identity_equal(&known.identity, &identity);
    if (!news)
        end_news(reader, file, generation);
    /* The same unfinished file is looked at once a scan, and when something happened to it: what
     * was written in the same moment as it was read has left its times as they are. */
    if (!news || (again && !scan && !reader->noticed))
        return;
    if (again && rests_unproven(reader, &known, &identity, scan))
        return;
    uint64_t began_ms = clock_monotonic_ms();
    struct follow_growth growth;
    struct source_file part;
    file->read_ns = unix_ns();
    switch (find_growth(reader, source, &known, &identity, &growth, &part, &err)) {
    case OUT_OK:
        break;
    case OUT_RETRY:
        wait_for_line(reader, file, source, scan);
        return;
    default:
        finish_scan(reader, OUT_FATAL, &err);
        return;
    }
    struct scan_identity before = known.identity;
    known.identity = identity;
    (void)follow_files_folder(source->path, &known.folder_device);
    if (follow_state_begin(reader->state, file->path, &known, &err) != OUT_OK) {
        finish_scan(reader, OUT_FATAL, &err);
        return;
    }
    reader->unfinished = false;
    reader->rejected = 0;
    if (growth.reach != REACH_NONE)
        compare_pass(reader, &part, &identity);
    if (producer_must_stop(reader->producer))
        finish_scan(reader, OUT_OK, NULL);
    else
        take_reading(reader, file, growth.reach == REACH_PART ? &part : source, &known, &before,
                     &growth, scan);
    reader->reading_ms += clock_monotonic_ms() - began_ms;
}

/* All of a file's records, as if it were an empty list. */
static void delete_file(struct follow_reader *reader, struct followed *file,
                        struct follow_known *known)
{
    struct error err = {0};
    struct follow_pending pending = {.file = file, .gone = true};
    enum outcome outcome = follow_state_begin(reader->state, file->path, known, &err);
    if (outcome == OUT_OK)
        outcome = follow_state_compare(reader->state, true, false, &pending.counts, &err);
    if (outcome != OUT_OK) {
        finish_scan(reader, outcome, &err);
        return;
    }
    pending.known = *known;
    follow_send_later(reader, &pending);
    follow_problem_end(reader->producer, file, FOLLOW_PROBLEM_GONE);
    if (follow_send_pending(reader) == OUT_OK)
        (void)come_back(reader, file); /* what comes under this name is a file like any other */
}

/* Nothing is there that could be this source. */
static bool is_gone(int number)
{
    return number == ENOENT || number == ENOTDIR;
}

bool follow_forget(struct follow_reader *reader, struct followed *file)
{
    struct error err = {0};
    struct scan_identity identity;
    struct follow_known known;
    if (source_identity_read(file->path, &identity) || !is_gone(errno))
        return false;
    enum outcome outcome = follow_state_find(reader->state, file->path, &known, &err);
    if (outcome == OUT_OK && known.id)
        delete_file(reader, file, &known);
    else if (outcome != OUT_OK)
        finish_scan(reader, outcome, &err);
    return true;
}

/* What it held may be gone or not, and nobody can tell: its records stay, but it keeps none of them
 * from being deleted when the files that can be read lose them. Said once. */
static void hold_no_more(struct follow_reader *reader, struct followed *file, struct error *why)
{
    struct error err;
    file->away_scans = 0;
    if (!file->absent && follow_state_unfollow(reader->state, file->path, true, &err) != OUT_OK) {
        finish_scan(reader, OUT_FATAL, &err);
        return;
    }
    file->absent = true;
    follow_problem_begin(reader->producer, file, file->path, why);
}

/* Something is there, but no source. A link to a folder is not followed; a folder may have taken
 * the place of a file, or a profile have lost its database. */
static void scan_other(struct follow_reader *reader, struct followed *file, int number)
{
    struct error why;
    if (++file->away_scans < SCANS_AWAY)
        return;
    error_set(&why, OUT_REJECT, ERR_SOURCE_OPEN, "a followed file is none of the sources any more");
    if (number == 0) {
        error_cause(&why, "it is there, but behind a link to a folder, or left out by its name");
        error_hint(&why,
                   "what was produced of it before stays as it is; name the folder that it is "
                   "in as a source, and it is followed again");
    } else if (is_gone(number)) {
        error_cause(&why, "a folder is in its place");
        error_hint(&why, "what was produced of it before stays as it is; if it is gone for good: "
                         "--forget PATH deletes what it alone held");
    } else {
        error_cause(&why, "%s", strerrordesc_np(number));
        error_hint(&why, "what was produced of it before stays as it is");
    }
    hold_no_more(reader, file, &why);
}

/* Whether all that the file holds, as it is now, is known as that file's. */
static bool is_read(struct follow_reader *reader, const char *path)
{
    struct error err = {0};
    struct scan_identity now;
    struct follow_known known;
    enum outcome outcome = follow_state_find(reader->state, path, &known, &err);
    if (outcome != OUT_OK)
        finish_scan(reader, OUT_FATAL, &err);
    return outcome == OUT_OK && known.done && source_identity_read(path, &now) &&
           scan_identity_equal(&known.identity, &now);
}

static void scan_missing(struct follow_reader *reader, struct followed *file)
{
    struct error err = {0};
    struct follow_known known;
    uint64_t device = 0;
    if (follow_state_find(reader->state, file->path, &known, &err) != OUT_OK) {
        finish_scan(reader, OUT_FATAL, &err);
        return;
    }
    bool readable =
        follow_files_folder_left(&reader->producer->settings->sources, file->path, &device);
    struct poll_away away = {readable, device == known.folder_device, ++file->away_scans,
                             must_wait(reader)};
    switch (scan_judge_away(&away)) {
    case AWAY_WAIT:
        break;
    case AWAY_DELETED:
        delete_file(reader, file, &known);
        break;
    case AWAY_UNKNOWN:
        error_set(&err, OUT_REJECT, ERR_SOURCE_OPEN, "the folder of a followed file is gone");
        error_hint(&err, "what was produced of the file before stays as it is; if it is gone for "
                         "good: --forget PATH deletes what it alone held");
        hold_no_more(reader, file, &err);
        break;
    }
}

void follow_read_away(struct follow_reader *reader, struct followed *file)
{
    struct stat status;
    struct scan_identity identity;
    int number = source_identity_read(file->path, &identity) ? 0 : errno;
    bool folder = stat(file->path, &status) == 0 && S_ISDIR(status.st_mode);
    uint64_t device;
    if (number == 0 && !follow_files_folder(file->path, &device))
        number = errno; /* who cannot list its folder does not see it */
    file->identified = false;
    if (file->kept) {
        char *kept = follow_files_absolute(file->kept);
        bool read = is_read(reader, kept);
        free(kept);
        if (!read)
            return; /* what it had may be there, under the other name */
    }
    if (file->kept || (is_gone(number) && !folder))
        scan_missing(reader, file);
    else
        scan_other(reader, file, number);
}
