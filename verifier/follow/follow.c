/* See the header: the loop, the waiting for servers, the end. */
#include "verifier/follow/follow.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "common/base/mem.h"
#include "common/io/alert/alert_target.h"
#include "common/io/clock.h"
#include "common/io/kafka/kafka_bus.h"
#include "common/io/kafka/kafka_topics.h"
#include "common/io/log.h"
#include "common/io/report_folder.h"
#include "common/io/stop.h"
#include "common/io/stores.h"
#include "common/policy/outage.h"
#include "verifier/follow/follow_alerts.h"
#include "verifier/follow/follow_step.h"
#include "verifier/follow/follow_save.h"
#include "verifier/follow/follow_show.h"
#include "verifier/follow/full_pass.h"
#include "verifier/follow/full_result.h"
#include "verifier/follow/reading_watch.h"
#include "verifier/follow/standing.h"
#include "verifier/follow/start.h"

#define TICK_MS 100
#define STEP_MS 500   /* between two steps, unless there is much to do */
#define RETRY_MS 1000 /* while a server is away */
#define SAVE_MS 60000
#define STORE_MS 120000                   /* for a file store that no worker has made yet */
#define END_MS (STOP_PATIENCE_MS * 3 / 4) /* for suspects, after the signal */
#define CLOSE_MS 5000
#define ALERTS_MS 3000  /* of it: for alerts that are on their way */
#define SOURCES_MS 3000 /* at the end, for what was told of the sources */

struct follow {
    const struct settings *settings;
    uv_loop_t loop;
    uv_timer_t timer;
    struct bus *bus;
    struct receipt_intake intake;
    struct row_lookup *lookup;
    struct notes notes;
    struct suspects suspects;
    struct write_times writes;
    struct follow_step step;
    struct state_teller *teller;
    struct full_pass *full;
    struct follow_save save;
    struct follow_show show;
    struct follow_alerts *alerts;
    struct follow_reads *reads;
    struct reading_watch *sources;
    struct outages outages;
    uint64_t retry_ms, step_ms, save_ms; /* not before */
    uint64_t store_until_ms;             /* it is waited for until then; 0: it is not */
    bool failed;
    struct error failure;
};

/* ---- servers that are away --------------------------------------------------------------- */

static bool can_wait(const struct error *err)
{
    return err->outcome == OUT_RETRY || err->code == ERR_PG_LOADING ||
           err->code == ERR_REDIS_UNREACHABLE || err->code == ERR_PG_UNREACHABLE ||
           err->code == ERR_KAFKA_UNREACHABLE;
}

static void see_away(struct follow *follow, const struct error *err)
{
    struct buf cause;
    enum outage_service service = outage_service_of(err->code);
    if (service == OUTAGE_SERVICES)
        return;
    buf_init(&cause, 1024);
    outage_append_cause(&cause, err);
    if (outage_see(&follow->outages, service, true, error_code_id(err->code), buf_text(&cause),
                   clock_monotonic_ms()) == OUTAGE_BEGAN)
        log_away(outage_event(service, OUTAGE_BEGAN), err);
    buf_free(&cause);
}

static void see_back(struct follow *follow)
{
    for (int service = 0; service < OUTAGE_SERVICES; service++)
        if (outage_see(&follow->outages, (enum outage_service)service, false, "", "",
                       clock_monotonic_ms()) == OUTAGE_ENDED)
            log_back(outage_event((enum outage_service)service, OUTAGE_ENDED), "waited_ms=%" PRIu64,
                     clock_monotonic_ms() - follow->outages.of[service].since_ms);
}

static void fail(struct follow *follow, const struct error *err)
{
    if (!follow->failed)
        follow->failure = *err;
    follow->failed = true;
}

/* The first worker makes it, and may be waiting for a server: a start from nothing. */
static void wait_for_store(struct follow *follow, const struct error *err)
{
    uint64_t now_ms = clock_monotonic_ms();
    if (follow->store_until_ms == 0) {
        follow->store_until_ms = now_ms + STORE_MS;
        log_line(LOG_WARN, "follow.no_store", "wait_ms=%d try=\"drover work makes it\"", STORE_MS);
    } else if (now_ms >= follow->store_until_ms) {
        fail(follow, err);
    }
}

/* What came of a step: on, again in a moment, or never. */
static void take_outcome(struct follow *follow, enum outcome outcome, const struct error *err)
{
    if (outcome == OUT_OK) {
        follow->store_until_ms = 0;
        see_back(follow);
        return;
    }
    follow->retry_ms = clock_monotonic_ms() + RETRY_MS;
    if (outcome == OUT_RETRY && err->code == ERR_STORE_FILE)
        wait_for_store(follow, err);
    else if (can_wait(err))
        see_away(follow, err);
    else
        fail(follow, err);
}

