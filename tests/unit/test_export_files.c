/* JSON files → rows → files, 10,000 generated payloads, lists and keyed ones. */
#include "tests/support/export_trip.h"
#include "tests/support/suite.h"

/* ---- files */

/* Each element of an array, or member of an object, is a record. */
static void read_file(struct trip *trip, struct bytes text)
{
    yyjson_doc *doc = parse(text);
    yyjson_val *root = yyjson_doc_get_root(doc);
    struct buf payload;
    size_t count = yyjson_get_len(root);
    yyjson_val *at = unsafe_yyjson_get_first(root);
    buf_init(&payload, 1u << 20);
    export_files_clear(&trip->files);
    for (size_t i = 0; i < count; i++) {
        yyjson_val *val = yyjson_is_obj(root) ? yyjson_obj_iter_get_val(at) : at;
        buf_reset(&payload);
        json_append(&payload, val);
        struct record record = {
            .tenant = BYTES_LITERAL("acme"),
            .entity = bytes_text(trip->mappings[0]->entity),
            .payload = buf_view(&payload),
            .source_key = yyjson_is_obj(root) ? text_of(at) : (struct bytes){0},
            .index = (int64_t)i,
        };
        arena_reset(&trip->arena);
        carry(trip, trip->mappings[0], &record);
        at = unsafe_yyjson_get_next(val);
    }
    buf_free(&payload);
    yyjson_doc_free(doc);
}

static void generate_progress(struct random *random, struct buf *out)
{
    static const char *TEXTS[] = {"created_by", "training_start", NULL};
    buf_reset(out);
    buf_append_char(out, '[');
    for (unsigned i = 0; i < 1 + random_below(random, 4); i++) {
        /* in the order of their names: a list keeps no other */
        buf_append_format(out, "%s{\"model_name\":\"m%u\",\"mse\":%u.%u", i ? "," : "", i,
                          random_below(random, 9), random_below(random, 100000));
        for (size_t t = 0; TEXTS[t]; t++)
            maybe_text(random, TEXTS[t], out);
        random_members(random, 2, ',', out);
        buf_append_char(out, '}');
    }
    buf_append_char(out, ']');
}

static void files_come_back(int seed, const char *mapping, const char *name,
                            void (*generate)(struct random *, struct buf *))
{
    struct trip *trip = trip_new(EXPORT_FILE);
    struct random random = {seed};
    const int rounds = trip_rounds();
    struct buf payload;
    buf_init(&payload, 1u << 20);
    load(trip, mapping);
    for (int i = 0; i < rounds; i++) {
        generate(&random, &payload);
        read_file(trip, buf_view(&payload));
        if (trip->files.count)
            compare_json(buf_view(&payload), export_files_write(&trip->files, name));
    }
    ck_assert_uint_gt(trip->records, rounds);
    buf_free(&payload);
    trip_free(trip);
}

static void generate_keyed(struct random *random, struct buf *out)
{
    buf_reset(out);
    random_members(random, 3, '{', out);
    buf_append_char(out, '}');
}

START_TEST(files_of_keyed_values_come_back)
{
    files_come_back(200 + _i, "key_value", "attribute_index.json", generate_keyed);
}
END_TEST

START_TEST(files_of_lists_come_back)
{
    files_come_back(300 + _i, "ai_progress", "training_metrics.json", generate_progress);
}
END_TEST

static Suite *export_files_suite(void)
{
    Suite *suite = suite_create("export_files");
    TCase *tcase = tcase_create("export_files");
    tcase_add_loop_test(tcase, files_of_keyed_values_come_back, 0, 5);
    tcase_add_loop_test(tcase, files_of_lists_come_back, 0, 5);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(export_files_suite)
