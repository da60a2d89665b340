#ifndef DROVER_IO_TERMINAL_H
#define DROVER_IO_TERMINAL_H

/* What a terminal allows. */

#include <stdbool.h>
#include <stddef.h>

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

#endif
