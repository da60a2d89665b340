/* `drover work`: a worker on a loop, with Kafka and the servers of its storage. */

#include "worker/work.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "common/base/mem.h"
#include "common/io/clock.h"
#include "common/io/kafka/kafka_bus.h"
#include "common/io/log.h"
#include "common/io/stop.h"
#include "worker/report.h"
#include "worker/worker.h"

#define END_MS 500 /* handles */

struct work {
    struct worker *worker;
    struct report report;
    uv_loop_t loop;
    uv_check_t check;
    uv_timer_t timer;
    uv_poll_t polls[2];             /* results, dead letters */
    const struct work_watch *watch; /* of a replay; else NULL */
    bool left_behind;               /* it ends although something of it still runs */
    bool ended;
    uint64_t end_by_ms;
};

/* ---- ending ------------------------------------------------------------------------------ */

static void leave_behind(struct work *work)
{
    work->left_behind = true;
    stop_leave_behind();
    uv_stop(&work->loop);
}

static void close_handle(void *handle)
{
    if (((uv_handle_t *)handle)->type != UV_UNKNOWN_HANDLE && !uv_is_closing(handle))
        uv_close(handle, NULL);
}

/* Of the loop's handles the timer alone is left, which keeps the time; it goes last. */
static void on_ended(void *owner, const char *left)
{
    struct work *work = owner;
    if (left) {
        leave_behind(work);
        return;
    }
    work->ended = true;
    work->end_by_ms = clock_monotonic_ms() + END_MS;
    close_handle(&work->check);
    close_handle(&work->polls[0]);
    close_handle(&work->polls[1]);
    uv_unref((uv_handle_t *)&work->timer); /* when nothing else is there, the loop has ended */
}

/* ---- running ----------------------------------------------------------------------------- */

static void on_check(uv_check_t *check)
{
    worker_turn(((struct work *)check->data)->worker);
}

static void on_timer(uv_timer_t *timer)
{
    struct work *work = timer->data;
    uint64_t now_ms = clock_monotonic_ms();
    if (work->ended) {
        if (now_ms >= work->end_by_ms) {
            log_line(LOG_WARN, "worker.left_behind", "what=handles");
            leave_behind(work);
        }
        return;
    }
    if (stop_signal())
        state_stop(&work->worker->state);
    bus_poll(work->worker->config.bus); /* its log */
    report_progress(&work->report, now_ms, false);
    worker_tick(work->worker);
    if (work->watch)
        work->watch->on_tick(work->watch->owner, work->worker, false);
    log_flush();
}

static void on_outbox_readable(uv_poll_t *poll, int status, int events)
{
    uint64_t wakes;
    struct outbox *outbox = poll->data;
    (void)status;
    (void)events;
    while (read(outbox_fd(outbox), &wakes, sizeof wakes) > 0)
        ; /* the check that follows in this turn of the loop takes what there is */
}

static void watch_outbox(struct work *work, struct outbox *outbox, uv_poll_t *poll)
{
    if (uv_poll_init(&work->loop, poll, outbox_fd(outbox)) != 0)
        abort();
    poll->data = outbox;
    uv_poll_start(poll, UV_READABLE, on_outbox_readable);
}

static void start_loop(struct work *work)
{
    uv_check_init(&work->loop, &work->check);
    uv_timer_init(&work->loop, &work->timer);
    work->check.data = work->timer.data = work;
    stop_install(); /* the timer sees the first one, the handler ends with the second */
    uv_check_start(&work->check, on_check);
    uv_timer_start(&work->timer, on_timer, WORKER_TICK_MS, WORKER_TICK_MS);
    watch_outbox(work, work->worker->receipts.outbox, &work->polls[0]);
    watch_outbox(work, work->worker->dead_letters.outbox, &work->polls[1]);
}

/* Runs until the loop has nothing left, or until something must be left behind. */
static enum exit_code run(struct work *work, struct error *err)
{
    struct worker *worker = work->worker;
    start_loop(work);
    worker_start(worker);
    uv_run(&work->loop, UV_RUN_DEFAULT);
    if (work->watch)
        work->watch->on_tick(work->watch->owner, worker, true);
    report_progress(&work->report, clock_monotonic_ms(), true);
    if (!work->watch)
        report_answer(worker);
    *err = worker->state.failure;
    if (!work->left_behind) {
        close_handle(&work->timer);
        uv_run(&work->loop, UV_RUN_NOWAIT);
    }
    log_finish();
    return worker->state.exit_code;
}

static enum exit_code work_on(const struct settings *settings, const struct worker_replay *replay,
                              const struct work_watch *watch, struct error *err)
{
    struct work *work = mem_new(sizeof *work);
    char host[64] = "host";
    log_setup_names(replay ? "replay" : "worker", settings_log_level(settings),
                    settings->log_format);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, state_on_nothing_comes);
    uv_loop_init(&work->loop);
    struct bus *bus = kafka_bus_new(settings, &work->loop);
    const struct worker_world world = {.bus = bus,
                                       .clock = &CLOCK_MACHINE,
                                       .replay = replay,
                                       .loop = &work->loop,
                                       .owner = work,
                                       .on_ended = on_ended};
    struct worker *worker = work->worker = worker_new(settings, &world);
    work->report.worker = worker;
    work->watch = watch;
    gethostname(host, sizeof host - 1);
    snprintf(worker->config.name, sizeof worker->config.name, "%s-%d", host, (int)getpid());
    enum exit_code code =
        worker_open(worker, err) == OUT_OK ? run(work, err) : error_code_exit(err->code);
    if (work->left_behind)
        return code;
    worker_free(worker);
    kafka_bus_free(bus);
    int open = uv_loop_close(&work->loop);
    if (open != 0)
        log_line(LOG_ERROR, "worker.handles_left", "code=%d", open);
    free(work);
    return code;
}

enum exit_code work_main(const struct settings *settings, struct error *err)
{
    return work_on(settings, NULL, NULL, err);
}

enum exit_code work_replay(const struct settings *settings, const struct worker_replay *replay,
                           const struct work_watch *watch, struct error *err)
{
    return work_on(settings, replay, watch, err);
}
