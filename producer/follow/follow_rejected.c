/* See the header. */
#include "producer/follow/follow_rejected.h"

#include <stdlib.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/model/message/envelope.h"
#include "producer/follow/follow_sql.h"

#define TELL_MS 1000      /* of one source, between two times */
#define TELL_MAX 256      /* at once */
#define AGAIN_MS 86400000 /* what stays as it is; the results topic keeps it for days */
#define END_WAIT_MS 2000  /* for Kafka, at the end */
#define READING_BYTES ((size_t)1 << 20)
#define URI_BYTES ((size_t)64 << 10)

/* rejection.stage */
#define TO_BE_TOLD 0
#define TOLD 1
#define ON_ITS_WAY 2

/* A row whose source has nothing rejected and is whole goes when that is told. */
static const char SQL_BEGIN[] = "UPDATE rejection SET stage = 0 WHERE stage = 2";
static const char SQL_KNOWN[] =
    "SELECT content, broken, uri = ?2 AND source = ?3 FROM rejection WHERE path = ?1 OR (uri = ?2 "
    "AND source = ?3) ORDER BY uri = ?2 AND source = ?3 DESC LIMIT 1";
static const char SQL_PUT[] =
    "INSERT INTO rejection (uri, source, path, content, open, broken, stage, told) VALUES (?1, ?2, "
    "?3, ?4, ?5, 0, 0, 0) ON CONFLICT (uri, source) DO UPDATE SET path = ?3, content = ?4, open = "
    "?5, broken = 0, stage = 0";
static const char SQL_PUT_BROKEN[] =
    "INSERT INTO rejection (uri, source, path, content, open, broken, stage, told) VALUES (?1, ?2, "
    "?3, x'', 0, 1, 0, 0) ON CONFLICT (uri, source) DO UPDATE SET path = ?3, broken = 1, stage = 0 "
    "WHERE NOT broken";
/* The same file under the name it was given before: another source to those who were told. */
static const char SQL_CLOSE_OTHERS[] =
    "UPDATE rejection SET open = 0, broken = 0, stage = 0 WHERE path = ?1 AND NOT (uri = ?2 AND "
    "source = ?3) AND (open OR broken)";
static const char SQL_CLOSE[] = "UPDATE rejection SET open = 0, broken = 0, stage = 0 WHERE path = "
                                "?1 AND (open OR broken)";
static const char SQL_WHOLE[] =
    "UPDATE rejection SET broken = 0, stage = 0 WHERE path = ?1 AND broken";
/* The topic forgets what it was told long ago. */
static const char SQL_AGAIN[] = "UPDATE rejection SET stage = 0 WHERE stage = 1 AND told <= ?1";
static const char SQL_PATHS_OPEN[] = "SELECT DISTINCT path FROM rejection WHERE open OR broken";
static const char SQL_DUE[] =
    "SELECT uri, source, content, open, broken FROM rejection WHERE stage = 0 AND (?1 OR told <= "
    "?2 OR told > ?3) LIMIT ?4";
static const char SQL_TAKE[] =
    "UPDATE rejection SET stage = 2, told = ?3 WHERE uri = ?1 AND source = ?2";
static const char SQL_TAKEN[] = "INSERT OR REPLACE INTO meta VALUES ('told', ?1)";
static const char SQL_ACKED[] = "DELETE FROM rejection WHERE stage = 2 AND NOT open AND NOT broken";
static const char SQL_ACKED_OPEN[] = "UPDATE rejection SET stage = 1 WHERE stage = 2";
static const char SQL_SURVEYED[] = "INSERT OR REPLACE INTO meta VALUES ('surveyed', 1)";

struct follow_rejected {
    struct producer *producer;
    struct follow_state *state;
    struct producer_run nobody; /* of what is kept: a run is named when it is told */
    bool surveyed;              /* the first scan was whole */
    bool on_their_way;
    int64_t told_ms; /* the last time that anything was told of; each is later than that */
};

