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
#include "producer/follow/follow_moves.h"

#define VERSIONS_AHEAD (INT64_C(1) << 20) /* stored at once: one write of the state for many */
#define IDENTITY_BYTES (1u << 20)

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

static enum outcome send_wanted(struct follow_reader *reader, const struct follow_seen *seen,
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
    enum outcome outcome = reader->sending ? send_wanted(reader, &seen, record, send, err)
                                           : follow_state_see(reader->state, &seen, err);
    buf_free(&key);
    return outcome;
}

/* A cut record, and whatever is wrong with the source as a whole, may be a file half-written. */
static void on_refused(void *owner, const struct error *err, bool whole)
{
    struct follow_reader *reader = owner;
    bool cut = whole || err->code == ERR_JSON_TRUNCATED;
    if (cut && !reader->unfinished)
        reader->why = *err;
    reader->unfinished |= cut;
    reader->rejected += !cut;
}

void follow_reader_init(struct follow_reader *reader, struct producer *producer,
                        struct follow_state *state)
{
    *reader = (struct follow_reader){.producer = producer,
                                     .state = state,
                                     .scan_ms = producer->settings->scan_ms,
                                     .last_change_ms = -1,
                                     .gate = {.ask = on_record, .refuse = on_refused}};
    reader->gate.owner = reader;
}

/* ---- one pass over the file ---- */

static void read_pass(struct follow_reader *reader, const struct source_file *source, bool sending)
{
    struct producer *producer = reader->producer;
    struct source_kind kind;
    struct error err;
    reader->sending = sending;
    reader->gate.silent = !sending;
    reader->unfinished = false;
    reader->rejected = 0;
    producer->gate = &reader->gate;
    /* a file that came later may be of no mapping: that is its own fault, not the run's end */
    if (source_reading_check(&producer->rules, source, &kind, &err) == OUT_FATAL)
        producer_reject_source(producer, source->path, &err);
    else
        producer_read_source(producer, source);
    producer->gate = NULL;
}

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
    read_pass(reader, source, false);
    reader->producer->file_clock = clock;
    bool same = source_identity_read(source->path, &after) && scan_identity_equal(identity, &after);
    if (same || reader->unfinished)
        return;
    reader->unfinished = true;
    error_set(&reader->why, OUT_REJECT, ERR_SOURCE_CHANGED, "the source changed while it was read");
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

/* Waits for what was sent, then stores it. OUT_RETRY: nothing is stored as the run must stop, or
 * *left records changed between the two passes and were not sent. */
static enum outcome store(struct follow_reader *reader, const struct follow_known *known, bool gone,
                          uint64_t *left, struct error *err)
{
    *left = 0;
    if (!producer_settle(reader->producer))
        return OUT_RETRY;
    if (follow_state_unsent(reader->state, left, err) != OUT_OK)
        return OUT_FATAL;
    if (*left == 0)
        return follow_state_commit(reader->state, known, gone, err);
    return follow_state_commit_sent(reader->state, err) == OUT_OK ? OUT_RETRY : OUT_FATAL;
}

static void say(struct follow_reader *reader, const char *what, const char *path,
                const struct follow_counts *counts, uint64_t left)
{
    reader->last_change_ms = clock_unix_ms();
    log_quoted(LOG_INFO, what, "path", path,
               "records=%" PRIu64 " upserts=%" PRIu64 " deletes=%" PRIu64 " left=%" PRIu64,
               counts->seen, counts->upserts - left, counts->deletes, left);
}

