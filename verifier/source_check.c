#include "verifier/source_check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/io/kafka_reader.h"
#include "common/io/key_file.h"
#include "common/io/source_guard.h"
#include "common/io/source_reading.h"
#include "common/model/canonical.h"
#include "common/model/envelope.h"
#include "common/policy/verify_secrets.h"
#include "verifier/expected.h"
#include "verifier/verify_limits.h"

#define TENANT_MOST (64u << 10)
#define PASSES_MOST 4096u
#define MASKED_MOST (512u << 20)
#define UNKNOWN_ENTITY BYTES_LITERAL("(none)")

/* One reading of the files. Every pass reads all of them and keeps the keys of its range. */
struct source_check {
    struct verify_run *run;
    struct source_rules rules;
    struct source_files files;
    uint32_t pass, passes;
    uint64_t *rejected; /* by mapping; the last one of no mapping */
    bool full;          /* the table took no more */

    size_t file; /* being read */
    struct source_reading *reading;
    struct buf tenant, id, masked;
    int64_t order; /* records before: a later one wins where the mapping has no version */

    /* Secrets are taken out as the producer takes them. Without its key, with any key, and what
     * stands for secrets is not compared. */
    struct secret_ring *ring;
    bool has_key;
    struct source_guard guard;
};

static size_t mapping_at(const struct source_check *check, const struct mapping *mapping)
{
    size_t at = 0;
    while (at < check->run->mappings.count && check->run->mappings.items[at] != mapping)
        at++;
    return at;
}

/* ---- the files */

static void reject(struct source_check *check, const struct source_record *found,
                   const struct error *why)
{
    if (check->pass != 0)
        return;
    size_t at = mapping_at(check, found->mapping);
    check->rejected[at]++;
    struct record record = {
        .entity = found->mapping ? bytes_text(found->mapping->entity) : UNKNOWN_ENTITY,
        .origin = {.uri = bytes_text(check->files.items[check->file].path),
                   .line = found->line,
                   .column = found->column},
    };
    struct verify_sample *sample = expected_sample(check->run, VERDICT_REJECTED, &record, 0, 0);
    if (!sample)
        return;
    sample->has_place = false;
    expected_reason(check->run, sample, why->code, why->path);
}

/* The digest of the payload alone: that is what must be the same in file and topic. */
static enum outcome digest_payload(struct source_check *check, const struct mapping *mapping,
                                   struct bytes payload, struct digest *digest, struct error *err)
{
    yyjson_doc *doc = NULL;
    struct buf *content = &check->run->judge.content;
    enum outcome outcome = json_parse(payload, mapping->unicode, NULL, &doc, err);
    if (outcome != OUT_OK)
        return outcome;
    buf_reset(content);
    buf_reset(&check->masked);
    canonical_append(content, yyjson_doc_get_root(doc));
    yyjson_doc_free(doc);
    if (!check->has_key)
        verify_secrets_append(&check->masked, buf_view(content));
    if (content->failed || check->masked.failed)
        return error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the record is too large to compare");
    *digest = digest_of(buf_view(check->has_key ? content : &check->masked));
    return OUT_OK;
}

/* Tenant, id and version as the producer finds them. */
static enum outcome identify(struct source_check *check, const struct mapping *mapping,
                             struct record *record, struct error *err)
{
    buf_reset(&check->tenant);
    buf_reset(&check->id);
    enum outcome outcome =
        mapping_identify(mapping, record, &check->run->judge.source, &check->tenant, &check->id,
                         &record->version, &record->has_version, err);
    if (outcome != OUT_OK)
        return outcome;
    if (record->tenant.size == 0)
        record->tenant = buf_view(&check->tenant);
    record->id = buf_view(&check->id);
    if (!record->has_version)
        record->version = check->order;
    if (record->tenant.size == 0)
        return error_set(err, OUT_REJECT, ERR_TENANT_MISSING, "the record names no tenant");
    return OUT_OK;
}

