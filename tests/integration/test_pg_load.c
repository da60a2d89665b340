/*
 * Bulk loads on a real server: which tables may be put aside for another one made like them, asked
 * when a load begins and again before the tables are swapped.
 */
#include "common/io/postgres/pg_load.h"

#include <signal.h>
#include <sys/wait.h>

#include "common/io/postgres/pg_session.h"
#include "tests/support/database.h"
#include "tests/support/suite.h"

static const char ITEM[] = "entity: item\n"
                           "table: shop.item\n"
                           "key: [id]\n"
                           "columns:\n"
                           "  - { name: id, from: /id, type: text }\n"
                           "  - { name: note, from: /note, type: text }\n"
                           "rest: rest\n"
                           "indexes:\n"
                           "  - { name: item_note, columns: [note] }\n";

static struct test_database database;
static char admin_url[1024];
static struct settings settings;
static struct mapping *mappings[1];
static const struct mapping_set SET = {mappings, 1};

static void create(void)
{
    const char *admin = getenv("DROVER_ADMIN_DATABASE_URL");
    database_create(&database, "load");
    ck_assert_msg(admin != NULL,
                  "DROVER_ADMIN_DATABASE_URL is not set: run the tests by ./dev test");
    snprintf(admin_url, sizeof admin_url, "%.*s/%s", (int)(strrchr(admin, '/') - admin), admin,
             database.name);
}

static void drop(void)
{
    database_drop(&database);
}

static void apply(const char *load, struct pg_schema *done)
{
    struct error err = {0};
    settings.load = load;
    enum outcome outcome = pg_schema_apply(&settings, &SET, false, done, &err);
    ck_assert_msg(outcome == OUT_OK, "%s %s %s %s", err.text, err.cause, err.where, err.hint);
}

static void apply_plain(void)
{
    struct pg_schema done;
    apply("upsert", &done);
    pg_schema_free(&done);
}

static void set_up(void)
{
    struct error err = {0};
    database_run(admin_url,
                 "DO $$ DECLARE p text; BEGIN FOR p IN SELECT pubname FROM pg_publication LOOP"
                 "  EXECUTE format('DROP PUBLICATION %I', p); END LOOP; END $$;"
                 "DROP SCHEMA IF EXISTS shop, other, drover, drover_load CASCADE;"
                 "CREATE SCHEMA other; GRANT ALL ON SCHEMA other TO PUBLIC");
    settings = (struct settings){.database_url = database.url,
                                 .group = "g",
                                 .worker_role = "drover_worker",
                                 .verifier_role = "drover_verifier"};
    ck_assert_msg(mapping_parse("item.yaml", bytes_text(ITEM), &mappings[0], &err) == OUT_OK, "%s",
                  err.text);
    apply_plain();
}

static void tear_down(void)
{
    mapping_free(mappings[0]);
}

/* Begins a load; the line that says which way the table is written. */
static const char *begin(void)
{
    static char notes[512];
    struct pg_schema done;
    apply("bulk", &done);
    snprintf(notes, sizeof notes, "%s", buf_text(&done.notes));
    pg_schema_free(&done);
    return notes;
}

static void say_waiting(void *unused, const struct error *err)
{
    (void)unused;
    fprintf(stderr, "%s\n", err->text);
    fflush(stderr); /* its process ends without more */
}

static enum outcome finish(struct error *err)
{
    static const struct pg_load_waiting WAITING = {say_waiting, NULL};
    struct pg_load_report report;
    enum outcome outcome = pg_load_finish(&settings, &SET, &WAITING, &report, err);
    pg_load_free(&report);
    return outcome;
}

static const char *ask(const char *url, const char *sql)
{
    static char answer[256];
    PGconn *connection = PQconnectdb(url);
    PGresult *result = PQexec(connection, sql);
    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s", PQerrorMessage(connection));
    snprintf(answer, sizeof answer, "%s", PQgetvalue(result, 0, 0));
    PQclear(result);
    PQfinish(connection);
    return answer;
}

/* ---- what the other table would not have ---- */

