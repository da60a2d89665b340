/* The verifier's part of a rehearsal: its own reading of each message, its own reading of the
 * store, and the comparison that `drover verify` makes. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/policy/verify/diff_content.h"
#include "common/policy/apply/record_row.h"
#include "common/policy/version.h"
#include "control/rehearse/rehearse.h"

#define ARENA_MOST ((size_t)512 << 20)
#define CONTENT_MOST ((size_t)512 << 20)
#define FIRST_KEYS 4096
#define FIRST_BYTES ((size_t)FIRST_KEYS * 80)

void rehearse_check_open(struct rehearsal *rehearsal)
{
    const struct settings *settings = rehearsal->settings;
    struct verify_report *report = &rehearsal->report;
    mapping_work_init(&rehearsal->check_work);
    arena_init(&rehearsal->check_arena, ARENA_MOST);
    buf_init(&rehearsal->key, 64u << 10);
    buf_init(&rehearsal->content, CONTENT_MOST);
    rehearsal->parents = rehearse_parents_new();
    verify_report_init(report, (size_t)settings->samples, (size_t)settings->report_tenants);
    report->migration = settings->migration;
    report->group = settings->group;
    report->topic = rehearsal->source_topic;
    report->passes = 1;
    report->memory_bytes = settings->store_memory;
    for (size_t i = 0; i < rehearsal->mappings.count; i++) {
        const struct mapping *mapping = rehearsal->mappings.items[i];
        for (size_t k = 0; k < mapping->index_count; k++)
            if (mapping->indexes[k].unique && !memory_unique_can(mapping, &mapping->indexes[k]))
                verify_report_warn(report,
                                   "the unique index %s is not rehearsed: PostgreSQL alone knows "
                                   "its values",
                                   mapping->indexes[k].name);
    }
    if (!diff_table_init(&rehearsal->table, FIRST_KEYS, FIRST_BYTES))
        abort();
}

void rehearse_check_close(struct rehearsal *rehearsal)
{
    diff_table_free(&rehearsal->table);
    verify_report_free(&rehearsal->report);
    rehearse_parents_free(rehearsal->parents);
    mapping_work_free(&rehearsal->check_work);
    arena_free(&rehearsal->check_arena);
    buf_free(&rehearsal->key);
    buf_free(&rehearsal->content);
}

/* One message, read. */
struct reading {
    struct record record;
    const struct mapping *mapping;
    struct row row;
    struct diff_source source;
};

static enum outcome digest_expected(struct rehearsal *rehearsal, struct reading *reading,
                                    struct error *err)
{
    yyjson_doc *doc = NULL;
    if (reading->row.deleted)
        return OUT_OK;
    enum outcome outcome =
        mapping_expected(reading->mapping, &reading->record, &rehearsal->check_work, &doc, err);
    if (outcome == OUT_OK &&
        !diff_content_digest(reading->mapping, yyjson_doc_get_root(doc), reading->row.cells,
                             &rehearsal->content, &reading->source.digest))
        outcome = error_set(err, OUT_REJECT, ERR_JSON_SIZE, "the record is too large to compare");
    yyjson_doc_free(doc);
    return outcome;
}

static enum outcome read_message(struct rehearsal *rehearsal, const struct bus_message *message,
                                 struct reading *reading, struct error *err)
{
    struct record *record = &reading->record;
    arena_reset(&rehearsal->check_arena);
    enum outcome outcome = envelope_decode(&message->envelope, record, err);
    if (outcome != OUT_OK)
        return outcome;
    int64_t log_version = 0;
    if (!record->has_version)
        log_version = version_in_log(&rehearsal->check_clocks[message->partition],
                                     message->timestamp_ms, message->offset);
    outcome = record_to_row(&rehearsal->mappings, record, log_version, &rehearsal->check_work,
                            &rehearsal->check_arena, &reading->mapping, &reading->row, err);
    if (outcome != OUT_OK)
        return outcome;
    buf_reset(&rehearsal->key);
    envelope_append_key(&rehearsal->key, record->tenant, record->entity, reading->row.id);
    reading->source = (struct diff_source){
        .key = diff_key_of(buf_view(&rehearsal->key)),
        .version = reading->row.version,
        .source_tag = diff_tag_of(&reading->row.digest),
        .reading = diff_reading_of(reading->mapping, record),
        .deleted = reading->row.deleted,
        .partition = message->partition,
        .offset = diff_pack_place(record->origin.line, record->origin.column),
    };
    return digest_expected(rehearsal, reading, err);
}

/* Room for one key more, within the memory there is. */
static bool make_room(struct rehearsal *rehearsal)
{
    struct diff_table *table = &rehearsal->table;
    size_t twice = table->capacity * 2 * sizeof(struct diff_entry);
    if (table->used < table->most)
        return true;
    return rehearse_bytes(rehearsal) + twice <= rehearsal->settings->store_memory &&
           diff_table_grow(table);
}

