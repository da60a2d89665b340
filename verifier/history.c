/* See the header. */
#include "verifier/history.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/plural.h"
#include "common/base/text.h"
#include "common/model/message/dead_letter.h"
#include "common/model/message/decision.h"
#include "common/model/message/reading.h"
#include "common/policy/apply/sequence.h"
#include "common/policy/produce_counters.h"
#include "verifier/samples.h"

#define SOURCE_NAME_MAX 120 /* bytes of a source's name in a warning */

void history_init(struct verify_run *run)
{
    readings_init(&run->readings, VERIFY_READINGS_SHARE(run->memory_max));
    diff_dead_init(&run->decided, VERIFY_DECIDED_SHARE(run->memory_max));
}

void history_free(struct verify_run *run)
{
    readings_free(&run->readings);
    diff_dead_free(&run->decided);
    given_up_free(&run->given_up);
    free(run->sequences);
    free(run->rejected_codes);
}

/* ---- what others say --------------------------------------------------------------------- */

bool history_take_reading(struct verify_run *run, struct bytes json)
{
    struct reading reading;
    bool added = true;
    if (run->source_is_begun && !run->options.read_once)
        return true;
    if (reading_parse(json, &reading, NULL) == OUT_OK)
        added = readings_add(&run->readings, &reading, json);
    reading_free(&reading);
    return added;
}

/* "topic-partition-offset" of the source topic. */
static bool parse_id(const struct verify_run *run, struct bytes id, int32_t *partition,
                     int64_t *offset)
{
    uint64_t number, at;
    bool is_place = text_cut_number(&id, "-", &at) && text_cut_number(&id, "-", &number) &&
                    number <= INT32_MAX && bytes_equal(id, bytes_text(run->topics[TOPIC_SOURCE]));
    *partition = is_place ? (int32_t)number : 0;
    *offset = is_place ? (int64_t)at : 0;
    return is_place;
}

static enum outcome refuse_decisions(struct error *err)
{
    error_set(err, OUT_FATAL, ERR_VERIFY_MEMORY, "what was decided does not fit the memory budget");
    error_hint(err, "give more --memory");
    return OUT_FATAL;
}

static enum outcome take_ids(struct verify_run *run, const struct decision *decision,
                             struct error *err)
{
    enum outcome outcome = OUT_OK;
    for (size_t i = 0; i < decision->id_count && outcome == OUT_OK; i++) {
        struct dead_letter place = {.code = decision->kind};
        if (parse_id(run, decision->ids[i], &place.partition, &place.offset) &&
            !diff_dead_put(&run->decided, &place))
            outcome = refuse_decisions(err);
    }
    return outcome;
}

/* Offsets of our partition that went on behind them. */
static enum outcome take_resumed(struct verify_run *run, const struct decision *decision,
                                 struct error *err)
{
    if (!bytes_equal(decision->group, bytes_text(run->settings->group)) ||
        given_up_add(&run->given_up, decision->partition, decision->from, decision->to))
        return OUT_OK;
    return refuse_decisions(err);
}

/* The last decision about a dead letter, or a source, holds. */
static enum outcome take_decision(void *owner, const struct bus_message *message, struct error *err)
{
    struct verify_run *run = owner;
    struct decision decision;
    enum outcome outcome = OUT_OK;
    bool parsed = decision_parse(message->envelope.value, &decision, NULL) == OUT_OK;
    if (parsed && decision_has_ids(decision.kind))
        outcome = take_ids(run, &decision, err);
    else if (parsed && decision.kind == DECISION_RESUMED)
        outcome = take_resumed(run, &decision, err);
    else if (parsed && decision.kind == DECISION_SOURCE &&
             !readings_decide(&run->readings, &decision))
        outcome = refuse_decisions(err);
    decision_free(&decision);
    return outcome;
}

enum outcome history_read_decisions(struct verify_run *run, struct error *err)
{
    return verify_run_read_new(run, TOPIC_CONTROL, take_decision, err);
}

static bool is_decided(const struct verify_run *run, int32_t partition, int64_t offset,
                       enum decision_kind kind)
{
    const struct dead_letter *place = diff_dead_find(&run->decided, partition, offset);
    return place && place->code == kind;
}

