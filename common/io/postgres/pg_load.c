/* See the header. */
#include "common/io/postgres/pg_load.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/postgres/pg_error.h"
#include "common/io/postgres/pg_load_index.h"
#include "common/io/postgres/pg_load_lock.h"
#include "common/io/postgres/pg_load_reason.h"
#include "common/io/postgres/pg_session.h"
#include "common/model/schema/schema_load.h"

enum {
    CONNECT_MS = 10000,
    TEXT_LIMIT = 1 << 20,
    NUMBER_SIZE = 24,
};

/* ---- finish ---- */

struct finish {
    const struct settings *settings;
    const struct mapping_set *mappings;
    const struct pg_load_waiting *waiting;
    struct schema_roles roles;
    PGconn *connection;
    struct buf text; /* a statement */
    /* of the table at hand: rows that were thinned out, by partition */
    struct pg_load_left *gone;
    size_t gone_count;
};

static enum outcome ask(struct finish *finish, const char *sql, const struct bytes *params,
                        size_t count, PGresult **result, struct error *err)
{
    return pg_session_query(finish->connection, sql, params, count, false, result, err);
}

static enum outcome run_text(struct finish *finish, struct error *err)
{
    enum outcome outcome = pg_session_run(finish->connection, buf_text(&finish->text), err);
    buf_reset(&finish->text);
    return outcome;
}

/* One statement with the load's number as its parameter. */
static enum outcome change(struct finish *finish, const char *sql,
                           const struct pg_load_table *table, struct error *err)
{
    char number[NUMBER_SIZE];
    PGresult *result = NULL;
    snprintf(number, sizeof number, "%d", table->number);
    const struct bytes params[] = {bytes_text(number)};
    enum outcome outcome = ask(finish, sql, params, 1, &result, err);
    PQclear(result);
    return outcome;
}

/* Everything that comes after sees the new state; what passed the fence before is waited for. */
static enum outcome keep_workers_out(struct finish *finish, const struct pg_load_table *table,
                                     struct error *err)
{
    enum outcome outcome =
        change(finish,
               "UPDATE drover.load SET state = 'finalising', changed_at = clock_timestamp()"
               " WHERE number = $1::text::int AND state = 'loading'",
               table, err);
    if (outcome != OUT_OK)
        return outcome;
    return change(finish, "SELECT pg_advisory_xact_lock(" PG_LOAD_LOCK ", $1::text::int)", table,
                  err);
}

static void add_left(struct pg_load_table *table, const char *class, int64_t partition,
                     int64_t count)
{
    for (int i = 0; i < CLASS_COUNT; i++) {
        if (strcmp(record_class_name((enum record_class)i), class) != 0)
            continue;
        table->left = mem_resize(table->left, table->left_count + 1, sizeof *table->left);
        table->left[table->left_count++] =
            (struct pg_load_left){(enum record_class)i, (int32_t)partition, (uint64_t)count};
    }
}

static void add_gone(struct finish *finish, int64_t partition, int64_t count)
{
    finish->gone = mem_resize(finish->gone, finish->gone_count + 1, sizeof *finish->gone);
    finish->gone[finish->gone_count++] =
        (struct pg_load_left){.partition = (int32_t)partition, .count = (uint64_t)count};
}

/* Columns: class, partition, count. */
static void take_left(struct finish *finish, struct pg_load_table *table, const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        int64_t partition = 0, count = 0;
        if (!text_parse_int64(bytes_text(PQgetvalue(result, row, 1)), &partition) ||
            !text_parse_int64(bytes_text(PQgetvalue(result, row, 2)), &count))
            continue;
        if (strcmp(PQgetvalue(result, row, 0), "gone") == 0)
            add_gone(finish, partition, count);
        else
            add_left(table, PQgetvalue(result, row, 0), partition, count);
    }
}

static enum outcome thin_out(struct finish *finish, const struct mapping *mapping,
                             struct pg_load_table *table, struct error *err)
{
    PGresult *result = NULL;
    schema_load_thin(&finish->text, mapping, table->number);
    enum outcome outcome = ask(finish, buf_text(&finish->text), NULL, 0, &result, err);
    buf_reset(&finish->text);
    if (outcome == OUT_OK)
        take_left(finish, table, result);
    PQclear(result);
    return outcome;
}

