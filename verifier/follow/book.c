/*
 * Opening, the lock, and what is kept in memory of the file: the minutes and their sums. The
 * tables:
 *
 *   state     one row: format, the rolling's time, since when, how often opened
 *   class     the verdicts' numbers in this file, by name
 *   name      tenants and entities that are named; number 0 are all others
 *   cell      (minute, tenant, entity, operation, class) -> count; minute -1 is everything ever
 *   gauge     what a minute has besides
 *   position, suspect, sample, pass, pass_count, alert
 *   reading, reading_position: book_reading.h
 */
#include "verifier/follow/book.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/files.h"
#include "verifier/follow/book_internal.h"

enum { FORMAT = 1 };

/* The lock is SQLite's own, held by the connection: it ends with the process. */
static const char SCHEMA[] =
    "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
    "PRAGMA temp_store=FILE; PRAGMA cache_size=-4000; PRAGMA journal_size_limit=4194304;"
    "BEGIN EXCLUSIVE;"
    "CREATE TABLE IF NOT EXISTS state (id INTEGER PRIMARY KEY, format INTEGER NOT NULL,"
    " since INTEGER NOT NULL, starts INTEGER NOT NULL, now INTEGER NOT NULL,"
    " shift INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS class (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE IF NOT EXISTS name (kind INTEGER NOT NULL, name BLOB NOT NULL,"
    " id INTEGER NOT NULL, PRIMARY KEY (kind, name)) WITHOUT ROWID;"
    "CREATE UNIQUE INDEX IF NOT EXISTS name_id ON name (kind, id);"
    "CREATE TABLE IF NOT EXISTS cell (minute INTEGER NOT NULL, tenant INTEGER NOT NULL,"
    " entity INTEGER NOT NULL, operation INTEGER NOT NULL, class INTEGER NOT NULL,"
    " count INTEGER NOT NULL, PRIMARY KEY (minute, tenant, entity, operation, class))"
    " WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS gauge (minute INTEGER PRIMARY KEY, committed INTEGER NOT NULL,"
    " lag INTEGER NOT NULL, behind INTEGER NOT NULL, old_p50 REAL, old_p99 REAL, new_p50 REAL,"
    " new_p99 REAL);"
    "CREATE TABLE IF NOT EXISTS position (partition INTEGER PRIMARY KEY,"
    " results_next INTEGER NOT NULL, verified INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS suspect (partition INTEGER NOT NULL, offset INTEGER NOT NULL,"
    " since INTEGER NOT NULL, looks INTEGER NOT NULL, PRIMARY KEY (partition, offset))"
    " WITHOUT ROWID;"
    "CREATE TABLE IF NOT EXISTS sample (id INTEGER PRIMARY KEY, pass INTEGER NOT NULL,"
    " verdict INTEGER NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,"
    " key_hash INTEGER NOT NULL, code TEXT NOT NULL, tenant BLOB, entity BLOB, origin BLOB,"
    " reason BLOB, source_version INTEGER, stored_version INTEGER, first INTEGER NOT NULL,"
    " last INTEGER NOT NULL, seen INTEGER NOT NULL, is_over INTEGER NOT NULL, fields BLOB,"
    " field_total INTEGER NOT NULL, UNIQUE (pass, verdict, partition, offset, key_hash));"
    "CREATE TABLE IF NOT EXISTS pass (id INTEGER PRIMARY KEY, began INTEGER NOT NULL,"
    " duration INTEGER NOT NULL, problems INTEGER NOT NULL, failure BLOB, report BLOB);"
    "CREATE TABLE IF NOT EXISTS pass_count (class INTEGER PRIMARY KEY, count INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS pass_not_whole (id INTEGER PRIMARY KEY, why BLOB NOT NULL);"
    "CREATE TABLE IF NOT EXISTS alert (name TEXT PRIMARY KEY, since INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS reading (uri BLOB NOT NULL, source BLOB NOT NULL,"
    " run BLOB NOT NULL, follows INTEGER NOT NULL, complete INTEGER NOT NULL,"
    " finished INTEGER NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL,"
    " json BLOB NOT NULL, PRIMARY KEY (uri, source, run, follows, complete));"
    "CREATE TABLE IF NOT EXISTS reading_position (partition INTEGER PRIMARY KEY,"
    " next INTEGER NOT NULL);"
    "COMMIT;"
    "CREATE TEMP TABLE wrong (class INTEGER PRIMARY KEY);";

