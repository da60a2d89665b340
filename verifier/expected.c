#include "verifier/expected.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/hash.h"
#include "common/base/mem.h"
#include "common/io/redis/redis_rows.h"
#include "common/io/stores.h"
#include "common/model/message/dead_letter.h"
#include "common/policy/apply/record_row.h"
#include "common/policy/version.h"
#include "verifier/actual.h"
#include "verifier/history.h"
#include "verifier/reads/reads_sample.h"
#include "verifier/receipts.h"
#include "verifier/samples.h"
#include "verifier/side_checks.h"
#include "verifier/untaken.h"

/* Records whose tenant or entity cannot be read are counted under this name. */
#define UNREADABLE BYTES_LITERAL("(unreadable)")

/* A delete was carried out after it was produced, so its tombstone is still there before the
 * message's time and the tombstone's life; later it may have been removed. */
static bool may_be_gone(const struct verify_run *run, const struct expected *expected,
                        int64_t produced_ms)
{
    bool hard = expected->mapping->on_delete == DELETE_HARD;
    if (run->options.store)
        return false; /* as young as this process */
    uint64_t life_ms = store_of(run->settings)->tombstone_life_ms(run->settings, hard);
    return expected->row.deleted && produced_ms >= 0 && run->report.started_ms >= produced_ms &&
           (uint64_t)(run->report.started_ms - produced_ms) >= life_ms;
}

/* Most messages say their version; the others are decoded once more. */
void expected_tick(struct verify_run *run, const struct bus_message *message)
{
    struct record record;
    if (envelope_has_version(&message->envelope))
        return;
    if (envelope_decode(&message->envelope, &record, NULL) == OUT_OK)
        run->log_version = version_in_log(&run->clocks[message->partition], message->timestamp_ms,
                                          message->offset);
}

/* Storage redis: what fields a hash has is made of the cells. */
static bool compares_fields(const struct verify_run *run)
{
    const struct store *store = store_of(run->settings);
    return !run->options.store && store->has_redis && !store->has_tables;
}

/* A mapping whose records are hashes: the fields are compared too. */
static enum outcome join_fields(struct verify_run *run, struct expected *expected,
                                struct error *err)
{
    const struct mapping *mapping = expected->mapping;
    if (!compares_fields(run) || redis_rows_form(mapping) != REDIS_HASH || expected->row.deleted)
        return OUT_OK;
    buf_reset(&run->judge.content);
    if (!redis_rows_append_fields(&run->judge.content, mapping, expected->row.cells))
        return error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the record is too large to compare");
    actual_join_fields(buf_view(&run->judge.content), &expected->source.digest);
    return OUT_OK;
}

static enum outcome make_row(struct verify_run *run, struct expected *expected, struct error *err)
{
    struct mapping_work *work = &run->judge.source;
    if (!compares_fields(run) &&
        record_to_told_row(&run->mappings, &expected->record, run->log_version, work, &run->arena,
                           &expected->mapping, &expected->row))
        return OUT_OK;
    return record_to_row(&run->mappings, &expected->record, run->log_version, work, &run->arena,
                         &expected->mapping, &expected->row, err);
}

/* All of `expected` but source.digest, reading and may_be_gone. As expected_make. */
static enum outcome identify(struct verify_run *run, const struct bus_message *message,
                             struct expected *expected, struct error *err)
{
    expected->record = (struct record){.tenant = UNREADABLE, .entity = UNREADABLE};
    arena_reset(&run->arena);
    enum outcome outcome = envelope_decode(&message->envelope, &expected->record, err);
    if (outcome != OUT_OK)
        return outcome;
    struct record *record = &expected->record;
    outcome = make_row(run, expected, err);
    if (outcome != OUT_OK)
        return outcome;
    record->id = expected->row.id;
    expected->source = (struct diff_source){
        .key = verify_run_key(run, record->tenant, record->entity, record->id),
        .version = expected->row.version,
        .source_tag = diff_tag_of(&expected->row.digest),
        .deleted = expected->row.deleted,
        .softly = expected->mapping->on_delete == DELETE_SOFT,
        .partition = message->partition,
        .offset = run->options.read_once
                      ? diff_pack_place(record->origin.line, record->origin.column)
                      : message->offset,
    };
    return run->key.failed ? error_set(err, OUT_REJECT, ERR_VALUE_KEY, "the key is too long")
                           : OUT_OK;
}

