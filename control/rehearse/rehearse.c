#include "control/rehearse/rehearse.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/text.h"
#include "common/io/answer.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/io/report_folder.h"
#include "common/io/source/source_rules.h"
#include "common/io/stop.h"
#include "common/io/stores.h"
#include "common/io/terminal.h"
#include "common/io/mappings.h"
#include "common/policy/totals.h"
#include "common/port/bus_memory.h"
#include "common/port/store_memory_children.h"
#include "common/port/store_memory_unique.h"
#include "control/rehearse/rehearse_text.h"
#include "producer/produce.h"
#include "verifier/verify.h"
#include "verifier/verify_session.h"
#include "worker/worker_memory.h"

#define BUS_SHARE 16 /* of store.memory: messages on their way */
#define BUS_MAX ((size_t)16 << 20)
#define FEED_SHARE 4 /* of the bus's: what the verifier is given at once */
#define ARENA_MAX ((size_t)1 << 20)
#define CONNECTIONS 1
#define END_MAX_MS (24u * 60 * 60 * 1000) /* of the clock that does not wait */
#define STANDS_MAX 1000                   /* polls without a byte more or less */

enum { REHEARSE_PARTITIONS = 4 };

struct rehearsal {
    struct clock clock; /* the machine's, moved on at the end instead of waiting; stays first */
    uint64_t ahead_ms;
    const struct settings *settings;
    struct settings worker_settings;
    struct mapping_set mappings;
    char topics[TOPIC_KINDS][TOPIC_NAME_SIZE];
    struct bus_memory *bus;
    struct memory_store *store;
    struct memory_worker *worker;
    struct verify_session *verifier;
    struct verify_store verify_store;
    struct verify_listener listener;
    size_t fed_bytes, seen_bytes; /* the bus held when the verifier was fed, at the last poll */
    unsigned stands;              /* polls since then in which nothing moved */
    bool finishing;
    struct error failure; /* code ERR_NONE: none */
    struct arena arena;   /* of what is found */
    struct rehearse_findings findings;
};

/* ---- time: the machine's; at the end nobody waits for it --------------------------------- */

static uint64_t monotonic_ms(const struct clock *clock)
{
    return clock_monotonic_ms() + ((const struct rehearsal *)(const void *)clock)->ahead_ms;
}

static int64_t unix_ms(const struct clock *clock)
{
    (void)clock;
    return clock_unix_ms();
}

static uint32_t random_bits(const struct clock *clock)
{
    (void)clock;
    return clock_random(&CLOCK_MACHINE);
}

/* ---- the parts --------------------------------------------------------------------------- */

/* The first failure is kept. */
static void fail(struct rehearsal *rehearsal, const struct error *err)
{
    char size[16];
    if (rehearsal->failure.code != ERR_NONE)
        return;
    rehearsal->failure = *err;
    if (err->code == ERR_STORE_MEMORY)
        error_hint(&rehearsal->failure,
                   "it may hold %s: raise store.memory (--store-memory), or rehearse fewer sources",
                   text_format_size(rehearsal->settings->store_memory, size));
}

static size_t bus_share(const struct settings *settings)
{
    size_t share = (size_t)settings->store_memory / BUS_SHARE;
    return share < BUS_MAX ? share : BUS_MAX;
}

static enum outcome open_topics(struct rehearsal *rehearsal, struct error *err)
{
    const struct settings *settings = rehearsal->settings;
    rehearsal->bus = bus_memory_new(bus_share(settings));
    bus_memory_use_clock(rehearsal->bus, &rehearsal->clock);
    if (topic_format_all(settings->prefix, settings->migration, rehearsal->topics, err) != OUT_OK)
        return OUT_FATAL;
    for (int kind = 0; kind < TOPIC_KINDS; kind++) {
        bus_memory_make_topic(rehearsal->bus, rehearsal->topics[kind], REHEARSE_PARTITIONS);
        if (kind != TOPIC_SOURCE) /* else a dead letter would wait for its own record to go */
            bus_memory_always_takes(rehearsal->bus, rehearsal->topics[kind]);
    }
    return OUT_OK;
}

/* References are looked at whatever the store is to be, unique indexes where a table has them. */
static void open_store(struct rehearsal *rehearsal, enum memory_keeps keeps)
{
    const struct store *store = store_of(rehearsal->settings);
    size_t share = (size_t)rehearsal->settings->store_memory / 2; /* the others have the rest */
    rehearsal->store = memory_store_new(keeps, share);
    memory_store_use_mappings(rehearsal->store, &rehearsal->mappings, store->has_tables);
}

