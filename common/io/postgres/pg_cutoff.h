#ifndef DROVER_IO_PG_CUTOFF_H
#define DROVER_IO_PG_CUTOFF_H

/* Ends a blocking query of another thread at once: its connection is shut down, as a query may wait
 * long for a lock, and for ever for a server that is frozen. */

#include <libpq-fe.h>
#include <pthread.h>
#include <stdbool.h>

struct pg_cutoff {
    pthread_mutex_t mutex;
    int fd; /* -1: nothing to be ended */
    bool cut;
};

#define PG_CUTOFF_INIT ((struct pg_cutoff){.mutex = PTHREAD_MUTEX_INITIALIZER, .fd = -1})

/* By the thread that queries: after it has connected, and with NULL before PQfinish. `cutoff` may
 * be NULL. */
void pg_cutoff_watch(struct pg_cutoff *cutoff, const PGconn *connection);
/* By the other; connections watched later end at once, too. */
void pg_cutoff_now(struct pg_cutoff *cutoff);

#endif
