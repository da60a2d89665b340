#include "common/io/terminal_live.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"
#include "common/base/text_width.h"
#include "common/io/log.h"
#include "common/io/terminal.h"

enum { SCREEN_LIMIT = 1 << 20 };

#define HIDE_CURSOR "\033[?25l"
#define SHOW_CURSOR "\033[?25h"
/* All of the line, before it is written: a terminal that wraps its lines anew after a resize may
 * count the cells of a longer one that was only cut (tmux does). */
#define CLEAR_LINE "\033[2K"
#define CLEAR_BELOW "\033[J"

/* ---- suspended and continued: the block goes before the shell writes, and comes back below */

enum { DRAWN_MAX = 64 }; /* lines; a block that is higher is cleared from there on */

static volatile sig_atomic_t resumes;
static volatile sig_atomic_t drawn_fd = -1, drawn_count;
static volatile sig_atomic_t drawn_widths[DRAWN_MAX];

static void on_resume(int number)
{
    (void)number;
    resumes++;
}

static int rows_of(int columns, int width)
{
    return columns > width ? (columns + width - 1) / width : 1;
}

/* Only what signal-safety(7) allows, here and in what calls it. */
static void clear_drawn(void)
{
    char text[] = "\r\033[000A" CLEAR_BELOW;
    int rows = 0, width = terminal_width(drawn_fd);
    for (int i = 0; i < drawn_count; i++)
        rows += rows_of(drawn_widths[i], width);
    rows = rows < 999 ? rows : 999;
    text[3] = (char)('0' + rows / 100);
    text[4] = (char)('0' + rows / 10 % 10);
    text[5] = (char)('0' + rows % 10);
    if (rows)
        (void)!write(drawn_fd, text, sizeof(text) - 1);
    drawn_count = 0;
}

