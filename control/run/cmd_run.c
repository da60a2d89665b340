#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/base/mem.h"
#include "common/io/files.h"
#include "common/io/kafka/kafka_topics.h"
#include "common/io/log.h"
#include "common/io/mappings.h"
#include "common/io/postgres/pg_schema.h"
#include "common/io/redis/redis_url.h"
#include "common/io/report_folder.h"
#include "common/io/source/source_rules.h"
#include "common/io/stop.h"
#include "common/io/stores.h"
#include "common/policy/outage.h"
#include "control/command.h"
#include "control/load/load_check.h"
#include "control/rehearse/rehearse.h"
#include "common/io/terminal.h"
#include "control/run/run.h"

enum {
    TICK_MS = 100,
    WATCH_MS = 1000, /* between polls that cannot see the end; each asks of every partition */
    STATUS_MS = 2000,
    STATUS_RESTS = 20, /* two seconds */
    BROKER_MS = 15000,
    WORKER_EXTRA_MS = 4000, /* a worker's stop beyond its drain (docs/architecture.md) */
    PRODUCE_STOP_MS = 10000,
    STOP_SLACK_MS = 3000, /* and then they are killed */
    HALTED_MS = 10000,    /* nothing moves and a partition is halted: nothing will */
    FILES_MS = 15000,     /* no file more was written: what is left is the verifier's to name */
};

/* ---- before anything runs */

static void say_lines(const char *title, struct buf *lines)
{
    const char *at = buf_text(lines);
    while (*at) {
        size_t size = strcspn(at, "\n");
        fprintf(stderr, "  %-8s %.*s\n", title, (int)size, at);
        at += size + (at[size] == '\n');
    }
}

static enum outcome prepare_schema(const struct settings *settings, struct error *err)
{
    struct mapping_set mappings;
    enum outcome outcome = mapping_set_load(settings, &mappings, err);
    if (outcome != OUT_OK)
        return outcome;
    outcome = load_check_mappings(settings, &mappings, err);
    if (outcome != OUT_OK) {
        mapping_set_free(&mappings);
        return outcome;
    }
    struct pg_schema apply;
    outcome = pg_schema_apply(settings, &mappings, store_of(settings)->has_stage, &apply, err);
    if (outcome == OUT_OK && !settings->quiet)
        say_lines("schema", &apply.changes);
    if (outcome == OUT_OK && !settings->quiet)
        say_lines("load", &apply.notes);
    pg_schema_free(&apply);
    mapping_set_free(&mappings);
    return outcome;
}

static enum outcome prepare_topics(const struct settings *settings, struct error *err)
{
    struct topic_plan plan[TOPIC_KINDS];
    enum topic_state before[TOPIC_KINDS];
    enum outcome outcome = kafka_topics_plan(settings, BROKER_MS, plan, err);
    for (int i = 0; i < TOPIC_KINDS && outcome == OUT_OK; i++) {
        before[i] = plan[i].state;
        if (plan[i].state == TOPIC_DIFFERENT) {
            outcome = error_set(err, OUT_FATAL, ERR_KAFKA_PARTITIONS,
                                "the topic has %d partitions, %d are wanted",
                                plan[i].partitions_now, plan[i].partitions);
            error_where(err, "%s", plan[i].name);
        }
    }
    if (outcome == OUT_OK)
        outcome = kafka_topics_apply(settings, BROKER_MS, plan, err);
    for (int i = 0; i < TOPIC_KINDS && outcome == OUT_OK && !settings->quiet; i++)
        if (before[i] == TOPIC_MISSING)
            fprintf(stderr, "  topics   create %s with %d partition%s\n", plan[i].name,
                    plan[i].partitions, plan[i].partitions == 1 ? "" : "s");
    return outcome;
}

/* ---- the phases */

static bool any_worker_runs(const struct run *run)
{
    for (size_t i = RUN_WORK; i < run->child_count; i++)
        if (run_child_is_running(&run->children[i]))
            return true;
    return false;
}

static bool anything_runs(const struct run *run)
{
    return any_worker_runs(run) || run_child_is_running(&run->children[RUN_PRODUCE]) ||
           run_child_is_running(&run->children[RUN_VERIFY]);
}

