/* One step's work in one transaction. What memory keeps of the file changes when that is written.
 */
#include <inttypes.h>
#include <math.h>

#include "verifier/follow/book_internal.h"

static const char SQL_NAME[] = "SELECT id FROM name WHERE kind = ?1 AND name = ?2";
static const char SQL_NAME_NEW[] = "INSERT INTO name VALUES (?1, ?2, ?3)";
static const char SQL_CELL_ADD[] =
    "UPDATE cell SET count = count + ?6 WHERE minute = ?1 AND tenant = ?2 AND entity = ?3 AND "
    "operation = ?4 AND class = ?5";
static const char SQL_CELL_NEW[] = "INSERT INTO cell VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
static const char SQL_CELL_PRUNE[] = "DELETE FROM cell WHERE minute BETWEEN 0 AND ?1";
static const char SQL_GAUGE_PRUNE[] = "DELETE FROM gauge WHERE minute <= ?1";
static const char SQL_GAUGE[] =
    "INSERT INTO gauge VALUES (?1, ?2, ?3, ?4, ?5 / 1e6, ?6 / 1e6, ?7 / 1e6, ?8 / 1e6) "
    "ON CONFLICT (minute) DO UPDATE SET committed = committed + excluded.committed, "
    "lag = max(lag, excluded.lag), behind = max(behind, excluded.behind), "
    "old_p50 = coalesce(excluded.old_p50, old_p50), old_p99 = coalesce(excluded.old_p99, old_p99), "
    "new_p50 = coalesce(excluded.new_p50, new_p50), new_p99 = coalesce(excluded.new_p99, new_p99)";
static const char SQL_POSITION[] = "INSERT OR REPLACE INTO position VALUES (?1, ?2, ?3)";
static const char SQL_SUSPECT_KEEP[] =
    "UPDATE suspect SET since = ?3, looks = ?4 WHERE partition = ?1 AND offset = ?2";
static const char SQL_SUSPECT_NEW[] = "INSERT INTO suspect VALUES (?1, ?2, ?3, ?4)";
static const char SQL_SUSPECT_END[] = "DELETE FROM suspect WHERE partition = ?1 AND offset = ?2";
static const char SQL_STATE[] = "UPDATE state SET now = ?1, shift = ?2";

static enum outcome bug(struct error *err, const char *what, uint64_t max)
{
    return error_set(err, OUT_FATAL, ERR_INTERNAL, "more %s than the book takes (%" PRIu64 ")",
                     what, max);
}

static uint64_t changes(const struct book *book)
{
    return (uint64_t)sqlite3_changes64(book->db.connection);
}

/* The number of a tenant or an entity: that of all others when there are enough, or none is so
 * long. */
static enum outcome find_name(struct book *book, enum book_names kind, struct bytes name,
                              int64_t *id, struct error *err)
{
    *id = BOOK_OTHERS_ID;
    if (name.size > BOOK_SAMPLE_TEXT_MAX)
        return OUT_OK;
    const struct sqlite_value values[] = {NUMBER(kind), BLOB(name)};
    enum outcome outcome = sqlite_number(&book->db, SQL_NAME, values, 2, BOOK_OTHERS_ID, id, err);
    if (outcome != OUT_OK || *id != BOOK_OTHERS_ID ||
        book->sizes.names[kind] >= book->names_max[kind])
        return outcome;
    *id = (int64_t)++book->sizes.names[kind];
    return sqlite_run(&book->db, SQL_NAME_NEW, VALUES(NUMBER(kind), BLOB(name), NUMBER(*id)), err);
}

struct cell {
    int64_t minute, tenant, entity;
    enum operation operation;
    int64_t class;
    uint64_t count;
};

static enum outcome add_cell(struct book *book, const struct cell *cell, struct error *err)
{
    const struct sqlite_value values[] = {NUMBER(cell->minute), NUMBER(cell->tenant),
                                          NUMBER(cell->entity), NUMBER(cell->operation),
                                          NUMBER(cell->class),  NUMBER(cell->count)};
    enum outcome outcome = sqlite_run(&book->db, SQL_CELL_ADD, values, 6, err);
    if (outcome != OUT_OK || changes(book) > 0)
        return outcome;
    uint64_t *size = cell->minute == BOOK_TOTAL_MINUTE ? &book->sizes.totals : &book->sizes.cells;
    bool is_others = cell->tenant == BOOK_OTHERS_ID && cell->entity == BOOK_OTHERS_ID;
    if (*size >= book->cells_max && !is_others) {
        struct cell others = *cell;
        others.tenant = others.entity = BOOK_OTHERS_ID;
        return add_cell(book, &others, err);
    }
    ++*size;
    return sqlite_run(&book->db, SQL_CELL_NEW, values, 6, err);
}

static enum outcome add_count(struct book *book, const struct book_count *count, int64_t minute,
                              struct error *err)
{
    struct cell cell = {.minute = minute,
                        .operation = count->operation,
                        .class = book->ids[count->class],
                        .count = count->count};
    enum outcome outcome = find_name(book, BOOK_TENANTS, count->tenant, &cell.tenant, err);
    if (outcome == OUT_OK)
        outcome = find_name(book, BOOK_ENTITIES, count->entity, &cell.entity, err);
    if (outcome == OUT_OK)
        outcome = add_cell(book, &cell, err);
    cell.minute = BOOK_TOTAL_MINUTE;
    return outcome == OUT_OK ? add_cell(book, &cell, err) : outcome;
}

