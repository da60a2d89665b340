/* See the header. */
#include "verifier/follow/book_reading.h"

#include "common/model/message/record.h"
#include "verifier/follow/book_internal.h"

#define READING_BYTES ((size_t)1 << 20)

/* A source is known by its path, by what it is besides, and by whether a follower tells of it; of
 * standard input each reading is another one. */
static const char SQL_KEEP[] =
    "INSERT INTO reading (uri, source, run, follows, complete, finished, partition, offset, json) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (uri, source, run, follows, complete) "
    "DO UPDATE SET finished = excluded.finished, partition = excluded.partition, offset = "
    "excluded.offset, json = excluded.json WHERE excluded.finished >= finished";
static const char SQL_NEXT[] = "INSERT OR REPLACE INTO reading_position VALUES (?1, ?2)";

/* The counts alone: of many sources the places would be too much. */
static void append_counts(struct buf *out, const struct reading *reading)
{
    struct reading counts = *reading;
    counts.code_count = counts.place_count = 0;
    buf_reset(out);
    reading_append(out, &counts);
}

static enum outcome keep(struct book *book, const struct book_reading *item, struct buf *json,
                         struct error *err)
{
    const struct reading *reading = item->reading;
    bool follows = !reading->stream && record_run_follows(reading->run);
    append_counts(json, reading);
    return sqlite_run(
        &book->db, SQL_KEEP,
        VALUES(BLOB(reading->uri),
               reading->has_source ? DIGEST(&reading->source) : BLOB(BYTES_LITERAL("")),
               BLOB(reading->stream ? reading->run : BYTES_LITERAL("")), NUMBER(follows),
               NUMBER(reading->complete), NUMBER(reading->finished_ms), NUMBER(item->partition),
               NUMBER(item->offset), BLOB(buf_view(json))),
        err);
}

enum outcome book_keep_readings(struct book *book, const struct book_reading *readings,
                                size_t count, const int64_t *next, size_t partitions,
                                struct error *err)
{
    struct buf json;
    enum outcome outcome = book_begin(book, err);
    if (outcome != OUT_OK)
        return outcome;
    buf_init(&json, READING_BYTES);
    for (size_t i = 0; i < count && outcome == OUT_OK; i++)
        outcome = keep(book, &readings[i], &json, err);
    for (size_t i = 0; i < partitions && outcome == OUT_OK; i++)
        outcome = sqlite_run(&book->db, SQL_NEXT, VALUES(NUMBER(i), NUMBER(next[i])), err);
    buf_free(&json);
    return book_finish(book, outcome, err);
}

enum outcome book_drop_readings(struct book *book, int32_t partition, int64_t below, bool *any,
                                struct error *err)
{
    enum outcome outcome =
        sqlite_run(&book->db, "DELETE FROM reading WHERE partition = ?1 AND offset < ?2",
                   VALUES(NUMBER(partition), NUMBER(below)), err);
    *any = outcome == OUT_OK && sqlite3_changes64(book->db.connection) > 0;
    return outcome;
}

enum outcome book_readings_next(struct book *book, int32_t partition, int64_t *next,
                                struct error *err)
{
    return sqlite_number(&book->db, "SELECT next FROM reading_position WHERE partition = ?1",
                         VALUES(NUMBER(partition)), -1, next, err);
}

enum outcome book_visit_readings(struct book *book, void (*take)(void *owner, struct bytes json),
                                 void *owner, struct error *err)
{
    sqlite3_stmt *row;
    enum outcome outcome = sqlite_get(&book->db, "SELECT json FROM reading", NO_VALUES, &row, err);
    for (; row; outcome = sqlite_next(&book->db, &row, err))
        take(owner, sqlite_bytes(row, 0));
    return outcome;
}
