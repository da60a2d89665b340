/* The run as a whole: what is needed before the first byte is read, the sources, the end. */
#include "producer/produce.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/answer.h"
#include "common/io/clock.h"
#include "common/io/kafka/kafka_bus.h"
#include "common/io/key_file.h"
#include "common/io/log.h"
#include "common/io/run_name.h"
#include "common/io/terminal.h"
#include "common/model/message/receipt.h"
#include "producer/follow/follow.h"
#include "producer/producer.h"
#include "common/io/stop.h"

#define KEYS_BYTES ((size_t)16 << 20) /* half a million keys */
#define BROKER_WAIT_MS 10000          /* before the first byte is read */
#define STOP_FLUSH_MS 10000           /* after a signal */
#define RECEIPT_WAIT_MS 10000         /* the records are stored by then */
#define ENVELOPE_BYTES (64 * 1024)
#define SENTS_BYTES ((size_t)1 << 30) /* bounded by the queue's number of messages */

/* ---- the key ---- */

/* A rehearsal seals with a key nobody keeps. */
static enum outcome load_key(struct producer *producer, struct error *err)
{
    enum outcome outcome = OUT_OK;
    if (producer->options.any_key && !producer->settings->key_file) {
        secret_ring_generate(&producer->ring);
        producer->has_ring = true;
    } else {
        outcome = key_file_load(producer->settings, &producer->ring, &producer->has_ring, err);
        if (outcome == OUT_OK && producer->has_ring && !producer->options.any_key)
            outcome = key_file_pin(producer->settings, &producer->ring, err);
    }
    const struct secret_ring *ring = producer->has_ring ? &producer->ring : NULL;
    source_guard_init(&producer->guard, ring);
    return outcome;
}

static bool may_hold(const struct mapping *mapping, const struct source_kind *kind)
{
    if (kind->form == COLLECT_LOCALSTORAGE)
        return mapping->collect_key_count > 0;
    if (kind->form == COLLECT_MAP_DUMP)
        return mapping->collect_map_count > 0;
    return mapping == kind->mapping;
}

/* A source whose records may need sealing is not begun without the key. */
static enum outcome check_key(const struct producer *producer, const struct source_kind *kind,
                              struct error *err)
{
    const struct mapping_set *mappings = &producer->mappings;
    for (size_t i = 0; kind->is_known && !producer->has_ring && i < mappings->count; i++) {
        const struct mapping *mapping = mappings->items[i];
        if (mapping->seal_count == 0 || !may_hold(mapping, kind))
            continue;
        error_set(err, OUT_FATAL, ERR_SECRET_KEY, "%s seals members, and there is no key",
                  mapping->entity);
        error_where(err, "%s", mapping->file);
        error_hint(err, "drover secret keygen drover.key, then --key-file drover.key");
        return OUT_FATAL;
    }
    return OUT_OK;
}

/* ---- the sources ---- */

/* All sources must have a mapping and a tenant rule before any is produced. A followed one that is
 * of no mapping may be half written: the scans of it tell (and a supervisor starts a follower again
 * at any moment). */
static enum outcome check_sources(struct producer *producer, struct error *err)
{
    struct error first = {0};
    size_t uncollected = 0;
    producer->kinds = mem_zeroed(producer->files.count + 1, sizeof(*producer->kinds));
    for (size_t i = 0; i < producer->files.count; i++) {
        struct source_kind kind;
        enum outcome outcome =
            source_reading_check(&producer->rules, &producer->files.items[i], &kind, err);
        bool counts = outcome == OUT_FATAL && err->code == ERR_MAPPING_ENTITY;
        if (counts && producer->settings->follow)
            continue;
        if (counts && uncollected++ == 0)
            first = *err;
        producer->kinds[i] = kind;
        if ((outcome == OUT_FATAL && !counts) || check_key(producer, &kind, err) != OUT_OK)
            return OUT_FATAL;
    }
    if (uncollected == 0)
        return OUT_OK;
    *err = first;
    if (uncollected > 1)
        snprintf(err->text, sizeof(err->text), "%.180s, nor %zu more of the sources", first.text,
                 uncollected - 1);
    return OUT_FATAL;
}

static enum outcome prepare_sources(struct producer *producer, struct error *err)
{
    const struct settings *settings = producer->settings;
    if (settings->sources.count == 0) {
        error_set(err, OUT_FATAL, ERR_USAGE, "no source is named");
        error_hint(err, "drover produce FILE…, a folder, a pattern, or - for standard input");
        return OUT_FATAL;
    }
    enum outcome outcome = mapping_set_load(settings, &producer->mappings, err);
    if (outcome == OUT_OK)
        outcome = source_rules_init(&producer->rules, settings, &producer->mappings, err);
    if (outcome == OUT_OK && !settings->follow)
        outcome = source_files_collect(&settings->sources, &producer->rules, &producer->files, err);
    else if (outcome == OUT_OK)
        outcome = follow_collect(producer, err);
    if (outcome == OUT_OK)
        outcome = load_key(producer, err);
    if (outcome == OUT_OK)
        outcome = check_sources(producer, err);
    return outcome;
}