static enum outcome open_worker(struct rehearsal *rehearsal, struct error *err)
{
    struct settings *settings = &rehearsal->worker_settings;
    const int32_t ALL[REHEARSE_PARTITIONS] = {0, 1, 2, 3};
    *settings = *rehearsal->settings;
    settings->storage = STORE_MEMORY;
    settings->storage_name = "memory";
    settings->breaker = settings->dead_max = 0; /* all of them are counted */
    settings->until_end = false;                /* until the producer is done */
    settings->progress_fd = -1;
    settings->parent_wait_ms = UINT64_MAX / 4; /* who has no parent is known at the end */
    settings->work_memory = settings->outbox_bytes = bus_share(settings);
    const struct memory_worker_config config = {.bus = rehearsal->bus,
                                                .store = rehearsal->store,
                                                .clock = &rehearsal->clock,
                                                .mappings = &rehearsal->mappings,
                                                .connections = CONNECTIONS,
                                                .name = "rehearsal"};
    enum outcome outcome = memory_worker_start(settings, &config, &rehearsal->worker, err);
    if (outcome != OUT_OK)
        return outcome;
    memory_worker_settle(rehearsal->worker);
    bus_memory_assign(rehearsal->worker->worker->partitions.consumer, ALL, REHEARSE_PARTITIONS);
    return OUT_OK;
}

/* ---- the verifier ------------------------------------------------------------------------ */

static enum outcome open_reader(void *owner, struct store_reader **reader, struct error *err)
{
    (void)err;
    *reader = memory_store_reader_open(((struct rehearsal *)owner)->store);
    return OUT_OK;
}

/* Also of an orphan until it is dead-lettered. */
static bool is_pending(void *owner, int32_t partition, int64_t offset)
{
    struct memory_children *children = memory_store_children(((struct rehearsal *)owner)->store);
    const struct memory_child *pending = memory_children_find(children, partition, offset);
    return pending && (!pending->decided || pending->the_class == CLASS_DEAD);
}

static size_t others_bytes(void *owner)
{
    return memory_store_bytes(((struct rehearsal *)owner)->store);
}

static void count_orphan(struct rehearsal *rehearsal, const struct record *record)
{
    uint32_t group =
        diff_groups_find(&rehearsal->findings.report->groups, record->tenant, record->entity);
    if (group >= rehearsal->findings.orphan_groups) {
        size_t room = 2 * (size_t)group + 16;
        rehearsal->findings.orphans =
            mem_resize(rehearsal->findings.orphans, room, sizeof *rehearsal->findings.orphans);
        memset(rehearsal->findings.orphans + rehearsal->findings.orphan_groups, 0,
               (room - rehearsal->findings.orphan_groups) * sizeof *rehearsal->findings.orphans);
        rehearsal->findings.orphan_groups = room;
    }
    rehearsal->findings.orphans[group]++;
}

/* "exports/acme.json:3:1" */
static void append_where(struct buf *out, const struct record *record)
{
    buf_append_bytes(out, record->origin.uri);
    if (record->origin.line)
        buf_append_format(out, ":%" PRIu64 ":%" PRIu64, record->origin.line, record->origin.column);
}

static void note_place(struct rehearsal *rehearsal, struct rehearse_dead *dead,
                       const struct record *record, const char *path)
{
    struct buf where;
    struct arena *arena = &rehearsal->arena;
    buf_init(&where, 2048);
    append_where(&where, record);
    const struct rehearse_place place = {.tenant = arena_copy(arena, record->tenant),
                                         .entity = arena_copy(arena, record->entity),
                                         .where = arena_copy(arena, buf_view(&where)),
                                         .path = arena_copy(arena, bytes_text(path))};
    if (place.tenant.data && place.entity.data && place.where.data && place.path.data)
        dead->places[dead->place_count++] = place;
    buf_free(&where);
}

static void on_dead_letter(void *owner, const struct record *record, enum error_code code,
                           const char *path)
{
    struct rehearsal *rehearsal = owner;
    if (code == ERR_PG_PARENT) {
        count_orphan(rehearsal, record);
        return;
    }
    struct rehearse_dead *dead = &rehearsal->findings.dead[code];
    dead->count++;
    if (dead->place_count < REHEARSE_PLACES)
        note_place(rehearsal, dead, record, path);
}