static void signal_all(struct run *run, int signal_number)
{
    for (size_t i = 0; i < run->child_count; i++)
        run_child_signal(&run->children[i], signal_number);
}

static uint64_t kill_time_ms(const struct run *run)
{
    uint64_t worker_ms = run->settings->drain_ms + WORKER_EXTRA_MS;
    uint64_t longest_ms = worker_ms > PRODUCE_STOP_MS ? worker_ms : PRODUCE_STOP_MS;
    return clock_monotonic_ms() + longest_ms + STOP_SLACK_MS;
}

static void end_workers(struct run *run)
{
    for (size_t i = RUN_WORK; i < run->child_count; i++)
        run_child_signal(&run->children[i], SIGTERM);
    run->kill_at_ms = kill_time_ms(run);
}

/* From any phase: everybody ends in order, and `code` is what the run ends with. */
static void stop(struct run *run, enum exit_code code)
{
    if (run->phase >= RUN_STOPPING)
        return;
    run->phase = RUN_STOPPING;
    run->code = code;
    run->kill_at_ms = kill_time_ms(run);
    signal_all(run, SIGTERM);
}

static void finish(struct run *run)
{
    run->phase = RUN_DONE;
    uv_stop(&run->loop);
}

/* Rejected records do not end a run: they are counted, and the verifier weighs them. */
static bool ended_well(const struct run_child *child)
{
    return child->code == EXIT_OK ||
           (child->role == RUN_PRODUCE && child->code == EXIT_DISCREPANCY);
}

/* What was wrong the child has said itself, above. */
static void fail_for(struct run *run, const struct run_child *child)
{
    const char *name = run_role_name(child->role);
    if (child->code > 128)
        snprintf(run->failure, sizeof(run->failure), "drover %s was ended by signal %d", name,
                 child->code - 128);
    else if (child->code == EXIT_OK)
        snprintf(run->failure, sizeof(run->failure), "drover %s ended before it was told to", name);
    else
        snprintf(run->failure, sizeof(run->failure), "drover %s failed (exit %d)", name,
                 child->code);
    bool own_code = child->code > 0 && child->code < 128;
    stop(run, own_code ? (enum exit_code)child->code : EXIT_RUNTIME);
}

/* The verifier writes into a pipe to our standard output. */
static void tell_width(void)
{
    char columns[16];
    snprintf(columns, sizeof(columns), "%zu", terminal_text_width(STDOUT_FILENO));
    setenv("COLUMNS", columns, 1);
}

/* When nothing more is produced: it reads the files while the rest is written. */
static void start_verify(struct run *run)
{
    tell_width();
    if (run_child_start(run, &run->children[RUN_VERIFY], &run->err) != OUT_OK)
        stop(run, EXIT_RUNTIME);
}

static void take_verdict(struct run *run)
{
    int code = run->children[RUN_VERIFY].code;
    run->code = code > 127 ? EXIT_RUNTIME : (enum exit_code)code;
    if (run->code == EXIT_OK)
        run->code = (enum exit_code)run->children[RUN_PRODUCE].code;
    finish(run);
}

/* One that has failed before has said why; it did not keep anything from being written. */
static void begin_verify(struct run *run)
{
    struct run_child *verify = &run->children[RUN_VERIFY];
    run->phase = RUN_VERIFYING;
    run->drained_ms = clock_monotonic_ms();
    if (verify->ended)
        take_verdict(run);
    else
        run_child_let_go(verify);
}

static void on_child_end(struct run *run, struct run_child *child)
{
    bool expected = ended_well(child) && (child->role != RUN_WORK || run->phase != RUN_WORKING);
    if (child->role == RUN_PRODUCE)
        run->produced_ms = clock_monotonic_ms();
    if (run->phase < RUN_STOPPING && child->role == RUN_VERIFY) {
        if (run->phase == RUN_VERIFYING)
            take_verdict(run);
        return;
    }
    if (run->phase < RUN_STOPPING && !expected)
        fail_for(run, child);
    else if (run->phase == RUN_WORKING && child->role == RUN_PRODUCE)
        start_verify(run);
    if (run->phase == RUN_DRAINING && !any_worker_runs(run))
        begin_verify(run);
    if (run->phase == RUN_STOPPING && !anything_runs(run))
        finish(run);
}

