/*
 * Redis against the tables, storage hybrid: what Redis holds of a mapping with redis: is a pure
 * function of its row. So each row says which key must be there, and what under it.
 *
 *   rows ──► their keys, asked for by name: type, value, meta, ttl ──► suspects
 *   SCAN of the mappings' patterns ──► names that no row has ──► suspects
 *   rows of a later snapshot, where suspect ──► asked for again ──► counts, and names
 *
 * Redis follows in a short time: only what is still wrong when both are asked again counts. What is
 * not there although its mapping has a ttl may have faded: the topic's time says whether it can.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/postgres/pg_store_reader.h"
#include "common/io/redis/redis_held.h"
#include "common/io/redis/redis_rows.h"
#include "common/io/stores.h"
#include "verifier/actual.h"
#include "verifier/expected.h"
#include "verifier/side_checks.h"

#define ROWS_SPARE 1024 /* rows that came since they were counted */
#define NAMES_MAX ((size_t)64 << 20)
#define MARGIN_MS 60000 /* clocks of the producer, of Redis and this one */

/* A key whose name no row has. */
struct stray {
    struct diff_key name, stem; /* hashes */
    struct bytes text;
    const struct mapping *mapping; /* whose pattern it fits */
    bool explained;
};

/* A record whose value is not there, of a mapping with a ttl. */
struct gone {
    struct diff_key record;
    struct redis_finding finding; /* its texts are copies */
    bool is_young; /* a message of it was produced so lately that no ttl can have taken it */
    bool is_old;   /* and one before that: it is from then that its ttl runs */
};

struct redis_check {
    struct verify_run *run;
    struct mapping **mappings; /* of the scope's, those that Redis holds */
    size_t count;
    struct redis_held *held;
    uint32_t pass, passes;
    bool second; /* the recheck: what is found counts */
    struct stray *strays;
    size_t stray_count;
    struct gone *gone;
    size_t gone_count;
    int64_t now_ms; /* when the topic's times are read */
    const struct mapping *scanned;
    struct arena names;
    struct buf name;
};

/* The hash of the key's name in Redis; false when the row's cells make none. */
static bool name_of(struct redis_check *check, const struct stored_record *stored,
                    struct diff_key *key)
{
    buf_reset(&check->name);
    if (!stored->cells || !redis_rows_append_key(&check->name, stored->mapping, stored->tenant,
                                                 stored->id, stored->cells))
        return false;
    *key = diff_key_of(buf_view(&check->name));
    return true;
}

/* ---- what is told ------------------------------------------------------------------------ */

static void add_sample(struct redis_check *check, const struct redis_finding *finding,
                       enum verdict verdict)
{
    struct verify_report *report = &check->run->report;
    struct verify_sample *sample = verify_report_sample_side(report, VERIFY_LIST_REDIS, verdict);
    if (!sample)
        return;
    verify_run_name_sample(check->run, sample, finding->tenant,
                           bytes_text(finding->mapping->entity), finding->id);
    sample->name = verify_report_copy(report, finding->key);
    sample->table = finding->mapping->table;
    sample->reason = bytes_text(finding->reason);
}

static void keep_gone(struct redis_check *check, const struct redis_finding *finding)
{
    struct gone *gone = &check->gone[check->gone_count];
    if (check->gone_count == VERIFY_RECHECK_MAX) {
        check->run->report.not_rechecked++;
        return;
    }
    *gone = (struct gone){.finding = *finding};
    gone->finding.tenant = arena_copy(&check->names, finding->tenant);
    gone->finding.id = arena_copy(&check->names, finding->id);
    gone->finding.key = arena_copy(&check->names, finding->key);
    if (!gone->finding.tenant.data || !gone->finding.id.data || !gone->finding.key.data) {
        check->run->report.not_rechecked++;
        return;
    }
    gone->record = verify_run_key(check->run, finding->tenant, bytes_text(finding->mapping->entity),
                                  finding->id);
    check->gone_count++;
}

static void count_finding(struct redis_check *check, const struct redis_finding *finding)
{
    struct verify_redis *counts = &check->run->report.side_checks.redis;
    const struct {
        uint64_t *count;
        enum verdict verdict;
    } WRONG[] = {
        [REDIS_ABSENT] = {&counts->missing, VERDICT_MISSING},
        [REDIS_STALE] = {&counts->stale, VERDICT_STALE},
        [REDIS_TARGET_NEWER] = {&counts->target_newer, VERDICT_TARGET_NEWER},
        [REDIS_OTHER] = {&counts->different, VERDICT_DIFFERENT},
    };
    if (finding->state == REDIS_RIGHT) {
        counts->match += !finding->deleted;
    } else if (finding->state == REDIS_ABSENT && finding->mapping->redis.ttl_s) {
        keep_gone(check, finding);
    } else {
        ++*WRONG[finding->state].count;
        add_sample(check, finding, WRONG[finding->state].verdict);
    }
}

