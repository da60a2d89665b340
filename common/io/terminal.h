#ifndef DROVER_IO_TERMINAL_H
#define DROVER_IO_TERMINAL_H

/* What a terminal allows. */

#include <stdbool.h>
#include <stddef.h>

#include "common/base/bytes.h"

bool terminal_is(int fd);
/* A terminal, and neither NO_COLOR nor TERM=dumb. */
bool terminal_colour(int fd);
/* What is written elsewhere than to a terminal is this wide. */
#define TERMINAL_NONE_WIDTH 100

/* Columns and lines; 80 and 24 when unknown. */
int terminal_width(int fd);
/* For text that is written once: of the terminal, else $COLUMNS, else TERMINAL_NONE_WIDTH. */
size_t terminal_text_width(int fd);
int terminal_height(int fd);
/* All of the text. Where writing does not wait (O_NONBLOCK) and nobody takes it, a terminal held by
 * Ctrl-S say, it waits a second and gives up, and for what comes then not at all until something is
 * taken again. Gives up when the process is asked to stop while it waits, or nobody is there.
 * Returns the bytes written. */
size_t terminal_write(int fd, struct bytes text);

#endif