/* Sends what compare found and stores it. */
static enum outcome apply(struct follow_reader *reader, struct followed *file,
                          const struct source_file *source, struct follow_known *known,
                          const struct scan_identity *before, bool settled,
                          const struct follow_counts *counts, struct error *err)
{
    uint64_t left, rejected = reader->rejected;
    bool list = rejected + counts->behind > 0 && !file->refusals_listed;
    if (counts->upserts > 0 || list) {
        read_pass(reader, source, true);
        file->refusals_listed = true;
        if (producer_must_stop(reader->producer))
            return OUT_RETRY;
    }
    if (send_deletes(reader, source->path, err) != OUT_OK)
        return err->outcome;
    bool racy = scan_is_racy(&known->identity, file->read_ns);
    known->done = !racy && (counts->waiting == 0 || (rejected > 0 && settled));
    if (counts->waiting > 0 && !known->done && before->inode != 0)
        known->identity = *before;
    if (counts->waiting > 0 && rejected > 0)
        log_quoted(LOG_WARN, "follow.deletes_withheld", "path", file->path,
                   "records=%" PRIu64 " unidentified=%" PRIu64, counts->waiting, rejected);
    enum outcome outcome = store(reader, known, false, &left, err);
    bool stored = outcome == OUT_OK || (outcome == OUT_RETRY && left > 0);
    if (stored && counts->upserts + counts->deletes > left)
        say(reader, "follow.produced", file->path, counts, left);
    return outcome;
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
    if (verdict != SCAN_REPORT || file->reported)
        return;
    error_hint(&reader->why, "what was produced of it before stays as it is");
    producer_reject_source(reader->producer, source->path, &reader->why);
    file->reported = true;
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

static void take_reading(struct follow_reader *reader, struct followed *file,
                         const struct source_file *source, struct follow_known *known,
                         const struct scan_identity *before, bool scan)
{
    struct error err = {0};
    struct follow_counts counts;
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
    file->reported = file->unread = false;
    enum outcome outcome = follow_state_compare(reader->state, verdict == SCAN_ALL, &counts, &err);
    if (outcome == OUT_OK)
        outcome = apply(reader, file, source, known, before, seen.settled, &counts, &err);
    if (outcome == OUT_RETRY)
        set_unread(reader, file, true); /* it changed while it was sent */
    finish_scan(reader, outcome, &err);
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
    file->reported = false;
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
    outcome = follow_moves_keep_one(reader->state, &reader->producer->settings->sources, file, err);
    return outcome == OUT_OK ? follow_state_find(reader->state, file->path, known, err) : outcome;
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
    if (find_known(reader, file, &identity, &known, &err) != OUT_OK) {
        finish_scan(reader, OUT_FATAL, &err);
        return;
    }
    /* it is there: whatever kept it from being followed at the start */
    if (known.id && !again && follow_state_follow(reader->state, known.id, &err) != OUT_OK) {
        finish_scan(reader, OUT_FATAL, &err);
        return;
    }
    bool news = !known.done || !scan_identity_equal(&known.identity, &identity);
    if (!news)
        file->unread = false;
    if (!news || (again && !scan)) /* the same unfinished file is looked at once a scan */
        return;
    uint64_t began_ms = clock_monotonic_ms();
    file->read_ns = unix_ns();
    struct scan_identity before = known.identity;
    known.identity = identity;
    (void)follow_files_folder(source->path, &known.folder_device);
    if (follow_state_begin(reader->state, file->path, &known, &err) != OUT_OK) {
        finish_scan(reader, OUT_FATAL, &err);
        return;
    }
    compare_pass(reader, source, &identity);
    if (producer_must_stop(reader->producer))
        finish_scan(reader, OUT_OK, NULL);
    else
        take_reading(reader, file, source, &known, &before, scan);
    reader->reading_ms += clock_monotonic_ms() - began_ms;
}

/* All of a file's records, as if it were an empty list. */
static void delete_file(struct follow_reader *reader, struct followed *file,
                        struct follow_known *known)
{
    struct error err = {0};
    struct follow_counts counts;
    uint64_t left;
    enum outcome outcome = follow_state_begin(reader->state, file->path, known, &err);
    if (outcome == OUT_OK)
        outcome = follow_state_compare(reader->state, true, &counts, &err);
    if (outcome == OUT_OK)
        outcome = send_deletes(reader, file->path, &err);
    if (outcome == OUT_OK)
        outcome = store(reader, known, true, &left, &err);
    if (outcome == OUT_OK)
        say(reader, "follow.deleted", file->path, &counts, left);
    finish_scan(reader, outcome, &err);
    if (outcome == OUT_OK)
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
    if (!file->reported)
        producer_reject_source(reader->producer, file->path, why);
    file->reported = true;
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