bool expected_identify_any(struct verify_run *run, const struct bus_message *message,
                           struct expected *found)
{
    found->has_version = true;
    if (identify(run, message, found, NULL) == OUT_OK)
        return true;
    struct record *record = &found->record;
    *found = (struct expected){0};
    if (envelope_decode(&message->envelope, record, NULL) != OUT_OK || message->envelope.null_value)
        return false;
    found->mapping = mapping_set_find(&run->mappings, record->entity);
    buf_reset(&run->id);
    if (!found->mapping ||
        mapping_identify(found->mapping, record, &run->judge.source, NULL, &run->id,
                         &found->source.version, &found->has_version, NULL) != OUT_OK)
        return false;
    record->id = buf_view(&run->id);
    found->source.key = verify_run_key(run, record->tenant, record->entity, record->id);
    return !run->key.failed;
}

enum outcome expected_make(struct verify_run *run, const struct bus_message *message,
                           struct expected *expected, struct error *err)
{
    enum outcome outcome = identify(run, message, expected, err);
    if (outcome != OUT_OK)
        return outcome;
    const struct mapping *mapping = expected->mapping;
    const struct record *record = &expected->record;
    expected->source.reading = diff_reading_of(mapping, record);
    expected->source.may_be_gone = may_be_gone(run, expected, message->timestamp_ms);
    expected->source.digest = expected->row.digest;
    if (!expected->row.cells)
        return OUT_OK; /* of the record alone, which tells the row's cells */
    outcome = judge_expect(mapping, record, &expected->row, run->has_cells, &run->judge,
                           &expected->source.digest, err);
    return outcome == OUT_OK ? join_fields(run, expected, err) : outcome;
}

static void count_one(struct verify_run *run, const struct record *record, enum verdict verdict)
{
    struct diff_groups *groups = &run->report.groups;
    uint32_t group = diff_groups_find(groups, record->tenant, record->entity); /* may move items */
    groups->items[group].counts[verdict]++;
}

/* Tenant and entity without running the mapping, for what is counted only. */
static struct record peek(const struct bus_message *message)
{
    struct record record = {0};
    if (envelope_decode(&message->envelope, &record, NULL) != OUT_OK)
        record = (struct record){.tenant = UNREADABLE, .entity = UNREADABLE};
    return record;
}

static enum outcome take_untaken(struct verify_run *run, struct untaken_message *untaken,
                                 struct error *err)
{
    struct expected found;
    untaken->has_key = expected_identify_any(run, untaken->message, &found);
    untaken->key = found.source.key;
    untaken->version = found.source.version;
    untaken->has_version = found.has_version;
    return untaken_take(run, untaken, err);
}

/* Why it is one is known without its dead letter, when it is the mapping's word. */
static enum outcome take_dead_as(struct verify_run *run, const struct bus_message *message,
                                 enum error_code code, bool is_repeat, struct error *err)
{
    struct expected expected;
    struct error why = {0};
    bool same = run->options.read_once && expected_make(run, message, &expected, &why) != OUT_OK &&
                why.code == code;
    struct record record = peek(message);
    struct untaken_message untaken = {.message = message,
                                      .record = &record,
                                      .verdict = VERDICT_DEAD,
                                      .code = code,
                                      .path = same ? why.path : "",
                                      .is_repeat = is_repeat};
    return take_untaken(run, &untaken, err);
}

static enum outcome take_dead(struct verify_run *run, const struct bus_message *message,
                              const struct dead_letter *dead_letter, bool is_repeat,
                              struct error *err)
{
    if (run->pass == 0 && dead_letter->tag != hash64(message->envelope.value))
        verify_report_warn(&run->report,
                           "the dead letter of %s-%d@%" PRId64
                           " does not hold the source record's bytes",
                           run->topics[TOPIC_SOURCE], message->partition, message->offset);
    return take_dead_as(run, message, (enum error_code)dead_letter->code, is_repeat, err);
}