bool history_is_discarded(const struct verify_run *run, int32_t partition, int64_t offset)
{
    return is_decided(run, partition, offset, DECISION_DISCARDED);
}

const struct dead_letter *history_find_dead(const struct verify_run *run,
                                            const struct bus_message *message)
{
    if (is_decided(run, message->partition, message->offset, DECISION_LANDED))
        return NULL;
    return diff_dead_find(&run->dead, message->partition, message->offset);
}

/* ---- messages ---------------------------------------------------------------------------- */

void history_begin(struct verify_run *run)
{
    free(run->sequences);
    run->sequences = mem_zeroed(run->report.partition_count, sizeof *run->sequences);
    run->source_is_begun = true;
}

bool history_is_repeat(struct verify_run *run, const struct bus_message *message)
{
    struct bytes name;
    int64_t missing, sequence = envelope_sequence(&message->envelope, &name);
    struct sequences *sequences = &run->sequences[message->partition];
    enum sequence_result result = sequence_see(sequences, name, sequence, &missing);
    if (result == SEQUENCE_GAP)
        sequence_accept(sequences, name, sequence);
    return result == SEQUENCE_REPEAT;
}

bool history_first_attempt(const struct verify_run *run, const struct bus_message *message,
                           int32_t *partition, int64_t *offset)
{
    static const struct bytes NAME = {DEAD_LETTER_REPLAYED_FROM,
                                      sizeof DEAD_LETTER_REPLAYED_FROM - 1};
    const struct envelope *envelope = &message->envelope;
    for (size_t i = 0; i < envelope->header_count; i++)
        if (bytes_equal(envelope->headers[i].name, NAME))
            return parse_id(run, envelope->headers[i].value, partition, offset);
    return false;
}

bool history_has(struct verify_run *run, const struct bus_message *message,
                 const struct record *record, bool is_repeat)
{
    int32_t partition;
    int64_t offset;
    struct readings_entry *entry;
    if (run->options.read_once)
        return false;
    if (history_first_attempt(run, message, &partition, &offset))
        return true;
    bool is_history = readings_is_history(&run->readings, record->origin.uri, record->run, &entry);
    if (entry && !is_repeat)
        entry->seen += run->pass == 0;
    return is_history || is_repeat;
}

/* ---- what is to be said ------------------------------------------------------------------ */

static void name_source(const struct readings_entry *entry, char name[2 * SOURCE_NAME_MAX])
{
    struct buf safe;
    buf_init(&safe, 4096);
    text_append_safe(&safe, entry->uri, SOURCE_NAME_MAX);
    snprintf(name, 2 * SOURCE_NAME_MAX, "%s", buf_text(&safe));
    buf_free(&safe);
}

/* Where only a part of the topic was looked at, or is left, nobody can say that something lacks.
 * True: something does. */
static bool test_reading(struct verify_run *run, const struct readings_entry *entry)
{
    char name[2 * SOURCE_NAME_MAX];
    struct verify_report *report = &run->report;
    bool all_seen = scope_is_whole(&run->scope) && !run->options.read_once && !report->evicted;
    name_source(entry, name);
    if (readings_is_incomplete(entry))
        verify_report_break_source(
            report,
            "the reading of %s is not complete: %s, or, when it never comes again, "
            "drover dlq discard --source %s --reason TEXT",
            name, entry->follows ? "it is followed; put it right" : "run the same command again",
            entry->stream ? "-" : "URI");
    if (readings_is_given_up(entry))
        verify_report_warn(
            report,
            "the reading of %s is not complete, and was discarded: only what it sent "
            "is verified",
            name);
    if (!entry->complete || !all_seen || entry->seen == entry->produced)
        return false;
    void (*say)(struct verify_report *, const char *, ...) =
        entry->seen < entry->produced ? verify_report_break : verify_report_warn;
    say(report,
        "the producer says that it sent %" PRIu64 " record%s of %s, the topic holds %" PRIu64
        " of them",
        entry->produced, plural_end(entry->produced), name, entry->seen);
    return entry->seen < entry->produced;
}

