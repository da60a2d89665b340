#ifndef DROVER_IO_STOP_H
#define DROVER_IO_STOP_H

/*
 * How a process stops. SIGINT and SIGTERM: the first asks to stop, the second ends the process at
 * once with 128 + its number, whatever its threads are doing: it is the handler that ends it, not a
 * loop that would have to come round.
 *
 * What a library does not end in time (a client of Kafka whose broker is frozen) is left behind;
 * main then ends the process without waiting for it, and without tearing down what it still uses.
 *
 * Any thread may call these, but for stop_install and stop_before_end.
 */

#include <stdbool.h>

/* Waits for servers, in calls that block, end this long after the first signal. */
#define STOP_PATIENCE_MS 2000

/* Forgets an earlier signal. System calls of this thread are interrupted by the first one. */
void stop_install(void);
/* The signal that asked, 0 while none did. */
int stop_signal(void);
/* A signal came more than STOP_PATIENCE_MS ago. */
bool stop_is_overdue(void);
/* Called by the second signal's handler before it ends the process: only what signal-safety(7)
 * allows. NULL: nothing. */
void stop_before_end(void (*act)(void));

/* Something still runs that cannot be waited for. */
void stop_leave_behind(void);
bool stop_has_left_behind(void);

#endif