/* Of the pool's thread: nothing but the status, which is its own until the poll is over. */
static void on_poll(uv_work_t *work)
{
    struct run *run = work->data;
    run->poll_err = run->poll_ends_err = (struct error){0};
    run->poll_outcome = status_read(&run->status, &run->poll_err);
    if (run->poll_outcome == OUT_RETRY && outage_service_of(run->poll_err.code) != OUTAGE_KAFKA)
        (void)!status_read_ends(&run->status, &run->poll_ends_err);
}

static bool note_away(struct run *run, const struct error *err)
{
    enum outage_service service = outage_service_of(err->code);
    if (err->outcome != OUT_RETRY || service == OUTAGE_SERVICES)
        return false;
    struct buf cause;
    buf_init(&cause, 1024);
    outage_append_cause(&cause, err);
    outage_see(&run->poll_away, service, true, error_code_id(err->code), buf_text(&cause), 0);
    buf_free(&cause);
    return true;
}

/* A server that cannot be reached is a state of the view; the workers wait for it as well. */
static void note_outages(struct run *run)
{
    run->poll_away = (struct outages){0};
    note_away(run, &run->poll_ends_err);
    if (!note_away(run, &run->poll_err) && run->poll_outcome == OUT_RETRY)
        log_error(LOG_WARN, "run.poll", &run->poll_err);
}

/* Later on a poll only tells what is away: the numbers of the work stay those it ended with. */
static bool counts(const struct run *run)
{
    return run->phase == RUN_WORKING || run->phase == RUN_DRAINING;
}

static void on_polled(uv_work_t *work, int status)
{
    struct run *run = work->data;
    run->polling = false;
    run->polled_ms = clock_monotonic_ms();
    if (status != 0 || run->phase == RUN_DONE)
        return;
    note_outages(run);
    if (!counts(run))
        return;
    run->seen.is_ok = run->poll_outcome == OUT_OK;
    if (run->poll_outcome == OUT_OK) {
        run->seen = (struct run_seen){.total = run->status.total,
                                      .committed = run->status.committed,
                                      .lag = run->status.lag,
                                      .waiting = run->status.store.waiting,
                                      .unwritten = run->status.store.unwritten,
                                      .at_ms = run->polled_ms,
                                      .is_last = run->poll_is_last,
                                      .is_ok = true};
    } else if (run->poll_outcome == OUT_FATAL) {
        run->err = run->poll_err;
        stop(run, command_fail(&run->poll_err));
    }
    if (run->seen.committed != run->moved_committed || run->moved_ms == 0) {
        run->moved_committed = run->seen.committed;
        run->moved_ms = clock_monotonic_ms();
    }
}

static void start_poll(struct run *run)
{
    bool sees_end = counts(run) && run->children[RUN_PRODUCE].ended;
    if (run->polling || (!sees_end && clock_monotonic_ms() - run->polled_ms < WATCH_MS))
        return;
    run->poll.data = run;
    run->poll_is_last = run->children[RUN_PRODUCE].ended;
    run->polling = uv_queue_work(&run->loop, &run->poll, on_poll, on_polled) == 0;
}

static bool is_stuck(const struct run *run)
{
    struct run_sums sums;
    if (run->moved_ms == 0)
        return false; /* no poll yet */
    run_sum(run, &sums);
    return sums.metrics[METRIC_HALTED] && clock_monotonic_ms() - run->moved_ms > HALTED_MS;
}

/* Children that still wait for their parents need not: everything is in the topic, and written. To
 * workers that have told of themselves, as only they listen for it. */
static void say_nothing_comes(struct run *run)
{
    for (size_t i = RUN_WORK; i < run->child_count; i++)
        if (run->children[i].numbers.told)
            run_child_signal(&run->children[i], SIGUSR1);
}

/* Files that stay as they are (a full disk, a place that is bad) are the verifier's to name. */
static bool files_are_done(struct run *run)
{
    uint64_t now_ms = clock_monotonic_ms(), unwritten = run->seen.unwritten;
    if (run->wrote_ms == 0 || unwritten < run->min_unwritten) {
        run->min_unwritten = unwritten;
        run->wrote_ms = now_ms;
    }
    return unwritten == 0 || now_ms - run->wrote_ms > FILES_MS;
}