/* ---- rows -------------------------------------------------------------------------------- */

static enum outcome take_answers(struct redis_check *check, struct error *err)
{
    struct redis_finding finding;
    bool found;
    for (;;) {
        enum outcome outcome = redis_held_take(check->held, &finding, &found, err);
        if (outcome != OUT_OK || !found)
            return outcome;
        struct diff_entry *entry = finding.owner;
        if (check->second)
            count_finding(check, &finding);
        else if (entry)
            entry->verdict = finding.state == REDIS_RIGHT ? VERDICT_MATCH : VERDICT_DIFFERENT;
    }
}

static enum outcome ask_row(struct redis_check *check, const struct stored_record *stored,
                            struct diff_entry *entry, struct error *err)
{
    struct row row = {.cells = (struct cell *)stored->cells, /* only read */
                      .tenant = stored->tenant,
                      .id = stored->id,
                      .version = stored->version,
                      .generation = stored->generation,
                      .digest = stored->digest,
                      .deleted = stored->deleted};
    if (redis_held_is_full(check->held)) {
        enum outcome outcome = take_answers(check, err);
        if (outcome != OUT_OK)
            return outcome;
    }
    /* what has no form in Redis has its verdict from the tables already */
    if (redis_held_ask(check->held, stored->mapping, &row, stored->json, entry, NULL) != OUT_OK &&
        entry)
        entry->verdict = VERDICT_UNUSABLE;
    return OUT_OK;
}

static enum outcome first_pass(struct redis_check *check, const struct stored_record *stored,
                               bool readable, const struct diff_key *key, struct error *err)
{
    enum verdict ignored;
    uint64_t counts[VERDICT_COUNT] = {0};
    struct diff_source source = {
        .key = *key, .version = stored->version, .deleted = stored->deleted};
    if (!diff_expect(&check->run->table, &source, counts, &ignored))
        return error_set(err, OUT_FATAL, ERR_VERIFY_MEMORY,
                         "the rows do not fit the memory planned for them");
    struct diff_entry *entry = diff_find(&check->run->table, key);
    if (readable)
        return ask_row(check, stored, entry, err);
    entry->verdict = VERDICT_UNUSABLE;
    return OUT_OK;
}

/* Suspects of the first pass, and rows that came since. */
static enum outcome second_pass(struct redis_check *check, const struct stored_record *stored,
                                bool readable, const struct diff_key *key, struct error *err)
{
    const struct diff_entry *entry = diff_find(&check->run->table, key);
    if (!readable || (entry && entry->verdict == VERDICT_UNUSABLE))
        return OUT_OK;
    if (!entry || entry->verdict != VERDICT_MATCH)
        return ask_row(check, stored, NULL, err);
    check->run->report.side_checks.redis.match += !stored->deleted;
    return OUT_OK;
}

static int compare_keys(const struct diff_key *a, const struct diff_key *b)
{
    if (a->high != b->high)
        return a->high < b->high ? -1 : 1;
    return (a->low > b->low) - (a->low < b->low);
}

static int compare_stems(const void *left, const void *right)
{
    const struct stray *a = left, *b = right;
    return compare_keys(&a->stem, &b->stem);
}

static struct stray *find_stray(const struct redis_check *check, const struct diff_key *stem)
{
    const struct stray wanted = {.stem = *stem};
    return bsearch(&wanted, check->strays, check->stray_count, sizeof wanted, compare_stems);
}

/* A meta's name without its ":v". */
static struct bytes stem_of(struct bytes name)
{
    bool is_meta = name.size > 2 && memcmp(name.data + name.size - 2, ":v", 2) == 0;
    return is_meta ? bytes_of(name.data, name.size - 2) : name;
}

/* All rows against the names that nobody had: a row explains its own name and that of its meta. */
static enum outcome explain_strays(struct redis_check *check, const struct stored_record *stored,
                                   bool readable, const struct diff_key *key, struct error *err)
{
    (void)stored;
    (void)readable;
    (void)err;
    const struct diff_key stem = diff_key_of(stem_of(buf_view(&check->name)));
    struct stray *found = find_stray(check, key), *own = find_stray(check, &stem);
    if (found)
        found->explained = true;
    if (own && diff_key_equal(&own->name, key))
        own->explained = true;
    return OUT_OK;
}

typedef enum outcome row_visit(struct redis_check *check, const struct stored_record *stored,
                               bool readable, const struct diff_key *key, struct error *err);