static enum outcome take_unusable(struct verify_run *run, const struct bus_message *message,
                                  const struct expected *expected, const struct error *why,
                                  bool is_repeat, struct error *err)
{
    struct record record = expected->record; /* its views are the message's */
    struct untaken_message untaken = {.message = message,
                                      .record = &record,
                                      .verdict = VERDICT_UNUSABLE,
                                      .code = why->code,
                                      .path = why->path,
                                      .is_repeat = is_repeat};
    return take_untaken(run, &untaken, err);
}

/* ---- the table --------------------------------------------------------------------------- */

/* Room for one key more: the old table and one of twice its size are there for a moment. */
static bool make_room(struct verify_run *run)
{
    struct diff_table *table = &run->table;
    if (!run->options.read_once || table->used < table->max)
        return true;
    return verify_run_fits(run, table->capacity * 2 * sizeof *table->entries) &&
           diff_table_grow(table);
}

static enum outcome refuse_key(const struct verify_run *run, struct error *err)
{
    if (run->options.read_once)
        return error_set(err, OUT_FATAL, ERR_STORE_MEMORY,
                         "the keys do not fit the memory storage");
    enum outcome outcome = error_set(err, OUT_FATAL, ERR_VERIFY_MEMORY,
                                     "the keys do not fit the memory planned for them");
    error_hint(err, "give more --memory");
    return outcome;
}

static enum outcome take_key(struct verify_run *run, const struct diff_source *source,
                             enum verdict *verdict, struct error *err)
{
    uint64_t *counts = run->report.groups.items[source->group].counts;
    if (make_room(run) && diff_expect(&run->table, source, counts, verdict))
        return OUT_OK;
    return refuse_key(run, err);
}

/* Of two records of one reading: this one's place in the source, and where the first one is: its
 * place in the topic, or when nobody can look there any more, in the same source. */
static void sample_ambiguous(struct verify_run *run, const struct expected *expected,
                             const struct diff_entry *first)
{
    bool gone = run->options.read_once;
    struct verify_sample *sample = samples_add(run, VERDICT_AMBIGUOUS, ERR_NONE, &expected->record,
                                               (int32_t)first->partition, first->offset);
    if (!sample)
        return;
    sample->has_place = !gone;
    if (gone)
        samples_reason_ambiguous(run, sample, first);
    else
        sample->reason =
            BYTES_LITERAL("one reading has this key twice with other content and no version: in "
                          "the message named, and again where the source is named");
}

/* A record may be read from where it came and from where it is now. */
static void offer_sample(const struct verify_run *run, const struct expected *expected)
{
    const struct record *record = &expected->record;
    const struct reads_key key = {.mapping = expected->mapping,
                                  .tenant = record->tenant,
                                  .id = record->id,
                                  .uri = record->origin.uri};
    if (run->options.sample && !expected->source.deleted)
        reads_sample_see(run->options.sample, &expected->source.key, &key);
}

static enum outcome take_usable(struct verify_run *run, const struct bus_message *message,
                                struct expected *expected, struct error *err)
{
    enum verdict verdict;
    struct diff_source *source = &expected->source;
    struct diff_groups *groups = &run->report.groups;
    if (run->pass == 0)
        pass_map_set(&run->pass_map, source->partition, source->offset,
                     diff_pass_of(&source->key, run->report.passes));
    if (!diff_in_pass(&source->key, run->pass, run->report.passes))
        return OUT_OK;
    if (run->sealed && expected->record.sealed.size &&
        side_sealed(run, &expected->record, &source->broken_box, err) != OUT_OK)
        return err->outcome;
    source->group = diff_groups_find(groups, expected->record.tenant, expected->record.entity);
    offer_sample(run, expected);
    untaken_resolve(run, message, source, message->offset);
    const struct diff_entry *leader = source->reading ? diff_find(&run->table, &source->key) : NULL;
    if (leader && diff_is_ambiguous(leader, source))
        sample_ambiguous(run, expected, leader);
    enum outcome outcome = take_key(run, source, &verdict, err);
    if (outcome == OUT_OK && verdict == VERDICT_CONFLICT && !source->history)
        samples_add(run, VERDICT_CONFLICT, ERR_NONE, &expected->record, source->partition,
                    source->offset);
    return outcome;
}

/* ---- records that wait for their parents ------------------------------------------------- */

