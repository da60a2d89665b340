/* See the header. */
#include "common/io/terminal.h"
#include "producer/progress.h"

#include <stdio.h>
#include <unistd.h>

#define EVERY_MS 200
#define LINE_EVERY_MS 10000

void progress_init(struct progress *progress, const struct settings *settings, uint64_t now_ms)
{
    *progress = (struct progress){.fd = settings->progress_fd, .next_ms = now_ms + EVERY_MS};
    if (settings->progress_fd >= 0)
        progress->kind = PROGRESS_FD;
    else if (settings->quiet)
        progress->kind = PROGRESS_NONE;
    else if (terminal_is(STDERR_FILENO) && !settings->plain)
        progress->kind = PROGRESS_LIVE;
    else
        progress->kind = PROGRESS_LINES;
    if (progress->kind == PROGRESS_LINES)
        progress->next_ms = now_ms + LINE_EVERY_MS;
    if (progress->kind == PROGRESS_LIVE)
        terminal_live_open(&progress->live, STDERR_FILENO);
}

/* A parent that is gone does not stop the run: its line is lost, nothing else. */
static void tell_parent(int fd, struct buf *line)
{
    buf_append_char(line, '\n');
    ssize_t written = write(fd, line->data, line->size);
    (void)written;
}

/* They only grow: as long as their sum is the same they all are. */
static uint64_t sum_of(const struct produce_counters *counters)
{
    return counters->read + counters->produced + counters->rejected + counters->withheld +
           counters->failed_sources;
}

static void say(struct progress *progress, const struct produce_counters *counters,
                const struct produce_state *state)
{
    struct buf line;
    buf_init(&line, 4096);
    if (progress->kind == PROGRESS_FD) {
        produce_counters_append_progress(&line, counters, state);
        tell_parent(progress->fd, &line);
        progress->told = sum_of(counters);
    } else {
        produce_counters_append_line(&line, counters, state);
        buf_append_char(&line, '\n');
        if (progress->kind == PROGRESS_LIVE)
            terminal_live_draw(&progress->live, buf_view(&line));
        else
            fputs(buf_text(&line), stderr);
    }
    buf_free(&line);
}

void progress_tick(struct progress *progress, const struct produce_counters *counters,
                   const struct produce_state *state, uint64_t now_ms)
{
    if (progress->kind == PROGRESS_NONE)
        return;
    if (state->done) { /* the summary follows; only a parent needs the last line */
        progress_clear(progress);
        terminal_live_close(&progress->live);
        if (progress->kind == PROGRESS_FD)
            say(progress, counters, state);
        return;
    }
    if (now_ms < progress->next_ms)
        return;
    progress->next_ms = now_ms + (progress->kind == PROGRESS_LINES ? LINE_EVERY_MS : EVERY_MS);
    say(progress, counters, state);
}

void progress_rest(struct progress *progress, const struct produce_counters *counters,
                   const struct produce_state *state, uint64_t now_ms)
{
    if (progress->kind == PROGRESS_FD && progress->told != sum_of(counters))
        progress_tick(progress, counters, state, now_ms);
}

void progress_clear(struct progress *progress)
{
    if (progress->kind == PROGRESS_LIVE)
        terminal_live_clear(&progress->live);
}