static void warn_of_indexes(struct rehearsal *rehearsal)
{
    for (size_t i = 0; i < rehearsal->mappings.count; i++) {
        const struct mapping *mapping = rehearsal->mappings.items[i];
        for (size_t k = 0; k < mapping->index_count; k++)
            if (mapping->indexes[k].unique && !memory_unique_can(mapping, &mapping->indexes[k]))
                verify_report_warn(rehearsal->findings.report,
                                   "the unique index %s is not rehearsed: PostgreSQL alone knows "
                                   "its values",
                                   mapping->indexes[k].name);
    }
}

static enum outcome open_verifier(struct rehearsal *rehearsal, struct error *err)
{
    rehearsal->verify_store = (struct verify_store){
        .open = open_reader, .is_pending = is_pending, .has_cells = true, .owner = rehearsal};
    rehearsal->listener = (struct verify_listener){on_dead_letter, rehearsal};
    const struct verify_options options = {.bus = bus_memory_bus(rehearsal->bus),
                                           .mappings = &rehearsal->mappings,
                                           .store = &rehearsal->verify_store,
                                           .read_once = true,
                                           .others_bytes = others_bytes,
                                           .others = rehearsal,
                                           .listener = &rehearsal->listener};
    enum outcome outcome =
        verify_session_open(rehearsal->settings, &options, &rehearsal->verifier, err);
    if (outcome != OUT_OK)
        return outcome;
    rehearsal->findings.report = verify_session_report(rehearsal->verifier);
    warn_of_indexes(rehearsal);
    return OUT_OK;
}

/* Gives the verifier what is committed by now; what all have read goes. */
static void feed(struct rehearsal *rehearsal)
{
    int64_t ends[REHEARSE_PARTITIONS] = {0};
    struct error err;
    for (int32_t p = 0; p < REHEARSE_PARTITIONS; p++) {
        const struct memory_checkpoint *checkpoint = memory_store_checkpoint(rehearsal->store, p);
        ends[p] = checkpoint ? checkpoint->next_offset : 0;
    }
    if (verify_session_feed(rehearsal->verifier, ends, &err) != OUT_OK) {
        fail(rehearsal, &err);
        return;
    }
    for (int kind = 0; kind < TOPIC_KINDS; kind++)
        for (int32_t p = 0; p < REHEARSE_PARTITIONS; p++)
            bus_memory_drop(rehearsal->bus, rehearsal->topics[kind], p,
                            verify_session_fed(rehearsal->verifier, (enum topic_kind)kind, p));
    rehearsal->fed_bytes = bus_memory_bytes(rehearsal->bus);
}

/* ---- turns ------------------------------------------------------------------------------- */

static void work(struct rehearsal *rehearsal)
{
    memory_worker_tick(rehearsal->worker);
    memory_worker_settle(rehearsal->worker);
    if (rehearsal->worker->worker->state.exit_code != EXIT_OK)
        fail(rehearsal, &rehearsal->worker->worker->state.failure);
}

/* Whatever it is: nobody waits for ever. */
static void fail_standing(struct rehearsal *rehearsal)
{
    struct error err;
    error_set(&err, OUT_FATAL, ERR_STORE_MEMORY, "what is on its way does not get written");
    fail(rehearsal, &err);
}

/* The others' turn, whenever the producer polls. After a failure the bus fills, and the producer
 * ends by that, or at the end of its sources. */
static void on_poll(void *owner)
{
    struct rehearsal *rehearsal = owner;
    if (rehearsal->finishing)
        return;
    size_t before = bus_memory_bytes(rehearsal->bus);
    work(rehearsal);
    bool stands = before == rehearsal->seen_bytes; /* it waits for room */
    if (rehearsal->failure.code == ERR_NONE && before &&
        (stands || before - rehearsal->fed_bytes > bus_share(rehearsal->settings) / FEED_SHARE))
        feed(rehearsal);
    rehearsal->seen_bytes = bus_memory_bytes(rehearsal->bus);
    rehearsal->stands = stands && rehearsal->seen_bytes == before ? rehearsal->stands + 1 : 0;
    if (before && rehearsal->stands == STANDS_MAX)
        fail_standing(rehearsal);
    if (rehearsal->failure.code != ERR_NONE)
        bus_memory_on_poll(rehearsal->bus, NULL, NULL);
}