static const struct {
    const char *sql, *undo, *names;
    bool by_admin;
    int oldest; /* server version that knows it */
} REASONS[] = {
    {"CREATE VIEW other.seen AS SELECT id FROM shop.item", "DROP VIEW other.seen",
     "view other.seen depends on it", false, 0},
    {"CREATE MATERIALIZED VIEW other.kept AS SELECT id FROM shop.item",
     "DROP MATERIALIZED VIEW other.kept", "materialized view other.kept depends on it", false, 0},
    {"CREATE FUNCTION other.count_items() RETURNS bigint LANGUAGE sql"
     " BEGIN ATOMIC SELECT count(*) FROM shop.item; END",
     "DROP FUNCTION other.count_items()", "function other.count_items() depends on it", false, 0},
    {"CREATE FUNCTION other.all_items() RETURNS SETOF shop.item LANGUAGE sql AS"
     " 'SELECT * FROM shop.item'",
     "DROP FUNCTION other.all_items()", "function other.all_items() depends on it", false, 0},
    {"CREATE TABLE other.holder (items shop.item[])", "DROP TABLE other.holder",
     "table other.holder depends on it", false, 0},
    {"CREATE TABLE other.looker (id text); CREATE POLICY looks ON other.looker USING"
     " (EXISTS (SELECT FROM shop.item AS i WHERE i.id = looker.id))",
     "DROP TABLE other.looker", "other objects depend on it", false, 0},
    {"CREATE PUBLICATION of_it FOR TABLE shop.item", "DROP PUBLICATION of_it", "it is published",
     false, 0},
    {"CREATE PUBLICATION of_all FOR ALL TABLES", "DROP PUBLICATION of_all", "it is published", true,
     0},
    {"CREATE PUBLICATION of_schema FOR TABLES IN SCHEMA shop", "DROP PUBLICATION of_schema",
     "it is published", true, 150000},
    {"ALTER TABLE shop.item ADD COLUMN place serial", "ALTER TABLE shop.item DROP COLUMN place",
     "it has a serial or identity column", false, 0},
    {"ALTER TABLE shop.item ADD COLUMN place int GENERATED ALWAYS AS IDENTITY",
     "ALTER TABLE shop.item DROP COLUMN place", "it has a serial or identity column", false, 0},
    {"CREATE STATISTICS shop.both ON id, note FROM shop.item", "DROP STATISTICS shop.both",
     "it has statistics of its own", false, 0},
    {"ALTER TABLE shop.item ALTER COLUMN note SET STATISTICS 1000",
     "ALTER TABLE shop.item ALTER COLUMN note SET STATISTICS -1", "it has statistics of its own",
     false, 0},
    {"ALTER TABLE shop.item ALTER COLUMN note SET (n_distinct = 5)",
     "ALTER TABLE shop.item ALTER COLUMN note RESET (n_distinct)", "it has statistics of its own",
     false, 0},
    {"ALTER TABLE shop.item SET (toast.autovacuum_enabled = false)",
     "ALTER TABLE shop.item RESET (toast.autovacuum_enabled)", "it has storage options of its own",
     false, 0},
    {"CLUSTER shop.item USING item_note", "ALTER TABLE shop.item SET WITHOUT CLUSTER",
     "it has storage options of its own", false, 0},
    {"ALTER INDEX shop.item_note SET (fillfactor = 50)",
     "ALTER INDEX shop.item_note RESET (fillfactor)", "it has storage options of its own", false,
     0},
    {"COMMENT ON TABLE shop.item IS 'w'", "COMMENT ON TABLE shop.item IS NULL",
     "it has comments of its own", false, 0},
    {"COMMENT ON INDEX shop.item_note IS 'w'", "COMMENT ON INDEX shop.item_note IS NULL",
     "it has comments of its own", false, 0},
    {"COMMENT ON CONSTRAINT item_pkey ON shop.item IS 'w'",
     "COMMENT ON CONSTRAINT item_pkey ON shop.item IS NULL", "it has comments of its own", false,
     0},
    {"CREATE RULE nothing AS ON DELETE TO shop.item DO INSTEAD NOTHING",
     "DROP RULE nothing ON shop.item", "it has rules", false, 0},
    {"ALTER TABLE shop.item ADD CONSTRAINT one UNIQUE (note)",
     "ALTER TABLE shop.item DROP CONSTRAINT one", "it has constraints of its own", false, 0},
    {"GRANT SELECT (id) ON shop.item TO drover_worker",
     "REVOKE SELECT (id) ON shop.item FROM drover_worker", "rights are given on its columns", false,
     0},
};

enum { REASON_COUNT = sizeof(REASONS) / sizeof(REASONS[0]) };

static bool knows(int at)
{
    PGconn *connection = PQconnectdb(database.url);
    bool known = PQserverVersion(connection) >= REASONS[at].oldest;
    PQfinish(connection);
    return known;
}

