/* See shadow.h. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/io/answer.h"
#include "common/io/clock.h"
#include "common/io/log.h"
#include "common/io/mappings.h"
#include "common/io/stop.h"
#include "common/io/stores.h"
#include "control/child/child_args.h"
#include "control/child/child_away.h"
#include "control/child/prepare.h"
#include "control/command.h"
#include "control/shadow/shadow.h"

enum {
    TICK_MS = 100,
    POLL_MS = 1000,
    STATUS_MS = 2000,
    STATUS_RESTS = 20,
    WELL_MS = 60000, /* one that ran so long begins anew with the shortest pause */
};

/* The first pause is short, as a worker that was killed leaves its partitions to nobody. */
#define RESTART ((struct backoff){.min_ms = 500, .max_ms = 30000})

/* ---- starting */

/* The verifier's documents are its progress. */
static const char *const *flags_of(const struct shadow *shadow, enum child_role role)
{
    static const char *const FOLLOW[] = {"--follow", NULL};
    static const char *const FOLLOW_JSON[] = {"--follow", "--json", NULL};
    if (role == CHILD_WORK)
        return NULL;
    return role == CHILD_VERIFY && !shadow->settings->json ? FOLLOW_JSON : FOLLOW;
}

static enum outcome start_child(struct shadow *shadow, size_t place, struct error *err)
{
    struct child *child = &shadow->children[place];
    struct shadow_life *life = &shadow->lives[place];
    int more = -1;
    if (child->role == CHILD_PRODUCE &&
        child_args_sources(&shadow->sources, child->role, &more, err) != OUT_OK)
        return OUT_FATAL;
    char **args =
        child_args_make(shadow->settings, shadow->conf, child->role, flags_of(shadow, child->role));
    enum outcome outcome = child_start(child, &shadow->owner, args, more, err);
    child_args_free(args);
    if (more >= 0)
        close(more);
    life->started_ms = clock_monotonic_ms();
    life->again_ms = 0;
    return outcome;
}

static bool anything_runs(const struct shadow *shadow, enum child_role from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (child_is_running(&shadow->children[i]))
            return true;
    return false;
}

/* ---- ending: produce, then the workers, then the verifier */

static void stop(struct shadow *shadow, enum exit_code code)
{
    if (shadow->phase != SHADOW_RUNNING)
        return;
    shadow->phase = SHADOW_STOPPING;
    shadow->code = code;
    shadow->stopped_ms = clock_monotonic_ms();
}

static void tell(struct shadow *shadow, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        if (!shadow->lives[i].is_told)
            child_signal(&shadow->children[i], SIGTERM);
        shadow->lives[i].is_told = true;
    }
}

/* Who takes long keeps the next one waiting for a part of the time only. */
static void go_on_stopping(struct shadow *shadow)
{
    uint64_t since_ms = clock_monotonic_ms() - shadow->stopped_ms;
    uint64_t drain_ms = shadow->settings->drain_ms;
    bool produced = !child_is_running(&shadow->children[CHILD_PRODUCE]) || since_ms > drain_ms / 4;
    bool worked = !anything_runs(shadow, CHILD_WORK, shadow->child_count) || since_ms > drain_ms;
    tell(shadow, CHILD_PRODUCE, CHILD_PRODUCE + 1);
    if (produced)
        tell(shadow, CHILD_WORK, shadow->child_count);
    if (produced && worked)
        tell(shadow, CHILD_VERIFY, CHILD_VERIFY + 1);
    if (since_ms > drain_ms / 4 + child_stop_ms(drain_ms)) {
        shadow->has_killed = true;
        for (size_t i = 0; i < shadow->child_count; i++)
            child_signal(&shadow->children[i], SIGKILL);
    }
    if (!anything_runs(shadow, CHILD_PRODUCE, shadow->child_count)) {
        shadow->phase = SHADOW_DONE;
        uv_stop(&shadow->loop);
    }
}

/* ---- a child's end */

/* Ended by somebody else, or for a server that is away: that goes away. */
static bool may_come_back(const struct child *child)
{
    return child->code == EXIT_OK || child->code == EXIT_DISCREPANCY ||
           child->code == EXIT_UNREACHABLE || child->code > 128;
}

static void append_reason(const struct child *child, char *out, size_t size)
{
    if (child->code > 128)
        snprintf(out, size, "ended by signal %d", child->code - 128);
    else
        snprintf(out, size, "ended by itself, exit %d", child->code);
}

/* Its counts are kept: the next life counts from nothing. */
static void keep_counts(struct shadow_life *life, const struct child_numbers *last)
{
    for (int i = 0; i < PRODUCE_COUNT; i++)
        life->past.produce[i] += last->produce[i];
    for (int i = 0; i < WORK_COUNT; i++)
        life->past.work[i] += last->work[i];
}