/* A first load has each key once as a rule: what is not so, the index finds. */
static enum outcome make_key(struct finish *finish, const struct mapping *mapping,
                             struct pg_load_table *table, const char *key, struct error *err)
{
    bool has_many = false;
    enum outcome outcome =
        pg_load_make_key(finish->connection, mapping, table->number, key, &has_many, err);
    if (outcome == OUT_OK && has_many)
        outcome = thin_out(finish, mapping, table, err);
    if (outcome == OUT_OK && has_many)
        outcome = pg_load_make_key(finish->connection, mapping, table->number, key, &has_many, err);
    if (outcome == OUT_OK && has_many)
        outcome = error_set(err, OUT_FATAL, ERR_INTERNAL, "a key has several rows after all");
    return outcome;
}

static enum outcome refuse_swap(const struct mapping *mapping, const char *reason,
                                struct error *err)
{
    enum outcome outcome = error_set(
        err, OUT_FATAL, ERR_PG_SCHEMA,
        "what was loaded cannot take the table's place, because %s; nothing was changed", reason);
    error_where(err, "%s.%s", mapping->schema, mapping->table);
    error_hint(err, "take that away, and finish again");
    return outcome;
}

/* What the catalogs tell against it. Before the work begins, and again under the lock. */
static enum outcome check_reason(struct finish *finish, const struct mapping *mapping,
                                 const struct pg_load_table *table, bool is_locked,
                                 struct error *err)
{
    struct buf reason;
    buf_init(&reason, TEXT_LIMIT);
    enum outcome outcome = pg_load_ask_reason(finish->connection, mapping, &reason, err);
    if (outcome == OUT_OK && reason.size == 0)
        outcome = pg_load_ask_change(finish->connection, mapping, table->number, &reason, err);
    if (outcome == OUT_OK && reason.size == 0 && is_locked)
        outcome = pg_load_try_drop(finish->connection, mapping, &reason, err);
    if (outcome == OUT_OK && reason.size)
        outcome = refuse_swap(mapping, buf_text(&reason), err);
    buf_free(&reason);
    return outcome;
}

/* Nobody can have written it since the loading began: its rights were taken away. */
static enum outcome check_empty(struct finish *finish, const struct mapping *mapping, char key[80],
                                struct error *err)
{
    struct buf name;
    PGresult *result = NULL;
    buf_init(&name, 512);
    schema_sql_table_name(&name, mapping);
    const struct bytes params[] = {buf_view(&name)};
    enum outcome outcome =
        ask(finish,
            "SELECT pg_relation_size(c.oid) > 0, k.conname FROM pg_class AS c JOIN"
            " pg_constraint AS k ON k.conrelid = c.oid AND k.contype = 'p'"
            " WHERE c.oid = $1::text::regclass",
            params, 1, &result, err);
    if (outcome == OUT_OK && (PQntuples(result) != 1 || PQgetvalue(result, 0, 0)[0] == 't')) {
        outcome = error_set(err, OUT_FATAL, ERR_PG_SCHEMA,
                            "rows were written into the table while it was loaded");
        error_where(err, "%s.%s", mapping->schema, mapping->table);
        error_hint(err, "TRUNCATE it, when they may go, and finish again");
    } else if (outcome == OUT_OK) {
        snprintf(key, 80, "%s", PQgetvalue(result, 0, 1));
    }
    PQclear(result);
    buf_free(&name);
    return outcome;
}

static enum outcome check_target(struct finish *finish, const struct mapping *mapping,
                                 const struct pg_load_table *table, bool is_locked, char key[80],
                                 struct error *err)
{
    enum outcome outcome = check_empty(finish, mapping, key, err);
    return outcome == OUT_OK ? check_reason(finish, mapping, table, is_locked, err) : outcome;
}