/* ---- partitions -------------------------------------------------------------------------- */

struct beginning {
    int64_t *committed;
    struct bus_range *results, *source;
    size_t result_count, source_count;
};

/* The ends of the results first: what a receipt before them told of is below the checkpoint. */
static enum outcome ask(struct follow *follow, struct beginning *beginning, struct error *err)
{
    const struct receipt_intake *intake = &follow->intake;
    enum outcome outcome = bus_consumer_committed(
        intake->consumer, intake->assigned, beginning->committed, intake->assigned_count, err);
    if (outcome == OUT_OK)
        outcome = bus_ranges(follow->bus, intake->topic, VERIFY_BUS_MS, &beginning->results,
                             &beginning->result_count, err);
    if (outcome == OUT_OK)
        outcome = bus_ranges(follow->bus, follow->lookup->run.topics[TOPIC_SOURCE], VERIFY_BUS_MS,
                             &beginning->source, &beginning->source_count, err);
    if (outcome == OUT_OK)
        outcome = row_lookup_begin(follow->lookup, err);
    row_lookup_end(follow->lookup);
    return outcome;
}

static enum outcome place(struct follow *follow, const struct beginning *beginning, size_t at,
                          int64_t *results, struct error *err)
{
    int32_t number = follow->intake.assigned[at];
    struct book_position known;
    if (book_position(follow->notes.book, number, &known, err) != OUT_OK)
        return err->outcome;
    struct due *due = &follow->intake.partitions[number].due;
    const struct start_known start = {
        .book_results = known.results_next,
        .book_position = known.verified,
        .committed = beginning->committed[at],
        .results_low = beginning->results[number].from,
        .results_end = beginning->results[number].to,
        .source_low = beginning->source[number].from,
        .checkpoint = row_lookup_checkpoint(follow->lookup, number),
    };
    const struct start_place chosen = start_choose(&start);
    due_free(due);
    due_init(due, chosen.position, chosen.results);
    *results = chosen.results;
    if (chosen.lost)
        log_line(LOG_WARN, "follow.lost", "partition=%d offsets=%" PRIu64, number, chosen.lost);
    return OUT_OK;
}

static void begin_partitions(struct follow *follow)
{
    struct error err = {0};
    struct receipt_intake *intake = &follow->intake;
    struct beginning beginning = {
        .committed = mem_zeroed(intake->assigned_count, sizeof *beginning.committed)};
    int64_t *results = mem_zeroed(intake->assigned_count, sizeof *results);
    enum outcome outcome = ask(follow, &beginning, &err);
    bool fits = beginning.result_count >= intake->count && beginning.source_count >= intake->count;
    if (outcome == OUT_OK && !fits) {
        outcome = error_set(&err, OUT_FATAL, ERR_KAFKA_PARTITIONS,
                            "the topic has not as many partitions as that of the source");
        error_where(&err, "%s", intake->topic);
    }
    for (size_t i = 0; outcome == OUT_OK && i < intake->assigned_count; i++)
        outcome = place(follow, &beginning, i, &results[i], &err);
    if (outcome == OUT_OK)
        outcome = receipt_intake_begin(intake, results, &err);
    if (outcome == OUT_OK)
        log_line(LOG_INFO, "follow.begun", "partitions=%zu", intake->assigned_count);
    take_outcome(follow, outcome, &err);
    free(beginning.committed);
    free(beginning.results);
    free(beginning.source);
    free(results);
}

/* What is open of them is looked at again all the same: that needs the rows alone. */
static void on_revoked(void *owner)
{
    struct follow *follow = owner;
    log_line(LOG_INFO, "follow.revoked", "partitions=%zu", follow->intake.assigned_count);
}

/* ---- what is told ------------------------------------------------------------------------ */