static void find_end(struct run *run)
{
    const struct run_seen *seen = &run->seen;
    bool produced = run->children[RUN_PRODUCE].ended;
    bool written = seen->is_ok && seen->is_last && seen->lag == 0;
    bool loaded = written && (!store_of(run->settings)->has_tables || run_load_step(run));
    if (run->load.has_failed) {
        run->err = run->load.err;
        stop(run, command_fail(&run->err));
        return;
    }
    if (written && seen->waiting)
        say_nothing_comes(run);
    if (loaded && seen->waiting == 0 && files_are_done(run)) {
        run->phase = RUN_DRAINING;
        end_workers(run);
    } else if (produced && is_stuck(run)) {
        error_set(&run->err, OUT_FATAL, ERR_CHECKPOINT,
                  "a partition is halted and nothing else is left");
        error_hint(&run->err, "see the worker's message above");
        stop(run, EXIT_RUNTIME);
    }
}

/* The first signal asks everybody to end in order. */
static void interrupt(struct run *run)
{
    run->interrupted = true;
    stop(run, EXIT_STOPPED);
    if (!anything_runs(run))
        finish(run);
}

static void on_tick(uv_timer_t *timer)
{
    struct run *run = timer->data;
    log_flush();
    if (stop_signal() && !run->interrupted)
        interrupt(run);
    if (run->phase != RUN_DONE)
        start_poll(run);
    if (run->phase == RUN_WORKING)
        find_end(run);
    bool late = run->kill_at_ms && clock_monotonic_ms() > run->kill_at_ms;
    if (late && (run->phase == RUN_DRAINING || run->phase == RUN_STOPPING))
        signal_all(run, SIGKILL);
    if (run->phase != RUN_DONE)
        run_view_draw(run);
    if (run->phase != RUN_DONE)
        run_json_tick(run);
}

/* ---- all of it */

static enum outcome start_children(struct run *run, struct error *err)
{
    for (size_t i = 0; i < run->child_count; i++)
        run->children[i].role = i < RUN_WORK ? (enum run_role)i : RUN_WORK;
    enum outcome outcome = OUT_OK;
    for (size_t i = RUN_WORK; i < run->child_count && outcome == OUT_OK; i++)
        outcome = run_child_start(run, &run->children[i], err);
    if (outcome == OUT_OK)
        outcome = run_child_start(run, &run->children[RUN_PRODUCE], err);
    return outcome;
}

/* The second signal does not wait: its handler may come while the loop asks a silent server. */
static struct run *volatile killed_run;

static void kill_children(void)
{
    static const char END[] = "\r\033[J"; /* "^C" stands where the cursor is, below the view */
    if (killed_run->terminal)
        (void)!write(STDERR_FILENO, END, sizeof(END) - 1);
    for (size_t i = 0; i < killed_run->child_count; i++)
        if (run_child_is_running(&killed_run->children[i]))
            kill(killed_run->children[i].process.pid, SIGKILL);
}

static void open_loop(struct run *run)
{
    uv_loop_init(&run->loop);
    uv_timer_init(&run->loop, &run->tick);
    run->tick.data = run;
    uv_timer_start(&run->tick, on_tick, TICK_MS, TICK_MS);
    killed_run = run;
    stop_before_end(kill_children);
    stop_install();
}

static void close_loop(struct run *run)
{
    uv_close((uv_handle_t *)&run->tick, NULL);
    stop_before_end(NULL);
    uv_run(&run->loop, UV_RUN_DEFAULT); /* the close callbacks */
    uv_loop_close(&run->loop);
}

static void run_loop(struct run *run)
{
    open_loop(run);
    if (start_children(run, &run->err) != OUT_OK)
        stop(run, EXIT_RUNTIME);
    if (run->phase != RUN_STOPPING || anything_runs(run))
        uv_run(&run->loop, UV_RUN_DEFAULT);
    close_loop(run);
}