static void plan_restart(const struct child *child, struct shadow_life *life)
{
    char reason[64];
    uint64_t now_ms = clock_monotonic_ms();
    if (now_ms - life->started_ms > WELL_MS)
        backoff_reset(&life->backoff);
    uint32_t pause_ms = backoff_next_ms(&life->backoff, UINT32_MAX / 2);
    life->again_ms = now_ms + pause_ms;
    life->restarts++;
    append_reason(child, reason, sizeof(reason));
    log_line(LOG_WARN, "shadow.restart", "role=%s cause=\"%s\" again_in_ms=%u",
             child_role_name(child->role), reason, pause_ms);
}

static void on_child_end(void *self, struct child *child)
{
    struct shadow *shadow = self;
    struct shadow_life *life = &shadow->lives[child - shadow->children];
    keep_counts(life, &child->numbers);
    if (shadow->phase != SHADOW_RUNNING)
        return;
    if (may_come_back(child)) {
        plan_restart(child, life);
        return;
    }
    /* what was wrong it has said itself, above */
    snprintf(shadow->failure, sizeof(shadow->failure), "drover %s failed (exit %d)",
             child_role_name(child->role), child->code);
    stop(shadow, (enum exit_code)child->code);
}

static enum outcome read_mappings(const struct settings *settings, struct digest *fingerprint,
                                  struct error *err)
{
    struct mapping_set mappings;
    enum outcome outcome = mapping_set_load(settings, &mappings, err);
    if (outcome != OUT_OK)
        return outcome;
    *fingerprint = mapping_set_fingerprint(&mappings);
    mapping_set_free(&mappings);
    return OUT_OK;
}

/* A part that begins anew reads its mappings anew, while the others keep theirs. */
static enum outcome check_mappings(struct shadow *shadow, struct error *err)
{
    struct digest now;
    enum outcome outcome = read_mappings(shadow->settings, &now, err);
    if (outcome != OUT_OK || digest_equal(&now, &shadow->mappings))
        return outcome;
    error_set(err, OUT_FATAL, ERR_MAPPING_GENERATION,
              "a mapping was changed while drover shadow runs, and a part has to be started again");
    error_hint(err, "put it back, or start drover shadow with the changed one: what it changes in "
                    "the tables is checked then");
    return OUT_FATAL;
}

static void restart_child(struct shadow *shadow, size_t place)
{
    if (check_mappings(shadow, &shadow->err) != OUT_OK)
        stop(shadow, command_fail(&shadow->err));
    else if (start_child(shadow, place, &shadow->err) != OUT_OK)
        stop(shadow, EXIT_RUNTIME);
}

static void start_again(struct shadow *shadow)
{
    uint64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; i < shadow->child_count && shadow->phase == SHADOW_RUNNING; i++) {
        uint64_t again_ms = shadow->lives[i].again_ms;
        if (again_ms && now_ms >= again_ms)
            restart_child(shadow, i);
    }
}

/* ---- the loop */

static void on_line(void *self, struct child *child, enum child_stream stream, struct bytes line)
{
    struct shadow *shadow = self;
    bool is_document = stream == CHILD_OUTPUT && child->role == CHILD_VERIFY;
    if (is_document)
        child_numbers_parse(&child->numbers, line);
    if (stream == CHILD_OUTPUT && shadow->settings->json)
        answer_pass_on(shadow->settings->answer, line);
    else if (!is_document)
        shadow_show_print(shadow, line);
}

static void on_polled(void *self)
{
    struct shadow *shadow = self;
    if (shadow->poll.outcome == OUT_OK) {
        shadow->committed = shadow->poll.status.committed;
        shadow->total = shadow->poll.status.total;
        shadow->lag = shadow->poll.status.lag;
    } else if (shadow->poll.outcome == OUT_FATAL && shadow->phase == SHADOW_RUNNING) {
        shadow->err = shadow->poll.err;
        stop(shadow, command_fail(&shadow->err));
    }
}

/* Not while it stops: a question that the stop cuts off is no server that is away. */
static void watch(struct shadow *shadow, uint64_t now_ms)
{
    child_away_update(&shadow->outages, &shadow->poll.away, shadow->children, shadow->child_count,
                      !shadow->terminal, now_ms);
    if (!shadow->poll.is_running && now_ms - shadow->poll.over_ms >= POLL_MS)
        status_poll_start(&shadow->poll, &shadow->loop, on_polled, shadow);
    start_again(shadow);
}

static void on_tick(uv_timer_t *timer)
{
    struct shadow *shadow = timer->data;
    uint64_t now_ms = clock_monotonic_ms();
    log_flush();
    if (stop_signal())
        stop(shadow, EXIT_OK);
    if (shadow->phase == SHADOW_RUNNING)
        watch(shadow, now_ms);
    shadow_show_tick(shadow);
    if (shadow->phase == SHADOW_STOPPING)
        go_on_stopping(shadow);
}

