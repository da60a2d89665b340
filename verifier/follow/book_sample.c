/* Samples of discrepancies, and the last full pass with its own. */
#include <string.h>

#include "verifier/follow/book_internal.h"

static const char SQL_KEEP[] =
    "INSERT INTO sample (pass, verdict, partition, offset, key_hash, code, tenant, entity, origin, "
    "reason, source_version, stored_version, first, last, seen, is_over, fields, field_total) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18) "
    "ON CONFLICT (pass, verdict, partition, offset, key_hash) DO UPDATE SET code = excluded.code, "
    "origin = excluded.origin, reason = excluded.reason, source_version = "
    "excluded.source_version, stored_version = excluded.stored_version, first = min(first, "
    "excluded.first), last = max(last, excluded.last), seen = max(seen, excluded.seen), is_over = "
    "excluded.is_over, fields = excluded.fields, field_total = excluded.field_total";
static const char SQL_TRIM[] =
    "DELETE FROM sample WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY "
    "verdict ORDER BY last DESC, id DESC) AS place FROM sample WHERE pass = ?1) WHERE place > ?2)";
static const char SQL_SAMPLES[] =
    "SELECT verdict, code, tenant, entity, key_hash, partition, offset, origin, reason, "
    "source_version, stored_version, first, last, seen, is_over, fields, field_total FROM sample "
    "WHERE pass = ?1 ORDER BY last DESC, id DESC";

/* At a whole character. */
static struct bytes cut(struct bytes text)
{
    if (text.size <= BOOK_SAMPLE_TEXT_MAX)
        return text;
    size_t size = BOOK_SAMPLE_TEXT_MAX;
    while (size > 0 && ((unsigned char)text.data[size] & 0xc0) == 0x80)
        size--;
    return bytes_of(text.data, size);
}

/* ---- fields: each text behind its size, four bytes ---- */

static void put_text(struct buf *out, struct bytes text)
{
    uint32_t size = (uint32_t)cut(text).size;
    buf_append_bytes(out, bytes_of((const char *)&size, sizeof(size)));
    buf_append_bytes(out, cut(text));
}

static bool take_text(struct bytes *rest, struct bytes *text)
{
    uint32_t size;
    if (rest->size < sizeof(size))
        return false;
    memcpy(&size, rest->data, sizeof(size));
    if (rest->size - sizeof(size) < size)
        return false;
    *text = bytes_of(rest->data + sizeof(size), size);
    *rest = bytes_of(text->data + size, rest->size - sizeof(size) - size);
    return true;
}

static void put_fields(struct buf *out, const struct follow_sample *sample)
{
    for (size_t i = 0; i < sample->field_count && i < BOOK_SAMPLE_FIELDS_MAX; i++) {
        put_text(out, sample->fields[i].path);
        put_text(out, sample->fields[i].source);
        put_text(out, sample->fields[i].stored);
    }
}

/* NULL: the arena is full. What is cut off, or damaged, is left out. */
static const struct follow_sample_field *take_fields(struct arena *arena, sqlite3_stmt *row, int at,
                                                     size_t *count)
{
    struct bytes rest;
    struct follow_sample_field *fields =
        arena_array(arena, BOOK_SAMPLE_FIELDS_MAX, sizeof(*fields));
    *count = 0;
    if (!fields || !book_copy_text(arena, row, at, &rest))
        return NULL;
    while (*count < BOOK_SAMPLE_FIELDS_MAX) {
        struct follow_sample_field *field = &fields[*count];
        if (!take_text(&rest, &field->path) || !take_text(&rest, &field->source) ||
            !take_text(&rest, &field->stored))
            break;
        ++*count;
    }
    return fields;
}

/* ---- samples ---- */

