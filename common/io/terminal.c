#include "common/io/terminal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/base/buf.h"

enum {
    DEFAULT_WIDTH = 80,
    COLUMNS_MIN = 20,
    COLUMNS_MAX = 1000,
    SCREEN_LIMIT = 65536,
};

bool terminal_is(int fd)
{
    return isatty(fd) == 1;
}

bool terminal_colour(int fd)
{
    const char *no_color = getenv("NO_COLOR"); /* no-color.org: present and not empty */
    const char *term = getenv("TERM");
    return terminal_is(fd) && !(no_color && no_color[0]) && !(term && strcmp(term, "dumb") == 0);
}

int terminal_width(int fd)
{
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return DEFAULT_WIDTH;
}

size_t terminal_text_width(int fd)
{
    const char *columns =
        getenv("COLUMNS"); /* POSIX: the user's, or a parent's whose terminal it is */
    long number = columns ? strtol(columns, NULL, 10) : 0;
    if (terminal_is(fd))
        return (size_t)terminal_width(fd);
    return number >= COLUMNS_MIN && number <= COLUMNS_MAX ? (size_t)number : TERMINAL_NONE_WIDTH;
}

void terminal_live_init(struct terminal_live *live, int fd)
{
    *live = (struct terminal_live){.fd = fd};
}

/* Bytes of the SGR sequence at the start of `text`, or 0. */
static size_t colour_size(struct bytes text)
{
    if (text.size < 2 || text.data[0] != '\033' || text.data[1] != '[')
        return 0;
    size_t size = 2;
    while (size < text.size && text.data[size] != 'm')
        size++;
    return size < text.size ? size + 1 : size;
}

/* Appends at most `width` columns; colour sequences are free, also those behind the cut, so that
 * a colour that was begun is ended. */
static void append_cut(struct buf *out, struct bytes line, int width)
{
    int columns = 0;
    size_t at = 0;
    while (at < line.size) {
        struct bytes rest = bytes_of(line.data + at, line.size - at);
        size_t colour = colour_size(rest);
        if (colour) {
            buf_append(out, rest.data, colour);
            at += colour;
            continue;
        }
        bool continuation = ((unsigned char)rest.data[0] & 0xc0) == 0x80;
        columns += !continuation;
        if (columns <= width)
            buf_append_char(out, rest.data[0]);
        at++;
    }
}

static void write_all(int fd, struct bytes text)
{
    while (text.size) {
        ssize_t count = write(fd, text.data, text.size);
        if (count < 0 && errno != EINTR && errno != EAGAIN)
            return; /* the terminal is gone; the work goes on */
        if (count > 0)
            text = bytes_of(text.data + count, text.size - (size_t)count);
    }
}

static void append_up(struct buf *out, const struct terminal_live *live)
{
    if (live->lines)
        buf_append_format(out, "\r\033[%dA", live->lines);
    else
        buf_append_char(out, '\r');
}

void terminal_live_draw(struct terminal_live *live, struct bytes text)
{
    struct buf out;
    buf_init(&out, SCREEN_LIMIT);
    append_up(&out, live);
    live->lines = 0;
    int width = terminal_width(live->fd);
    while (text.size) {
        const char *end = memchr(text.data, '\n', text.size);
        size_t size = end ? (size_t)(end - text.data) : text.size;
        append_cut(&out, bytes_of(text.data, size), width);
        buf_append_text(&out, "\033[K\n");
        live->lines++;
        size += end != NULL;
        text = bytes_of(text.data + size, text.size - size);
    }
    buf_append_text(&out, "\033[J"); /* lines the last draw had and this one has not */
    write_all(live->fd, buf_view(&out));
    buf_free(&out);
}

void terminal_live_clear(struct terminal_live *live)
{
    if (live->lines == 0)
        return;
    struct buf out;
    buf_init(&out, 64);
    append_up(&out, live);
    buf_append_text(&out, "\033[J");
    write_all(live->fd, buf_view(&out));
    buf_free(&out);
    live->lines = 0;
}
