/* See the header. */
#include "verifier/follow/follow_show.h"

#include <stdio.h>
#include <unistd.h>

#include "common/io/answer.h"
#include "common/io/clock.h"
#include "common/io/terminal.h"

#define DRAW_MS 500
#define LINE_MS 10000
#define TEXT_BYTES_MAX ((size_t)1 << 16)

void follow_show_open(struct follow_show *show, const struct settings *settings)
{
    *show = (struct follow_show){.settings = settings, .began_ms = clock_monotonic_ms()};
    show->line_ms = show->began_ms + LINE_MS;
    show->is_live = !settings->json && !settings->plain && !settings->quiet &&
                    settings->progress_fd < 0 && terminal_is(STDERR_FILENO) &&
                    terminal_is(STDOUT_FILENO);
    if (show->is_live)
        terminal_live_open(&show->live, STDERR_FILENO);
}

bool follow_show_is_due(const struct follow_show *show)
{
    uint64_t now_ms = clock_monotonic_ms();
    return now_ms >= (show->is_live ? show->draw_ms : show->line_ms);
}

static void draw(struct follow_show *show, struct follow_screen *screen)
{
    struct buf text;
    buf_init(&text, TEXT_BYTES_MAX);
    screen->now_ms = clock_monotonic_ms();
    screen->up_ms = screen->now_ms - show->began_ms;
    screen->unix_ms = clock_unix_ms();
    show->draw_ms = screen->now_ms + DRAW_MS;
    follow_screen_append(&text, screen, terminal_width(STDERR_FILENO),
                         terminal_height(STDERR_FILENO));
    terminal_live_draw(&show->live, buf_view(&text));
    buf_free(&text);
}

static void print_line(const struct follow_numbers *numbers)
{
    struct buf line;
    buf_init(&line, TEXT_BYTES_MAX);
    follow_view_append_line(&line, numbers);
    printf("%s\n", buf_text(&line));
    fflush(stdout);
    buf_free(&line);
}

void follow_show_turn(struct follow_show *show, struct follow_screen *screen)
{
    struct answer *answer = show->settings->answer;
    show->line_ms = clock_monotonic_ms() + LINE_MS;
    if (show->is_live) {
        draw(show, screen);
    } else if (show->settings->json) {
        follow_view_append_json(answer_body(answer), screen->numbers);
        answer_next(answer);
    } else if (!show->settings->quiet) {
        print_line(screen->numbers);
    }
}

/* The last document says more: the verdict in words, and what helps. */
static void append_end(struct json_out *out, const struct follow_numbers *numbers,
                       const char *report)
{
    struct buf text;
    buf_init(&text, TEXT_BYTES_MAX);
    follow_view_append_json(out, numbers);
    follow_screen_append_reason(&text, numbers);
    json_out_bytes(out, "reason", buf_view(&text));
    if (report)
        json_out_text(out, "report", report);
    else
        json_out_null(out, "report");
    buf_reset(&text);
    follow_screen_append_next(&text, numbers);
    if (text.size)
        json_out_bytes(out, "next", buf_view(&text));
    else
        json_out_null(out, "next");
    buf_free(&text);
}

void follow_show_end(struct follow_show *show, struct follow_screen *screen, const char *report)
{
    struct buf text;
    if (show->settings->json) {
        append_end(answer_body(show->settings->answer), screen->numbers, report);
        return;
    }
    if (show->is_live) {
        draw(show, screen);
        terminal_live_close(&show->live);
        show->is_live = false;
    } else {
        print_line(screen->numbers);
    }
    buf_init(&text, TEXT_BYTES_MAX);
    follow_screen_append_summary(&text, screen->numbers, report);
    printf("%s", buf_text(&text));
    fflush(stdout);
    buf_free(&text);
}