enum outcome book_keep_sample(struct book *book, bool of_full_pass,
                              const struct follow_sample *sample, struct error *err)
{
    enum { FIELDS_MAX = BOOK_SAMPLE_FIELDS_MAX * 3 * (BOOK_SAMPLE_TEXT_MAX + 4) };
    if (book->samples_max == 0)
        return OUT_OK;
    const struct sqlite_value none = {.kind = BIND_NULL};
    struct buf fields;
    buf_init(&fields, FIELDS_MAX);
    put_fields(&fields, sample);
    enum outcome outcome = sqlite_run(
        &book->db, SQL_KEEP,
        VALUES(NUMBER(of_full_pass), NUMBER(book->ids[sample->verdict]), NUMBER(sample->partition),
               NUMBER(sample->offset), NUMBER(sample->key_hash), NAME(error_code_id(sample->code)),
               BLOB(cut(sample->tenant)), BLOB(cut(sample->entity)), BLOB(cut(sample->origin)),
               BLOB(cut(sample->reason)),
               sample->has_versions ? NUMBER(sample->source_version) : none,
               sample->has_versions ? NUMBER(sample->stored_version) : none,
               NUMBER(sample->first_ms), NUMBER(sample->last_ms), NUMBER(sample->seen),
               NUMBER(sample->is_over), BLOB(buf_view(&fields)), NUMBER(sample->field_total)),
        err);
    buf_free(&fields);
    return outcome;
}

enum outcome book_trim_samples(struct book *book, bool of_full_pass, struct error *err)
{
    return sqlite_run(&book->db, SQL_TRIM, VALUES(NUMBER(of_full_pass), NUMBER(book->samples_max)),
                      err);
}

/* False: the arena is full. */
static bool take_sample(const struct book *book, struct arena *arena, sqlite3_stmt *row,
                        struct follow_sample *sample)
{
    unsigned class = book_class_of(book, sqlite3_column_int64(row, 0));
    char code[16] = "";
    struct bytes id = sqlite_bytes(row, 1);
    memcpy(code, id.data ? id.data : "", id.size < sizeof(code) ? id.size : 0);
    *sample = (struct follow_sample){
        .verdict = class < VERDICT_COUNT ? (enum verdict) class : VERDICT_DIFFERENT,
        .key_hash = (uint64_t)sqlite3_column_int64(row, 4),
        .partition = (int32_t)sqlite3_column_int64(row, 5),
        .offset = sqlite3_column_int64(row, 6),
        .has_versions = sqlite3_column_type(row, 9) != SQLITE_NULL,
        .source_version = sqlite3_column_int64(row, 9),
        .stored_version = sqlite3_column_int64(row, 10),
        .first_ms = sqlite3_column_int64(row, 11),
        .last_ms = sqlite3_column_int64(row, 12),
        .seen = (uint64_t)sqlite3_column_int64(row, 13),
        .is_over = sqlite3_column_int64(row, 14) != 0,
        .field_total = (size_t)sqlite3_column_int64(row, 16),
    };
    if (!error_code_find(code, &sample->code))
        sample->code = ERR_NONE;
    sample->fields = take_fields(arena, row, 15, &sample->field_count);
    return sample->fields && book_copy_text(arena, row, 2, &sample->tenant) &&
           book_copy_text(arena, row, 3, &sample->entity) &&
           book_copy_text(arena, row, 7, &sample->origin) &&
           book_copy_text(arena, row, 8, &sample->reason);
}

enum outcome book_samples(struct book *book, bool of_full_pass, struct arena *arena,
                          struct follow_sample **samples, size_t *count, struct error *err)
{
    int64_t rows;
    void *list;
    sqlite3_stmt *row;
    *samples = NULL;
    *count = 0;
    if (sqlite_number(&book->db, "SELECT count(*) FROM sample WHERE pass = ?1",
                      VALUES(NUMBER(of_full_pass)), 0, &rows, err) != OUT_OK ||
        book_list_new(book, arena, rows, sizeof(**samples), &list, err) != OUT_OK)
        return OUT_FATAL;
    *samples = list;
    enum outcome outcome =
        sqlite_get(&book->db, SQL_SAMPLES, VALUES(NUMBER(of_full_pass)), &row, err);
    for (; row; outcome = sqlite_next(&book->db, &row, err)) {
        if (!take_sample(book, arena, row, &(*samples)[*count])) {
            sqlite3_reset(row);
            return book_arena_full(book, err);
        }
        ++*count;
    }
    return outcome;
}