static bool is_pending(const struct verify_run *run, int32_t partition, int64_t offset)
{
    const struct verify_store *given = run->options.store;
    if (given)
        return given->is_pending && given->is_pending(given->owner, partition, offset);
    return diff_dead_find(&run->waiting, partition, offset) != NULL;
}

static void keep_pending(struct verify_run *run, struct expected *expected, int64_t offset)
{
    run->pending =
        mem_grown(run->pending, &run->pending_room, run->pending_count + 1, sizeof *run->pending);
    expected->source.group =
        diff_groups_find(&run->report.groups, expected->record.tenant, expected->record.entity);
    run->pending[run->pending_count++] = (struct verify_pending){expected->source, offset, false};
}

/* One that is history counts when it is the last of its key that did not get in. */
static enum outcome take_waiting(struct verify_run *run, const struct bus_message *message,
                                 bool is_repeat, struct error *err)
{
    struct expected found;
    struct record record = peek(message);
    struct untaken_message untaken = {.message = message,
                                      .record = &record,
                                      .verdict = VERDICT_WAITING,
                                      .code = ERR_NONE,
                                      .path = "",
                                      .is_repeat = is_repeat};
    if (history_has(run, message, &record, is_repeat))
        return take_untaken(run, &untaken, err);
    if (run->pass == 0) {
        run->report.source_count++;
        count_one(run, &record, VERDICT_WAITING);
    }
    if (run->untaken.count && expected_identify_any(run, message, &found))
        untaken_drop_waiting(run, &found.source.key, found.source.version);
    return OUT_OK;
}

/* Its message can be read no more, so what its row must be is kept apart: it leads its key when its
 * parents came, and did not when it got a dead letter. */
static enum outcome take_pending(struct verify_run *run, const struct bus_message *message,
                                 bool is_repeat, struct error *err)
{
    struct expected expected;
    struct error why = {0};
    if (!run->options.read_once)
        return take_waiting(run, message, is_repeat, err);
    if (expected_make(run, message, &expected, &why) != OUT_OK)
        return take_unusable(run, message, &expected, &why, is_repeat, err);
    run->report.source_count++;
    keep_pending(run, &expected, message->offset);
    return OUT_OK;
}

static int compare_pending(const void *left, const void *right)
{
    const struct verify_pending *a = left, *b = right;
    return verify_run_compare_places(a->source.partition, a->offset, b->source.partition,
                                     b->offset);
}

/* Which of two records with one version was written first only the store knows, when one of them
 * waited: those that did not lead stay in run->pending as what the row may be as well. */
enum outcome expected_settle_pending(struct verify_run *run, struct error *err)
{
    enum outcome outcome = OUT_OK;
    size_t kept = 0;
    for (size_t i = 0; i < run->pending_count && outcome == OUT_OK; i++) {
        enum verdict verdict = VERDICT_UNDECIDED;
        const struct verify_pending *pending = &run->pending[i];
        if (pending->is_dead)
            continue;
        if (is_pending(run, pending->source.partition, pending->offset))
            run->report.groups.items[pending->source.group].counts[VERDICT_WAITING]++;
        else {
            struct diff_source *source = &run->pending[i].source;
            untaken_resolve(run, NULL, source, pending->offset);
            outcome = take_key(run, source, &verdict, err);
        }
        if (verdict == VERDICT_CONFLICT)
            run->pending[kept++] = *pending;
    }
    run->pending_count = kept;
    return outcome;
}

/* ---- dead letters ------------------------------------------------------------------------ */

/* read_once: a dead letter of a record that was read before and waited for its parents; `message`
 * has the record's own place. Nothing when no such record waits. */
static enum outcome take_dead_pending(struct verify_run *run, const struct bus_message *message,
                                      enum error_code code, struct error *err)
{
    const struct verify_pending place = {.source = {.partition = message->partition},
                                         .offset = message->offset};
    struct verify_pending *pending = run->pending_count
                                         ? bsearch(&place, run->pending, run->pending_count,
                                                   sizeof *run->pending, compare_pending)
                                         : NULL;
    if (!pending || pending->is_dead)
        return OUT_OK;
    pending->is_dead = true;
    run->report.source_count--; /* counted when it was read */
    return take_dead_as(run, message, code, false, err);
}

