/* `drover dlq discard --source URI --reason TEXT`: the readings in the results topic, less what was
 * decided before, are what is asked about; the decision goes into the control topic, one message a
 * source. */
#include "control/dlq/source_discard.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/kafka/kafka_bus.h"
#include "common/io/kafka/kafka_topics.h"
#include "common/io/stop.h"
#include "common/model/message/envelope.h"
#include "common/model/value/timestamp.h"
#include "common/policy/verify/readings.h"
#include "common/port/bus.h"
#include "control/decision_log.h"
#include "control/dlq/discard_confirm.h"

enum {
    SERVER_MS = 10000,
    STORE_MS = 30000,
    URI_LIMIT = 64 * 1024,
    LINE_LIMIT = 64 * 1024,
    NAME_MAX_BYTES = 120,
    READINGS_LIMIT = 32 << 20,
};

struct discarding {
    const struct settings *settings;
    const char *run;
    struct answer *answer;
    char topics[TOPIC_KINDS][TOPIC_NAME_SIZE];
    struct bus *bus;
    struct buf uri;           /* as readings spell it */
    struct readings readings; /* of this uri alone */
    struct readings_entry **open;
    size_t open_count;
    uint64_t rejected; /* of those */
    bool no_room;
};

typedef void (*take_message)(struct discarding *discarding, struct bytes json);

/* ---- what is known ----------------------------------------------------------------------- */

/* As it was typed, or as a report shows it. */
static bool is_meant(const struct discarding *discarding, struct bytes uri)
{
    return bytes_equal(uri, buf_view(&discarding->uri)) ||
           bytes_equal(uri, bytes_text(discarding->settings->dead_letters.source));
}

static void take_reading(struct discarding *discarding, struct bytes json)
{
    struct reading reading;
    if (!reading_is_one(json))
        return;
    if (reading_parse(json, &reading, NULL) == OUT_OK && is_meant(discarding, reading.uri) &&
        !readings_add(&discarding->readings, &reading, (struct bytes){0}))
        discarding->no_room = true;
    reading_free(&reading);
}

static void take_decision(struct discarding *discarding, struct bytes json)
{
    struct decision decision;
    if (decision_parse(json, &decision, NULL) == OUT_OK && decision.kind == DECISION_SOURCE &&
        is_meant(discarding, decision.about.uri) &&
        !readings_decide(&discarding->readings, &decision))
        discarding->no_room = true;
    decision_free(&decision);
}

static enum outcome read_topic(struct discarding *discarding, enum topic_kind kind,
                               take_message take, struct error *err)
{
    const char *topic = discarding->topics[kind];
    const struct bus_message *message = NULL;
    struct bus_reader *reader = NULL;
    struct bus_range *ranges = NULL;
    size_t count = 0;
    enum outcome outcome = bus_ranges(discarding->bus, topic, SERVER_MS, &ranges, &count, err);
    if (outcome == OUT_OK && count == 0)
        outcome = kafka_topics_no_migration(discarding->settings, err);
    if (outcome == OUT_OK)
        outcome = bus_open_reader(discarding->bus, topic, ranges, count, SERVER_MS, &reader, err);
    while (outcome == OUT_OK) {
        outcome = bus_reader_next(reader, SERVER_MS, &message, err);
        if (outcome != OUT_OK || !message)
            break;
        take(discarding, message->envelope.value);
        if (stop_signal())
            outcome = error_set(err, OUT_FATAL, ERR_USAGE, "nothing was discarded");
    }
    bus_reader_close(reader);
    free(ranges);
    return outcome;
}

static enum outcome read_all(struct discarding *discarding, struct error *err)
{
    const struct settings *settings = discarding->settings;
    enum outcome outcome =
        topic_format_all(settings->prefix, settings->migration, discarding->topics, err);
    if (outcome != OUT_OK)
        return outcome;
    discarding->bus = kafka_bus_new(settings, NULL);
    kafka_bus_answer_within(discarding->bus, SERVER_MS);
    outcome = read_topic(discarding, TOPIC_RESULTS, take_reading, err);
    if (outcome == OUT_OK)
        outcome = read_topic(discarding, TOPIC_CONTROL, take_decision, err);
    if (outcome == OUT_OK && discarding->no_room)
        outcome = error_set(err, OUT_FATAL, ERR_STORE_MEMORY,
                            "the source was read more often than can be kept");
    return outcome;
}

