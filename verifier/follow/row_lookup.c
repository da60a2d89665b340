/* See the header. */
#include "verifier/follow/row_lookup.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/redis/redis_held.h"
#include "common/io/stores.h"
#include "verifier/actual.h"
#include "verifier/expected.h"

#define CHUNK_ITEMS 500 /* whose rows are fetched at once */
#define ARENA_MAX ((size_t)64 << 20)
#define TABLE_BYTES ((size_t)1 << 20) /* of LOOKUP_MESSAGES_MAX keys */

/* ---- opening ----------------------------------------------------------------------------- */

enum outcome row_lookup_open(const struct settings *settings, size_t partitions,
                             struct row_lookup **out, struct error *err)
{
    struct row_lookup *lookup = mem_zeroed(1, sizeof *lookup);
    struct verify_run *run = &lookup->run;
    *out = NULL;
    lookup->settings = settings;
    verify_run_init_work(run, settings);
    arena_init(&lookup->arena, ARENA_MAX);
    lookup->items = mem_zeroed(LOOKUP_ITEMS_MAX, sizeof *lookup->items);
    run->report.partitions = mem_zeroed(partitions, sizeof *run->report.partitions);
    run->report.partition_count = partitions;
    for (size_t i = 0; i < partitions; i++)
        run->report.partitions[i] = (struct verify_partition){(int32_t)i, 0, 0, INT64_MAX};
    lookup->redis_next = mem_zeroed(partitions, sizeof *lookup->redis_next);
    run->clocks = mem_zeroed(partitions, sizeof *run->clocks);
    run->has_cells = !store_keeps_documents(store_of(settings));
    enum outcome outcome =
        topic_format_all(settings->prefix, settings->migration, run->topics, err);
    if (outcome == OUT_OK)
        outcome = mapping_set_load(settings, &run->mappings, err);
    if (outcome == OUT_OK)
        outcome = scope_init(&run->scope, settings, &run->mappings, err);
    if (outcome == OUT_OK)
        outcome = verify_run_take_mask_key(run, err);
    if (outcome == OUT_OK && !diff_table_init(&lookup->table, LOOKUP_MESSAGES_MAX, TABLE_BYTES))
        outcome = error_set(err, OUT_FATAL, ERR_VERIFY_MEMORY,
                            "the system does not give the memory asked for");
    if (outcome == OUT_OK)
        *out = lookup;
    else
        row_lookup_close(lookup);
    return outcome;
}

static void forget_items(struct row_lookup *lookup)
{
    for (size_t i = 0; i < lookup->count; i++)
        if (!lookup->items[i].is_suspect)
            free(lookup->items[i].kept);
    lookup->count = lookup->new_count = lookup->bytes = 0;
    arena_reset(&lookup->arena);
}

void row_lookup_close(struct row_lookup *lookup)
{
    if (!lookup)
        return;
    row_lookup_end(lookup);
    forget_items(lookup);
    free(lookup->items);
    arena_free(&lookup->arena);
    diff_table_free(&lookup->table);
    free(lookup->run.clocks);
    free(lookup->redis_next);
    mapping_set_free(&lookup->run.mappings);
    verify_run_free_work(&lookup->run);
    free(lookup);
}

static bool take_redis_next(void *owner, int64_t partition, int64_t next)
{
    struct row_lookup *lookup = owner;
    if (partition >= 0 && (size_t)partition < lookup->run.report.partition_count)
        lookup->redis_next[partition] = next;
    return true;
}

static enum outcome open_redis(struct row_lookup *lookup, struct error *err)
{
    bool is_marked = false;
    enum outcome outcome = redis_held_open(lookup->settings, &lookup->redis, err);
    if (outcome == OUT_OK)
        outcome = redis_held_is_marked(lookup->redis, &is_marked, err);
    if (outcome == OUT_OK && !is_marked)
        outcome = error_set(err, OUT_RETRY, ERR_REDIS_TRANSIENT,
                            "Redis was emptied, or never filled: it is not judged until it is");
    if (outcome == OUT_OK)
        outcome = pg_snapshot_redis_checkpoints(lookup->snapshot, lookup->settings->group,
                                                lookup->run.topics[TOPIC_SOURCE], take_redis_next,
                                                lookup, err);
    return outcome;
}