static struct follow_numbers numbers_of(const struct follow *follow)
{
    struct follow_numbers numbers = {.rolling = book_rolling(follow->notes.book),
                                     .backlog = receipt_intake_backlog(&follow->intake),
                                     .suspects = follow->suspects.count,
                                     .share = share_of(&follow->step.share),
                                     .full = follow->full ? full_pass_last(follow->full) : NULL,
                                     .outages = &follow->outages,
                                     .reads = follow_reads_result(follow->reads),
                                     .sources = reading_watch_sum(follow->sources)};
    int64_t lag = receipt_intake_lag(&follow->intake);
    numbers.lag = lag > 0 ? (uint64_t)lag : 0;
    int64_t oldest_ms = receipt_intake_oldest_ms(&follow->intake), now_ms = clock_unix_ms();
    numbers.behind_ms = oldest_ms >= 0 && now_ms > oldest_ms ? (uint64_t)(now_ms - oldest_ms) : 0;
    for (size_t i = 0; i < follow->intake.count; i++)
        numbers.partitions += follow->intake.partitions[i].is_ours;
    write_times_tell(&follow->writes, clock_monotonic_ms(), &numbers.writes);
    return numbers;
}

static struct follow_screen screen_of(const struct follow *follow,
                                      const struct follow_numbers *numbers)
{
    return (struct follow_screen){
        .numbers = numbers,
        .next_ms = full_result_next_ms(numbers->full->began_ms, follow->settings->full_every_ms,
                                       clock_unix_ms()),
        .is_full_running = full_pass_is_open(follow->full),
        .is_stopping = stop_signal() != 0,
    };
}

static void show(struct follow *follow)
{
    const struct follow_numbers numbers = numbers_of(follow);
    struct follow_screen screen = screen_of(follow, &numbers);
    follow_show_turn(&follow->show, &screen);
}

/* ---- the loop ---------------------------------------------------------------------------- */

static void on_timer(uv_timer_t *timer)
{
    (void)timer;
}

/* What is gone from the topic cannot be compared any more. */
static enum outcome skip_gone(struct follow *follow, struct error *err)
{
    struct bus_range *ranges = NULL;
    size_t count = 0;
    enum outcome outcome = bus_ranges(follow->bus, follow->lookup->run.topics[TOPIC_SOURCE],
                                      VERIFY_BUS_MS, &ranges, &count, err);
    if (outcome == OUT_OK)
        outcome = follow_step_skip_gone(&follow->step, ranges, count, err);
    free(ranges);
    return outcome;
}

/* By what was left undone alone: what Redis has not followed to yet, or a server that was away has
 * delayed, says nothing of whether all can be compared. */
static void adapt_share(struct follow *follow, uint64_t left)
{
    struct share *share = &follow->step.share;
    if (share_step(share, left, follow->settings->follow_backlog))
        log_line(LOG_INFO, "follow.share", "share=%g behind=%" PRIu64, share_of(share), left);
    follow->step_ms = clock_monotonic_ms() + (left > 0 ? 0 : STEP_MS);
}

static void take_step(struct follow *follow)
{
    struct error err = {0};
    uint64_t now_ms = clock_monotonic_ms();
    enum outcome outcome = follow_step_do(&follow->step, now_ms, &err);
    if (outcome != OUT_OK && err.code == ERR_KAFKA_OFFSET)
        outcome = skip_gone(follow, &err);
    take_outcome(follow, outcome, &err);
    if (outcome == OUT_OK)
        adapt_share(follow, follow->step.left);
}

static void turn(struct follow *follow)
{
    uv_run(&follow->loop, UV_RUN_ONCE);
    uint64_t now_ms = clock_monotonic_ms();
    struct receipt_intake *intake = &follow->intake;
    if (intake->failed)
        fail(follow, &intake->failure);
    if (intake->is_away)
        see_away(follow, &intake->failure);
    if (follow->failed || now_ms < follow->retry_ms)
        return;
    if (intake->is_assigned && !intake->is_begun)
        begin_partitions(follow);
    else if (now_ms >= follow->step_ms && follow_step_is_due(&follow->step, now_ms))
        take_step(follow);
    else if (now_ms >= follow->step_ms && share_of(&follow->step.share) < 1)
        adapt_share(follow, 0);
}

/* Nothing else waits for it: a folder that is full is said, and it goes on. */
static void save(struct follow *follow, bool is_last)
{
    struct error err = {0};
    const struct follow_numbers numbers = numbers_of(follow);
    follow->save_ms = clock_monotonic_ms() + SAVE_MS;
    if (follow_save_write(&follow->save, &numbers, is_last, &err) != OUT_OK)
        log_error(LOG_WARN, "follow.not_saved", &err);
}

static void check_place(struct follow *follow)
{
    struct error err = {0};
    if (book_check_place(follow->notes.book, &err) != OUT_OK)
        fail(follow, &err);
}

static void turn_full_pass(struct follow *follow)
{
    struct error err = {0};
    bool begins = follow->settings->full_every_ms > 0 && follow->intake.is_begun;
    if (begins && full_pass_turn(follow->full, &err) != OUT_OK)
        fail(follow, &err);
}

