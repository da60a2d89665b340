/*
 * What `drover run` shows while it runs (live_view.h): drawn in place on a terminal, a line each
 * ten seconds elsewhere. The numbers of one draw are of one moment, so that they add up. Everything
 * this process and its children say goes through here and scrolls by above.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/io/terminal.h"
#include "common/policy/live_view.h"
#include "control/child/child_away.h"
#include "control/run/run.h"

enum {
    VIEW_LIMIT = 1 << 16,
    PLAIN_MS = 10000,
    RATE_MS = 1000,
};

/* Over a second, so that it does not jump with every batch. */
static void update_rate(struct run *run, uint64_t now_ms)
{
    uint64_t committed = run->seen.committed;
    if (run->rate_ms == 0 || committed < run->rate_committed) {
        run->rate_ms = now_ms;
        run->rate_committed = committed;
    } else if (now_ms - run->rate_ms >= RATE_MS) {
        double last =
            (double)(committed - run->rate_committed) * 1000.0 / (double)(now_ms - run->rate_ms);
        run->rate = run->rate > 0 ? (run->rate + last) / 2 : last;
        run->rate_ms = now_ms;
        run->rate_committed = committed;
    }
}

/* ---- drawing */

static struct live_state state_of(const struct run *run, uint64_t now_ms)
{
    const struct child *producer = &run->children[CHILD_PRODUCE];
    const struct child_numbers *verified = &run->children[CHILD_VERIFY].numbers;
    struct child_sums sums;
    run_sum(run, &sums);
    struct live_state state = {
        .now_ms = now_ms,
        .bytes = producer->numbers.bytes,
        .total_bytes = producer->numbers.total_bytes,
        .is_produced = producer->ended,
        .produce_ms = run->produced_ms - run->began_ms,
        .committed = run->seen.committed,
        .total = run->seen.total,
        .lag = run->seen.lag,
        .waiting = run->seen.waiting,
        .age_ms = run->seen.at_ms && !run->drained_ms ? now_ms - run->seen.at_ms : 0,
        .is_worked = run->drained_ms != 0,
        .work_ms = run->drained_ms - run->began_ms,
        .per_second = run->rate,
        .is_verifying = run->phase == RUN_VERIFYING,
        .compared = verified->compared,
        .to_compare = verified->total,
        .workers = sums.running,
        .in_flight_bytes = sums.metrics[METRIC_IN_FLIGHT],
        .in_flight_max_bytes = run->settings->work_memory * run->settings->workers,
        .is_stopping = run->phase == RUN_STOPPING,
        .outages = run->outages,
    };
    memcpy(state.produce, sums.produce, sizeof(state.produce));
    memcpy(state.work, sums.work, sizeof(state.work));
    return state;
}

static void draw_live(struct run *run, const struct live_state *state)
{
    struct buf out;
    buf_init(&out, VIEW_LIMIT);
    live_view_append(&out, state, terminal_width(STDERR_FILENO), terminal_height(STDERR_FILENO));
    terminal_live_draw(&run->live, buf_view(&out));
    buf_free(&out);
}

static void print_plain(const struct live_state *state)
{
    struct buf out;
    buf_init(&out, VIEW_LIMIT);
    live_view_append_plain(&out, state);
    fprintf(stderr, "%s\n", buf_text(&out));
    buf_free(&out);
}

void run_view_open(struct run *run)
{
    run->terminal = terminal_is(STDERR_FILENO) && !run->settings->plain && !run->settings->quiet;
    if (run->terminal)
        terminal_live_open(&run->live, STDERR_FILENO);
}

void run_view_draw(struct run *run)
{
    uint64_t now_ms = clock_monotonic_ms();
    update_rate(run, now_ms);
    child_away_update(&run->outages, &run->poll.away, run->children, run->child_count,
                      !run->terminal, now_ms);
    if (run->settings->quiet || run->answered)
        return;
    struct live_state state = state_of(run, now_ms);
    if (run->terminal) {
        draw_live(run, &state);
    } else if (now_ms - run->line_ms >= PLAIN_MS) {
        run->line_ms = now_ms;
        print_plain(&state);
    }
}

void run_view_print(struct run *run, struct bytes text)
{
    if (run->terminal && !run->answered)
        terminal_live_print(&run->live, text);
    else
        fprintf(stderr, "%.*s\n", BYTES_ARGS(text));
}

void run_view_end(struct run *run)
{
    if (run->terminal && !run->answered) {
        struct live_state state = state_of(run, clock_monotonic_ms());
        draw_live(run, &state);
    }
    terminal_live_close(&run->live);
    run->answered = true;
}