/* When a load begins; and at its end, as nothing keeps others from doing it while rows are
 * appended. */
START_TEST(what_the_copy_would_not_have_is_a_reason)
{
    struct error err = {0};
    char wanted[256];
    if (!knows(_i))
        return;
    const char *url = REASONS[_i].by_admin ? admin_url : database.url;
    snprintf(wanted, sizeof wanted, "shop.item: upsert, because %s\n", REASONS[_i].names);
    database_run(url, REASONS[_i].sql);
    ck_assert_str_eq(begin(), wanted);
    ck_assert_str_eq(ask(admin_url, "SELECT count(*) FROM drover.load"), "0");
    database_run(url, REASONS[_i].undo);
    ck_assert_str_eq(begin(), "shop.item: bulk\n");
    database_run(url, REASONS[_i].sql);
    ck_assert_int_eq(finish(&err), OUT_FATAL);
    ck_assert_int_eq(err.code, ERR_PG_SCHEMA);
    ck_assert_msg(strstr(err.text, REASONS[_i].names) != NULL, "%s", err.text);
    ck_assert_str_eq(ask(admin_url, "SELECT state FROM drover.load"), "finalising");
    database_run(url, REASONS[_i].undo);
    ck_assert_msg(finish(&err) == OUT_OK, "%s %s", err.text, err.cause);
    ck_assert_str_eq(ask(admin_url, "SELECT state FROM drover.load"), "done");
}
END_TEST

static const struct {
    const char *sql, *names;
} CHANGES[] = {
    {"ALTER TABLE shop.item ADD COLUMN more text", "its column more was changed"},
    {"ALTER TABLE shop.item ALTER COLUMN note SET DEFAULT 'x'", "its column note was changed"},
    {"ALTER TABLE shop.item ALTER COLUMN note SET NOT NULL", "its column note was changed"},
    {"COMMENT ON COLUMN shop.item.note IS 'w'", "its column note was changed"},
    {"ALTER TABLE shop.item ALTER COLUMN note SET STORAGE EXTERNAL", "its column note was changed"},
    {"ALTER TABLE shop.item ADD CONSTRAINT small CHECK (length(note) < 9)",
     "its check small was changed"},
    {"ALTER TABLE shop.item DROP CONSTRAINT drover_tenant_given",
     "its check drover_tenant_given was changed"},
};

START_TEST(a_change_while_it_is_loaded_is_not_lost)
{
    struct error err = {0};
    ck_assert_str_eq(begin(), "shop.item: bulk\n");
    database_run(database.url, CHANGES[_i].sql);
    ck_assert_int_eq(finish(&err), OUT_FATAL);
    ck_assert_msg(strstr(err.text, CHANGES[_i].names) != NULL, "%s", err.text);
}
END_TEST

/* What a column has before is carried over. */
START_TEST(what_the_copy_has_is_no_reason)
{
    struct error err = {0};
    database_run(database.url,
                 "ALTER TABLE shop.item ADD COLUMN more text DEFAULT 'x' NOT NULL;"
                 "ALTER TABLE shop.item ALTER COLUMN note SET STORAGE EXTERNAL;"
                 "COMMENT ON COLUMN shop.item.note IS 'w';"
                 "ALTER TABLE shop.item ADD CONSTRAINT small CHECK (length(note) < 9);"
                 "GRANT SELECT ON shop.item TO PUBLIC");
    ck_assert_str_eq(begin(), "shop.item: bulk\n");
    ck_assert_msg(finish(&err) == OUT_OK, "%s %s", err.text, err.cause);
    ck_assert_str_eq(ask(admin_url,
                         "SELECT col_description(a.attrelid, a.attnum) || a.attstorage::text"
                         " FROM pg_attribute AS a WHERE a.attname = 'note' AND"
                         " a.attrelid = 'shop.item'::regclass"),
                     "we");
    ck_assert_str_eq(ask(admin_url, "SELECT relacl::text LIKE '%{=r/%' OR relacl::text LIKE"
                                    " '%,=r/%' FROM pg_class WHERE oid = 'shop.item'::regclass"),
                     "t");
}
END_TEST

