#include "verifier/expected.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/base/hash.h"
#include "common/io/redis/redis_rows.h"
#include "common/io/stores.h"
#include "common/policy/apply/record_row.h"
#include "common/policy/version.h"
#include "verifier/beside.h"
#include "verifier/stores.h"
#include "verifier/verify_limits.h"

/* Records whose tenant or entity cannot be read are counted under this name. */
#define UNREADABLE BYTES_LITERAL("(unreadable)")

/* A delete was carried out after it was produced, so its tombstone is still there before the
 * message's time and the tombstone's life; later it may have been removed. */
static bool may_be_gone(const struct verify_run *run, const struct expected *expected,
                        int64_t produced_ms)
{
    bool hard = expected->item->mapping->on_delete == DELETE_HARD;
    uint64_t life_ms = store_of(run->settings)->tombstone_life_ms(run->settings, hard);
    return expected->row.deleted && produced_ms >= 0 && run->report.started_ms >= produced_ms &&
           (uint64_t)(run->report.started_ms - produced_ms) >= life_ms;
}

/* Most messages say their version; the others are decoded once more. */
void expected_tick(struct verify_run *run, const struct bus_message *message)
{
    struct record record;
    for (size_t i = 0; i < message->envelope.header_count; i++)
        if (message->envelope.headers[i].value.size &&
            bytes_equal(message->envelope.headers[i].name, BYTES_LITERAL(HEADER_VERSION)))
            return;
    if (envelope_decode(&message->envelope, &record, NULL) == OUT_OK)
        run->log_version = version_in_log(&run->clocks[message->partition], message->timestamp_ms,
                                          message->offset);
}

/* Storage redis, a mapping whose records are hashes: the fields are compared too. */
static enum outcome join_fields(struct verify_run *run, struct expected *expected,
                                struct error *err)
{
    const struct mapping *mapping = expected->item->mapping;
    const struct store *store = store_of(run->settings);
    if (!store->has_redis || store->has_tables || redis_rows_form(mapping) != REDIS_HASH ||
        expected->row.deleted)
        return OUT_OK;
    buf_reset(&run->judge.content);
    if (!redis_rows_append_fields(&run->judge.content, mapping, expected->row.cells))
        return error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the record is too large to compare");
    stores_join_fields(buf_view(&run->judge.content), &expected->source.digest);
    return OUT_OK;
}

enum outcome expected_make(struct verify_run *run, const struct bus_message *message,
                           struct expected *expected, struct error *err)
{
    expected->item = NULL;
    expected->record = (struct record){.tenant = UNREADABLE, .entity = UNREADABLE};
    arena_reset(&run->arena);
    enum outcome outcome = envelope_decode(&message->envelope, &expected->record, err);
    if (outcome != OUT_OK)
        return outcome;
    struct record *record = &expected->record;
    const struct mapping *mapping;
    outcome = record_to_row(&run->mappings, record, run->log_version, &run->judge.source,
                            &run->arena, &mapping, &expected->row, err);
    if (outcome != OUT_OK)
        return outcome;
    expected->item = verify_run_mapping(run, record->entity);
    record->id = expected->row.id;
    buf_reset(&run->key);
    envelope_append_key(&run->key, record->tenant, record->entity, record->id);
    expected->source = (struct diff_source){
        .key = diff_key_of(buf_view(&run->key)),
        .version = expected->row.version,
        .source_tag = diff_tag_of(&expected->row.digest),
        .deleted = expected->row.deleted,
        .softly = mapping->on_delete == DELETE_SOFT,
        .partition = message->partition,
        .offset = message->offset,
    };
    if (run->key.failed)
        return error_set(err, OUT_REJECT, ERR_VALUE_KEY, "the key is too long");
    expected->source.reading = diff_reading_of(mapping, record);
    expected->source.may_be_gone = may_be_gone(run, expected, message->timestamp_ms);
    outcome = judge_expect(mapping, record, &expected->row, !verify_run_keeps_no_cells(run),
                           &run->judge, &expected->source.digest, err);
    return outcome == OUT_OK ? join_fields(run, expected, err) : outcome;
}