enum outcome row_lookup_begin(struct row_lookup *lookup, struct error *err)
{
    struct verify_run *run = &lookup->run;
    const struct store *store = store_of(lookup->settings);
    forget_items(lookup);
    diff_table_clear(&lookup->table);
    run->report.started_ms = clock_unix_ms(); /* what may be gone by now */
    if (store->read_generations &&
        store->read_generations(lookup->settings, &run->mappings, err) != OUT_OK)
        return err->outcome;
    enum outcome outcome = run->has_cells ? pg_snapshot_open(lookup->settings, VERIFY_APPLICATION,
                                                             &run->mappings, &lookup->snapshot, err)
                                          : verify_run_open_store(run, &lookup->store, err);
    if (outcome == OUT_OK)
        outcome = verify_run_checkpoints(run, lookup->snapshot, lookup->store,
                                         run->report.partitions, err);
    return outcome == OUT_OK && store->has_stage ? open_redis(lookup, err) : outcome;
}

void row_lookup_end(struct row_lookup *lookup)
{
    pg_snapshot_close(lookup->snapshot);
    redis_held_close(lookup->redis);
    if (lookup->store)
        lookup->store->ops->close(lookup->store);
    lookup->snapshot = NULL;
    lookup->redis = NULL;
    lookup->store = NULL;
}

int64_t row_lookup_committed(const struct row_lookup *lookup, int32_t partition)
{
    const struct verify_report *report = &lookup->run.report;
    return (size_t)partition < report->partition_count ? report->partitions[partition].snapshot_end
                                                       : 0;
}

int64_t row_lookup_checkpoint(const struct row_lookup *lookup, int32_t partition)
{
    int64_t committed = row_lookup_committed(lookup, partition);
    if (!lookup->redis || committed == 0)
        return committed;
    int64_t followed = lookup->redis_next[partition];
    return followed < committed ? followed : committed;
}

/* ---- messages ---------------------------------------------------------------------------- */

bool row_lookup_is_full(const struct row_lookup *lookup)
{
    return lookup->new_count == LOOKUP_MESSAGES_MAX || lookup->bytes >= LOOKUP_BYTES_MAX ||
           lookup->arena.used > ARENA_MAX / 2 || lookup->count == LOOKUP_ITEMS_MAX;
}

static void make_entry(struct lookup_item *item)
{
    const struct diff_source *source = &item->source;
    item->entry = (struct diff_entry){.key = source->key,
                                      .version = source->version,
                                      .digest = source->digest,
                                      .source_tag = source->source_tag,
                                      .deleted = source->deleted,
                                      .may_be_gone = source->may_be_gone,
                                      .partition = (uint32_t)source->partition & 0xFFFFFu,
                                      .offset = source->offset,
                                      .verdict = VERDICT_UNDECIDED};
}

/* What must be there, and the key cells that find it. False: it can become no row. */
static bool make(struct row_lookup *lookup, struct lookup_item *item, struct error *why)
{
    struct verify_run *run = &lookup->run;
    struct bus_message message;
    struct expected expected;
    kept_message_view(item->kept, &message);
    run->log_version = item->kept->log_version;
    enum outcome outcome = expected_make(run, &message, &expected, why);
    item->record = expected.record;
    if (outcome != OUT_OK) {
        item->record.id = (struct bytes){0};
        return false;
    }
    item->mapping = expected.mapping;
    item->key = expected.source.key;
    item->source = expected.source;
    item->source.reading = 0; /* no record is told apart from its history here */
    item->record.id = arena_copy(&lookup->arena, expected.record.id);
    make_entry(item);
    return mapping_forward(item->mapping, &item->record, &run->judge.source, &lookup->arena,
                           &item->row, why) == OUT_OK;
}