/* ---- failures ---- */

static void advise(int code, struct error *err)
{
    switch (code) {
    case SQLITE_FULL:
    case SQLITE_NOMEM:
        error_hint(err, "give it room, and start again: nothing is lost");
        break;
    case SQLITE_IOERR:
        error_hint(err, "the disk failed: see the system's log, and start again; if that does not "
                        "help, restore it from a copy");
        break;
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
        error_hint(err, "make it and its folder writable, and start again: nothing is lost");
        break;
    default:
        error_hint(err, "restore it from a copy; or remove it, and counting begins anew where "
                        "Kafka says that the verifier was");
        break;
    }
}

static enum outcome failed(const struct sqlite_db *db, struct error *err)
{
    const struct book *book = (const struct book *)db;
    int code = db->connection ? sqlite3_errcode(db->connection) & 0xff : SQLITE_NOMEM;
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED) {
        error_set(err, OUT_RETRY, ERR_STATE_FILE, "another verifier follows under this name");
        error_hint(err, "stop it, or give this one a name of its own");
    } else {
        bool is_read_only = files_is_read_only(book->path);
        error_set(err, OUT_FATAL, ERR_STATE_FILE, "the verifier's book cannot be used");
        error_cause(err, "%s%s", db->connection ? sqlite3_errmsg(db->connection) : "no memory",
                    is_read_only ? "; its file system is read-only" : "");
        advise(is_read_only ? SQLITE_READONLY : code, err);
    }
    error_where(err, "%s", book->path);
    return err->outcome;
}

enum outcome book_check_place(struct book *book, struct error *err)
{
    if (held_place_is_kept(&book->place, book->path))
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_STATE_FILE,
              "the verifier's book was moved or deleted while it was used");
    error_where(err, "%s", book->path);
    error_cause(err, "what it would count from now on is lost");
    error_hint(err, "put it back as it was, and start again; without it counting begins anew where "
                    "Kafka says that the verifier was");
    return OUT_FATAL;
}

static enum outcome damaged(const struct book *book, const char *cause, struct error *err)
{
    error_set(err, OUT_FATAL, ERR_STATE_FILE, "the verifier's book is damaged");
    error_where(err, "%s", book->path);
    error_cause(err, "%s", cause);
    advise(SQLITE_CORRUPT, err);
    return OUT_FATAL;
}

enum outcome book_arena_full(const struct book *book, struct error *err)
{
    error_set(err, OUT_FATAL, ERR_STATE_FILE, "what is in the verifier's book needs more memory");
    error_where(err, "%s", book->path);
    error_hint(err, "lower verify.samples or verify.report_tenants");
    return OUT_FATAL;
}

/* ---- transactions ---- */

enum outcome book_begin(struct book *book, struct error *err)
{
    return sqlite_exec(&book->db, "BEGIN IMMEDIATE", err);
}

enum outcome book_finish(struct book *book, enum outcome outcome, struct error *err)
{
    sqlite_reset(&book->db);
    if (outcome == OUT_OK)
        outcome = sqlite_exec(&book->db, "COMMIT", err);
    if (outcome != OUT_OK)
        sqlite3_exec(book->db.connection, "ROLLBACK", NULL, NULL, NULL);
    return outcome;
}

/* ---- classes ---- */

/* Names in the file, whose numbers stay when the program's change. */
static const char *class_name(unsigned class)
{
    switch (class) {
    case ROLLING_NOT_COMPARED:
        return "not compared";
    case ROLLING_NOT_RECHECKED:
        return "not rechecked";
    default:
        return verdict_name((enum verdict) class);
    }
}

unsigned book_class_of(const struct book *book, int64_t id)
{
    unsigned class = 0;
    while (class < ROLLING_CLASSES && book->ids[class] != id)
        class ++;
    return class;
}

