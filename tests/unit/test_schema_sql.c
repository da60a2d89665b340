/* The SQL made from a mapping: order, quoting, policies, and that nothing leaves its place. */
#include "common/model/schema/schema_sql.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

static const struct schema_roles ROLES = {"drover_worker", "drover_verifier"};

static const char CART[] =
    "entity: cart\n"
    "table: shop.cart\n"
    "key: [id, line]\n"
    "columns:\n"
    "  - { name: id, from: /id, type: text }\n"
    "  - { name: line, from: /line, type: int4 }\n"
    "  - { name: title, from: /title, type: 'varchar(20)', required: true }\n"
    "  - { name: made, generated: on_insert, type: timestamptz }\n"
    "rest: rest\n"
    "indexes:\n"
    "  - { name: cart_title, columns: [title] }\n"
    "  - { name: cart_once, columns: [title], unique: true }\n"
    "  - { name: cart_recent, columns: [isolation_key, 'made DESC'] }\n"
    "  - { name: cart_lower, columns: ['(lower(title::text))'] }\n";

static struct mapping *parse(const char *text)
{
    struct mapping *mapping = NULL;
    struct error err = {0};
    enum outcome outcome = mapping_parse("cart.yaml", bytes_text(text), &mapping, &err);
    ck_assert_msg(outcome == OUT_OK, "%s %s", err.text, err.where);
    return mapping;
}

static void expect(const struct buf *sql, const char *part)
{
    struct buf copy = *sql;
    ck_assert_msg(strstr(buf_text(&copy), part) != NULL, "no \"%s\" in\n%s", part, buf_text(&copy));
}

START_TEST(a_table_has_tenant_first_and_drover_last)
{
    struct mapping *mapping = parse(CART);
    struct buf sql;
    buf_init(&sql, 65536);
    schema_sql_table(&sql, mapping, "shop");
    expect(&sql,
           "CREATE TABLE \"shop\".\"cart\" (\n    isolation_key text COLLATE \"C\" NOT NULL,\n"
           "    \"id\" text COLLATE \"C\" NOT NULL,\n"
           "    \"line\" int4 NOT NULL,\n"
           "    \"title\" varchar(20),\n");
    expect(&sql, "    \"made\" timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,\n"
                 "    drover_version bigint NOT NULL,\n"
                 "    drover_generation integer NOT NULL DEFAULT 0,\n"
                 "    drover_digest bytea NOT NULL,\n"
                 "    drover_deleted boolean NOT NULL DEFAULT false,\n");
    expect(&sql, "CHECK (isolation_key <> '')");
    expect(&sql, "CHECK (drover_deleted OR (\"title\" IS NOT NULL))");
    expect(&sql, "PRIMARY KEY (isolation_key, \"id\", \"line\")");
    expect(&sql, "ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;\n");
    buf_free(&sql);
    mapping_free(mapping);
}
END_TEST

static const struct {
    size_t index;
    const char *sql;
} INDEXES[] = {
    {0, "CREATE INDEX \"cart_title\" ON \"shop\".\"cart\" (isolation_key, \"title\");\n"},
    {1, "CREATE UNIQUE INDEX \"cart_once\" ON \"shop\".\"cart\" (isolation_key, \"title\");\n"},
    {2, "CREATE INDEX \"cart_recent\" ON \"shop\".\"cart\" (\"isolation_key\", \"made\" DESC);\n"},
    {3,
     "CREATE INDEX \"cart_lower\" ON \"shop\".\"cart\" (isolation_key, (lower(title::text)));\n"},
};

START_TEST(an_index_begins_with_the_tenant)
{
    struct mapping *mapping = parse(CART);
    struct buf sql;
    buf_init(&sql, 65536);
    schema_index_sql(&sql, mapping, &mapping->indexes[INDEXES[_i].index], "shop");
    ck_assert_str_eq(buf_text(&sql), INDEXES[_i].sql);
    buf_free(&sql);
    mapping_free(mapping);
}
END_TEST

/* A unique index that names the tenant elsewhere would still tell one tenant of another's values.
 */
START_TEST(a_unique_index_has_the_tenant_in_front)
{
    const char *columns[] = {"title", "isolation_key"};
    struct mapping_index index = {"odd", columns, 2, true};
    struct mapping mapping = {.table = "cart"};
    struct buf sql;
    buf_init(&sql, 65536);
    schema_index_sql(&sql, &mapping, &index, "shop");
    ck_assert_str_eq(buf_text(&sql), "CREATE UNIQUE INDEX \"odd\" ON \"shop\".\"cart\" "
                                     "(isolation_key, \"title\", \"isolation_key\");\n");
    buf_free(&sql);
}
END_TEST

static const struct {
    const char *column;
    bool ok;
} COLUMNS[] = {
    {"title", true},
    {"title DESC", true},
    {"title ASC", true},
    {"(lower(title))", true},
    {"(lower(title)) DESC", true},
    {"((rest->>'a;b'))", true}, /* within quotes it is text */
    {"(rest ->> '(')", true},
    {"", false},
    {"Title", false},
    {"title desc", false},
    {"title DESC DESC", false},
    {"title); DROP TABLE x", false},
    {"\"title\"", false},
    {"(lower(title)", false},
    {"(a)) , (b)", false},
    {"(a) (b)", false},
    {"(a; b)", false},
    {"(a -- b)", false},
    {"(a /* b */)", false},
    {"($$a$$)", false},
    {"(E'\\'')", false},
    {"('a)", false},
    {"(a\n)", false},
};