/* Who of the new ones leads its key: the others are decided. */
static void take_lead(struct row_lookup *lookup, struct lookup_item *item)
{
    enum verdict verdict;
    uint64_t counts[VERDICT_COUNT] = {0};
    if (diff_expect(&lookup->table, &item->source, counts, &verdict))
        item->verdict = verdict;
}

struct lookup_item *row_lookup_add(struct row_lookup *lookup, const struct bus_message *message)
{
    struct error why = {0};
    struct lookup_item *item = &lookup->items[lookup->count];
    expected_tick(&lookup->run, message);
    *item = (struct lookup_item){.kept = kept_message_make(message), .verdict = VERDICT_UNDECIDED};
    item->kept->log_version = lookup->run.log_version;
    lookup->count++;
    lookup->new_count++;
    lookup->bytes += item->kept->bytes;
    if (!make(lookup, item, &why)) {
        item->verdict = VERDICT_UNUSABLE;
        item->code = why.code;
    }
    if (!scope_has(&lookup->run.scope, &item->record)) {
        lookup->count--;
        lookup->bytes -= item->kept->bytes;
        free(item->kept);
        return NULL;
    }
    return item;
}

struct lookup_item *row_lookup_add_suspect(struct row_lookup *lookup, struct kept_message *kept,
                                           size_t suspect)
{
    struct error why = {0};
    struct lookup_item *item = &lookup->items[lookup->count];
    *item = (struct lookup_item){
        .kept = kept, .is_suspect = true, .suspect = suspect, .verdict = VERDICT_UNDECIDED};
    if (!make(lookup, item, &why))
        return NULL;
    lookup->count++;
    return item;
}

const struct diff_entry *row_lookup_leader(const struct row_lookup *lookup,
                                           const struct diff_key *key)
{
    return diff_find(&lookup->table, key);
}

uint64_t row_lookup_superseded_within(const struct row_lookup *lookup, int32_t partition,
                                      int64_t first, int64_t next)
{
    struct diff_table table;
    enum verdict ignored;
    uint64_t counts[VERDICT_COUNT] = {0};
    if (!diff_table_init(&table, LOOKUP_MESSAGES_MAX, TABLE_BYTES))
        return UINT64_MAX;
    for (size_t i = 0; i < lookup->count; i++) {
        const struct lookup_item *item = &lookup->items[i];
        const struct kept_message *kept = item->kept;
        if (!item->is_suspect && item->mapping && kept->partition == partition &&
            kept->offset >= first && kept->offset < next &&
            !diff_expect(&table, &item->source, counts, &ignored))
            break;
    }
    diff_table_free(&table);
    return counts[VERDICT_SUPERSEDED];
}

/* ---- rows -------------------------------------------------------------------------------- */

static void judge_missing(struct lookup_item *item)
{
    item->verdict = item->entry.may_be_gone ? VERDICT_MATCH : VERDICT_MISSING;
    if (item->verdict == VERDICT_MISSING && item->entry.deleted)
        item->judged.reason = BYTES_LITERAL("the delete left no tombstone");
}

static void judge_wrong(struct row_lookup *lookup, struct lookup_item *item,
                        const struct judge_row *row, yyjson_doc *doc, const struct error *why)
{
    judge_recheck(item->mapping, &item->entry, &item->record, &item->row, row, doc, why,
                  &lookup->run.judge, &lookup->arena, &item->judged);
    if (item->judged.verdict == VERDICT_DIFFERENT && !item->judged.fields.total &&
        !item->judged.reason.size)
        item->judged.reason =
            row->flaw ? bytes_text(row->flaw) : BYTES_LITERAL("a field of the hash is another");
    item->verdict = item->judged.verdict;
}

/* ---- what Redis holds of a row that is right --------------------------------------------- */

