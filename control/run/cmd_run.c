#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/io/answer.h"
#include "common/io/clock.h"
#include "common/base/mem.h"
#include "common/io/log.h"
#include "common/io/stop.h"
#include "common/io/stores.h"
#include "control/command.h"
#include "control/rehearse/rehearse.h"
#include "common/io/terminal.h"
#include "control/child/child_args.h"
#include "control/child/prepare.h"
#include "control/run/run.h"

enum {
    TICK_MS = 100,
    WATCH_MS = 1000, /* between polls that cannot see the end; each asks of every partition */
    STATUS_MS = 2000,
    STATUS_RESTS = 20, /* two seconds */
    HALTED_MS = 10000, /* nothing moves and a partition is halted: nothing will */
    FILES_MS = 15000,  /* no file more was written: what is left is the verifier's to name */
};

/* ---- the phases */

static bool any_worker_runs(const struct run *run)
{
    for (size_t i = CHILD_WORK; i < run->child_count; i++)
        if (child_is_running(&run->children[i]))
            return true;
    return false;
}

static bool anything_runs(const struct run *run)
{
    return any_worker_runs(run) || child_is_running(&run->children[CHILD_PRODUCE]) ||
           child_is_running(&run->children[CHILD_VERIFY]);
}

static void signal_all(struct run *run, int signal_number)
{
    for (size_t i = 0; i < run->child_count; i++)
        child_signal(&run->children[i], signal_number);
}

static void end_workers(struct run *run)
{
    for (size_t i = CHILD_WORK; i < run->child_count; i++)
        child_signal(&run->children[i], SIGTERM);
    run->kill_at_ms = clock_monotonic_ms() + child_stop_ms(run->settings->drain_ms);
}

/* From any phase: everybody ends in order, and `code` is what the run ends with. */
static void stop(struct run *run, enum exit_code code)
{
    if (run->phase >= RUN_STOPPING)
        return;
    run->phase = RUN_STOPPING;
    run->code = code;
    run->kill_at_ms = clock_monotonic_ms() + child_stop_ms(run->settings->drain_ms);
    signal_all(run, SIGTERM);
}

static void finish(struct run *run)
{
    run->phase = RUN_DONE;
    uv_stop(&run->loop);
}

/* Rejected records do not end a run: they are counted, and the verifier weighs them. */
static bool ended_well(const struct child *child)
{
    return child->code == EXIT_OK ||
           (child->role == CHILD_PRODUCE && child->code == EXIT_DISCREPANCY);
}

