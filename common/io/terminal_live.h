#ifndef DROVER_IO_TERMINAL_LIVE_H
#define DROVER_IO_TERMINAL_LIVE_H

/*
 * A live block: lines on a terminal that are drawn again in place, while other
 * lines scroll by above. Only spaces, newlines, UTF-8 and SGR colour sequences may be drawn.
 *
 *   an ordinary line       printed through the block: it scrolls away above
 *   the block              never wider or higher than the terminal
 *   the cursor             below it, at the start of a line: what ends the process at any moment
 *                          leaves a terminal that needs no repair
 *
 * Each change is one write(2): the cursor is hidden and shown again within it. Nothing else of the
 * terminal's state is ever changed. A process in the background draws nothing; one that was
 * suspended draws anew below what was written meanwhile. A terminal that is held (Ctrl-S) and does
 * not make its writer wait is not waited for longer than a second: terminal_write.
 */

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/bytes.h"

struct terminal_live {
    int fd;
    bool is_open;
    struct buf block;  /* what is to be seen: drawn again below each ordinary line */
    int *widths;       /* columns of each line drawn at present */
    size_t line_count; /* of them; 0: nothing is on the screen */
    size_t line_room;
    unsigned unshown; /* ordinary lines that the terminal did not take; it is said when it does */
    int resumes;      /* seen of the process: how often it was continued */
};

/* Takes over what log.c writes to standard error, when fd is that. One block a process. */
void terminal_live_open(struct terminal_live *live, int fd);
/* Replaces the block. Each line ends in '\n'. What is wider or higher than the terminal is cut. */
void terminal_live_draw(struct terminal_live *live, struct bytes text);
/* An ordinary line (without its '\n') above the block. As it is when nothing is drawn. */
void terminal_live_print(struct terminal_live *live, struct bytes line);
/* Takes the block off the screen. It comes back with the next draw. */
void terminal_live_clear(struct terminal_live *live);
/* Leaves the block on the screen, in its last state, and draws no more. The log is itself again. */
void terminal_live_close(struct terminal_live *live);

#endif
