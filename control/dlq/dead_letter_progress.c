#include "control/dlq/dead_letter_progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/io/terminal.h"

enum { LINE_MS = 10000 }; /* between two lines where there is no terminal */

void dead_letter_progress_open(struct dead_letter_progress *progress,
                               const struct settings *settings)
{
    progress->settings = settings;
    if (terminal_is(STDERR_FILENO) && !settings->plain && !settings->json)
        terminal_live_open(&progress->live, STDERR_FILENO);
}

void dead_letter_progress_tell(struct dead_letter_progress *progress, bool at_once,
                               const char *format, ...)
{
    char line[400];
    va_list args;
    uint64_t now_ms = clock_monotonic_ms();
    if (progress->settings->quiet)
        return;
    va_start(args, format);
    int size = vsnprintf(line, sizeof line - 1, format, args);
    va_end(args);
    if (size < 0)
        return;
    size_t used = (size_t)size < sizeof line - 2 ? (size_t)size : sizeof line - 2;
    line[used] = '\n';
    if (progress->live.is_open) {
        if (at_once)
            terminal_live_print(&progress->live, bytes_of(line, used));
        else
            terminal_live_draw(&progress->live, bytes_of(line, used + 1));
        return;
    }
    if (!at_once && progress->said_ms && now_ms - progress->said_ms < LINE_MS)
        return;
    progress->said_ms = at_once ? progress->said_ms : now_ms;
    fwrite(line, 1, used + 1, stderr);
}

void dead_letter_progress_clear(struct dead_letter_progress *progress)
{
    terminal_live_clear(&progress->live);
}

void dead_letter_progress_close(struct dead_letter_progress *progress)
{
    terminal_live_close(&progress->live);
}