/* PostgreSQL 18 keeps a constraint for each NOT NULL: as it would be there, made by hand. */
START_TEST(a_constraint_for_not_null_is_no_reason)
{
    database_run(admin_url, "CREATE TEMP TABLE made AS SELECT * FROM pg_constraint WHERE conname ="
                            " 'item_pkey' AND conrelid = 'shop.item'::regclass;"
                            "UPDATE made SET oid = 4000000000, contype = 'n', conname ="
                            " 'item_id_not_null', conindid = 0, conkey = '{2}';"
                            "SET allow_system_table_mods = on;"
                            "INSERT INTO pg_constraint SELECT * FROM made");
    ck_assert_str_eq(begin(), "shop.item: bulk\n");
    database_run(admin_url, "SET allow_system_table_mods = on;"
                            "DELETE FROM pg_constraint WHERE oid = 4000000000");
}
END_TEST

/* ---- writers */

/* A writer that was there first is waited for, and what it wrote is seen. */
START_TEST(no_writer_comes_in_between)
{
    PGconn *writer = PQconnectdb(admin_url);
    PQclear(PQexec(writer, "BEGIN; LOCK TABLE shop.item IN ROW EXCLUSIVE MODE"));
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(strcmp(begin(), "shop.item: upsert, because it is not empty (deleted rows count "
                              "until VACUUM or TRUNCATE)\n") != 0);
    while (strcmp(ask(admin_url, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation ="
                                 " 'shop.item'::regclass"),
                  "0") == 0)
        usleep(20000);
    PGresult *result = PQexec(writer, "INSERT INTO shop.item (isolation_key, id, drover_version,"
                                      " drover_digest) VALUES ('a', '1', 1, ''); COMMIT");
    ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK, "%s", PQerrorMessage(writer));
    PQclear(result);
    PQfinish(writer);
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
                  "the table is loaded in bulk, with a row in it");
    ck_assert_str_eq(ask(admin_url, "SELECT count(*) FROM drover.load"), "0");
}
END_TEST

/* ---- the end ---- */

static bool wait_for(const char *sql, const char *answer, int tries)
{
    for (; tries > 0 && strcmp(ask(admin_url, sql), answer) != 0; tries--)
        usleep(50000);
    return tries > 0;
}

/* A finish as a process of its own, which says on `log` what it does. */
static pid_t finish_beside(const char *log)
{
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0) {
        struct error err = {0};
        if (!freopen(log, "w", stderr))
            _exit(2);
        _exit(finish(&err) != OUT_OK);
    }
    return child;
}

static bool ends_well(pid_t child)
{
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Of this database: others load in bulk beside this test. */
#define FINISHES                                                                                   \
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"                     \
    " AND application_name = 'drover-load'"

/* Somebody reads for long: the finish waits, with its indexes, and does not keep others out. */
START_TEST(a_long_reader_is_waited_for_and_named)
{
    char log[64], line[400] = "", wanted[64], all[4000] = "";
    snprintf(log, sizeof log, "/tmp/pg_load_%ld.log", (long)getpid());
    ck_assert_str_eq(begin(), "shop.item: bulk\n");
    PGconn *reader = PQconnectdb(database.url);
    PQclear(PQexec(reader, "BEGIN; SELECT count(*) FROM shop.item"));
    snprintf(wanted, sizeof wanted, "held by pid %d (user drover, idle in transaction for",
             PQbackendPID(reader));
    pid_t child = finish_beside(log);
    ck_assert(wait_for(FINISHES " AND query LIKE '%LOCK TABLE%'", "1", 1200));
    ck_assert_str_eq(ask(admin_url, "SET lock_timeout = '5s'; SELECT count(*) FROM shop.item"),
                     "0");
    ck_assert(wait_for(FINISHES " AND query LIKE '%pg_sleep%'", "1", 1200));
    PQclear(PQexec(reader, "COMMIT"));
    PQfinish(reader);
    ck_assert(ends_well(child));
    ck_assert_str_eq(ask(admin_url, "SELECT state FROM drover.load"), "done");
    FILE *file = fopen(log, "r");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file))
        snprintf(all + strlen(all), sizeof all - strlen(all), "%s", line);
    fclose(file);
    unlink(log);
    ck_assert_msg(strstr(all, wanted) != NULL, "%s not in: %s", wanted, all);
}
END_TEST