/* ---- which of them ----------------------------------------------------------------------- */

static uint64_t rejected_of(const struct readings_entry *entry)
{
    return entry->complete && !readings_is_discarded(entry) ? entry->rejected : 0;
}

static struct bytes run_of(const struct readings_entry *entry)
{
    return readings_is_incomplete(entry) ? entry->incomplete_name : entry->run_name;
}

static bool is_open(const struct discarding *discarding, const struct readings_entry *entry)
{
    const char *run = discarding->run;
    if (run && !bytes_equal(bytes_text(run), entry->run_name) &&
        !bytes_equal(bytes_text(run), entry->incomplete_name))
        return false;
    return readings_is_incomplete(entry) || rejected_of(entry);
}

static enum outcome choose(struct discarding *discarding, struct error *err)
{
    size_t at = 0, known = 0;
    discarding->open = mem_zeroed(discarding->readings.count + 1, sizeof *discarding->open);
    for (struct readings_entry *entry; (entry = readings_next(&discarding->readings, &at));) {
        known++;
        if (!is_open(discarding, entry))
            continue;
        discarding->open[discarding->open_count++] = entry;
        discarding->rejected += rejected_of(entry);
    }
    if (known && (discarding->open_count || !discarding->run))
        return OUT_OK;
    error_set(err, OUT_FATAL, ERR_USAGE, "no reading of %.100s is known%s%.40s",
              discarding->settings->dead_letters.source,
              discarding->run ? " that lacks something, of run " : "",
              discarding->run ? discarding->run : "");
    error_hint(err, "drover status shows the sources, as their readings spell them");
    return OUT_FATAL;
}

static enum outcome refuse_several(const struct discarding *discarding, struct error *err)
{
    error_set(err, OUT_FATAL, ERR_USAGE, "%zu sources are called %.100s, and each lacks something",
              discarding->open_count, discarding->settings->dead_letters.source);
    error_hint(err, "drover dlq discard RUN --source … for the one of that run, --all for all");
    return OUT_FATAL;
}

/* ---- what is said ------------------------------------------------------------------------ */

static void append_entry(struct json_out *out, const struct readings_entry *entry)
{
    struct bytes run = run_of(entry);
    json_out_object(out, NULL);
    json_out_bytes(out, "uri", entry->uri);
    json_out_bytes(out, "run", run);
    json_out_bool(out, "stream", entry->stream);
    json_out_bool(out, "complete", !readings_is_incomplete(entry));
    json_out_count(out, "rejected", rejected_of(entry));
    json_out_time(out, "finished",
                  readings_is_incomplete(entry) ? entry->incomplete_ms : entry->finished_ms);
    json_out_end(out);
}

static void print_entry(const struct readings_entry *entry)
{
    bool incomplete = readings_is_incomplete(entry);
    uint64_t rejected = rejected_of(entry);
    struct bytes run = run_of(entry);
    struct buf line;
    char number[28];
    buf_init(&line, LINE_LIMIT);
    buf_append_text(&line, "  ");
    text_append_safe(&line, entry->uri, NAME_MAX_BYTES);
    buf_append_text(&line, "  run ");
    text_append_safe(&line, run, NAME_MAX_BYTES);
    buf_append_text(&line, ", ");
    timestamp_append_ms(&line, incomplete ? entry->incomplete_ms : entry->finished_ms);
    if (rejected)
        buf_append_format(&line, ", %s rejected", text_format_count(rejected, number));
    if (incomplete)
        buf_append_text(&line, ", not complete");
    fprintf(stderr, "%s\n", buf_text(&line));
    buf_free(&line);
}

static void show_entries(const struct discarding *discarding)
{
    struct answer *answer = discarding->answer;
    if (answer->wanted)
        json_out_list(answer_body(answer), "sources");
    for (size_t i = 0; i < discarding->open_count; i++) {
        if (answer->wanted)
            append_entry(answer_body(answer), discarding->open[i]);
        else
            print_entry(discarding->open[i]);
    }
    if (answer->wanted)
        json_out_end(answer_body(answer));
}