/* A typo in a name should not make tables and topics first. */
static enum outcome check_source(const char *source, struct error *err)
{
    bool other = strcmp(source, "-") == 0 || strpbrk(source, "*?[{") || strstr(source, "://");
    if (other || files_exist(source))
        return OUT_OK;
    enum outcome outcome = error_set(err, OUT_FATAL, ERR_SOURCE_OPEN, "the source is not there");
    error_where(err, "%s", source);
    return outcome;
}

/* All mistakes of the mappings, and whose the records are, before anything is touched. */
static enum outcome prepare_rules(const struct run *run, struct error *err)
{
    struct settings settings = *run->settings;
    struct mapping_set mappings;
    struct source_rules rules;
    settings.sources = run->sources;
    if (mapping_set_load(&settings, &mappings, err) != OUT_OK)
        return OUT_FATAL;
    enum outcome outcome = source_rules_init(&rules, &settings, &mappings, err);
    if (outcome == OUT_OK && !settings.quiet) {
        struct buf text;
        buf_init(&text, 4096);
        source_rules_say_tenant(&rules, &text);
        fprintf(stderr, "  tenant   %s\n", buf_text(&text));
        buf_free(&text);
    }
    source_rules_free(&rules);
    mapping_set_free(&mappings);
    return outcome;
}

static enum outcome prepare(struct run *run, struct error *err)
{
    const struct settings *settings = run->settings;
    enum outcome outcome = OUT_OK;
    if (run->sources.count == 0) {
        outcome = error_set(err, OUT_FATAL, ERR_CONF_MISSING, "no source is given");
        error_hint(err, "name files: drover run exports/*.json, or set produce.sources");
    }
    for (size_t i = 0; i < run->sources.count && outcome == OUT_OK; i++)
        outcome = check_source(run->sources.items[i], err);
    if (outcome == OUT_OK)
        outcome = prepare_rules(run, err);
    if (outcome == OUT_OK)
        outcome = report_folder_try(settings->report_dir, err);
    struct redis_url redis;
    if (outcome == OUT_OK && store_of(settings)->has_redis)
        outcome = redis_url_parse(settings->redis_url, &redis, err);
    if (outcome == OUT_OK && store_of(settings)->has_tables)
        outcome = prepare_schema(settings, err);
    else if (outcome == OUT_OK && !settings->quiet && strcmp(settings->load, "upsert") != 0)
        fprintf(stderr, "  load     not in bulk, because this storage has no tables\n");
    if (outcome == OUT_OK)
        outcome = prepare_topics(settings, err);
    if (outcome == OUT_OK && store_of(settings)->has_tables)
        outcome = run_load_finish_begun(settings, err);
    if (outcome == OUT_OK)
        outcome = status_open(settings, STATUS_MS, STATUS_RESTS, &run->status, err);
    return outcome;
}

/* Storage memory: no other process could see it. */
static enum exit_code run_in_memory(const struct invocation *invocation, struct error *err)
{
    struct settings settings = invocation->settings;
    if (invocation->words.count)
        settings.sources = invocation->words;
    return rehearse_main(&settings, MEMORY_KEEPS_ROWS, err);
}

enum exit_code run_command(const struct invocation *invocation, struct error *err)
{
    const struct settings *settings = &invocation->settings;
    if (store_of(settings)->in_process)
        return run_in_memory(invocation, err);
    struct run *run = mem_new(sizeof(*run));
    size_t workers = store_of(settings)->one_writer ? 1 : settings->workers;
    size_t children = RUN_WORK + workers;
    struct run_child *list = mem_zeroed(children, sizeof(*list));
    *run = (struct run){.settings = settings,
                        .on_child_end = on_child_end,
                        .conf = &invocation->conf,
                        .sources = invocation->words.count ? invocation->words : settings->sources,
                        .children = list,
                        .child_count = children};
    run->began_ms = run->line_ms = clock_monotonic_ms();
    if (prepare(run, err) == OUT_OK) {
        run_view_open(run);
        run_loop(run);
        run_view_end(run);
        run_summary(run);
        run_json_summary(run);
        *err = run->err;
    } else {
        run->code = command_fail(err);
    }
    enum exit_code code = run->code;
    status_close(&run->status);
    free(list);
    free(run);
    return code;
}