static enum outcome note_done(struct finish *finish, const struct pg_load_table *table,
                              struct error *err)
{
    struct buf left;
    char number[NUMBER_SIZE], rows[NUMBER_SIZE];
    PGresult *result = NULL;
    buf_init(&left, TEXT_LIMIT);
    buf_append_char(&left, '[');
    for (size_t i = 0; i < table->left_count; i++)
        buf_append_format(&left, "%s[\"%s\",%d,%llu]", i ? "," : "",
                          record_class_name(table->left[i].the_class), table->left[i].partition,
                          (unsigned long long)table->left[i].count);
    buf_append_char(&left, ']');
    snprintf(number, sizeof number, "%d", table->number);
    snprintf(rows, sizeof rows, "%llu", (unsigned long long)table->rows);
    const struct bytes params[] = {bytes_text(number), bytes_text(rows), buf_view(&left)};
    enum outcome outcome =
        ask(finish,
            "UPDATE drover.load SET state = 'done', rows = $2::text::bigint, left_out ="
            " $3::text::jsonb, changed_at = clock_timestamp() WHERE number = $1::text::int",
            params, 3, &result, err);
    PQclear(result);
    buf_free(&left);
    return outcome;
}

/* ---- the counts */

static uint64_t gone_of(const struct finish *finish, int64_t partition)
{
    uint64_t count = 0;
    for (size_t i = 0; i < finish->gone_count; i++)
        if (finish->gone[i].partition == partition)
            count += finish->gone[i].count;
    return count;
}

static enum outcome refuse_counts(const struct mapping *mapping, int64_t partition,
                                  uint64_t appended, uint64_t found, struct error *err)
{
    enum outcome outcome =
        error_set(err, OUT_FATAL, ERR_PG_LOAD_COUNTS,
                  "of partition %" PRId64 " %" PRIu64 " rows are in the load table, and %" PRIu64
                  " were appended; nothing was changed",
                  partition, found, appended);
    error_where(err, "%s.%s", mapping->schema, mapping->table);
    return outcome;
}

/* What workers appended, as they counted it in their transactions, is there: as a row, or thinned
 * out. Sets table->rows. */
static enum outcome check_counts(struct finish *finish, const struct mapping *mapping,
                                 struct pg_load_table *table, struct error *err)
{
    PGresult *result = NULL;
    buf_append_text(&finish->text,
                    "SELECT partition, coalesce(a.appended, 0), coalesce(f.found, 0) FROM (SELECT"
                    " c.partition, sum(c.appended)::bigint AS appended FROM drover.load_appended"
                    " AS c WHERE c.number = ");
    buf_append_format(&finish->text, "%d", table->number);
    buf_append_text(&finish->text, " GROUP BY 1) AS a FULL JOIN (SELECT l.drover_load_partition AS"
                                   " partition, count(*) AS found FROM ");
    schema_load_name(&finish->text, table->number);
    buf_append_text(&finish->text, " AS l GROUP BY 1) AS f USING (partition) ORDER BY 1");
    enum outcome outcome = ask(finish, buf_text(&finish->text), NULL, 0, &result, err);
    buf_reset(&finish->text);
    table->rows = 0;
    for (int row = 0; outcome == OUT_OK && row < PQntuples(result); row++) {
        int64_t partition = 0, appended = 0, found = 0;
        if (!text_parse_int64(bytes_text(PQgetvalue(result, row, 0)), &partition) ||
            !text_parse_int64(bytes_text(PQgetvalue(result, row, 1)), &appended) ||
            !text_parse_int64(bytes_text(PQgetvalue(result, row, 2)), &found))
            continue;
        uint64_t all = (uint64_t)found + gone_of(finish, partition);
        table->rows += (uint64_t)found;
        if (all != (uint64_t)appended)
            outcome = refuse_counts(mapping, partition, (uint64_t)appended, all, err);
    }
    PQclear(result);
    return outcome;
}