static void turn_alerts(struct follow *follow)
{
    struct error err = {0};
    if (follow_alerts_turn(follow->alerts, full_pass_last(follow->full),
                           reading_watch_sum(follow->sources), &err) != OUT_OK)
        fail(follow, &err);
}

/* A Kafka that is away is said by the steps as well; of it nothing is taken back. */
static void turn_sources(struct follow *follow, bool is_last)
{
    struct error err = {0};
    enum outcome outcome = is_last ? reading_watch_finish(follow->sources, SOURCES_MS, &err)
                                   : reading_watch_turn(follow->sources, &err);
    if (outcome != OUT_OK && !can_wait(&err))
        fail(follow, &err);
}

static void turn_reads(struct follow *follow, bool at_once)
{
    struct error err = {0};
    if (follow_reads_turn(follow->reads, at_once, &err) != OUT_OK)
        fail(follow, &err);
}

static void tell_sometimes(struct follow *follow)
{
    uint64_t now_ms = clock_monotonic_ms();
    if (state_teller_is_due(follow->teller)) {
        const struct follow_numbers numbers = numbers_of(follow);
        standing_tell(follow->teller, &numbers, false);
    }
    if (now_ms >= follow->save_ms)
        save(follow, false);
    if (follow_show_is_due(&follow->show))
        show(follow);
}

/* What is open gets its looks, for a while; what then still is stays in the book. */
static void finish(struct follow *follow)
{
    uint64_t until_ms = clock_monotonic_ms() + END_MS;
    follow->step.is_ending = true;
    while (!follow->failed && follow->suspects.count && clock_monotonic_ms() < until_ms &&
           !stop_is_overdue()) {
        uv_run(&follow->loop, UV_RUN_ONCE);
        uint64_t now_ms = clock_monotonic_ms();
        if (now_ms >= follow->retry_ms && suspects_next_ms(&follow->suspects) <= now_ms)
            take_step(follow);
    }
}

static void work(struct follow *follow)
{
    follow_show_open(&follow->show, follow->settings);
    follow->save_ms = clock_monotonic_ms() + SAVE_MS;
    while (!follow->failed && !stop_signal()) {
        turn(follow);
        check_place(follow);
        turn_full_pass(follow);
        turn_sources(follow, false);
        turn_alerts(follow);
        turn_reads(follow, false);
        tell_sometimes(follow);
        log_flush();
    }
    full_pass_stop(follow->full);
    if (follow->show.is_live)
        show(follow);
    if (!follow->failed)
        finish(follow);
    if (!follow->failed)
        turn_sources(follow, true);
    turn_reads(follow, true);
}

/* ---- begin and end ----------------------------------------------------------------------- */

static enum outcome check_store(const struct settings *settings, struct error *err)
{
    if (!store_of(settings)->in_process)
        return OUT_OK;
    return error_set(err, OUT_FATAL, ERR_USAGE,
                     "storage memory is gone when its process has ended");
}

static enum outcome count_partitions(struct follow *follow, int32_t *count, struct error *err)
{
    char topic[TOPIC_NAME_SIZE];
    const struct settings *settings = follow->settings;
    enum outcome outcome =
        topic_format(settings->prefix, settings->migration, TOPIC_SOURCE, topic, err);
    if (outcome == OUT_OK)
        outcome = bus_partition_count(follow->bus, topic, VERIFY_BUS_MS, count, err);
    if (outcome == OUT_OK && *count == 0)
        outcome = kafka_topics_no_migration(settings, err); /* names those there are */
    return outcome;
}