/* The worker ends by itself when all is written, and the verifier has the rest. */
static void finish(struct rehearsal *rehearsal)
{
    struct error err;
    rehearsal->finishing = true;
    rehearsal->worker_settings.until_end = true;
    while (!rehearsal->worker->ended && rehearsal->failure.code == ERR_NONE) {
        if (stop_signal())
            return;
        if (rehearsal->ahead_ms > END_MAX_MS)
            fail_standing(rehearsal);
        rehearsal->ahead_ms += WORKER_TICK_MS;
        work(rehearsal);
        if (bus_memory_bytes(rehearsal->bus) - rehearsal->fed_bytes >
            bus_share(rehearsal->settings) / FEED_SHARE)
            feed(rehearsal);
    }
    if (rehearsal->failure.code == ERR_NONE)
        feed(rehearsal);
    verify_session_note_produced(rehearsal->verifier, &rehearsal->findings.counters);
    if (rehearsal->failure.code == ERR_NONE &&
        verify_session_conclude(rehearsal->verifier, &err) != OUT_OK)
        fail(rehearsal, &err);
}

static void close_rehearsal(struct rehearsal *rehearsal)
{
    memory_worker_free(rehearsal->worker);
    verify_session_close(rehearsal->verifier);
    memory_store_free(rehearsal->store);
    bus_memory_free(rehearsal->bus);
    mapping_set_free(&rehearsal->mappings);
    arena_free(&rehearsal->arena);
    buf_free(&rehearsal->findings.tenant_from);
    free(rehearsal->findings.orphans);
    free(rehearsal);
}

/* ---- what is said ------------------------------------------------------------------------ */

/* `drover run --json` over servers gives the verifier's document before its own, too. */
static void answer_run(const struct rehearsal *rehearsal, const struct buf *document,
                       struct answer *answer)
{
    const struct produce_counters *counters = &rehearsal->findings.counters;
    if (!document->failed)
        answer_pass_on(answer, bytes_of(document->data, document->size - 1));
    struct json_out *out = answer_body(answer);
    const uint64_t produced[PRODUCE_COUNT] = {[PRODUCE_PRODUCED] = counters->produced,
                                              [PRODUCE_REJECTED] = counters->rejected,
                                              [PRODUCE_WITHHELD] = counters->withheld};
    uint64_t worked[WORK_COUNT] = {0};
    totals_add_receipt(worked, rehearsal->worker->worker->state.counts.classes);
    json_out_text(out, "end", "finished");
    json_out_object(out, "produce");
    totals_append_json(out, &TOTALS_PRODUCE, produced);
    json_out_end(out);
    json_out_object(out, "work");
    totals_append_json(out, &TOTALS_WORK, worked);
    json_out_end(out);
    json_out_seconds(out, "duration_seconds", rehearsal->findings.report->duration_ms);
}

/* As `drover verify` says it. */
static enum outcome say_run(const struct rehearsal *rehearsal, struct error *err)
{
    struct buf json, text;
    char counts[2][28];
    const struct settings *settings = rehearsal->settings;
    buf_init(&json, ANSWER_MAX);
    buf_init(&text, ANSWER_MAX);
    char *path;
    enum outcome outcome = verify_save(settings, rehearsal->findings.report, &json, &path, err);
    verify_append_text(settings, rehearsal->findings.report, path, &text);
    free(path);
    if (settings->json)
        answer_run(rehearsal, &json, settings->answer);
    else if (!settings->quiet)
        fputs(buf_text(&text), stdout);
    if (!settings->quiet)
        fprintf(stderr, "  tenant   %s\n",
                buf_text((struct buf *)&rehearsal->findings.tenant_from));
    if (!settings->quiet)
        fprintf(stderr,
                "run in memory: %s read, %s applied; nothing is left of it when this process "
                "ends\n",
                text_format_count(rehearsal->findings.counters.read, counts[0]),
                text_format_count(rehearsal->worker->worker->state.counts.classes[CLASS_APPLIED],
                                  counts[1]));
    buf_free(&json);
    buf_free(&text);
    return outcome;
}

static void say_rehearsal(const struct rehearsal *rehearsal)
{
    struct buf text;
    const struct settings *settings = rehearsal->settings;
    buf_init(&text, ANSWER_MAX);
    if (settings->json)
        rehearse_json_append(&rehearsal->findings, answer_body(settings->answer));
    else if (!settings->quiet)
        rehearse_text_append(&rehearsal->findings, &text);
    fputs(buf_text(&text), stdout);
    buf_free(&text);
}

