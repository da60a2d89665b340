#ifndef DROVER_PRODUCER_STOP_H
#define DROVER_PRODUCER_STOP_H

/* SIGINT and SIGTERM: the first asks to stop, the second ends the process at once. */

void stop_install(void);
/* The signal that asked, 0 while none did. */
int stop_signal(void);

#endif
