/* The end of a bulk load in a run: on a thread of the pool, once everything is committed, while the
 * workers still run; they go on by upserts. */
#include <stdio.h>
#include <string.h>

#include "common/io/clock.h"
#include "common/io/log.h"
#include "control/load/load_check.h"
#include "control/load/load_finish.h"
#include "control/run/run.h"

enum { TEXT_LIMIT = 1 << 20 };

/* Each try may build all indexes anew, and meets the same full disk or lock. */
#define BACKOFF ((struct backoff){.min_ms = 2000, .max_ms = 60000})

/* Of the pool's thread; the log is the loop's. */
static void on_waiting(void *owner, const struct error *err)
{
    struct run *run = owner;
    uv_mutex_lock(&run->load.lock);
    run->load.waiting = *err;
    uv_mutex_unlock(&run->load.lock);
}

/* Of the pool's thread. */
static void on_work(uv_work_t *work)
{
    struct run *run = work->data;
    const struct pg_load_waiting waiting = {on_waiting, run};
    run->load.err = (struct error){0};
    run->load.outcome = load_finish(run->settings, &waiting, &run->load.report, &run->load.err);
}

static void say_waiting(struct run *run)
{
    uv_mutex_lock(&run->load.lock);
    struct error waiting = run->load.waiting;
    run->load.waiting.outcome = OUT_OK;
    uv_mutex_unlock(&run->load.lock);
    if (waiting.outcome != OUT_OK)
        log_error(LOG_WARN, "run.load", &waiting);
}

static void say_table(struct run *run, const struct pg_load_table *table)
{
    struct buf text;
    buf_init(&text, TEXT_LIMIT);
    buf_append_text(&text, "  load     ");
    load_append_table(&text, table);
    if (!run->settings->quiet)
        run_view_print(run, buf_view(&text));
    buf_free(&text);
}

static void take_report(struct run *run)
{
    for (size_t i = 0; i < run->load.report.count; i++) {
        const struct pg_load_table *table = &run->load.report.tables[i];
        say_table(run, table);
        for (size_t j = 0; j < table->left_count; j++)
            run->load.left[table->left[j].the_class] += table->left[j].count;
    }
}

static void on_worked(uv_work_t *work, int status)
{
    struct run *run = work->data;
    run->load.is_running = false;
    uv_mutex_destroy(&run->load.lock);
    if (status == 0 && run->load.outcome == OUT_OK) {
        take_report(run);
        run->load.is_done = true;
    } else if (run->load.outcome == OUT_RETRY) {
        log_error(LOG_WARN, "run.load", &run->load.err);
        if (run->load.backoff.max_ms == 0)
            run->load.backoff = BACKOFF;
        run->load.again_ms =
            clock_monotonic_ms() + backoff_next_ms(&run->load.backoff, UINT32_MAX / 2);
    } else {
        run->load.has_failed = true;
    }
    pg_load_free(&run->load.report);
}

/* ---- what an earlier run left ---- */

static void say_ahead(void *unused, const struct error *err)
{
    (void)unused;
    log_error(LOG_WARN, "run.load", err);
}

static enum outcome finish_ahead(const struct settings *settings, struct error *err)
{
    static const struct pg_load_waiting WAITING = {say_ahead, NULL};
    struct pg_load_report report = {0};
    struct buf text;
    buf_init(&text, TEXT_LIMIT);
    enum outcome outcome = load_finish(settings, &WAITING, &report, err);
    for (size_t i = 0; i < report.count && !settings->quiet; i++) {
        load_append_table(&text, &report.tables[i]);
        fprintf(stderr, "  load     %s, as an earlier run had begun to finish it\n",
                buf_text(&text));
        buf_reset(&text);
    }
    buf_free(&text);
    pg_load_free(&report);
    return outcome;
}

enum outcome run_load_finish_begun(const struct settings *settings, struct error *err)
{
    struct load_states states;
    enum outcome outcome = load_ask_states(settings, &states, err);
    return outcome == OUT_OK && states.finalising ? finish_ahead(settings, err) : outcome;
}

/* ---- this one's ---- */

bool run_load_step(struct run *run)
{
    if (run->load.is_running)
        say_waiting(run);
    if (run->load.is_done || run->load.is_running || run->load.has_failed ||
        clock_monotonic_ms() < run->load.again_ms)
        return run->load.is_done;
    run->load.work.data = run;
    if (uv_mutex_init(&run->load.lock) != 0)
        return false;
    run->load.is_running = uv_queue_work(&run->loop, &run->load.work, on_work, on_worked) == 0;
    if (!run->load.is_running)
        uv_mutex_destroy(&run->load.lock);
    return false;
}