START_TEST(an_index_column_stays_in_its_place)
{
    const char *columns[] = {COLUMNS[_i].column};
    struct mapping_index index = {"odd", columns, 1, false};
    struct mapping mapping = {
        .table = "cart", .file = "cart.yaml", .indexes = &index, .index_count = 1};
    struct error err = {0};
    enum outcome outcome = schema_index_check(&mapping, &err);
    ck_assert_msg((outcome == OUT_OK) == COLUMNS[_i].ok, "[%s]", COLUMNS[_i].column);
    if (outcome != OUT_OK)
        ck_assert_int_eq(err.code, ERR_MAPPING);
}
END_TEST

static const struct {
    const char *name, *identifier, *literal;
} NAMES[] = {
    {"plain", "\"plain\"", "'plain'"},
    {"a\"b", "\"a\"\"b\"", "'a\"b'"},
    {"o'b", "\"o'b\"", "'o''b'"},
    {"\\", "\"\\\"", "'\\'"},
};

START_TEST(names_are_quoted)
{
    struct buf sql;
    buf_init(&sql, 256);
    schema_sql_identifier(&sql, NAMES[_i].name);
    ck_assert_str_eq(buf_text(&sql), NAMES[_i].identifier);
    buf_reset(&sql);
    schema_sql_literal(&sql, NAMES[_i].name);
    ck_assert_str_eq(buf_text(&sql), NAMES[_i].literal);
    buf_free(&sql);
}
END_TEST

START_TEST(policies_bind_the_role_itself)
{
    static const char *const PARTS[POLICY_COUNT][2] = {
        {"FOR ALL TO PUBLIC", "AND NOT drover_deleted"},
        {"FOR ALL TO \"drover_worker\"", "current_user = 'drover_worker'"},
        {"FOR SELECT TO \"drover_verifier\"", "USING (current_user = 'drover_verifier')"},
    };
    struct mapping *mapping = parse(CART);
    struct buf sql;
    buf_init(&sql, 65536);
    schema_sql_policy(&sql, mapping, (enum schema_policy)_i, &ROLES, "shop");
    expect(&sql, PARTS[_i][0]);
    expect(&sql, PARTS[_i][1]);
    if (_i == POLICY_TENANT)
        expect(&sql, "WITH CHECK (isolation_key = nullif(current_setting('app.current_tenant_key', "
                     "true), ''));");
    if (_i == POLICY_WORKER)
        expect(&sql,
               "WITH CHECK ((isolation_key = nullif(current_setting('app.current_tenant_key', "
               "true), '')\n        OR isolation_key IN (SELECT unnest(string_to_array("
               "current_setting('drover.batch_tenants', true), ',')))) AND current_user = ");
    ck_assert((strstr(buf_text(&sql), "batch_tenants") != NULL) == (_i == POLICY_WORKER));
    buf_free(&sql);
    mapping_free(mapping);
}
END_TEST

START_TEST(a_script_is_complete_and_in_order)
{
    static const char *const ORDER[] = {
        "BEGIN;\n",
        "CREATE ROLE \"drover_worker\" NOLOGIN NOSUPERUSER NOBYPASSRLS NOINHERIT",
        "CREATE SCHEMA IF NOT EXISTS \"drover\"",
        "CREATE TABLE \"drover\".\"partition_progress\"",
        "CREATE OR REPLACE FUNCTION drover.\"fence\"",
        "CREATE SCHEMA IF NOT EXISTS \"shop\"",
        "CREATE TABLE \"shop\".\"cart\"",
        "CREATE POLICY drover_verifier",
        "GRANT SELECT, INSERT, UPDATE ON \"shop\".\"cart\" TO \"drover_worker\"",
        "COMMIT;\n",
    };
    struct mapping *mapping = parse(CART);
    struct buf sql;
    buf_init(&sql, 1 << 20);
    schema_sql_all(&sql, &mapping, 1, &ROLES);
    ck_assert(!sql.failed);
    const char *at = buf_text(&sql);
    for (size_t i = 0; i < sizeof(ORDER) / sizeof(ORDER[0]); i++) {
        const char *found = strstr(at, ORDER[i]);
        ck_assert_msg(found != NULL, "%s is missing or out of order", ORDER[i]);
        at = found;
    }
    buf_free(&sql);
    mapping_free(mapping);
}
END_TEST

/* Hostile role names come from settings, which no allow list holds. */
START_TEST(a_role_name_cannot_end_its_statement)
{
    struct buf sql;
    buf_init(&sql, 65536);
    schema_sql_role(&sql, "x\"; DROP ROLE y; --'");
    expect(&sql, "CREATE ROLE \"x\"\"; DROP ROLE y; --'\" NOLOGIN");
    expect(&sql, "rolname = 'x\"; DROP ROLE y; --''')");
    buf_free(&sql);
}
END_TEST

static Suite *schema_sql_suite(void)
{
    Suite *suite = suite_create("schema_sql");
    TCase *tcase = tcase_create("sql");
    tcase_add_test(tcase, a_table_has_tenant_first_and_drover_last);
    tcase_add_loop_test(tcase, an_index_begins_with_the_tenant, 0,
                        sizeof(INDEXES) / sizeof(INDEXES[0]));
    tcase_add_test(tcase, a_unique_index_has_the_tenant_in_front);
    tcase_add_loop_test(tcase, an_index_column_stays_in_its_place, 0,
                        sizeof(COLUMNS) / sizeof(COLUMNS[0]));
    tcase_add_loop_test(tcase, names_are_quoted, 0, sizeof(NAMES) / sizeof(NAMES[0]));
    tcase_add_loop_test(tcase, policies_bind_the_role_itself, 0, POLICY_COUNT);
    tcase_add_test(tcase, a_script_is_complete_and_in_order);
    tcase_add_test(tcase, a_role_name_cannot_end_its_statement);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(schema_sql_suite)
