#ifndef DROVER_TESTS_EXPORT_TRIP_H
#define DROVER_TESTS_EXPORT_TRIP_H

/* A record's whole trip without servers: source → collect → guard → mapping → inverse → export.
 * With the mappings that are shipped; every secret must be opened again. */

#include <string.h>

#include "common/model/json/canonical.h"
#include "common/model/json/json.h"
#include "common/model/message/tenant.h"
#include "common/policy/collect/collect.h"
#include "common/policy/export/export_secrets.h"
#include "common/policy/secrets/secret_guard.h"
#include "tests/support/export_files.h"
#include "tests/support/random_json.h"

enum {
    MAPPINGS_MAX = 16,
    BOXES_MAX = 64,
};

struct trip {
    struct mapping *mappings[MAPPINGS_MAX];
    size_t mapping_count;
    struct secret_ring ring;
    struct secret_guard guard;
    struct export_secrets secrets;
    struct sealed_box boxes[BOXES_MAX];
    size_t box_count;
    struct mapping_work work;
    struct arena arena;
    struct buf json, tenant;
    struct export_maker maker;
    struct export_files files;
    uint64_t records, opened;
};

static inline void load(struct trip *trip, const char *name)
{
    char path[512], text[16384];
    struct error err;
    const char *root = getenv("DROVER_SOURCE_DIR");
    snprintf(path, sizeof path, "%s/schemas/mappings/%s.yaml", root ? root : ".", name);
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s", path);
    size_t size = fread(text, 1, sizeof text, file);
    fclose(file);
    ck_assert_msg(mapping_parse(path, bytes_of(text, size), &trip->mappings[trip->mapping_count++],
                                &err) == OUT_OK,
                  "%s: %s", path, err.text);
}

static inline bool find_box(void *owner, struct bytes tenant, struct bytes reference,
                            struct buf *box)
{
    struct trip *trip = owner;
    (void)tenant;
    for (size_t i = 0; i < trip->box_count; i++) {
        if (!bytes_equal(trip->boxes[i].reference, reference))
            continue;
        buf_append_bytes(box, trip->boxes[i].box);
        return true;
    }
    return false;
}

static inline void count_secret(void *owner, enum export_secret what, struct bytes pointer)
{
    struct trip *trip = owner;
    (void)pointer;
    ck_assert_int_eq(what, EXPORT_OPENED);
    trip->opened++;
}

static inline struct trip *trip_new(enum export_form form)
{
    struct trip *trip = calloc(1, sizeof *trip);
    ck_assert_ptr_nonnull(trip);
    secret_ring_generate(&trip->ring);
    secret_guard_init(&trip->guard, &trip->ring, false);
    export_secrets_init(&trip->secrets, &trip->ring);
    trip->secrets.find_box = find_box;
    trip->secrets.tell = count_secret;
    trip->secrets.owner = trip;
    mapping_work_init(&trip->work);
    arena_init(&trip->arena, 64u << 20);
    buf_init(&trip->json, 64u << 20);
    buf_init(&trip->tenant, 4096);
    export_files_init(&trip->files);
    export_maker_init(&trip->maker, form, BYTES_LITERAL("acme"), export_files_take, &trip->files);
    return trip;
}

static inline void trip_free(struct trip *trip)
{
    for (size_t i = 0; i < trip->mapping_count; i++)
        mapping_free(trip->mappings[i]);
    secret_guard_free(&trip->guard);
    export_secrets_free(&trip->secrets);
    mapping_work_free(&trip->work);
    arena_free(&trip->arena);
    buf_free(&trip->json);
    buf_free(&trip->tenant);
    export_maker_free(&trip->maker);
    export_files_free(&trip->files);
    free(trip);
}

static inline void keep_boxes(struct trip *trip, struct bytes sealed)
{
    struct sealed_box box;
    size_t at = 0;
    bool bad = false;
    struct bytes kept = sealed.size ? arena_copy(&trip->arena, sealed) : sealed;
    while (secret_sealed_next(kept, &at, &box, &bad)) {
        ck_assert_uint_lt(trip->box_count, BOXES_MAX);
        trip->boxes[trip->box_count++] = box;
    }
    ck_assert(!bad);
}