struct verify_sample *expected_sample(struct verify_run *run, enum verdict verdict,
                                      enum error_code code, const struct record *record,
                                      int32_t partition, int64_t offset)
{
    struct verify_report *report = &run->report;
    struct verify_sample *sample = verify_report_sample(report, verdict, code);
    if (!sample)
        return NULL;
    struct buf key;
    buf_init(&key, 64u << 10);
    envelope_append_key(&key, record->tenant, record->entity, record->id);
    sample->key = diff_key_of(buf_view(&key));
    buf_reset(&key);
    buf_append_bytes(&key, record->origin.uri);
    if (record->origin.line)
        buf_append_format(&key, ":%" PRIu64 ":%" PRIu64, record->origin.line,
                          record->origin.column);
    sample->origin = verify_report_copy(report, buf_view(&key));
    buf_free(&key);
    sample->tenant = verify_report_copy(report, record->tenant);
    sample->entity = verify_report_copy(report, record->entity);
    sample->id = verify_report_copy(report, record->id);
    sample->has_place = true;
    sample->partition = partition;
    sample->offset = offset;
    return sample;
}

void expected_reason(struct verify_run *run, struct verify_sample *sample, enum error_code code,
                     const char *path)
{
    char text[300];
    int size = snprintf(text, sizeof text, "%s: %s%s%s", error_code_id(code),
                        error_code_meaning(code), path[0] ? " at " : "", path);
    if (size > 0)
        sample->reason = verify_report_copy(&run->report, bytes_text(text));
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

static void take_dead(struct verify_run *run, const struct bus_message *message,
                      const struct dead_letter *letter)
{
    if (run->pass != 0)
        return;
    struct record record = peek(message);
    enum error_code code = (enum error_code)letter->code;
    count_one(run, &record, VERDICT_DEAD);
    verify_report_count_code(&run->report, VERDICT_DEAD, code, 1);
    if (letter->tag != hash64(message->envelope.value))
        verify_report_warn(&run->report,
                           "the dead letter of %s-%d@%" PRId64
                           " does not hold the source record's bytes",
                           run->source_topic, message->partition, message->offset);
    struct verify_sample *sample =
        expected_sample(run, VERDICT_DEAD, code, &record, message->partition, message->offset);
    if (sample && code != ERR_NONE)
        expected_reason(run, sample, code, "");
}

static void take_unusable(struct verify_run *run, const struct bus_message *message,
                          const struct expected *expected, const struct error *why)
{
    if (run->pass != 0)
        return;
    count_one(run, &expected->record, VERDICT_UNUSABLE);
    verify_report_count_code(&run->report, VERDICT_UNUSABLE, why->code, 1);
    struct verify_sample *sample = expected_sample(
        run, VERDICT_UNUSABLE, why->code, &expected->record, message->partition, message->offset);
    if (sample)
        expected_reason(run, sample, why->code, why->path);
}

/* Of two records of one reading: the first one's place in the topic, the other one's in the source.
 */
static void sample_ambiguous(struct verify_run *run, const struct expected *expected,
                             const struct diff_entry *first)
{
    struct verify_sample *sample =
        expected_sample(run, VERDICT_AMBIGUOUS, ERR_NONE, &expected->record,
                        (int32_t)first->partition, first->offset);
    if (sample)
        sample->reason = BYTES_LITERAL(
            "one reading has this key twice with other content and no version: in the "
            "message named, and again where the source is named");
}

static enum outcome take_usable(struct verify_run *run, struct expected *expected,
                                struct error *err)
{
    enum verdict verdict;
    struct diff_source *source = &expected->source;
    struct diff_groups *groups = &run->report.groups;
    if (!diff_in_pass(&source->key, run->pass, run->report.passes))
        return OUT_OK;
    if (expected->record.sealed.size &&
        beside_sealed(run, &expected->record, &source->broken_box, err) != OUT_OK)
        return err->outcome;
    source->group = diff_groups_find(groups, expected->record.tenant, expected->record.entity);
    const struct diff_entry *leader = source->reading ? diff_find(&run->table, &source->key) : NULL;
    if (leader && diff_is_ambiguous(leader, source))
        sample_ambiguous(run, expected, leader);
    if (!diff_expect(&run->table, source, groups->items[source->group].counts, &verdict)) {
        enum outcome outcome = error_set(err, OUT_FATAL, ERR_VERIFY_MEMORY,
                                         "the keys do not fit the memory planned for them");
        error_hint(err, "give more --memory");
        return outcome;
    }
    if (verdict == VERDICT_CONFLICT)
        expected_sample(run, VERDICT_CONFLICT, ERR_NONE, &expected->record, source->partition,
                        source->offset);
    return OUT_OK;
}

static enum outcome take_message(struct verify_run *run, const struct bus_message *message,
                                 struct error *err)
{
    const struct verify_partition *at = &run->report.partitions[message->partition];
    struct expected expected;
    struct error why = {0};
    verify_progress_step(&run->progress);
    if (run->pass == 0)
        holes_see(&run->holes, message->partition, message->offset);
    if (message->offset < at->cut)
        expected_tick(run, message);
    if (run->settings->only_tenant && !verify_run_in_scope(run, peek(message).tenant))
        return OUT_OK;
    run->report.source_count += run->pass == 0;
    if (message->offset >= at->cut) {
        struct record record = peek(message);
        if (run->pass == 0)
            count_one(run, &record, VERDICT_LAGGING);
        return OUT_OK;
    }
    const struct dead_letter *letter =
        diff_dead_find(&run->dead, message->partition, message->offset);
    if (letter) {
        take_dead(run, message, letter);
        return OUT_OK;
    }
    if (diff_dead_find(&run->waiting, message->partition, message->offset)) {
        struct record record = peek(message);
        if (run->pass == 0)
            count_one(run, &record, VERDICT_WAITING);
        return OUT_OK;
    }
    if (expected_make(run, message, &expected, &why) != OUT_OK) {
        take_unusable(run, message, &expected, &why);
        return OUT_OK;
    }
    return take_usable(run, &expected, err);
}

/* Everything in the first pass, as what is above the cut is to be counted too. */
static struct bus_range *make_ranges(const struct verify_run *run)
{
    const struct verify_report *report = &run->report;
    struct bus_range *ranges = calloc(report->partition_count, sizeof *ranges);
    if (!ranges)
        abort();
    for (size_t i = 0; i < report->partition_count; i++) {
        const struct verify_partition *at = &report->partitions[i];
        ranges[i] = (struct bus_range){at->partition, at->low, run->pass == 0 ? at->high : at->cut};
    }
    return ranges;
}

enum outcome expected_read(struct verify_run *run, struct error *err)
{
    struct bus_range *ranges = make_ranges(run);
    struct bus_reader *reader = NULL;
    const struct bus_message *message = NULL;
    free(run->clocks);
    run->clocks = calloc(run->report.partition_count + 1, sizeof *run->clocks);
    if (!run->clocks)
        abort();
    if (run->pass == 0) {
        holes_begin(&run->holes, run->report.partition_count);
        for (size_t i = 0; i < run->report.partition_count; i++)
            holes_start(&run->holes, run->report.partitions[i].partition,
                        run->report.partitions[i].low);
    }
    enum outcome outcome =
        kafka_reader_open(run->settings, run->source_topic, ranges, run->report.partition_count,
                          VERIFY_KAFKA_MS, &reader, err);
    free(ranges);
    while (outcome == OUT_OK) {
        outcome = bus_reader_next(reader, VERIFY_KAFKA_MS, &message, err);
        if (outcome != OUT_OK || !message)
            break;
        outcome = take_message(run, message, err);
    }
    holes_finish(&run->holes);
    bus_reader_close(reader);
    return outcome;
}