/* In the transaction; its COMMIT brings all of it at once. */
static enum outcome build(struct finish *finish, const struct mapping *mapping,
                          struct pg_load_table *table, struct error *err)
{
    char key[80];
    enum outcome outcome = check_target(finish, mapping, table, false, key, err);
    if (outcome == OUT_OK)
        outcome = make_key(finish, mapping, table, key, err);
    if (outcome == OUT_OK)
        outcome = pg_load_make_indexes(finish->connection, mapping, table->number, err);
    if (outcome == OUT_OK)
        outcome = check_counts(finish, mapping, table, err);
    if (outcome == OUT_OK)
        outcome = pg_load_lock_patiently(finish->connection, mapping, finish->waiting, err);
    if (outcome == OUT_OK)
        outcome = check_target(finish, mapping, table, true, key, err);
    if (outcome != OUT_OK)
        return outcome;
    schema_load_swap(&finish->text, mapping, table->number, key, &finish->roles);
    outcome = run_text(finish, err);
    if (outcome == OUT_OK)
        outcome = note_done(finish, table, err);
    if (outcome == OUT_OK)
        outcome = change(finish, "DELETE FROM drover.load_refused WHERE number = $1::text::int",
                         table, err);
    return outcome == OUT_OK ? change(finish,
                                      "DELETE FROM drover.load_appended WHERE number = "
                                      "$1::text::int",
                                      table, err)
                             : outcome;
}

/* Sorts want memory more than the server's default; what the operator gave more is kept. A server
 * that builds an index does not look whether anybody still waits for it, unless it is told to: it
 * would go on for hours after the end of this process, and hold the load. */
static const char BEGIN_BUILD[] =
    "SET client_connection_check_interval = '1s';"
    "BEGIN;"
    "SELECT set_config('maintenance_work_mem', greatest(262144, setting::bigint)::text, true)"
    "  FROM pg_settings WHERE name = 'maintenance_work_mem';"
    "SELECT set_config('work_mem', greatest(65536, setting::bigint)::text, true)"
    "  FROM pg_settings WHERE name = 'work_mem'";

/* The row is locked to the end: of two that finish, the second finds it done; or gone, as the load
 * was given up. */
static enum outcome take_row(struct finish *finish, const struct pg_load_table *table, bool *done,
                             struct error *err)
{
    char number[NUMBER_SIZE];
    PGresult *result = NULL;
    snprintf(number, sizeof number, "%d", table->number);
    const struct bytes params[] = {bytes_text(number)};
    enum outcome outcome = ask(
        finish, "SELECT state = 'done' FROM drover.load WHERE number = $1::text::int FOR UPDATE",
        params, 1, &result, err);
    *done = outcome == OUT_OK && (PQntuples(result) == 0 || PQgetvalue(result, 0, 0)[0] == 't');
    PQclear(result);
    return outcome;
}

static enum outcome finish_table(struct finish *finish, const struct mapping *mapping,
                                 struct pg_load_table *table, struct error *err)
{
    bool done = false;
    enum outcome outcome = keep_workers_out(finish, table, err);
    if (outcome == OUT_OK)
        outcome = pg_session_run(finish->connection, BEGIN_BUILD, err);
    if (outcome == OUT_OK)
        outcome = take_row(finish, table, &done, err);
    if (outcome == OUT_OK && !done)
        outcome = build(finish, mapping, table, err);
    enum outcome end = pg_session_run(finish->connection, outcome == OUT_OK ? "COMMIT" : "ROLLBACK",
                                      outcome == OUT_OK ? err : NULL);
    if (outcome == OUT_OK)
        outcome = end;
    if (outcome != OUT_OK || done)
        return outcome;
    schema_sql_append(&finish->text, "ANALYZE %i.%i", mapping->schema, mapping->table);
    return run_text(finish, err);
}

static enum outcome finish_row(struct finish *finish, const PGresult *rows, int row,
                               struct error *err)
{
    const char *schema = PQgetvalue(rows, row, 1), *name = PQgetvalue(rows, row, 2);
    const struct mapping *mapping = mapping_set_find_table(finish->mappings, schema, name);
    struct pg_load_table table = {.number = (int)strtol(PQgetvalue(rows, row, 0), NULL, 10)};
    enum outcome outcome = OUT_OK;
    if (mapping) {
        outcome = finish_table(finish, mapping, &table, err);
    } else {
        outcome =
            error_set(err, OUT_FATAL, ERR_MAPPING, "no mapping has the table that is being loaded");
        error_hint(err, "name the mapping that its load began with (-m FILE)");
    }
    if (outcome != OUT_OK && err && !err->where[0])
        error_where(err, "%s.%s", schema, name);
    free(table.left);
    free(finish->gone);
    finish->gone = NULL;
    finish->gone_count = 0;
    return outcome;
}