static struct diff_key key_of(struct verify_run *run, const struct record *record)
{
    buf_reset(&run->key);
    envelope_append_key(&run->key, record->tenant, record->entity, record->id);
    return diff_key_of(buf_view(&run->key));
}

static void expect(struct source_check *check, const struct record *record,
                   const struct source_record *found, const struct digest *digest)
{
    struct verify_run *run = check->run;
    struct diff_groups *groups = &run->report.groups;
    uint64_t ignored[VERDICT_COUNT] = {0}; /* the files' own repeats are no records of the topic */
    enum verdict verdict;
    size_t file = check->file < DIFF_PARTITIONS_MOST ? check->file : DIFF_PARTITIONS_MOST - 1;
    struct diff_source source = {
        .key = key_of(run, record),
        .version = record->version,
        .digest = *digest,
        .source_tag = diff_tag_of(digest),
        .partition = (int32_t)file,
        .offset = (int64_t)found->line,
    };
    if (!diff_in_pass(&source.key, check->pass, check->passes))
        return;
    source.group = diff_groups_find(groups, record->tenant, record->entity);
    if (!diff_expect(&run->table, &source, ignored, &verdict))
        check->full = true;
}

static void take_record(struct source_check *check, const struct source_record *found)
{
    struct error why = {0};
    struct digest digest;
    struct record record = {
        .tenant = found->tenant,
        .entity = bytes_text(found->mapping->entity),
        .operation = OP_UPSERT,
        .payload = found->payload,
        .source_key = found->source_key,
        .index = found->index,
        .user = found->user,
        .storage_origin = found->storage_origin,
        .sequence = -1,
    };
    check->order++;
    enum outcome outcome = identify(check, found->mapping, &record, &why);
    if (outcome == OUT_OK && !verify_run_in_scope(check->run, record.tenant))
        return;
    if (outcome == OUT_OK)
        outcome =
            source_guard_apply(&check->guard, &check->rules, source_reading_form(check->reading),
                               found->mapping, &record, NULL, &why);
    if (outcome == OUT_OK)
        outcome = digest_payload(check, found->mapping, record.payload, &digest, &why);
    if (outcome == OUT_OK)
        expect(check, &record, found, &digest);
    if (outcome == OUT_OK)
        return;
    /* as the producer says it: the record ends too early, not the source */
    if (why.code == ERR_JSON_TRUNCATED)
        why.code = ERR_JSON_SYNTAX;
    reject(check, found, &why);
}

static void warn_file(struct source_check *check, const struct error *why)
{
    check->run->report.broken = true;
    verify_report_warn(&check->run->report, "%s: %s: %s", check->files.items[check->file].path,
                       error_code_id(why->code), why->text);
}

static enum outcome read_records(struct source_check *check, struct error *err)
{
    struct source_record found;
    struct error why = {0};
    while (!check->full) {
        switch (source_reading_next(check->reading, &found, &why)) {
        case SOURCE_RECORD:
            take_record(check, &found);
            break;
        case SOURCE_REJECTED:
            reject(check, &found, &why);
            break;
        case SOURCE_WITHHELD: /* counted by the producer's own word */
        case SOURCE_NOTE:
        case SOURCE_TURN:
            break;
        case SOURCE_BROKEN:
            warn_file(check, &why);
            break;
        case SOURCE_END:
            return OUT_OK;
        case SOURCE_FATAL:
            *err = why;
            return OUT_FATAL;
        }
    }
    return OUT_OK;
}

static enum outcome read_file(struct source_check *check, const struct source_file *file,
                              struct error *err)
{
    if (strcmp(file->path, "-") == 0)
        return error_set(err, OUT_FATAL, ERR_SOURCE_KIND,
                         "standard input cannot be read a second time");
    enum outcome outcome = source_reading_open(&check->rules, file, &check->reading, err);
    if (outcome == OUT_OK)
        outcome = read_records(check, err);
    source_reading_close(check->reading);
    check->reading = NULL;
    return outcome;
}