static enum outcome read_rows(struct redis_check *check, struct store_reader *reader,
                              row_visit *each, struct error *err)
{
    struct stored_record stored;
    struct diff_key key;
    for (;;) {
        enum outcome outcome = reader->ops->next(reader, &stored, err);
        if (outcome == OUT_OK && !stored.mapping)
            return take_answers(check, err);
        if (outcome != OUT_OK && outcome != OUT_REJECT)
            return outcome;
        if (!stored.mapping || !name_of(check, &stored, &key) ||
            (each != explain_strays && !diff_in_pass(&key, check->pass, check->passes)))
            continue;
        outcome = each(check, &stored, outcome == OUT_OK, &key, err);
        if (outcome != OUT_OK)
            return outcome;
    }
}

static enum outcome read_tables(struct redis_check *check, row_visit *each, struct error *err)
{
    struct store_reader *reader = NULL;
    enum outcome outcome = pg_store_reader_open(check->run->settings, check->mappings, check->count,
                                                check->run->scope.tenant, &reader, err);
    if (outcome == OUT_OK)
        outcome = read_rows(check, reader, each, err);
    if (reader)
        reader->ops->close(reader);
    return outcome;
}

/* ---- names that no row has --------------------------------------------------------------- */

static bool is_kept(const struct redis_check *check, const struct diff_key *stem)
{
    for (size_t i = 0; i < check->stray_count; i++)
        if (compare_keys(&check->strays[i].stem, stem) == 0)
            return true;
    return false;
}

/* Of a value and its meta one is kept. */
static void take_name(void *owner, struct bytes name)
{
    struct redis_check *check = owner;
    struct bytes own = BYTES_LITERAL("drover:");
    if (name.size >= own.size && memcmp(name.data, own.data, own.size) == 0)
        return;
    struct stray stray = {
        .name = diff_key_of(name), .stem = diff_key_of(stem_of(name)), .mapping = check->scanned};
    if (!diff_in_pass(&stray.stem, check->pass, check->passes) ||
        diff_find(&check->run->table, &stray.stem) || diff_find(&check->run->table, &stray.name) ||
        is_kept(check, &stray.stem))
        return;
    stray.text = arena_copy(&check->names, name);
    if (check->stray_count == VERIFY_RECHECK_MAX || !stray.text.data)
        check->run->report.not_rechecked++;
    else
        check->strays[check->stray_count++] = stray;
}

static enum outcome scan_names(struct redis_check *check, struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < check->count && outcome == OUT_OK; i++) {
        check->scanned = check->mappings[i];
        outcome = redis_held_scan(check->held, check->scanned, take_name, check, err);
    }
    return outcome;
}

static struct bytes part_of(struct bytes *place)
{
    const char *slash = place->size ? memchr(place->data, '/', place->size) : NULL;
    size_t size = slash ? (size_t)(slash - place->data) : place->size;
    struct bytes part = bytes_of(place->data, size);
    *place = slash ? bytes_of(slash + 1, place->size - size - 1) : (struct bytes){0};
    return part;
}

static enum outcome judge_stray(struct redis_check *check, const struct stray *stray,
                                struct error *err)
{
    bool exists = false, tombstone = false;
    struct verify_redis *counts = &check->run->report.side_checks.redis;
    enum outcome outcome =
        redis_held_find(check->held, stray->text, &exists, &tombstone, &check->name, err);
    if (outcome != OUT_OK || !exists || tombstone) /* a delete is remembered a while longer */
        return outcome;
    struct bytes place = buf_view(&check->name);
    struct record record = {.tenant = part_of(&place)};
    record.entity = part_of(&place);
    if (!scope_has(&check->run->scope, &record))
        return OUT_OK;
    bool named = record.tenant.size > 0;
    const struct redis_finding finding = {
        .mapping = stray->mapping,
        .key = stray->text,
        .tenant = record.tenant,
        .id = place,
        .reason = named ? "the key holds a record that no row has, or one of another key"
                        : "the key fits a mapping's pattern and holds no record of Drover's"};
    counts->extra += named;
    counts->unexpected += !named;
    add_sample(check, &finding, VERDICT_EXTRA);
    return OUT_OK;
}

static enum outcome judge_strays(struct redis_check *check, struct error *err)
{
    if (check->stray_count == 0)
        return OUT_OK;
    qsort(check->strays, check->stray_count, sizeof *check->strays, compare_stems);
    enum outcome outcome = read_tables(check, explain_strays, err);
    for (size_t i = 0; i < check->stray_count && outcome == OUT_OK; i++)
        if (!check->strays[i].explained)
            outcome = judge_stray(check, &check->strays[i], err);
    return outcome;
}

/* ---- what may have faded ----------------------------------------------------------------- */