static enum outcome refuse_dead(const struct verify_run *run, struct error *err)
{
    error_set(err, OUT_FATAL, run->options.read_once ? ERR_STORE_MEMORY : ERR_VERIFY_MEMORY,
              "more than %zu dead letters do not fit the memory budget", run->dead.count);
    if (!run->options.read_once)
        error_hint(err, "give --memory %zum", (size_t)(run->settings->verify_memory >> 19));
    return OUT_FATAL;
}

static enum outcome take_dead_letter(void *owner, const struct bus_message *message,
                                     struct error *err)
{
    struct verify_run *run = owner;
    const struct dead_letter_origin origin = dead_letter_read(&message->envelope);
    if (!origin.has_place || !bytes_equal(origin.topic, bytes_text(run->topics[TOPIC_SOURCE]))) {
        verify_report_warn(&run->report, "%s-%d@%" PRId64 " is no dead letter of this migration",
                           run->topics[TOPIC_DEAD_LETTERS], message->partition, message->offset);
        return OUT_OK;
    }
    struct bus_message as_read = *message;
    as_read.partition = origin.partition;
    as_read.offset = origin.offset;
    enum outcome outcome = take_dead_pending(run, &as_read, origin.code, err);
    if (outcome != OUT_OK)
        return outcome;
    const struct dead_letter dead_letter = {.offset = origin.offset,
                                            .partition = origin.partition,
                                            .code = origin.code,
                                            .tag = hash64(message->envelope.value)};
    return diff_dead_add(&run->dead, &dead_letter) ? OUT_OK : refuse_dead(run, err);
}

enum outcome expected_read_dead_letters(struct verify_run *run, struct error *err)
{
    return verify_run_read_new(run, TOPIC_DEAD_LETTERS, take_dead_letter, err);
}

/* ---- messages ---------------------------------------------------------------------------- */

/* Tenant or not, it is a message; false: it is in no report. */
static bool see_message(struct verify_run *run, const struct bus_message *message)
{
    verify_progress_step(&run->progress);
    if (run->pass == 0)
        holes_see(&run->holes, message->partition, message->offset);
    if (scope_is_whole(&run->scope))
        return true;
    const struct record record = peek(message);
    return scope_has(&run->scope, &record);
}

/* What else is made of a message; before the reading goes on with it. */
static void tell_watcher(struct verify_run *run, const struct bus_message *message,
                         const struct expected *made)
{
    if (run->watcher.see)
        run->watcher.see(run->watcher.owner, message, made);
}

const struct dead_letter *expected_find_dead(const struct verify_run *run,
                                             const struct bus_message *message)
{
    const struct dead_letter *found = history_find_dead(run, message);
    return found && receipts_deny_dead(run, message->partition, message->offset) ? NULL : found;
}

/* Dead letters, and what waits for its parents. */
static bool take_apart(struct verify_run *run, const struct bus_message *message, bool is_repeat,
                       enum outcome *outcome, struct error *err)
{
    const struct dead_letter *dead_letter = expected_find_dead(run, message);
    if (!dead_letter && !is_pending(run, message->partition, message->offset))
        return false;
    tell_watcher(run, message, NULL);
    *outcome = dead_letter ? take_dead(run, message, dead_letter, is_repeat, err)
                           : take_pending(run, message, is_repeat, err);
    return true;
}

/* Where Drover itself wrote the message its key is the one that it is compared under: what is known
 * of it comes near while the message is read. */
static void prefetch(const struct verify_run *run, const struct bus_message *message)
{
    const struct diff_key key = diff_key_of(message->envelope.key);
    diff_prefetch(&run->table, &key);
    if (run->watcher.other)
        diff_prefetch(run->watcher.other, &key);
}

