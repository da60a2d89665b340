/*
 * What `drover run` shows: bars redrawn in place on a terminal, one line each ten seconds
 * elsewhere. The numbers of one draw are of one moment, so that they add up.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/text.h"
#include "common/io/clock.h"
#include "control/run.h"

enum {
    WIDE_BAR = 22,
    NARROW_BAR = 14,
    WIDE_SCREEN = 100,
    VIEW_LIMIT = 16384,
    PLAIN_MS = 10000,
    RATE_MS = 1000,
};

/* A full cell and its eighths, in UTF-8. */
static void append_bar(struct buf *out, double share, int cells)
{
    static const char *const EIGHTHS[] = {"·", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    int eighths = (int)(share * cells * 8 + 0.5);
    for (int cell = 0; cell < cells; cell++) {
        int rest = eighths - cell * 8;
        buf_append_text(out, rest >= 8 ? "█" : EIGHTHS[rest > 0 ? rest : 0]);
    }
}

static void append_head(struct buf *out, const char *name, uint64_t done, uint64_t total)
{
    double share = total ? (double)done / (double)total : 0;
    buf_append_format(out, "  %-8s ", name);
    append_bar(out, share, terminal_width(STDERR_FILENO) < WIDE_SCREEN ? NARROW_BAR : WIDE_BAR);
    /* 100 % is said of a finished thing only */
    int percent = done >= total && total ? 100 : (int)(share * 100);
    buf_append_format(out, " %3d%%  ", percent > 99 && done < total ? 99 : percent);
}

static const char *count_text(uint64_t value, char out[28])
{
    return text_format_count(value, out);
}

static void sum_workers(const struct run *run, struct run_numbers *sum)
{
    *sum = (struct run_numbers){0};
    for (size_t i = RUN_WORK; i < run->child_count; i++) {
        const struct run_numbers *one = &run->children[i].numbers;
        sum->polled += one->polled;
        sum->applied += one->applied;
        sum->unchanged += one->unchanged;
        sum->superseded += one->superseded;
        sum->conflict += one->conflict;
        sum->dead += one->dead;
        sum->mem += one->mem;
        sum->halted += one->halted;
    }
}

/* Over a second, so that it does not jump with every batch. */
static void update_rate(struct run *run, uint64_t now_ms)
{
    uint64_t committed = run->survey.committed;
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

static void append_eta(struct buf *out, const struct run *run)
{
    if (run->rate < 1 || run->survey.lag == 0)
        return;
    uint64_t seconds = (uint64_t)((double)run->survey.lag / run->rate) + 1;
    buf_append_format(out, "  ETA %" PRIu64 ":%02" PRIu64, seconds / 60, seconds % 60);
}

static void append_produce(struct buf *out, const struct run *run)
{
    const struct run_child *child = &run->children[RUN_PRODUCE];
    const struct run_numbers *numbers = &child->numbers;
    char texts[2][28], sizes[2][16];
    uint64_t done = numbers->bytes, total = numbers->total_bytes;
    if (child->ended && total == 0)
        done = total = 1; /* an unknown total, all of it read */
    append_head(out, "produce", done, total);
    buf_append_format(out, "%s", count_text(numbers->produced, texts[0]));
    if (numbers->rejected)
        buf_append_format(out, " · %s rejected", count_text(numbers->rejected, texts[1]));
    buf_append_format(out, "  %s", text_format_size(numbers->bytes, sizes[0]));
    if (numbers->total_bytes)
        buf_append_format(out, " of %s", text_format_size(numbers->total_bytes, sizes[1]));
    if (child->ended)
        buf_append_format(out, "  done %.1fs", (double)(run->produced_ms - run->began_ms) / 1000.0);
    buf_append_char(out, '\n');
}

static void append_work(struct buf *out, const struct run *run, const struct run_numbers *sum)
{
    char texts[4][28];
    append_head(out, "work", run->survey.committed, run->survey.total);
    buf_append_format(out, "%s applied", count_text(sum->applied, texts[0]));
    uint64_t same = sum->unchanged + sum->superseded;
    if (same)
        buf_append_format(out, " · %s unchanged", count_text(same, texts[1]));
    uint64_t bad = sum->dead + sum->conflict;
    if (bad)
        buf_append_format(out, " · %s dead", count_text(bad, texts[2]));
    if (run->survey.lag || run->phase == RUN_WORKING)
        buf_append_format(out, " · lag %s", count_text(run->survey.lag, texts[3]));
    if (run->survey.waiting)
        buf_append_format(out, " · %s waiting for their parents",
                          count_text(run->survey.waiting, texts[3]));
    if (run->drained_ms)
        buf_append_format(out, "  done %.1fs", (double)(run->drained_ms - run->began_ms) / 1000.0);
    else
        append_eta(out, run);
    buf_append_char(out, '\n');
}

static void append_verify(struct buf *out, const struct run *run)
{
    const struct run_numbers *numbers = &run->children[RUN_VERIFY].numbers;
    char texts[2][28];
    append_head(out, "verify", numbers->compared, numbers->total);
    buf_append_format(out, "%s of %s compared\n", count_text(numbers->compared, texts[0]),
                      count_text(numbers->total, texts[1]));
}

static void append_machine(struct buf *out, const struct run *run, const struct run_numbers *sum)
{
    char text[28], sizes[2][16];
    size_t working = 0;
    for (size_t i = RUN_WORK; i < run->child_count; i++)
        working += run_child_is_running(&run->children[i]);
    buf_append_format(
        out, "           %s/s · %zu worker%s · %s of %s in flight",
        count_text((uint64_t)(run->rate + 0.5), text), working, working == 1 ? "" : "s",
        text_format_size(sum->mem, sizes[0]),
        text_format_size(run->settings->work_memory * run->settings->workers, sizes[1]));
    buf_append_text(out, run->phase == RUN_STOPPING ? " · stopping\n" : " · Ctrl-C stops\n");
}

static void draw_live(struct run *run)
{
    struct buf out;
    struct run_numbers sum;
    sum_workers(run, &sum);
    buf_init(&out, VIEW_LIMIT);
    append_produce(&out, run);
    append_work(&out, run, &sum);
    if (run->phase == RUN_VERIFYING)
        append_verify(&out, run);
    else
        append_machine(&out, run, &sum);
    terminal_live_draw(&run->live, buf_view(&out));
    buf_free(&out);
}

static void print_plain(const struct run *run)
{
    struct run_numbers sum;
    sum_workers(run, &sum);
    const struct run_numbers *produced = &run->children[RUN_PRODUCE].numbers;
    const struct run_numbers *verified = &run->children[RUN_VERIFY].numbers;
    if (run->phase == RUN_VERIFYING)
        fprintf(stderr, "verify compared=%" PRIu64 " total=%" PRIu64 "\n", verified->compared,
                verified->total);
    else
        fprintf(stderr,
                "run produced=%" PRIu64 " rejected=%" PRIu64 " committed=%" PRIu64 "/%" PRIu64
                " applied=%" PRIu64 " dead=%" PRIu64 " lag=%" PRIu64 " waiting=%" PRIu64
                " per_s=%.0f\n",
                produced->produced, produced->rejected, run->survey.committed, run->survey.total,
                sum.applied, sum.dead + sum.conflict, run->survey.lag, run->survey.waiting,
                run->rate);
}

void run_view_draw(struct run *run)
{
    uint64_t now_ms = clock_monotonic_ms();
    update_rate(run, now_ms);
    if (run->settings->quiet || run->answered)
        return;
    if (run->terminal) {
        draw_live(run);
    } else if (now_ms - run->line_ms >= PLAIN_MS) {
        run->line_ms = now_ms;
        print_plain(run);
    }
}

void run_view_print(struct run *run, struct bytes text)
{
    terminal_live_clear(&run->live);
    fprintf(stderr, "%.*s\n", BYTES_ARGS(text));
}

void run_view_end(struct run *run)
{
    if (!run->answered && run->terminal && !run->settings->quiet)
        draw_live(run);
    run->answered = true;
    run->live.lines = 0;
}
