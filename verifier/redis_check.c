/*
 * Redis against the tables, storage hybrid: what Redis holds of a mapping with redis: is a pure
 * function of its row.
 *
 *   rows ──► table of (key, version, digest) ◄── Redis, by SCAN ──► suspects
 *   rows of a later snapshot, where suspect ──► asked for one by one, both sides ──► counts
 *
 * Redis follows in a short time, and SCAN is no snapshot: only what is still wrong when both are
 * asked again counts.
 */
#include <stdlib.h>

#include "common/io/pg_stored.h"
#include "common/io/redis_stored.h"
#include "common/model/canonical.h"
#include "common/model/envelope.h"
#include "verifier/actual.h"
#include "verifier/beside.h"
#include "verifier/verify_limits.h"

#define ROWS_SPARE 1024 /* rows that came since they were counted */

struct redis_check {
    struct verify_run *run;
    struct mapping **mappings; /* those that Redis holds */
    size_t count;
    uint32_t pass, passes;
    struct actual_extra *extras; /* what Redis has and the tables have not */
    size_t extra_count;
    struct arena names;
};

static struct diff_key key_of(struct verify_run *run, const struct stored *stored)
{
    buf_reset(&run->key);
    envelope_append_key(&run->key, stored->tenant, bytes_text(stored->mapping->entity), stored->id);
    return diff_key_of(buf_view(&run->key));
}

/* What is stored may have been changed into another spelling of the same. */
static bool digest_json(struct verify_run *run, const struct stored *stored, struct digest *digest)
{
    yyjson_doc *doc = NULL;
    bool ok = json_parse(stored->json, JSON_UNICODE_REJECT, NULL, &doc, NULL) == OUT_OK &&
              canonical_digest(yyjson_doc_get_root(doc), &run->judge.content, digest);
    yyjson_doc_free(doc);
    return ok;
}

static struct diff_row row_of(struct verify_run *run, const struct stored *stored, bool readable)
{
    struct diff_row row = {
        .key = key_of(run, stored), .version = stored->version, .deleted = stored->deleted};
    if (!stored->deleted)
        row.unreadable = !readable || !digest_json(run, stored, &row.digest);
    return row;
}

static bool in_pass(const struct redis_check *check, const struct diff_key *key)
{
    return diff_in_pass(key, check->pass, check->passes);
}

/* ---- the first look */

static enum outcome take_row(struct redis_check *check, const struct stored *stored, bool readable,
                             struct error *err)
{
    enum verdict ignored;
    uint64_t counts[VERDICT_COUNT] = {0};
    struct diff_row row = row_of(check->run, stored, readable);
    struct diff_source source = {
        .key = row.key, .version = row.version, .digest = row.digest, .deleted = row.deleted};
    if (!in_pass(check, &row.key) || row.unreadable)
        return OUT_OK; /* what gives no record back has its verdict from the tables already */
    return diff_expect(&check->run->table, &source, counts, &ignored)
               ? OUT_OK
               : error_set(err, OUT_FATAL, ERR_VERIFY_MEMORY,
                           "the rows do not fit the memory planned for them");
}

static void keep_extra(struct redis_check *check, const struct stored *stored)
{
    if (check->extra_count == VERIFY_LOOKED_MOST) {
        check->run->report.beside.redis.extra++;
        return;
    }
    struct bytes tenant = arena_copy(&check->names, stored->tenant);
    struct bytes id = arena_copy(&check->names, stored->id);
    if (!tenant.data || !id.data) {
        check->run->report.beside.redis.extra++;
        return;
    }
    check->extras[check->extra_count++] = (struct actual_extra){
        .item = verify_run_mapping(check->run, bytes_text(stored->mapping->entity)),
        .tenant = tenant,
        .id = id};
}

static enum outcome take_redis(struct redis_check *check, const struct stored *stored,
                               bool readable, struct error *err)
{
    struct diff_entry *entry;
    struct diff_row row = row_of(check->run, stored, readable);
    (void)err;
    if (!in_pass(check, &row.key))
        return OUT_OK;
    enum verdict verdict = diff_actual(&check->run->table, &row, &entry);
    if (verdict == VERDICT_EXTRA && !stored->deleted)
        keep_extra(check, stored);
    return OUT_OK;
}