/* The second signal does not wait. */
static struct shadow *volatile killed_shadow;

static void kill_children(void)
{
    for (size_t i = 0; i < killed_shadow->child_count; i++)
        child_kill(&killed_shadow->children[i]);
}

static void run_loop(struct shadow *shadow)
{
    uv_loop_init(&shadow->loop);
    uv_timer_init(&shadow->loop, &shadow->tick);
    shadow->tick.data = shadow;
    uv_timer_start(&shadow->tick, on_tick, TICK_MS, TICK_MS);
    killed_shadow = shadow;
    stop_before_end(kill_children);
    stop_install();
    for (size_t i = 0; i < shadow->child_count && shadow->phase == SHADOW_RUNNING; i++)
        if (shadow->lives[i].is_here && start_child(shadow, i, &shadow->err) != OUT_OK)
            stop(shadow, EXIT_RUNTIME);
    uv_run(&shadow->loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&shadow->tick, NULL);
    stop_before_end(NULL);
    uv_run(&shadow->loop, UV_RUN_DEFAULT); /* the close callbacks */
    uv_loop_close(&shadow->loop);
}

/* ---- all of it */

static enum outcome prepare(struct shadow *shadow, struct error *err)
{
    const struct settings *settings = shadow->settings;
    bool is_here = false;
    for (size_t i = 0; i < shadow->child_count; i++)
        is_here = is_here || shadow->lives[i].is_here;
    if (!is_here) {
        error_set(err, OUT_FATAL, ERR_USAGE, "no part would run on this host");
        error_hint(err, "leave out --no-produce, --workers 0 or --no-verify");
        return OUT_FATAL;
    }
    if (store_of(settings)->in_process) {
        error_set(err, OUT_FATAL, ERR_USAGE, "storage memory is seen by no other process");
        error_hint(err, "set storage to database, hybrid, redis or file");
        return OUT_FATAL;
    }
    enum outcome outcome = read_mappings(settings, &shadow->mappings, err);
    if (outcome == OUT_OK)
        outcome = settings->shadow_produce ? prepare_all(settings, &shadow->sources, err)
                                           : prepare_servers(settings, err);
    if (outcome == OUT_OK)
        outcome = status_open(settings, STATUS_MS, STATUS_RESTS, &shadow->poll.status, err);
    return outcome;
}

static void assign(struct shadow *shadow)
{
    for (size_t i = 0; i < shadow->child_count; i++) {
        shadow->children[i].role = i < CHILD_WORK ? (enum child_role)i : CHILD_WORK;
        shadow->lives[i].backoff = RESTART;
        shadow->lives[i].is_here = true;
    }
    shadow->lives[CHILD_PRODUCE].is_here = shadow->settings->shadow_produce;
    shadow->lives[CHILD_VERIFY].is_here = shadow->settings->shadow_verify;
}

/* The verifier's verdict, unless something failed. */
static enum exit_code code_of(const struct shadow *shadow)
{
    const struct child *verify = &shadow->children[CHILD_VERIFY];
    if (shadow->code != EXIT_OK)
        return shadow->code;
    if (shadow->has_killed)
        return EXIT_RUNTIME;
    if (!shadow->lives[CHILD_VERIFY].is_here || !verify->ended)
        return EXIT_OK;
    return verify->code > 128 ? EXIT_RUNTIME : (enum exit_code)verify->code;
}

enum exit_code shadow_command(const struct invocation *invocation, struct error *err)
{
    const struct settings *settings = &invocation->settings;
    struct shadow *shadow = mem_new(sizeof(*shadow));
    bool one = store_of(settings)->one_writer && settings->shadow_workers > 1;
    size_t count = CHILD_WORK + (one ? 1 : settings->shadow_workers);
    *shadow =
        (struct shadow){.settings = settings,
                        .conf = &invocation->conf,
                        .sources = invocation->words.count ? invocation->words : settings->sources,
                        .children = mem_zeroed(count, sizeof(struct child)),
                        .lives = mem_zeroed(count, sizeof(struct shadow_life)),
                        .child_count = count};
    shadow->owner = (struct child_owner){&shadow->loop, shadow, on_line, NULL, on_child_end};
    shadow->began_ms = shadow->line_ms = clock_monotonic_ms();
    assign(shadow);
    enum exit_code code;
    if (prepare(shadow, err) == OUT_OK) {
        shadow_show_open(shadow);
        run_loop(shadow);
        shadow_show_close(shadow);
        code = code_of(shadow);
        shadow_show_summary(shadow, code);
        *err = shadow->err;
    } else {
        code = command_fail(err);
    }
    status_close(&shadow->poll.status);
    free(shadow->lives);
    free(shadow->children);
    free(shadow);
    return code;
}