static enum outcome set_position(struct book *book, const struct book_position *position,
                                 struct error *err)
{
    if (position->partition < 0 || position->partition >= BOOK_PARTITIONS_MAX)
        return bug(err, "partitions", BOOK_PARTITIONS_MAX);
    return sqlite_run(&book->db, SQL_POSITION,
                      VALUES(NUMBER(position->partition), NUMBER(position->results_next),
                             NUMBER(position->verified)),
                      err);
}

static enum outcome keep_suspect(struct book *book, const struct book_suspect *suspect,
                                 struct error *err)
{
    const struct sqlite_value values[] = {NUMBER(suspect->partition), NUMBER(suspect->offset),
                                          NUMBER(suspect->since_ms), NUMBER(suspect->looks)};
    enum outcome outcome = sqlite_run(&book->db, SQL_SUSPECT_KEEP, values, 4, err);
    if (outcome != OUT_OK || changes(book) > 0)
        return outcome;
    if (book->sizes.suspects >= book->suspects_max)
        return bug(err, "suspects", book->suspects_max);
    book->sizes.suspects++;
    return sqlite_run(&book->db, SQL_SUSPECT_NEW, values, 4, err);
}

static enum outcome end_suspect(struct book *book, const struct book_suspect *suspect,
                                struct error *err)
{
    enum outcome outcome =
        sqlite_run(&book->db, SQL_SUSPECT_END,
                   VALUES(NUMBER(suspect->partition), NUMBER(suspect->offset)), err);
    if (outcome == OUT_OK)
        book->sizes.suspects -= changes(book);
    return outcome;
}

/* Whole nanoseconds, as a statement's values are whole numbers. */
static struct sqlite_value millis(double value)
{
    return isnan(value) ? (struct sqlite_value){.kind = BIND_NULL} : NUMBER(llround(value * 1e6));
}

static enum outcome add_gauges(struct book *book, const struct rolling_gauges *gauges,
                               int64_t minute, struct error *err)
{
    return sqlite_run(&book->db, SQL_GAUGE,
                      VALUES(NUMBER(minute), NUMBER(gauges->committed), NUMBER(gauges->lag),
                             NUMBER(gauges->behind), millis(gauges->old_p50_ms),
                             millis(gauges->old_p99_ms), millis(gauges->new_p50_ms),
                             millis(gauges->new_p99_ms)),
                      err);
}

/* Minutes that no window reaches: they are in the total. */
static enum outcome prune(struct book *book, struct error *err)
{
    int64_t last = rolling_oldest(&book->rolling) - 1;
    if (last < book->pruned)
        return OUT_OK;
    enum outcome outcome = sqlite_run(&book->db, SQL_CELL_PRUNE, VALUES(NUMBER(last)), err);
    if (outcome == OUT_OK) {
        book->sizes.cells -= changes(book);
        outcome = sqlite_run(&book->db, SQL_GAUGE_PRUNE, VALUES(NUMBER(last)), err);
    }
    return outcome;
}

static enum outcome write_page(struct book *book, const struct book_page *page, int64_t minute,
                               struct error *err)
{
    enum outcome outcome =
        sqlite_run(&book->db, SQL_STATE,
                   VALUES(NUMBER(book->rolling.now_ms), NUMBER(book->rolling.shift_ms)), err);
    if (outcome == OUT_OK)
        outcome = prune(book, err);
    for (size_t i = 0; i < page->count_count && outcome == OUT_OK; i++)
        outcome = add_count(book, &page->counts[i], minute, err);
    for (size_t i = 0; i < page->position_count && outcome == OUT_OK; i++)
        outcome = set_position(book, &page->positions[i], err);
    for (size_t i = 0; i < page->settled_count && outcome == OUT_OK; i++)
        outcome = end_suspect(book, &page->settled[i], err);
    for (size_t i = 0; i < page->suspect_count && outcome == OUT_OK; i++)
        outcome = keep_suspect(book, &page->suspects[i], err);
    for (size_t i = 0; i < page->sample_count && outcome == OUT_OK; i++)
        outcome = book_keep_sample(book, false, &page->samples[i], err);
    if (outcome == OUT_OK && page->sample_count > 0)
        outcome = book_trim_samples(book, false, err);
    if (outcome == OUT_OK && page->gauges)
        outcome = add_gauges(book, page->gauges, minute, err);
    return outcome;
}

enum outcome book_add(struct book *book, const struct book_page *page, int64_t unix_ms,
                      struct error *err)
{
    const struct book_sizes before = book->sizes;
    int64_t minute = rolling_step(&book->rolling, unix_ms);
    enum outcome outcome = book_begin(book, err);
    if (outcome != OUT_OK)
        return outcome;
    outcome = book_finish(book, write_page(book, page, minute, err), err);
    if (outcome != OUT_OK) {
        book->sizes = before;
        return outcome;
    }
    book->pruned = rolling_oldest(&book->rolling);
    for (size_t i = 0; i < page->count_count; i++)
        rolling_add(&book->rolling, minute, page->counts[i].class, page->counts[i].count);
    if (page->gauges)
        rolling_note(&book->rolling, minute, page->gauges);
    return OUT_OK;
}
