#include "common/io/terminal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    DEFAULT_WIDTH = 80,
    DEFAULT_HEIGHT = 24,
    COLUMNS_MIN = 20,
    COLUMNS_MAX = 1000,
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