/* Through the producer's guard, the row, and back. */
static inline void carry(struct trip *trip, const struct mapping *mapping, struct record *record)
{
    struct error err = {0};
    struct guarded guarded;
    struct row row;
    yyjson_doc *doc = NULL, *opened = NULL;
    bool has_version;
    struct buf id;
    buf_init(&id, 65536);
    ck_assert_msg(mapping_identify(mapping, record, &trip->work, NULL, &id, &record->version,
                                   &has_version, &err) == OUT_OK,
                  "%s %s", err.text, err.path);
    record->id = arena_copy(&trip->arena, buf_view(&id));
    buf_free(&id);
    ck_assert_msg(secret_guard_apply(&trip->guard, mapping, record, &guarded, &err) == OUT_OK,
                  "%s %s", err.text, err.path);
    record->payload = guarded.payload;
    record->version = 1;
    record->has_version = true;
    keep_boxes(trip, guarded.sealed);
    ck_assert_msg(mapping_forward(mapping, record, &trip->work, &trip->arena, &row, &err) == OUT_OK,
                  "%s %s", err.text, err.path);
    ck_assert_int_eq(mapping_inverse(mapping, &row, &trip->work, &doc, &err), OUT_OK);
    buf_reset(&trip->json);
    canonical_append(&trip->json, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    ck_assert_int_eq(json_parse(buf_view(&trip->json), JSON_UNICODE_REJECT, NULL, &doc, &err),
                     OUT_OK);
    struct secret_place place = {record->tenant, record->entity, row.id, BYTES_LITERAL("")};
    ck_assert_int_eq(
        export_secrets_open(&trip->secrets, &place, yyjson_doc_get_root(doc), &opened, &err),
        OUT_OK);
    struct export_record stored = {mapping, row.id, row.cells, yyjson_doc_get_root(opened)};
    ck_assert_msg(export_make(&trip->maker, &stored, &err) == OUT_OK, "%s", err.text);
    yyjson_doc_free(opened);
    yyjson_doc_free(doc);
    trip->records++;
}

static inline void read_once(struct trip *trip, struct collect *collect, struct bytes payload,
                             bool second)
{
    struct source_item item;
    struct error err = {0};
    collect_feed(collect, payload);
    for (;;) {
        enum collect_result result = collect_next(collect, &item, &err);
        if (result == COLLECT_MORE)
            collect_finish(collect);
        if (result == COLLECT_END)
            return;
        if (result != COLLECT_ITEM || item.kind == SOURCE_ITEM_NOTE ||
            item.kind == SOURCE_ITEM_WITHHELD)
            continue;
        ck_assert(second);
        ck_assert_msg(item.kind == SOURCE_ITEM_RECORD, "%.*s: %s %s in %.*s", BYTES_ARGS(item.name),
                      err.text, err.where, BYTES_ARGS(payload));
        struct record record = {
            .tenant = BYTES_LITERAL("acme"),
            .entity = bytes_text(item.mapping->entity),
            .payload = item.payload,
            .source_key = item.source_key,
            .index = item.index,
            .user = BYTES_LITERAL("u1"),
            .localstorage_origin = item.localstorage_origin,
        };
        carry(trip, item.mapping, &record);
    }
}

static inline void read_payload(struct trip *trip, enum collect_form form, struct bytes payload)
{
    struct collect_config config = {
        .mappings = trip->mappings,
        .mapping_count = trip->mapping_count,
        .tenant = BYTES_LITERAL("acme"),
        .record_max = 64u << 10,
        .join_max = 64u << 10,
    };
    struct error err = {0};
    struct collect *collect = collect_new(form, &config);
    export_files_clear(&trip->files);
    arena_reset(&trip->arena);
    trip->box_count = 0;
    read_once(trip, collect, payload, false);
    ck_assert_int_eq(collect_rewind(collect, &err), OUT_OK);
    read_once(trip, collect, payload, true);
    collect_free(collect);
}

/* ---- comparing */

static inline yyjson_doc *parse(struct bytes text)
{
    yyjson_doc *doc = NULL;
    struct error err = {0};
    ck_assert_msg(json_parse(text, JSON_UNICODE_REJECT, NULL, &doc, &err) == OUT_OK, "%s in %.*s",
                  err.text, BYTES_ARGS(text));
    return doc;
}

static inline struct bytes text_of(yyjson_val *val)
{
    return bytes_of(yyjson_get_str(val), yyjson_get_len(val));
}

static inline void compare_json(struct bytes source, const char *exported)
{
    ck_assert_msg(exported != NULL, "nothing was exported of %.*s", BYTES_ARGS(source));
    yyjson_doc *left = parse(source), *right = parse(bytes_text(exported));
    ck_assert_msg(canonical_equal(yyjson_doc_get_root(left), yyjson_doc_get_root(right)),
                  "source %.*s\nexport %s", BYTES_ARGS(source), exported);
    yyjson_doc_free(left);
    yyjson_doc_free(right);
}

/* One of: absent, null, a string. */
static inline void maybe_text(struct random *random, const char *name, struct buf *out)
{
    unsigned kind = random_below(random, 4);
    if (kind == 0)
        return;
    buf_append_format(out, ",\"%s\":", name);
    if (kind == 1)
        buf_append_text(out, "null");
    else
        random_string(random, out);
}

/* Payloads of one seed: ten seeds are 10,000. Valgrind, which preloads its own library, is some
 * fifty times slower. */
static inline int trip_rounds(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded && strstr(preloaded, "vgpreload") ? 20 : 1000;
}

#endif