typedef enum outcome take(struct redis_check *check, const struct stored *stored, bool readable,
                          struct error *err);

static enum outcome read_all(struct redis_check *check, struct stored_reader *reader, take *each,
                             struct error *err)
{
    struct stored stored;
    for (;;) {
        enum outcome outcome = reader->ops->next(reader, &stored, err);
        if (outcome == OUT_OK && !stored.mapping)
            return OUT_OK;
        if (outcome != OUT_OK && outcome != OUT_REJECT)
            return outcome;
        if (!stored.mapping || !stored.tenant.size ||
            !verify_run_in_scope(check->run, stored.tenant))
            continue;
        outcome = each(check, &stored, outcome == OUT_OK, err);
        if (outcome != OUT_OK)
            return outcome;
    }
}

static enum outcome open_tables(const struct redis_check *check, struct stored_reader **reader,
                                struct error *err)
{
    return pg_stored_open(check->run->settings, check->mappings, check->count,
                          check->run->settings->only_tenant, reader, err);
}

static enum outcome read_tables(struct redis_check *check, take *each, struct error *err)
{
    struct stored_reader *reader = NULL;
    enum outcome outcome = open_tables(check, &reader, err);
    if (outcome == OUT_OK)
        outcome = read_all(check, reader, each, err);
    if (reader)
        reader->ops->close(reader);
    return outcome;
}

/* ---- the second look */

static void count_missing(struct verify_redis *redis, const struct mapping *mapping)
{
    if (mapping->redis.ttl_s)
        redis->expired++;
    else
        redis->missing++;
}

static void count_verdict(struct verify_redis *redis, enum verdict verdict)
{
    if (verdict == VERDICT_MATCH)
        redis->match++;
    else if (verdict == VERDICT_STALE)
        redis->stale++;
    else if (verdict == VERDICT_NEWER)
        redis->newer++;
    else
        redis->different++;
}

/* Asks Redis for what the row must be there now. */
static enum outcome ask_redis(struct redis_check *check, struct stored_reader *redis,
                              const struct diff_row *row, const struct stored *stored,
                              struct error *err)
{
    struct verify_redis *counts = &check->run->report.beside.redis;
    struct stored held = {0};
    bool found = false;
    enum outcome outcome =
        redis->ops->find(redis, stored->mapping, stored->tenant, stored->id, &held, &found, err);
    if (outcome != OUT_OK && outcome != OUT_REJECT)
        return outcome;
    if (!found) {
        if (!stored->deleted) /* Redis remembers a delete for a while only */
            count_missing(counts, stored->mapping);
        return OUT_OK;
    }
    held.mapping = stored->mapping;
    held.tenant = stored->tenant;
    held.id = stored->id;
    struct diff_row actual = row_of(check->run, &held, outcome == OUT_OK);
    struct diff_entry expected = {
        .key = row->key, .version = row->version, .digest = row->digest, .deleted = row->deleted};
    count_verdict(counts, diff_judge(&expected, &actual));
    return OUT_OK;
}

struct second_look {
    struct redis_check check; /* first */
    struct stored_reader *redis;
};

/* Suspects of the first look, and rows that came since. */
static enum outcome look_at_row(struct redis_check *check, const struct stored *stored,
                                bool readable, struct error *err)
{
    struct second_look *look = (struct second_look *)check;
    struct diff_row row = row_of(check->run, stored, readable);
    if (!in_pass(check, &row.key) || row.unreadable)
        return OUT_OK;
    struct diff_entry *entry = diff_find(&check->run->table, &row.key);
    if (entry && entry->verdict == VERDICT_MATCH) {
        check->run->report.beside.redis.match += !stored->deleted;
        return OUT_OK;
    }
    return ask_redis(check, look->redis, &row, stored, err);
}