static enum outcome number_classes(struct book *book, struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (unsigned class = 0; class < ROLLING_CLASSES && outcome == OUT_OK; class ++) {
        struct sqlite_value name = NAME(class_name(class));
        outcome =
            sqlite_run(&book->db, "INSERT OR IGNORE INTO class (name) VALUES (?1)", &name, 1, err);
        if (outcome == OUT_OK)
            outcome = sqlite_number(&book->db, "SELECT id FROM class WHERE name = ?1", &name, 1, -1,
                                    &book->ids[class], err);
        if (outcome == OUT_OK && class < VERDICT_COUNT &&
            follow_report_is_wrong((enum verdict) class))
            outcome = sqlite_run(&book->db, "INSERT INTO temp.wrong VALUES (?1)",
                                 VALUES(NUMBER(book->ids[class])), err);
    }
    return outcome;
}

/* ---- what memory keeps ---- */

static enum outcome load_state(struct book *book, int64_t unix_ms, struct error *err)
{
    sqlite3_stmt *row;
    enum outcome outcome =
        sqlite_run(&book->db, "INSERT OR IGNORE INTO state VALUES (1, ?1, ?2, 0, ?2, 0)",
                   VALUES(NUMBER(FORMAT), NUMBER(unix_ms)), err);
    if (outcome == OUT_OK)
        outcome = sqlite_run(&book->db, "UPDATE state SET starts = starts + 1 WHERE format = ?1",
                             VALUES(NUMBER(FORMAT)), err);
    if (outcome == OUT_OK)
        outcome = sqlite_get(&book->db, "SELECT format, since, starts, now, shift FROM state",
                             NO_VALUES, &row, err);
    if (outcome != OUT_OK)
        return outcome;
    int64_t format = row ? sqlite3_column_int64(row, 0) : -1;
    int64_t now_ms = row ? sqlite3_column_int64(row, 3) : -1;
    if (format != FORMAT) {
        error_set(err, OUT_FATAL, ERR_STATE_FILE, "the verifier's book is of another format");
        error_where(err, "%s", book->path);
        error_cause(err, "format %" PRId64 "; this is for format %d", format, FORMAT);
        error_hint(err, "use the drover that wrote it; or remove it, and counting begins anew");
        return OUT_FATAL;
    }
    if (now_ms < 0)
        return damaged(book, "its time is out of range", err);
    book->since_ms = sqlite3_column_int64(row, 1);
    book->starts = (uint32_t)sqlite3_column_int64(row, 2);
    rolling_resume(&book->rolling, now_ms, sqlite3_column_int64(row, 4));
    rolling_step(&book->rolling, unix_ms);
    return OUT_OK;
}

static enum outcome load_cells(struct book *book, struct error *err)
{
    sqlite3_stmt *row;
    enum outcome outcome = sqlite_get(
        &book->db,
        "SELECT minute, class, sum(count), count(*) FROM cell GROUP BY 1, 2 ORDER BY 1 DESC",
        NO_VALUES, &row, err);
    for (; row; outcome = sqlite_next(&book->db, &row, err)) {
        int64_t minute = sqlite3_column_int64(row, 0);
        unsigned class = book_class_of(book, sqlite3_column_int64(row, 1));
        uint64_t count = (uint64_t)sqlite3_column_int64(row, 2);
        bool is_total = minute == BOOK_TOTAL_MINUTE;
        *(is_total ? &book->sizes.totals : &book->sizes.cells) +=
            (uint64_t)sqlite3_column_int64(row, 3);
        if (class < ROLLING_CLASSES && is_total) /* they come last */
            book->rolling.total[class] = count;
        else if (class < ROLLING_CLASSES)
            rolling_add(&book->rolling, minute, class, count);
    }
    return outcome;
}

static double real_of(sqlite3_stmt *row, int at)
{
    return sqlite3_column_type(row, at) == SQLITE_NULL ? NAN : sqlite3_column_double(row, at);
}

static enum outcome load_gauges(struct book *book, struct error *err)
{
    sqlite3_stmt *row;
    enum outcome outcome = sqlite_get(&book->db, "SELECT * FROM gauge", NO_VALUES, &row, err);
    for (; row; outcome = sqlite_next(&book->db, &row, err)) {
        const struct rolling_gauges gauges = {
            .committed = (uint64_t)sqlite3_column_int64(row, 1),
            .lag = sqlite3_column_int64(row, 2),
            .behind = sqlite3_column_int64(row, 3),
            .old_p50_ms = real_of(row, 4),
            .old_p99_ms = real_of(row, 5),
            .new_p50_ms = real_of(row, 6),
            .new_p99_ms = real_of(row, 7),
        };
        rolling_note(&book->rolling, sqlite3_column_int64(row, 0), &gauges);
    }
    return outcome;
}