/* Two records of one reading: the second one as a sample, and where the first one stands. */
static void sample_ambiguous(struct rehearsal *rehearsal, const struct reading *reading)
{
    char text[300];
    uint64_t line, column;
    struct verify_report *report = &rehearsal->report;
    const struct record *record = &reading->record;
    struct verify_sample *sample = verify_report_sample(report, VERDICT_AMBIGUOUS, ERR_NONE);
    if (!sample)
        return;
    const struct diff_entry *first = diff_find(&rehearsal->table, &reading->source.key);
    sample->tenant = verify_report_copy(report, record->tenant);
    sample->entity = verify_report_copy(report, record->entity);
    sample->id = verify_report_copy(report, reading->row.id);
    sample->key = reading->source.key;
    snprintf(text, sizeof text, "%.*s:%" PRIu64 ":%" PRIu64, BYTES_ARGS(record->origin.uri),
             record->origin.line, record->origin.column);
    sample->origin = verify_report_copy(report, bytes_text(text));
    diff_unpack_place(first->offset, &line, &column);
    snprintf(text, sizeof text,
             "the key came before at %" PRIu64 ":%" PRIu64
             " of this source with other content, and "
             "no version tells which is meant",
             line, column);
    sample->reason = verify_report_copy(report, bytes_text(text));
}

static void expect(struct rehearsal *rehearsal, struct reading *reading)
{
    enum verdict verdict;
    struct error err;
    struct diff_groups *groups = &rehearsal->report.groups;
    struct diff_source *source = &reading->source;
    source->group = diff_groups_find(groups, reading->record.tenant, reading->record.entity);
    const struct diff_entry *leader = diff_find(&rehearsal->table, &source->key);
    if (leader && diff_is_ambiguous(leader, source))
        sample_ambiguous(rehearsal, reading);
    if (!make_room(rehearsal) ||
        !diff_expect(&rehearsal->table, source, groups->items[source->group].counts, &verdict)) {
        error_set(&err, OUT_FATAL, ERR_STORE_MEMORY, "the keys do not fit the memory storage");
        rehearse_fail(rehearsal, &err);
        return;
    }
    if (verdict == VERDICT_PENDING && reading->mapping->reference_count && !reading->row.deleted)
        rehearse_parents_take(rehearsal->parents, &rehearsal->mappings, reading->mapping,
                              &reading->row, source->group);
}

/* An example of a verdict: where the record stands, and why. */
static void add_sample(struct rehearsal *rehearsal, enum verdict verdict,
                       const struct reading *reading, const struct bus_message *message,
                       const struct error *err)
{
    char text[300];
    struct verify_report *report = &rehearsal->report;
    const struct record *record = &reading->record;
    struct verify_sample *sample = verify_report_sample(report, verdict, err->code);
    if (!sample)
        return;
    sample->tenant = verify_report_copy(report, record->tenant);
    sample->entity = verify_report_copy(report, record->entity);
    sample->id = verify_report_copy(report, record->id);
    sample->key = diff_key_of(message->envelope.key);
    sample->has_place = true;
    sample->partition = message->partition;
    sample->offset = message->offset;
    snprintf(text, sizeof text, "%.*s:%" PRIu64 ":%" PRIu64, BYTES_ARGS(record->origin.uri),
             record->origin.line, record->origin.column);
    if (record->origin.uri.size)
        sample->origin = verify_report_copy(report, bytes_text(text));
    snprintf(text, sizeof text, "%s: %s%s%s", error_code_id(err->code),
             error_code_meaning(err->code), err->path[0] ? " at " : "", err->path);
    sample->reason = verify_report_copy(report, bytes_text(text));
}

void rehearse_check_take(struct rehearsal *rehearsal, const struct bus_message *message, bool dead)
{
    struct error err;
    struct reading reading;
    memset(&reading, 0, sizeof reading);
    rehearsal->report.source_count++;
    enum outcome outcome = read_message(rehearsal, message, &reading, &err);
    if (!dead && outcome == OUT_OK) {
        expect(rehearsal, &reading);
        return;
    }
    struct diff_groups *groups = &rehearsal->report.groups;
    uint32_t group = diff_groups_find(groups, reading.record.tenant, reading.record.entity);
    enum verdict verdict = dead ? VERDICT_DEAD : VERDICT_UNUSABLE;
    groups->items[group].counts[verdict]++;
    if (outcome == OUT_OK)
        return;
    verify_report_count_code(&rehearsal->report, verdict, err.code, 1);
    add_sample(rehearsal, verdict, &reading, message, &err);
}

/* ---- the store --------------------------------------------------------------------------- */