/* ---- the full pass ---- */

static enum outcome write_pass(struct book *book, const struct follow_full_pass *pass,
                               const struct follow_sample *samples, size_t count, struct error *err)
{
    enum outcome outcome =
        sqlite_run(&book->db, "INSERT OR REPLACE INTO pass VALUES (1, ?1, ?2, ?3, ?4, ?5)",
                   VALUES(NUMBER(pass->began_ms), NUMBER(pass->duration_ms), NUMBER(pass->problems),
                          BLOB(cut(pass->failure)), BLOB(cut(pass->report))),
                   err);
    if (outcome == OUT_OK)
        outcome = sqlite_run(&book->db, "DELETE FROM pass_not_whole", NO_VALUES, err);
    if (outcome == OUT_OK && pass->not_whole.size)
        outcome = sqlite_run(&book->db, "INSERT INTO pass_not_whole VALUES (1, ?1)",
                             VALUES(BLOB(cut(pass->not_whole))), err);
    if (outcome == OUT_OK)
        outcome = sqlite_run(&book->db, "DELETE FROM pass_count", NO_VALUES, err);
    if (outcome == OUT_OK)
        outcome = sqlite_run(&book->db, "DELETE FROM sample WHERE pass = 1", NO_VALUES, err);
    for (int i = 0; i < VERDICT_COUNT && outcome == OUT_OK; i++)
        if (pass->counts[i] > 0)
            outcome = sqlite_run(&book->db, "INSERT INTO pass_count VALUES (?1, ?2)",
                                 VALUES(NUMBER(book->ids[i]), NUMBER(pass->counts[i])), err);
    for (size_t i = 0; i < count && outcome == OUT_OK; i++)
        outcome = book_keep_sample(book, true, &samples[i], err);
    return outcome == OUT_OK ? book_trim_samples(book, true, err) : outcome;
}

enum outcome book_add_full_pass(struct book *book, const struct follow_full_pass *pass,
                                const struct follow_sample *samples, size_t count,
                                struct error *err)
{
    enum outcome outcome = book_begin(book, err);
    return outcome == OUT_OK ? book_finish(book, write_pass(book, pass, samples, count, err), err)
                             : outcome;
}

enum outcome book_full_pass(struct book *book, struct arena *arena, struct follow_full_pass *pass,
                            struct error *err)
{
    sqlite3_stmt *row;
    *pass = (struct follow_full_pass){.began_ms = -1, .next_ms = -1};
    enum outcome outcome =
        sqlite_get(&book->db,
                   "SELECT began, duration, problems, failure, report, (SELECT why FROM "
                   "pass_not_whole) FROM pass",
                   NO_VALUES, &row, err);
    if (!row)
        return outcome;
    pass->began_ms = sqlite3_column_int64(row, 0);
    pass->duration_ms = (uint64_t)sqlite3_column_int64(row, 1);
    pass->problems = (uint64_t)sqlite3_column_int64(row, 2);
    bool fits = book_copy_text(arena, row, 3, &pass->failure) &&
                book_copy_text(arena, row, 4, &pass->report) &&
                book_copy_text(arena, row, 5, &pass->not_whole);
    sqlite3_reset(row);
    if (!fits)
        return book_arena_full(book, err);
    outcome = sqlite_get(&book->db, "SELECT class, count FROM pass_count", NO_VALUES, &row, err);
    for (; row; outcome = sqlite_next(&book->db, &row, err)) {
        unsigned class = book_class_of(book, sqlite3_column_int64(row, 0));
        if (class < VERDICT_COUNT)
            pass->counts[class] = (uint64_t)sqlite3_column_int64(row, 1);
    }
    return outcome;
}
