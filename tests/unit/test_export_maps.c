/* Dumps of maps → rows → dumps, 10,000 generated payloads. */
#include "tests/support/export_trip.h"
#include "tests/support/suite.h"

/* ---- maps */

static void put_record(struct random *random, struct buf *out, const char *id, const char *texts[],
                       const char *more)
{
    buf_append_format(out, "{\"id\":\"%s\"", id);
    for (size_t t = 0; texts[t]; t++)
        maybe_text(random, texts[t], out);
    buf_append_text(out, more);
    random_members(random, 2, ',', out);
    buf_append_char(out, '}');
}

/* A collection of `count` records under keys that are not their ids. */
static void put_collection(struct random *random, struct buf *out, const char *name,
                           const char *prefix, unsigned count, const char *texts[],
                           const char *const more[4])
{
    char id[64];
    buf_append_format(out, "%s\"%s\":{", out->size ? "," : "{", name);
    for (unsigned i = 0; i < count; i++) {
        snprintf(id, sizeof id, "%s%u:/\xc3\xa4", prefix, i);
        bool own = more == NULL; /* keyed by its own id */
        buf_append_format(out, "%s\"%s%s\":", i ? "," : "", own ? "" : "key ", id);
        char fixed[256];
        if (own)
            snprintf(fixed, sizeof fixed, ",\"projectId\":\"p%u:/\xc3\xa4\"", i);
        else
            snprintf(fixed, sizeof fixed, "%s", more[random_below(random, 4)]);
        put_record(random, out, id, texts, fixed);
    }
    buf_append_char(out, '}');
}

static void generate_maps(struct random *random, struct buf *out)
{
    static const char *PROJECT[] = {"userId", "name", "description", "status", NULL};
    static const char *MARKET[] = {"category", "description", NULL};
    static const char *SERVER[] = {"name", "url", "createdBy", NULL};
    static const char *MESSAGE[] = {"userId", "projectId", "role", "content", NULL};
    static const char *const PROJECT_MORE[4] = {
        "", ",\"published\":true,\"createdAt\":\"2024-01-02T03:04:05.000Z\"",
        ",\"published\":null,\"createdAt\":\"2024-01-02T03:04:05.1234567+01:00\"",
        ",\"createdAt\":null"};
    static const char *const SERVER_MORE[4] = {",\"status\":\"active\"", ",\"status\":\"off\"",
                                               ",\"status\":null", ",\"status\":\"\""};
    static const char *const MESSAGE_MORE[4] = {"", ",\"timestamp\":\"2024-01-02T03:04:05Z\"",
                                                ",\"createdAt\":null",
                                                ",\"createdAt\":\"2024-01-02T03:04:05.678Z\""};
    unsigned projects = 1 + random_below(random, 4);
    buf_reset(out);
    put_collection(random, out, "projects", "p", projects, PROJECT, PROJECT_MORE);
    if (random_below(random, 2))
        put_collection(random, out, "marketplaceProjects", "m", 1 + random_below(random, projects),
                       MARKET, NULL);
    if (random_below(random, 2))
        put_collection(random, out, "mcpServers", "s", 1 + random_below(random, 3), SERVER,
                       SERVER_MORE);
    if (random_below(random, 2))
        put_collection(random, out, "chatMessages", "c", 1 + random_below(random, 4), MESSAGE,
                       MESSAGE_MORE);
    buf_append_char(out, '}');
}

START_TEST(map_dumps_come_back)
{
    static const char *const NAMES[] = {"project", "mcp_server", "user_chat_message"};
    struct trip *trip = trip_new(EXPORT_MAP_DUMP);
    struct random random = {100 + _i};
    const int rounds = trip_rounds();
    struct buf payload;
    buf_init(&payload, 1u << 20);
    for (size_t i = 0; i < RANDOM_COUNT(NAMES); i++)
        load(trip, NAMES[i]);
    for (int i = 0; i < rounds; i++) {
        generate_maps(&random, &payload);
        read_payload(trip, COLLECT_MAP_DUMP, buf_view(&payload));
        compare_json(buf_view(&payload), export_files_write(&trip->files, "maps.json"));
        ck_assert_uint_eq(trip->files.writer.dropped, 0);
    }
    ck_assert_uint_gt(trip->records, rounds);
    buf_free(&payload);
    trip_free(trip);
}
END_TEST

static Suite *export_maps_suite(void)
{
    Suite *suite = suite_create("export_maps");
    TCase *tcase = tcase_create("export_maps");
    tcase_add_loop_test(tcase, map_dumps_come_back, 0, 10);
    suite_add_tcase(suite, tcase);
    return suite;
}

SUITE_MAIN(export_maps_suite)