enum outcome follow_rejected_open(struct producer *producer, struct follow_state *state,
                                  struct follow_rejected **rejected, struct error *err)
{
    int64_t surveyed = 0;
    struct follow_rejected *made = mem_zeroed(1, sizeof *made);
    made->producer = producer;
    made->state = state;
    *rejected = made;
    enum outcome outcome = sqlite_run(&state->db, SQL_BEGIN, NO_VALUES, err);
    if (outcome == OUT_OK)
        outcome = sqlite_number(&state->db, "SELECT value FROM meta WHERE name = 'told'", NO_VALUES,
                                0, &made->told_ms, err);
    if (outcome == OUT_OK)
        outcome = sqlite_number(&state->db, "SELECT value FROM meta WHERE name = 'surveyed'",
                                NO_VALUES, 0, &surveyed, err);
    made->surveyed = surveyed != 0;
    return outcome;
}

void follow_rejected_close(struct follow_rejected *rejected)
{
    free(rejected);
}

/* ---- what is kept ------------------------------------------------------------------------ */

/* Which source it is to those who are told. `uri` holds its name. */
static void identify(struct follow_rejected *rejected, const struct source_file *source,
                     struct buf *uri, struct reading *reading)
{
    buf_init(uri, URI_BYTES);
    envelope_append_uri(uri, bytes_text(source->path));
    producer_identify(rejected->producer, source, reading);
}

/* Rejections before those of `refused`. */
static void join(struct passage *refused, struct bytes before)
{
    struct reading known;
    struct error ignored;
    if (!before.size)
        return;
    if (reading_parse(before, &known, &ignored) == OUT_OK)
        passage_join(refused, &known);
    reading_free(&known);
}

/* Without run and time, so that the same rejections are the same bytes. */
static void append_content(struct follow_rejected *rejected, struct passage *refused,
                           struct buf *out)
{
    refused->run = &rejected->nobody;
    refused->told_ms = 0;
    passage_append_reading(refused, true, 0, out);
}

static enum outcome put(struct follow_rejected *rejected, const char *path, struct bytes uri,
                        const struct digest *source, struct passage *refused, bool part,
                        struct error *err)
{
    struct sqlite_db *db = &rejected->state->db;
    struct buf content;
    sqlite3_stmt *row;
    bool is_open = refused->reading.rejected || refused->reading.withheld;
    bool is_same = !is_open && rejected->surveyed; /* without a row */
    enum outcome outcome = sqlite_get(
        db, SQL_KNOWN, VALUES(BLOB(bytes_text(path)), BLOB(uri), DIGEST(source)), &row, err);
    if (outcome != OUT_OK)
        return outcome;
    buf_init(&content, READING_BYTES);
    if (row && part)
        join(refused, sqlite_bytes(row, 0));
    is_open = refused->reading.rejected || refused->reading.withheld;
    append_content(rejected, refused, &content);
    if (row)
        is_same = sqlite3_column_int(row, 2) && !sqlite3_column_int(row, 1) &&
                  bytes_equal(sqlite_bytes(row, 0), buf_view(&content));
    sqlite3_reset(row);
    if (!is_same)
        outcome = sqlite_run(db, SQL_PUT,
                             VALUES(BLOB(uri), DIGEST(source), BLOB(bytes_text(path)),
                                    BLOB(buf_view(&content)), NUMBER(is_open)),
                             err);
    if (outcome == OUT_OK)
        outcome = sqlite_run(db, SQL_CLOSE_OTHERS,
                             VALUES(BLOB(bytes_text(path)), BLOB(uri), DIGEST(source)), err);
    buf_free(&content);
    return outcome;
}

enum outcome follow_rejected_store(struct follow_rejected *rejected, const char *path,
                                   const struct source_file *source, struct passage *refused,
                                   bool part, struct error *err)
{
    struct buf uri;
    identify(rejected, source, &uri, &refused->reading);
    const struct digest digest = refused->reading.source;
    enum outcome outcome = put(rejected, path, buf_view(&uri), &digest, refused, part, err);
    buf_free(&uri);
    return outcome;
}

enum outcome follow_rejected_gone(struct follow_rejected *rejected, const char *path,
                                  struct error *err)
{
    return sqlite_run(&rejected->state->db, SQL_CLOSE, VALUES(BLOB(bytes_text(path))), err);
}