/* What Redis has and the tables had not: both are asked again. */
static enum outcome look_at_extras(struct second_look *look, struct stored_reader *tables,
                                   struct error *err)
{
    struct redis_check *check = &look->check;
    for (size_t i = 0; i < check->extra_count; i++) {
        const struct actual_extra *extra = &check->extras[i];
        struct stored stored;
        bool in_table = false, in_redis = false;
        enum outcome outcome = tables->ops->find(tables, extra->item->mapping, extra->tenant,
                                                 extra->id, &stored, &in_table, err);
        if (outcome == OUT_OK || outcome == OUT_REJECT)
            outcome = look->redis->ops->find(look->redis, extra->item->mapping, extra->tenant,
                                             extra->id, &stored, &in_redis, err);
        if (outcome != OUT_OK && outcome != OUT_REJECT)
            return outcome;
        check->run->report.beside.redis.extra += in_redis && !in_table && !stored.deleted;
    }
    check->extra_count = 0;
    arena_reset(&check->names);
    return OUT_OK;
}

static enum outcome look_again_at(struct second_look *look, struct error *err)
{
    struct stored_reader *tables = NULL;
    struct redis_check *check = &look->check;
    enum outcome outcome =
        redis_stored_open(check->run->settings, &check->run->mappings, &look->redis, err);
    if (outcome == OUT_OK)
        outcome = open_tables(check, &tables, err);
    if (outcome == OUT_OK)
        outcome = read_all(check, tables, look_at_row, err);
    if (outcome == OUT_OK)
        outcome = look_at_extras(look, tables, err);
    if (tables)
        tables->ops->close(tables);
    if (look->redis)
        look->redis->ops->close(look->redis);
    look->redis = NULL;
    return outcome;
}

/* ---- both */

static enum outcome run_pass(struct second_look *look, struct error *err)
{
    struct stored_reader *redis = NULL;
    struct redis_check *check = &look->check;
    diff_table_clear(&check->run->table);
    enum outcome outcome = read_tables(check, take_row, err);
    if (outcome == OUT_OK)
        outcome = redis_stored_open(check->run->settings, &check->run->mappings, &redis, err);
    if (outcome == OUT_OK)
        outcome = read_all(check, redis, take_redis, err);
    if (redis)
        redis->ops->close(redis);
    return outcome == OUT_OK ? look_again_at(look, err) : outcome;
}

static enum outcome run_passes(struct second_look *look, struct error *err)
{
    struct redis_check *check = &look->check;
    struct verify_run *run = check->run;
    size_t bytes = VERIFY_TABLE_SHARE(run->settings->verify_memory);
    uint64_t rows = run->report.rows + run->report.rows / 8 + ROWS_SPARE;
    check->passes = diff_passes(rows, bytes);
    diff_table_free(&run->table);
    if (!diff_table_init(&run->table, rows, bytes))
        return error_set(err, OUT_FATAL, ERR_VERIFY_MEMORY,
                         "the system does not give the memory asked for");
    enum outcome outcome = OUT_OK;
    for (check->pass = 0; check->pass < check->passes && outcome == OUT_OK; check->pass++)
        outcome = run_pass(look, err);
    return outcome;
}

enum outcome beside_redis(struct verify_run *run, struct error *err)
{
    struct second_look look = {.check = {.run = run}};
    struct redis_check *check = &look.check;
    if (run->settings->storage != STORAGE_HYBRID)
        return OUT_OK;
    check->mappings = calloc(run->mappings.count, sizeof *check->mappings);
    check->extras = calloc(VERIFY_LOOKED_MOST, sizeof *check->extras);
    if (!check->mappings || !check->extras)
        abort();
    for (size_t i = 0; i < run->mappings.count; i++)
        if (run->mappings.items[i]->redis.form != REDIS_NONE)
            check->mappings[check->count++] = run->mappings.items[i];
    arena_init(&check->names, 64u << 20);
    run->report.beside.redis.compared = true;
    enum outcome outcome = check->count ? run_passes(&look, err) : OUT_OK;
    arena_free(&check->names);
    free(check->mappings);
    free(check->extras);
    return outcome;
}