static enum outcome read_files(struct source_check *check, struct error *err)
{
    enum outcome outcome = OUT_OK;
    check->order = 0;
    for (check->file = 0; check->file < check->files.count && outcome == OUT_OK; check->file++) {
        outcome = read_file(check, &check->files.items[check->file], err);
        if (outcome != OUT_REJECT)
            continue;
        warn_file(check, err);
        outcome = OUT_OK;
    }
    return outcome;
}

/* ---- the topic */

/* A record of the topic answers the file's if key and content are the same. */
static void answer(struct source_check *check, const struct kafka_read_message *message)
{
    struct verify_run *run = check->run;
    struct record record;
    struct digest digest;
    bool has_version;
    if (message->envelope.null_value ||
        envelope_decode(&message->envelope, &record, NULL) != OUT_OK)
        return;
    const struct verify_mapping *item = verify_run_mapping(run, record.entity);
    buf_reset(&check->id);
    if (!item || mapping_identify(item->mapping, &record, &run->judge.source, NULL, &check->id,
                                  &record.version, &has_version, NULL) != OUT_OK)
        return;
    record.id = buf_view(&check->id);
    struct diff_key key = key_of(run, &record);
    struct diff_entry *entry = diff_find(&run->table, &key);
    if (!entry || entry->marked ||
        digest_payload(check, item->mapping, record.payload, &digest, NULL) != OUT_OK)
        return;
    entry->marked = digest_equal(&entry->digest, &digest);
}

static enum outcome read_topic(struct source_check *check, struct error *err)
{
    struct verify_run *run = check->run;
    size_t count = run->report.partition_count;
    struct kafka_range *ranges = calloc(count, sizeof *ranges);
    struct kafka_reader *reader = NULL;
    const struct kafka_read_message *message = NULL;
    if (!ranges)
        abort();
    for (size_t i = 0; i < count; i++) {
        const struct verify_partition *at = &run->report.partitions[i];
        ranges[i] = (struct kafka_range){at->partition, at->low, at->high};
    }
    enum outcome outcome = kafka_reader_open(run->settings, run->source_topic, ranges, count,
                                             VERIFY_KAFKA_MS, &reader, err);
    while (outcome == OUT_OK) {
        outcome = kafka_reader_next(reader, VERIFY_KAFKA_MS, &message, err);
        if (outcome != OUT_OK || !message)
            break;
        answer(check, message);
    }
    kafka_reader_close(reader);
    free(ranges);
    return outcome;
}

static void count_unproduced(struct source_check *check)
{
    size_t at = 0;
    struct verify_report *report = &check->run->report;
    for (struct diff_entry *entry; (entry = diff_next(&check->run->table, &at));) {
        if (entry->marked)
            continue;
        const struct diff_group *group = &report->groups.items[entry->group];
        struct record record = {
            .tenant = group->tenant,
            .entity = group->entity,
            .origin = {.uri = bytes_text(check->files.items[entry->partition].path),
                       .line = (uint64_t)entry->offset,
                       .column = 1},
        };
        report->groups.items[entry->group].counts[VERDICT_UNPRODUCED]++;
        report->source_count++;
        struct verify_sample *sample =
            expected_sample(check->run, VERDICT_UNPRODUCED, &record, 0, 0);
        if (!sample)
            continue;
        sample->has_place = false;
        sample->key = entry->key;
        sample->reason = BYTES_LITERAL("no record of the topic has this key and content");
    }
}

/* ---- both */

static enum outcome make_table(struct source_check *check, uint64_t records, struct error *err)
{
    struct diff_table *table = &check->run->table;
    size_t bytes = VERIFY_TABLE_SHARE(check->run->settings->verify_memory);
    diff_table_free(table);
    if (diff_table_init(table, records, bytes))
        return OUT_OK;
    return error_set(err, OUT_FATAL, ERR_VERIFY_MEMORY,
                     "the system does not give the memory asked for");
}