enum outcome follow_rejected_broken(struct follow_rejected *rejected, const char *path,
                                    const struct source_file *source, struct error *err)
{
    struct buf uri;
    struct reading reading = {0};
    identify(rejected, source, &uri, &reading);
    enum outcome outcome = sqlite_run(
        &rejected->state->db, SQL_PUT_BROKEN,
        VALUES(BLOB(buf_view(&uri)), DIGEST(&reading.source), BLOB(bytes_text(path))), err);
    buf_free(&uri);
    return outcome;
}

static enum outcome read_paths(struct follow_rejected *rejected, char ***paths, size_t *count,
                               struct error *err)
{
    struct sqlite_db *db = &rejected->state->db;
    size_t room = 0;
    sqlite3_stmt *row;
    enum outcome outcome = sqlite_get(db, SQL_PATHS_OPEN, NO_VALUES, &row, err);
    for (; row; outcome = sqlite_next(db, &row, err)) {
        struct bytes path = sqlite_bytes(row, 0);
        *paths = mem_grown(*paths, &room, *count + 1, sizeof **paths);
        (*paths)[(*count)++] = mem_text_part(path.data, path.size);
    }
    return outcome;
}

enum outcome follow_rejected_tidy(struct follow_rejected *rejected, rejected_fate_of *fate_of,
                                  void *owner, struct error *err)
{
    struct sqlite_db *db = &rejected->state->db;
    char **paths = NULL;
    size_t count = 0;
    enum outcome outcome = read_paths(rejected, &paths, &count, err);
    for (size_t i = 0; i < count; i++) {
        enum rejected_fate fate = fate_of(owner, paths[i]);
        if (outcome == OUT_OK && fate != REJECTED_STAYS)
            outcome = sqlite_run(db, fate == REJECTED_GONE ? SQL_CLOSE : SQL_WHOLE,
                                 VALUES(BLOB(bytes_text(paths[i]))), err);
        free(paths[i]);
    }
    free(paths);
    if (outcome == OUT_OK)
        outcome = sqlite_run(db, SQL_AGAIN, VALUES(NUMBER(clock_unix_ms() - AGAIN_MS)), err);
    if (outcome == OUT_OK && !rejected->surveyed) {
        outcome = sqlite_run(db, SQL_SURVEYED, NO_VALUES, err);
        rejected->surveyed = true;
    }
    return outcome;
}

/* ---- what is told ------------------------------------------------------------------------ */

/* One of SQL_DUE. */
struct due {
    struct bytes uri, content; /* their own */
    struct digest source;
    bool is_open, is_broken;
    int64_t told_ms;
};

static struct bytes copy(struct bytes text)
{
    return bytes_of(mem_text_part(text.data ? text.data : "", text.size), text.size);
}

static enum outcome read_due(struct follow_rejected *rejected, bool ends, struct due *due,
                             size_t *count, struct error *err)
{
    struct sqlite_db *db = &rejected->state->db;
    int64_t now_ms = clock_unix_ms();
    sqlite3_stmt *row;
    enum outcome outcome =
        sqlite_get(db, SQL_DUE,
                   VALUES(NUMBER(ends), NUMBER(now_ms - TELL_MS), NUMBER(now_ms), NUMBER(TELL_MAX)),
                   &row, err);
    for (; row; outcome = sqlite_next(db, &row, err))
        due[(*count)++] = (struct due){.uri = copy(sqlite_bytes(row, 0)),
                                       .source = sqlite_digest(row, 1),
                                       .content = copy(sqlite_bytes(row, 2)),
                                       .is_open = sqlite3_column_int(row, 3),
                                       .is_broken = sqlite3_column_int(row, 4)};
    return outcome;
}

/* Before they are sent: a later one, also of the next process, is told with a later time. Of one
 * that is broken there are two. */
static enum outcome take(struct follow_rejected *rejected, struct due *due, size_t count,
                         struct error *err)
{
    struct sqlite_db *db = &rejected->state->db;
    int64_t now_ms = clock_unix_ms();
    enum outcome outcome = follow_state_begin_store(rejected->state, err);
    for (size_t i = 0; i < count && outcome == OUT_OK; i++) {
        due[i].told_ms = now_ms > rejected->told_ms ? now_ms : rejected->told_ms + 1;
        rejected->told_ms = due[i].told_ms + 1;
        outcome = sqlite_run(
            db, SQL_TAKE, VALUES(BLOB(due[i].uri), DIGEST(&due[i].source), NUMBER(due[i].told_ms)),
            err);
    }
    if (outcome == OUT_OK)
        outcome = sqlite_run(db, SQL_TAKEN, VALUES(NUMBER(rejected->told_ms)), err);
    if (outcome == OUT_OK)
        outcome = follow_state_end_store(rejected->state, err);
    if (outcome != OUT_OK)
        follow_state_abandon(rejected->state);
    return outcome;
}