static int compare_gone(const void *left, const void *right)
{
    const struct gone *a = left, *b = right;
    return compare_keys(&a->record, &b->record);
}

/* A record first produced within its ttl was written within it: its value cannot have faded. What
 * is produced again later is unchanged, and gives the value no new life. */
static enum outcome take_message(void *owner, const struct bus_message *message, struct error *err)
{
    struct redis_check *check = owner;
    struct expected expected;
    struct gone key;
    (void)err;
    if (message->timestamp_ms < 0 || expected_make(check->run, message, &expected, NULL) != OUT_OK)
        return OUT_OK;
    key.record = expected.source.key;
    struct gone *gone =
        bsearch(&key, check->gone, check->gone_count, sizeof *check->gone, compare_gone);
    if (!gone || gone->finding.version != expected.source.version)
        return OUT_OK;
    int64_t ttl_ms = (int64_t)gone->finding.mapping->redis.ttl_s * 1000;
    int64_t margin_ms = ttl_ms / 10 < MARGIN_MS ? ttl_ms / 10 : MARGIN_MS;
    if (message->timestamp_ms + ttl_ms > check->now_ms + margin_ms)
        gone->is_young = true;
    else
        gone->is_old = true;
    return OUT_OK;
}

static enum outcome judge_gone(struct redis_check *check, struct error *err)
{
    struct verify_redis *counts = &check->run->report.side_checks.redis;
    if (check->gone_count == 0)
        return OUT_OK;
    qsort(check->gone, check->gone_count, sizeof *check->gone, compare_gone);
    check->now_ms = (int64_t)clock_unix_ms();
    enum outcome outcome =
        verify_run_read(check->run, verify_run_ranges(check->run), take_message, check, err);
    for (size_t i = 0; i < check->gone_count && outcome == OUT_OK; i++) {
        bool lives = check->gone[i].is_young && !check->gone[i].is_old;
        counts->expired += !lives;
        counts->missing += lives;
        if (lives)
            add_sample(check, &check->gone[i].finding, VERDICT_MISSING);
    }
    return outcome;
}

/* ---- all of it --------------------------------------------------------------------------- */

static enum outcome run_pass(struct redis_check *check, struct error *err)
{
    diff_table_clear(&check->run->table);
    check->second = false;
    enum outcome outcome = read_tables(check, first_pass, err);
    if (outcome == OUT_OK)
        outcome = scan_names(check, err);
    check->second = true;
    return outcome == OUT_OK ? read_tables(check, second_pass, err) : outcome;
}

static enum outcome run_passes(struct redis_check *check, struct error *err)
{
    struct verify_run *run = check->run;
    uint64_t rows = run->report.rows + run->report.rows / 8 + ROWS_SPARE;
    check->passes = diff_passes(rows, VERIFY_TABLE_SHARE(run->memory_max));
    enum outcome outcome = verify_run_make_table(run, rows, err);
    for (check->pass = 0; check->pass < check->passes && outcome == OUT_OK; check->pass++)
        outcome = run_pass(check, err);
    if (outcome == OUT_OK)
        outcome = judge_strays(check, err);
    return outcome == OUT_OK ? judge_gone(check, err) : outcome;
}

static enum outcome check_redis(struct redis_check *check, struct error *err)
{
    bool marked = false;
    enum outcome outcome = redis_held_open(check->run->settings, &check->held, err);
    if (outcome == OUT_OK)
        outcome = redis_held_is_marked(check->held, &marked, err);
    check->run->report.side_checks.redis.emptied = !marked;
    return outcome == OUT_OK ? run_passes(check, err) : outcome;
}

enum outcome side_redis(struct verify_run *run, struct error *err)
{
    struct redis_check check = {.run = run};
    enum outcome outcome = OUT_OK;
    if (run->options.store || !store_of(run->settings)->has_stage)
        return OUT_OK;
    check.mappings = mem_zeroed(run->scope.mappings->count, sizeof *check.mappings);
    check.strays = mem_zeroed(VERIFY_RECHECK_MAX, sizeof *check.strays);
    check.gone = mem_zeroed(VERIFY_RECHECK_MAX, sizeof *check.gone);
    for (size_t i = 0; i < run->scope.mappings->count; i++)
        if (run->scope.mappings->items[i]->redis.form != REDIS_NONE)
            check.mappings[check.count++] = run->scope.mappings->items[i];
    arena_init(&check.names, NAMES_MAX);
    buf_init(&check.name, 64u << 10);
    run->report.side_checks.redis.compared = true;
    if (check.count)
        outcome = check_redis(&check, err);
    redis_held_close(check.held);
    arena_free(&check.names);
    buf_free(&check.name);
    free(check.mappings);
    free(check.strays);
    free(check.gone);
    return outcome;
}
