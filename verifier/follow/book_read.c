/* Lists of what is in the book, in the caller's arena. */
#include <string.h>

#include "verifier/follow/book_internal.h"

enum outcome book_list_new(const struct book *book, struct arena *arena, int64_t count, size_t size,
                           void **list, struct error *err)
{
    *list = arena_array(arena, (size_t)count + 1, size); /* never of nothing */
    return *list ? OUT_OK : book_arena_full(book, err);
}

bool book_copy_text(struct arena *arena, sqlite3_stmt *row, int at, struct bytes *text)
{
    *text = sqlite_bytes(row, at);
    if (text->size == 0)
        *text = (struct bytes){0};
    else
        *text = arena_copy(arena, *text);
    return text->data || sqlite3_column_bytes(row, at) == 0;
}

enum outcome book_position(struct book *book, int32_t partition, struct book_position *position,
                           struct error *err)
{
    sqlite3_stmt *row;
    *position = (struct book_position){partition, -1, -1};
    enum outcome outcome =
        sqlite_get(&book->db, "SELECT results_next, verified FROM position WHERE partition = ?1",
                   VALUES(NUMBER(partition)), &row, err);
    if (!row)
        return outcome;
    position->results_next = sqlite3_column_int64(row, 0);
    position->verified = sqlite3_column_int64(row, 1);
    return sqlite_end(&book->db, row, err);
}

enum outcome book_positions(struct book *book, struct arena *arena,
                            struct book_position **positions, size_t *count, struct error *err)
{
    int64_t rows;
    void *list;
    sqlite3_stmt *row;
    *positions = NULL;
    *count = 0;
    if (sqlite_number(&book->db, "SELECT count(*) FROM position", NO_VALUES, 0, &rows, err) !=
            OUT_OK ||
        book_list_new(book, arena, rows, sizeof(**positions), &list, err) != OUT_OK)
        return OUT_FATAL;
    *positions = list;
    enum outcome outcome = sqlite_get(
        &book->db, "SELECT partition, results_next, verified FROM position ORDER BY partition",
        NO_VALUES, &row, err);
    for (; row; outcome = sqlite_next(&book->db, &row, err))
        (*positions)[(*count)++] =
            (struct book_position){(int32_t)sqlite3_column_int64(row, 0),
                                   sqlite3_column_int64(row, 1), sqlite3_column_int64(row, 2)};
    return outcome;
}

enum outcome book_suspects(struct book *book, int32_t partition, struct arena *arena,
                           struct book_suspect **suspects, size_t *count, struct error *err)
{
    int64_t rows;
    void *list;
    sqlite3_stmt *row;
    *suspects = NULL;
    *count = 0;
    if (sqlite_number(&book->db, "SELECT count(*) FROM suspect WHERE partition = ?1",
                      VALUES(NUMBER(partition)), 0, &rows, err) != OUT_OK ||
        book_list_new(book, arena, rows, sizeof(**suspects), &list, err) != OUT_OK)
        return OUT_FATAL;
    *suspects = list;
    enum outcome outcome = sqlite_get(
        &book->db, "SELECT offset, since, looks FROM suspect WHERE partition = ?1 ORDER BY offset",
        VALUES(NUMBER(partition)), &row, err);
    for (; row; outcome = sqlite_next(&book->db, &row, err))
        (*suspects)[(*count)++] = (struct book_suspect){partition, sqlite3_column_int64(row, 0),
                                                        sqlite3_column_int64(row, 1),
                                                        (uint32_t)sqlite3_column_int64(row, 2)};
    return outcome;
}

/* The groups in their order, then the classes of each. */
static const char SQL_GROUPS[] =
    "WITH chosen AS MATERIALIZED (SELECT tenant, entity, operation, row_number() OVER (ORDER BY "
    "total(count) FILTER (WHERE class IN (SELECT class FROM temp.wrong)) DESC, total(count) DESC, "
    "tenant, entity, operation) AS place FROM cell WHERE minute BETWEEN ?1 AND ?2 "
    "GROUP BY tenant, entity, operation ORDER BY place LIMIT ?3) "
    "SELECT place, (SELECT name FROM name WHERE kind = 0 AND id = chosen.tenant), "
    "(SELECT name FROM name WHERE kind = 1 AND id = chosen.entity), chosen.operation, class, "
    "sum(count) FROM chosen JOIN cell ON cell.tenant = chosen.tenant AND cell.entity = "
    "chosen.entity AND cell.operation = chosen.operation WHERE minute BETWEEN ?1 AND ?2 "
    "GROUP BY place, class ORDER BY place";

static bool begin_group(struct arena *arena, sqlite3_stmt *row, struct follow_group *group)
{
    *group = (struct follow_group){
        .operation = sqlite3_column_int64(row, 3) == OP_DELETE ? "delete" : "upsert"};
    if (!book_copy_text(arena, row, 1, &group->tenant) ||
        !book_copy_text(arena, row, 2, &group->entity))
        return false;
    if (sqlite3_column_type(row, 1) == SQLITE_NULL)
        group->tenant = BYTES_LITERAL(BOOK_OTHERS);
    if (sqlite3_column_type(row, 2) == SQLITE_NULL)
        group->entity = BYTES_LITERAL(BOOK_OTHERS);
    return true;
}

enum outcome book_groups(struct book *book, enum follow_window_kind kind, size_t max,
                         struct arena *arena, struct follow_group **groups, size_t *count,
                         struct error *err)
{
    bool is_total = kind == FOLLOW_TOTAL;
    int64_t first = is_total ? BOOK_TOTAL_MINUTE : rolling_first(&book->rolling, kind);
    int64_t last = is_total ? BOOK_TOTAL_MINUTE : INT64_MAX;
    first = !is_total && first < 0 ? 0 : first;
    sqlite3_stmt *row;
    size_t room = 0;
    struct follow_group *list = NULL;
    *groups = NULL;
    *count = 0;
    enum outcome outcome = sqlite_get(&book->db, SQL_GROUPS,
                                      VALUES(NUMBER(first), NUMBER(last), NUMBER(max)), &row, err);
    for (; row; outcome = sqlite_next(&book->db, &row, err)) {
        size_t place = (size_t)sqlite3_column_int64(row, 0);
        if (place > room) { /* twice as many; what was is left in the arena */
            size_t wanted = place > max / 2 ? max : place * 2;
            struct follow_group *larger = arena_array(arena, wanted, sizeof(*larger));
            if (larger && *count > 0)
                memcpy(larger, list, *count * sizeof(*larger));
            list = larger;
            room = wanted;
        }
        if (!list || (place > *count && !begin_group(arena, row, &list[place - 1]))) {
            sqlite3_reset(row);
            return book_arena_full(book, err);
        }
        *count = place;
        unsigned class = book_class_of(book, sqlite3_column_int64(row, 4));
        if (class < VERDICT_COUNT)
            list[place - 1].counts[class] = (uint64_t)sqlite3_column_int64(row, 5);
    }
    *groups = list;
    return outcome;
}
