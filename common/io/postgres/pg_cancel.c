/* The lock keeps a socket from being shut down whose number is another one's by then. */

#include "common/io/postgres/pg_cancel.h"

#include <sys/socket.h>

static void end_if_cancelled(const struct pg_cancel *cancel)
{
    if (cancel->cancelled && cancel->fd >= 0)
        shutdown(cancel->fd, SHUT_RDWR);
}

void pg_cancel_watch(struct pg_cancel *cancel, const PGconn *connection)
{
    if (!cancel)
        return;
    pthread_mutex_lock(&cancel->mutex);
    cancel->fd = connection ? PQsocket(connection) : -1;
    end_if_cancelled(cancel);
    pthread_mutex_unlock(&cancel->mutex);
}

void pg_cancel_now(struct pg_cancel *cancel)
{
    pthread_mutex_lock(&cancel->mutex);
    cancel->cancelled = true;
    end_if_cancelled(cancel);
    pthread_mutex_unlock(&cancel->mutex);
}