/* Files are there as a whole; what is added to them, or comes through a pipe, is not waited for. */
static bool reads_whole_files(const struct settings *settings)
{
    for (size_t i = 0; i < settings->sources.count; i++)
        if (strcmp(settings->sources.items[i], "-") == 0)
            return false;
    return !settings->follow;
}

/* The receipt's report: nothing to do but to know that a refusal is a failure. */
static void on_receipt(void *owner, void *item, enum outcome outcome, int32_t partition,
                       int64_t offset, const struct error *err)
{
    (void)item;
    (void)partition;
    (void)offset;
    if (outcome != OUT_OK)
        producer_fail(owner, err);
}

static enum outcome open_bus(struct producer *producer, struct error *err)
{
    const struct settings *settings = producer->settings;
    char topic[TOPIC_NAME_SIZE];
    char results[TOPIC_NAME_SIZE];
    if (topic_format(settings->prefix, settings->migration, TOPIC_SOURCE, topic, err) != OUT_OK ||
        topic_format(settings->prefix, settings->migration, TOPIC_RESULTS, results, err) != OUT_OK)
        return OUT_FATAL;
    enum outcome outcome =
        bus_open_sender(producer->bus, topic, (int32_t)settings->partitions, BROKER_WAIT_MS,
                        producer_on_delivered, producer, &producer->sender, err);
    if (outcome == OUT_OK && reads_whole_files(settings))
        outcome = bus_sender_begin_bulk(producer->sender, BROKER_WAIT_MS, err);
    if (outcome == OUT_OK)
        outcome = bus_open_sender(producer->bus, results, 0, BROKER_WAIT_MS, on_receipt, producer,
                                  &producer->results, err);
    if (outcome != OUT_OK)
        return outcome;
    producer->own = producer_add_run(producer, producer->run);
    return OUT_OK;
}

/* Names that were left out are told: who gave them might wait for them. */
static void say_repeats(struct producer *producer)
{
    for (size_t i = 0; i < producer->files.repeat_count; i++) {
        const struct source_repeat *repeat = &producer->files.repeats[i];
        struct origin place = {.uri = bytes_text(repeat->path)};
        struct error err;
        struct buf safe;
        buf_init(&safe, 1024);
        text_append_safe(&safe, bytes_text(repeat->kept), 150);
        error_set(&err, OUT_OK, ERR_NONE, "the same file as %s, read once", buf_text(&safe));
        rejects_note(&producer->rejects, NOTE_SOURCE, &place, &err);
        buf_free(&safe);
    }
}

static enum outcome prepare(struct producer *producer, struct error *err)
{
    enum outcome outcome = prepare_sources(producer, err);
    if (outcome == OUT_OK)
        outcome = open_bus(producer, err);
    if (outcome == OUT_OK)
        outcome = rejects_open(&producer->rejects, producer->settings, err);
    if (outcome == OUT_OK && !producer->settings->follow && !producer->options.forgets)
        outcome = producer_remember(producer, err);
    if (outcome == OUT_OK)
        say_repeats(producer);
    return outcome;
}

/* ---- the end ---- */

/* Waits for every report: for ever while Kafka is away, but ten seconds after a signal. */
static void flush(struct producer *producer)
{
    uint64_t give_up_ms = 0;
    while (bus_sender_pending(producer->sender) > 0) {
        uint64_t now_ms = clock_monotonic_ms();
        if (producer_must_stop(producer) && give_up_ms == 0)
            give_up_ms = now_ms + STOP_FLUSH_MS;
        if (give_up_ms && now_ms >= give_up_ms)
            return;
        bus_sender_flush(producer->sender, 100);
        producer_breathe(producer, 0);
    }
}

static void send_receipt(struct producer *producer)
{
    struct produce_receipt receipt = {.run = bytes_text(producer->run),
                                      .read = producer->counters.read,
                                      .produced = producer->counters.produced,
                                      .rejected = producer->counters.rejected,
                                      .withheld = producer->counters.withheld,
                                      .finished_ms = clock_unix_ms()};
    struct error err;
    struct buf value;
    buf_init(&value, 4096);
    receipt_append_produce(&value, &receipt);
    struct envelope envelope = {
        .key = bytes_text(producer->run),
        .value = buf_view(&value),
        .headers = {{BYTES_LITERAL(HEADER_RUN), bytes_text(producer->run)},
                    {BYTES_LITERAL(HEADER_CONTENT_TYPE), BYTES_LITERAL("application/json")}},
        .header_count = 2,
    };
    enum outcome outcome = bus_sender_send(producer->results, -1, &envelope, NULL, &err);
    if (outcome != OUT_OK)
        producer_fail(producer, &err);
    buf_free(&value);
}