void history_test(struct verify_run *run)
{
    size_t at = 0;
    bool is_short = false;
    run->report.given_up = 0;
    for (size_t i = 0; i < run->report.partition_count; i++) {
        const struct verify_partition *partition = &run->report.partitions[i];
        run->report.given_up +=
            given_up_below(&run->given_up, partition->partition, partition->low);
    }
    for (struct readings_entry *entry; (entry = readings_next(&run->readings, &at));)
        is_short = test_reading(run, entry) || is_short;
    uint64_t holes = is_short ? holes_count(&run->holes) : 0;
    if (holes)
        verify_report_warn(&run->report,
                           "%" PRIu64 " offsets of %s hold no message: it seems to be compacted; "
                           "cleanup.policy=delete, then drover produce --again SOURCE…",
                           holes, run->topics[TOPIC_SOURCE]);
}

static void count(struct verify_run *run, struct bytes entity, enum verdict verdict,
                  uint64_t number)
{
    struct diff_groups *groups = &run->report.groups;
    if (!number)
        return;
    uint32_t group = diff_groups_find(groups, VERIFY_AT_SOURCE, entity);
    groups->items[group].counts[verdict] += number;
    run->report.source_count += number;
}

static enum error_code find_code(const char *id)
{
    enum error_code code;
    return error_code_find(id, &code) ? code : ERR_NONE;
}

static void sample_rejected(struct verify_run *run, const struct reading *reading,
                            const struct reading_place *place)
{
    const enum error_code code = find_code(place->code);
    const struct record record = {
        .entity = place->entity,
        .origin = {.uri = reading->uri, .line = place->line, .column = place->column}};
    struct verify_sample *sample = samples_add(run, VERDICT_REJECTED, code, &record, 0, 0);
    if (!sample)
        return;
    sample->has_place = false;
    samples_reason(run, sample, code, "");
}

/* By codes and entities, as far as its message was kept; false: it was not. */
static bool count_by_code(struct verify_run *run, const struct readings_entry *entry)
{
    struct reading reading;
    bool discarded = readings_is_discarded(entry);
    if (!entry->rejections.size)
        return false;
    bool parsed = reading_parse(entry->rejections, &reading, NULL) == OUT_OK;
    for (size_t i = 0; parsed && i < reading.code_count; i++) {
        const struct reading_code *code = &reading.codes[i];
        count(run, code->entity, discarded ? VERDICT_DISCARDED : VERDICT_REJECTED, code->count);
        if (discarded)
            continue;
        verify_report_count_code(&run->report, VERDICT_REJECTED, find_code(code->code),
                                 code->count);
    }
    for (size_t i = 0; parsed && !discarded && i < reading.place_count; i++)
        sample_rejected(run, &reading, &reading.places[i]);
    reading_free(&reading);
    return parsed;
}

/* What a producer's own books say, where this process has them and its readings were not told. */
static void count_books(struct verify_run *run)
{
    for (size_t i = 0; run->rejected_codes && i < PRODUCE_CODES_MAX; i++)
        verify_report_count_code(&run->report, VERDICT_REJECTED, (enum error_code)i,
                                 run->rejected_codes[i]);
}

/* The files themselves know better what is rejected of them now. */
void history_count_rejected(struct verify_run *run)
{
    size_t at = 0;
    uint64_t withheld = run->withheld;
    bool by_files = run->settings->verify_sources.count > 0;
    if (!scope_has_rejected(&run->scope, (struct bytes){0}))
        return;
    for (struct readings_entry *entry; (entry = readings_next(&run->readings, &at));) {
        withheld += entry->complete ? entry->withheld : 0;
        if (entry->complete && entry->stream && !by_files && !readings_is_discarded(entry))
            run->report.rejected_of_streams += entry->rejected;
        if (entry->complete && entry->rejected && !by_files && !count_by_code(run, entry))
            count(run, (struct bytes){0},
                  readings_is_discarded(entry) ? VERDICT_DISCARDED : VERDICT_REJECTED,
                  entry->rejected);
    }
    if (!by_files)
        count(run, (struct bytes){0}, VERDICT_REJECTED, run->rejected);
    count(run, (struct bytes){0}, VERDICT_WITHHELD, withheld);
    if (!by_files && run->readings.count == 0)
        count_books(run);
}