static bool send(struct follow_rejected *rejected, const struct due *due,
                 const struct reading *counts, bool complete, int64_t told_ms)
{
    struct reading reading = complete ? *counts : (struct reading){0};
    struct buf text;
    reading.run = bytes_text(rejected->producer->run);
    reading.uri = due->uri;
    reading.has_source = true;
    reading.source = due->source;
    reading.complete = complete;
    reading.finished_ms = told_ms;
    buf_init(&text, READING_BYTES);
    reading_append(&text, &reading);
    bool is_sent = producer_tell_reading(rejected->producer, reading.run, buf_view(&text));
    buf_free(&text);
    return is_sent;
}

/* False: the run ends before it could be sent. */
static bool send_due(struct follow_rejected *rejected, const struct due *due)
{
    struct reading counts = {0}, none = {0};
    bool was_read = due->content.size > 0, is_sent = true;
    if (due->is_open && was_read && reading_parse(due->content, &counts, NULL) != OUT_OK) {
        reading_free(&counts);
        counts = none;
    }
    if (was_read || !due->is_broken)
        is_sent = send(rejected, due, &counts, true, due->told_ms);
    if (is_sent && due->is_broken)
        is_sent = send(rejected, due, &none, false, due->told_ms + 1);
    if (due->is_open)
        reading_free(&counts);
    return is_sent;
}

/* What Kafka has is told. */
static enum outcome note_told(struct follow_rejected *rejected, struct error *err)
{
    struct sqlite_db *db = &rejected->state->db;
    enum outcome outcome = follow_state_begin_store(rejected->state, err);
    if (outcome == OUT_OK)
        outcome = sqlite_run(db, SQL_ACKED, NO_VALUES, err);
    if (outcome == OUT_OK)
        outcome = sqlite_run(db, SQL_ACKED_OPEN, NO_VALUES, err);
    if (outcome == OUT_OK)
        outcome = follow_state_end_store(rejected->state, err);
    if (outcome != OUT_OK)
        follow_state_abandon(rejected->state);
    rejected->on_their_way = false;
    return outcome;
}

/* True: nothing is on its way any more. */
static bool has_arrived(struct follow_rejected *rejected, bool ends)
{
    struct bus_sender *results = rejected->producer->results;
    if (ends)
        (void)bus_sender_flush(results, END_WAIT_MS);
    else
        bus_sender_poll(results, 0);
    return bus_sender_pending(results) == 0 && !rejected->producer->failed;
}

static enum outcome tell_due(struct follow_rejected *rejected, bool ends, bool *more,
                             struct error *err)
{
    struct due *due = mem_zeroed(TELL_MAX, sizeof *due);
    size_t count = 0;
    bool is_sent = true;
    enum outcome outcome = read_due(rejected, ends, due, &count, err);
    if (outcome == OUT_OK && count)
        outcome = take(rejected, due, count, err);
    for (size_t i = 0; i < count && outcome == OUT_OK && is_sent; i++)
        is_sent = send_due(rejected, &due[i]);
    rejected->on_their_way = outcome == OUT_OK && is_sent && count;
    *more = rejected->on_their_way;
    for (size_t i = 0; i < count; i++) {
        free((void *)due[i].uri.data);
        free((void *)due[i].content.data);
    }
    free(due);
    return outcome;
}

enum outcome follow_rejected_tell(struct follow_rejected *rejected, bool ends, bool *more,
                                  struct error *err)
{
    *more = rejected->on_their_way;
    if (rejected->on_their_way) {
        if (!has_arrived(rejected, ends))
            return OUT_OK;
        if (note_told(rejected, err) != OUT_OK)
            return OUT_FATAL;
    }
    return tell_due(rejected, ends, more, err);
}
