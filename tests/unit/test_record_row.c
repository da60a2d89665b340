#include "common/policy/apply/record_row.h"

#include <stdlib.h>

#include "tests/support/suite.h"

static const char STAMPED[] = "entity: thing\n"
                              "collect: { files: [\"*\"] }\n"
                              "table: thing\n"
                              "key: [id]\n"
                              "tenant: { from: /tenant }\n"
                              "columns:\n"
                              "  - { name: id, from: /id, type: text }\n"
                              "  - { name: secret, from: /secret, type: text, seal: true }\n"
                              "rest: extra\n";

static struct mapping *ITEM;
static struct mapping_set SET;
static struct mapping_work WORK;
static struct arena ARENA;

static void set_up(void)
{
    struct error err;
    ck_assert_msg(mapping_parse("m.yaml", bytes_text(STAMPED), &ITEM, &err) == OUT_OK, "%s (%s)",
                  err.text, err.where);
    SET = (struct mapping_set){&ITEM, 1};
    mapping_work_init(&WORK);
    arena_init(&ARENA, 1u << 20);
}

static void tear_down(void)
{
    arena_free(&ARENA);
    mapping_work_free(&WORK);
    mapping_free(ITEM);
}

static struct record record_of(const char *entity, const char *payload)
{
    return (struct record){.tenant = BYTES_LITERAL("t"),
                           .entity = bytes_text(entity),
                           .id = BYTES_LITERAL("a"),
                           .payload = bytes_text(payload),
                           .index = -1};
}

START_TEST(takes_its_place_in_the_log)
{
    struct row row;
    struct error err;
    const struct mapping *mapping;
    struct record record = record_of("thing", "{\"tenant\":\"t\",\"id\":\"a\"}");
    ck_assert_int_eq(record_to_row(&SET, &record, 77, &WORK, &ARENA, &mapping, &row, &err), OUT_OK);
    ck_assert_ptr_eq(mapping, ITEM);
    ck_assert_int_eq(row.version, 77);
    record.version = 5; /* as one brings it */
    record.has_version = true;
    ck_assert_int_eq(record_to_row(&SET, &record, 78, &WORK, &ARENA, &mapping, &row, &err), OUT_OK);
    ck_assert_int_eq(row.version, 5);
}
END_TEST

START_TEST(names_an_unknown_entity_and_the_nearest)
{
    struct row row;
    struct error err;
    const struct mapping *mapping = ITEM;
    struct record record = record_of("thnig", "{\"tenant\":\"t\",\"id\":\"a\"}");
    ck_assert_int_eq(record_to_row(&SET, &record, 1, &WORK, &ARENA, &mapping, &row, &err),
                     OUT_REJECT);
    ck_assert_int_eq(err.code, ERR_MAPPING_ENTITY);
    ck_assert_str_eq(err.hint, "did you mean \"thing\"?");
    ck_assert_ptr_null(mapping);
    ck_assert_int_eq(record_to_row(&SET, &record, 1, &WORK, &ARENA, &mapping, &row, NULL),
                     OUT_REJECT);
}
END_TEST

START_TEST(refuses_a_reference_whose_box_did_not_come)
{
    struct row row;
    struct error err;
    const struct mapping *mapping;
    struct record record =
        record_of("thing", "{\"tenant\":\"t\",\"id\":\"a\",\"secret\":{\"$sealed\":"
                           "\"sec_00000000000000000000000000000000\"}}");
    ck_assert_int_eq(record_to_row(&SET, &record, 1, &WORK, &ARENA, &mapping, &row, &err),
                     OUT_REJECT);
    ck_assert_int_eq(err.code, ERR_SECRET_PLAIN);
    ck_assert_ptr_eq(mapping, ITEM);
}
END_TEST

START_TEST(makes_the_key_of_what_is_known_by_its_id)
{
    struct row row, whole;
    struct error err;
    const struct mapping *mapping;
    struct record record = record_of("thing", "{\"tenant\":\"t\",\"id\":\"a\"}");
    ck_assert_int_eq(record_to_row(&SET, &record, 1, &WORK, &ARENA, &mapping, &whole, &err),
                     OUT_OK);
    ck_assert_int_eq(record_key_row(ITEM, BYTES_LITERAL("t"), whole.id, &WORK, &ARENA, &row, &err),
                     OUT_OK);
    ck_assert(row.deleted);
    struct cell a = row.cells[ITEM->key[0]], b = whole.cells[ITEM->key[0]];
    ck_assert(bytes_equal(bytes_of(a.data, (size_t)a.size), bytes_of(b.data, (size_t)b.size)));
}
END_TEST

static Suite *record_row_suite(void)
{
    Suite *made = suite_create("record_row");
    TCase *tcase = tcase_create("record_row");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, takes_its_place_in_the_log);
    tcase_add_test(tcase, names_an_unknown_entity_and_the_nearest);
    tcase_add_test(tcase, refuses_a_reference_whose_box_did_not_come);
    tcase_add_test(tcase, makes_the_key_of_what_is_known_by_its_id);
    suite_add_tcase(made, tcase);
    return made;
}

SUITE_MAIN(record_row_suite)