static enum outcome take_message(void *owner, const struct bus_message *message, struct error *err)
{
    struct verify_run *run = owner;
    struct expected expected;
    struct error why = {0};
    enum outcome outcome = OUT_OK;
    expected_tick(run, message);
    bool is_repeat = history_is_repeat(run, message);
    if (pass_map_skips(&run->pass_map, message->partition, message->offset, run->pass)) {
        verify_progress_step(&run->progress);
        return OUT_OK;
    }
    prefetch(run, message);
    if (!see_message(run, message))
        return OUT_OK;
    run->report.messages += run->pass == 0;
    if (take_apart(run, message, is_repeat, &outcome, err))
        return outcome;
    if (expected_make(run, message, &expected, &why) == OUT_OK) {
        tell_watcher(run, message, &expected);
        expected.source.history = history_has(run, message, &expected.record, is_repeat);
        run->report.source_count += run->pass == 0 && !expected.source.history;
        return take_usable(run, message, &expected, err);
    }
    outcome = take_unusable(run, message, &expected, &why, is_repeat, err);
    tell_watcher(run, message, NULL);
    return outcome;
}

/* A record counts by itself; of history only what nothing else is told of, once the pass was read.
 * Where messages are read once all are records. */
static enum outcome note_lagging(struct verify_run *run, const struct bus_message *message,
                                 const struct record *record, bool is_history, struct error *err)
{
    struct expected found;
    if (run->options.read_once)
        return OUT_OK;
    bool has_key = expected_identify_any(run, message, &found);
    struct diff_key key = has_key ? found.source.key : untaken_place_key(run, message);
    enum diff_lags lags = is_history ? LAGS_HISTORY : LAGS_RECORD;
    if (!diff_in_pass(&key, run->pass, run->report.passes) ||
        (untaken_lags(run, message, &key, lags) && is_history))
        return OUT_OK;
    uint32_t group = diff_groups_find(&run->report.groups, record->tenant, record->entity);
    return diff_lag(&run->table, &key, lags, group) ? OUT_OK : refuse_key(run, err);
}

static enum outcome take_lagging(void *owner, const struct bus_message *message, struct error *err)
{
    struct verify_run *run = owner;
    expected_tick(run, message);
    bool is_repeat = history_is_repeat(run, message);
    if (!see_message(run, message))
        return OUT_OK;
    struct record record = peek(message);
    bool is_history = history_has(run, message, &record, is_repeat);
    run->report.messages += run->pass == 0;
    if (!is_history && run->pass == 0) {
        run->report.source_count++;
        count_one(run, &record, VERDICT_LAGGING);
    }
    tell_watcher(run, message, NULL);
    return note_lagging(run, message, &record, is_history, err);
}

void expected_begin(struct verify_run *run)
{
    const struct verify_report *report = &run->report;
    size_t count = report->partition_count;
    free(run->clocks);
    free(run->cut_clocks);
    run->clocks = mem_zeroed(count, sizeof *run->clocks);
    run->cut_clocks = mem_zeroed(count, sizeof *run->cut_clocks);
    if (run->pass == 0)
        holes_begin(&run->holes, count);
    history_begin(run);
    for (size_t i = 0; i < count; i++) {
        run->cursors[TOPIC_SOURCE].next[i] = report->partitions[i].low;
        if (run->pass == 0)
            holes_start(&run->holes, report->partitions[i].partition, report->partitions[i].low);
    }
}

static enum outcome read_topic(struct verify_run *run, bool lagging, struct error *err)
{
    int64_t *next = run->cursors[TOPIC_SOURCE].next;
    struct bus_range *ranges = verify_run_ranges(run);
    for (size_t i = 0; i < run->report.partition_count; i++) {
        int64_t end = run->report.partitions[i].snapshot_end;
        ranges[i].from = lagging ? end : next[i];
        ranges[i].to = lagging ? ranges[i].to : end;
        next[i] = end;
    }
    return verify_run_read(run, ranges, lagging ? take_lagging : take_message, run, err);
}

enum outcome expected_read(struct verify_run *run, struct error *err)
{
    enum outcome outcome = read_topic(run, false, err);
    if (run->pending_count)
        qsort(run->pending, run->pending_count, sizeof *run->pending, compare_pending);
    return outcome;
}

enum outcome expected_read_lagging(struct verify_run *run, struct error *err)
{
    size_t count = run->report.partition_count;
    memcpy(run->cut_clocks, run->clocks, count * sizeof *run->clocks);
    enum outcome outcome = read_topic(run, true, err);
    if (run->pass == 0)
        holes_finish(&run->holes);
    return outcome;
}