/* Its server does not go on for the hours that an index may take. */
START_TEST(a_finish_that_is_killed_ends_on_the_server)
{
    struct error err = {0};
    struct mapping_index *index = mappings[0]->indexes;
    const char *const *plain = index->columns, *const slow[] = {"(other.slow(note))"};
    database_run(admin_url, "CREATE FUNCTION other.slow(text) RETURNS text IMMUTABLE LANGUAGE"
                            " plpgsql AS 'BEGIN PERFORM pg_sleep(0.1); RETURN $1; END'");
    ck_assert_str_eq(begin(), "shop.item: bulk\n");
    database_run(admin_url, "INSERT INTO drover_load.load_1 (isolation_key, id, drover_version,"
                            " drover_digest, drover_load_partition, drover_load_offset) SELECT 'a',"
                            " i::text, 1, '', 0, i FROM generate_series(1, 600) AS i;"
                            "INSERT INTO drover.load_appended VALUES (1, 't', 0, 600)");
    index->columns = slow;
    pid_t child = finish_beside("/dev/null");
    ck_assert(wait_for(FINISHES " AND query LIKE 'CREATE INDEX%'", "1", 1200));
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    bool ended = wait_for(FINISHES, "0", 200);
    index->columns = plain;
    ck_assert_msg(ended, "the index is still being built");
    ck_assert_msg(finish(&err) == OUT_OK, "%s %s", err.text, err.cause);
    ck_assert_str_eq(ask(admin_url, "SELECT rows FROM drover.load"), "600");
}
END_TEST

/* Rows that were appended and are not there, or the other way round: nobody gets such a table. Two
 * partitions; of a key's three versions one row stays. */
START_TEST(a_load_table_that_does_not_hold_what_was_appended_is_refused)
{
    static const struct {
        const char *sql, *undo, *says;
    } ALTERED[] = {
        {"DELETE FROM drover_load.load_1 WHERE id = '17'",
         "INSERT INTO drover_load.load_1 (isolation_key, id, drover_version, drover_digest,"
         " drover_load_partition, drover_load_offset) VALUES ('a', '17', 1, '', 1, 17)",
         "of partition 1 49 rows are in the load table, and 50 were appended"},
        {"INSERT INTO drover_load.load_1 (isolation_key, id, drover_version, drover_digest,"
         " drover_load_partition, drover_load_offset) VALUES ('a', 'x', 1, '', 2, 1)",
         "DELETE FROM drover_load.load_1 WHERE id = 'x'",
         "of partition 2 1 rows are in the load table, and 0 were appended"},
        {"INSERT INTO drover_load.load_1 SELECT * FROM drover_load.load_1 WHERE id = '20'",
         "DELETE FROM drover_load.load_1 WHERE ctid IN (SELECT max(ctid) FROM drover_load.load_1"
         " WHERE id = '20')",
         "of partition 0 53 rows are in the load table, and 52 were appended"},
        {"DELETE FROM drover.load_appended WHERE partition = 1",
         "INSERT INTO drover.load_appended VALUES (1, 't', 1, 50)",
         "of partition 1 50 rows are in the load table, and 0 were appended"},
    };
    ck_assert_str_eq(begin(), "shop.item: bulk\n");
    database_run(admin_url,
                 "INSERT INTO drover_load.load_1 (isolation_key, id, drover_version,"
                 " drover_digest, drover_load_partition, drover_load_offset) SELECT 'a',"
                 " i::text, 1, ''::bytea, i % 2, i FROM generate_series(1, 100) AS i UNION ALL"
                 " SELECT 'a', '2', i, ''::bytea, 0, 1000 + i FROM generate_series(2, 3) AS i;"
                 "INSERT INTO drover.load_appended VALUES (1, 't', 0, 52),"
                 " (1, 't', 1, 50)");
    for (size_t i = 0; i < sizeof ALTERED / sizeof ALTERED[0]; i++) {
        struct error err = {0};
        database_run(admin_url, ALTERED[i].sql);
        ck_assert_int_eq(finish(&err), OUT_FATAL);
        ck_assert_msg(err.code == ERR_PG_LOAD_COUNTS, "%s %s", err.text, err.cause);
        ck_assert_msg(strstr(err.text, ALTERED[i].says) != NULL, "%s", err.text);
        ck_assert_str_eq(err.where, "shop.item");
        ck_assert_str_eq(ask(admin_url, "SELECT count(*) FROM shop.item"), "0");
        database_run(admin_url, ALTERED[i].undo);
    }
    struct error err = {0};
    ck_assert_msg(finish(&err) == OUT_OK, "%s %s", err.text, err.cause);
    ck_assert_str_eq(ask(admin_url, "SELECT rows FROM drover.load"), "100");
    ck_assert_str_eq(ask(admin_url, "SELECT count(*) FROM drover.load_appended"), "0");
}
END_TEST

