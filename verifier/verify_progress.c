#include "verifier/verify_progress.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/json_out.h"
#include "common/base/text.h"
#include "common/io/clock.h"
#include "common/io/terminal.h"

#define STEPS_MASK 4095u
#define SHOW_EVERY_MS 200
#define LINE_LIMIT 4096 /* as much as is written as a whole */

void verify_progress_init(struct verify_progress *progress, int fd, bool quiet)
{
    memset(progress, 0, sizeof *progress);
    progress->fd = fd;
    progress->terminal = fd < 0 && !quiet && terminal_is(STDERR_FILENO);
    if (progress->terminal)
        terminal_live_open(&progress->live, STDERR_FILENO);
}

void verify_progress_expect(struct verify_progress *progress, uint64_t records, uint32_t passes)
{
    progress->records = records;
    progress->steps_total = 2 * records * passes;
}

static uint64_t compared(const struct verify_progress *progress)
{
    if (progress->steps_total == 0 || progress->steps >= progress->steps_total)
        return progress->records;
    double share = (double)progress->steps / (double)progress->steps_total;
    return (uint64_t)(share * (double)progress->records);
}

/* `next` NULL: it goes on. A parent that no longer reads must not end the verification: what write
 * says is no matter. */
static void send_line(const struct verify_progress *progress, uint64_t done, const char *next)
{
    struct buf line;
    struct json_out out;
    buf_init(&line, LINE_LIMIT);
    json_out_init(&out, &line);
    json_out_object(&out, NULL);
    json_out_text(&out, "role", "verify");
    json_out_bool(&out, "done", next != NULL);
    json_out_count(&out, "compared", done);
    json_out_count(&out, "total", progress->records);
    if (next)
        json_out_text(&out, "next", next);
    json_out_end(&out);
    buf_append_char(&line, '\n');
    (void)!write(progress->fd, line.data, line.size);
    buf_free(&line);
}

static void show(struct verify_progress *progress)
{
    char done[28], total[28];
    if (progress->fd >= 0)
        send_line(progress, compared(progress), NULL);
    if (progress->terminal) {
        char line[96];
        int size = snprintf(line, sizeof line, "verify  %s of %s\n",
                            text_format_count(compared(progress), done),
                            text_format_count(progress->records, total));
        terminal_live_draw(&progress->live, bytes_of(line, (size_t)size));
    }
}

void verify_progress_step(struct verify_progress *progress)
{
    if ((++progress->steps & STEPS_MASK) != 0)
        return;
    uint64_t now_ms = clock_monotonic_ms();
    if (now_ms - progress->shown_ms < SHOW_EVERY_MS)
        return;
    progress->shown_ms = now_ms;
    show(progress);
}

void verify_progress_clear(struct verify_progress *progress)
{
    terminal_live_clear(&progress->live);
    terminal_live_close(&progress->live);
}

void verify_progress_finish(struct verify_progress *progress, const char *next)
{
    verify_progress_clear(progress);
    if (progress->fd >= 0)
        send_line(progress, progress->records, next);
}