/* How many records the files hold is not known before. When they do not fit, the table first gets
 * all of its share of the memory, then the work is done in twice the passes. */
static enum outcome make_room(struct source_check *check, struct error *err)
{
    size_t most = diff_capacity(VERIFY_TABLE_SHARE(check->run->settings->verify_memory));
    if (check->pass != 0 || check->passes >= PASSES_MOST)
        return error_set(err, OUT_FATAL, ERR_VERIFY_MEMORY,
                         "the files' keys do not fit the memory planned for them");
    memset(check->rejected, 0, (check->run->mappings.count + 1) * sizeof *check->rejected);
    check->run->report.sample_counts[VERDICT_REJECTED] = 0;
    if (check->run->table.capacity < most)
        return make_table(check, most, err);
    check->passes *= 2;
    return OUT_OK;
}

static enum outcome read_pass(struct source_check *check, struct error *err)
{
    for (;;) {
        check->full = false;
        diff_table_clear(&check->run->table);
        enum outcome outcome = read_files(check, err);
        if (outcome != OUT_OK || !check->full)
            return outcome;
        outcome = make_room(check, err);
        if (outcome != OUT_OK)
            return outcome;
    }
}

static void count_rejected(struct source_check *check)
{
    struct diff_groups *groups = &check->run->report.groups;
    for (size_t i = 0; i <= check->run->mappings.count; i++) {
        if (!check->rejected[i])
            continue;
        struct bytes entity = i == check->run->mappings.count
                                  ? UNKNOWN_ENTITY
                                  : bytes_text(check->run->mappings.items[i]->entity);
        uint32_t group = diff_groups_find(groups, VERIFY_AT_SOURCE, entity);
        groups->items[group].counts[VERDICT_REJECTED] += check->rejected[i];
        check->run->report.source_count += check->rejected[i];
    }
}

static enum outcome compare(struct source_check *check, struct error *err)
{
    /* usually the files hold what the topic holds */
    enum outcome outcome = make_table(check, check->run->report.source_count, err);
    check->passes = 1;
    for (check->pass = 0; check->pass < check->passes && outcome == OUT_OK; check->pass++) {
        outcome = read_pass(check, err);
        if (outcome == OUT_OK)
            outcome = read_topic(check, err);
        if (outcome == OUT_OK)
            count_unproduced(check);
    }
    if (outcome == OUT_OK)
        count_rejected(check);
    return outcome;
}

static enum outcome open_keys(struct source_check *check, struct error *err)
{
    check->ring = calloc(1, sizeof *check->ring);
    if (!check->ring)
        abort();
    enum outcome outcome = key_file_load(check->run->settings, check->ring, &check->has_key, err);
    if (outcome == OUT_OK && !check->has_key)
        secret_ring_generate(check->ring);
    source_guard_init(&check->guard, check->ring);
    return outcome;
}

static void source_check_free(struct source_check *check)
{
    source_files_free(&check->files);
    source_rules_free(&check->rules);
    source_guard_free(&check->guard);
    secret_ring_wipe(check->ring);
    free(check->ring);
    buf_free(&check->tenant);
    buf_free(&check->id);
    buf_free(&check->masked);
    free(check->rejected);
}

enum outcome source_check_run(struct verify_run *run, struct error *err)
{
    struct source_check check = {.run = run};
    check.rejected = calloc(run->mappings.count + 1, sizeof *check.rejected);
    if (!check.rejected)
        abort();
    buf_init(&check.tenant, TENANT_MOST);
    buf_init(&check.id, TENANT_MOST);
    buf_init(&check.masked, MASKED_MOST);
    enum outcome outcome = open_keys(&check, err);
    if (outcome == OUT_OK)
        outcome = source_rules_init(&check.rules, run->settings, &run->mappings, err);
    if (outcome == OUT_OK)
        outcome =
            source_files_collect(&run->settings->verify_sources, &check.rules, &check.files, err);
    if (outcome == OUT_OK)
        outcome = compare(&check, err);
    source_check_free(&check);
    return outcome;
}