/* "2 sources, 14 rejected records of theirs," */
static void format_what(const struct discarding *discarding, char out[120])
{
    char sources[28], records[28];
    snprintf(
        out, 120, "%s source%s with %s rejected record%s",
        text_format_count(discarding->open_count, sources), discarding->open_count == 1 ? "" : "s",
        text_format_count(discarding->rejected, records), discarding->rejected == 1 ? "" : "s");
}

static void show_end(const struct discarding *discarding)
{
    char what[120];
    const struct settings *settings = discarding->settings;
    if (discarding->answer->wanted) {
        struct json_out *out = answer_body(discarding->answer);
        json_out_bool(out, "dry_run", settings->dry_run);
        json_out_text(out, "reason", settings->reason);
        json_out_count(out, "discarded", discarding->rejected);
        return;
    }
    format_what(discarding, what);
    printf("%s %sdiscarded\n", what, settings->dry_run ? "would be " : "");
}

/* ---- doing it ---------------------------------------------------------------------------- */

static enum outcome decide(const struct discarding *discarding, struct json_sender *control,
                           const struct readings_entry *entry, struct error *err)
{
    bool did_not_end = readings_is_incomplete(entry) || readings_is_given_up(entry);
    struct decision decision = {.kind = DECISION_SOURCE,
                                .why = bytes_text(discarding->settings->reason),
                                .partition = -1,
                                .about = {.uri = entry->uri,
                                          .has_source = entry->has_source,
                                          .source = entry->source,
                                          .stream = entry->stream}};
    if (entry->complete && entry->rejected)
        decision.run = entry->run_name;
    if (entry->follows)
        decision.about.until_ms = entry->finished_ms;
    if (did_not_end) {
        decision.about.unfinished = entry->incomplete_name;
        decision.about.until_ms = entry->incomplete_ms;
    }
    return decision_log_write(control, decision_kind_name(decision.kind), &decision, err);
}

static enum outcome decide_all(const struct discarding *discarding, struct error *err)
{
    struct json_sender *control = NULL;
    enum outcome outcome = json_sender_open(discarding->bus, discarding->topics[TOPIC_CONTROL],
                                            STORE_MS, &control, err);
    for (size_t i = 0; i < discarding->open_count && outcome == OUT_OK; i++)
        outcome = decide(discarding, control, discarding->open[i], err);
    if (outcome == OUT_OK)
        outcome = json_sender_flush(control, STORE_MS, "the decision could not be stored", err);
    json_sender_close(control);
    return outcome;
}

static enum outcome act(struct discarding *discarding, struct error *err)
{
    char what[120];
    const struct settings *settings = discarding->settings;
    enum outcome outcome = read_all(discarding, err);
    if (outcome == OUT_OK)
        outcome = choose(discarding, err);
    if (outcome != OUT_OK)
        return outcome;
    show_entries(discarding);
    if (discarding->open_count > 1 && !settings->all)
        return refuse_several(discarding, err);
    if (settings->dry_run || !discarding->open_count)
        return OUT_OK;
    format_what(discarding, what);
    outcome = discard_confirm(settings, what, err);
    return outcome == OUT_OK ? decide_all(discarding, err) : outcome;
}

enum exit_code source_discard(const struct settings *settings, const char *run,
                              struct answer *answer, struct error *err)
{
    struct discarding discarding = {.settings = settings, .run = run, .answer = answer};
    readings_init(&discarding.readings, READINGS_LIMIT);
    discarding.readings.keeps_names = true;
    buf_init(&discarding.uri, URI_LIMIT);
    envelope_append_uri(&discarding.uri, bytes_text(settings->dead_letters.source));
    enum outcome outcome = act(&discarding, err);
    if (outcome == OUT_OK)
        show_end(&discarding);
    free(discarding.open);
    readings_free(&discarding.readings);
    buf_free(&discarding.uri);
    kafka_bus_free(discarding.bus);
    if (outcome != OUT_OK && stop_signal())
        return (enum exit_code)(128 + stop_signal());
    return outcome == OUT_OK ? EXIT_OK : command_fail(err);
}