/* Of the mapping's, which no row brings along; it cannot change before the load is finished. */
START_TEST(what_is_loaded_is_of_one_generation)
{
    static const char OTHER[] = "entity: item\ntable: shop.item\nkey: [id]\nrest: rest\ncolumns:\n"
                                "  - { name: id, from: /id, type: text }\n"
                                "  - { name: note, from: /remark, type: text }\n"
                                "indexes:\n  - { name: item_note, columns: [note] }\n";
    struct error err = {0};
    struct pg_schema done;
    mapping_free(mappings[0]);
    ck_assert_int_eq(mapping_parse("item.yaml", bytes_text(OTHER), &mappings[0], &err), OUT_OK);
    ck_assert_str_eq(begin(), "shop.item: bulk\n");
    ck_assert_int_eq(mappings[0]->generation, 1);
    database_run(admin_url, "INSERT INTO drover_load.load_1 (isolation_key, id, drover_version,"
                            " drover_digest, drover_load_partition, drover_load_offset)"
                            " VALUES ('a', '1', 1, '', 0, 0);"
                            "INSERT INTO drover.load_appended VALUES (1, 't', 0, 1)");
    struct mapping *newer = mappings[0];
    ck_assert_int_eq(mapping_parse("item.yaml", bytes_text(ITEM), &mappings[0], &err), OUT_OK);
    settings.load = "upsert";
    ck_assert_int_eq(pg_schema_apply(&settings, &SET, false, &done, &err), OUT_FATAL);
    pg_schema_free(&done);
    ck_assert_int_eq(err.code, ERR_PG_LOADING);
    mapping_free(mappings[0]);
    mappings[0] = newer;
    ck_assert_msg(finish(&err) == OUT_OK, "%s %s", err.text, err.cause);
    ck_assert_str_eq(ask(admin_url, "SELECT drover_generation FROM shop.item"), "1");
    database_run(admin_url, "INSERT INTO shop.item (isolation_key, id, drover_version,"
                            " drover_digest) VALUES ('a', '2', 1, '')");
    ck_assert_str_eq(ask(admin_url, "SELECT drover_generation FROM shop.item WHERE id = '2'"), "0");
}
END_TEST

/* Of the tables that the apply makes. */
START_TEST(auto_loads_what_is_made)
{
    struct pg_schema done;
    apply("auto", &done);
    ck_assert_str_eq(buf_text(&done.notes),
                     "shop.item: upsert, because it was there before (load: auto)\n");
    pg_schema_free(&done);
    database_run(database.url, "DROP TABLE shop.item");
    apply("auto", &done);
    ck_assert_str_eq(buf_text(&done.notes), "shop.item: bulk\n");
    pg_schema_free(&done);
}
END_TEST

static Suite *pg_load_suite(void)
{
    Suite *suite = suite_create("pg_load");
    TCase *tcase = tcase_create("load");
    tcase_set_timeout(tcase, 30);
    tcase_add_unchecked_fixture(tcase, create, drop);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_loop_test(tcase, what_the_copy_would_not_have_is_a_reason, 0, REASON_COUNT);
    tcase_add_loop_test(tcase, a_change_while_it_is_loaded_is_not_lost, 0,
                        sizeof(CHANGES) / sizeof(CHANGES[0]));
    tcase_add_test(tcase, what_the_copy_has_is_no_reason);
    tcase_add_test(tcase, a_constraint_for_not_null_is_no_reason);
    tcase_add_test(tcase, no_writer_comes_in_between);
    tcase_add_test(tcase, a_long_reader_is_waited_for_and_named);
    tcase_add_test(tcase, a_finish_that_is_killed_ends_on_the_server);
    tcase_add_test(tcase, auto_loads_what_is_made);
    tcase_add_test(tcase, what_is_loaded_is_of_one_generation);
    suite_add_tcase(suite, tcase);
    TCase *counts = tcase_create("counts");
    tcase_set_timeout(counts, 30);
    tcase_add_unchecked_fixture(counts, create, drop);
    tcase_add_checked_fixture(counts, set_up, tear_down);
    tcase_add_test(counts, a_load_table_that_does_not_hold_what_was_appended_is_refused);
    suite_add_tcase(suite, counts);
    return suite;
}

SUITE_MAIN(pg_load_suite)