/* It follows in a short time, and may be ahead of the snapshot. */
static void take_finding(const struct row_lookup *lookup, const struct redis_finding *finding)
{
    static const enum verdict VERDICTS[] = {[REDIS_RIGHT] = VERDICT_MATCH,
                                            [REDIS_ABSENT] = VERDICT_MISSING,
                                            [REDIS_STALE] = VERDICT_STALE,
                                            [REDIS_TARGET_NEWER] = VERDICT_TARGET_NEWER,
                                            [REDIS_OTHER] = VERDICT_DIFFERENT};
    struct lookup_item *item = finding->owner;
    int64_t life_ms = (int64_t)item->mapping->redis.ttl_s * 1000;
    bool may_have_faded =
        life_ms && item->kept->timestamp_ms + life_ms < lookup->run.report.started_ms;
    if (finding->state == REDIS_RIGHT || (finding->state == REDIS_ABSENT && may_have_faded))
        return;
    item->verdict = VERDICTS[finding->state];
    item->in_redis = true;
    item->actual_version = finding->version;
    item->judged.reason =
        bytes_text(finding->reason ? finding->reason : "Redis does not hold what the row says");
}

static enum outcome take_findings(struct row_lookup *lookup, struct error *err)
{
    struct redis_finding finding;
    bool found = lookup->redis != NULL;
    while (found) {
        enum outcome outcome = redis_held_take(lookup->redis, &finding, &found, err);
        if (outcome != OUT_OK)
            return outcome;
        if (found)
            take_finding(lookup, &finding);
    }
    return OUT_OK;
}

static enum outcome ask_redis(struct row_lookup *lookup, struct lookup_item *item,
                              const struct judge_row *stored, struct error *err)
{
    bool is_right = item->verdict == VERDICT_MATCH || item->verdict == VERDICT_TOLERANCE;
    if (!lookup->redis || !is_right || item->mapping->redis.form == REDIS_NONE)
        return OUT_OK;
    struct row row = stored->row;
    struct error ignored;
    row.tenant = item->record.tenant;
    row.id = item->record.id;
    enum outcome outcome = redis_held_is_full(lookup->redis) ? take_findings(lookup, err) : OUT_OK;
    /* what has no form in Redis has its verdict from the row */
    if (outcome == OUT_OK)
        (void)!redis_held_ask(lookup->redis, item->mapping, &row, (struct bytes){0}, item,
                              &ignored);
    return outcome;
}

static void judge_row(struct row_lookup *lookup, struct lookup_item *item, struct judge_row *row)
{
    struct error why = {0};
    yyjson_doc *doc = NULL;
    item->found = item->has_actual = true;
    item->actual_version = row->row.version;
    bool alike = row->row.deleted == (item->entry.deleted != 0);
    if (alike && judge_read(item->mapping, row, &lookup->run.judge, &doc, &why) == OUT_OK)
        why = (struct error){0};
    if (diff_judge(&item->entry, &row->diff) == VERDICT_MATCH)
        item->verdict = VERDICT_MATCH;
    else
        judge_wrong(lookup, item, row, doc, &why);
    yyjson_doc_free(doc);
}

static enum outcome take_row(void *owner, const struct cell *cells, struct error *err)
{
    struct row_lookup *lookup = owner;
    struct judge_row row;
    enum outcome outcome = OUT_OK;
    if (!actual_take_cells(&lookup->run, lookup->mapping, cells, &row))
        return OUT_OK;
    const struct diff_key key = row.diff.key;
    for (size_t i = lookup->chunk_from; i < lookup->chunk_to && outcome == OUT_OK; i++) {
        struct lookup_item *item = &lookup->items[i];
        if (item->verdict != VERDICT_UNDECIDED || item->mapping != lookup->mapping ||
            !diff_key_equal(&item->key, &key))
            continue;
        struct judge_row again = row; /* judged once for each message of the key */
        judge_row(lookup, item, &again);
        outcome = ask_redis(lookup, item, &row, err);
    }
    return outcome;
}