static enum exit_code conclude(struct rehearsal *rehearsal, enum memory_keeps keeps,
                               enum exit_code produced, struct error *err)
{
    bool match = verify_report_result(rehearsal->findings.report) == VERIFY_MATCH;
    if (keeps == MEMORY_KEEPS_ROWS && say_run(rehearsal, err) != OUT_OK)
        return match ? error_code_exit(err->code) : EXIT_DISCREPANCY;
    if (keeps != MEMORY_KEEPS_ROWS)
        say_rehearsal(rehearsal);
    fflush(stdout);
    if (rehearsal->findings.report->source_count == 0 &&
        rehearsal->findings.counters.failed_sources == 0) {
        error_set(err, OUT_FATAL, ERR_SOURCE_EMPTY,
                  "the sources hold no record: there is nothing to migrate");
        return EXIT_DISCREPANCY;
    }
    return match ? produced : EXIT_DISCREPANCY;
}

static enum outcome find_tenant(struct rehearsal *rehearsal, struct error *err)
{
    struct source_rules rules;
    enum outcome outcome =
        source_rules_init(&rules, rehearsal->settings, &rehearsal->mappings, err);
    if (outcome == OUT_OK)
        source_rules_say_tenant(&rules, &rehearsal->findings.tenant_from);
    source_rules_free(&rules);
    return outcome;
}

/* ---- all of it --------------------------------------------------------------------------- */

static enum exit_code play(struct rehearsal *rehearsal, enum memory_keeps keeps, struct error *err)
{
    static const struct produce_options OPTIONS = {
        .any_key = true, .forgets = true, .unreported = true};
    bus_memory_on_poll(rehearsal->bus, on_poll, rehearsal);
    enum exit_code code = produce_run(rehearsal->settings, bus_memory_bus(rehearsal->bus), &OPTIONS,
                                      &rehearsal->findings.counters, err);
    bool read = err->code == ERR_NONE && (code == EXIT_OK || code == EXIT_DISCREPANCY);
    if (read && rehearsal->failure.code == ERR_NONE)
        finish(rehearsal);
    if (rehearsal->failure.code != ERR_NONE) {
        *err = rehearsal->failure;
        return error_code_exit(err->code);
    }
    if (read && stop_signal())
        return (enum exit_code)(128 + stop_signal());
    /* when it did not read them all, whatever it had read is not judged */
    return read ? conclude(rehearsal, keeps, code, err) : code;
}

/* What the worker says of its life is of no interest to who rehearses. */
static const char *log_level(const struct settings *settings)
{
    return settings->log_level && strcmp(settings->log_level, "info") == 0 ? "warn"
                                                                           : settings->log_level;
}

enum exit_code rehearse_main(const struct settings *given, enum memory_keeps keeps,
                             struct error *err)
{
    struct settings settings = *given;
    settings.partitions = 0;     /* of the topics in memory: their own number */
    settings.only_tenant = NULL; /* what `verify` would narrow or read besides */
    settings.verify_sources.count = 0;
    struct rehearsal *rehearsal = mem_new(sizeof *rehearsal);
    rehearsal->clock = (struct clock){monotonic_ms, unix_ms, random_bits};
    rehearsal->settings = &settings;
    rehearsal->findings.has_key = settings.key_file != NULL;
    arena_init(&rehearsal->arena, ARENA_MAX);
    buf_init(&rehearsal->findings.tenant_from, 4096);
    log_setup_names("rehearse", log_level(&settings), settings.log_format);
    bool reports = keeps == MEMORY_KEEPS_ROWS;
    enum outcome outcome = mapping_set_load(&settings, &rehearsal->mappings, err);
    if (outcome == OUT_OK && reports)
        outcome = report_folder_try(settings.report_dir, err);
    if (outcome == OUT_OK)
        outcome = find_tenant(rehearsal, err);
    if (outcome == OUT_OK)
        outcome = open_topics(rehearsal, err);
    if (outcome == OUT_OK) {
        open_store(rehearsal, keeps);
        outcome = open_worker(rehearsal, err);
    }
    if (outcome == OUT_OK)
        outcome = open_verifier(rehearsal, err);
    enum exit_code code =
        outcome == OUT_OK ? play(rehearsal, keeps, err) : error_code_exit(err->code);
    close_rehearsal(rehearsal);
    return code;
}
