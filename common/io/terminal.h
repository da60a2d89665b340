#ifndef DROVER_IO_TERMINAL_H
#define DROVER_IO_TERMINAL_H

/*
 * What a terminal allows, and a block of lines on it that is drawn again in place. Only spaces,
 * newlines, UTF-8 of single-width characters and SGR colour sequences may be drawn.
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/base/bytes.h"

bool terminal_is(int fd);
/* A terminal, and neither NO_COLOR nor TERM=dumb. */
bool terminal_colour(int fd);
/* What is written elsewhere than to a terminal is this wide. */
#define TERMINAL_NONE_WIDTH 100

/* Columns; 80 when unknown. */
int terminal_width(int fd);
/* For text that is written once: of the terminal, else $COLUMNS, else TERMINAL_NONE_WIDTH. */
size_t terminal_text_width(int fd);

struct terminal_live {
    int fd;
    int lines; /* drawn at present */
};

void terminal_live_init(struct terminal_live *live, int fd);
/* Replaces what is drawn. Each line ends in '\n' and is cut to the width, or the terminal would
 * wrap it and the next draw would miss its place. */
void terminal_live_draw(struct terminal_live *live, struct bytes text);
/* Takes the block off the screen, so that ordinary lines can be written. */
void terminal_live_clear(struct terminal_live *live);

#endif