static enum outcome judge_mapping(struct row_lookup *lookup, const struct mapping *mapping,
                                  struct error *err)
{
    struct pg_row_key keys[CHUNK_ITEMS];
    size_t count = 0;
    for (size_t i = lookup->chunk_from; i < lookup->chunk_to; i++) {
        const struct lookup_item *item = &lookup->items[i];
        if (item->verdict == VERDICT_UNDECIDED && item->mapping == mapping)
            keys[count++] = (struct pg_row_key){item->record.tenant, item->row.cells};
    }
    lookup->mapping = mapping;
    return count ? pg_snapshot_find(lookup->snapshot, mapping, keys, count, take_row, lookup, err)
                 : OUT_OK;
}

/* One by one: the other stores have no query for many keys. */
static enum outcome judge_in_store(struct row_lookup *lookup, struct lookup_item *item,
                                   struct error *err)
{
    struct stored_record stored = {0};
    struct judge_row row;
    struct error why = {0};
    yyjson_doc *doc = NULL;
    enum outcome outcome =
        lookup->store->ops->find(lookup->store, item->mapping, item->record.tenant, item->record.id,
                                 &stored, &item->found, &why);
    if (outcome != OUT_OK && outcome != OUT_REJECT) {
        *err = why;
        return outcome;
    }
    if (!item->found)
        return OUT_OK;
    stored.mapping = item->mapping;
    actual_take_stored(&lookup->run, &stored, outcome == OUT_OK, &row, &doc);
    item->has_actual = true;
    item->actual_version = row.row.version;
    if (diff_judge(&item->entry, &row.diff) == VERDICT_MATCH)
        item->verdict = VERDICT_MATCH;
    else
        judge_wrong(lookup, item, &row, doc, &why);
    yyjson_doc_free(doc);
    return OUT_OK;
}

static enum outcome judge_chunk(struct row_lookup *lookup, struct error *err)
{
    const struct mapping_set *mappings = &lookup->run.mappings;
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; lookup->snapshot && i < mappings->count && outcome == OUT_OK; i++)
        outcome = judge_mapping(lookup, mappings->items[i], err);
    if (outcome == OUT_OK)
        outcome = take_findings(lookup, err);
    for (size_t i = lookup->chunk_from; i < lookup->chunk_to && outcome == OUT_OK; i++) {
        struct lookup_item *item = &lookup->items[i];
        if (item->verdict == VERDICT_UNDECIDED && lookup->store)
            outcome = judge_in_store(lookup, item, err);
        if (outcome == OUT_OK && item->verdict == VERDICT_UNDECIDED && !item->found)
            judge_missing(item);
    }
    return outcome;
}

/* What a newer one of the look took over. */
static void settle_lead(struct row_lookup *lookup)
{
    for (size_t i = 0; i < lookup->count; i++) {
        struct lookup_item *item = &lookup->items[i];
        const struct diff_entry *leader = row_lookup_leader(lookup, &item->key);
        if (item->is_suspect || item->verdict != VERDICT_UNDECIDED || !leader)
            continue;
        if (leader->version > item->source.version)
            item->verdict = VERDICT_SUPERSEDED;
        else
            item->entry.digest = leader->digest; /* with the columns that a delete leaves */
    }
}

enum outcome row_lookup_judge(struct row_lookup *lookup, struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < lookup->count; i++)
        if (!lookup->items[i].is_suspect && lookup->items[i].verdict == VERDICT_UNDECIDED)
            take_lead(lookup, &lookup->items[i]);
    settle_lead(lookup);
    for (size_t from = 0; from < lookup->count && outcome == OUT_OK; from += CHUNK_ITEMS) {
        lookup->chunk_from = from;
        lookup->chunk_to = from + CHUNK_ITEMS < lookup->count ? from + CHUNK_ITEMS : lookup->count;
        outcome = judge_chunk(lookup, err);
    }
    return outcome;
}