/* The process stops in raise(), or right behind the mask. */
static void on_suspend(int number)
{
    int kept = errno;
    clear_drawn();
    resumes++;
    signal(number, SIG_DFL);
    raise(number);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    struct sigaction action = {.sa_handler = on_suspend, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
    errno = kept;
}

static void handle(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART}, old;
    sigemptyset(&action.sa_mask);
    if (sigaction(number, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
        sigaction(number, &action, NULL);
}

static bool is_in_background(int fd)
{
    pid_t group = tcgetpgrp(fd); /* fails where the terminal is not the one of our session */
    return group > 0 && group != getpgrp();
}

/* ---- the block */

static void print_log_line(void *owner, struct bytes line)
{
    terminal_live_print(owner, line);
}

void terminal_live_open(struct terminal_live *live, int fd)
{
    *live = (struct terminal_live){.fd = fd, .is_open = true, .resumes = resumes};
    buf_init(&live->block, SCREEN_LIMIT);
    handle(SIGCONT, on_resume);
    handle(SIGTSTP, on_suspend);
    if (fd == STDERR_FILENO || terminal_is(STDERR_FILENO))
        log_print_through(print_log_line, live);
}

/* Back to the block's first line. A terminal that became narrower has wrapped its lines. */
static void append_up(struct buf *out, struct terminal_live *live, int width)
{
    int rows = 0;
    if (live->resumes != resumes)
        live->line_count = 0;
    live->resumes = resumes;
    for (size_t i = 0; i < live->line_count; i++)
        rows += rows_of(live->widths[i], width);
    live->line_count = 0;
    if (rows)
        buf_append_format(out, "\r\033[%dA", rows);
    else
        buf_append_char(out, '\r');
}

static void remember(struct terminal_live *live, int width)
{
    live->widths =
        mem_grown(live->widths, &live->line_room, live->line_count + 1, sizeof(live->widths[0]));
    live->widths[live->line_count++] = width;
}

static struct bytes next_line(struct bytes *text)
{
    const char *end = memchr(text->data, '\n', text->size);
    size_t size = end ? (size_t)(end - text->data) : text->size;
    struct bytes line = bytes_of(text->data, size);
    size += end != NULL;
    *text = bytes_of(text->data + size, text->size - size);
    return line;
}

static void append_block(struct buf *out, struct terminal_live *live, int width)
{
    struct bytes text = buf_view(&live->block);
    int room = terminal_height(live->fd) - 1; /* the cursor stands below */
    while (text.size && room-- > 0) {
        struct bytes line = next_line(&text);
        buf_append_text(out, CLEAR_LINE);
        size_t before = out->size;
        text_append_fit(out, line, width);
        remember(live, text_width(bytes_of(out->data + before, out->size - before)));
        buf_append_char(out, '\n');
    }
    buf_append_text(out, CLEAR_BELOW); /* lines the last draw had and this one has not */
}

/* For a signal that comes before the next draw. */
static void tell_drawn(const struct terminal_live *live)
{
    size_t count = live->line_count < DRAWN_MAX ? live->line_count : DRAWN_MAX;
    for (size_t i = 0; i < count; i++)
        drawn_widths[i] = live->widths[live->line_count - count + i];
    drawn_fd = live->fd;
    drawn_count = (sig_atomic_t)count;
}

static void append_line(struct buf *out, struct bytes line)
{
    buf_append_bytes(out, line);
    buf_append_char(out, '\n');
}

/* `line`: an ordinary one above the block; NULL: none. */
static void append_screen(struct buf *out, struct terminal_live *live, const struct bytes *line)
{
    int width = terminal_width(live->fd);
    buf_append_text(out, HIDE_CURSOR);
    append_up(out, live, width);
    if (line || live->unshown)
        buf_append_text(out, CLEAR_BELOW); /* it may take several rows */
    if (live->unshown)
        buf_append_format(out, "(the terminal was held: %u lines were not shown)\n", live->unshown);
    if (line)
        append_line(out, *line);
    append_block(out, live, width);
    buf_append_text(out, SHOW_CURSOR);
}

/* Where the terminal takes nothing, what was drawn before is still there. */
static void redraw(struct terminal_live *live, const struct bytes *line)
{
    struct buf out;
    const struct terminal_live before = *live;
    sig_atomic_t drawn_before = drawn_count;
    bool resumed = live->resumes != resumes;
    live->widths = NULL;
    live->line_room = 0;
    buf_init(&out, SCREEN_LIMIT);
    if (before.line_count) { /* append_up goes over them */
        live->widths = mem_resize(NULL, before.line_count, sizeof(live->widths[0]));
        memcpy(live->widths, before.widths, before.line_count * sizeof(live->widths[0]));
        live->line_room = before.line_count;
    }
    append_screen(&out, live, line);
    drawn_count = 0;
    if (terminal_write(live->fd, buf_view(&out)) > 0) {
        live->unshown = 0;
        free(before.widths);
        tell_drawn(live);
    } else {
        free(live->widths);
        live->widths = before.widths;
        live->line_room = before.line_room;
        live->line_count = resumed ? 0 : before.line_count;
        live->unshown += line != NULL;
        drawn_count = resumed ? 0 : drawn_before;
    }
    buf_free(&out);
}

void terminal_live_draw(struct terminal_live *live, struct bytes text)
{
    if (!live->is_open)
        return;
    buf_reset(&live->block);
    buf_append_bytes(&live->block, text);
    if (!is_in_background(live->fd))
        redraw(live, NULL);
}

void terminal_live_print(struct terminal_live *live, struct bytes line)
{
    if (live->is_open && live->line_count && !is_in_background(live->fd)) {
        redraw(live, &line);
        return;
    }
    struct buf out;
    buf_init(&out, SCREEN_LIMIT);
    append_line(&out, line);
    if (terminal_write(STDERR_FILENO, buf_view(&out)) == 0 && live->is_open)
        live->unshown++;
    buf_free(&out);
}

void terminal_live_clear(struct terminal_live *live)
{
    if (!live->is_open || live->line_count == 0 || is_in_background(live->fd))
        return;
    buf_reset(&live->block);
    redraw(live, NULL);
}

void terminal_live_close(struct terminal_live *live)
{
    if (!live->is_open)
        return;
    log_print_through(NULL, NULL);
    drawn_count = 0;
    struct sigaction now;
    if (sigaction(SIGTSTP, NULL, &now) == 0 && now.sa_handler == on_suspend)
        signal(SIGTSTP, SIG_DFL);
    buf_free(&live->block);
    free(live->widths);
    *live = (struct terminal_live){.fd = live->fd};
}