static void judge_row(struct rehearsal *rehearsal, const struct diff_row *row)
{
    struct diff_entry *entry;
    struct diff_groups *groups = &rehearsal->report.groups;
    rehearsal->report.rows++;
    if (diff_actual(&rehearsal->table, row, &entry) == VERDICT_EXTRA)
        groups->items[0].counts[VERDICT_EXTRA]++;
}

/* A rehearsal: rows were run backwards when they were written. */
static void judge_checks(struct rehearsal *rehearsal)
{
    size_t at = 0;
    struct diff_key key;
    const struct memory_row *row;
    while ((row = memory_store_next(rehearsal->store, &at, &key)))
        judge_row(rehearsal, &(struct diff_row){.key = key,
                                                .version = row->version,
                                                .digest = row->given_back,
                                                .unreadable = row->unreadable,
                                                .deleted = row->deleted});
}

static bool digest_stored(struct rehearsal *rehearsal, const struct stored *stored,
                          struct digest *digest)
{
    yyjson_doc *doc = NULL;
    bool done = stored->deleted ||
                (json_parse(stored->json, JSON_UNICODE_REJECT, NULL, &doc, NULL) == OUT_OK &&
                 diff_content_digest(stored->mapping, yyjson_doc_get_root(doc), stored->cells,
                                     &rehearsal->content, digest));
    yyjson_doc_free(doc);
    return done;
}

/* A run: the rows themselves, as the store gives them back. */
static void judge_rows(struct rehearsal *rehearsal)
{
    struct stored stored;
    struct error err;
    struct stored_reader *reader = memory_stored_open(rehearsal->store);
    for (;;) {
        enum outcome outcome = reader->ops->next(reader, &stored, &err);
        if (!stored.mapping)
            break;
        buf_reset(&rehearsal->key);
        envelope_append_key(&rehearsal->key, stored.tenant, bytes_text(stored.mapping->entity),
                            stored.id);
        struct diff_row row = {.key = diff_key_of(buf_view(&rehearsal->key)),
                               .version = stored.version,
                               .deleted = stored.deleted};
        row.unreadable = outcome != OUT_OK || !digest_stored(rehearsal, &stored, &row.digest);
        judge_row(rehearsal, &row);
    }
    reader->ops->close(reader);
}

/* Of a key only its hash and its place are kept. */
static void sample_entry(struct rehearsal *rehearsal, const struct diff_entry *entry)
{
    struct verify_report *report = &rehearsal->report;
    struct verify_sample *sample =
        verify_report_sample(report, (enum verdict)entry->verdict, ERR_NONE);
    if (!sample)
        return;
    sample->tenant = report->groups.items[entry->group].tenant;
    sample->entity = report->groups.items[entry->group].entity;
    sample->key = entry->key;
    char text[120];
    uint64_t line, column;
    diff_unpack_place(entry->offset, &line, &column);
    snprintf(text, sizeof text,
             "the row does not give the record of line %" PRIu64 ", column %" PRIu64
             " back as it was",
             line, column);
    sample->reason = verify_report_copy(report, bytes_text(text));
}

static void count_verdicts(struct rehearsal *rehearsal)
{
    size_t at = 0;
    for (struct diff_entry *entry; (entry = diff_next(&rehearsal->table, &at));) {
        if (entry->verdict == VERDICT_PENDING)
            entry->verdict = VERDICT_MISSING;
        rehearsal->report.groups.items[entry->group].counts[entry->verdict]++;
        rehearsal->report.compared++;
        if (verdict_is_problem((enum verdict)entry->verdict))
            sample_entry(rehearsal, entry);
    }
}

static void count_source(struct rehearsal *rehearsal)
{
    struct verify_report *report = &rehearsal->report;
    const struct produce_ledger *ledger = &rehearsal->ledger;
    uint32_t group =
        diff_groups_find(&report->groups, BYTES_LITERAL("(at the source)"), BYTES_LITERAL(""));
    report->groups.items[group].counts[VERDICT_REJECTED] += ledger->rejected;
    report->groups.items[group].counts[VERDICT_WITHHELD] += ledger->withheld;
    report->source_count += ledger->rejected + ledger->withheld;
    for (size_t i = 0; i < PRODUCE_CODES_MOST && !ledger->failed_sources; i++)
        if (ledger->by_code[i]) /* else they count the sources as well */
            verify_report_count_code(report, VERDICT_REJECTED, (enum error_code)i,
                                     ledger->by_code[i]);
    if (!ledger->failed_sources)
        return;
    report->broken = true;
    verify_report_warn(report, "%llu sources could not be read whole",
                       (unsigned long long)ledger->failed_sources);
}

void rehearse_check_judge(struct rehearsal *rehearsal, enum memory_keeps keeps)
{
    if (keeps == MEMORY_KEEPS_ROWS)
        judge_rows(rehearsal);
    else
        judge_checks(rehearsal);
    count_verdicts(rehearsal);
    count_source(rehearsal);
}