static enum outcome open_parts(struct follow *follow, struct error *err)
{
    int32_t count = 0;
    const struct settings *settings = follow->settings;
    enum outcome outcome = check_store(settings, err);
    if (outcome == OUT_OK)
        outcome = alert_target_check_all(settings, err); /* before anything is begun */
    if (outcome == OUT_OK)
        outcome = report_folder_try(settings->report_dir, err);
    if (outcome == OUT_OK)
        outcome = count_partitions(follow, &count, err);
    if (outcome == OUT_OK)
        outcome = row_lookup_open(settings, (size_t)count, &follow->lookup, err);
    if (outcome == OUT_OK)
        outcome = notes_open(&follow->notes, settings, err);
    if (outcome == OUT_OK)
        outcome = follow_reads_open(settings, &follow->notes, &follow->reads, err);
    if (outcome == OUT_OK)
        outcome =
            reading_watch_open(settings, follow->bus, follow->notes.book, &follow->sources, err);
    if (outcome == OUT_OK)
        outcome = receipt_intake_open(&follow->intake, settings, follow->bus, (size_t)count, err);
    if (outcome != OUT_OK)
        return outcome;
    suspects_init(&follow->suspects, settings->suspect_ms);
    follow->intake.on_revoked = on_revoked;
    follow->intake.owner = follow;
    follow->step = (struct follow_step){.settings = settings,
                                        .bus = follow->bus,
                                        .intake = &follow->intake,
                                        .lookup = follow->lookup,
                                        .suspects = &follow->suspects,
                                        .writes = &follow->writes,
                                        .reads = follow->reads,
                                        .notes = &follow->notes};
    write_times_init(&follow->writes, store_of(settings)->has_stage);
    follow_step_init(&follow->step);
    follow->teller = state_teller_open(settings, follow->bus, STATE_VERIFY, follow->notes.id);
    follow->save = (struct follow_save){.settings = settings,
                                        .notes = &follow->notes,
                                        .intake = &follow->intake,
                                        .lookup = follow->lookup};
    follow_save_init(&follow->save);
    const struct follow_alerts_conf alerts = {.settings = settings,
                                              .loop = &follow->loop,
                                              .bus = follow->bus,
                                              .source = follow->lookup->run.topics[TOPIC_SOURCE],
                                              .notes = &follow->notes,
                                              .intake = &follow->intake};
    outcome = full_pass_open(settings, &follow->loop, &follow->notes, &follow->full, err);
    if (outcome == OUT_OK)
        outcome = follow_alerts_open(&alerts, &follow->alerts, err);
    return outcome == OUT_OK ? follow_step_restore(&follow->step, err) : outcome;
}

static void close_parts(struct follow *follow)
{
    uint64_t until_ms = clock_monotonic_ms() + CLOSE_MS;
    receipt_intake_close(&follow->intake);
    full_pass_stop(follow->full);
    follow_alerts_close(follow->alerts, ALERTS_MS);
    while ((!follow->intake.is_closed || full_pass_is_open(follow->full) ||
            !follow_alerts_is_closed(follow->alerts)) &&
           clock_monotonic_ms() < until_ms)
        uv_run(&follow->loop, UV_RUN_ONCE);
    uv_close((uv_handle_t *)&follow->timer, NULL);
    uv_run(&follow->loop, UV_RUN_NOWAIT);
    follow_reads_close(follow->reads);
    follow_step_free(&follow->step);
    receipt_intake_free(&follow->intake);
    suspects_free(&follow->suspects);
    write_times_free(&follow->writes);
    state_teller_close(follow->teller);
    follow_save_free(&follow->save);
    full_pass_free(follow->full);
    follow_alerts_free(follow->alerts);
    reading_watch_close(follow->sources);
    notes_close(&follow->notes);
    row_lookup_close(follow->lookup);
    kafka_bus_free(follow->bus);
    uv_loop_close(&follow->loop);
}

static enum exit_code result_of(const struct follow *follow)
{
    struct follow_report report = {0};
    const struct follow_numbers numbers = numbers_of(follow);
    follow_numbers_report(&numbers, &report);
    report.facts.ended_ms = clock_unix_ms();
    return follow_report_is_right(&report) ? EXIT_OK : EXIT_DISCREPANCY;
}

enum exit_code verify_follow_main(const struct settings *settings, struct error *err)
{
    struct follow *follow = mem_new(sizeof *follow);
    enum exit_code code = EXIT_OK;
    follow->settings = settings;
    signal(SIGPIPE, SIG_IGN);
    stop_install();
    uv_loop_init(&follow->loop);
    uv_timer_init(&follow->loop, &follow->timer);
    uv_timer_start(&follow->timer, on_timer, TICK_MS, TICK_MS);
    follow->bus = kafka_bus_new(settings, &follow->loop);
    kafka_bus_answer_within(follow->bus, VERIFY_BUS_MS);
    if (open_parts(follow, err) != OUT_OK) {
        code = error_code_exit(err->code);
    } else {
        work(follow);
        const struct follow_numbers numbers = numbers_of(follow);
        standing_tell(follow->teller, &numbers, true);
        save(follow, true);
        struct follow_screen screen = screen_of(follow, &numbers);
        follow_show_end(&follow->show, &screen, follow->save.path);
        code = follow->failed ? error_code_exit(follow->failure.code) : result_of(follow);
        if (follow->failed)
            *err = follow->failure;
    }
    close_parts(follow);
    free(follow);
    return code;
}
