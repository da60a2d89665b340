/*
 * Fault row J02: whatever the mapping accepts, PostgreSQL stores. Every case of JSONTestSuite as a
 * jsonb cell in its binary form, and back; an error of PostgreSQL would be a dead letter too late.
 */

#include "common/io/postgres/pg_session.h"
#include "common/model/json/canonical.h"
#include "common/model/mapping/mapping.h"
#include "tests/support/database.h"
#include "tests/support/json_cases.h"
#include "tests/support/suite.h"

#define WHOLE                                                                                      \
    "entity: w\ntable: w\nkey: [id]\n"                                                             \
    "columns:\n  - { name: id, from: $key, type: text }\n"                                         \
    "  - { name: whole, from: $value, type: jsonb }\n"                                             \
    "on_invalid_unicode: "

static PGconn *connection;

/* What PostgreSQL gives back for the cell, as the inverse reads it, is what was sent. */
static void check_stored(const struct mapping *mapping, struct row *row, struct mapping_work *work,
                         const char *name)
{
    struct error err = {0};
    PGresult *result = NULL;
    yyjson_doc *before = NULL, *after = NULL;
    struct digest sent, got;
    struct bytes param = bytes_of(row->cells[1].data, (size_t)row->cells[1].size);
    ck_assert_int_eq(mapping_inverse(mapping, row, work, &before, &err), OUT_OK);
    ck_assert_msg(
        pg_session_query(connection, "SELECT $1::jsonb", &param, 1, true, &result, &err) == OUT_OK,
        "%s: %s %s", name, err.text, err.cause);
    row->cells[1] = (struct cell){PQgetvalue(result, 0, 0), PQgetlength(result, 0, 0)};
    ck_assert_int_eq(mapping_inverse(mapping, row, work, &after, &err), OUT_OK);
    ck_assert(canonical_digest(yyjson_doc_get_root(before), &work->scratch, &sent));
    ck_assert(canonical_digest(yyjson_doc_get_root(after), &work->scratch, &got));
    ck_assert_msg(digest_equal(&sent, &got), "%s changed in PostgreSQL", name);
    yyjson_doc_free(before);
    yyjson_doc_free(after);
    PQclear(result);
}

static size_t store_all(const char *unicode)
{
    static struct json_cases cases;
    char yaml[512];
    struct error err = {0};
    struct mapping *mapping = NULL;
    size_t stored = 0;
    json_cases_load(&cases);
    snprintf(yaml, sizeof(yaml), "%s%s\n", WHOLE, unicode);
    ck_assert_int_eq(mapping_parse("m.yaml", bytes_text(yaml), &mapping, &err), OUT_OK);
    for (size_t i = 0; i < cases.count; i++) {
        struct arena arena;
        struct mapping_work work;
        struct row row;
        struct record record = {.tenant = BYTES_LITERAL("t"),
                                .version = 1,
                                .has_version = true,
                                .index = -1,
                                .source_key = BYTES_LITERAL("k"),
                                .payload = buf_view(&cases.items[i].text)};
        arena_init(&arena, 1u << 22);
        mapping_work_init(&work);
        if (mapping_forward(mapping, &record, &work, &arena, &row, &err) == OUT_OK) {
            check_stored(mapping, &row, &work, cases.items[i].name);
            stored++;
        }
        mapping_work_free(&work);
        arena_free(&arena);
    }
    mapping_free(mapping);
    json_cases_free(&cases);
    return stored;
}

START_TEST(what_is_accepted_is_stored)
{
    struct error err = {0};
    ck_assert_int_eq(pg_session_open(database_server(), "", "drover-test", 5000, &connection, &err),
                     OUT_OK);
    ck_assert_uint_eq(store_all("reject"), 91 + 3);
    ck_assert_uint_eq(store_all("replace"), 94 + 22);
    PQfinish(connection);
}
END_TEST

static Suite *json_suite_suite(void)
{
    Suite *suite = suite_create("json_suite");
    TCase *tcase = tcase_create("json_suite");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, what_is_accepted_is_stored);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(json_suite_suite)
