/* The lock keeps a socket from being shut down whose number is another one's by then. */

#include "common/io/postgres/pg_cutoff.h"

#include <sys/socket.h>

static void end_if_cut(const struct pg_cutoff *cutoff)
{
    if (cutoff->cut && cutoff->fd >= 0)
        shutdown(cutoff->fd, SHUT_RDWR);
}

void pg_cutoff_watch(struct pg_cutoff *cutoff, const PGconn *connection)
{
    if (!cutoff)
        return;
    pthread_mutex_lock(&cutoff->mutex);
    cutoff->fd = connection ? PQsocket(connection) : -1;
    end_if_cut(cutoff);
    pthread_mutex_unlock(&cutoff->mutex);
}

void pg_cutoff_now(struct pg_cutoff *cutoff)
{
    pthread_mutex_lock(&cutoff->mutex);
    cutoff->cut = true;
    end_if_cut(cutoff);
    pthread_mutex_unlock(&cutoff->mutex);
}
