#ifndef DROVER_IO_PG_CANCEL_H
#define DROVER_IO_PG_CANCEL_H

/* Ends a blocking query of another thread at once: its connection is shut down, as a query may wait
 * long for a lock, and for ever for a server that is frozen. */

#include <libpq-fe.h>
#include <pthread.h>
#include <stdbool.h>

struct pg_cancel {
    pthread_mutex_t mutex;
    int fd; /* -1: nothing to be ended */
    bool cancelled;
};

#define PG_CANCEL_INIT ((struct pg_cancel){.mutex = PTHREAD_MUTEX_INITIALIZER, .fd = -1})

/* By the thread that queries: after it has connected, and with NULL before PQfinish. `cutoff` may
 * be NULL. */
void pg_cancel_watch(struct pg_cancel *cancel, const PGconn *connection);
/* By the other; connections watched later end at once, too. */
void pg_cancel_now(struct pg_cancel *cancel);

#endif
