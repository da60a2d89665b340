#include "common/io/terminal.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/io/clock.h"
#include "common/io/stop.h"

enum {
    DEFAULT_WIDTH = 80,
    DEFAULT_HEIGHT = 24,
    COLUMNS_MIN = 20,
    COLUMNS_MAX = 1000,
    HELD_MS = 1000, /* that a terminal which takes nothing is waited for */
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

int terminal_height(int fd)
{
    struct winsize size;
    if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row > 0)
        return size.ws_row;
    return DEFAULT_HEIGHT;
}

/* True when the descriptor takes something until then. */
static bool wait_until_taken(int fd, uint64_t end_ms)
{
    while (!stop_signal()) {
        struct pollfd output = {.fd = fd, .events = POLLOUT};
        int ready = poll(&output, 1, clock_left_ms(end_ms));
        if (ready > 0 || (ready < 0 && errno != EINTR))
            return ready > 0;
        if (ready == 0)
            return false;
    }
    return false;
}

size_t terminal_write(int fd, struct bytes text)
{
    static bool held; /* it was waited for in vain: that once is enough */
    size_t done = 0;
    uint64_t end_ms = clock_monotonic_ms() + (held ? 0 : HELD_MS);
    while (done < text.size) {
        ssize_t count = write(fd, text.data + done, text.size - done);
        if (count > 0) {
            done += (size_t)count;
            held = false;
        } else if (count < 0 && errno == EAGAIN) {
            held = !wait_until_taken(fd, end_ms);
            if (held)
                return done;
        } else if (count < 0 && errno != EINTR) {
            return done;
        }
    }
    return done;
}