/* ---- what was finished ---- */

static void take_table(struct pg_load_report *report, const PGresult *rows, int row)
{
    int64_t number = 0, count = 0;
    struct pg_load_table *last = report->count ? &report->tables[report->count - 1] : NULL;
    (void)!text_parse_int64(bytes_text(PQgetvalue(rows, row, 0)), &number);
    if (!last || last->number != (int)number) {
        report->tables = mem_resize(report->tables, report->count + 1, sizeof *report->tables);
        last = &report->tables[report->count++];
        *last = (struct pg_load_table){.number = (int)number};
        snprintf(last->name, sizeof last->name, "%s", PQgetvalue(rows, row, 1));
        (void)!text_parse_int64(bytes_text(PQgetvalue(rows, row, 2)), &count);
        last->rows = (uint64_t)count;
    }
    int64_t partition = 0;
    if (!PQgetisnull(rows, row, 3) &&
        text_parse_int64(bytes_text(PQgetvalue(rows, row, 4)), &partition) &&
        text_parse_int64(bytes_text(PQgetvalue(rows, row, 5)), &count))
        add_left(last, PQgetvalue(rows, row, 3), partition, count);
}

static enum outcome read_report(struct finish *finish, struct pg_load_report *report,
                                struct error *err)
{
    const struct bytes params[] = {bytes_text(finish->settings->group)};
    PGresult *rows = NULL;
    enum outcome outcome =
        ask(finish,
            "SELECT l.number, l.table_schema || '.' || l.table_name, l.rows, e.left_out ->> 0,"
            " e.left_out ->> 1, e.left_out ->> 2 FROM drover.load AS l LEFT JOIN LATERAL"
            " jsonb_array_elements(l.left_out) AS e(left_out) ON true"
            " WHERE l.\"group\" = $1::text AND l.state = 'done' AND NOT l.told ORDER BY l.number",
            params, 1, &rows, err);
    for (int row = 0; outcome == OUT_OK && row < PQntuples(rows); row++)
        take_table(report, rows, row);
    PQclear(rows);
    return outcome;
}

static enum outcome open_finish(const struct settings *settings, struct finish *finish,
                                struct error *err)
{
    finish->roles = pg_schema_roles(settings);
    return pg_session_open(settings->database_url, "", "drover-load", CONNECT_MS,
                           &finish->connection, err);
}

enum outcome pg_load_finish(const struct settings *settings, const struct mapping_set *mappings,
                            const struct pg_load_waiting *waiting, struct pg_load_report *report,
                            struct error *err)
{
    struct finish finish = {.settings = settings, .mappings = mappings, .waiting = waiting};
    PGresult *rows = NULL;
    *report = (struct pg_load_report){0};
    buf_init(&finish.text, TEXT_LIMIT);
    const struct bytes params[] = {bytes_text(settings->group)};
    enum outcome outcome = open_finish(settings, &finish, err);
    if (outcome == OUT_OK)
        outcome = ask(&finish,
                      "SELECT number, table_schema, table_name FROM drover.load"
                      " WHERE \"group\" = $1::text AND state <> 'done' ORDER BY number",
                      params, 1, &rows, err);
    for (int row = 0; outcome == OUT_OK && row < PQntuples(rows); row++)
        outcome = finish_row(&finish, rows, row, err);
    PQclear(rows);
    if (outcome == OUT_OK)
        outcome = read_report(&finish, report, err);
    PQfinish(finish.connection);
    buf_free(&finish.text);
    return outcome;
}

enum outcome pg_load_note_told(const struct settings *settings, const struct pg_load_report *report,
                               struct error *err)
{
    struct finish finish = {.settings = settings};
    enum outcome outcome = open_finish(settings, &finish, err);
    for (size_t i = 0; i < report->count && outcome == OUT_OK; i++)
        outcome = change(&finish, "UPDATE drover.load SET told = true WHERE number = $1::text::int",
                         &report->tables[i], err);
    PQfinish(finish.connection);
    return outcome;
}

void pg_load_free(struct pg_load_report *report)
{
    for (size_t i = 0; i < report->count; i++)
        free(report->tables[i].left);
    free(report->tables);
    *report = (struct pg_load_report){0};
}