/* What was wrong the child has said itself, above. */
static void fail_for(struct run *run, const struct child *child)
{
    const char *name = child_role_name(child->role);
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

static enum outcome start_child(struct run *run, struct child *child, struct error *err)
{
    int more = -1;
    if (child->role != CHILD_WORK &&
        child_args_sources(&run->sources, child->role, &more, err) != OUT_OK)
        return OUT_FATAL;
    char **args = child_args_make(run->settings, run->conf, child->role, NULL);
    enum outcome outcome = child_start(child, &run->owner, args, more, err);
    child_args_free(args);
    if (more >= 0)
        close(more);
    return outcome;
}

static void on_line(void *self, struct child *child, enum child_stream stream, struct bytes line)
{
    struct run *run = self;
    (void)child;
    if (stream == CHILD_OUTPUT && run->settings->json)
        answer_pass_on(run->settings->answer, line);
    else
        run_view_print(run, line);
}

/* The verifier's answer is ours: to standard output, as it is. */
static void on_output(void *self, struct child *child, struct bytes output)
{
    (void)child;
    run_view_end(self);
    fwrite(output.data, 1, output.size, stdout);
    fflush(stdout);
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
    if (start_child(run, &run->children[CHILD_VERIFY], &run->err) != OUT_OK)
        stop(run, EXIT_RUNTIME);
}

static void take_verdict(struct run *run)
{
    int code = run->children[CHILD_VERIFY].code;
    run->code = code > 127 ? EXIT_RUNTIME : (enum exit_code)code;
    if (run->code == EXIT_OK)
        run->code = (enum exit_code)run->children[CHILD_PRODUCE].code;
    finish(run);
}

/* One that has failed before has said why; it did not keep anything from being written. */
static void begin_verify(struct run *run)
{
    struct child *verify = &run->children[CHILD_VERIFY];
    run->phase = RUN_VERIFYING;
    run->drained_ms = clock_monotonic_ms();
    if (verify->ended)
        take_verdict(run);
    else
        child_let_go(verify);
}

static void on_child_end(void *self, struct child *child)
{
    struct run *run = self;
    bool expected = ended_well(child) && (child->role != CHILD_WORK || run->phase != RUN_WORKING);
    if (child->role == CHILD_PRODUCE)
        run->produced_ms = clock_monotonic_ms();
    if (run->phase < RUN_STOPPING && child->role == CHILD_VERIFY) {
        if (run->phase == RUN_VERIFYING)
            take_verdict(run);
        return;
    }
    if (run->phase < RUN_STOPPING && !expected)
        fail_for(run, child);
    else if (run->phase == RUN_WORKING && child->role == CHILD_PRODUCE)
        start_verify(run);
    if (run->phase == RUN_DRAINING && !any_worker_runs(run))
        begin_verify(run);
    if (run->phase == RUN_STOPPING && !anything_runs(run))
        finish(run);
}

/* Later on a poll only tells what is away: the numbers of the work stay those it ended with. */
static bool counts(const struct run *run)
{
    return run->phase == RUN_WORKING || run->phase == RUN_DRAINING;
}

static void on_polled(void *self)
{
    struct run *run = self;
    const struct status_poll *poll = &run->poll;
    if (run->phase == RUN_DONE || !counts(run))
        return;
    run->seen.is_ok = poll->outcome == OUT_OK;
    if (poll->outcome == OUT_OK) {
        run->seen = (struct run_seen){.total = poll->status.total,
                                      .committed = poll->status.committed,
                                      .lag = poll->status.lag,
                                      .waiting = poll->status.store.waiting,
                                      .unwritten = poll->status.store.unwritten,
                                      .at_ms = poll->over_ms,
                                      .is_last = run->poll_is_last,
                                      .is_ok = true};
    } else if (poll->outcome == OUT_FATAL) {
        run->err = poll->err;
        stop(run, command_fail(&run->err));
    }
    if (run->seen.committed != run->moved_committed || run->moved_ms == 0) {
        run->moved_committed = run->seen.committed;
        run->moved_ms = clock_monotonic_ms();
    }
}

static void start_poll(struct run *run)
{
    bool sees_end = counts(run) && run->children[CHILD_PRODUCE].ended;
    if (run->poll.is_running || (!sees_end && clock_monotonic_ms() - run->poll.over_ms < WATCH_MS))
        return;
    run->poll_is_last = run->children[CHILD_PRODUCE].ended;
    status_poll_start(&run->poll, &run->loop, on_polled, run);
}

static bool is_stuck(const struct run *run)
{
    struct child_sums sums;
    if (run->moved_ms == 0)
        return false; /* no poll yet */
    run_sum(run, &sums);
    return sums.metrics[METRIC_HALTED] && clock_monotonic_ms() - run->moved_ms > HALTED_MS;
}

/* Children that still wait for their parents need not: everything is in the topic, and written. To
 * workers that have told of themselves, as only they listen for it. */
static void say_nothing_comes(struct run *run)
{
    for (size_t i = CHILD_WORK; i < run->child_count; i++)
        if (run->children[i].numbers.told)
            child_signal(&run->children[i], SIGUSR1);
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
    bool produced = run->children[CHILD_PRODUCE].ended;
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
        run->children[i].role = i < CHILD_WORK ? (enum child_role)i : CHILD_WORK;
    run->children[CHILD_PRODUCE].has_keyboard = true;
    run->children[CHILD_VERIFY].is_held = run->children[CHILD_VERIFY].is_raw = true;
    enum outcome outcome = OUT_OK;
    for (size_t i = CHILD_WORK; i < run->child_count && outcome == OUT_OK; i++)
        outcome = start_child(run, &run->children[i], err);
    if (outcome == OUT_OK)
        outcome = start_child(run, &run->children[CHILD_PRODUCE], err);
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
        child_kill(&killed_run->children[i]);
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

static enum outcome prepare(struct run *run, struct error *err)
{
    const struct settings *settings = run->settings;
    enum outcome outcome = prepare_all(settings, &run->sources, err);
    if (outcome == OUT_OK && store_of(settings)->has_tables)
        outcome = run_load_finish_begun(settings, err);
    if (outcome == OUT_OK)
        outcome = status_open(settings, STATUS_MS, STATUS_RESTS, &run->poll.status, err);
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
    size_t children = CHILD_WORK + workers;
    struct child *list = mem_zeroed(children, sizeof(*list));
    *run = (struct run){.settings = settings,
                        .conf = &invocation->conf,
                        .sources = invocation->words.count ? invocation->words : settings->sources,
                        .children = list,
                        .child_count = children};
    run->owner = (struct child_owner){&run->loop, run, on_line, on_output, on_child_end};
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
    status_close(&run->poll.status);
    free(list);
    free(run);
    return code;
}