/* Also after a signal or a failure: what was told of sources that are done is true. */
static void flush_results(struct producer *producer)
{
    struct error err;
    bool is_away = bus_sender_pending(producer->sender) > 0 || producer->failed;
    if (bus_sender_flush(producer->results, is_away ? 0 : RECEIPT_WAIT_MS) || is_away)
        return; /* it was waited for long enough */
    error_set(&err, OUT_FATAL, ERR_KAFKA_UNREACHABLE,
              "what became of the sources could not be stored; the records are");
    error_hint(&err, "run the same command again: it is told then");
    producer_fail(producer, &err);
}

static void summarise(struct producer *producer)
{
    struct produce_state state = producer_state(producer);
    state.done = true;
    progress_tick(&producer->progress, &producer->counters, &state, clock_monotonic_ms());
    struct buf text;
    buf_init(&text, 64 * 1024);
    if (producer->settings->json) {
        produce_counters_append_json(answer_body(producer->settings->answer), &producer->counters,
                                     &state);
    } else if (producer->progress.kind != PROGRESS_FD) {
        produce_counters_append_summary(&text, &producer->counters, &state,
                                        terminal_text_width(STDERR_FILENO));
        fputs(buf_text(&text), stderr);
    }
    buf_free(&text);
}

static void finish(struct producer *producer)
{
    struct error err;
    flush(producer);
    producer_end_marks(producer);
    if (!producer->failed && bus_sender_pending(producer->sender) == 0 &&
        producer->settings->follow)
        send_receipt(producer);
    flush_results(producer);
    progress_clear(&producer->progress);
    if (rejects_close(&producer->rejects, &err) != OUT_OK)
        producer_fail(producer, &err);
    if (!producer->failed && !stop_signal() &&
        !produce_counters_adds_up(&producer->counters, true)) {
        error_set(&err, OUT_FATAL, ERR_INTERNAL, "the records do not add up");
        producer_fail(producer, &err);
    }
    if (!producer->options.unreported)
        summarise(producer);
}

static void free_producer(struct producer *producer)
{
    terminal_live_close(&producer->progress.live);
    clock_file_close(&producer->clock_file, &producer->stream_clock);
    bus_sender_close(producer->sender);
    bus_sender_close(producer->results);
    source_files_free(&producer->files);
    source_rules_free(&producer->rules);
    mapping_set_free(&producer->mappings);
    mapping_work_free(&producer->work);
    source_guard_free(&producer->guard);
    key_seen_free(&producer->keys);
    secret_ring_wipe(&producer->ring);
    source_intake_free(producer->intake);
    buf_free(&producer->headers);
    producer_free_runs(producer);
    passage_free(producer->passage);
    acked_prefix_free(&producer->acked);
    manifest_close(producer->manifest);
    free(producer->kinds);
    arena_free(&producer->sents);
    free(producer);
}

static enum exit_code exit_code_of(const struct producer *producer, struct error *err)
{
    if (producer->failed) {
        *err = producer->failure;
        return error_code_exit(producer->failure.code);
    }
    if (stop_signal())
        return (enum exit_code)(128 + stop_signal());
    const struct produce_counters *counters = &producer->counters;
    bool all =
        counters->rejected == 0 && counters->failed_sources == 0 && counters->skipped_rejected == 0;
    return all ? EXIT_OK : EXIT_DISCREPANCY;
}

static struct producer *producer_new(const struct settings *settings)
{
    struct producer *producer = mem_new(sizeof(*producer));
    producer->settings = settings;
    producer->clock_file.lock = -1;
    mapping_work_init(&producer->work);
    producer->intake = source_intake_new(&producer->rules, &producer->work);
    buf_init(&producer->headers, ENVELOPE_BYTES);
    arena_init(&producer->sents, SENTS_BYTES);
    run_name_make(producer->run, settings->follow ? RECORD_RUN_FOLLOWS : "");
    key_seen_init(&producer->keys, KEYS_BYTES);
    acked_prefix_init(&producer->acked);
    return producer;
}

enum exit_code produce_run(const struct settings *settings, struct bus *bus,
                           const struct produce_options *options, struct produce_counters *counters,
                           struct error *err)
{
    *err = (struct error){0};
    struct producer *producer = producer_new(settings);
    producer->bus = bus;
    producer->options = *options;
    stop_install();
    if (prepare(producer, err) != OUT_OK) {
        free_producer(producer);
        return error_code_exit(err->code);
    }
    *err = (struct error){0}; /* of a source, which is told of itself when it is read */
    producer->started_ms = clock_monotonic_ms();
    progress_init(&producer->progress, settings, producer->started_ms);
    if (settings->follow)
        follow_sources(producer);
    else
        producer_read_sources(producer);
    finish(producer);
    log_finish();
    enum exit_code code = exit_code_of(producer, err);
    if (counters)
        *counters = producer->counters;
    free_producer(producer);
    return code;
}

enum exit_code produce_main(const struct settings *settings, struct error *err)
{
    log_setup_names("producer", settings->log_level, settings->log_format);
    struct bus *bus = kafka_bus_new(settings, NULL);
    enum exit_code code = produce_run(settings, bus, &(struct produce_options){0}, NULL, err);
    kafka_bus_free(bus);
    return code;
}