static enum outcome load_sizes(struct book *book, struct error *err)
{
    sqlite3_stmt *row;
    enum outcome outcome =
        sqlite_get(&book->db, "SELECT kind, count(*) FROM name GROUP BY 1", NO_VALUES, &row, err);
    for (; row; outcome = sqlite_next(&book->db, &row, err)) {
        int64_t kind = sqlite3_column_int64(row, 0);
        if (kind >= 0 && kind < BOOK_NAMES)
            book->sizes.names[kind] = (uint64_t)sqlite3_column_int64(row, 1);
    }
    int64_t suspects = 0;
    if (outcome == OUT_OK)
        outcome =
            sqlite_number(&book->db, "SELECT count(*) FROM suspect", NO_VALUES, 0, &suspects, err);
    book->sizes.suspects = (uint64_t)suspects;
    return outcome;
}

static enum outcome load(struct book *book, int64_t unix_ms, struct error *err)
{
    enum outcome outcome = book_begin(book, err);
    if (outcome != OUT_OK)
        return outcome;
    outcome = load_state(book, unix_ms, err);
    if (outcome == OUT_OK)
        outcome = number_classes(book, err);
    if (outcome == OUT_OK)
        outcome = load_sizes(book, err);
    if (outcome == OUT_OK)
        outcome = load_cells(book, err);
    if (outcome == OUT_OK)
        outcome = load_gauges(book, err);
    return book_finish(book, outcome, err);
}

/* ---- opening ---- */

static char *path_of(const struct book_conf *conf)
{
    struct buf id;
    buf_init(&id, 4096);
    text_percent_encode(&id, bytes_text(conf->id));
    struct bytes shown = buf_view(&id);
    char *path =
        mem_format("%s/%s.verify.%.*s.db", conf->folder, conf->migration, BYTES_ARGS(shown));
    buf_free(&id);
    return path;
}

/* Readable by its owner alone: samples are in it. */
static enum outcome open_db(struct book *book, struct error *err)
{
    mode_t old = umask(0077);
    enum outcome outcome =
        sqlite_open(&book->db, book->path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, failed, err);
    if (outcome == OUT_OK)
        outcome = sqlite_exec(&book->db, SCHEMA, err);
    umask(old);
    return outcome;
}

enum outcome book_open(const struct book_conf *conf, int64_t unix_ms, struct book **book,
                       struct error *err)
{
    *book = NULL;
    if (files_make_folder(conf->folder, err) != OUT_OK)
        return OUT_FATAL;
    struct book *made = mem_new(sizeof(*made));
    made->path = path_of(conf);
    made->names_max[BOOK_TENANTS] = conf->tenants_max;
    made->names_max[BOOK_ENTITIES] = BOOK_ENTITIES_MAX;
    made->cells_max = conf->cells_max;
    made->samples_max = conf->samples_max;
    made->suspects_max = conf->suspects_max;
    rolling_init(&made->rolling);
    enum outcome outcome = open_db(made, err);
    if (outcome == OUT_OK)
        outcome = load(made, unix_ms, err);
    if (outcome == OUT_OK) {
        held_place_take(&made->place, made->path);
        *book = made;
    } else {
        book_close(made);
    }
    return outcome;
}

void book_close(struct book *book)
{
    if (!book)
        return;
    sqlite_close(&book->db);
    free(book->path);
    free(book);
}

void book_tick(struct book *book, int64_t unix_ms)
{
    rolling_step(&book->rolling, unix_ms);
}

const struct rolling *book_rolling(const struct book *book)
{
    return &book->rolling;
}

int64_t book_since_ms(const struct book *book)
{
    return book->since_ms;
}

uint32_t book_starts(const struct book *book)
{
    return book->starts;
}

uint64_t book_suspect_count(const struct book *book)
{
    return book->sizes.suspects;
}
